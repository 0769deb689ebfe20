//! Signatures are checked ahead, on all cores, while the engine stores what came before.
//!
//! A thread of its own takes turns from the inbox and passes them on, in order. It looks into answers and imports, which
//! bring many events at once; what gossip brings one by one costs the engine less than a thread would. Decides nothing: an
//! event that does not hold is left to the engine, which finds the same.

use super::inbox::{Inbox, Item};
use crate::engine::Local;
use crate::network::Event;
use crate::store::{EventStore, Presence};
use roda_protocol::event::{Authentic, Signed};
use roda_protocol::keys::Verifier;
use roda_protocol::wire::Response;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Turns that wait for the engine: one, so that the next is ready when a turn ends, and the rest waits in the inbox, where
/// it is counted.
const TURNS_MAX: usize = 1;

/// Fewer events than this are left to the engine.
const EVENTS_MIN: usize = 8;

/// Events for which another thread is worth its start.
const EVENTS_PER_THREAD: usize = 16;

/// Events of answers and imports after which a turn ends: of two that wait one is stored while the other is checked. An answer
/// brings some 450.
const EVENTS_PER_TURN: usize = 256;

/// How long an idle thread sleeps at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the engine takes in at once.
pub(super) struct Turn {
    /// The items, in the order in which they came.
    pub(super) items: Vec<Item>,
    /// Events that they bring and whose signatures hold.
    pub(super) foreseen: Vec<Authentic>,
}

/// The thread, what it takes from, and what comes of it.
pub(super) struct Foresight {
    inbox: Inbox,
    turns: Receiver<Turn>,
    thread: Option<JoinHandle<()>>,
}

impl Foresight {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system gave none.
    pub(super) fn start(inbox: Inbox, store: Arc<EventStore>) -> std::io::Result<Self> {
        let (sender, turns) = sync_channel(TURNS_MAX);
        let work = {
            let inbox = inbox.clone();
            move || pass_on(&inbox, &store, &sender)
        };
        let thread = std::thread::Builder::new().name("foresight".into()).spawn(work)?;
        Ok(Self { inbox, turns, thread: Some(thread) })
    }

    /// No more items are taken in; what waits still becomes turns.
    pub(super) fn close(&self) {
        self.inbox.close();
    }

    /// Waits for a turn until `patience` has passed: an empty one then. `None` when the inbox is closed and empty.
    ///
    /// # Panics
    ///
    /// With the panic of the thread.
    pub(super) fn next(&mut self, patience: Duration) -> Option<Turn> {
        match self.turns.recv_timeout(patience) {
            Ok(turn) => Some(turn),
            Err(RecvTimeoutError::Timeout) => Some(Turn { items: Vec::new(), foreseen: Vec::new() }),
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                None
            }
        }
    }
}

fn pass_on(inbox: &Inbox, store: &EventStore, turns: &SyncSender<Turn>) {
    let mut checkers = Checkers::default();
    while let Some(items) = inbox.take(PATIENCE) {
        for (items, events) in shares(items) {
            let foreseen = checkers.check(store, &events);
            if turns.send(Turn { items, foreseen }).is_err() {
                return;
            }
        }
    }
}

/// Parts of what was taken, in order, each with the events of its answers and imports.
fn shares(items: Vec<Item>) -> impl Iterator<Item = (Vec<Item>, Vec<Vec<u8>>)> {
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let (mut share, mut events) = (Vec::new(), Vec::new());
        while events.len() < EVENTS_PER_TURN
            && let Some(item) = items.next()
        {
            events.extend(bytes_in(&item));
            share.push(item);
        }
        (!share.is_empty()).then_some((share, events))
    })
}

/// The events of an answer or import.
fn bytes_in(item: &Item) -> Vec<Vec<u8>> {
    match item {
        Item::Local(Local::Import { events }, _) => events.clone(),
        Item::Network(Event::Response { result: Ok(body), .. }) => match Response::from_bytes(body) {
            Ok(Response::Range { events, .. } | Response::Events { events, .. }) => {
                events.into_iter().map(|event| event.0).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// What checks signatures on all cores: a verifier for each.
#[derive(Debug)]
pub struct Checkers(Vec<Verifier>);

impl Default for Checkers {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self((0..cores).map(|_| Verifier::default()).collect())
    }
}

impl Checkers {
    /// Those of these events that are not held yet and whose signatures hold. All cores work on it.
    #[must_use]
    pub fn check(&mut self, store: &EventStore, events: &[Vec<u8>]) -> Vec<Authentic> {
        if events.len() < EVENTS_MIN {
            return Vec::new();
        }
        let threads = self.0.len().min(events.len().div_ceil(EVENTS_PER_THREAD));
        let check = |verifier: &mut Verifier, events: &[Vec<u8>]| -> Vec<Authentic> {
            let authentic = |bytes: &Vec<u8>| {
                let signed = Signed::decode(&store.network(), bytes).ok()?;
                let is_held = matches!(store.row(&signed.id()), Ok(Some(row)) if row.presence == Presence::Held);
                if is_held { None } else { signed.authenticate_with(verifier).ok() }
            };
            events.iter().filter_map(authentic).collect()
        };
        let mut shares = self.0.iter_mut().zip(events.chunks(events.len().div_ceil(threads)));
        let own = shares.next();
        std::thread::scope(|scope| {
            let others: Vec<_> = shares.map(|(verifier, share)| scope.spawn(move || check(verifier, share))).collect();
            let mut all = own.map(|(verifier, share)| check(verifier, share)).unwrap_or_default();
            for other in others {
                match other.join() {
                    Ok(checked) => all.extend(checked),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Arrival, MemoryIndex, MemoryJournal};
    use roda_protocol::event::{Author, Body, Draft, Kind, Post, PostBody};
    use roda_protocol::id::{NetworkId, SpaceId};
    use roda_protocol::keys::SecretKey;
    use roda_protocol::validate::{SpaceRules, validate};

    const NO_WORK: SpaceRules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };

    #[test]
    fn what_brings_many_events_is_passed_on_in_parts_and_in_order() {
        let import = |count: usize| {
            let (reply, _) = tokio::sync::oneshot::channel();
            Item::Local(Local::Import { events: vec![vec![1]; count] }, reply)
        };
        let ask = || Item::Local(Local::Peers, tokio::sync::oneshot::channel().0);
        let items = vec![ask(), import(200), import(200), import(300), ask()];
        let parts: Vec<(usize, usize)> = shares(items).map(|(items, events)| (items.len(), events.len())).collect();
        assert_eq!(parts, [(3, 400), (1, 300), (1, 0)]);
        assert_eq!(shares(Vec::new()).count(), 0);
    }

    #[test]
    fn events_that_are_new_and_signed_are_found_and_no_others() {
        let network = NetworkId::of("foresight");
        let store = EventStore::open(Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()), network).unwrap().0;
        let events: Vec<Signed> = (0..100)
            .map(|number| {
                let words = PostBody { title: format!("post {number}"), text: String::new(), link: None };
                let (space, salt) = (SpaceId([4; 32]), [3; 16]);
                let (kind, body) = (Kind::Post(Post::default()), Body::Post(words));
                let draft = Draft { space, created_ms: number, refs: vec![], kind, body, salt };
                draft.sign(&Author::Root(&SecretKey::from_seed(&[1; 32])), &network, 0).unwrap()
            })
            .collect();
        let event = validate(events[70].clone(), &NO_WORK).unwrap();
        store.admit(&[Arrival { event, received_ms: 1, is_own: false }]).unwrap();
        let mut bytes: Vec<Vec<u8>> = events.iter().map(|event| event.bytes().to_vec()).collect();
        // The signature is the last of what stands before the words.
        bytes[9][events[9].bytes_without_body().len() - 20] ^= 1;
        bytes[30] = vec![1, 2, 3];
        let mut checkers = Checkers::default();
        let found: Vec<u64> = checkers.check(&store, &bytes).iter().map(|event| event.header().created_ms).collect();
        assert_eq!(found, (0..100).filter(|number| ![9, 30, 70].contains(number)).collect::<Vec<_>>());
        assert!(checkers.check(&store, &bytes[..7]).is_empty(), "a few are left to the engine");
    }
}
