//! Nothing that was acknowledged is lost, and every node starts again.

use super::Findings;
use roda_protocol::id::EventId;
use std::collections::BTreeSet;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::sim) struct Durable {
    acknowledged: BTreeSet<(usize, EventId)>,
    pub(super) found: Findings,
}

impl Durable {
    /// A node said that an own event is stored.
    pub(in crate::sim) fn acknowledged(&mut self, at: usize, id: EventId) {
        self.acknowledged.insert((at, id));
    }

    /// The node came up again and `holds` so much.
    pub(in crate::sim) fn check(&mut self, at: usize, holds: impl Fn(&EventId) -> bool, at_ms: u64) {
        let own = self.acknowledged.range((at, EventId([0; 32]))..=(at, EventId([255; 32])));
        for (_, id) in own.filter(|(_, id)| !holds(id)) {
            self.found.add("durable", at_ms, format!("node {at} acknowledged {id} and has lost it"));
        }
    }

    pub(in crate::sim) fn no_start(&mut self, at: usize, error: &str, at_ms: u64) {
        self.found.add("durable", at_ms, format!("node {at} does not start: {error}"));
    }
}
