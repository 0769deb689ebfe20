//! Convergence: honest nodes have the same sets and the same digests.

use roda_protocol::id::EventId;
use std::collections::BTreeSet;

/// How two nodes' sets differ, in words; `None`: they don't.
pub(in crate::sim) fn disagreement(sets: &[(usize, BTreeSet<EventId>)]) -> Option<String> {
    let all: BTreeSet<EventId> = sets.iter().flat_map(|(_, set)| set.iter().copied()).collect();
    let lacking: Vec<String> = sets
        .iter()
        .filter(|(_, set)| set.len() < all.len())
        .map(|(node, set)| {
            let first = all.difference(set).next().map(EventId::to_string).unwrap_or_default();
            format!("node {node} lacks {} of {}, {first} for one", all.len() - set.len(), all.len())
        })
        .collect();
    if lacking.is_empty() { None } else { Some(lacking.join("; ")) }
}
