//! The engine's inbox: two bounded queues and a bell. Own people's questions go first; the network's wait or are refused.
//! When more waits than the engine takes in one turn, each peer gets its part of the turn.
//! Half of the room is for whoever comes first; the rest is kept for peers of which little waits, so that a crowd which
//! sends as much as it can leaves room for those who say a word now and then.

use crate::engine::{Answer, Local};
use crate::network::{CONNECTIONS_MAX, Event};
use crate::peer::Peer;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Questions of own people that wait: more than a person or a script has under way.
const LOCAL_MAX: usize = 256;

/// Network events that wait. At 20,000 small events a second this is a fifth of a second of work.
const REMOTE_MAX: usize = 4096;

/// Bytes of network events that wait. With full-size events this bound is met first.
const REMOTE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Messages and requests of one peer that may wait when half of the room is taken. All connected peers together then fill
/// less than the other half.
const WAITING_MAX: usize = 8;

const _: () = assert!(WAITING_MAX * CONNECTIONS_MAX as usize <= REMOTE_MAX / 2);

/// News of peers that wait; the network keeps what does not fit as a difference of bounded tables.
const NEWS_MAX: usize = 16 * 1024;

/// Items that the engine takes in one turn: enough to share an fsync, few enough to stay responsive.
const TURN_MAX: usize = 256;

/// What waits for the engine.
pub(super) enum Item {
    /// From the network.
    Network(Event),
    /// From own people.
    Local(Local, oneshot::Sender<Answer>),
}

#[derive(Default)]
struct Queues {
    local: VecDeque<(Local, oneshot::Sender<Answer>)>,
    remote: VecDeque<Event>,
    remote_bytes: usize,
    /// Messages and requests of each peer among them.
    waiting: BTreeMap<Peer, usize>,
    is_closed: bool,
}

impl Queues {
    /// Whether there is room for a message or request of so many bytes.
    fn has_room(&self, peer: &Peer, bytes: usize) -> bool {
        let waiting = self.waiting.get(peer).copied().unwrap_or(0);
        let (count_max, bytes_max) = (REMOTE_MAX / 2, REMOTE_BYTES_MAX / 2);
        let has_few = self.remote.len() < count_max || (waiting < WAITING_MAX && self.remote.len() < REMOTE_MAX);
        // Of large ones, one.
        let is_light =
            self.remote_bytes + bytes <= bytes_max || (waiting == 0 && self.remote_bytes + bytes <= REMOTE_BYTES_MAX);
        has_few && is_light
    }

    /// Takes so many events of the network, at most. What one peer has sent stays in its order, and so does the news of it;
    /// beyond its part of the turn it waits, so that nobody waits for what others have sent.
    fn turn(&mut self, many: usize) -> Vec<Event> {
        let part = if self.remote.len() <= many { many } else { (many / self.waiting.len().max(1)).max(1) };
        let (mut turn, mut taken) = (Vec::new(), BTreeMap::<Peer, usize>::new());
        let mut kept = VecDeque::new();
        while turn.len() < many
            && let Some(event) = self.remote.pop_front()
        {
            if matches!(event, Event::Restarted) && !kept.is_empty() {
                // Nothing of what was before comes after it.
                kept.push_back(event);
                break;
            }
            if let Some(peer) = subject_of(&event) {
                let count = taken.entry(peer.clone()).or_default();
                // Behind the first that waits everything of the peer does.
                *count = if *count >= part { usize::MAX } else { *count + usize::from(sender_of(&event).is_some()) };
                if *count == usize::MAX {
                    kept.push_back(event);
                    continue;
                }
            }
            self.taken(&event);
            turn.push(event);
        }
        while let Some(event) = kept.pop_back() {
            self.remote.push_front(event);
        }
        turn
    }

    fn taken(&mut self, event: &Event) {
        self.remote_bytes -= bytes_of(event);
        if let Some(peer) = sender_of(event)
            && let Some(waiting) = self.waiting.get_mut(peer)
        {
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(peer);
            }
        }
    }
}

/// See the module. Clones share the queues.
#[derive(Clone, Default)]
pub(super) struct Inbox {
    shared: Arc<(Mutex<Queues>, Condvar)>,
}

impl Inbox {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a question in; gives it back if the queue is full or the engine has ended.
    pub(super) fn ask(&self, ask: Local, reply: oneshot::Sender<Answer>) -> bool {
        let mut queues = self.queues();
        if queues.is_closed || queues.local.len() >= LOCAL_MAX {
            return false;
        }
        queues.local.push_back((ask, reply));
        self.shared.1.notify_one();
        true
    }

    /// Waits for items until `patience` has passed; `None` when the inbox is closed and empty.
    pub(super) fn take(&self, patience: Duration) -> Option<Vec<Item>> {
        let queues = self.queues();
        let is_idle = |queues: &mut Queues| queues.local.is_empty() && queues.remote.is_empty() && !queues.is_closed;
        let (mut queues, _) =
            self.shared.1.wait_timeout_while(queues, patience, is_idle).unwrap_or_else(PoisonError::into_inner);
        let mut items: Vec<Item> = Vec::new();
        while let Some((ask, reply)) = queues.local.pop_front() {
            items.push(Item::Local(ask, reply));
        }
        items.extend(queues.turn(TURN_MAX.saturating_sub(items.len())).into_iter().map(Item::Network));
        if items.is_empty() && queues.is_closed { None } else { Some(items) }
    }

    /// No more items are taken in; what waits is still handed out.
    pub(super) fn close(&self) {
        self.queues().is_closed = true;
        self.shared.1.notify_all();
    }
}

impl crate::network::Inbox for Inbox {
    fn deliver(&mut self, event: Event) -> Result<(), Event> {
        let mut queues = self.queues();
        let bytes = bytes_of(&event);
        let is_full = match &event {
            // Each is the end of a command of the engine, so there are never more than it has under way. Were they refused,
            // the network would take no commands while the engine waits to give it some.
            Event::Response { .. } | Event::Published { .. } => false,
            Event::Message { peer, .. } | Event::Request { peer, .. } => !queues.has_room(peer, bytes),
            // Evidence that may be lost: it takes no more than its part of the room.
            Event::Copies { .. } => {
                queues.remote.len() >= REMOTE_MAX / 2 || queues.remote_bytes + bytes > REMOTE_BYTES_MAX / 2
            }
            _ => queues.remote.len() >= NEWS_MAX,
        };
        if queues.is_closed || is_full {
            return Err(event);
        }
        queues.remote_bytes += bytes;
        if let Some(peer) = sender_of(&event) {
            *queues.waiting.entry(peer.clone()).or_default() += 1;
        }
        queues.remote.push_back(event);
        self.shared.1.notify_one();
        Ok(())
    }
}

fn sender_of(event: &Event) -> Option<&Peer> {
    match event {
        Event::Message { peer, .. } | Event::Request { peer, .. } => Some(peer),
        _ => None,
    }
}

/// The peer that an event is of or about.
fn subject_of(event: &Event) -> Option<&Peer> {
    match event {
        Event::PeerUp { peer, .. }
        | Event::PeerMoved { peer, .. }
        | Event::PeerDown { peer }
        | Event::Subscribed { peer, .. }
        | Event::Unsubscribed { peer, .. }
        | Event::Message { peer, .. }
        | Event::Request { peer, .. }
        | Event::Latency { peer, .. }
        | Event::SlowPeer { peer, .. } => Some(peer),
        Event::Listening { .. }
        | Event::NotListening { .. }
        | Event::Published { .. }
        | Event::Response { .. }
        | Event::Copies { .. }
        | Event::Mesh { .. }
        | Event::Restarted => None,
    }
}

fn bytes_of(event: &Event) -> usize {
    match event {
        Event::Message { bytes, .. } => bytes.len(),
        Event::Request { body, .. } => body.len(),
        Event::Response { result: Ok(body), .. } => body.len(),
        Event::Copies { copies } => size_of_val(copies.as_slice()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network;

    fn news(count: usize) -> VecDeque<Event> {
        (0..count).map(|_| Event::Latency { peer: Peer::new("anyone"), ms: 1 }).collect()
    }

    #[test]
    fn a_crowd_that_fills_its_half_leaves_room_for_quiet_peers() {
        let (loud, quiet) = (Peer::new("loud"), Peer::new("quiet"));
        let mut queues = Queues { remote: news(REMOTE_MAX / 2 - 1), ..Queues::default() };
        queues.waiting.insert(loud.clone(), 1000);
        assert!(queues.has_room(&loud, 100), "half of the room is for whoever comes first");
        queues.remote = news(REMOTE_MAX / 2);
        assert!(!queues.has_room(&loud, 100) && queues.has_room(&quiet, 100));
        queues.waiting.insert(quiet.clone(), WAITING_MAX);
        assert!(!queues.has_room(&quiet, 100));
        queues.waiting.clear();
        queues.remote = news(REMOTE_MAX);
        assert!(!queues.has_room(&quiet, 100), "a bound is a bound");
    }

    fn message(peer: &Peer, number: usize) -> Event {
        let bytes = number.to_le_bytes().to_vec();
        Event::Message { peer: peer.clone(), topic: String::new(), bytes, delivery: network::Delivery::of_nobody() }
    }

    #[test]
    fn nobody_waits_for_what_others_have_sent_and_what_one_peer_sends_stays_in_order() {
        let (loud, quiet) = (Peer::new("loud"), Peer::new("quiet"));
        let mut inbox = Inbox::default();
        let mut put = |event| network::Inbox::deliver(&mut inbox, event).expect("there is room");
        (0..1000).for_each(|number| put(message(&loud, number)));
        put(Event::PeerDown { peer: loud.clone() });
        put(Event::PeerUp { peer: quiet.clone(), address: String::new(), outbound: false });
        put(message(&quiet, 0));
        put(Event::Restarted);
        let mut turns = Vec::new();
        while turns.iter().map(Vec::len).sum::<usize>() < 1004 {
            turns.push(inbox.queues().turn(TURN_MAX));
        }
        let is_quiets = |event: &Event| subject_of(event) == Some(&quiet);
        assert_eq!(turns[0].iter().filter(|event| is_quiets(event)).count(), 2, "in the first turn");
        assert!(turns.iter().all(|turn| turn.len() <= TURN_MAX));
        let mut left: Vec<Event> = turns.into_iter().flatten().filter(|event| !is_quiets(event)).collect();
        assert!(matches!(left.pop(), Some(Event::Restarted)), "after all that was before");
        assert!(matches!(left.pop(), Some(Event::PeerDown { .. })));
        let numbers = left.iter().map(|event| match event {
            Event::Message { bytes, .. } => bytes.clone(),
            _ => Vec::new(),
        });
        assert!(numbers.eq((0..1000_usize).map(|number| number.to_le_bytes().to_vec())));
        assert_eq!(inbox.queues().remote_bytes, 0);
        assert!(inbox.queues().waiting.is_empty());
    }

    #[test]
    fn large_messages_of_a_crowd_leave_room_for_one_of_each() {
        let (loud, quiet) = (Peer::new("loud"), Peer::new("quiet"));
        let mut queues = Queues { remote_bytes: REMOTE_BYTES_MAX / 2, ..Queues::default() };
        queues.waiting.insert(loud.clone(), 1);
        assert!(!queues.has_room(&loud, 60_000) && queues.has_room(&quiet, 60_000));
        queues.remote_bytes = REMOTE_BYTES_MAX;
        assert!(!queues.has_room(&quiet, 60_000));
    }
}
