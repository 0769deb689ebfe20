//! The way out: what is told to the rest of the node, in which order, and what happens when it has no room.

use std::collections::VecDeque;
use std::sync::Arc;

use libp2p::PeerId;

use super::interface::{Counters, Event, Inbox};
use super::peers::Peers;

/// Answers that wait for room. Commands aren't taken while so many wait, hence there are never more than this, the
/// commands of one turn and the requests under way.
const ANSWERS_MAX: usize = 64;

/// Events of peers that are connected and not identified yet. The peer may have identified us first and speak at once.
const EARLY_MAX: usize = 64;
/// And their bytes.
const EARLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The inbox of the rest of the node, and what waits before it.
pub(super) struct Outbox {
    inbox: Box<dyn FnMut(Event) -> Result<(), Event> + Send>,
    answers: VecDeque<Event>,
    early: VecDeque<(PeerId, Event)>,
    early_bytes: usize,
    pub(super) counters: Arc<Counters>,
}

impl Outbox {
    pub(super) fn new(mut inbox: impl Inbox, counters: Arc<Counters>) -> Self {
        let (answers, early) = (VecDeque::new(), VecDeque::new());
        let inbox = Box::new(move |event| inbox.deliver(event));
        Self { inbox, answers, early, early_bytes: 0, counters }
    }

    /// Whether commands may be taken that lead to answers.
    pub(super) fn takes_commands(&self) -> bool {
        self.answers.len() < ANSWERS_MAX
    }

    /// Tells as much as there is room for. Returns whether nothing is left.
    pub(super) fn flush(&mut self, peers: &mut Peers) -> bool {
        let is_told = peers.tell(|event| (self.inbox)(event));
        // Answers don't wait behind news of peers: commands are not taken while answers wait.
        while let Some(event) = self.answers.pop_front() {
            if let Err(event) = (self.inbox)(event) {
                self.answers.push_front(event);
                return false;
            }
        }
        is_told
    }

    /// Tells the outcome of a command, now or later.
    pub(super) fn answer(&mut self, peers: &mut Peers, event: Event) {
        self.answers.push_back(event);
        self.flush(peers);
    }

    /// Tells something that may be given up, after everything that may not.
    ///
    /// # Errors
    /// The event, when there is no room.
    pub(super) fn offer(&mut self, peers: &mut Peers, event: Event) -> Result<(), Event> {
        if self.flush(peers) { (self.inbox)(event) } else { Err(event) }
    }

    /// Keeps what came from a peer that isn't identified yet.
    ///
    /// # Errors
    /// The event, when too many wait already.
    pub(super) fn hold(&mut self, peer: PeerId, event: Event) -> Result<(), Event> {
        let bytes = payload(&event);
        if self.early.len() >= EARLY_MAX || self.early_bytes + bytes > EARLY_BYTES_MAX {
            return Err(event);
        }
        self.early_bytes += bytes;
        self.early.push_back((peer, event));
        Ok(())
    }

    /// Takes what was kept of a peer, in order.
    pub(super) fn release(&mut self, peer: PeerId) -> Vec<Event> {
        let (released, kept) = std::mem::take(&mut self.early).into_iter().partition(|(other, _)| *other == peer);
        self.early = kept;
        let released: VecDeque<(PeerId, Event)> = released;
        self.early_bytes -= released.iter().map(|(_, event)| payload(event)).sum::<usize>();
        released.into_iter().map(|(_, event)| event).collect()
    }
}

fn payload(event: &Event) -> usize {
    match event {
        Event::Message { bytes, .. } => bytes.len(),
        Event::Request { body, .. } => body.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::network::RequestFailure;

    /// An inbox with a certain room, shared with the test.
    #[derive(Clone, Default)]
    struct Room(Arc<Mutex<(usize, Vec<u64>)>>);

    impl Inbox for Room {
        fn deliver(&mut self, event: Event) -> Result<(), Event> {
            let mut inner = self.0.lock().expect("no test panics while it holds this");
            let Event::Response { token, .. } = event else { return Err(event) };
            if inner.0 == 0 {
                return Err(event);
            }
            inner.0 -= 1;
            inner.1.push(token);
            Ok(())
        }
    }

    fn response(token: u64) -> Event {
        Event::Response { token, result: Err(RequestFailure::Timeout) }
    }

    #[test]
    fn answers_wait_in_order_and_stop_commands_before_they_pile_up() {
        let (inbox, mut peers) = (Room::default(), Peers::default());
        let mut outbox = Outbox::new(inbox.clone(), Arc::default());
        for token in 0..ANSWERS_MAX as u64 {
            assert!(outbox.takes_commands());
            outbox.answer(&mut peers, response(token));
        }
        assert!(!outbox.takes_commands());
        assert!(outbox.offer(&mut peers, response(1000)).is_err(), "what may be lost doesn't overtake");
        inbox.0.lock().expect("unpoisoned").0 = 1000;
        assert!(outbox.flush(&mut peers));
        assert!(outbox.takes_commands());
        assert_eq!(inbox.0.lock().expect("unpoisoned").1, (0..ANSWERS_MAX as u64).collect::<Vec<_>>());
    }

    #[test]
    fn early_events_are_bounded_and_released_by_peer() {
        let mut outbox = Outbox::new(Room::default(), Arc::default());
        let (one, two) = (PeerId::random(), PeerId::random());
        outbox.hold(one, response(1)).expect("room");
        outbox.hold(two, response(2)).expect("room");
        outbox.hold(one, response(3)).expect("room");
        assert_eq!(outbox.release(one).len(), 2);
        assert_eq!(outbox.release(one).len(), 0);
        let held = (0..1000).filter(|token| outbox.hold(two, response(*token)).is_ok()).count();
        assert_eq!(held, EARLY_MAX - 1);
    }
}
