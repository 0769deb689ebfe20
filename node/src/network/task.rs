//! The one task that owns the swarm. It takes turns between the swarm, commands and timers; each turn is short.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt;
use libp2p::gossipsub::{MessageAcceptance, PublishError, TopicHash};
use libp2p::request_response::OutboundRequestId;
use libp2p::{PeerId, Swarm};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::address_file;
use super::behaviour::{Behaviour, Means, Names};
use super::circuits::Circuits;
use super::clocks::Clocks;
use super::codec::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};
use super::conduct::Conduct;
use super::connections::Merits;
use super::dialler::{Dial, Dialler};
use super::finding::Finding;
use super::gossip::{self, MESSAGE_BYTES_MAX};
use super::interface::{Command, Delivery, Event, PublishFailure, ReplyToken, RequestFailure, id_of};
use super::outbox::Outbox;
use super::peers::Peers;
use super::proxy::Proxy;
use super::reachability::Reachability;
use super::sources::Sources;
use super::transport::Permits;
use crate::engine::Judgement;
use crate::peer::Peer;

/// Gossipsub's heartbeat forgets to set its alarm (its timer isn't polled again after a reset): in a quiet swarm there
/// was 1 heartbeat in 35 s, and with a tick of this length 34 (measured).
const TICK: Duration = Duration::from_millis(250);
/// How often scores are looked at: as often as the library changes most of them.
const SCORES_INTERVAL: Duration = Duration::from_secs(1);
/// How often the sweeps run and the address book is saved.
const MAINTENANCE: Duration = Duration::from_secs(10);
/// How often the engine is told who is in the meshes: several times in a period of its probes.
const MESH_TOLD: Duration = Duration::from_secs(60);
/// Commands taken in one turn, so that a busy engine doesn't starve the swarm.
const COMMANDS_PER_TURN: usize = 16;
/// Requests of this node that wait for an answer: at most 24 MiB of answers at once.
const REQUESTS_MAX: usize = 64;
/// How long peers are given to hear that this node leaves.
const FAREWELL: Duration = Duration::from_secs(1);

/// Everything the task owns.
pub(super) struct Task {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) names: Names,
    pub(super) peers: Peers,
    pub(super) sources: Sources,
    pub(super) conduct: Conduct,
    pub(super) permits: Permits,
    pub(super) circuits: Circuits,
    pub(super) clocks: Clocks,
    pub(super) reachability: Reachability,
    pub(super) means: Means,
    pub(super) proxy: Option<Proxy>,
    pub(super) dialler: Dialler,
    pub(super) finding: Finding,
    pub(super) merits: Merits,
    pub(super) outbox: Outbox,
    pub(super) requests: BTreeMap<OutboundRequestId, u64>,
    pub(super) scores_seen: Instant,
    pub(super) mesh_told: Instant,
    pub(super) book_file: Option<PathBuf>,
    pub(super) saving: Option<JoinHandle<()>>,
}

impl Task {
    /// Runs until it is told to stop, or until nobody is left who could tell it.
    pub(super) async fn run(mut self, commands: &mut mpsc::Receiver<Command>) {
        let mut tick = tokio::time::interval(TICK);
        let mut maintenance = tokio::time::interval(MAINTENANCE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        maintenance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let goes_on = tokio::select! {
                event = self.swarm.select_next_some() => { self.on_swarm(event); true }
                command = commands.recv(), if self.outbox.takes_commands() => self.on_commands(command, commands),
                _ = tick.tick() => { self.on_tick(); true }
                _ = maintenance.tick() => { self.on_maintenance(); true }
            };
            if !goes_on {
                break;
            }
        }
        self.leave().await;
    }

    /// Takes a turn's worth of commands. Returns whether to go on.
    fn on_commands(&mut self, first: Option<Command>, commands: &mut mpsc::Receiver<Command>) -> bool {
        let mut next = first;
        for left in (0..COMMANDS_PER_TURN).rev() {
            match next {
                None | Some(Command::Shutdown) => return false,
                Some(command) => self.on_command(command),
            }
            if left == 0 {
                break;
            }
            match commands.try_recv() {
                Ok(command) => next = Some(command),
                Err(_) => break,
            }
        }
        true
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Subscribe { topic } => self.subscribe(&topic),
            Command::Unsubscribe { topic } => {
                self.finding.unfollow(&topic);
                gossip::unsubscribe(&mut self.swarm.behaviour_mut().gossip, &topic);
            }
            Command::Publish { topic, bytes, token } => {
                let result = self.publish(topic, bytes);
                self.outbox.answer(&mut self.peers, Event::Published { token, result });
            }
            Command::Judge { delivery, verdict } => self.judge(&delivery, verdict),
            Command::Request { peer, token, body } => self.request(&peer, token, body),
            Command::Respond { reply, body } => self.respond(reply, body),
            Command::Dial { address, reply } => {
                self.pardon(&address);
                let dial = self.dialler.ask(&address, reply, &self.peers, Instant::now());
                dial.into_iter().for_each(|dial| self.dial(dial));
            }
            // Whoever asked may have gone.
            Command::Report { reply } => {
                let report = self.report();
                drop(reply.send(report));
            }
            Command::Vouch { address, until_ms } => self.dialler.vouch(&address, until_ms),
            Command::Disconnect { peer, reason } => {
                id_of(&peer).into_iter().for_each(|id| self.send_away(id, &reason));
            }
            Command::Mark { peer, lacks } => id_of(&peer).into_iter().for_each(|id| self.mark(id, lacks)),
            // The caller has looked for it.
            Command::Shutdown => {}
            #[cfg(test)]
            Command::Panic => panic!("as a test asked for"),
        }
    }

    fn subscribe(&mut self, topic: &str) {
        if let Err(error) = gossip::subscribe(&mut self.swarm.behaviour_mut().gossip, topic) {
            tracing::error!(%error, "a topic could not be joined");
        }
        self.finding.follow(topic);
    }

    fn publish(&mut self, topic: String, bytes: Vec<u8>) -> Result<(), PublishFailure> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(PublishFailure::TooLarge);
        }
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.publish(TopicHash::from_raw(topic), bytes).map(drop).map_err(|error| match error {
            PublishError::NoPeersSubscribedToTopic => PublishFailure::NoPeers,
            PublishError::AllQueuesFull(_) => PublishFailure::QueuesFull,
            PublishError::Duplicate => PublishFailure::Duplicate,
            PublishError::MessageTooLarge => PublishFailure::TooLarge,
            PublishError::SigningError(_) | PublishError::TransformFailed(_) => PublishFailure::Other,
        })
    }

    /// Settles a message. The library says when it had forgotten it; then there is nothing left to settle.
    pub(super) fn judge(&mut self, delivery: &Delivery, verdict: Judgement) {
        let acceptance = match verdict {
            Judgement::Accept => {
                if self.peers.is_connected(&delivery.0.source) {
                    self.merits.accepted(delivery.0.source);
                }
                MessageAcceptance::Accept
            }
            Judgement::Ignore => MessageAcceptance::Ignore,
            Judgement::Reject => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&delivery.0.message, &delivery.0.source, acceptance);
        if verdict == Judgement::Reject {
            self.rejected(delivery.0.source);
        }
    }

    fn rejected(&mut self, peer: PeerId) {
        let score = self.conduct.rejected(peer, Instant::now());
        self.swarm.behaviour_mut().gossip.set_application_score(&peer, score);
    }

    fn mark(&mut self, peer: PeerId, lacks: bool) {
        let score = self.conduct.lacks(peer, lacks, Instant::now());
        self.swarm.behaviour_mut().gossip.set_application_score(&peer, score);
    }

    /// Sends those away whom gossip doesn't listen to any more: what they send would still be read and decoded.
    fn send_away_graylisted(&mut self) {
        for (peer, count) in self.swarm.behaviour_mut().gossip.take_strangers() {
            (0..count).for_each(|_| self.rejected(peer));
        }
        let Behaviour { gossip, doors, .. } = self.swarm.behaviour();
        let is_graylisted = |peer: &&PeerId| {
            gossip.peer_score(peer).is_some_and(|score| score < gossip::GRAYLIST) && !doors.is_wanted(peer)
        };
        let graylisted: Vec<PeerId> = self.swarm.connected_peers().filter(is_graylisted).copied().collect();
        for peer in graylisted {
            self.send_away(peer, "it sends forged messages, or promises of messages that don't come");
        }
    }

    fn request(&mut self, peer: &Peer, token: u64, body: Vec<u8>) {
        let connected = id_of(peer).filter(|peer| self.swarm.is_connected(peer));
        let refusal = if body.len() > REQUEST_BYTES_MAX {
            Some(RequestFailure::TooLarge)
        } else if connected.is_none() {
            Some(RequestFailure::NotConnected)
        } else if self.requests.len() >= REQUESTS_MAX {
            Some(RequestFailure::Busy)
        } else {
            None
        };
        if let Some(failure) = refusal {
            return self.outbox.answer(&mut self.peers, Event::Response { token, result: Err(failure) });
        }
        let Some(peer) = connected else { return };
        let request = self.swarm.behaviour_mut().requests.send_request(&peer, body);
        self.requests.insert(request, token);
    }

    fn respond(&mut self, reply: ReplyToken, body: Vec<u8>) {
        if body.len() > RESPONSE_BYTES_MAX {
            tracing::error!(bytes = body.len(), "an answer over the bound was not sent");
            return;
        }
        // An error means that the peer has stopped waiting.
        drop(self.swarm.behaviour_mut().requests.send_response(reply.0, body));
    }

    /// Hangs up on a peer, neither dials it nor lets it in for a while, and is silent about it: whoever comes back under
    /// one name after the other would write this node's log.
    fn send_away(&mut self, peer: PeerId, reason: &str) {
        let time = self.discourage(peer);
        tracing::debug!(%peer, reason, hours = time.as_secs_f32() / 3600.0, "sent away");
        self.outbox.counters.count_sent_away();
        self.hang_up(peer);
    }

    pub(super) fn hang_up(&mut self, peer: PeerId) {
        // An error means that there is no connection, which is what is wanted.
        self.swarm.disconnect_peer_id(peer).unwrap_or_default();
    }

    pub(super) fn dial(&mut self, dial: Dial) {
        let Dial { options, addresses, purpose } = dial;
        let connection = options.connection_id();
        self.dialler.begun(connection, options.get_peer_id(), &addresses, purpose);
        self.permits.begin(connection, &addresses);
        if let Err(error) = self.swarm.dial(options) {
            self.permits.end(connection);
            self.dialler.failed(connection, &error, &self.peers, now_ms());
        }
    }

    /// Ends relayed connections to peers that are connected directly, too: gossip and requests would go on to use them.
    fn close_relayed(&mut self) {
        for connection in self.peers.needlessly_relayed(Instant::now()) {
            self.swarm.close_connection(connection);
        }
    }

    fn on_tick(&mut self) {
        self.outbox.flush(&mut self.peers);
        if self.scores_seen.elapsed() >= SCORES_INTERVAL {
            self.scores_seen = Instant::now();
            self.send_away_graylisted();
        }
        self.tell_copies();
        if self.mesh_told.elapsed() >= MESH_TOLD {
            self.mesh_told = Instant::now();
            self.tell_mesh();
        }
        self.dialler.expire(Instant::now());
        for peer in self.peers.foreign_due(Instant::now()) {
            self.hang_up(peer);
        }
        self.keep_reachable();
        self.close_relayed();
        self.find_peers();
        for peer in self.dialler.felt(&self.peers, now_ms()) {
            self.hang_up(peer);
        }
        for dial in self.dialler.due(&self.peers, now_ms()) {
            self.dial(dial);
        }
    }

    fn on_maintenance(&mut self) {
        let now = Instant::now();
        for peer in self.peers.unidentified(now) {
            tracing::debug!(%peer, "it never said which network it is of");
            self.hang_up(peer);
        }
        let follows_any = self.swarm.behaviour().gossip.topics().next().is_some();
        for peer in if follows_any { self.peers.silent(now) } else { Vec::new() } {
            tracing::debug!(%peer, "no subscription is known of it; connecting anew");
            self.dialler.recall(peer);
            self.hang_up(peer);
        }
        self.trim();
        self.keep_dht();
        self.save_book();
    }

    fn save_book(&mut self) {
        self.dialler.anchor(&self.peers);
        let Some(path) = self.book_file.clone() else { return };
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) || !self.dialler.book.take_changed() {
            return;
        }
        let bytes = address_file::encode(&self.dialler.book);
        self.saving = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = address_file::save(&path, &bytes) {
                tracing::warn!(path = %path.display(), %error, "the address book was not saved");
            }
        }));
    }

    async fn leave(mut self) {
        if let Some(saving) = self.saving.take() {
            // A panic over there was reported over there.
            drop(saving.await);
        }
        self.save_book();
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.hang_up(peer);
        }
        let gone = async {
            while self.swarm.network_info().connection_counters().num_connections() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        // Whoever doesn't hang up in time is left with a closed socket.
        drop(tokio::time::timeout(FAREWELL, gone).await);
        if let Some(saving) = self.saving.take() {
            drop(saving.await);
        }
    }
}

/// Unix milliseconds. A clock before 1970 counts as 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
