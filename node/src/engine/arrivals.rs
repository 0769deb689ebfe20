//! Who brought events first: what says whose word a node lives on.
//!
//! In memory, since the node started: of the last events from whom each came, and of all of them how many came from whom.
//! Copies that come later don't count.

use crate::engine::io::FirstDeliveries;
use crate::peer::Peer;
use roda_protocol::id::{EventId, SpaceId};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Events of which it is remembered who brought them: 1 MiB.
const REMEMBERED_MAX: usize = 32_768;

/// Peers that are told apart: more than a node has connections in a day. What the others bring counts as brought by one.
const PEERS_MAX: usize = 1024;

/// Counts of a peer and a board.
const COUNTS_MAX: usize = 8192;

/// A peer's number.
type Number = u16;

/// Stands for all peers beyond [`PEERS_MAX`].
const OTHERS: Number = u16::MAX;

/// From whom an event came first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bringer {
    /// A peer.
    Peer(Peer),
    /// A peer that is not told apart any more.
    SomePeer,
    /// It was written here.
    Here,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    peers: Vec<Peer>,
    numbers: BTreeMap<Peer, Number>,
    /// By the first eight bytes of the id. Nobody walks it.
    by_event: HashMap<u64, Option<Number>>,
    order: VecDeque<u64>,
    counts: BTreeMap<(SpaceId, Number), (u64, u64)>,
}

impl Arrivals {
    /// An event was stored that nobody had brought before.
    pub(super) fn add(&mut self, space: SpaceId, id: &EventId, bytes: usize, sender: Option<&Peer>) {
        let number = sender.map(|peer| self.number(peer));
        let key = key(id);
        if self.by_event.insert(key, number).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_event.remove(&oldest);
        }
        let Some(number) = number else { return };
        if self.counts.len() < COUNTS_MAX || self.counts.contains_key(&(space, number)) {
            let (events, sum) = self.counts.entry((space, number)).or_default();
            *events += 1;
            *sum += bytes as u64;
        }
    }

    fn number(&mut self, peer: &Peer) -> Number {
        if let Some(number) = self.numbers.get(peer) {
            return *number;
        }
        match Number::try_from(self.peers.len()) {
            Ok(number) if self.peers.len() < PEERS_MAX => {
                self.peers.push(peer.clone());
                self.numbers.insert(peer.clone(), number);
                number
            }
            _ => OTHERS,
        }
    }

    /// Who brought an event, if that is remembered.
    pub(super) fn bringer(&self, id: &EventId) -> Option<Bringer> {
        Some(match self.by_event.get(&key(id))? {
            None => Bringer::Here,
            Some(number) => {
                self.peers.get(usize::from(*number)).map_or(Bringer::SomePeer, |peer| Bringer::Peer(peer.clone()))
            }
        })
    }

    /// How much came first from whom, by board.
    pub(super) fn counts(&self) -> Vec<FirstDeliveries> {
        let count = |((space, number), (events, bytes)): (&(SpaceId, Number), &(u64, u64))| FirstDeliveries {
            space: *space,
            peer: self.peers.get(usize::from(*number)).cloned(),
            events: *events,
            bytes: *bytes,
        };
        self.counts.iter().map(count).collect()
    }
}

fn key(id: &EventId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> EventId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        EventId(bytes)
    }

    #[test]
    fn the_last_events_are_remembered_with_who_brought_them_and_all_are_counted() {
        let mut arrivals = Arrivals::default();
        let (one, other, board) = (Peer::new("one"), Peer::new("other"), SpaceId([1; 32]));
        let count = REMEMBERED_MAX as u64 + 10;
        for number in 0..count {
            arrivals.add(board, &id(number), 100, Some(if number % 4 == 0 { &one } else { &other }));
        }
        arrivals.add(board, &id(count), 100, None);
        assert_eq!(arrivals.bringer(&id(count)), Some(Bringer::Here));
        assert_eq!(arrivals.bringer(&id(count - 1)), Some(Bringer::Peer(other)));
        assert_eq!(arrivals.bringer(&id(5)), None);
        assert_eq!(arrivals.by_event.len(), REMEMBERED_MAX);
        assert_eq!(arrivals.counts().iter().map(|first| first.events).sum::<u64>(), count);
    }

    #[test]
    fn a_crowd_of_peers_takes_no_more_room_than_is_allowed() {
        let mut arrivals = Arrivals::default();
        for number in 0..3 * COUNTS_MAX as u64 {
            let space = SpaceId(id(number / 7).0);
            arrivals.add(space, &id(number), 1, Some(&Peer::new(&number.to_string())));
        }
        assert_eq!(arrivals.peers.len(), PEERS_MAX);
        assert!(arrivals.counts.len() <= COUNTS_MAX);
        assert_eq!(arrivals.bringer(&id(3 * COUNTS_MAX as u64 - 1)), Some(Bringer::SomePeer));
    }
}
