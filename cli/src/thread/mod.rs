//! A thread as the node lists it, flat and in reading order, and the two ways to show it.
//!
//! A thread can be as deep as the network allows, so nothing here recurses.

pub(crate) mod nested;
pub(crate) mod tree;

use roda_node::api::dto::ThreadNode;

/// A node of the thread at the place where it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// What stands there.
    pub(crate) node: &'a ThreadNode,
    /// 0 for the post; never more than one deeper than the place before.
    pub(crate) depth: usize,
    /// Nodes below that are left out.
    pub(crate) more: usize,
}

/// The places of a thread down to `depth_max` (0: the post alone).
#[must_use]
pub(crate) fn places(nodes: &[ThreadNode], depth_max: Option<usize>) -> Vec<Place<'_>> {
    let mut places: Vec<Place<'_>> = Vec::with_capacity(nodes.len());
    let mut before: Option<usize> = None;
    for node in nodes {
        let depth = before.map_or(0, |before| usize::from(node.depth).clamp(1, before + 1));
        before = Some(depth);
        if depth_max.is_some_and(|depth_max| depth > depth_max) {
            // The last place is the ancestor at which the thread was cut: only its other descendants stand between.
            if let Some(last) = places.last_mut() {
                last.more += 1;
            }
            continue;
        }
        places.push(Place { node, depth, more: 0 });
    }
    places
}

#[cfg(test)]
pub(crate) mod samples {
    use roda_node::api::dto::{Completeness, ThreadNode, ThreadPage, Votes};

    /// A node with the facts that matter to a test.
    pub(crate) fn node(id: &str, depth: u16, text: &str) -> ThreadNode {
        ThreadNode {
            id: id.repeat(64 / id.len()),
            parent: None,
            depth,
            missing: false,
            author: format!("@{}", "k".repeat(52)),
            name: Some("ann".into()),
            look_alike: false,
            title: if depth == 0 { "A title".into() } else { String::new() },
            text: text.into(),
            link: None,
            tags: Vec::new(),
            created_ms: 1_000,
            edited: None,
            retracted: false,
            hidden: None,
            votes: Votes { up: 0, down: 0 },
            unread: false,
            mine: false,
            below: None,
            more: None,
        }
    }

    /// A place whose event is not here.
    pub(crate) fn hole(id: &str, depth: u16) -> ThreadNode {
        ThreadNode { missing: true, author: String::new(), name: None, created_ms: 0, ..node(id, depth, "") }
    }

    /// A page of these nodes.
    pub(crate) fn page(nodes: Vec<ThreadNode>) -> ThreadPage {
        let missing = nodes.iter().filter(|node| node.missing).map(|node| node.id.clone()).collect();
        let held = nodes.iter().filter(|node| !node.missing).count() as u64;
        let root = nodes.first().map(|node| node.id.clone()).unwrap_or_default();
        ThreadPage {
            board: "b".repeat(64),
            board_name: "rust".into(),
            board_look_alike: false,
            asked: root.clone(),
            root,
            nodes,
            rule: None,
            completeness: Completeness {
                held,
                declined: 0,
                missing,
                peers_equal: 2,
                peers_asked: 3,
                checked_ms: 60_000,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::node;
    use super::*;

    #[test]
    fn a_cut_counts_everything_below_it_at_the_place_where_it_is() {
        let depths = [0, 1, 2, 3, 2, 1, 2, 1];
        let nodes: Vec<_> = depths.iter().map(|depth| node("a", *depth, "")).collect();
        let shown: Vec<_> = places(&nodes, Some(1)).iter().map(|place| (place.depth, place.more)).collect();
        assert_eq!(shown, [(0, 0), (1, 3), (1, 1), (1, 0)]);
        let post: Vec<_> = places(&nodes, Some(0)).iter().map(|place| (place.depth, place.more)).collect();
        assert_eq!(post, [(0, 7)]);
        assert_eq!(places(&nodes, None).len(), depths.len());
    }

    #[test]
    fn a_depth_that_jumps_hangs_below_the_place_before() {
        let nodes: Vec<_> = [0, 5, 0].iter().map(|depth| node("a", *depth, "")).collect();
        let depths: Vec<_> = places(&nodes, None).iter().map(|place| place.depth).collect();
        assert_eq!(depths, [0, 1, 1]);
    }
}
