//! Whom to dial, for whom, and what became of it.
//!
//! Reasons to dial: someone asked, an address is kept for ever, the address book knows peers and there are too few
//! connections, there are hardly any and addresses to begin with are configured, or a peer is tried for a moment (a
//! *feeler*), so that the book says what is there. It is told of every dial's fate and owns the address book; it never
//! touches the swarm.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use super::addresses::{ANCHORS_MAX, AddressBook, Chosen, backoff};
use super::peers::Peers;
use super::reach::{Group, Reach, Via, group, reach, route, split};
use super::reason;
use crate::peer::Peer;

/// Peers that this node wants to have chosen by itself: whoever wants to surround it must be in its book, not only
/// knock. Twice what a topic's mesh needs.
const OUTBOUND_TARGET: usize = 8;
/// In how long a dial that was asked for is answered.
pub(super) const ASKED_TIMEOUT: Duration = Duration::from_secs(10);
/// Dials that were asked for and aren't answered yet.
const ASKED_MAX: usize = 32;
/// How long a peer that somebody asked for keeps its place.
const ASKED_LASTS_MS: u64 = 3600 * 1000;
/// After a kept address was reached, how long until it is dialled again at the earliest.
const KEPT_REST_MS: u64 = 5_000;

/// With so many peers the configured addresses to begin with aren't needed.
const ENOUGH_PEERS: usize = 4;
/// How long a book that knows peers comes first after a start: no address to begin with is leaned on needlessly.
const BOOK_FIRST_MS: u64 = 10_000;
/// How often a peer is tried for a moment (Bitcoin Core: 2 min).
const FEELER_INTERVAL_MS: u64 = 120_000;
/// How long such a connection lasts: time to ask one another about peers.
const FEELER_LASTS_MS: u64 = 5_000;

/// Failures that are remembered for people.
const FAILURES_MAX: usize = 16;

/// Whom to tell about an asked dial.
pub(super) type Reply = oneshot::Sender<Result<Peer, String>>;

/// Why a dial was made.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Someone waits for it.
    Asked { reply: Reply, deadline: Instant },
    /// The address with this index is kept.
    Kept(usize),
    /// There are too few connections.
    Book,
    /// To see whether somebody is there.
    Feeler,
    /// It is said to follow a board of this node's, or there is nobody else.
    Met,
    /// It is connected through a relay and says where it can be reached without.
    Straight,
}

/// A dial to make.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) options: DialOpts,
    /// What it may lead to.
    pub(super) addresses: Vec<Multiaddr>,
    pub(super) purpose: Purpose,
}

#[derive(Debug)]
struct Pending {
    /// The peer that is expected, or was found.
    peer: Option<PeerId>,
    group: Option<Group>,
    established: bool,
    purpose: Purpose,
}

/// An address that is dialled whenever it isn't connected.
#[derive(Debug)]
struct Kept {
    address: Multiaddr,
    expected: Option<PeerId>,
    /// Whether it is one to begin with: dialled while there are hardly any peers, and not kept.
    is_first: bool,
    /// Who was there last.
    current: Option<PeerId>,
    failures: u32,
    next_ms: u64,
}

/// The dials under way, the kept addresses and the address book.
#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) book: AddressBook,
    local: PeerId,
    seed: [u8; 32],
    kept: Vec<Kept>,
    pending: BTreeMap<ConnectionId, Pending>,
    /// When the configured addresses to begin with may be dialled; unknown until the first turn.
    begin_ms: Option<u64>,
    next_feeler_ms: u64,
    /// Peers that were tried for a moment, and since when they are connected.
    feelers: BTreeMap<PeerId, u64>,
    /// Peers that somebody has asked for and got, and when.
    asked: BTreeMap<PeerId, u64>,
    /// Connected peers that this node has chosen from the book, or that a person has. Others may be connected because a
    /// lookup led to them, which is what others have chosen.
    chosen: BTreeMap<PeerId, Option<Group>>,
    /// Where no one was reached, and why; newest last.
    failures: VecDeque<(String, String)>,
}

impl Dialler {
    pub(super) fn new(
        local: PeerId,
        seed: [u8; 32],
        book: AddressBook,
        kept: Vec<Multiaddr>,
        first: Vec<Multiaddr>,
    ) -> Self {
        let keep = |(address, is_first)| {
            let (address, expected) = split(address);
            Kept { address, expected, is_first, current: expected, failures: 0, next_ms: 0 }
        };
        let kept = kept.into_iter().map(|address| (address, false));
        let kept = kept.chain(first.into_iter().map(|address| (address, true)));
        Self {
            book,
            local,
            seed,
            kept: kept.map(keep).collect(),
            pending: BTreeMap::new(),
            begin_ms: None,
            next_feeler_ms: 0,
            feelers: BTreeMap::new(),
            asked: BTreeMap::new(),
            chosen: BTreeMap::new(),
            failures: VecDeque::new(),
        }
    }

    /// Prepares a dial that someone asked for; none when it can be answered at once.
    pub(super) fn ask(&mut self, address: &str, reply: Reply, peers: &Peers, now: Instant) -> Option<Dial> {
        let (address, expected) = match address.parse() {
            Ok(address) => split(address),
            Err(_) => return answer(reply, Err(reason::not_an_address(address))),
        };
        if expected == Some(self.local) {
            return answer(reply, Err("this is the node's own address".to_owned()));
        }
        if let Some(peer) = expected.filter(|peer| peers.is_up(peer)) {
            return answer(reply, Ok(peer.into()));
        }
        let asked = self.pending.values().filter(|pending| matches!(pending.purpose, Purpose::Asked { .. }));
        if asked.count() >= ASKED_MAX {
            return answer(reply, Err("too many dials are under way; try again in ten seconds".to_owned()));
        }
        if let Some(peer) = expected {
            self.book.pardon(peer);
        }
        // Always: a dial or a half-open connection that is under way may have been to another address.
        let purpose = Purpose::Asked { reply, deadline: now + ASKED_TIMEOUT };
        Some(dial(expected, vec![address], PeerCondition::Always, purpose))
    }

    /// Notes an address that a person was given.
    pub(super) fn vouch(&mut self, address: &str, until_ms: u64) {
        if let Ok((address, Some(peer))) = address.parse().map(split) {
            self.book.vouch(peer, address, until_ms);
        }
    }

    /// The dials that are worth making now.
    pub(super) fn due(&mut self, peers: &Peers, now_ms: u64) -> Vec<Dial> {
        let patience_ms = if self.book.counts().reached > 0 { BOOK_FIRST_MS } else { 0 };
        let begin_ms = *self.begin_ms.get_or_insert(now_ms.saturating_add(patience_ms));
        let begins = now_ms >= begin_ms && peers.count() < ENOUGH_PEERS;
        let mut dials: Vec<_> = self
            .kept
            .iter()
            .enumerate()
            .filter_map(|(index, kept)| {
                let connected = kept.current.is_some_and(|peer| peers.is_connected(&peer));
                let under_way =
                    self.pending.values().any(|other| matches!(other.purpose, Purpose::Kept(i) if i == index));
                if connected || under_way || kept.next_ms > now_ms || (kept.is_first && !begins) {
                    return None;
                }
                let condition = PeerCondition::DisconnectedAndNotDialing;
                Some(dial(kept.expected, vec![kept.address.clone()], condition, Purpose::Kept(index)))
            })
            .collect();
        let counts = |other: &&Pending| matches!(other.purpose, Purpose::Kept(_) | Purpose::Book);
        let under_way = self.pending.values().filter(counts).count();
        let missing = OUTBOUND_TARGET.saturating_sub(self.chosen.len() + under_way + dials.len());
        let chosen = self.taken();
        let busy = self.busy(peers);
        let due = self.book.due(now_ms, missing, chosen, |peer| busy.contains(peer));
        dials.extend(due.into_iter().map(|(peer, addresses)| {
            dial(Some(peer), addresses, PeerCondition::DisconnectedAndNotDialing, Purpose::Book)
        }));
        let is_lonely = peers.count() + self.pending.len() < ENOUGH_PEERS;
        if missing > 0 && dials.is_empty() && is_lonely {
            // Nobody else is left: a second peer of a group is better than none. It doesn't stand for a choice.
            dials.extend(self.book.due(now_ms, 1, Chosen::default(), |peer| busy.contains(peer)).into_iter().map(
                |(peer, addresses)| dial(Some(peer), addresses, PeerCondition::DisconnectedAndNotDialing, Purpose::Met),
            ));
        }
        if missing == 0 && now_ms >= self.next_feeler_ms {
            self.next_feeler_ms = now_ms.saturating_add(FEELER_INTERVAL_MS);
            dials.extend(self.book.feeler(now_ms, |peer| busy.contains(peer)).map(|(peer, addresses)| {
                dial(Some(peer), addresses, PeerCondition::DisconnectedAndNotDialing, Purpose::Feeler)
            }));
        }
        dials
    }

    /// A dial to a certain peer of the book, beyond those that there are for their number; none if it is not due.
    pub(super) fn meet(&self, peer: PeerId, peers: &Peers, now_ms: u64) -> Option<Dial> {
        let addresses = self.book.addresses_if_due(&peer, now_ms).filter(|_| !self.busy(peers).contains(&peer))?;
        Some(dial(Some(peer), addresses, PeerCondition::DisconnectedAndNotDialing, Purpose::Met))
    }

    /// A dial to a peer that is connected through a relay, at the addresses where it says that it is reached; none while it
    /// is being dialled. Hole punching does not do this: there both sides dial, and where only one of them is behind a router
    /// they end up in the same role.
    pub(super) fn straight(&self, peer: PeerId, addresses: Vec<Multiaddr>) -> Option<Dial> {
        let is_under_way = self.pending.values().any(|pending| pending.peer == Some(peer));
        let is_due = !addresses.is_empty() && !is_under_way;
        is_due.then(|| dial(Some(peer), addresses, PeerCondition::Always, Purpose::Straight))
    }

    /// Whether this node lacks connections of its own choice.
    pub(super) fn lacks_peers(&self) -> bool {
        self.chosen.len() < OUTBOUND_TARGET
    }

    /// Who is connected, or about to be, by this node's choice.
    fn taken(&self) -> Chosen {
        let under_way = self.pending.values().filter(|other| matches!(other.purpose, Purpose::Book));
        let under_way = under_way.map(|other| other.group);
        let mut chosen = Chosen::default();
        for group in self.chosen.values().copied().chain(under_way) {
            match group {
                Some(group) => drop(chosen.groups.insert(group)),
                None => chosen.near += 1,
            }
        }
        chosen
    }

    /// Peers that the book needn't name: they are connected, being dialled or kept.
    fn busy(&self, peers: &Peers) -> BTreeSet<PeerId> {
        let kept = self.kept.iter().filter(|kept| !kept.is_first).filter_map(|kept| kept.expected);
        let under_way = self.pending.values().filter_map(|pending| pending.peer);
        peers.connected().copied().chain(kept).chain(under_way).collect()
    }

    /// Whether a connection to this peer is wanted for its own sake: this node has chosen it, an address that leads to it is kept, somebody has
    /// lately asked for it, or it was connected before the restart.
    pub(super) fn is_kept(&self, peer: &PeerId, now_ms: u64) -> bool {
        let is_kept = |kept: &Kept| !kept.is_first && kept.current == Some(*peer);
        let asked_ms = self.asked.get(peer).copied();
        self.chosen.contains_key(peer)
            || self.kept.iter().any(is_kept)
            || asked_ms.is_some_and(|asked_ms| now_ms.saturating_sub(asked_ms) < ASKED_LASTS_MS)
            || self.book.anchors().contains(peer)
    }

    /// Feelers that have done their work and aren't needed.
    pub(super) fn felt(&mut self, peers: &Peers, now_ms: u64) -> Vec<PeerId> {
        let is_done = |since_ms: u64| now_ms.saturating_sub(since_ms) >= FEELER_LASTS_MS;
        let done: Vec<_> =
            self.feelers.extract_if(.., |_, since_ms| is_done(*since_ms)).map(|(peer, _)| peer).collect();
        let mut spare = Vec::new();
        for peer in done.into_iter().filter(|peer| peers.is_connected(peer)) {
            let group = peers.ends(&peer).find_map(group);
            let is_wanted = self.lacks_peers() && group.is_some_and(|group| !self.taken().groups.contains(&group));
            if is_wanted {
                self.chosen.insert(peer, group);
            } else {
                spare.push(peer);
            }
        }
        spare
    }

    /// Remembers whom to dial first after a restart.
    pub(super) fn anchor(&mut self, peers: &Peers) {
        let mut groups = BTreeSet::new();
        let mut anchors = Vec::new();
        for (peer, group) in peers.oldest_outbound() {
            if self.chosen.contains_key(&peer)
                && anchors.len() < ANCHORS_MAX
                && group.is_none_or(|group| groups.insert(group))
            {
                anchors.push(peer);
            }
        }
        self.book.anchor(anchors);
    }

    /// Notes that a dial has begun.
    pub(super) fn begun(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        purpose: Purpose,
    ) {
        let group = addresses.iter().find_map(group);
        self.pending.insert(connection, Pending { peer, group, established: false, purpose });
    }

    /// Notes whom a dial has led to.
    pub(super) fn established(&mut self, connection: ConnectionId, peer: PeerId) {
        if let Some(pending) = self.pending.get_mut(&connection) {
            pending.peer = Some(peer);
            pending.established = true;
        }
    }

    /// Settles every dial to a peer that has shown to be of this network. `dialled` is the address of the connection,
    /// when this node opened it.
    pub(super) fn identified(&mut self, peer: PeerId, dialled: Option<&Multiaddr>, now_ms: u64) {
        if let Some(address) = dialled {
            self.book.reached(peer, address, now_ms);
        }
        let purposes = self.take(peer, |_| true);
        if purposes.iter().any(|purpose| !matches!(purpose, Purpose::Feeler | Purpose::Met | Purpose::Straight)) {
            self.chosen.insert(peer, dialled.and_then(group));
        }
        if !purposes.is_empty() && purposes.iter().all(|purpose| matches!(purpose, Purpose::Feeler)) {
            self.feelers.insert(peer, now_ms);
        } else {
            self.feelers.remove(&peer);
        }
        for purpose in purposes {
            match purpose {
                Purpose::Asked { reply, .. } => {
                    self.asked.retain(|_, asked_ms| now_ms.saturating_sub(*asked_ms) < ASKED_LASTS_MS);
                    if self.asked.len() < ASKED_MAX {
                        self.asked.insert(peer, now_ms);
                    }
                    drop(reply.send(Ok(peer.into())));
                }
                Purpose::Kept(index) => self.kept_reached(index, peer, now_ms),
                Purpose::Book | Purpose::Feeler | Purpose::Met | Purpose::Straight => {}
            }
        }
    }

    /// Settles every dial to a peer that is of another network, and forgets the peer.
    pub(super) fn foreign(&mut self, peer: PeerId, why: &str, now_ms: u64) {
        self.book.foreign(peer, now_ms);
        for purpose in self.take(peer, |_| true) {
            self.give_up(purpose, why.to_owned(), now_ms);
        }
    }

    /// Settles every dial that had led to a peer whose last connection has closed.
    pub(super) fn lost(&mut self, peer: PeerId, now_ms: u64) {
        self.feelers.remove(&peer);
        self.chosen.remove(&peer);
        for purpose in self.take(peer, |pending| pending.established) {
            if matches!(purpose, Purpose::Book | Purpose::Feeler | Purpose::Met) {
                self.book.failed(peer, now_ms);
            }
            self.give_up(purpose, "the peer hung up before it said which network it is of".to_owned(), now_ms);
        }
    }

    /// Settles a dial that has led to no one.
    pub(super) fn failed(&mut self, connection: ConnectionId, error: &DialError, peers: &Peers, now_ms: u64) {
        let Some(mut pending) = self.pending.remove(&connection) else { return };
        if let Some(peer) = pending.peer {
            match error {
                DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } => {
                    self.book.misled(peer, &split(address.clone()).0);
                }
                DialError::DialPeerConditionFalse(_) => {}
                // It is connected all the same.
                _ if matches!(pending.purpose, Purpose::Straight) => {}
                _ => self.book.failed(peer, now_ms),
            }
            if matches!(pending.purpose, Purpose::Asked { .. }) && peers.is_connected(&peer) {
                // The peer has dialled us meanwhile: that connection answers.
                pending.established = true;
                self.pending.insert(connection, pending);
                return;
            }
        }
        let why = reason::of_dial(error);
        let place = match &pending.purpose {
            Purpose::Kept(index) => self.kept.get(*index).map(|kept| kept.address.to_string()),
            Purpose::Asked { .. } | Purpose::Straight => None,
            Purpose::Book | Purpose::Feeler | Purpose::Met => pending.peer.map(|peer| format!("/p2p/{peer}")),
        };
        if let Some(place) = place {
            if self.failures.len() >= FAILURES_MAX {
                self.failures.pop_front();
            }
            self.failures.push_back((place, why.clone()));
        }
        self.give_up(pending.purpose, why, now_ms);
    }

    /// Dials of this node's own that failed last: where, and why.
    pub(super) fn failures(&self) -> Vec<(String, String)> {
        self.failures.iter().cloned().collect()
    }

    /// Answers the dials whose time is up.
    pub(super) fn expire(&mut self, now: Instant) {
        let late = |pending: &Pending| matches!(pending.purpose, Purpose::Asked { deadline, .. } if deadline <= now);
        let late: Vec<_> = self.pending.iter().filter(|(_, pending)| late(pending)).map(|(id, _)| *id).collect();
        for connection in late {
            if let Some(Pending { purpose: Purpose::Asked { reply, .. }, .. }) = self.pending.remove(&connection) {
                drop(reply.send(Err(format!("no answer within {} s", ASKED_TIMEOUT.as_secs()))));
            }
        }
    }

    /// Doesn't dial a peer for a while.
    pub(super) fn shun(&mut self, peer: PeerId, time: Duration, now_ms: u64) {
        self.book.shun(peer, time, now_ms);
        for kept in self.kept.iter_mut().filter(|kept| kept.current == Some(peer)) {
            kept.next_ms = now_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Dials a peer again at the next occasion.
    pub(super) fn recall(&mut self, peer: PeerId) {
        self.book.pardon(peer);
        for kept in self.kept.iter_mut().filter(|kept| kept.current == Some(peer)) {
            kept.next_ms = 0;
        }
    }

    fn take(&mut self, peer: PeerId, which: impl Fn(&Pending) -> bool) -> Vec<Purpose> {
        let settled = self.pending.extract_if(.., |_, pending| pending.peer == Some(peer) && which(pending));
        settled.map(|(_, pending)| pending.purpose).collect()
    }

    fn kept_reached(&mut self, index: usize, peer: PeerId, now_ms: u64) {
        if let Some(kept) = self.kept.get_mut(index) {
            kept.current = Some(peer);
            kept.failures = 0;
            kept.next_ms = now_ms + KEPT_REST_MS;
        }
    }

    fn give_up(&mut self, purpose: Purpose, why: String, now_ms: u64) {
        match purpose {
            Purpose::Asked { reply, .. } => drop(reply.send(Err(why))),
            Purpose::Kept(index) => {
                let Some(kept) = self.kept.get_mut(index) else { return };
                kept.failures = kept.failures.saturating_add(1);
                let pause = backoff(&self.seed, &kept.address.to_vec(), kept.failures);
                kept.next_ms = now_ms + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::info!(address = %kept.address, %why, retry_s = pause.as_secs(), "no connection");
            }
            Purpose::Book | Purpose::Feeler | Purpose::Met => tracing::debug!(%why, "a known peer was not reached"),
            Purpose::Straight => tracing::debug!(%why, "a peer is reached through a relay only"),
        }
    }
}

/// Dials on this machine and in this house leave from a port of their own. libp2p would reuse the listener's: two nodes
/// that dial each other at once would then open one and the same TCP connection from both ends, and both would take
/// themselves for the one who dialled (measured on loopback: it failed in 2 of 9 runs). Into the world the listener's port
/// is used: what a router makes of it there is where others can reach this node, and where holes are punched.
fn dial(peer: Option<PeerId>, addresses: Vec<Multiaddr>, condition: PeerCondition, purpose: Purpose) -> Dial {
    let addresses = preferred(addresses);
    let is_near = addresses.iter().any(|address| reach(address) != Some(Reach::World));
    let options = match peer {
        Some(peer) => {
            let options = DialOpts::peer_id(peer).condition(condition).addresses(addresses.clone());
            if is_near { options.allocate_new_port().build() } else { options.build() }
        }
        None => {
            let address = addresses.first().cloned().unwrap_or_else(Multiaddr::empty);
            let options = DialOpts::unknown_peer_id().address(address);
            if is_near { options.allocate_new_port().build() } else { options.build() }
        }
    };
    Dial { options, addresses, purpose }
}

/// What is worth dialling of a peer's addresses. Nearby TCP does all that QUIC does, at twice the speed (measured by
/// libp2p's own benchmark); a relay is for whom no direct address is known.
fn preferred(mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let is_near = |address: &Multiaddr, via| {
        reach(address).is_some_and(|near| near < Reach::World) && route(address).is_some_and(|(_, other)| other == via)
    };
    if addresses.iter().any(|address| is_near(address, Via::Tcp)) {
        addresses.retain(|address| !is_near(address, Via::Quic));
    }
    addresses
}

fn answer(reply: Reply, result: Result<Peer, String>) -> Option<Dial> {
    // Whoever asked may have gone; that is no one's loss.
    drop(reply.send(result));
    None
}

#[cfg(test)]
mod tests {
    use super::super::addresses::Source;
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    fn host(group: usize) -> Multiaddr {
        address(&format!("/ip4/198.{group}.100.1/tcp/1"))
    }

    fn dialler(first: &[&str]) -> Dialler {
        let local = PeerId::random();
        let book = AddressBook::new(local, [1; 32]);
        Dialler::new(local, [1; 32], book, Vec::new(), first.iter().map(|text| address(text)).collect())
    }

    /// Dials what is due and gets there.
    fn reach_all(dialler: &mut Dialler, peers: &mut Peers, now_ms: u64) -> usize {
        let dials = dialler.due(peers, now_ms);
        let count = dials.len();
        for Dial { options, addresses, purpose } in dials {
            let (connection, peer) = (options.connection_id(), options.get_peer_id().expect("it is named"));
            dialler.begun(connection, Some(peer), &addresses, purpose);
            dialler.established(connection, peer);
            peers.opened(peer, connection, addresses[0].clone(), true, Instant::now());
            dialler.identified(peer, Some(&addresses[0]), now_ms);
        }
        count
    }

    #[test]
    fn addresses_to_begin_with_are_for_who_has_hardly_anybody() {
        let (mut dialler, mut peers) = (dialler(&["/ip4/198.51.100.1/tcp/1"]), Peers::default());
        assert_eq!(dialler.due(&peers, NOW).len(), 1);
        for number in 0..ENOUGH_PEERS {
            peers.opened(PeerId::random(), ConnectionId::new_unchecked(number), host(number), false, Instant::now());
        }
        assert!(dialler.due(&peers, NOW).is_empty());
        let mut dialler = self::dialler(&["/ip4/198.51.100.1/tcp/1"]);
        dialler.book.reached(PeerId::random(), &host(1), NOW - 3_600_000);
        let begins = |dial: &Dial| matches!(dial.purpose, Purpose::Kept(_));
        assert!(!dialler.due(&Peers::default(), NOW).iter().any(begins), "the book comes first");
        assert!(dialler.due(&Peers::default(), NOW + BOOK_FIRST_MS).iter().any(begins));
    }

    #[test]
    fn eight_peers_of_different_groups_are_chosen_and_others_tried_for_a_moment() {
        let (mut dialler, mut peers) = (dialler(&[]), Peers::default());
        for group in 0..60 {
            dialler.book.learn(PeerId::random(), host(group), Source::Peer(group_of_host(group % 20)));
        }
        assert_eq!(reach_all(&mut dialler, &mut peers, NOW), OUTBOUND_TARGET);
        assert!(!dialler.lacks_peers());
        assert_eq!(dialler.book.counts().reached, OUTBOUND_TARGET);
        assert_eq!(reach_all(&mut dialler, &mut peers, NOW), 1, "a feeler");
        assert_eq!(reach_all(&mut dialler, &mut peers, NOW), 0);
        assert!(dialler.felt(&peers, NOW).is_empty());
        assert_eq!(dialler.felt(&peers, NOW + FEELER_LASTS_MS).len(), 1);
        assert_eq!(dialler.book.counts().reached, OUTBOUND_TARGET + 1);
        assert_eq!(reach_all(&mut dialler, &mut peers, NOW + FEELER_INTERVAL_MS), 1);
    }

    #[test]
    fn what_others_have_chosen_does_not_stand_for_a_choice_of_ones_own() {
        let (mut dialler, mut peers) = (dialler(&[]), Peers::default());
        // Lookups have led to many, all of them outbound.
        for number in 0..20 {
            let connection = ConnectionId::new_unchecked(1000 + number);
            peers.opened(PeerId::random(), connection, host(200), true, Instant::now());
        }
        for group in 0..60 {
            dialler.book.learn(PeerId::random(), host(group), Source::Peer(group_of_host(group % 20)));
        }
        assert_eq!(reach_all(&mut dialler, &mut peers, NOW), OUTBOUND_TARGET);
    }

    #[test]
    fn a_network_that_is_all_in_one_group_holds_together() {
        let (mut dialler, mut peers) = (dialler(&[]), Peers::default());
        for number in 1..20 {
            let place = address(&format!("/ip4/198.51.100.{number}/tcp/1"));
            dialler.book.learn(PeerId::random(), place, Source::Peer(group_of_host(number)));
        }
        let reached: usize = (0..50).map(|turn| reach_all(&mut dialler, &mut peers, NOW + turn)).sum();
        assert_eq!(reached, ENOUGH_PEERS);
        assert!(dialler.lacks_peers(), "others are still wanted");
    }

    fn group_of_host(number: usize) -> Option<Group> {
        group(&host(number))
    }
}
