//! Who is let in: limits for each host and network, and peers and hosts that misbehaved lately.
//!
//! The library's limits know only numbers of connections. These know where connections come from, so that nobody takes many
//! places from one address. Near hosts are exempt: a proxy, a hidden service, a household or a whole devnet stand behind one
//! address there.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::addresses::SHUN;
use super::reach::{Net, host, is_relayed, net_of};

/// Connections of one host that are still shaking hands: one in 32 of all.
const PENDING_PER_HOST_MAX: usize = 8;
/// Connections that one host has opened: a household with a node or two, each with a connection to spare.
const PER_HOST_MAX: usize = 3;
/// Connections that one network (/24 of IPv4, /48 of IPv6) has opened.
const PER_NET_MAX: usize = 8;
/// How long a peer that misbehaved, and its host, are shunned. It doubles with each further time.
const DISCOURAGED_MIN: Duration = Duration::from_secs(3600);
/// The longest. Addresses change hands, and nobody is shut out for good.
const DISCOURAGED_MAX: Duration = Duration::from_secs(24 * 3600);
/// Peers of one host that misbehaved before the host is shunned, too: names cost nothing, addresses do. More than one
/// household or university has by accident.
const MISBEHAVED_PER_HOST: u32 = 4;
/// Peers that own people have asked for and that are remembered as such.
const WANTED_MAX: usize = 64;
/// Peers and hosts that are remembered.
const DISCOURAGED_PLACES_MAX: usize = 1024;

/// Who is shunned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Peer(PeerId),
    Host(IpAddr),
}

/// Why a connection is not accepted.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Closed {
    #[error("it misbehaved lately")]
    Discouraged,
    #[error("this host has opened enough connections")]
    Host,
    #[error("this network has opened enough connections")]
    Net,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Doors {
    pending: BTreeMap<ConnectionId, IpAddr>,
    open: BTreeMap<ConnectionId, IpAddr>,
    /// Until when, and how often already.
    discouraged: BTreeMap<Who, (Instant, u32)>,
    wanted: BTreeSet<PeerId>,
}

/// A host of the world that a connection really comes from.
fn far_host(remote: &Multiaddr) -> Option<IpAddr> {
    // A relayed one comes from anywhere.
    if is_relayed(remote) {
        return None;
    }
    let host = host(remote)?.to_canonical();
    net_of(host).map(|_| host)
}

/// The pause after so many earlier ones.
fn doubled(times: u32) -> Duration {
    DISCOURAGED_MIN.saturating_mul(1 << times.min(8)).min(DISCOURAGED_MAX)
}

impl Doors {
    /// Doesn't want a peer back, and after some of one host not the host either. Returns for how long. A neighbour, who has
    /// no host of the world, is kept out by name alone and for a while.
    pub(super) fn discourage(
        &mut self,
        peer: PeerId,
        addresses: &[Multiaddr],
        is_near: bool,
        now: Instant,
    ) -> Duration {
        self.wanted.remove(&peer);
        let times = self.discouraged.get(&Who::Peer(peer)).map_or(0, |(_, times)| *times);
        let time = if is_near { SHUN } else { doubled(times) };
        self.discouraged.insert(Who::Peer(peer), (now + time, times.saturating_add(1)));
        for host in addresses.iter().filter_map(far_host).map(Who::Host) {
            let times = self.discouraged.get(&host).map_or(0, |(_, times)| *times).saturating_add(1);
            let time = doubled(times.saturating_sub(MISBEHAVED_PER_HOST));
            self.discouraged.insert(host, (now + time, times));
        }
        while self.discouraged.len() > DISCOURAGED_PLACES_MAX {
            let first = self.discouraged.iter().min_by_key(|(_, (until, _))| *until).map(|(who, _)| *who);
            first.and_then(|who| self.discouraged.remove(&who));
        }
        time
    }

    /// Lets a peer in again that this node's own people want to be connected with.
    pub(super) fn pardon(&mut self, peer: &PeerId) {
        self.discouraged.remove(&Who::Peer(*peer));
        if self.wanted.len() >= WANTED_MAX {
            self.wanted.pop_first();
        }
        self.wanted.insert(*peer);
    }

    /// Whether own people have asked for a peer, and it hasn't misbehaved since.
    pub(super) fn is_wanted(&self, peer: &PeerId) -> bool {
        self.wanted.contains(peer)
    }

    /// Forgets those whose time is long over: until then the next time lasts longer.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.discouraged.retain(|_, (until, _)| *until + DISCOURAGED_MAX > now);
    }

    fn is_discouraged(&self, who: Who, now: Instant) -> bool {
        let enough = if matches!(who, Who::Host(_)) { MISBEHAVED_PER_HOST } else { 1 };
        self.discouraged.get(&who).is_some_and(|(until, times)| *until > now && *times >= enough)
    }

    fn knock(&mut self, connection: ConnectionId, remote: &Multiaddr, now: Instant) -> Result<(), Closed> {
        let Some(host) = far_host(remote) else { return Ok(()) };
        if self.is_discouraged(Who::Host(host), now) {
            return Err(Closed::Discouraged);
        }
        if self.pending.values().filter(|other| **other == host).count() >= PENDING_PER_HOST_MAX {
            return Err(Closed::Host);
        }
        self.pending.insert(connection, host);
        Ok(())
    }

    fn enter(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        now: Instant,
    ) -> Result<(), Closed> {
        self.pending.remove(&connection);
        if self.is_discouraged(Who::Peer(peer), now) {
            return Err(Closed::Discouraged);
        }
        let Some(host) = far_host(remote) else { return Ok(()) };
        if self.open.values().filter(|other| **other == host).count() >= PER_HOST_MAX {
            return Err(Closed::Host);
        }
        let net: Option<Net> = net_of(host);
        if self.open.values().filter(|other| net_of(**other) == net).count() >= PER_NET_MAX {
            return Err(Closed::Net);
        }
        self.open.insert(connection, host);
        Ok(())
    }
}

impl NetworkBehaviour for Doors {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.knock(connection, remote, Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        // Of a relayed one only the local address says so.
        let remote = if is_relayed(local) { local } else { remote };
        self.enter(connection, peer, remote, Instant::now()).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.open.remove(&connection_id);
            }
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending.remove(&connection_id);
                self.open.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    fn let_in(doors: &mut Doors, number: usize, remote: &str) -> bool {
        let now = Instant::now();
        let connection = ConnectionId::new_unchecked(number);
        doors.knock(connection, &address(remote), now).is_ok()
            && doors.enter(connection, PeerId::random(), &address(remote), now).is_ok()
    }

    #[test]
    fn one_host_or_network_takes_few_places_and_neighbours_as_many_as_they_like() {
        let mut doors = Doors::default();
        let from = |doors: &mut Doors, base: usize, text: &dyn Fn(usize) -> String| {
            (0..50).filter(|at| let_in(doors, base + at, &text(*at))).count()
        };
        assert_eq!(from(&mut doors, 0, &|at| format!("/ip4/198.51.100.1/tcp/{}", at + 1)), PER_HOST_MAX);
        assert_eq!(from(&mut doors, 100, &|at| format!("/ip4/198.51.101.{}/tcp/1", at + 1)), PER_NET_MAX);
        assert_eq!(from(&mut doors, 200, &|at| format!("/ip6/2001:db8:1:{at}::1/tcp/1")), PER_NET_MAX);
        assert_eq!(from(&mut doors, 300, &|at| format!("/ip4/127.0.0.1/tcp/{}", at + 1)), 50);
        assert_eq!(from(&mut doors, 400, &|at| format!("/ip4/10.0.0.1/tcp/{}", at + 1)), 50);
        assert_eq!(from(&mut doors, 500, &|at| format!("/ip4/203.0.{at}.1/tcp/1")), 50);
    }

    #[test]
    fn one_host_has_few_handshakes_under_way() {
        let mut doors = Doors::default();
        let knocks = |doors: &mut Doors, base: usize, remote: &str| {
            let knock = |at: &usize| {
                doors.knock(ConnectionId::new_unchecked(base + at), &address(remote), Instant::now()).is_ok()
            };
            (0..50).filter(knock).count()
        };
        assert_eq!(knocks(&mut doors, 0, "/ip4/198.51.100.1/tcp/1"), PENDING_PER_HOST_MAX);
        assert_eq!(knocks(&mut doors, 100, "/ip4/127.0.0.1/tcp/1"), 50);
    }

    #[test]
    fn who_misbehaves_stays_out_longer_each_time_and_never_for_good() {
        let (mut doors, peer, mut now) = (Doors::default(), PeerId::random(), Instant::now());
        let place = address("/ip4/203.0.113.1/tcp/1");
        let hour = Duration::from_secs(3600);
        for expected in [1, 2, 4, 8, 16, 24, 24] {
            assert_eq!(doors.discourage(peer, &[], false, now), hour * expected);
            assert!(doors.enter(ConnectionId::new_unchecked(1), peer, &place, now).is_err());
            now += hour * expected;
            assert!(doors.enter(ConnectionId::new_unchecked(1), peer, &place, now).is_ok());
            doors.open.clear();
        }
        doors.tidy(now + DISCOURAGED_MAX);
        assert!(doors.discouraged.is_empty());
    }

    #[test]
    fn a_host_of_several_that_misbehave_stays_out_and_one_of_them_is_nobodys_fault() {
        let (mut doors, now) = (Doors::default(), Instant::now());
        let place = address("/ip4/198.51.100.1/tcp/1");
        for _ in 0..MISBEHAVED_PER_HOST {
            assert!(doors.knock(ConnectionId::new_unchecked(1), &place, now).is_ok());
            doors.discourage(PeerId::random(), std::slice::from_ref(&place), false, now);
        }
        assert!(doors.knock(ConnectionId::new_unchecked(2), &place, now).is_err());
        assert!(doors.knock(ConnectionId::new_unchecked(2), &place, now + DISCOURAGED_MIN).is_ok());
    }

    #[test]
    fn who_is_wanted_is_let_in_until_it_misbehaves_again() {
        let (mut doors, peer, now) = (Doors::default(), PeerId::random(), Instant::now());
        let place = address("/ip4/127.0.0.1/tcp/1");
        assert_eq!(doors.discourage(peer, std::slice::from_ref(&place), true, now), SHUN);
        assert!(doors.enter(ConnectionId::new_unchecked(1), peer, &place, now).is_err(), "also a neighbour");
        doors.pardon(&peer);
        assert!(doors.is_wanted(&peer));
        assert!(doors.enter(ConnectionId::new_unchecked(1), peer, &place, now).is_ok());
        doors.discourage(peer, &[place], true, now);
        assert!(!doors.is_wanted(&peer));
    }

    #[test]
    fn near_hosts_are_never_shunned_and_memory_is_bounded() {
        let (mut doors, now) = (Doors::default(), Instant::now());
        for near in ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1"] {
            for _ in 0..MISBEHAVED_PER_HOST {
                doors.discourage(PeerId::random(), &[address(near)], true, now);
            }
            assert!(doors.knock(ConnectionId::new_unchecked(1), &address(near), now).is_ok());
        }
        for _ in 0..5000 {
            doors.discourage(PeerId::random(), &[], false, now);
        }
        assert_eq!(doors.discouraged.len(), DISCOURAGED_PLACES_MAX);
    }
}
