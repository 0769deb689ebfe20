//! Honest nodes are never punished by honest nodes, and give no reason to.

use super::Findings;
use std::collections::BTreeSet;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::sim) struct Conduct {
    pub(super) found: Findings,
    marked: BTreeSet<usize>,
}

impl Conduct {
    /// An honest node bans another.
    pub(in crate::sim) fn banned(&mut self, by: usize, whom: usize, is_hostile: bool, reason: &str, at_ms: u64) {
        if !is_hostile {
            self.found.add("conduct", at_ms, format!("node {by} bans the honest node {whom}, which \"{reason}\""));
        }
    }

    /// An honest node takes points from another because it lacks what others bring.
    pub(in crate::sim) fn marked(&mut self, by: usize, whom: usize, is_hostile: bool, at_ms: u64) {
        if is_hostile {
            self.marked.insert(whom);
        } else {
            let what = format!("node {by} takes points from the honest node {whom}");
            self.found.add("conduct", at_ms, what);
        }
    }

    /// Hostile nodes that lost points so.
    pub(in crate::sim) fn marked_hostile(&self) -> usize {
        self.marked.len()
    }

    /// An honest node passes a forgery on.
    pub(in crate::sim) fn relayed(&mut self, by: usize, why: &str, at_ms: u64) {
        self.found.add("conduct", at_ms, format!("node {by} relays a message that it should reject: {why}"));
    }

    /// An honest node found a message of another invalid.
    pub(in crate::sim) fn rejected(&mut self, by: usize, whom: usize, is_hostile: bool, at_ms: u64) {
        if !is_hostile {
            let what = format!("node {by} rejects a message that the honest node {whom} relayed");
            self.found.add("conduct", at_ms, what);
        }
    }
}
