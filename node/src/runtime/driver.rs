//! The engine's thread: takes turns from the inbox, lets the engine decide, carries its outputs out. Decides nothing.

use super::Handle;
use super::foresight::{Foresight, Turn};
use super::inbox::Item;
use super::notices::Notices;
use super::statements::Statements;
use crate::engine::{self, Engine, Input, Local, Notice, Output, Publication};
use crate::home::Home;
use crate::network::{self, Command, Event, PublishFailure, group_words};
use roda_protocol::time::Now;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{broadcast, mpsc, oneshot};

/// The wall clock, unix milliseconds.
pub(crate) fn wall_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// What the engine's thread works with.
pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) foresight: Foresight,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) notices: broadcast::Sender<Notice>,
    home: Home,
    deliveries: BTreeMap<u64, network::Delivery>,
    requests: BTreeMap<u64, network::ReplyToken>,
    questions: BTreeMap<u64, oneshot::Sender<engine::Answer>>,
    next_name: u64,
    /// What the network gave up for lack of room, and how much of it the engine was told.
    counters: Arc<network::Counters>,
    messages_missed: u64,
    said: Notices,
    statements: Statements,
    started: Instant,
    last_tick: Instant,
}

impl Driver {
    pub(super) fn new(
        engine: Engine,
        foresight: Foresight,
        handle: &Handle,
        home: Home,
        counters: Arc<network::Counters>,
        said: Notices,
    ) -> Self {
        let now = Instant::now();
        Self {
            engine,
            foresight,
            commands: handle.commands.clone(),
            notices: handle.notices.clone(),
            home,
            deliveries: BTreeMap::new(),
            requests: BTreeMap::new(),
            questions: BTreeMap::new(),
            next_name: 0,
            counters,
            messages_missed: 0,
            said,
            statements: handle.statements.clone(),
            started: now,
            last_tick: now,
        }
    }

    /// Runs until the inbox is closed and empty.
    pub(super) fn run(&mut self, first: Vec<Output>) {
        self.carry_out(first);
        let tick = Duration::from_millis(engine::TICK_MS);
        while let Some(Turn { items, foreseen }) = self.foresight.next(self.patience(tick)) {
            self.engine.foresee(foreseen);
            let mut inputs: Vec<Input> = items.into_iter().filter_map(|item| self.input(item)).collect();
            if self.last_tick.elapsed() >= tick {
                self.last_tick = Instant::now();
                let missed = self.counters.messages_ignored();
                if missed > std::mem::replace(&mut self.messages_missed, missed) {
                    inputs.push(Input::Missed);
                }
                inputs.push(Input::Tick);
            }
            let outputs = self.engine.handle(inputs, self.now());
            self.carry_out(outputs);
        }
        let outputs = self.engine.handle(vec![Input::Leaving], self.now());
        self.carry_out(outputs);
    }

    /// How long to wait for something to do.
    fn patience(&self, tick: Duration) -> Duration {
        if self.engine.has_work(self.now()) { Duration::ZERO } else { tick.saturating_sub(self.last_tick.elapsed()) }
    }

    fn now(&self) -> Now {
        let steady_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { wall_ms: wall_ms(), steady_ms }
    }

    fn name(&mut self) -> u64 {
        self.next_name += 1;
        self.next_name
    }

    fn input(&mut self, item: Item) -> Option<Input> {
        let event = match item {
            Item::Local(ask, reply) => {
                let name = self.name();
                self.questions.insert(name, reply);
                return Some(Input::Local { ask, reply: name });
            }
            Item::Network(event) => event,
        };
        Some(match event {
            Event::PeerUp { peer, address, outbound } => {
                Input::PeerUp { peer, network: group_words(&address), address, outbound }
            }
            Event::PeerMoved { peer, address, outbound } => {
                Input::PeerMoved { peer, network: group_words(&address), address, outbound }
            }
            Event::PeerDown { peer } => Input::PeerDown { peer },
            Event::Subscribed { peer, topic } => Input::Subscribed { peer, topic },
            Event::Unsubscribed { peer, topic } => Input::Unsubscribed { peer, topic },
            Event::Latency { peer, ms } => Input::Latency { peer, ms },
            Event::Message { peer, topic, bytes, delivery } => {
                let name = self.name();
                self.deliveries.insert(name, delivery);
                Input::Gossip { peer, topic, bytes, delivery: name }
            }
            Event::Published { token, result } => Input::Published { token, outcome: outcome(result) },
            Event::Request { peer, body, reply } => {
                let name = self.name();
                self.requests.insert(name, reply);
                Input::Asked { peer, body, reply: name }
            }
            Event::Response { token, result } => Input::Answered { token, body: result.ok() },
            Event::Listening { .. } | Event::NotListening { .. } => return None,
            Event::SlowPeer { peer, .. } => Input::Slow { peer },
            Event::Copies { copies } => Input::Copies { copies },
            Event::Mesh { peers } => Input::Mesh { peers },
            Event::Restarted => Input::NetworkRestarted,
        })
    }

    /// Gives the engine an empty index, which it fills from the log.
    fn replace_index(&mut self) {
        match super::replace_index(&self.home) {
            Ok(empty) => {
                tracing::warn!("the index is damaged or stopped, and is rebuilt from the log");
                let reply = self.name();
                let outputs =
                    self.engine.handle(vec![Input::Local { ask: Local::Rebuild { empty }, reply }], self.now());
                self.carry_out(outputs);
                self.said.add(
                    "the index was damaged, or the disk refused a write of it; it is being rebuilt from the log"
                        .to_owned(),
                );
            }
            Err(error) => tracing::error!(%error, "the index can't be replaced"),
        }
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let command = match output {
                Output::Reply { reply, answer } => {
                    if let Some(question) = self.questions.remove(&reply) {
                        // Whoever asked may have gone.
                        let _ = question.send(answer);
                    }
                    continue;
                }
                Output::Completeness { space, said } => {
                    self.statements.say(space, said);
                    continue;
                }
                Output::Emit(notice) => {
                    // Nobody may be listening.
                    let _ = self.notices.send(notice);
                    continue;
                }
                Output::ReplaceIndex => {
                    self.replace_index();
                    continue;
                }
                Output::Remade { records, damaged } => {
                    self.said.add(format!("the index is whole again: made from {records} records of the log"));
                    if damaged > 0 {
                        self.said.add(super::open::damage(damaged));
                    }
                    continue;
                }
                Output::Judge { delivery, judgement } => {
                    let Some(delivery) = self.deliveries.remove(&delivery) else { continue };
                    Command::Judge { delivery, verdict: judgement }
                }
                Output::Respond { reply, body } => {
                    let Some(reply) = self.requests.remove(&reply) else { continue };
                    Command::Respond { reply, body }
                }
                Output::Publish { topic, bytes, token } => Command::Publish { topic, bytes, token },
                Output::Subscribe { topic } => Command::Subscribe { topic },
                Output::Unsubscribe { topic } => Command::Unsubscribe { topic },
                Output::Request { peer, body, token } => Command::Request { peer, token, body },
                Output::Disconnect { peer, reason } => Command::Disconnect { peer, reason },
                Output::Mark { peer, lacks } => Command::Mark { peer, lacks },
            };
            // The network always drains its commands and never waits for this thread, so waiting here can't deadlock.
            if self.commands.blocking_send(command).is_err() {
                tracing::debug!("the network has ended; an output was dropped");
            }
        }
        // A request whose response the engine chose not to give (a malformed one) is refused by dropping it.
        self.requests.clear();
    }
}

fn outcome(result: Result<(), PublishFailure>) -> Publication {
    match result {
        Ok(()) => Publication::Sent,
        Err(PublishFailure::NoPeers) => Publication::NoPeers,
        Err(_) => Publication::Lost,
    }
}
