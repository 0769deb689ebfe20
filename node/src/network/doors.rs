//! Who is let in: limits for each host and network, and peers and hosts that misbehaved lately.
//!
//! The library's limits know only numbers of connections. These know where connections come from, so that nobody takes many
//! places from one address. Near hosts are exempt: a proxy, a hidden service, a household or a whole devnet stand behind one
//! address there.

use std::collections::BTreeMap;
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

use super::reach::{Net, host, is_relayed, net_of};

/// Connections of one host that are still shaking hands: a quarter of all.
const PENDING_PER_HOST_MAX: usize = 8;
/// Connections that one host has opened: a household with a node or two, each with a connection to spare.
const PER_HOST_MAX: usize = 3;
/// Connections that one network (/24 of IPv4, /48 of IPv6) has opened.
const PER_NET_MAX: usize = 8;
/// How long a peer that misbehaved, and its host, are shunned. It doubles with each further time.
const DISCOURAGED_MIN: Duration = Duration::from_secs(3600);
/// The longest. Addresses change hands, and nobody is shut out for good.
const DISCOURAGED_MAX: Duration = Duration::from_secs(24 * 3600);
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

impl Doors {
    /// Shuns a peer and, if it came from the world, its host. Returns for how long.
    pub(super) fn discourage(&mut self, peer: PeerId, addresses: &[Multiaddr], now: Instant) -> Duration {
        let hosts = addresses.iter().filter_map(far_host).map(Who::Host);
        let mut longest = Duration::ZERO;
        for who in std::iter::once(Who::Peer(peer)).chain(hosts) {
            let times = self.discouraged.get(&who).map_or(0, |(_, times)| *times);
            let time = DISCOURAGED_MIN.saturating_mul(1 << times.min(8)).min(DISCOURAGED_MAX);
            longest = longest.max(time);
            self.discouraged.insert(who, (now + time, times.saturating_add(1)));
        }
        while self.discouraged.len() > DISCOURAGED_PLACES_MAX {
            let first = self.discouraged.iter().min_by_key(|(_, (until, _))| *until).map(|(who, _)| *who);
            first.and_then(|who| self.discouraged.remove(&who));
        }
        longest
    }

    /// Lets a peer in again: a person asked for it.
    pub(super) fn pardon(&mut self, peer: &PeerId) {
        self.discouraged.remove(&Who::Peer(*peer));
    }

    /// Forgets those whose time is long over: until then the next time lasts longer.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.discouraged.retain(|_, (until, _)| *until + DISCOURAGED_MAX > now);
    }

    fn is_discouraged(&self, who: Who, now: Instant) -> bool {
        self.discouraged.get(&who).is_some_and(|(until, _)| *until > now)
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
        let place = address("/ip4/198.51.100.1/tcp/1");
        let hour = Duration::from_secs(3600);
        for expected in [1, 2, 4, 8, 16, 24, 24] {
            assert_eq!(doors.discourage(peer, std::slice::from_ref(&place), now), hour * expected);
            assert!(doors.knock(ConnectionId::new_unchecked(1), &place, now).is_err());
            assert!(
                doors.enter(ConnectionId::new_unchecked(1), peer, &address("/ip4/203.0.113.1/tcp/1"), now).is_err()
            );
            now += hour * expected;
            assert!(doors.knock(ConnectionId::new_unchecked(1), &place, now).is_ok());
            doors.pending.clear();
        }
        doors.tidy(now + DISCOURAGED_MAX);
        assert!(doors.discouraged.is_empty());
    }

    #[test]
    fn near_hosts_are_never_shunned_and_memory_is_bounded() {
        let (mut doors, now) = (Doors::default(), Instant::now());
        for near in ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1"] {
            doors.discourage(PeerId::random(), &[address(near)], now);
            assert!(doors.knock(ConnectionId::new_unchecked(1), &address(near), now).is_ok());
        }
        for _ in 0..5000 {
            doors.discourage(PeerId::random(), &[], now);
        }
        assert_eq!(doors.discouraged.len(), DISCOURAGED_PLACES_MAX);
    }
}
