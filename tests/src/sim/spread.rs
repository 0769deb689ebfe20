//! Gossip as its engine sees it: a message comes once, is judged, and only then goes on to a few others.
//!
//! What the real network mends by announcing messages to those who missed them is left out: comparison has to do it.

use super::check::forgery;
use super::node::Message;
use super::plan::Event;
use super::world::World;
use roda_node::engine::{Delivery, Input, Judgement, Publication, TICK_MS, Token};
use roda_protocol::event::Signed;
use roda_protocol::gossip::message_id;
use roda_protocol::limits::EVENT_BYTES_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Peers that a message is passed on to at most.
const MESH_MAX: usize = 8;

/// Invalid messages after which nothing more is taken from a peer: the score's weights lead to this.
const REJECTED_MAX: u32 = 16;

/// Messages on their way over one connection; what does not fit is dropped, and the sender hears that the peer is slow.
/// The network's own queue is of 256; this one is short enough for a link that is clogged to fill it.
const QUEUE_MAX: usize = 16;

/// Messages that a node takes in within [`TICK_MS`]; it hears that more have been dropped. The network has room for
/// thousands; this is little enough for a flood to fill it.
const TAKEN_MAX: usize = 32;

/// Messages on their way, by sender and connection.
pub(super) type Queues = BTreeMap<(usize, u64), usize>;

impl World {
    /// A node publishes.
    pub(super) fn publish(&mut self, from: usize, topic: &str, bytes: Vec<u8>, token: Token) {
        self.checks.bounds.size("bytes of a publication", from, bytes.len(), EVENT_BYTES_MAX, self.now_ms);
        let is_first = self.nodes[from].running.as_mut().is_some_and(|running| running.is_first(&bytes));
        let to = self.listeners(from, topic);
        let outcome = match (is_first, to.is_empty()) {
            (false, _) => Publication::Lost,
            (true, true) => Publication::NoPeers,
            (true, false) => Publication::Sent,
        };
        let incarnation = self.nodes[from].incarnation;
        self.plan.at(self.now_ms, Event::Input { node: from, incarnation, input: Input::Published { token, outcome } });
        if is_first {
            let (topic, bytes): (Arc<str>, Arc<[u8]>) = (topic.into(), bytes.into());
            to.into_iter().for_each(|to| self.pass(from, to, &topic, &bytes));
        }
    }

    /// Connected nodes that listen to a topic, in any order.
    fn listeners(&mut self, at: usize, topic: &str) -> Vec<usize> {
        let listens =
            |node: &usize| self.nodes[*node].running.as_ref().is_some_and(|running| running.topics.contains(topic));
        let mut nodes: Vec<usize> = self.links.neighbours(at).into_iter().filter(listens).collect();
        self.chance.shuffle(&mut nodes);
        nodes
    }

    fn pass(&mut self, from: usize, to: usize, topic: &Arc<str>, bytes: &Arc<[u8]>) {
        let kept = self.with_hostile(from, |hostile, hand| hostile.relays(to, bytes, hand));
        let bytes: Arc<[u8]> = match kept {
            None => Arc::clone(bytes),
            Some(None) => return,
            Some(Some(other)) => other.into(),
        };
        self.send_gossip(from, to, topic, &bytes);
    }

    /// Puts a message on its way, once or twice.
    pub(super) fn send_gossip(&mut self, from: usize, to: usize, topic: &Arc<str>, bytes: &Arc<[u8]>) {
        let Some(connection) = self.links.connection(from, to) else { return };
        let copies = 1 + usize::from(self.chance.is(self.weather.duplicates));
        for _ in 0..copies {
            let queued = self.queues.entry((from, connection)).or_default();
            if *queued >= QUEUE_MAX {
                let (peer, incarnation) = (self.nodes[to].peer.clone(), self.nodes[from].incarnation);
                let input = Input::Slow { peer };
                return self.plan.at(self.now_ms, Event::Input { node: from, incarnation, input });
            }
            if let Some(ms) = self.way(from, to, self.weather.gossip_loss) {
                *self.queues.entry((from, connection)).or_default() += 1;
                let (topic, bytes) = (Arc::clone(topic), Arc::clone(bytes));
                self.plan.at(self.now_ms + ms, Event::Gossip { from, to, connection, topic, bytes });
            }
        }
    }

    /// A message arrives.
    pub(super) fn gossiped(&mut self, from: usize, to: usize, connection: u64, topic: Arc<str>, bytes: Arc<[u8]>) {
        if let Some(queued) = self.queues.get_mut(&(from, connection)) {
            *queued -= 1;
            if *queued == 0 {
                self.queues.remove(&(from, connection));
            }
        }
        if self.links.connection(from, to) != Some(connection) {
            return;
        }
        let peer = self.nodes[from].peer.clone();
        let Some(running) = &mut self.nodes[to].running else { return };
        let is_graylisted = running.rejected.get(&from).is_some_and(|rejected| *rejected >= REJECTED_MAX);
        let is_wanted = !is_graylisted && running.topics.contains(&*topic);
        if !is_wanted {
            return;
        }
        if !running.is_first(&bytes) {
            running.copies.push((peer, message_id(&bytes)));
            return;
        }
        // What is dropped here counts as seen: nobody sends it again.
        if !running.takes(self.now_ms / TICK_MS, TAKEN_MAX) {
            return;
        }
        let delivery = running.name();
        self.trace.note(self.now_ms, "gossip", from, to, &bytes);
        if self.with_hostile(to, |hostile, hand| hostile.hears(&topic, &bytes, hand)) == Some(false) {
            return;
        }
        let Some(running) = &mut self.nodes[to].running else { return };
        running.deliveries.insert(delivery, Message { from, topic: Arc::clone(&topic), bytes: Arc::clone(&bytes) });
        let input = Input::Gossip { peer, topic: topic.to_string(), bytes: bytes.to_vec(), delivery };
        self.feed(to, vec![input]);
    }

    /// A node has judged a message.
    pub(super) fn judged(&mut self, at: usize, delivery: Delivery, judgement: Judgement) {
        let Some(running) = &mut self.nodes[at].running else { return };
        let Some(message) = running.deliveries.remove(&delivery) else { return };
        match judgement {
            Judgement::Ignore => {}
            Judgement::Reject => {
                *running.rejected.entry(message.from).or_default() += 1;
                if !self.nodes[at].is_hostile() {
                    let is_hostile = self.nodes[message.from].is_hostile();
                    self.checks.conduct.rejected(at, message.from, is_hostile, self.now_ms);
                }
            }
            Judgement::Accept => {
                if !self.nodes[at].is_hostile() {
                    let id = Signed::decode(&self.network, &message.bytes).ok().map(|event| event.id());
                    let signed = id.and_then(|id| self.ledger.get(&id));
                    let signed = signed.map(|entry| (entry.bytes.as_slice(), entry.header_bytes));
                    if let Some(why) = forgery(&message.bytes, signed) {
                        self.checks.conduct.relayed(at, why, self.now_ms);
                    }
                }
                let mut to = self.listeners(at, &message.topic);
                to.retain(|to| *to != message.from);
                to.truncate(MESH_MAX);
                to.into_iter().for_each(|to| self.pass(at, to, &message.topic, &message.bytes));
            }
        }
    }
}
