//! Addresses as invites carry them: which to give to others, and their binary form.

use super::reach::{Reach, reach, split};
use libp2p::identity::{PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::collections::BTreeSet;

/// From where the best of some addresses looks reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// From everywhere, if nothing on the way refuses.
    Everywhere,
    /// From the same local network.
    Site,
    /// From this machine.
    Machine,
}

/// The addresses that are worth giving to others, the best first, and from where they look reachable. Those of the machine
/// alone only count where there are no others. Each is as it came.
#[must_use]
pub fn worth_giving(addresses: &[String]) -> (Vec<String>, Option<Range>) {
    let with_reach = |text: &String| Some((reach(&split(text.parse().ok()?).0)?, text.clone()));
    let mut found: Vec<(Reach, String)> = addresses.iter().filter_map(with_reach).collect();
    found.sort_by_key(|(reach, _)| std::cmp::Reverse(*reach));
    let Some((best, _)) = found.first() else { return (Vec::new(), None) };
    let range = match best {
        Reach::World => Range::Everywhere,
        Reach::Site => Range::Site,
        Reach::Machine => Range::Machine,
    };
    found.retain(|(reach, _)| *reach > Reach::Machine || range == Range::Machine);
    let mut seen = BTreeSet::new();
    found.retain(|(_, text)| seen.insert(text.clone()));
    (found.into_iter().map(|(_, text)| text).collect(), Some(range))
}

/// An address in binary form, without the peer at its end.
#[must_use]
pub fn own_bytes(address: &str) -> Option<Vec<u8>> {
    Some(split(address.parse().ok()?).0.to_vec())
}

/// An address in binary form, with the peer at its end.
#[must_use]
pub fn whole_bytes(address: &str) -> Option<Vec<u8>> {
    let address: Multiaddr = address.parse().ok()?;
    address.iter().last().filter(|last| matches!(last, Protocol::P2p(_))).map(|_| address.to_vec())
}

/// The text of an address in binary form, with the peer at its end that is given, or else with its own.
#[must_use]
pub fn text(bytes: &[u8], peer: Option<&[u8; 32]>) -> Option<String> {
    let (address, own) = split(Multiaddr::try_from(bytes.to_vec()).ok()?);
    let peer = match peer {
        Some(key) => peer_of_key(key)?,
        None => own?,
    };
    Some(format!("{address}/p2p/{peer}"))
}

fn peer_of_key(key: &[u8; 32]) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(key).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::identity::Keypair;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_farthest_reach_comes_first_and_the_machines_own_last_resort_only_alone() {
        let (machine, site) = ("/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.2/tcp/1");
        let world = "/ip4/198.51.100.1/tcp/1";
        assert_eq!(worth_giving(&texts(&[machine, site, world])), (texts(&[world, site]), Some(Range::Everywhere)));
        let other = "/ip4/198.51.100.2/tcp/1";
        assert_eq!(worth_giving(&texts(&[site, other, world, other])).0, texts(&[other, world, site]));
        assert_eq!(worth_giving(&texts(&[machine, site])), (texts(&[site]), Some(Range::Site)));
        assert_eq!(worth_giving(&texts(&[machine])), (texts(&[machine]), Some(Range::Machine)));
        assert_eq!(worth_giving(&texts(&["/ip4/0.0.0.0/tcp/1", "nowhere"])), (vec![], None));
    }

    #[test]
    fn an_address_comes_back_with_the_peer_that_its_key_names() {
        let mut seed = [7; 32];
        let key = Keypair::ed25519_from_bytes(&mut seed).expect("a key").public();
        let text_with_peer = format!("/ip4/198.51.100.1/tcp/1/p2p/{}", key.to_peer_id());
        let bytes = own_bytes(&text_with_peer).expect("an address");
        assert_eq!(bytes, [4, 198, 51, 100, 1, 6, 0, 1]);
        let raw = key.try_into_ed25519().expect("an ed25519 key").to_bytes();
        assert_eq!(text(&bytes, Some(&raw)), Some(text_with_peer.clone()));
        assert_eq!(text(&bytes, None), None);
        let whole = whole_bytes(&text_with_peer).expect("an address");
        assert_eq!(text(&whole, None), Some(text_with_peer));
        assert_eq!(whole_bytes("/ip4/198.51.100.1/tcp/1"), None);
    }

    #[test]
    fn bytes_that_are_no_address_have_no_text() {
        for bytes in [&[][..], &[4, 1], &[0xff; 40]] {
            assert_eq!(text(bytes, None), None);
        }
    }
}
