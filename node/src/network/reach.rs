//! From where an address can be reached, and whether it is one to dial at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// From where an address can be reached; the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// This machine alone.
    Machine,
    /// The local network alone.
    Site,
    /// Everywhere.
    World,
}

/// From where a plain TCP address (`/ip4|ip6/.../tcp/PORT`) can be reached; none if it can't be dialled.
pub(super) fn reach(address: &Multiaddr) -> Option<Reach> {
    let mut parts = address.iter();
    let (host, port, end) = (parts.next()?, parts.next()?, parts.next());
    if !matches!(port, Protocol::Tcp(1..)) || end.is_some() {
        return None;
    }
    match host {
        Protocol::Ip4(host) => reach_v4(host),
        Protocol::Ip6(host) => reach_v6(host),
        _ => None,
    }
}

fn reach_v4(host: Ipv4Addr) -> Option<Reach> {
    let shared = host.octets()[0] == 100 && host.octets()[1] & 0xc0 == 64;
    if host.is_unspecified() || host.is_multicast() || host.is_broadcast() || host.octets()[0] == 0 {
        None
    } else if host.is_loopback() {
        Some(Reach::Machine)
    } else if host.is_private() || host.is_link_local() || shared {
        Some(Reach::Site)
    } else {
        Some(Reach::World)
    }
}

fn reach_v6(host: Ipv6Addr) -> Option<Reach> {
    if let Some(host) = host.to_ipv4_mapped() {
        return reach_v4(host);
    }
    // A link-local address needs an interface's name, which differs from machine to machine.
    if host.is_unspecified() || host.is_multicast() || host.is_unicast_link_local() {
        None
    } else if host.is_loopback() {
        Some(Reach::Machine)
    } else if host.is_unique_local() {
        Some(Reach::Site)
    } else {
        Some(Reach::World)
    }
}

/// Whether an address that a peer claims may be believed to be its own, judging by how that peer is connected. What
/// is nearer than the peer itself would have this node dial its own machine or its neighbours on a stranger's word.
pub(super) fn is_credible(claimed: &Multiaddr, connected: &Multiaddr) -> bool {
    match (reach(claimed), reach(connected)) {
        (Some(claimed), Some(connected)) => claimed >= connected,
        _ => false,
    }
}

/// The IP address at the front of an address.
pub(super) fn host(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(host) => Some(host.into()),
        Protocol::Ip6(host) => Some(host.into()),
        _ => None,
    }
}

/// An address without the peer at its end, and that peer.
pub(super) fn split(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => {
            address.pop();
            (address, Some(peer))
        }
        _ => (address, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    #[test]
    fn addresses_are_sorted_by_reach() {
        for (text, expected) in [
            ("/ip4/127.0.0.1/tcp/1", Some(Reach::Machine)),
            ("/ip6/::1/tcp/1", Some(Reach::Machine)),
            ("/ip6/::ffff:127.0.0.1/tcp/1", Some(Reach::Machine)),
            ("/ip4/192.168.1.1/tcp/1", Some(Reach::Site)),
            ("/ip4/100.64.0.1/tcp/1", Some(Reach::Site)),
            ("/ip6/fd00::1/tcp/1", Some(Reach::Site)),
            ("/ip4/198.51.100.1/tcp/1", Some(Reach::World)),
            ("/ip6/2001:db8::1/tcp/1", Some(Reach::World)),
            ("/ip4/0.0.0.0/tcp/1", None),
            ("/ip4/224.0.0.1/tcp/1", None),
            ("/ip6/::/tcp/1", None),
            ("/ip6/fe80::1/tcp/1", None),
            ("/ip4/198.51.100.1/tcp/0", None),
            ("/ip4/198.51.100.1/udp/1", None),
            ("/ip4/198.51.100.1/tcp/1/p2p-circuit", None),
            ("/dns4/example.org/tcp/1", None),
            ("/ip4/198.51.100.1", None),
        ] {
            assert_eq!(reach(&address(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_peer_from_afar_is_not_believed_to_live_next_door() {
        let (near, site, far) = ("/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/198.51.100.1/tcp/1");
        for (claimed, connected, expected) in [
            (near, far, false),
            (site, far, false),
            (far, far, true),
            (near, site, false),
            (site, site, true),
            (far, site, true),
            (near, near, true),
            (far, near, true),
        ] {
            assert_eq!(is_credible(&address(claimed), &address(connected)), expected, "{claimed} from {connected}");
        }
    }

    #[test]
    fn the_peer_is_split_from_the_end() {
        let peer = PeerId::random();
        let bare = address("/ip4/127.0.0.1/tcp/1");
        assert_eq!(split(bare.clone()), (bare.clone(), None));
        assert_eq!(split(address(&format!("{bare}/p2p/{peer}"))), (bare, Some(peer)));
    }
}
