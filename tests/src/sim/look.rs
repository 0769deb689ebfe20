//! When the observers look, and what they read: stores, and answers to the questions that a node's own people may ask.

use super::check::{Claim, Seen, difference, disagreement, doubt, forgery};
use super::oracle;
use super::plan::Event;
use super::readings::{POSTS_MAX, stored_ids};
use super::world::{ROUND_MS, World};
use roda_node::engine::{Completeness, Input, Local};
use roda_node::store::{EventStore, Presence};
use roda_protocol::event::Verified;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread::{self, Item, Shown};
use std::collections::{BTreeMap, BTreeSet};

/// After the faults the observers look this often, milliseconds: the resolution of the figures.
const LOOK_MS: u64 = 5000;

impl World {
    pub(super) fn look(&mut self) {
        if self.looked_ms.replace(self.now_ms) == Some(self.now_ms) {
            return;
        }
        let Some(quiet_ms) = self.quiet_ms else {
            self.question_all();
            self.compare_views();
            self.plan.at(self.now_ms + ROUND_MS, Event::Look);
            return;
        };
        let elapsed_ms = self.now_ms - quiet_ms;
        // A clock that is behind by the whole skew accepts the events of one that is ahead only so much later.
        let limit_ms = self.scenario.rounds_max * ROUND_MS + 2 * self.scenario.skew_ms;
        if self.agreed_ms.is_none() && self.disagreement().is_none() {
            self.agreed_ms = Some(elapsed_ms);
        }
        let is_done = self.agreed_ms.is_some() && self.lacking_words().is_none();
        if is_done || elapsed_ms > limit_ms {
            self.final_look();
            self.is_over = true;
            return;
        }
        if elapsed_ms % ROUND_MS < LOOK_MS {
            self.question_all();
            self.read_all();
        }
        // A chain of looks from before the faults' end goes on beside this one: only one plans the next.
        if elapsed_ms.is_multiple_of(LOOK_MS) {
            self.plan.at(self.now_ms + LOOK_MS, Event::Look);
        }
    }

    fn final_look(&mut self) {
        self.readings.forget();
        if self.agreed_ms.is_none() {
            let what = self.disagreement().unwrap_or_default();
            self.checks.found.add("agree", self.now_ms, what);
        } else if let Some(what) = self.lacking_words() {
            self.checks.found.add("agree", self.now_ms, what);
        }
        self.question_all();
        self.compare_views();
        self.compare_digests();
        self.check_forgeries();
        for at in self.honest().collect::<Vec<_>>() {
            self.check_durable(at);
        }
    }

    /// A node has started: what it finds on its disk is what it knows.
    pub(super) fn restarted(&mut self, at: usize) {
        for board in self.boards.clone() {
            let ids = self.stored_ids(at, board).into_keys().collect::<Vec<_>>();
            self.checks.known.found(at, board, &ids, self.now_ms);
        }
        self.check_durable(at);
    }

    fn check_durable(&mut self, at: usize) {
        let Some(running) = &self.nodes[at].running else { return };
        let store = &running.store;
        self.checks.durable.check(at, |id| matches!(store.is_held(id), Ok(true)), self.now_ms);
    }

    /// What a node's store has of a board, read row by row.
    fn stored_ids(&self, at: usize, board: SpaceId) -> BTreeMap<EventId, Presence> {
        let running = self.nodes[at].running.as_ref();
        running.and_then(|running| stored_ids(&running.store, board).ok()).unwrap_or_default()
    }

    /// Looks at what every honest node says of how complete its boards are, and asks for its counters.
    fn question_all(&mut self) {
        for at in self.honest().collect::<Vec<_>>() {
            let Some(running) = &self.nodes[at].running else { continue };
            for (board, said) in running.statements.clone() {
                self.claimed(at, board, &said);
            }
            self.feed(at, vec![Input::Local { ask: Local::Counters, reply: 0 }]);
        }
    }

    /// At every honest node people read everything. As the API does for them, what they miss is asked for.
    fn read_all(&mut self) {
        for at in self.honest().collect::<Vec<_>>() {
            for space in self.boards.clone() {
                let Some(running) = &self.nodes[at].running else { continue };
                let mut ids = Vec::new();
                for (_, row) in running.store.posts(space, None, POSTS_MAX).unwrap_or_default() {
                    let items = running.store.thread_items(&row.id).unwrap_or_default();
                    let resolved = thread::resolve(row.id, items.into_iter().map(|(item, _)| item));
                    let lacks = |node: &&thread::Node| matches!(node.shown, Shown::Missing | Shown::Dropped);
                    ids.extend(resolved.nodes.iter().filter(lacks).map(|node| node.id));
                }
                if !ids.is_empty() {
                    self.feed(at, vec![Input::Local { ask: Local::Want { space, ids }, reply: 0 }]);
                }
            }
        }
    }

    /// A node said how complete a board is.
    fn claimed(&mut self, at: usize, board: SpaceId, compared: &Completeness) {
        if compared.checked_ms == 0 {
            return;
        }
        let first_ms = self.nodes[at].moment(compared.checked_ms);
        let (hostile, honest): (Vec<usize>, Vec<usize>) =
            self.links.linked(at).into_iter().partition(|peer| self.nodes[*peer].is_hostile());
        let claim = Claim {
            node: at,
            board,
            peers_asked: compared.peers_asked,
            peers_equal: compared.peers_equal,
            first_ms,
            last_ms: self.now_ms,
            honest,
            hostile: hostile.len(),
        };
        if let Some(what) = doubt(&claim, &self.checks.known) {
            self.checks.found.add("complete", self.now_ms, what);
        }
    }

    /// A node said that so many peers hold an own event.
    pub(super) fn delivered(&mut self, at: usize, id: EventId, held_by: u32) {
        let (hostile, honest): (Vec<usize>, Vec<usize>) =
            self.links.linked(at).into_iter().partition(|peer| self.nodes[*peer].is_hostile());
        // A node whose disk fails late in a write has stored what it never told; its next start will show.
        let can_hold = |peer: &usize| self.checks.known.knows(*peer, &id) || !self.nodes[*peer].is_sound();
        let holders = honest.into_iter().filter(can_hold).count() + hostile.len();
        if held_by as usize > holders {
            let what = format!("node {at} says that {held_by} peers hold {id}; {holders} is all that can be");
            self.checks.found.add("complete", self.now_ms, what);
        }
    }

    /// How the sets of honest nodes differ.
    fn disagreement(&self) -> Option<String> {
        if let Some(down) = self.honest().find(|node| !self.nodes[*node].is_sound()) {
            return Some(format!("node {down} is down, or its disk has failed"));
        }
        self.boards.iter().find_map(|board| {
            let sums: BTreeSet<u128> = self.honest().map(|node| self.checks.known.sum(node, *board)).collect();
            if sums.len() < 2 {
                return None;
            }
            let sets: Vec<_> = self.honest().map(|node| (node, self.checks.known.ids(node, *board))).collect();
            disagreement(&sets)
        })
    }

    /// An honest node that knows an event and lacks its words, though another honest node has them.
    fn lacking_words(&mut self) -> Option<String> {
        self.boards.clone().iter().find_map(|board| {
            let honest: Vec<usize> = self.honest().collect();
            let lacking: Vec<BTreeSet<EventId>> = honest.iter().map(|node| self.missing_words(*node, *board)).collect();
            let nobody_has = |id: &EventId| lacking.iter().all(|lacking| lacking.contains(id));
            let (node, missing) = honest.iter().zip(&lacking).find_map(|(node, lacking)| {
                let missing: Vec<EventId> = lacking.iter().copied().filter(|id| !nobody_has(id)).collect();
                (!missing.is_empty()).then_some((*node, missing))
            })?;
            let store = &self.nodes[node].running.as_ref()?.store;
            let events = missing.iter().filter_map(|id| store.event(id).ok().flatten());
            let kinds: BTreeSet<&str> = events.map(|stored| stored.event.kind().word()).collect();
            Some(format!("node {node} lacks the words of {} events that others have: {kinds:?}", missing.len()))
        })
    }

    fn missing_words(&mut self, at: usize, board: SpaceId) -> BTreeSet<EventId> {
        self.readings.of(at, &self.nodes[at], board).missing.clone()
    }

    /// Nodes that hold the same events of a board see its threads alike, and as the oracle does.
    fn compare_views(&mut self) {
        for board in self.boards.clone() {
            let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            let sound: Vec<usize> = self.honest().filter(|node| self.nodes[*node].is_sound()).collect();
            for node in sound {
                let key = (self.checks.known.sum(node, board), self.missing_words(node, board));
                alike.entry(key).or_default().push(node);
            }
            for nodes in alike.into_values() {
                self.compare_threads(board, &nodes);
            }
        }
    }

    fn compare_threads(&mut self, board: SpaceId, nodes: &[usize]) {
        let mut seen: BTreeMap<EventId, Vec<Seen>> = BTreeMap::new();
        for (number, node) in nodes.iter().enumerate() {
            let Some(running) = &self.nodes[*node].running else { continue };
            let store = &running.store;
            let reading = self.readings.of(*node, &self.nodes[*node], board);
            let unjudged = if number == 0 { reading.unjudged() } else { Vec::new() };
            let everything = if unjudged.is_empty() { Vec::new() } else { all_items(store, reading.stored.keys()) };
            for root in unjudged {
                let Ok(items) = store.thread_items(&root) else { continue };
                let resolved = thread::resolve(root, items.into_iter().map(|(item, _)| item));
                if oracle::thread(root, &everything) == resolved.nodes {
                    reading.agreed(root);
                } else {
                    let what = format!("node {node}: the oracle sees the thread {root} differently");
                    self.checks.found.add("view", self.now_ms, what);
                }
            }
            for root in reading.roots.clone() {
                if let Some(bytes) = reading.thread(store, root) {
                    seen.entry(root).or_default().push(Seen { node: *node, bytes });
                }
            }
        }
        for (root, seen) in seen {
            if seen.len() < nodes.len() {
                let what = format!("{} of {} nodes with the same events see the post {root}", seen.len(), nodes.len());
                self.checks.found.add("view", self.now_ms, what);
            }
            if let Some(what) = difference(&seen) {
                self.checks.found.add("view", self.now_ms, what);
            }
        }
    }

    /// Nodes with equal sets have equal digests, and what they told is what is stored.
    fn compare_digests(&mut self) {
        for board in self.boards.clone() {
            let mut digests: BTreeMap<u128, BTreeSet<Vec<u8>>> = BTreeMap::new();
            for node in self.honest().collect::<Vec<_>>() {
                let Some(running) = &self.nodes[node].running else { continue };
                let digest = running
                    .store
                    .sets(board)
                    .digest(&[7; 32])
                    .map_or_else(|_| Vec::new(), |(_, digest)| digest.to_vec());
                digests.entry(self.checks.known.sum(node, board)).or_default().insert(digest);
                let stored: BTreeSet<EventId> = self.stored_ids(node, board).into_keys().collect();
                if stored != self.checks.known.ids(node, board) {
                    let what = format!("node {node} has told other news than its store has");
                    self.checks.found.add("agree", self.now_ms, what);
                }
            }
            if digests.values().any(|digests| digests.len() > 1) {
                self.checks.found.add("agree", self.now_ms, "equal sets have different digests".into());
            }
        }
    }

    fn check_forgeries(&mut self) {
        for node in self.honest().collect::<Vec<_>>() {
            let Some(running) = &self.nodes[node].running else { continue };
            let mut ids = Vec::new();
            let read = running.store.each_row(|row| {
                ids.push(row.id);
                Ok(())
            });
            if read.is_err() {
                continue;
            }
            for id in ids {
                let Ok(Some(stored)) = running.store.event(&id) else { continue };
                let signed = self.ledger.get(&id).map(|entry| (entry.bytes.as_slice(), entry.header_bytes));
                if let Some(why) = forgery(stored.event.bytes(), signed) {
                    self.checks.found.add("forged", self.now_ms, format!("node {node} holds {id}: {why}"));
                }
            }
        }
    }
}

/// Everything that a node holds of a board, straight from its log.
fn all_items<'a>(store: &EventStore, ids: impl Iterator<Item = &'a EventId>) -> Vec<Item> {
    let item = |event: &Verified| Item {
        id: event.id(),
        author: event.header().author,
        created_ms: event.header().created_ms,
        refs: event.header().refs.clone(),
        kind: event.kind().clone(),
        body: event.body(),
    };
    ids.filter_map(|id| store.event(id).ok().flatten()).map(|stored| item(&stored.event)).collect()
}
