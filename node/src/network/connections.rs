//! Which connections to end: when there are too many, and when somebody new needs a place.
//!
//! Pure. Gossip keeps every connection alive for ever, so that somebody has to decide. Who opened a connection to this node
//! can always do so again with another name; what is costly to an attacker is being in many networks, having been there for
//! long, being near and being useful. Peers that stand out in one of these keep their places, and of the rest one of the
//! network with the most connections goes (as in Bitcoin Core).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use libp2p::PeerId;

use super::reach::Group;

/// Connections that others have opened. The library's limit is a little higher, so that this choice comes first.
pub(super) const INBOUND_MAX: usize = 96;
/// Of these, places that are kept for groups from which nobody is connected: a quarter.
const INBOUND_FOR_NEW_GROUPS: usize = 24;
/// More connections of this node's own than this are trimmed: lookups and people open some beyond the target.
const OUTBOUND_HIGH: usize = 32;
/// Down to as many.
const OUTBOUND_LOW: usize = 24;
/// How long a connection of this node's own is left alone.
const SETTLES: Duration = Duration::from_secs(60);
/// Kept for the group that they are of.
const KEPT_FOR_GROUP: usize = 4;
/// Kept for what they brought lately.
const KEPT_FOR_USE: usize = 4;
/// Kept for their age.
const KEPT_FOR_AGE: usize = 4;
/// Kept for being quick to answer.
const KEPT_FOR_LATENCY: usize = 8;
/// How long until an accepted message counts half.
const USE_HALVES: Duration = Duration::from_secs(600);

const _: () = assert!(KEPT_FOR_GROUP + KEPT_FOR_USE + KEPT_FOR_AGE + KEPT_FOR_LATENCY < INBOUND_MAX / 2);

/// A connected peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) peer: PeerId,
    /// Since when.
    pub(super) since: Instant,
    /// Whether this node has dialled it.
    pub(super) outbound: bool,
    /// None: it is near.
    pub(super) group: Option<Group>,
    /// Whether it stays whatever happens: it is kept, relays for this node, or a person asked for it.
    pub(super) is_kept: bool,
}

/// What is known of peers as neighbours.
#[derive(Debug)]
pub(super) struct Merits {
    /// Messages accepted from each, as 256ths; halved from time to time.
    useful: BTreeMap<PeerId, u64>,
    latency: BTreeMap<PeerId, Duration>,
    halved: Instant,
    secret: [u8; 32],
}

impl Merits {
    pub(super) fn new(secret: [u8; 32], now: Instant) -> Self {
        Self { useful: BTreeMap::new(), latency: BTreeMap::new(), halved: now, secret }
    }

    /// A message that came from the peer first was accepted.
    pub(super) fn accepted(&mut self, peer: PeerId) {
        let useful = self.useful.entry(peer).or_default();
        *useful = useful.saturating_add(256);
    }

    /// A round trip was measured.
    pub(super) fn measured(&mut self, peer: PeerId, latency: Duration) {
        // The shortest: it can be made to look longer by anybody, and shorter by nobody.
        let best = self.latency.entry(peer).or_insert(latency);
        *best = latency.min(*best);
    }

    /// The peer has gone.
    pub(super) fn gone(&mut self, peer: &PeerId) {
        self.useful.remove(peer);
        self.latency.remove(peer);
    }

    /// Lets what is long ago count less.
    pub(super) fn fade(&mut self, now: Instant) {
        if now.duration_since(self.halved) >= USE_HALVES {
            self.halved = now;
            self.useful.values_mut().for_each(|useful| *useful /= 2);
        }
    }

    fn of(&self, peer: &PeerId) -> u64 {
        self.useful.get(peer).copied().unwrap_or(0)
    }

    /// Who gives way to a newcomer that has just connected; the newcomer itself if nobody else does. None: there is room.
    pub(super) fn evict(&self, rows: &[Row], newcomer: &PeerId) -> Option<PeerId> {
        let inbound: Vec<_> = rows.iter().filter(|row| !row.outbound).collect();
        let new = inbound.iter().find(|row| row.peer == *newcomer)?;
        let is_new_group = |group: Group| !inbound.iter().any(|row| row.peer != *newcomer && row.group == Some(group));
        // Near peers have no group, and take what is left.
        let is_entitled = new.group.is_none_or(is_new_group);
        let room = if is_entitled { INBOUND_MAX } else { INBOUND_MAX - INBOUND_FOR_NEW_GROUPS };
        if inbound.len() <= room {
            return None;
        }
        let mut left: Vec<_> = inbound.into_iter().filter(|row| row.peer != *newcomer && !row.is_kept).collect();
        self.protect(&mut left);
        let mut of_group: BTreeMap<Option<Group>, Vec<&Row>> = BTreeMap::new();
        for row in left {
            of_group.entry(row.group).or_default().push(row);
        }
        // Of the group with the most, its youngest: an old acquaintance is worth more than a new one.
        let youngest = |rows: &[&Row]| rows.iter().map(|row| row.since).max();
        let crowd = of_group.into_values().max_by_key(|rows| (rows.len(), youngest(rows)));
        let worst = crowd.and_then(|rows| rows.into_iter().max_by_key(|row| (row.since, row.peer)));
        Some(worst.map_or(*newcomer, |row| row.peer))
    }

    /// Takes those out that stand out.
    fn protect(&self, left: &mut Vec<&Row>) {
        // Which groups are kept is this node's secret: who knew it could be there.
        let mark = |group: Group| blake3::keyed_hash(&self.secret, format!("{group:?}").as_bytes());
        let mut groups: Vec<_> = left.iter().filter_map(|row| row.group).collect::<BTreeSet<_>>().into_iter().collect();
        groups.sort_by_key(|group| *mark(*group).as_bytes());
        for group in groups.into_iter().take(KEPT_FOR_GROUP) {
            let of_group = left.iter().enumerate().filter(|(_, row)| row.group == Some(group));
            if let Some((index, _)) = of_group.min_by_key(|(_, row)| row.since) {
                left.swap_remove(index);
            }
        }
        left.sort_by_key(|row| self.latency.get(&row.peer).copied().unwrap_or(Duration::MAX));
        let known = left.iter().take_while(|row| self.latency.contains_key(&row.peer)).count();
        left.drain(..known.min(KEPT_FOR_LATENCY));
        left.sort_by_key(|row| std::cmp::Reverse(self.of(&row.peer)));
        let useful = left.iter().take_while(|row| self.of(&row.peer) > 0).count();
        left.drain(..useful.min(KEPT_FOR_USE));
        left.sort_by_key(|row| row.since);
        left.drain(..left.len().min(KEPT_FOR_AGE));
    }

    /// Connections of this node's own that are too many: those that brought least, and then the youngest.
    pub(super) fn trim(&self, rows: &[Row], now: Instant) -> Vec<PeerId> {
        let outbound: Vec<_> = rows.iter().filter(|row| row.outbound).collect();
        if outbound.len() <= OUTBOUND_HIGH {
            return Vec::new();
        }
        let spare = outbound.len() - OUTBOUND_LOW;
        let mut groups = BTreeMap::new();
        for group in outbound.iter().filter_map(|row| row.group) {
            *groups.entry(group).or_insert(0_usize) += 1;
        }
        let is_settled = |row: &&&Row| now.duration_since(row.since) >= SETTLES && !row.is_kept;
        let mut loose: Vec<_> = outbound.iter().filter(is_settled).collect();
        let crowd = |row: &Row| row.group.and_then(|group| groups.get(&group)).copied().unwrap_or(0);
        loose.sort_by_key(|row| (self.of(&row.peer), std::cmp::Reverse((crowd(row), row.since))));
        loose.into_iter().take(spare).map(|row| row.peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: u8, since: Instant) -> Row {
        Row { peer: PeerId::random(), since, outbound: false, group: Some(Group::V4([198, group])), is_kept: false }
    }

    fn merits(now: Instant) -> Merits {
        Merits::new([1; 32], now)
    }

    #[test]
    fn while_there_is_room_nobody_goes() {
        let now = Instant::now();
        let rows: Vec<_> = (0..72).map(|_| row(1, now)).collect();
        assert_eq!(merits(now).evict(&rows, &rows[71].peer), None);
        let outbound: Vec<_> = rows.iter().map(|row| Row { outbound: true, ..*row }).collect();
        assert_eq!(merits(now).evict(&outbound, &outbound[71].peer), None);
    }

    #[test]
    fn a_quarter_of_the_places_is_for_groups_that_are_not_there_yet() {
        let now = Instant::now();
        let mut rows: Vec<_> = (0..73).map(|at| row(1, now + Duration::from_millis(at))).collect();
        assert!(merits(now).evict(&rows, &rows[72].peer).is_some(), "group 1 has had its share");
        rows.push(row(2, now));
        assert_eq!(merits(now).evict(&rows, &rows[73].peer), None, "group 2 is new");
        rows.extend((3..25).map(|group| row(group, now)));
        assert_eq!(rows.len(), INBOUND_MAX);
        rows.push(row(99, now));
        let evicted = merits(now).evict(&rows, &rows[96].peer).expect("it is full");
        let evicted = rows.iter().find(|row| row.peer == evicted).expect("one of them");
        assert_eq!(evicted.group, Some(Group::V4([198, 1])), "the crowd loses one");
    }

    #[test]
    fn old_useful_quick_and_rare_peers_survive_any_flood() {
        let start = Instant::now();
        let mut merits = merits(start);
        let mut rows: Vec<_> = (0..24).map(|at| row(at, start + Duration::from_secs(u64::from(at)))).collect();
        let friends: BTreeSet<_> = rows.iter().map(|row| row.peer).collect();
        for (at, row) in rows.iter().enumerate() {
            match at {
                8..12 => (0..100).for_each(|_| merits.accepted(row.peer)),
                12..20 => merits.measured(row.peer, Duration::from_millis(5)),
                _ => {}
            }
        }
        // They come from two groups, again and again, are slow and bring little.
        for at in 0..5000_u64 {
            let newcomer = row(100 + (at % 2) as u8, start + Duration::from_secs(100 + at));
            merits.measured(newcomer.peer, Duration::from_millis(50));
            rows.push(newcomer);
            if let Some(evicted) = merits.evict(&rows, &newcomer.peer) {
                rows.retain(|row| row.peer != evicted);
            }
            assert!(rows.len() <= INBOUND_MAX);
        }
        let survivors = rows.iter().filter(|row| friends.contains(&row.peer)).count();
        assert_eq!(survivors, 24);
    }

    #[test]
    fn kept_peers_are_never_evicted_and_then_the_newcomer_goes() {
        let now = Instant::now();
        let mut rows: Vec<_> = (0..96).map(|_| Row { is_kept: true, ..row(1, now) }).collect();
        rows.push(row(2, now));
        assert_eq!(merits(now).evict(&rows, &rows[96].peer), Some(rows[96].peer));
    }

    #[test]
    fn own_connections_are_trimmed_to_the_low_mark_and_the_useful_and_kept_stay() {
        let start = Instant::now();
        let mut merits = merits(start);
        let own = |at: usize| Row { outbound: true, ..row(at as u8, start) };
        let mut rows: Vec<_> = (0..OUTBOUND_HIGH).map(own).collect();
        let later = start + SETTLES;
        assert!(merits.trim(&rows, later).is_empty());
        rows.extend((0..8).map(own));
        rows[0].is_kept = true;
        merits.accepted(rows[1].peer);
        assert!(merits.trim(&rows, start).is_empty(), "they have just begun");
        let trimmed = merits.trim(&rows, later);
        assert_eq!(rows.len() - trimmed.len(), OUTBOUND_LOW);
        assert!(!trimmed.contains(&rows[0].peer) && !trimmed.contains(&rows[1].peer));
    }

    #[test]
    fn use_fades() {
        let start = Instant::now();
        let (mut merits, peer) = (merits(start), PeerId::random());
        merits.accepted(peer);
        merits.fade(start + USE_HALVES / 2);
        assert_eq!(merits.of(&peer), 256);
        merits.fade(start + USE_HALVES);
        assert_eq!(merits.of(&peer), 128);
        merits.gone(&peer);
        assert_eq!(merits.of(&peer), 0);
    }
}
