//! From where an address can be reached, how, and whether it is one to dial at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

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

/// How one gets to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Via {
    /// `/ip4|ip6/.../tcp/PORT`.
    Tcp,
    /// `/ip4|ip6/.../udp/PORT/quic-v1`.
    Quic,
    /// Either of them, and then `/p2p/RELAY/p2p-circuit`.
    Relay(PeerId),
}

/// The addresses that one owner is likely to have many of: a /16 of IPv4, a /32 of IPv6. Whoever rents a few machines
/// rents them in few of these; who holds links in many groups is hard to surround.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Group {
    V4([u8; 2]),
    V6([u8; 4]),
}

/// What an address leads to: the host that is dialled, which of a relayed one is the relay's. None if this program can't
/// dial it.
pub(super) fn route(address: &Multiaddr) -> Option<(IpAddr, Via)> {
    let mut parts = address.iter();
    let host = match parts.next()? {
        Protocol::Ip4(host) => host.into(),
        Protocol::Ip6(host) => host.into(),
        _ => return None,
    };
    let direct = match parts.next()? {
        Protocol::Tcp(1..) => Via::Tcp,
        Protocol::Udp(1..) if parts.next()? == Protocol::QuicV1 => Via::Quic,
        _ => return None,
    };
    let via = match (parts.next(), parts.next()) {
        (None, _) => direct,
        (Some(Protocol::P2p(relay)), Some(Protocol::P2pCircuit)) => Via::Relay(relay),
        _ => return None,
    };
    parts.next().is_none().then_some((host, via))
}

/// From where an address can be reached; none if it can't be dialled.
pub(super) fn reach(address: &Multiaddr) -> Option<Reach> {
    let (host, _) = route(address)?;
    reach_of(host)
}

/// Whether the address leads through another peer.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The relay through which an address leads.
pub(super) fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    match route(address)? {
        (_, Via::Relay(relay)) => Some(relay),
        _ => None,
    }
}

/// What is dialled to get to an address: the address itself or its relay's.
pub(super) fn first_hop(address: &Multiaddr) -> Multiaddr {
    address.iter().take_while(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// The group of an address of the world. None for others: on one machine or in one house there is only one owner, and
/// nothing to spread over.
pub(super) fn group(address: &Multiaddr) -> Option<Group> {
    let (host, _) = route(address)?;
    group_of(host)
}

/// The hosts that one owner is likely to have all of: a /24 of IPv4, a /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Net {
    V4([u8; 3]),
    V6([u8; 6]),
}

/// The network of a host of the world; none for others.
pub(super) fn net_of(host: IpAddr) -> Option<Net> {
    if reach_of(host)? < Reach::World {
        return None;
    }
    Some(match host.to_canonical() {
        IpAddr::V4(host) => Net::V4(host.octets()[..3].try_into().expect("three bytes of four")),
        IpAddr::V6(host) => Net::V6(host.octets()[..6].try_into().expect("six bytes of sixteen")),
    })
}

/// The group of a host; see [`group`].
pub(super) fn group_of(host: IpAddr) -> Option<Group> {
    if reach_of(host)? < Reach::World {
        return None;
    }
    Some(match host.to_canonical() {
        IpAddr::V4(host) => Group::V4([host.octets()[0], host.octets()[1]]),
        IpAddr::V6(host) => {
            let octets = host.octets();
            Group::V6([octets[0], octets[1], octets[2], octets[3]])
        }
    })
}

/// The group of an address in words, such as `203.0.0.0/16`; none if it is not of the world.
pub(crate) fn group_words(address: &str) -> Option<String> {
    let address: Multiaddr = address.parse().ok()?;
    let hop: Multiaddr = first_hop(&address);
    Some(match group(&hop)? {
        Group::V4([a, b]) => format!("{a}.{b}.0.0/16"),
        Group::V6([a, b, c, d]) => format!("{:x}:{:x}::/32", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
    })
}

fn reach_of(host: IpAddr) -> Option<Reach> {
    match host {
        IpAddr::V4(host) => reach_v4(host),
        IpAddr::V6(host) => reach_v6(host),
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
            ("/ip4/198.51.100.1/udp/1/quic-v1", Some(Reach::World)),
            ("/ip4/10.0.0.1/udp/1/quic-v1", Some(Reach::Site)),
            ("/ip4/198.51.100.1/udp/1/quic-v1/webtransport", None),
        ] {
            assert_eq!(reach(&address(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_relayed_address_is_where_its_relay_is() {
        let relay = PeerId::random();
        let hop = address("/ip4/198.51.100.1/udp/1/quic-v1");
        let relayed = address(&format!("{hop}/p2p/{relay}/p2p-circuit"));
        assert_eq!(reach(&relayed), Some(Reach::World));
        assert_eq!(route(&relayed).map(|(_, via)| via), Some(Via::Relay(relay)));
        assert_eq!(route(&hop).map(|(_, via)| via), Some(Via::Quic));
        assert!(is_relayed(&relayed) && !is_relayed(&hop));
        assert_eq!(first_hop(&relayed), hop);
        assert_eq!(first_hop(&hop), hop);
        let twice = address(&format!("{relayed}/p2p/{relay}/p2p-circuit"));
        assert_eq!(reach(&twice), None, "one relay is enough");
    }

    #[test]
    fn groups_have_words() {
        let words = |address: &str| group_words(address);
        assert_eq!(words("/ip4/8.8.4.4/tcp/1").as_deref(), Some("8.8.0.0/16"));
        assert_eq!(words("/ip6/2a00:1450::1/udp/1/quic-v1").as_deref(), Some("2a00:1450::/32"));
        assert_eq!(words("/ip4/127.0.0.1/tcp/1"), None);
        assert_eq!(words("nonsense"), None);
    }

    #[test]
    fn groups_are_of_the_world() {
        let same = |one: &str, other: &str| group(&address(one)) == group(&address(other));
        assert!(same("/ip4/198.51.100.1/tcp/1", "/ip4/198.51.7.1/udp/2/quic-v1"));
        assert!(!same("/ip4/198.51.100.1/tcp/1", "/ip4/198.52.100.1/tcp/1"));
        assert!(same("/ip6/2001:db8:1::1/tcp/1", "/ip6/2001:db8:2::1/tcp/1"));
        assert!(!same("/ip6/2001:db8::1/tcp/1", "/ip6/2001:db9::1/tcp/1"));
        assert!(same("/ip6/::ffff:198.51.100.1/tcp/1", "/ip4/198.51.100.1/tcp/1"));
        for near in ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1"] {
            assert_eq!(group(&address(near)), None);
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
