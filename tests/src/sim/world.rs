//! One run: nodes, links, a plan of what is to happen, one stream of random numbers, and no clock but the plan's.

use super::calls::Calls;
use super::check::{Checks, Violation};
use super::faults::Cuts;
use super::hostile::{Act, Hand, Hostile};
use super::ledger::Ledger;
use super::links::Links;
use super::node::{Node, Order};
use super::plan::{Event, Plan};
use super::readings::Readings;
use super::scenario::{Sabotage, Scenario, Weather};
use super::spread::Queues;
use super::trace::Trace;
use crate::chance::Chance;
use roda_node::engine::{EmptyIndex, Input, Local, Notice, Output, TICK_MS};
use roda_node::peer::Peer;
use roda_node::store::MemoryIndex;
use roda_protocol::gossip;
use roda_protocol::id::{NetworkId, SpaceId};
use std::sync::Arc;

/// A round of anti-entropy, milliseconds: the engine's own period.
pub(super) const ROUND_MS: u64 = 60_000;

/// How often an engine is told who is in its meshes, milliseconds, as by the network.
const MESH_TOLD_MS: u64 = 60_000;

/// How often a hostile node acts on its own account, milliseconds.
const HOSTILE_MS: u64 = 1000;

/// A node whose disk failed is started again after this, milliseconds.
const REPAIR_MS: u64 = 15_000;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The hash over everything that was delivered.
    pub trace: String,
    /// What the observers saw that must not be.
    pub violations: Vec<Violation>,
    /// Milliseconds from the end of the faults until all honest nodes agreed; `None`: they never did.
    pub agreed_ms: Option<u64>,
    /// Events that honest nodes hold in the end.
    pub events: usize,
    /// Messages, requests and answers that were delivered.
    pub deliveries: u64,
    /// Virtual time, milliseconds.
    pub lasted_ms: u64,
    /// Hostile nodes of which some honest one noted that they lack what others bring.
    pub marked: usize,
}

impl Report {
    /// Rounds from the end of the faults until all honest nodes agreed.
    #[must_use]
    pub fn rounds(&self) -> Option<u64> {
        self.agreed_ms.map(|ms| ms.div_ceil(ROUND_MS))
    }

    /// The one command that replays the run with its trace.
    #[must_use]
    pub fn replay(&self) -> String {
        let (seed, scenario) = (self.seed, &self.scenario);
        format!("cargo run --release -p roda-tests --bin sim -- --seed {seed} --scenario {scenario} --trace")
    }
}

/// See the module.
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) network: NetworkId,
    pub(super) chance: Chance,
    pub(super) now_ms: u64,
    pub(super) plan: Plan,
    pub(super) trace: Trace,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Links,
    pub(super) weather: Weather,
    pub(super) cuts: Cuts,
    pub(super) calls: Calls,
    pub(super) queues: Queues,
    pub(super) boards: Vec<SpaceId>,
    pub(super) ledger: Ledger,
    pub(super) checks: Checks,
    pub(super) readings: Readings,
    /// When the faults ended, and all writing.
    pub(super) quiet_ms: Option<u64>,
    pub(super) looked_ms: Option<u64>,
    pub(super) agreed_ms: Option<u64>,
    pub(super) is_over: bool,
}

/// Runs a scenario from a seed, and prints a line for each delivery if told to.
#[must_use]
pub fn run(scenario: &Scenario, seed: u64, prints: bool) -> Report {
    let mut world = World::new(scenario, seed, prints);
    world.set_up();
    while !world.is_over
        && let Some((at_ms, event)) = world.plan.next()
    {
        world.now_ms = at_ms;
        world.happen(event);
    }
    world.report(seed)
}

impl World {
    fn new(scenario: &Scenario, seed: u64, prints: bool) -> Self {
        let network = NetworkId::of("simulation");
        let mut chance = Chance::from_seed(seed);
        let mut honest: Vec<usize> = (1..scenario.nodes).collect();
        chance.shuffle(&mut honest);
        let hostile = honest.split_off(honest.len() - scenario.hostile.len().min(honest.len()));
        honest.push(0);
        honest.sort_unstable();
        let mut nodes = Vec::with_capacity(scenario.nodes);
        for number in 0..scenario.nodes {
            let skew = i64::try_from(chance.between(0, 2 * scenario.skew_ms + 1)).unwrap_or(0);
            let skew_ms = skew - i64::try_from(scenario.skew_ms).unwrap_or(0);
            nodes.push(Node::new(number, network, seed, skew_ms));
        }
        for (number, behaviour) in hostile.iter().zip(&scenario.hostile) {
            nodes[*number].hostile = Some(behaviour.make());
        }
        let links = Links::new(scenario, &honest, &mut chance);
        Self {
            scenario: scenario.clone(),
            network,
            now_ms: 0,
            plan: Plan::default(),
            trace: Trace::new(prints),
            checks: Checks::new(scenario.nodes),
            readings: Readings::default(),
            nodes,
            links,
            weather: scenario.weather,
            cuts: Cuts::default(),
            calls: Calls::default(),
            queues: Queues::default(),
            boards: Vec::new(),
            ledger: Ledger::default(),
            quiet_ms: None,
            looked_ms: None,
            agreed_ms: None,
            is_over: false,
            chance,
        }
    }

    fn report(self, seed: u64) -> Report {
        let first = self.honest().next().unwrap_or(0);
        Report {
            scenario: self.scenario.name.clone(),
            seed,
            trace: self.trace.hash(),
            agreed_ms: self.agreed_ms,
            events: self.checks.known.total(first),
            deliveries: self.trace.deliveries(),
            lasted_ms: self.now_ms,
            marked: self.checks.conduct.marked_hostile(),
            violations: self.checks.into_violations(),
        }
    }

    /// The honest nodes.
    pub(super) fn honest(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|node| !self.nodes[*node].is_hostile())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { node } => self.start(node),
            Event::Leave { node } => self.leave(node),
            Event::Crash { node } => self.crash(node),
            Event::Tick { node, incarnation } => self.tick(node, incarnation),
            Event::Input { node, incarnation, input } => {
                if self.nodes[node].incarnation == incarnation {
                    self.feed(node, vec![input]);
                }
            }
            Event::Dial { link } => self.dial(link),
            Event::PingCheck { link, blocked_since_ms } => self.ping_check(link, blocked_since_ms),
            Event::Gossip { from, to, connection, topic, bytes } => self.gossiped(from, to, connection, topic, bytes),
            Event::Ask { call, body } => self.asked(call, body),
            Event::Answer { call, body } => self.answered(call, body),
            Event::Timeout { call } => self.timed_out(call),
            Event::Write { node } => self.write(node),
            Event::Cut { cut } => self.cut(cut),
            Event::Heal { cut } => self.heal(cut),
            Event::Clog { link, until_ms } => self.clog(link, until_ms),
            Event::BreakDisk { node, nth, of_index, is_power_cut } => {
                self.break_disk(node, nth, of_index, is_power_cut);
            }
            Event::LoseIndex { node } => self.lose_index(node),
            Event::Quiet => self.quiet(),
            Event::Look => self.look(),
        }
    }

    /// Gives inputs to a node's engine, and carries out what it says. It has something to do: its time passes faster.
    pub(super) fn feed(&mut self, at: usize, inputs: Vec<Input>) {
        self.turn(at, inputs);
        self.tick_soon(at);
    }

    fn turn(&mut self, at: usize, inputs: Vec<Input>) {
        let node = &mut self.nodes[at];
        let now = node.now(self.now_ms);
        let Some(running) = &mut node.running else { return };
        let outputs = running.engine.handle(inputs, now);
        match node.struck() {
            // It died before it could say any of this.
            Some(Order::PowerCut) => {
                self.trace.say(self.now_ms, || format!("node {at} loses power in the middle of a write"));
                return self.crash(at);
            }
            Some(Order::Error) => {
                self.trace.say(self.now_ms, || format!("a disk of node {at} fails"));
                self.checks.known.broke(at, self.now_ms);
                self.plan.at(self.now_ms + REPAIR_MS, Event::Crash { node: at });
            }
            None => {}
        }
        self.carry_out(at, outputs);
    }

    /// A busy node's time passes at the engine's own pace.
    fn tick_soon(&mut self, at: usize) {
        let incarnation = self.nodes[at].incarnation;
        let Some(running) = &mut self.nodes[at].running else { return };
        if running.next_tick_ms > self.now_ms + TICK_MS {
            running.next_tick_ms = self.now_ms + TICK_MS;
            self.plan.at(running.next_tick_ms, Event::Tick { node: at, incarnation });
        }
    }

    fn tick(&mut self, at: usize, incarnation: u64) {
        let tick_ms = self.scenario.tick_ms;
        let node = &mut self.nodes[at];
        let Some(running) = &mut node.running else { return };
        if node.incarnation != incarnation || running.next_tick_ms != self.now_ms {
            return;
        }
        running.next_tick_ms = self.now_ms + tick_ms;
        let has_missed = std::mem::take(&mut running.has_missed);
        let copies = std::mem::take(&mut running.copies);
        let tells_mesh = running.mesh_told_ms + MESH_TOLD_MS <= self.now_ms;
        if tells_mesh {
            running.mesh_told_ms = self.now_ms;
        }
        self.plan.at(running.next_tick_ms, Event::Tick { node: at, incarnation });
        if self.now_ms % HOSTILE_MS < tick_ms.min(HOSTILE_MS) {
            self.with_hostile(at, |hostile, hand| hostile.ticks(hand));
        }
        let missed = has_missed.then_some(Input::Missed);
        let copies = (!copies.is_empty()).then_some(Input::Copies { copies });
        let mesh = tells_mesh.then(|| Input::Mesh { peers: self.neighbours_of(at) });
        self.turn(at, missed.into_iter().chain(copies).chain(mesh).chain([Input::Tick]).collect());
    }

    /// Connected nodes, by name: in this model gossip passes a message on to any of them.
    fn neighbours_of(&self, at: usize) -> Vec<Peer> {
        self.links.neighbours(at).into_iter().map(|node| self.nodes[node].peer.clone()).collect()
    }

    pub(super) fn carry_out(&mut self, at: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Judge { delivery, judgement } => self.judged(at, delivery, judgement),
                Output::Publish { topic, bytes, token } => self.publish(at, &topic, bytes, token),
                Output::Subscribe { topic } => self.subscription(at, topic, true),
                Output::Unsubscribe { topic } => self.subscription(at, topic, false),
                Output::Request { peer, body, token } => {
                    let to = self.number_of(&peer);
                    match self.with_hostile(at, |hostile, hand| hostile.asks(to, body.clone(), hand)) {
                        None => self.ask(at, to, Some(token), body),
                        Some(Some(other)) => self.ask(at, to, Some(token), other),
                        Some(None) => {}
                    }
                }
                Output::Respond { reply, body } => self.respond(at, reply, body),
                Output::Disconnect { peer, reason } => self.disconnected(at, &peer, &reason),
                Output::Mark { peer, lacks } => self.marked(at, &peer, lacks),
                Output::Reply { answer, .. } => self.replied(at, answer),
                Output::ReplaceIndex => {
                    self.nodes[at].index = Arc::new(MemoryIndex::new());
                    let empty = EmptyIndex(Arc::clone(&self.nodes[at].index) as _);
                    self.ask_engine(at, Local::Rebuild { empty });
                }
                Output::Completeness { space, said } => {
                    if let Some(running) = &mut self.nodes[at].running {
                        running.statements.insert(space, said);
                    }
                }
                Output::Remade { .. } => {}
                Output::Emit(Notice::Delivered { id, held_by }) if !self.nodes[at].is_hostile() => {
                    self.delivered(at, id, held_by);
                }
                Output::Emit(notice) => self.checks.known.told(at, &notice, self.now_ms),
            }
        }
    }

    /// A question of a node's own people; it is answered in its turn.
    pub(super) fn ask_engine(&mut self, at: usize, ask: Local) {
        let incarnation = self.nodes[at].incarnation;
        let input = Input::Local { ask, reply: 0 };
        self.plan.at(self.now_ms, Event::Input { node: at, incarnation, input });
    }

    fn disconnected(&mut self, by: usize, peer: &Peer, reason: &str) {
        let whom = self.number_of(peer);
        self.trace.say(self.now_ms, || format!("node {by} disconnects node {whom}: {reason}"));
        if !self.nodes[by].is_hostile() {
            self.checks.conduct.banned(by, whom, self.nodes[whom].is_hostile(), reason, self.now_ms);
        }
        self.shun(by, whom);
    }

    fn marked(&mut self, by: usize, peer: &Peer, lacks: bool) {
        let whom = self.number_of(peer);
        self.trace
            .say(self.now_ms, || format!("node {by} notes of node {whom} that it lacks what others bring: {lacks}"));
        let is_hostile = self.nodes[whom].is_hostile();
        if !self.nodes[by].is_hostile() && lacks {
            self.checks.conduct.marked(by, whom, is_hostile, self.now_ms);
        }
    }

    fn subscription(&mut self, at: usize, topic: String, listens: bool) {
        let Some(running) = &mut self.nodes[at].running else { return };
        if listens {
            running.topics.insert(topic.clone());
        } else {
            running.topics.remove(&topic);
        }
        let peer = self.nodes[at].peer.clone();
        for to in self.links.neighbours(at) {
            let (peer, topic) = (peer.clone(), topic.clone());
            let input = if listens { Input::Subscribed { peer, topic } } else { Input::Unsubscribed { peer, topic } };
            let incarnation = self.nodes[to].incarnation;
            self.plan.at(self.now_ms + self.weather.latency_ms, Event::Input { node: to, incarnation, input });
        }
    }

    pub(super) fn number_of(&self, peer: &Peer) -> usize {
        let number = peer.as_str().strip_prefix("node-").and_then(|number| number.parse().ok());
        number.expect("every peer of a run is one of its nodes")
    }

    /// How long a message takes that leaves now; `None`: it does not arrive.
    pub(super) fn way(&mut self, from: usize, to: usize, loss: u32) -> Option<u64> {
        self.links.way(from, to, self.now_ms, &self.weather, loss, &mut self.chance)
    }

    /// Lets a hostile node decide; `None` if the node is honest. What it signs goes into the ledger, and what it does on
    /// its own account is sent.
    pub(super) fn with_hostile<T>(
        &mut self,
        at: usize,
        decide: impl FnOnce(&mut dyn Hostile, &mut Hand<'_>) -> T,
    ) -> Option<T> {
        let mut hostile = self.nodes[at].hostile.take()?;
        let neighbours = self.links.neighbours(at);
        let places: Vec<_> = self.ledger.places.iter().map(|place| (place.board, place.root, place.id)).collect();
        let node = &mut self.nodes[at];
        let mut hand = Hand {
            wall_ms: node.now(self.now_ms).wall_ms,
            chance: &mut self.chance,
            forge: &mut node.forge,
            boards: &self.boards,
            places: &places,
            neighbours: &neighbours,
            is_quiet: self.quiet_ms.is_some(),
            acts: Vec::new(),
            signed: Vec::new(),
        };
        let decision = decide(&mut *hostile, &mut hand);
        let (acts, signed) = (hand.acts, hand.signed);
        self.nodes[at].hostile = Some(hostile);
        if self.scenario.sabotage != Some(Sabotage::LedgerForgets) {
            signed.iter().for_each(|event| self.ledger.add(event));
        }
        for act in acts {
            match act {
                Act::Gossip { to, board, bytes } => {
                    let topic: Arc<str> = gossip::board_topic(&self.network, board).into();
                    self.send_gossip(at, to, &topic, &bytes.into());
                }
                Act::Ask { to, body } => self.ask(at, to, None, body),
            }
        }
        Some(decision)
    }
}
