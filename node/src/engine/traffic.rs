//! How many bytes came from whom and went to whom: what says who carries the network for this node, and for whom it does.
//!
//! In memory, since the node started. What is counted is what the engine sees: messages of gossip that came, requests and answers
//! both ways. To whom gossip passes a message on is not known here.

use super::io::{Input, Output, ReplyTo, Token, Traffic};
use crate::peer::Peer;
use std::collections::BTreeMap;

/// Peers that are told apart: more than a node has connections in a day. All others count as one.
const PEERS_MAX: usize = 1024;

/// Requests under way whose peers are remembered: the network has fewer.
const EXPECTED_MAX: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Traffics {
    peers: BTreeMap<Peer, (u64, u64)>,
    others: (u64, u64),
    expected: BTreeMap<Token, Peer>,
}

impl Traffics {
    /// Counts what came. Returns who asked, by the name of the answer that is due.
    pub(super) fn came(&mut self, inputs: &[Input]) -> BTreeMap<ReplyTo, Peer> {
        let mut askers = BTreeMap::new();
        for input in inputs {
            match input {
                Input::Gossip { peer, bytes, .. } => self.of(peer).0 += bytes.len() as u64,
                Input::Asked { peer, body, reply } => {
                    self.of(peer).0 += body.len() as u64;
                    askers.insert(*reply, peer.clone());
                }
                Input::Answered { token, body } => {
                    let peer = self.expected.remove(token);
                    if let (Some(peer), Some(body)) = (peer, body) {
                        self.of(&peer).0 += body.len() as u64;
                    }
                }
                _ => {}
            }
        }
        askers
    }

    /// Counts what goes, to those who asked and those who are asked.
    pub(super) fn goes(&mut self, outputs: &[Output], askers: &BTreeMap<ReplyTo, Peer>) {
        for output in outputs {
            match output {
                Output::Respond { reply, body } => {
                    if let Some(peer) = askers.get(reply) {
                        self.of(peer).1 += body.len() as u64;
                    }
                }
                Output::Request { peer, body, token } => {
                    self.of(peer).1 += body.len() as u64;
                    // Of the oldest no answer comes any more: the network that was asked has ended.
                    if self.expected.len() >= EXPECTED_MAX {
                        self.expected.pop_first();
                    }
                    self.expected.insert(*token, peer.clone());
                }
                _ => {}
            }
        }
    }

    fn of(&mut self, peer: &Peer) -> &mut (u64, u64) {
        if self.peers.len() < PEERS_MAX || self.peers.contains_key(peer) {
            self.peers.entry(peer.clone()).or_default()
        } else {
            &mut self.others
        }
    }

    /// How much from whom and to whom.
    pub(super) fn sums(&self) -> Vec<Traffic> {
        let told_apart = self.peers.iter().map(|(peer, sums)| (Some(peer.clone()), *sums));
        let all = told_apart.chain([(None, self.others)]).filter(|(_, sums)| *sums != (0, 0));
        all.map(|(peer, (received, sent))| Traffic { peer, received, sent }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(traffics: &Traffics) -> Vec<(Option<Peer>, u64, u64)> {
        traffics.sums().into_iter().map(|traffic| (traffic.peer, traffic.received, traffic.sent)).collect()
    }

    #[test]
    fn what_comes_from_a_peer_and_what_goes_to_it_are_summed() {
        let (mut traffics, one, other) = (Traffics::default(), Peer::new("one"), Peer::new("other"));
        let gossip = Input::Gossip { peer: one.clone(), topic: String::new(), bytes: vec![0; 100], delivery: 1 };
        let asked = Input::Asked { peer: other.clone(), body: vec![0; 10], reply: 7 };
        let askers = traffics.came(&[gossip, asked]);
        let answer = Output::Respond { reply: 7, body: vec![0; 1000] };
        let request = Output::Request { peer: one.clone(), body: vec![0; 5], token: 3 };
        traffics.goes(&[answer, request], &askers);
        let answered = |body| Input::Answered { token: 3, body };
        let _ = traffics.came(&[answered(Some(vec![0; 50]))]);
        let _ = traffics.came(&[answered(Some(vec![0; 50]))]);
        assert_eq!(sums(&traffics), [(Some(one), 150, 5), (Some(other), 10, 1000)]);
    }

    #[test]
    fn a_crowd_of_peers_takes_no_more_room_than_is_allowed() {
        let mut traffics = Traffics::default();
        for number in 0..3 * EXPECTED_MAX as u64 {
            let request = Output::Request { peer: Peer::new(&number.to_string()), body: vec![0], token: number };
            traffics.goes(&[request], &BTreeMap::new());
        }
        assert_eq!((traffics.peers.len(), traffics.expected.len()), (PEERS_MAX, EXPECTED_MAX));
        assert_eq!(sums(&traffics).last(), Some(&(None, 0, (3 * EXPECTED_MAX - PEERS_MAX) as u64)));
    }
}
