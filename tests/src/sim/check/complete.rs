//! Completeness is never false: a node that says it equals *m* peers was equal with as many, as far as they didn't lie.

use super::Known;
use roda_protocol::id::SpaceId;

/// What one message says of a set was so at some moment within this time before it came: no answer is older.
const TALK_MS: u64 = 21_000;

/// What a node says of a board.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Claim {
    pub(in crate::sim) node: usize,
    pub(in crate::sim) board: SpaceId,
    pub(in crate::sim) peers_asked: u32,
    pub(in crate::sim) peers_equal: u32,
    /// The comparisons that it speaks of took place from here,
    pub(in crate::sim) first_ms: u64,
    /// to here, virtual milliseconds.
    pub(in crate::sim) last_ms: u64,
    /// Honest nodes that it can have compared with.
    pub(in crate::sim) honest: Vec<usize>,
    /// Hostile ones: they can have said anything.
    pub(in crate::sim) hostile: usize,
}

/// Why a claim can't be true.
pub(in crate::sim) fn doubt(claim: &Claim, known: &Known) -> Option<String> {
    let was_equal = |peer: &&usize| {
        known.talks(claim.node, **peer, claim.first_ms, claim.last_ms).any(|at_ms| {
            let first_ms = at_ms.saturating_sub(TALK_MS);
            let sums = |node| known.sums(node, claim.board, first_ms, at_ms);
            let is_unsure = |node| known.is_unsure(node, first_ms, at_ms);
            is_unsure(claim.node) || is_unsure(**peer) || !sums(claim.node).is_disjoint(&sums(**peer))
        })
    };
    let equal = claim.honest.iter().filter(was_equal).count() + claim.hostile;
    let (node, m, k) = (claim.node, claim.peers_equal as usize, claim.peers_asked as usize);
    if k > claim.honest.len() + claim.hostile {
        return Some(format!("node {node} says that it asked {k} peers and has never met as many"));
    }
    (m > equal || m > k)
        .then(|| format!("node {node} says that it equals {m} of {k} peers; {equal} is all that can be"))
}
