//! Which node knew what, and when: from what was on its disk at each start, and from the news that it told since.

use roda_node::engine::Notice;
use roda_protocol::id::{EventId, SpaceId};
use std::collections::{BTreeMap, BTreeSet};

/// A fingerprint of a set: the sum of its members' ids. Good enough among events that a simulation makes.
pub(in crate::sim) type Sum = u128;

/// What one node knows of one board.
#[derive(Debug, Default)]
struct Set {
    ids: BTreeSet<EventId>,
    sum: Sum,
    /// From when on the set had which sum.
    history: Vec<(u64, Sum)>,
}

impl Set {
    fn insert(&mut self, id: EventId) {
        let [low, ..] = id.0.as_chunks::<16>().0 else { return };
        if self.ids.insert(id) {
            self.sum = self.sum.wrapping_add(u128::from_le_bytes(*low));
        }
    }

    fn note(&mut self, at_ms: u64) {
        self.history.push((at_ms, self.sum));
    }
}

/// See the module.
#[derive(Debug)]
pub(in crate::sim) struct Known {
    nodes: Vec<BTreeMap<SpaceId, Set>>,
    /// When a request or an answer came, by who got it and who sent it.
    talks: BTreeMap<(usize, usize), Vec<u64>>,
    /// From and until when a node's disk was broken: it can have stored what it never told.
    unsure: BTreeMap<usize, Vec<(u64, u64)>>,
}

impl Known {
    pub(in crate::sim) fn new(nodes: usize) -> Self {
        Self { nodes: (0..nodes).map(|_| BTreeMap::new()).collect(), talks: BTreeMap::new(), unsure: BTreeMap::new() }
    }

    /// A request or an answer came.
    pub(in crate::sim) fn talked(&mut self, to: usize, from: usize, at_ms: u64) {
        self.talks.entry((to, from)).or_default().push(at_ms);
    }

    /// When something came to one node from another, from `first_ms` to `last_ms`.
    pub(in crate::sim) fn talks(
        &self,
        to: usize,
        from: usize,
        first_ms: u64,
        last_ms: u64,
    ) -> impl Iterator<Item = u64> + '_ {
        let all = self.talks.get(&(to, from)).into_iter().flatten().copied();
        all.filter(move |at_ms| (first_ms..=last_ms).contains(at_ms))
    }

    /// A node started, and this is what it has of a board.
    pub(in crate::sim) fn found(&mut self, at: usize, board: SpaceId, ids: &[EventId], at_ms: u64) {
        let set = self.nodes[at].entry(board).or_default();
        (set.ids, set.sum) = (BTreeSet::new(), 0);
        ids.iter().for_each(|id| set.insert(*id));
        set.note(at_ms);
        for (_, until_ms) in self.unsure.entry(at).or_default() {
            *until_ms = (*until_ms).min(at_ms);
        }
    }

    /// A node's disk has failed.
    pub(in crate::sim) fn broke(&mut self, at: usize, at_ms: u64) {
        self.unsure.entry(at).or_default().push((at_ms, u64::MAX));
    }

    /// Whether it can have stored, at any time from `first_ms` to `last_ms`, what it never told.
    pub(in crate::sim) fn is_unsure(&self, at: usize, first_ms: u64, last_ms: u64) -> bool {
        let mut times = self.unsure.get(&at).into_iter().flatten();
        times.any(|(from_ms, until_ms)| *from_ms <= last_ms && first_ms <= *until_ms)
    }

    /// A node told news.
    pub(in crate::sim) fn told(&mut self, at: usize, notice: &Notice, at_ms: u64) {
        if let Notice::Judged { event, .. } = notice {
            let set = self.nodes[at].entry(event.space).or_default();
            set.insert(event.id);
            set.note(at_ms);
        }
    }

    pub(in crate::sim) fn ids(&self, at: usize, board: SpaceId) -> BTreeSet<EventId> {
        self.nodes[at].get(&board).map(|set| set.ids.clone()).unwrap_or_default()
    }

    pub(in crate::sim) fn knows(&self, at: usize, id: &EventId) -> bool {
        self.nodes[at].values().any(|set| set.ids.contains(id))
    }

    pub(in crate::sim) fn sum(&self, at: usize, board: SpaceId) -> Sum {
        self.nodes[at].get(&board).map_or(0, |set| set.sum)
    }

    pub(in crate::sim) fn total(&self, at: usize) -> usize {
        self.nodes[at].values().map(|set| set.ids.len()).sum()
    }

    /// The sums that a node's set had at any time from `first_ms` to `last_ms`.
    pub(in crate::sim) fn sums(&self, at: usize, board: SpaceId, first_ms: u64, last_ms: u64) -> BTreeSet<Sum> {
        let Some(set) = self.nodes[at].get(&board) else { return [0].into() };
        let begins = set.history.partition_point(|(at_ms, _)| *at_ms < first_ms);
        let ends = set.history.partition_point(|(at_ms, _)| *at_ms <= last_ms);
        let before = begins.checked_sub(1).map_or(0, |at| set.history[at].1);
        set.history[begins..ends].iter().map(|(_, sum)| *sum).chain([before]).collect()
    }
}
