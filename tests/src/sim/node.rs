//! A node: a real engine on a disk in memory, how it starts, and how it goes down.

use super::hostile::Hostile;
use super::scenario::Scenario;
use crate::forge::Forge;
use roda_node::engine::{Completeness, Config, Delivery, Engine, MessageName, Output};
use roda_node::peer::Peer;
use roda_node::store::{EventStore, MemoryIndex, MemoryJournal, StoreError};
use roda_protocol::gossip;
use roda_protocol::id::{NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;
use roda_protocol::time::Now;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What the clocks of a run begin with, unix milliseconds: some day in 2027.
pub(super) const WALL_START_MS: u64 = 1_800_000_000_000;

/// Names of messages that a node's gossip remembers.
const SEEN_MAX: usize = 4096;

/// A fault of the disk that was ordered, and what the node does when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It lives on until somebody starts it again.
    Error,
    /// It is dead on the spot.
    PowerCut,
}

/// A message that waits for its judgement.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) from: usize,
    pub(super) topic: Arc<str>,
    pub(super) bytes: Arc<[u8]>,
}

/// A node of this run, up or down.
pub(super) struct Node {
    pub(super) peer: Peer,
    pub(super) forge: Forge,
    pub(super) hostile: Option<Box<dyn Hostile>>,
    pub(super) skew_ms: i64,
    pub(super) journal: Arc<MemoryJournal>,
    pub(super) index: Arc<MemoryIndex>,
    pub(super) running: Option<Running>,
    pub(super) incarnation: u64,
    pub(super) order: Option<Order>,
    /// Whether its disk failed since it started.
    is_broken: bool,
    seed: u64,
}

/// What a node has while it is up.
pub(super) struct Running {
    pub(super) engine: Engine,
    pub(super) store: Arc<EventStore>,
    /// How complete spaces are, as the engine said last.
    pub(super) statements: BTreeMap<SpaceId, Completeness>,
    pub(super) started_ms: u64,
    pub(super) next_tick_ms: u64,
    pub(super) topics: BTreeSet<String>,
    pub(super) deliveries: BTreeMap<Delivery, Message>,
    pub(super) rejected: BTreeMap<usize, u32>,
    pub(super) next_name: u64,
    pub(super) open_calls: usize,
    /// Whether messages were dropped for lack of room since the engine was told last.
    pub(super) has_missed: bool,
    /// Further copies of messages, of which the engine hears with the next tick.
    pub(super) copies: Vec<(Peer, MessageName)>,
    /// When the engine was told last who is in its meshes.
    pub(super) mesh_told_ms: u64,
    /// The tick in which the last message came, and how many came in it.
    taken: (u64, usize),
    seen: BTreeSet<[u8; 20]>,
    seen_in_order: VecDeque<[u8; 20]>,
}

impl Running {
    /// Whether a message is new to this node's gossip; remembers it.
    pub(super) fn is_first(&mut self, bytes: &[u8]) -> bool {
        let id = gossip::message_id(bytes);
        if !self.seen.insert(id) {
            return false;
        }
        self.seen_in_order.push_back(id);
        if self.seen_in_order.len() > SEEN_MAX
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    /// Whether there is room for one more message within this tick.
    pub(super) fn takes(&mut self, tick: u64, most: usize) -> bool {
        if self.taken.0 != tick {
            self.taken = (tick, 0);
        }
        self.taken.1 += 1;
        self.has_missed |= self.taken.1 > most;
        self.taken.1 <= most
    }

    pub(super) fn name(&mut self) -> u64 {
        self.next_name += 1;
        self.next_name
    }
}

impl Node {
    pub(super) fn new(number: usize, network: NetworkId, seed: u64, skew_ms: i64) -> Self {
        let mut secret = [0x51; 32];
        secret[..8].copy_from_slice(&(number as u64).to_le_bytes());
        Self {
            peer: Peer::new(&format!("node-{number}")),
            forge: Forge::starting_at(network, SecretKey::from_seed(&secret), WALL_START_MS),
            hostile: None,
            skew_ms,
            journal: Arc::new(MemoryJournal::new()),
            index: Arc::new(MemoryIndex::new()),
            running: None,
            incarnation: 0,
            order: None,
            is_broken: false,
            seed: seed.rotate_left(17) ^ number as u64,
        }
    }

    /// This node's clocks at a moment of the run.
    pub(super) fn now(&self, now_ms: u64) -> Now {
        let started_ms = self.running.as_ref().map_or(now_ms, |running| running.started_ms);
        Now { wall_ms: (WALL_START_MS + now_ms).saturating_add_signed(self.skew_ms), steady_ms: now_ms - started_ms }
    }

    /// A moment that this node's clock showed, on the run's own clock.
    pub(super) fn moment(&self, wall_ms: u64) -> u64 {
        wall_ms.saturating_add_signed(-self.skew_ms).saturating_sub(WALL_START_MS)
    }

    /// Opens the store and makes an engine over it; an index that does not fit the log is replaced, as at any start.
    pub(super) fn start(
        &mut self,
        network: NetworkId,
        scenario: &Scenario,
        now_ms: u64,
    ) -> Result<Vec<Output>, StoreError> {
        self.incarnation += 1;
        let (engine, store, outputs) = match self.open(network) {
            Err(error) if error.is_of_index() => {
                self.index = Arc::new(MemoryIndex::new());
                self.open(network)?
            }
            other => other?,
        };
        self.running = Some(Running {
            statements: BTreeMap::new(),
            engine,
            store,
            started_ms: now_ms,
            next_tick_ms: now_ms + scenario.tick_ms,
            topics: BTreeSet::new(),
            deliveries: BTreeMap::new(),
            rejected: BTreeMap::new(),
            next_name: 0,
            open_calls: 0,
            has_missed: false,
            copies: Vec::new(),
            mesh_told_ms: now_ms,
            taken: (0, 0),
            seen: BTreeSet::new(),
            seen_in_order: VecDeque::new(),
        });
        Ok(outputs)
    }

    fn open(&self, network: NetworkId) -> Result<(Engine, Arc<EventStore>, Vec<Output>), StoreError> {
        let (store, _) = EventStore::open(Arc::clone(&self.journal) as _, Arc::clone(&self.index) as _, network)?;
        let store = Arc::new(store);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&self.incarnation.to_le_bytes());
        let config = Config { work_bits_min: 0, disk_bytes_max: u64::MAX, denied_authors: BTreeSet::new(), seed };
        let (engine, outputs) = Engine::new(Arc::clone(&store), self.forge.author(), config)?;
        Ok((engine, store, outputs))
    }

    /// Takes the power away: what was not synced is gone.
    pub(super) fn cut_power(&mut self) {
        self.running = None;
        self.order = None;
        self.is_broken = false;
        self.journal.crash();
        self.index.crash();
    }

    /// Whether an ordered fault has struck since it was asked last.
    pub(super) fn struck(&mut self) -> Option<Order> {
        let order = self.order?;
        if self.journal.awaits_fault() || self.index.awaits_fault() {
            return None;
        }
        self.order = None;
        self.is_broken = true;
        Some(order)
    }

    /// Whether it is up and its disk does what it should: only then can an observer read it, and nobody else's read meets
    /// a fault that was ordered for a write.
    pub(super) fn is_sound(&self) -> bool {
        self.running.is_some() && self.order.is_none() && !self.is_broken
    }

    pub(super) fn is_hostile(&self) -> bool {
        self.hostile.is_some()
    }
}
