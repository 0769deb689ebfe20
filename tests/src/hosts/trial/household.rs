//! Two hosts behind one router, whose address on the internet both have in common.

use super::{DEADLINE, agree, id, peers};
use crate::cluster::{TestNode, network_name};
use crate::hosts::{Host, Internet, Nat};
use crate::wait::eventually;
use std::time::{Duration, Instant};

/// Two nodes of one household know a public node outside, and a further one is there. They find each other: by multicast on
/// their LAN, or, where that is off, by what those outside tell. That each is told its own address as the other's harms
/// nobody: all keep their connections, and nobody is sent away. From the start of the second until both are connected.
///
/// # Panics
///
/// If they don't find each other, or somebody takes harm.
#[must_use]
pub fn household(multicast: bool) -> Duration {
    let internet = Internet::new();
    let (public, outside) = (internet.host("public", "185.12.4.4"), internet.host("outside", "88.99.3.3"));
    let router = internet.router("home", "46.4.2.2", Nat::PortRestricted);
    let [ana, bo] = [("ana", "192.168.1.2"), ("bo", "192.168.1.3")].map(|(name, at)| router.host(name, at));
    let network = network_name();
    let first = public.node(&network, &[]);
    let address = public.address_of(&first);
    let second = outside.node(&network, &[&address]);
    let at_home = |host: &Host| {
        let mut place = host.place();
        place.up = vec!["--mdns".into(), if multicast { "on" } else { "off" }.into()];
        TestNode::start_at(&network, place, &[&address])
    };
    let board = first.found("household");
    let third = at_home(&ana);
    let start = Instant::now();
    let fourth = at_home(&bo);
    let nodes = [&first, &second, &third, &fourth];
    nodes[1..].iter().for_each(|node| node.follow(&board));
    let is_met = || peers(&third).contains(&id(&fourth)) && peers(&fourth).contains(&id(&third));
    eventually("that the two of one household meet", DEADLINE, || is_met().then_some(()));
    let took = start.elapsed();

    agree(&nodes, 1);
    third.post(&board, "The kettle is on");
    fourth.post(&board, "Coming");
    agree(&nodes, 3);
    for node in [&third, &fourth] {
        assert!(peers(node).contains(&id(&first)), "it is still connected with the public node");
    }
    for node in nodes {
        assert_eq!(node.counter("peers_sent_away"), 0, "nobody is sent away: {}", node.log());
    }
    if multicast {
        // What passes between them doesn't pass outside.
        internet.part(&[router.address()], &[public.address(), outside.address()]);
        third.post(&board, "Milk?");
        agree(&[&third, &fourth], 4);
    }
    took
}
