//! Depth of events: 1 + the greatest depth among the refs that are at hand.

use crate::id::EventId;
use std::collections::BTreeMap;

/// The depth of every event of a set, given its refs. A ref outside the set counts as absent.
///
/// Iterative: a chain of any length needs no stack. Ids are hashes over refs, so real sets have no cycle; in a made-up
/// one, the ref that closes the cycle counts as absent.
#[must_use]
pub fn depths<'a>(refs: &BTreeMap<EventId, &'a [EventId]>) -> BTreeMap<EventId, u64> {
    let mut done: BTreeMap<EventId, u64> = BTreeMap::new();
    let mut open: BTreeMap<EventId, ()> = BTreeMap::new();
    for &start in refs.keys() {
        if done.contains_key(&start) {
            continue;
        }
        let mut stack: Vec<(EventId, &'a [EventId], u64)> = vec![(start, refs[&start], 0)];
        open.insert(start, ());
        while let Some((id, rest, deepest)) = stack.pop() {
            let Some((&next, rest)) = rest.split_first() else {
                open.remove(&id);
                done.insert(id, deepest + 1);
                if let Some((_, _, above)) = stack.last_mut() {
                    *above = (*above).max(deepest + 1);
                }
                continue;
            };
            let known = done.get(&next).copied();
            stack.push((id, rest, deepest.max(known.unwrap_or(0))));
            if known.is_none()
                && !open.contains_key(&next)
                && let Some(below) = refs.get(&next)
            {
                open.insert(next, ());
                stack.push((next, below, 0));
            }
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> EventId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        EventId(bytes)
    }

    #[test]
    fn depth_counts_the_longest_way_and_ignores_what_is_absent() {
        let sets = [(id(1), vec![id(9)]), (id(2), vec![id(1)]), (id(3), vec![id(1), id(2)])];
        let refs = sets.iter().map(|(id, refs)| (*id, refs.as_slice())).collect();
        let depths = depths(&refs);
        assert_eq!([depths[&id(1)], depths[&id(2)], depths[&id(3)]], [1, 2, 3]);
    }

    #[test]
    fn a_chain_of_a_million_needs_no_stack() {
        let chain: Vec<(EventId, Vec<EventId>)> =
            (0..1_000_000).map(|number| (id(number), vec![id(number + 1)])).collect();
        let refs = chain.iter().map(|(id, refs)| (*id, refs.as_slice())).collect();
        assert_eq!(depths(&refs)[&id(0)], 1_000_000);
    }
}
