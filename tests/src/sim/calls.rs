//! Requests and answers on their way: opaque bytes, each answered once, late or never.

use super::hostile::Answering;
use super::plan::Event;
use super::world::World;
use roda_node::engine::{Input, Token};
use roda_protocol::limits::{SYNC_REQUEST_BYTES_MAX, SYNC_RESPONSE_BYTES_MAX};
use std::collections::BTreeMap;

/// Requests of one node that wait for an answer, as in the network.
const OPEN_MAX: usize = 64;

/// How long an answer is waited for, milliseconds, as in the network.
const PATIENCE_MS: u64 = 20_000;

/// A request under way.
#[derive(Debug)]
pub(super) struct Call {
    from: usize,
    to: usize,
    connection: u64,
    /// The engine's name for it; none for what a hostile node asks on its own account.
    token: Option<Token>,
    /// The request, kept for hostile nodes to look at.
    body: Vec<u8>,
}

/// All requests under way.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: BTreeMap<u64, Call>,
    next: u64,
}

impl World {
    /// Sends a request, if the network would.
    pub(super) fn ask(&mut self, from: usize, to: usize, token: Option<Token>, body: Vec<u8>) {
        self.checks.bounds.size("bytes of a request", from, body.len(), SYNC_REQUEST_BYTES_MAX, self.now_ms);
        if self.nodes[to].is_hostile() && !self.nodes[from].is_hostile() {
            self.checks.bounds.asks(from, to, self.now_ms);
        }
        let open = self.nodes[from].running.as_ref().map_or(0, |running| running.open_calls);
        let connection = self.links.connection(from, to).filter(|_| open < OPEN_MAX);
        let Some(connection) = connection else { return self.end_call(from, token, None) };
        if let Some(running) = &mut self.nodes[from].running {
            running.open_calls += 1;
        }
        self.calls.next += 1;
        let call = self.calls.next;
        let way = self.way(from, to, self.weather.request_loss);
        let kept = if self.nodes[to].is_hostile() { body.clone() } else { Vec::new() };
        self.calls.open.insert(call, Call { from, to, connection, token, body: kept });
        if let Some(ms) = way {
            self.plan.at(self.now_ms + ms, Event::Ask { call, body });
        }
        self.plan.at(self.now_ms + PATIENCE_MS, Event::Timeout { call });
    }

    /// The request arrives.
    pub(super) fn asked(&mut self, call: u64, body: Vec<u8>) {
        let Some(open) = self.calls.open.get(&call) else { return };
        let (from, to) = (open.from, open.to);
        if self.links.connection(from, to) != Some(open.connection) {
            return;
        }
        self.trace.note(self.now_ms, "ask", from, to, &body);
        self.checks.known.talked(to, from, self.now_ms);
        let peer = self.nodes[from].peer.clone();
        self.feed(to, vec![Input::Asked { peer, body, reply: call }]);
    }

    /// The answer leaves.
    pub(super) fn respond(&mut self, at: usize, call: u64, mut body: Vec<u8>) {
        let Some(open) = self.calls.open.get(&call) else { return };
        let (asker, request) = (open.from, open.body.clone());
        let mut late_ms = 0;
        match self.with_hostile(at, |hostile, hand| hostile.answers(asker, &request, &body, hand)) {
            None => {
                self.checks.bounds.size("bytes of an answer", at, body.len(), SYNC_RESPONSE_BYTES_MAX, self.now_ms);
            }
            Some(Answering::Silence) => return,
            Some(Answering::Send { bytes, after_ms }) => {
                body = bytes;
                late_ms = after_ms;
            }
        }
        if let Some(ms) = self.way(at, asker, self.weather.request_loss) {
            self.plan.at(self.now_ms + ms + late_ms, Event::Answer { call, body });
        }
    }

    /// The answer arrives, if anybody still waits.
    pub(super) fn answered(&mut self, call: u64, body: Vec<u8>) {
        let Some(open) = self.calls.open.remove(&call) else { return };
        self.trace.note(self.now_ms, "answer", open.to, open.from, &body);
        self.checks.known.talked(open.from, open.to, self.now_ms);
        self.free_call(open.from);
        self.end_call(open.from, open.token, Some(body));
    }

    pub(super) fn timed_out(&mut self, call: u64) {
        let Some(open) = self.calls.open.remove(&call) else { return };
        self.trace.note(self.now_ms, "time-out", open.to, open.from, &[]);
        self.free_call(open.from);
        self.end_call(open.from, open.token, None);
    }

    /// What two nodes asked each other has failed: their connection is gone.
    pub(super) fn fail_calls(&mut self, a: usize, b: usize) {
        let is_between = |call: &Call| (call.from, call.to) == (a, b) || (call.from, call.to) == (b, a);
        let failed: Vec<u64> =
            self.calls.open.iter().filter(|(_, call)| is_between(call)).map(|(number, _)| *number).collect();
        for number in failed {
            let Some(call) = self.calls.open.remove(&number) else { continue };
            self.free_call(call.from);
            self.end_call(call.from, call.token, None);
        }
    }

    fn free_call(&mut self, at: usize) {
        if let Some(running) = &mut self.nodes[at].running {
            running.open_calls = running.open_calls.saturating_sub(1);
        }
    }

    fn end_call(&mut self, at: usize, token: Option<Token>, body: Option<Vec<u8>>) {
        let Some(token) = token else { return };
        let incarnation = self.nodes[at].incarnation;
        let input = Input::Answered { token, body };
        self.plan.at(self.now_ms, Event::Input { node: at, incarnation, input });
    }
}
