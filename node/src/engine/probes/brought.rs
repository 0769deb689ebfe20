//! What gossip brought within the last hour, and which peers have it.
//!
//! A sample, not a record: of what comes in a minute each event has the same chance to be kept, so that a flood makes the
//! table no larger, and takes from the others no more than its part.

use super::{FRESH_MS, MessageName, OTHERS_MIN, SAMPLE_MAX, SETTLED_MS};
use crate::engine::random::Random;
use crate::peer::Peer;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::time::Now;
use std::collections::{BTreeMap, BTreeSet};

/// Events of one minute that are kept: 976 in all, several samples for each of a few boards.
const MINUTE_MAX: usize = 16;

const MINUTE_MS: u64 = 60_000;

/// Peers that are noted to have brought an event, and peers that have given it: more than a mesh has, and than are probed
/// within an hour on most nodes. Whoever is not noted is asked again.
const PEERS_MAX: usize = 32;

#[derive(Debug)]
struct Row {
    id: EventId,
    space: SpaceId,
    created_ms: u64,
    came_ms: u64,
    /// Peers that brought a copy.
    by: BTreeSet<Peer>,
    /// Peers that gave it when they were asked.
    shown: BTreeSet<Peer>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Brought {
    rows: BTreeMap<MessageName, Row>,
    /// When the present minute began, how much came in it, and what of that is kept.
    minute: (u64, u64, Vec<MessageName>),
}

impl Brought {
    /// A message brought a new event: its id, its space, and when it says that it was written.
    pub(super) fn came(
        &mut self,
        name: MessageName,
        (id, space, created_ms): (EventId, SpaceId, u64),
        peer: &Peer,
        random: &mut Random,
        now: Now,
    ) {
        let (began_ms, ..) = self.minute;
        if began_ms + MINUTE_MS <= now.steady_ms {
            self.minute = (now.steady_ms, 0, Vec::new());
            self.rows.retain(|_, row| row.came_ms + FRESH_MS > now.steady_ms);
        }
        let (_, count, kept) = &mut self.minute;
        *count += 1;
        if kept.len() < MINUTE_MAX {
            kept.push(name);
        } else {
            let place = usize::try_from(random.below(*count)).unwrap_or(usize::MAX);
            let Some(other) = kept.get_mut(place) else { return };
            self.rows.remove(&std::mem::replace(other, name));
        }
        let (by, shown) = (BTreeSet::from([peer.clone()]), BTreeSet::new());
        self.rows.insert(name, Row { id, space, created_ms, came_ms: now.steady_ms, by, shown });
    }

    /// A copy of a message came. Of one that is not kept nothing is noted.
    pub(super) fn copy_came(&mut self, peer: &Peer, name: &MessageName) {
        if let Some(row) = self.rows.get_mut(name)
            && row.by.len() < PEERS_MAX
        {
            row.by.insert(peer.clone());
        }
    }

    /// A peer gave an event.
    pub(super) fn shown(&mut self, peer: &Peer, id: &EventId) {
        for row in self.rows.values_mut().filter(|row| row.id == *id && row.shown.len() < PEERS_MAX) {
            row.shown.insert(peer.clone());
        }
    }

    pub(super) fn forget_space(&mut self, space: SpaceId) {
        self.rows.retain(|_, row| row.space != space);
    }

    /// A sample of what the peer has to know, being on the topics of these boards since then: how much of it the peer has
    /// shown to have, and of what it is to be asked.
    pub(super) fn sample(
        &self,
        peer: &Peer,
        since_ms: impl Fn(SpaceId) -> Option<u64>,
        random: &mut Random,
        now: Now,
    ) -> (usize, BTreeMap<SpaceId, Vec<EventId>>) {
        let is_due = |row: &&Row| {
            let age_ms = now.steady_ms.saturating_sub(row.came_ms);
            (SETTLED_MS..FRESH_MS).contains(&age_ms)
                && row.created_ms.saturating_add(SETTLED_MS) <= now.wall_ms
                && row.by.iter().filter(|by| *by != peer).count() >= OTHERS_MIN
                && since_ms(row.space).is_some_and(|since_ms| since_ms <= row.came_ms)
        };
        let mut due: Vec<&Row> = self.rows.values().filter(is_due).collect();
        let (mut has, mut open) = (0, BTreeMap::<SpaceId, Vec<EventId>>::new());
        for _ in 0..SAMPLE_MAX.min(due.len()) {
            let row = due.swap_remove(usize::try_from(random.below(due.len() as u64)).unwrap_or(0));
            if row.by.contains(peer) || row.shown.contains(peer) {
                has += 1;
            } else {
                open.entry(row.space).or_default().push(row.id);
            }
        }
        (has, open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: SpaceId = SpaceId([1; 32]);

    fn at(steady_ms: u64) -> Now {
        Now { wall_ms: 1_000_000_000 + steady_ms, steady_ms }
    }

    fn name(number: u64) -> MessageName {
        let mut name = [0; 20];
        name[..8].copy_from_slice(&number.to_le_bytes());
        name
    }

    fn event(number: u64, now: Now) -> (EventId, SpaceId, u64) {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        (EventId(id), BOARD, now.wall_ms)
    }

    /// A table with so many events, each brought by as many peers as are named.
    fn table(events: u64, by: &[&str]) -> (Brought, Random) {
        let (mut brought, mut random) = (Brought::default(), Random::new([1; 32]));
        for number in 0..events {
            let now = at(number * MINUTE_MS / 10);
            brought.came(name(number), event(number, now), &Peer::new(by[0]), &mut random, now);
            by[1..].iter().for_each(|peer| brought.copy_came(&Peer::new(peer), &name(number)));
        }
        (brought, random)
    }

    /// What a peer has, and what it is to be asked for.
    fn sample(table: &mut (Brought, Random), peer: &str, since_ms: u64, now: Now) -> (usize, usize) {
        let (brought, random) = table;
        let (has, open) = brought.sample(&Peer::new(peer), |space| (space == BOARD).then_some(since_ms), random, now);
        (has, open.values().map(Vec::len).sum())
    }

    #[test]
    fn only_what_three_others_brought_long_enough_ago_is_asked_for() {
        let mut table = table(20, &["a", "b", "c"]);
        assert_eq!(sample(&mut table, "d", 0, at(SETTLED_MS - 1)), (0, 0));
        assert_eq!(sample(&mut table, "d", 0, at(SETTLED_MS)), (0, 1));
        assert_eq!(sample(&mut table, "d", 0, at(2 * SETTLED_MS)), (0, 20));
        assert_eq!(sample(&mut table, "c", 0, at(2 * SETTLED_MS)), (0, 0), "only two others brought it");
        assert_eq!(sample(&mut table, "d", 0, at(FRESH_MS + 2 * MINUTE_MS)), (0, 0), "too long ago");
    }

    #[test]
    fn who_joined_later_follows_something_else_or_may_think_it_the_future_is_not_asked() {
        let mut table = table(20, &["a", "b", "c"]);
        let now = at(2 * SETTLED_MS);
        assert_eq!(sample(&mut table, "d", 10 * MINUTE_MS / 10, now), (0, 10));
        let other = table.0.sample(&Peer::new("d"), |_| None, &mut table.1, now);
        assert_eq!(other, (0, BTreeMap::new()));
        let early = Now { wall_ms: 1_000_000_000 + SETTLED_MS - 1, ..now };
        assert_eq!(sample(&mut table, "d", 0, early), (0, 0));
    }

    #[test]
    fn who_brought_a_copy_or_gave_it_has_it() {
        let mut table = table(40, &["a", "b", "c", "d"]);
        let now = at(2 * SETTLED_MS);
        assert_eq!(sample(&mut table, "d", 0, now), (SAMPLE_MAX, 0));
        (0..40).for_each(|number| table.0.shown(&Peer::new("e"), &event(number, now).0));
        assert_eq!(sample(&mut table, "e", 0, now), (SAMPLE_MAX, 0));
        assert_eq!(sample(&mut table, "f", 0, now), (0, SAMPLE_MAX));
    }

    #[test]
    fn a_flood_is_sampled_and_every_part_of_it_has_the_same_chance() {
        let (mut brought, mut random, peer) = (Brought::default(), Random::new([1; 32]), Peer::new("a"));
        let per_minute = 1000;
        for number in 0..120 * per_minute {
            let now = at(number * MINUTE_MS / per_minute);
            brought.came(name(number), event(number, now), &peer, &mut random, now);
        }
        let hour = usize::try_from(FRESH_MS / MINUTE_MS).expect("a small number");
        assert!(brought.rows.len() <= (hour + 1) * MINUTE_MAX, "{}", brought.rows.len());
        let half = |row: &&Row| row.came_ms % MINUTE_MS < MINUTE_MS / 2;
        let first = brought.rows.values().filter(half).count();
        assert!((brought.rows.len() * 2 / 5..brought.rows.len() * 3 / 5).contains(&first), "{first}");
    }

    #[test]
    fn a_board_that_is_followed_no_more_is_forgotten() {
        let mut table = table(20, &["a", "b", "c"]);
        table.0.forget_space(BOARD);
        assert_eq!(sample(&mut table, "d", 0, at(2 * SETTLED_MS)), (0, 0));
    }
}
