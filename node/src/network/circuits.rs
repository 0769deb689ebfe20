//! Connections through relays, asked for no more often than relays bear.
//!
//! A relay counts each request of a peer, those that it refuses, too, and after some thirty of them refuses everything for
//! minutes. Whatever makes libp2p dial passes here: a circuit that was refused lately is not asked for, and neither is one
//! through this node itself, which its clients' addresses lead through as others know them.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::relay::client::transport::Error;
use libp2p::relay::client::{Connection, Transport};
use libp2p::relay::outbound::hop::ConnectError;
use libp2p::{Multiaddr, PeerId};

/// The first pause after a relay said that it can't reach a peer: about as long as a peer that has just come waits before
/// it asks for a place. It doubles with each further refusal.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// The first pause after a relay said that it has no capacity, whoever is asked for. It doubles, too. libp2p's relays give one
/// more request every two minutes.
const RELAY_PAUSE_MIN: Duration = Duration::from_secs(30);
/// The longest pause, and how long a refusal is remembered after its pause.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// Refusals that are remembered: each peer at two relays, and some.
const REFUSED_MAX: usize = 512;

/// A relay, and whom it was asked for; none: it has no capacity for anybody.
type Way = (PeerId, Option<PeerId>);

#[derive(Debug, Clone, Copy)]
struct Refused {
    times: u32,
    until: Instant,
}

/// What relays have refused lately. Pure.
#[derive(Debug, Default)]
struct Table(BTreeMap<Way, Refused>);

impl Table {
    fn may(&self, relay: PeerId, target: PeerId, now: Instant) -> bool {
        let rests = |way: Way| self.0.get(&way).is_some_and(|refused| refused.until > now);
        !rests((relay, Some(target))) && !rests((relay, None))
    }

    fn refused(&mut self, way: Way, now: Instant) {
        self.0.retain(|_, refused| refused.until + PAUSE_MAX > now);
        let times = self.0.get(&way).map_or(0, |refused| refused.times);
        let first = if way.1.is_some() { PAUSE_MIN } else { RELAY_PAUSE_MIN };
        let pause = first.saturating_mul(1 << times.min(16)).min(PAUSE_MAX);
        self.0.insert(way, Refused { times: times.saturating_add(1), until: now + pause });
        while self.0.len() > REFUSED_MAX {
            let first = self.0.iter().min_by_key(|(_, refused)| refused.until).map(|(way, _)| *way);
            first.and_then(|way| self.0.remove(&way));
        }
    }

    fn granted(&mut self, relay: PeerId, target: PeerId) {
        self.0.remove(&(relay, Some(target)));
        self.0.remove(&(relay, None));
    }
}

/// The table, shared by the transport and the task. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Circuits {
    local: PeerId,
    table: Arc<Mutex<Table>>,
}

impl Circuits {
    pub(super) fn new(local: PeerId) -> Self {
        Self { local, table: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asks for this peer: whatever was refused, it is tried.
    pub(super) fn pardon(&self, target: &PeerId) {
        self.table().0.retain(|(_, other), _| other.is_some_and(|other| other != *target));
    }

    /// Why an address is not dialled now.
    fn objection(&self, relay: PeerId, target: PeerId, now: Instant) -> Option<&'static str> {
        if relay == self.local {
            return Some("the way leads through this node itself");
        }
        (!self.table().may(relay, target, now)).then_some("the relay refused it a moment ago")
    }

    fn ended(&self, relay: PeerId, target: PeerId, error: Option<&Error>, now: Instant) {
        match error {
            None => self.table().granted(relay, target),
            Some(Error::Connect(ConnectError::ResourceLimitExceeded)) => self.table().refused((relay, None), now),
            Some(Error::Connect(_)) => self.table().refused((relay, Some(target)), now),
            // It was not the relay that refused.
            Some(_) => {}
        }
    }
}

/// The relay of a circuit's address and whom it leads to.
fn way(address: &Multiaddr) -> Option<(PeerId, PeerId)> {
    let mut peers = address.iter().filter_map(|part| if let Protocol::P2p(peer) = part { Some(peer) } else { None });
    Some((peers.next()?, peers.next()?))
}

/// The transport through relays, which asks before it dials.
pub(super) struct Measured {
    inner: Transport,
    circuits: Circuits,
}

impl Measured {
    pub(super) fn new(inner: Transport, circuits: Circuits) -> Self {
        Self { inner, circuits }
    }
}

impl libp2p::Transport for Measured {
    type Output = Connection;
    type Error = Error;
    type ListenerUpgrade = <Transport as libp2p::Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, Result<Connection, Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<Error>> {
        let Some((relay, target)) = way(&address) else { return self.inner.dial(address, options) };
        if let Some(why) = self.circuits.objection(relay, target, Instant::now()) {
            tracing::debug!(%address, why, "a relay is not asked");
            let refusal = io::Error::new(io::ErrorKind::WouldBlock, why);
            return Err(TransportError::Other(Error::Connect(ConnectError::Io(refusal))));
        }
        let (dial, circuits) = (self.inner.dial(address, options)?, self.circuits.clone());
        Ok(async move {
            let result = dial.await;
            circuits.ended(relay, target, result.as_ref().err(), Instant::now());
            result
        }
        .boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;
    use libp2p::{Transport as _, relay};

    use super::*;

    const REFUSAL: Error = Error::Connect(ConnectError::NoReservation);
    const NO_CAPACITY: Error = Error::Connect(ConnectError::ResourceLimitExceeded);

    #[test]
    fn a_circuit_that_was_refused_is_asked_for_less_and_less_until_it_is_granted() {
        let (circuits, start) = (Circuits::new(PeerId::random()), Instant::now());
        let (relay, target, other) = (PeerId::random(), PeerId::random(), PeerId::random());
        let asked = |until_s: u64| {
            let may = |second: &u64| {
                let now = start + Duration::from_secs(*second);
                let may = circuits.objection(relay, target, now).is_none();
                if may {
                    circuits.ended(relay, target, Some(&REFUSAL), now);
                }
                may
            };
            (0..until_s).filter(may).count()
        };
        assert_eq!(asked(3600), 14, "fewer than a relay bears in an hour");
        assert!(circuits.objection(relay, other, start).is_none(), "others are no matter of this refusal");
        circuits.ended(relay, target, None, start);
        assert!(circuits.objection(relay, target, start).is_none());
    }

    #[test]
    fn a_relay_without_capacity_is_left_alone() {
        let (circuits, now) = (Circuits::new(PeerId::random()), Instant::now());
        let (relay, target) = (PeerId::random(), PeerId::random());
        circuits.ended(relay, target, Some(&NO_CAPACITY), now);
        assert!(circuits.objection(relay, PeerId::random(), now).is_some());
        assert!(circuits.objection(PeerId::random(), target, now).is_none(), "another relay may have some");
        assert!(circuits.objection(relay, target, now + RELAY_PAUSE_MIN).is_none());
        circuits.pardon(&target);
        assert!(circuits.objection(relay, target, now).is_none(), "somebody asks for it");
    }

    #[test]
    fn refusals_are_bounded_and_forgotten() {
        let (circuits, now) = (Circuits::new(PeerId::random()), Instant::now());
        for _ in 0..2 * REFUSED_MAX {
            circuits.ended(PeerId::random(), PeerId::random(), Some(&REFUSAL), now);
        }
        assert_eq!(circuits.table().0.len(), REFUSED_MAX);
        circuits.ended(PeerId::random(), PeerId::random(), Some(&REFUSAL), now + 2 * PAUSE_MAX);
        assert_eq!(circuits.table().0.len(), 1);
    }

    #[test]
    fn no_way_through_this_node_itself_is_dialled() {
        let (local, relay, target) = (PeerId::random(), PeerId::random(), PeerId::random());
        let (inner, _behaviour) = relay::client::new(local);
        let mut transport = Measured::new(inner, Circuits::new(local));
        let mut dials = |relay: PeerId| {
            let address = format!("/ip4/198.51.100.1/tcp/1/p2p/{relay}/p2p-circuit/p2p/{target}");
            let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
            transport.dial(address.parse().expect("a multiaddr"), options).is_ok()
        };
        assert!(dials(relay));
        assert!(!dials(local));
    }
}
