//! The engine: every decision of a node.
//!
//! Owns what is known of peers, running comparisons, wants, deferred events and own deliveries. Synchronous and
//! deterministic: inputs and two clock readings go in, outputs come out; no IO but the store, no clock, no entropy beyond
//! the seed, no libp2p, no tokio. Driven by `runtime`. A failure of the store is answered to whoever asked, and said in
//! the node's notices; nothing that failed is acknowledged.

mod admit;
mod allowance;
mod arrivals;
mod deferred;
mod directory;
mod io;
mod outbox;
mod peers;
mod probes;
mod random;
mod relay;
mod remaking;
mod sync;
#[cfg(test)]
mod tests;
mod traffic;
mod wants;
mod wishes;

pub use admit::{Admitted, Declined, Ignored, Verdict};
pub use arrivals::Bringer;
pub use directory::FoundBoard;
pub use io::{
    Answer, Completeness, Delivery, EmptyIndex, FirstDeliveries, Input, Judgement, Local, Notice, Output, PeerInfo,
    Publication, ReplyTo, SyncSummary, Token, Traffic,
};
pub use probes::MessageName;

use crate::peer::Peer;
use crate::store::{Arrival, EventStore, StoreError};
use admit::Source;
use arrivals::Arrivals;
use deferred::Deferred;
use directory::Directory;
use outbox::Outbox;
use peers::Peers;
use probes::Probes;
use random::Random;
use relay::{Relay, Relays};
use remaking::Remade;
use roda_protocol::event::{Authentic, Kind};
use roda_protocol::gossip;
use roda_protocol::id::{AuthorKey, EventId, NetworkId, SpaceId};
use roda_protocol::keys::Verifier;
use roda_protocol::limits::{AUTHOR_TOPICS, TOPICS_MAX};
use roda_protocol::time::Now;
use roda_protocol::validate::SpaceRules;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use sync::Syncs;
use traffic::Traffics;
use wants::Wants;

/// Time passes at least this often for the engine, milliseconds: the resolution of all its timers.
pub const TICK_MS: u64 = 100;

/// Staged events that are stored in one group: one fsync of the log for all.
const GROUP_EVENTS_MAX: usize = 256;

/// What peers brought is made durable after this at the latest, milliseconds.
pub const FLUSH_MS: u64 = 400;

/// A store that could not be made durable is tried again after this.
const FLUSH_RETRY_MS: u64 = 10_000;

/// A damaged index that could not be replaced is tried again after this.
const INDEX_RETRY_MS: u64 = 10_000;

/// Ids that one statement of completeness names.
pub const MISSING_MAX: usize = 100;

/// Lost events that are counted; a log that lost more is better restored from peers whole.
const LOST_MAX: usize = 100_000;

/// Events without words that are remembered.
const WORDLESS_MAX: usize = 10_000;

/// How often the disk's use is looked at.
const DISK_CHECK_MS: u64 = 10_000;

/// This node's appetite. Protocol limits are not here: they are constants.
#[derive(Clone, Debug)]
pub struct Config {
    /// Leading zero bits of work that this node asks of events by others, above the board's own floor.
    pub work_bits_min: u8,
    /// Bytes on disk beyond which events by others are declined.
    pub disk_bytes_max: u64,
    /// Authors whose events are declined.
    pub denied_authors: BTreeSet<AuthorKey>,
    /// Seed of everything random: salts of comparisons, choice of partners.
    pub seed: [u8; 32],
}

/// A board that is followed.
#[derive(Clone, Debug)]
struct Follow {
    /// `None` while the charter is not here.
    rules: Option<SpaceRules>,
}

/// See the module.
pub struct Engine {
    store: Arc<EventStore>,
    network: NetworkId,
    me: AuthorKey,
    config: Config,
    random: Random,
    follows: BTreeMap<SpaceId, Follow>,
    author_spaces: BTreeMap<SpaceId, AuthorKey>,
    topics: BTreeMap<String, Option<SpaceId>>,
    peers: Peers,
    relays: Relays,
    probes: Probes,
    syncs: Syncs,
    directory: Directory,
    deferred: Deferred,
    wants: Wants,
    outbox: Outbox,
    /// Events whose signatures were checked ahead, for this turn, by their bytes.
    foreseen: BTreeMap<Vec<u8>, Authentic>,
    verifier: Verifier,
    /// An index that is being made.
    remade: Option<Remade>,
    staged: Vec<Arrival>,
    /// Whether own people gave any of them.
    staged_by_own: bool,
    /// When the store was made durable last; later than now, if it failed.
    flushed_ms: u64,
    /// Who brought each staged event.
    senders: Vec<Option<Peer>>,
    arrivals: Arrivals,
    traffics: Traffics,
    /// Known events whose records in the log are damaged.
    lost: BTreeSet<(SpaceId, EventId)>,
    /// Spaces in which others are lost than was said.
    lost_changed: BTreeSet<SpaceId>,
    /// Events whose words have not come along: asked for at each comparison. The index has all of them.
    wordless: BTreeSet<(SpaceId, EventId)>,
    next_token: Token,
    disk_bytes: u64,
    disk_checked_ms: Option<u64>,
    storage_problem: Option<String>,
    wants_index: bool,
    index_asked_ms: Option<u64>,
    counters: BTreeMap<&'static str, u64>,
    out: Vec<Output>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Engine({} follows)", self.follows.len())
    }
}

impl Engine {
    /// An engine over a store. Its first outputs subscribe to what is followed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn new(store: Arc<EventStore>, me: AuthorKey, config: Config) -> Result<(Self, Vec<Output>), StoreError> {
        let mut engine = Self {
            network: store.network(),
            random: Random::new(config.seed),
            probes: Probes::new(config.seed),
            directory: Directory::new(config.seed),
            store,
            me,
            config,
            follows: BTreeMap::new(),
            author_spaces: BTreeMap::new(),
            topics: BTreeMap::new(),
            peers: Peers::default(),
            relays: Relays::default(),
            syncs: Syncs::default(),
            deferred: Deferred::default(),
            wants: Wants::default(),
            outbox: Outbox::default(),
            foreseen: BTreeMap::new(),
            verifier: Verifier::default(),
            remade: None,
            staged: Vec::new(),
            staged_by_own: false,
            flushed_ms: 0,
            senders: Vec::new(),
            arrivals: Arrivals::default(),
            traffics: Traffics::default(),
            lost: BTreeSet::new(),
            lost_changed: BTreeSet::new(),
            wordless: BTreeSet::new(),
            next_token: 1,
            disk_bytes: 0,
            disk_checked_ms: None,
            storage_problem: None,
            wants_index: false,
            index_asked_ms: None,
            counters: BTreeMap::new(),
            out: Vec::new(),
        };
        engine.reload()?;
        let out = engine.outputs();
        Ok((engine, out))
    }

    /// Events that the inputs of the next turn bring, and whose signatures were checked ahead: that takes most of the time,
    /// needs nothing of the engine, and can be done on other threads. Forgotten after the turn.
    pub fn foresee(&mut self, events: Vec<Authentic>) {
        self.foreseen.extend(events.into_iter().map(|event| (event.bytes().to_vec(), event)));
    }

    /// Takes in what happened, in order, and says what is to be done. What the outputs
    /// acknowledge to own people is on disk, and so is what they tell a peer to be held.
    pub fn handle(&mut self, inputs: Vec<Input>, now: Now) -> Vec<Output> {
        let askers = self.traffics.came(&inputs);
        if self.remade.is_some() {
            self.meanwhile(inputs, now);
        } else {
            self.take_turn(inputs, now);
        }
        self.traffics.goes(&self.out, &askers);
        self.outputs()
    }

    /// What is to be done. How complete spaces are comes first: whoever gets an answer may read that at once.
    fn outputs(&mut self) -> Vec<Output> {
        let mut changed = self.syncs.take_compared();
        changed.append(&mut self.wants.take_changed());
        changed.append(&mut self.lost_changed);
        let said = |space| Output::Completeness { space, said: self.completeness(space) };
        let mut out: Vec<Output> = changed.into_iter().map(said).collect();
        out.append(&mut self.out);
        out
    }

    fn take_turn(&mut self, inputs: Vec<Input>, now: Now) {
        // Judgements and answers that say "stored" wait until the group is.
        let mut pending: Vec<(Pending, Verdict)> = Vec::new();
        let mut inputs = inputs.into_iter();
        while let Some(input) = inputs.next() {
            match input {
                Input::Gossip { peer, topic, bytes, delivery } => {
                    let (verdict, relay) = self.gossip(&peer, &topic, &bytes, now);
                    pending.push((Pending::Judge { peer, delivery, relay }, verdict));
                }
                Input::Local { ask: Local::Write { bytes }, reply } => {
                    let verdict = self.admit(&bytes, Source::Own, now);
                    pending.push((Pending::Write { reply, bytes }, verdict));
                }
                other => {
                    self.settle(&mut pending, now);
                    self.other(other, now);
                }
            }
            if self.remade.is_some() {
                // What the set is short of now must not be taken for new.
                return self.meanwhile(inputs.collect(), now);
            }
            if self.staged.len() >= GROUP_EVENTS_MAX {
                self.settle(&mut pending, now);
            }
        }
        self.settle(&mut pending, now);
        self.save_deliveries();
        self.foreseen.clear();
    }

    /// Stores the group and says what became of each of its events.
    fn settle(&mut self, pending: &mut Vec<(Pending, Verdict)>, now: Now) {
        let authors_before = self.author_spaces.len();
        let is_stored = self.commit();
        let is_new_author = self.author_spaces.len() > authors_before;
        for (pending, verdict) in pending.drain(..) {
            let verdict = match verdict {
                Verdict::Admitted(_) if !is_stored => Verdict::Failed,
                verdict => verdict,
            };
            match pending {
                Pending::Judge { peer, delivery, relay } => {
                    // A new author's name is fetched from whoever brought the author.
                    if is_new_author && matches!(verdict, Verdict::Admitted(_)) {
                        self.sync_now(&peer, now);
                    }
                    let judgement = match (relay, verdict.judgement()) {
                        (Relay::Anyway, _) => Judgement::Accept,
                        (Relay::Not, Judgement::Accept) => Judgement::Ignore,
                        (_, judgement) => judgement,
                    };
                    self.out.push(Output::Judge { delivery, judgement });
                }
                Pending::Write { reply, bytes } => {
                    self.reply(reply, Answer::Written(verdict));
                    if let Verdict::Admitted(id) = verdict {
                        self.spread(id, bytes, now);
                    }
                }
            }
        }
    }

    fn other(&mut self, input: Input, now: Now) {
        match input {
            Input::PeerUp { peer, address, network, outbound } => {
                self.directory.peer_up(&peer, network, now);
                self.peer_up(peer, address, outbound, now);
            }
            Input::PeerMoved { peer, address, network, outbound } => {
                self.directory.peer_moved(&peer, network);
                self.peers.moved(&peer, address, outbound);
            }
            Input::PeerDown { peer } => self.peer_down(&peer, now),
            Input::Subscribed { peer, topic } => self.subscribed(&peer, topic, now),
            Input::Unsubscribed { peer, topic } => self.peers.unsubscribed(&peer, &topic),
            Input::Latency { peer, ms } => self.peers.latency(&peer, ms),
            Input::Slow { peer } => self.sync_soon(&peer, now),
            Input::Copies { copies } => self.copies_came(&copies),
            Input::Mesh { peers } => self.meshed(peers),
            Input::Missed => self.syncs.suspect(),
            Input::NetworkRestarted => self.network_restarted(now),
            Input::Asked { peer, body, reply } => self.asked(&peer, &body, reply, now),
            Input::Answered { token, body } => self.answered(token, body.as_deref(), now),
            Input::Published { token, outcome } => self.published(token, outcome, now),
            Input::Local { ask, reply } => self.local(ask, reply, now),
            Input::Tick => self.tick(now),
            Input::Leaving => {
                self.release(true, now);
                self.flush();
            }
            Input::Gossip { .. } => {}
        }
    }

    fn network_restarted(&mut self, now: Now) {
        self.count("network_restarts");
        self.probes.network_restarted();
        for peer in self.peers.names() {
            self.peer_down(&peer, now);
        }
        self.publications_lost(now);
        self.out.extend(self.topics.keys().map(|topic| Output::Subscribe { topic: topic.clone() }));
    }

    fn completeness(&self, space: SpaceId) -> Completeness {
        Completeness {
            missing: self.wants.of(space, MISSING_MAX),
            lost: self.lost.range((space, EventId([0; 32]))..=(space, EventId([0xff; 32]))).count() as u64,
            ..self.syncs.compared(space)
        }
    }

    fn fetch_lost(&mut self) -> Answer {
        match self.store.lost() {
            Ok(lost) => {
                let lost: BTreeSet<_> = lost.into_iter().take(LOST_MAX).collect();
                self.lost_changed.extend(self.lost.symmetric_difference(&lost).map(|(space, _)| *space));
                self.lost = lost;
                self.lost.iter().for_each(|(space, id)| self.wants.add(*space, *id, None));
                Answer::Done
            }
            Err(error) => Answer::Storage(error.to_string()),
        }
    }

    /// Reads from the store what the engine keeps of it, and subscribes to what is followed.
    fn reload(&mut self) -> Result<(), StoreError> {
        self.follows.clear();
        for (space, row) in self.store.spaces()? {
            if row.followed {
                let rules = match row.open_name {
                    Some(_) => Some(SpaceRules::OPEN),
                    None => self.charter_rules(space)?,
                };
                self.follows.insert(space, Follow { rules });
            }
        }
        self.reload_listed()?;
        self.author_spaces.clear();
        self.know_author(self.me);
        for author in self.store.authors()? {
            self.know_author(author);
        }
        self.wordless = self.store.wordless(WORDLESS_MAX, |space| self.is_followed(space))?.into_iter().collect();
        let (store, me) = (Arc::clone(&self.store), self.me);
        self.outbox.reload(&store, me)?;
        self.choose_topics();
        Ok(())
    }

    fn charter_rules(&self, board: SpaceId) -> Result<Option<SpaceRules>, StoreError> {
        let stored = self.store.event(&EventId(board.0))?;
        Ok(stored.and_then(|stored| match stored.event.kind() {
            Kind::Charter(charter) => Some(SpaceRules::of(charter)),
            _ => None,
        }))
    }

    fn know_author(&mut self, author: AuthorKey) {
        self.author_spaces.insert(SpaceId::of_author(author), author);
    }

    /// Subscribes to the busiest boards and to the topics of author spaces; the rest lives on comparison.
    fn choose_topics(&mut self) {
        let mut boards: Vec<(usize, SpaceId)> =
            self.follows.keys().map(|space| (self.store.known().len(*space), *space)).collect();
        boards.sort_unstable_by(|a, b| b.cmp(a));
        boards.truncate(TOPICS_MAX - usize::from(AUTHOR_TOPICS));
        let mut chosen: BTreeMap<String, Option<SpaceId>> =
            gossip::author_topics(&self.network).into_iter().map(|topic| (topic, None)).collect();
        chosen.extend(boards.iter().map(|(_, board)| (gossip::board_topic(&self.network, *board), Some(*board))));
        for topic in self.topics.keys().filter(|topic| !chosen.contains_key(*topic)) {
            self.out.push(Output::Unsubscribe { topic: topic.clone() });
        }
        for topic in chosen.keys().filter(|topic| !self.topics.contains_key(*topic)) {
            self.out.push(Output::Subscribe { topic: topic.clone() });
        }
        self.topics = chosen;
    }

    /// The topic on which events of a space travel.
    fn topic_of(&self, space: SpaceId) -> String {
        if self.author_spaces.contains_key(&space) {
            gossip::author_topic(&self.network, space)
        } else {
            gossip::board_topic(&self.network, space)
        }
    }

    fn is_followed(&self, space: &SpaceId) -> bool {
        self.follows.contains_key(space) || self.author_spaces.contains_key(space)
    }

    /// Whether the index is of no use and another one was asked for.
    fn lacks_index(&mut self, now: Now) -> bool {
        let is_stopped = self.store.has_stopped_index();
        if !self.wants_index && !is_stopped && !self.store.has_damaged_index() {
            return false;
        }
        if self.index_asked_ms.is_none_or(|asked| asked + INDEX_RETRY_MS <= now.steady_ms) {
            self.index_asked_ms = Some(now.steady_ms);
            self.wants_index = false;
            self.out.push(Output::ReplaceIndex);
        }
        !is_stopped
    }

    fn tick(&mut self, now: Now) {
        if self.lacks_index(now) {
            return;
        }
        if self.store.take_found_lost() {
            let _ = self.fetch_lost();
        }
        if self.disk_checked_ms.is_none_or(|checked| checked + DISK_CHECK_MS <= now.steady_ms) {
            self.disk_checked_ms = Some(now.steady_ms);
            self.disk_bytes = self.store.disk_bytes().unwrap_or(self.disk_bytes);
        }
        while let Some(event) = self.deferred.due(now) {
            let _ = self.admit(event.bytes(), Source::Peer(None), now);
        }
        self.commit();
        if self.flushed_ms + FLUSH_MS <= now.steady_ms {
            let pause_ms = if self.flush() { 0 } else { FLUSH_RETRY_MS };
            self.flushed_ms = now.steady_ms + pause_ms;
        }
        self.tick_syncs(now);
        self.tick_directory(now);
        self.tick_probes(now);
        self.tick_wants(now);
        self.tick_outbox(now);
    }

    /// Makes durable what the store took in.
    fn flush(&mut self) -> bool {
        match self.store.flush() {
            Ok(()) => true,
            Err(error) => {
                let _ = self.failed(&error);
                false
            }
        }
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        self.next_token
    }

    fn reply(&mut self, reply: ReplyTo, answer: Answer) {
        self.out.push(Output::Reply { reply, answer });
    }

    fn emit(&mut self, notice: Notice) {
        self.out.push(Output::Emit(notice));
    }

    fn count(&mut self, name: &'static str) {
        *self.counters.entry(name).or_default() += 1;
    }

    fn add(&mut self, name: &'static str, amount: u64) {
        *self.counters.entry(name).or_default() += amount;
    }

    fn all_counters(&self) -> BTreeMap<String, u64> {
        let mut all: BTreeMap<String, u64> =
            self.counters.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        all.insert("deferred".into(), self.deferred.len() as u64);
        all.insert("wanted".into(), self.wants.len() as u64);
        all.insert("fetching".into(), self.syncs.wanted() as u64);
        all.insert("directory".into(), self.directory.len() as u64);
        all.insert("marked".into(), self.probes.marked() as u64);
        all.insert("known".into(), self.store.known().total() as u64);
        all
    }
}

/// Who waits for a group to be stored.
enum Pending {
    Judge { peer: Peer, delivery: Delivery, relay: Relay },
    Write { reply: ReplyTo, bytes: Vec<u8> },
}
