//! Who is connected, and how much of it the rest of the node has been told.
//!
//! Pure. Two tables are held against each other: how things stand, and what was told. Events are their difference, so
//! that no queue can grow while nobody listens: the first table has a row per connected peer (at most 176, by the
//! connection limits) with at most 512 topics, and the second only grows when it is otherwise equal to the first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::interface::Event;
use crate::peer::Peer;

#[cfg(test)]
mod tests;

/// How long a connection may stay without saying which network it belongs to.
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long whoever dialled from another network is given to find that out. Were it cut off at once, it would not know
/// why.
const FOREIGN_GRACE: Duration = Duration::from_secs(2);
/// How long a peer may be up without a subscription before the connection is suspected: gossipsub tells a peer nothing
/// when an older connection to it still lingers (rust-libp2p 5097), and only a new connection repairs that.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the same peer is not suspected again: it may really follow nothing.
const SILENCE_REST: Duration = Duration::from_secs(600);
/// Pings that may be lost in a row. The second one means at least 35 s without a sign of life.
const PINGS_LOST_MAX: u8 = 2;

/// How long a direct connection lasts before the relayed one beside it is closed: what is under way there ends first.
const DIRECT_SETTLES: Duration = Duration::from_secs(2);

/// One connection, as it was opened.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// The remote end, without `/p2p`.
    pub(super) address: libp2p::Multiaddr,
    /// Whether this node dialled.
    pub(super) outbound: bool,
    pub(super) opened: Instant,
    /// Since when the peer at the other end is known to be of another network.
    foreign: Option<Instant>,
    pings_lost: u8,
}

impl Connection {
    fn is_relayed(&self) -> bool {
        super::reach::is_relayed(&self.address)
    }
}

/// A peer that is known to be of this network.
#[derive(Debug)]
struct Up {
    since: Instant,
    /// The connection that stands for all: at first the one that showed it, and when that closes, the best of the rest.
    connection: ConnectionId,
}

#[derive(Debug)]
struct Standing {
    name: Peer,
    connections: BTreeMap<ConnectionId, Connection>,
    up: Option<Up>,
    topics: BTreeSet<String>,
}

impl Standing {
    /// The connection that stands for the peer.
    fn shown(&self) -> Option<&Connection> {
        self.connections.get(&self.up.as_ref()?.connection)
    }

    /// Where the peer is, and whether this node has dialled it.
    fn place(&self) -> Option<(String, bool)> {
        let row = self.shown()?;
        Some((format!("{}/p2p/{}", row.address, self.name), row.outbound))
    }
}

#[derive(Debug)]
struct Told {
    name: Peer,
    /// See [`Standing::place`].
    place: (String, bool),
    topics: BTreeSet<String>,
}

/// One thing that is not told yet.
#[derive(Debug)]
enum Difference {
    Listening(String),
    NotListening(String),
    Down(PeerId),
    Up(PeerId),
    Moved(PeerId),
    Topic(PeerId, String),
}

/// The two tables and what differs between them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    standing: BTreeMap<PeerId, Standing>,
    told: BTreeMap<PeerId, Told>,
    listening: BTreeSet<String>,
    listening_told: BTreeSet<String>,
    /// Peers that may differ, with the topics that may.
    differing: BTreeMap<PeerId, BTreeSet<String>>,
    /// Peers that were told to be up and aren't any more. Told first: it keeps `told` within `standing`.
    gone: BTreeSet<PeerId>,
    listening_differs: bool,
    suspected: BTreeMap<PeerId, Instant>,
}

impl Peers {
    /// Notes a new connection.
    pub(super) fn opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        address: libp2p::Multiaddr,
        outbound: bool,
        now: Instant,
    ) {
        let standing = self.standing.entry(peer).or_insert_with(|| {
            let (connections, topics) = (BTreeMap::new(), BTreeSet::new());
            Standing { name: peer.into(), connections, up: None, topics }
        });
        let row = Connection { address, outbound, opened: now, foreign: None, pings_lost: 0 };
        standing.connections.insert(connection, row);
    }

    /// Notes a connection's end. Returns whether it was the peer's last.
    pub(super) fn closed(&mut self, peer: PeerId, connection: ConnectionId) -> bool {
        let Some(standing) = self.standing.get_mut(&peer) else { return false };
        standing.connections.remove(&connection);
        // A direct one before one through a relay, and the oldest of these.
        let best = standing.connections.iter().min_by_key(|(_, row)| (row.is_relayed(), row.opened));
        if let Some((best, _)) = best {
            if let Some(up) = standing.up.as_mut().filter(|up| up.connection == connection) {
                up.connection = *best;
                self.differing.entry(peer).or_default();
            }
            return false;
        }
        self.standing.remove(&peer);
        self.differing.remove(&peer);
        if self.told.contains_key(&peer) {
            self.gone.insert(peer);
        }
        true
    }

    /// Notes that a peer has shown to be of this network. Returns whether that is news.
    pub(super) fn identified(&mut self, peer: PeerId, connection: ConnectionId, now: Instant) -> bool {
        let Some(standing) = self.standing.get_mut(&peer) else { return false };
        if standing.up.is_some() || !standing.connections.contains_key(&connection) {
            return false;
        }
        standing.up = Some(Up { since: now, connection });
        self.differing.entry(peer).or_default();
        true
    }

    /// Notes that a peer is of another network. Returns whether to hang up: whoever dialled does, the other one waits.
    pub(super) fn foreign(&mut self, peer: PeerId, connection: ConnectionId, now: Instant) -> bool {
        let row = self.standing.get_mut(&peer).and_then(|standing| standing.connections.get_mut(&connection));
        let Some(row) = row else { return false };
        row.foreign.get_or_insert(now);
        row.outbound
    }

    /// Peers of other networks that didn't hang up by themselves.
    pub(super) fn foreign_due(&self, now: Instant) -> Vec<PeerId> {
        let late = |row: &Connection| row.foreign.is_some_and(|since| now.duration_since(since) > FOREIGN_GRACE);
        let late = |standing: &Standing| standing.connections.values().any(late);
        self.standing.iter().filter(|(_, standing)| late(standing)).map(|(peer, _)| *peer).collect()
    }

    /// Notes a peer's topic.
    pub(super) fn subscribed(&mut self, peer: PeerId, topic: String) {
        let Some(standing) = self.standing.get_mut(&peer) else { return };
        standing.topics.insert(topic.clone());
        self.topic_differs(peer, topic);
    }

    /// Notes that a peer left a topic.
    pub(super) fn unsubscribed(&mut self, peer: PeerId, topic: String) {
        let Some(standing) = self.standing.get_mut(&peer) else { return };
        standing.topics.remove(&topic);
        self.topic_differs(peer, topic);
    }

    fn topic_differs(&mut self, peer: PeerId, topic: String) {
        if self.is_up(&peer) {
            self.differing.entry(peer).or_default().insert(topic);
        }
    }

    /// Notes an address that this node listens on.
    pub(super) fn listening(&mut self, address: String) {
        self.listening.insert(address);
        self.listening_differs = true;
    }

    /// Notes that an address is gone.
    pub(super) fn not_listening(&mut self, address: &str) {
        self.listening.remove(address);
        self.listening_differs = true;
    }

    /// Counts a ping that was lost or answered. Returns whether the connection should be taken for dead.
    pub(super) fn pinged(&mut self, peer: PeerId, connection: ConnectionId, answered: bool) -> bool {
        let row = self.standing.get_mut(&peer).and_then(|standing| standing.connections.get_mut(&connection));
        let Some(row) = row else { return false };
        row.pings_lost = if answered { 0 } else { row.pings_lost.saturating_add(1) };
        row.pings_lost >= PINGS_LOST_MAX
    }

    /// Addresses that this node listens on.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.listening.iter().cloned().collect()
    }

    /// The peer's name, when it is connected.
    pub(super) fn name(&self, peer: &PeerId) -> Option<Peer> {
        self.standing.get(peer).map(|standing| standing.name.clone())
    }

    /// Whether there is any connection to the peer.
    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.standing.contains_key(peer)
    }

    /// Whether the peer is known to be of this network.
    pub(super) fn is_up(&self, peer: &PeerId) -> bool {
        self.standing.get(peer).is_some_and(|standing| standing.up.is_some())
    }

    /// A peer's connection.
    pub(super) fn connection(&self, peer: &PeerId, connection: ConnectionId) -> Option<&Connection> {
        self.standing.get(peer)?.connections.get(&connection)
    }

    /// Whether a peer is connected through a relay.
    pub(super) fn is_relayed(&self, peer: &PeerId) -> bool {
        self.standing.get(peer).is_some_and(|standing| standing.connections.values().any(Connection::is_relayed))
    }

    /// Whether a peer is connected from this host, or to it.
    pub(super) fn is_from(&self, host: std::net::IpAddr) -> bool {
        let mut rows = self.standing.values().flat_map(|standing| standing.connections.values());
        rows.any(|row| super::reach::host(&row.address) == Some(host))
    }

    /// Relayed connections beside direct ones that have lasted for a moment.
    pub(super) fn needlessly_relayed(&self, now: Instant) -> Vec<ConnectionId> {
        let is_settled = |row: &Connection| !row.is_relayed() && now.duration_since(row.opened) > DIRECT_SETTLES;
        let doubled = self.standing.values().filter(|standing| standing.connections.values().any(is_settled));
        let relayed = |standing: &Standing| {
            let rows = standing.connections.iter();
            rows.filter(|(_, row)| row.is_relayed()).map(|(connection, _)| *connection).collect::<Vec<_>>()
        };
        doubled.flat_map(relayed).collect()
    }

    /// How many peers have connected to this node and how many it has chosen; one that is both counts as chosen.
    pub(super) fn directions(&self) -> (usize, usize) {
        let outbound = self.outbound();
        (self.standing.len() - outbound, outbound)
    }

    /// Peers that are known to be of this network.
    pub(super) fn up(&self) -> impl Iterator<Item = &PeerId> {
        self.standing.iter().filter(|(_, standing)| standing.up.is_some()).map(|(peer, _)| peer)
    }

    /// The remote ends of a peer's connections.
    pub(super) fn ends(&self, peer: &PeerId) -> impl Iterator<Item = &libp2p::Multiaddr> {
        self.standing.get(peer).into_iter().flat_map(|standing| standing.connections.values()).map(|row| &row.address)
    }

    /// How many connected peers follow a topic.
    pub(super) fn followers(&self, topic: &str) -> usize {
        self.standing.values().filter(|standing| standing.up.is_some() && standing.topics.contains(topic)).count()
    }

    /// How many peers are connected.
    pub(super) fn count(&self) -> usize {
        self.standing.len()
    }

    /// All connected peers.
    pub(super) fn connected(&self) -> impl Iterator<Item = &PeerId> {
        self.standing.keys()
    }

    /// Every connected peer: since when, whether this node has dialled it, and where it is.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&PeerId, Instant, bool, &libp2p::Multiaddr)> {
        self.standing.iter().filter_map(|(peer, standing)| {
            let oldest = standing.connections.values().min_by_key(|row| row.opened)?;
            let outbound = standing.connections.values().any(|row| row.outbound);
            Some((peer, oldest.opened, outbound, &oldest.address))
        })
    }

    /// Peers of this network that this node has dialled, the longest connected first.
    pub(super) fn oldest_outbound(&self) -> Vec<(PeerId, Option<super::reach::Group>)> {
        let mut rows: Vec<_> = self
            .standing
            .iter()
            .filter(|(_, standing)| standing.up.is_some())
            .filter_map(|(peer, standing)| Some((peer, standing.connections.values().find(|row| row.outbound)?)))
            .collect();
        rows.sort_by_key(|(_, row)| row.opened);
        rows.into_iter().map(|(peer, row)| (*peer, super::reach::group(&row.address))).collect()
    }

    /// How many peers are connected by this node's own choice.
    pub(super) fn outbound(&self) -> usize {
        let chosen = |standing: &&Standing| standing.connections.values().any(|row| row.outbound);
        self.standing.values().filter(chosen).count()
    }

    /// Connections that didn't say in time which network they belong to.
    pub(super) fn unidentified(&self, now: Instant) -> Vec<PeerId> {
        let late = |standing: &Standing| {
            let mut rows = standing.connections.values();
            standing.up.is_none() && rows.all(|row| now.duration_since(row.opened) > IDENTIFY_TIMEOUT)
        };
        self.standing.iter().filter(|(_, standing)| late(standing)).map(|(peer, _)| *peer).collect()
    }

    /// Peers that have been up for a while without following anything. Each is named once per ten minutes.
    pub(super) fn silent(&mut self, now: Instant) -> Vec<PeerId> {
        self.suspected.retain(|_, since| now.duration_since(*since) < SILENCE_REST);
        let long_up =
            |standing: &Standing| standing.up.as_ref().is_some_and(|up| now.duration_since(up.since) > SILENCE);
        let silent = self.standing.iter().filter(|(_, standing)| standing.topics.is_empty() && long_up(standing));
        let silent: Vec<_> = silent.map(|(peer, _)| *peer).filter(|peer| !self.suspected.contains_key(peer)).collect();
        self.suspected.extend(silent.iter().map(|peer| (*peer, now)));
        silent
    }

    /// Hands everything that is untold to `deliver`, until it gives something back. Returns whether all is told.
    pub(super) fn tell(&mut self, mut deliver: impl FnMut(Event) -> Result<(), Event>) -> bool {
        while let Some(difference) = self.difference() {
            let event = self.event(&difference);
            if event.is_some_and(|event| deliver(event).is_err()) {
                return false;
            }
            self.settle(difference);
        }
        true
    }

    fn difference(&mut self) -> Option<Difference> {
        if self.listening_differs {
            if let Some(address) = self.listening_told.difference(&self.listening).next() {
                return Some(Difference::NotListening(address.clone()));
            }
            if let Some(address) = self.listening.difference(&self.listening_told).next() {
                return Some(Difference::Listening(address.clone()));
            }
            self.listening_differs = false;
        }
        if let Some(peer) = self.gone.first() {
            return Some(Difference::Down(*peer));
        }
        while let Some(entry) = self.differing.first_entry() {
            let peer = *entry.key();
            let Some(told) = self.told.get(&peer) else { return Some(Difference::Up(peer)) };
            let place = self.standing.get(&peer).and_then(Standing::place);
            if place.is_some_and(|place| place != told.place) {
                return Some(Difference::Moved(peer));
            }
            if let Some(topic) = entry.get().first() {
                return Some(Difference::Topic(peer, topic.clone()));
            }
            entry.remove();
        }
        None
    }

    /// The event that tells a difference; none when it has vanished.
    fn event(&self, difference: &Difference) -> Option<Event> {
        match difference {
            Difference::Listening(address) => Some(Event::Listening { address: address.clone() }),
            Difference::NotListening(address) => Some(Event::NotListening { address: address.clone() }),
            Difference::Down(peer) => Some(Event::PeerDown { peer: self.told.get(peer)?.name.clone() }),
            Difference::Up(peer) => {
                let standing = self.standing.get(peer)?;
                let (address, outbound) = standing.place()?;
                Some(Event::PeerUp { peer: standing.name.clone(), address, outbound })
            }
            Difference::Moved(peer) => {
                let standing = self.standing.get(peer)?;
                let (address, outbound) = standing.place()?;
                Some(Event::PeerMoved { peer: standing.name.clone(), address, outbound })
            }
            Difference::Topic(peer, topic) => {
                let (standing, told) = (self.standing.get(peer)?, self.told.get(peer)?);
                let (peer, topic) = (told.name.clone(), topic.clone());
                match (standing.topics.contains(&topic), told.topics.contains(&topic)) {
                    (true, false) => Some(Event::Subscribed { peer, topic }),
                    (false, true) => Some(Event::Unsubscribed { peer, topic }),
                    _ => None,
                }
            }
        }
    }

    fn settle(&mut self, difference: Difference) {
        match difference {
            Difference::Listening(address) => {
                self.listening_told.insert(address);
            }
            Difference::NotListening(address) => {
                self.listening_told.remove(&address);
            }
            Difference::Down(peer) => {
                self.told.remove(&peer);
                self.gone.remove(&peer);
            }
            Difference::Up(peer) => {
                let standing = self.standing.get(&peer);
                let Some((standing, place)) = standing.and_then(|standing| Some((standing, standing.place()?))) else {
                    self.differing.remove(&peer);
                    return;
                };
                self.told.insert(peer, Told { name: standing.name.clone(), place, topics: BTreeSet::new() });
                self.differing.insert(peer, standing.topics.clone());
            }
            Difference::Moved(peer) => {
                let place = self.standing.get(&peer).and_then(Standing::place);
                if let (Some(told), Some(place)) = (self.told.get_mut(&peer), place) {
                    told.place = place;
                }
            }
            Difference::Topic(peer, topic) => {
                if let Some(topics) = self.differing.get_mut(&peer) {
                    topics.remove(&topic);
                }
                let (Some(standing), Some(told)) = (self.standing.get(&peer), self.told.get_mut(&peer)) else { return };
                if standing.topics.contains(&topic) {
                    told.topics.insert(topic);
                } else {
                    told.topics.remove(&topic);
                }
            }
        }
    }
}
