//! Own addresses that others claim to have seen, before they are tested.
//!
//! Whoever connects may claim to see this node anywhere. The library keeps every such claim for ever; this wrapper lets
//! through only addresses of the world, and a bounded number of them. Everything else is passed on as it is.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use libp2p::autonat::v2::client::{Behaviour, Config};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::reach::{Reach, is_relayed, reach};

/// Claims that are tested at first sight: two families, two transports, and a change of address.
const TRUSTED_AT_ONCE: usize = 8;
/// How often a later one has to be heard.
const HEARD_MIN: u32 = 4;
/// Claims that are ever tested while the node runs.
const TESTED_MAX: usize = 32;
/// Claims that are counted.
const COUNTED_MAX: usize = 256;

/// Which claims are worth a test.
#[derive(Debug, Default)]
struct Claims {
    heard: BTreeMap<Multiaddr, u32>,
    tested: usize,
}

impl Claims {
    /// Counts a claim. Returns whether to pass it on.
    fn passes(&mut self, claim: &Multiaddr) -> bool {
        if reach(claim) != Some(Reach::World) || is_relayed(claim) {
            return false;
        }
        if self.heard.len() >= COUNTED_MAX && !self.heard.contains_key(claim) {
            // Those that were heard least often make room; what has passed is never forgotten.
            self.heard.retain(|_, times| *times > 1);
            if self.heard.len() >= COUNTED_MAX {
                return false;
            }
        }
        let times = self.heard.entry(claim.clone()).or_default();
        *times = times.saturating_add(1);
        let passes_first = *times == 1 && self.tested < TRUSTED_AT_ONCE;
        let passes_later = *times == HEARD_MIN && self.tested < TESTED_MAX;
        if passes_first {
            *times = HEARD_MIN;
        }
        self.tested += usize::from(passes_first || passes_later);
        // What is being tested may be heard again: the library ranks by it.
        passes_first || passes_later || *times > HEARD_MIN
    }
}

/// AutoNAT's client with a bound.
pub(super) struct Candidates {
    inner: Behaviour,
    claims: Claims,
}

impl Candidates {
    pub(super) fn new(config: Config) -> Self {
        let inner = Behaviour::new(rand::make_rng::<rand::rngs::StdRng>(), config);
        Self { inner, claims: Claims::default() }
    }
}

impl NetworkBehaviour for Candidates {
    type ConnectionHandler = <Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = <Behaviour as NetworkBehaviour>::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::NewExternalAddrCandidate(candidate) = &event
            && !self.claims.passes(candidate.addr)
        {
            return;
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(index: usize) -> Multiaddr {
        format!("/ip4/5.{}.{}.1/tcp/1", index / 256, index % 256).parse().expect("a multiaddr")
    }

    #[test]
    fn only_addresses_of_the_world_are_tested() {
        let mut claims = Claims::default();
        assert!(claims.passes(&claim(0)));
        for near in ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.0.1/tcp/1", "/ip6/::1/tcp/1"] {
            assert!(!claims.passes(&near.parse().expect("a multiaddr")), "{near}");
        }
    }

    #[test]
    fn liars_cannot_fill_the_table_and_the_truth_still_passes() {
        let mut claims = Claims::default();
        let passed = (0..10_000).filter(|index| claims.passes(&claim(*index))).count();
        assert_eq!(passed, TRUSTED_AT_ONCE);
        assert!(claims.heard.len() <= COUNTED_MAX);
        let truth = claim(20_000);
        let heard: Vec<_> = (0..HEARD_MIN + 1).map(|_| claims.passes(&truth)).collect();
        assert_eq!(heard, [false, false, false, true, true]);
    }
}
