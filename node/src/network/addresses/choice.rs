//! Whom to dial next.
//!
//! Of the world, a *group* is drawn first and then a peer in it, so that a thousand addresses in one group weigh as much as
//! one; and at most one peer of a group is chosen. Half of the draws are from each table: what was reached is likely to
//! be there, and what is new keeps anyone from being stuck with old acquaintances.

use super::tables::number;
use super::{AddressBook, BACKOFF_MAX, BTreeMap, BTreeSet, Entry, Group, Multiaddr, PeerId, Placed, Table, millis};

/// Of the peers that this node chooses, those that may be near ones as long as the world has others: on a local network
/// anyone can pretend to be many.
pub(in super::super) const NEAR_CHOSEN_MAX: usize = 4;

/// A peer to dial, with its addresses.
pub(in super::super) type Candidate = (PeerId, Vec<Multiaddr>);

/// Who is connected or being dialled by this node's choice already.
#[derive(Debug, Default)]
pub(in super::super) struct Chosen {
    pub(in super::super) groups: BTreeSet<Group>,
    pub(in super::super) near: usize,
}

impl AddressBook {
    /// At most `count` peers that are worth dialling now, without those that `skip` names.
    pub(in super::super) fn due(
        &mut self,
        now_ms: u64,
        count: usize,
        mut chosen: Chosen,
        skip: impl Fn(&PeerId) -> bool,
    ) -> Vec<Candidate> {
        if count == 0 {
            return Vec::new();
        }
        let mut picks: Vec<PeerId> = Vec::new();
        for anchor in self.anchors.clone() {
            if picks.len() < count && self.is_choosable(&anchor, now_ms, &chosen, &skip) {
                self.choose(anchor, &mut chosen, &mut picks);
            }
        }
        let far = self.far_due(now_ms, &chosen, &skip);
        let near_max = if far.is_empty() { usize::MAX } else { NEAR_CHOSEN_MAX };
        let mut near: Vec<_> = self
            .near
            .iter()
            .filter(|(peer, page)| !picks.contains(peer) && self.is_due(peer, page, now_ms) && !skip(peer))
            .collect();
        near.sort_by_key(|(_, page)| (page.failures, std::cmp::Reverse(page.reached_ms)));
        let near: Vec<_> = near.into_iter().map(|(peer, _)| *peer).collect();
        for peer in near {
            if picks.len() < count && chosen.near < near_max {
                self.choose(peer, &mut chosen, &mut picks);
            }
        }
        while picks.len() < count {
            let not_picked = |peer: &PeerId| skip(peer) || picks.contains(peer);
            let Some(peer) = self.draw(None, now_ms, &chosen, &not_picked) else { break };
            self.choose(peer, &mut chosen, &mut picks);
        }
        picks.into_iter().map(|peer| (peer, self.addresses_of(&peer))).collect()
    }

    /// One peer to try for a moment: one that is in a newcomer's way, or a new one.
    pub(in super::super) fn feeler(&mut self, now_ms: u64, skip: impl Fn(&PeerId) -> bool) -> Option<Candidate> {
        let waits = self.challenges.iter().map(|(holder, ..)| *holder);
        let tested = waits.into_iter().find(|holder| {
            self.world.get(holder).is_some_and(|placed| self.is_due(holder, &placed.entry, now_ms)) && !skip(holder)
        });
        let peer = tested.or_else(|| self.draw(Some(Table::New), now_ms, &Chosen::default(), &skip))?;
        Some((peer, self.addresses_of(&peer)))
    }

    /// Where to dial a peer, if it may be dialled now.
    pub(in super::super) fn addresses_if_due(&self, peer: &PeerId, now_ms: u64) -> Option<Vec<Multiaddr>> {
        self.pages(peer).next().is_some_and(|page| self.is_due(peer, page, now_ms)).then(|| self.addresses_of(peer))
    }

    fn addresses_of(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.pages(peer).flat_map(|page| &page.addresses).map(|known| known.address.clone()).collect()
    }

    fn choose(&self, peer: PeerId, chosen: &mut Chosen, picks: &mut Vec<PeerId>) {
        match self.world.get(&peer) {
            Some(placed) if !self.near.contains_key(&peer) => drop(chosen.groups.insert(placed.group)),
            _ => chosen.near += 1,
        }
        picks.push(peer);
    }

    fn is_due(&self, peer: &PeerId, page: &Entry, now_ms: u64) -> bool {
        // A clock that was set back must not make a peer wait longer than the longest pause.
        let waits = page.next_ms > now_ms && page.next_ms <= now_ms.saturating_add(millis(BACKOFF_MAX));
        !waits && self.shunned.get(peer).is_none_or(|until_ms| *until_ms <= now_ms)
    }

    fn is_choosable(&self, peer: &PeerId, now_ms: u64, chosen: &Chosen, skip: &impl Fn(&PeerId) -> bool) -> bool {
        let is_free = self.world.get(peer).is_none_or(|placed| !chosen.groups.contains(&placed.group));
        is_free && !skip(peer) && self.pages(peer).next().is_some_and(|page| self.is_due(peer, page, now_ms))
    }

    /// Peers of the world alone that may be dialled.
    fn far_due(&self, now_ms: u64, chosen: &Chosen, skip: &impl Fn(&PeerId) -> bool) -> Vec<(PeerId, Table, Group)> {
        let is_choosable = |(peer, placed): &(&PeerId, &Placed)| {
            !self.near.contains_key(*peer)
                && !chosen.groups.contains(&placed.group)
                && self.is_due(peer, &placed.entry, now_ms)
                && !skip(peer)
        };
        let due = self.world.iter().filter(is_choosable);
        due.map(|(peer, placed)| (*peer, placed.slot.table, placed.group)).collect()
    }

    fn draw(
        &mut self,
        table: Option<Table>,
        now_ms: u64,
        chosen: &Chosen,
        skip: &impl Fn(&PeerId) -> bool,
    ) -> Option<PeerId> {
        let due = self.far_due(now_ms, chosen, skip);
        let is_in = |table: Table| due.iter().any(|(_, other, _)| *other == table);
        let drawn = if self.number(now_ms).is_multiple_of(2) { Table::New } else { Table::Tried };
        let table = match table {
            Some(table) => table,
            None if is_in(drawn) => drawn,
            None if drawn == Table::New => Table::Tried,
            None => Table::New,
        };
        let mut groups: BTreeMap<Group, Vec<PeerId>> = BTreeMap::new();
        for (peer, _, group) in due.into_iter().filter(|(_, other, _)| *other == table) {
            groups.entry(group).or_default().push(peer);
        }
        let of_group = self.pick(groups.into_values().collect(), now_ms)?;
        self.pick(of_group, now_ms)
    }

    fn pick<T>(&mut self, mut from: Vec<T>, now_ms: u64) -> Option<T> {
        let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
        let index = usize::try_from(self.number(now_ms) % count).expect("it is below a length");
        Some(from.swap_remove(index))
    }

    fn number(&mut self, now_ms: u64) -> u64 {
        self.draws += 1;
        number(&self.seed, b"draw", &[&self.draws.to_le_bytes(), &now_ms.to_le_bytes()])
    }
}
