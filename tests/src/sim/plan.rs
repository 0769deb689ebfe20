//! What is to happen, in order of time; at the same time, in the order of planning.

use roda_node::engine::Input;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Event {
    /// A node starts, for the first time or again.
    Start { node: usize },
    /// A node leaves in order.
    Leave { node: usize },
    /// A node loses power.
    Crash { node: usize },
    /// Time passes for a node.
    Tick { node: usize, incarnation: u64 },
    /// Something for a node of this very incarnation, over no link.
    Input { node: usize, incarnation: u64, input: Input },
    /// A link's dialler tries.
    Dial { link: usize },
    /// A link that has been cut for so long is given up, if it still is.
    PingCheck { link: usize, blocked_since_ms: u64 },
    /// A message of gossip arrives.
    Gossip { from: usize, to: usize, connection: u64, topic: Arc<str>, bytes: Arc<[u8]> },
    /// A request arrives.
    Ask { call: u64, body: Vec<u8> },
    /// Its answer arrives.
    Answer { call: u64, body: Vec<u8> },
    /// Its patience ends.
    Timeout { call: u64 },
    /// Somebody at a node writes.
    Write { node: usize },
    /// The network falls in two; with `one_way` the second half still hears the first.
    Cut { cut: usize },
    /// It is whole again.
    Heal { cut: usize },
    /// Messages of a link are late until then.
    Clog { link: usize, until_ms: u64 },
    /// The nth next operation of a node's disk fails; in a power cut everything of that moment is lost with it.
    BreakDisk { node: usize, nth: u64, of_index: bool, is_power_cut: bool },
    /// A node's index is found gone at its next start.
    LoseIndex { node: usize },
    /// Every fault and all writing end.
    Quiet,
    /// The observers look.
    Look,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Plan {
    events: BTreeMap<(u64, u64), Event>,
    planned: u64,
}

impl Plan {
    pub(super) fn at(&mut self, ms: u64, event: Event) {
        self.planned += 1;
        self.events.insert((ms, self.planned), event);
    }

    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        self.events.pop_first().map(|((ms, _), event)| (ms, event))
    }
}
