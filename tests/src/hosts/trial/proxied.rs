//! A node behind a proxy, and everything that leaves its host.

use super::{DEADLINE, agree, id, peers, shows};
use crate::cluster::{TestNode, network_name};
use crate::hosts::{Internet, Proxy, Seen};
use crate::wait::eventually;
use std::collections::BTreeMap;

/// The proxy's port, which is the usual one.
const PORT: u16 = 1080;

/// Packets that left a host, by kind.
pub type Packets = BTreeMap<String, u64>;

/// A node is told to use a proxy. It reads and writes through it, is asked for what it can't do there, loses the proxy,
/// starts again without it, and has it back. Gives what left its host meanwhile, and what left another one, whose node did
/// the same without a proxy: the counters see what there is to be seen.
///
/// # Panics
///
/// If the proxy is not enough to read and write, or words pass without it.
#[must_use]
pub fn proxied() -> [Packets; 2] {
    let internet = Internet::new();
    let [proxy_host, hidden, plain, public] =
        [("proxy", "5.9.1.1"), ("hidden", "46.4.2.2"), ("plain", "88.99.3.3"), ("public", "185.12.4.4")]
            .map(|(name, address)| internet.host(name, address));
    let network = network_name();
    let first = public.node(&network, &[]);
    let address = public.address_of(&first);
    let board = first.found("hidden");
    let post = first.post(&board, "Where are you?");

    let proxy = Proxy::start(&proxy_host, PORT);
    let seen = [&hidden, &plain].map(|host| Seen::begin(host, proxy.address()));
    let mut place = hidden.place();
    // Multicast isn't turned off by hand: the proxy does it.
    place.up = vec!["--proxy".into(), format!("socks5://{}", proxy.address())];
    let mut node = TestNode::start_at(&network, place, &[&address]);
    node.follow(&board);
    shows(&node, &post);
    node.reply(&post, "I won't say");
    agree(&[&first, &node], 3);

    let quic = address.replace("/tcp/", "/udp/").replace("/p2p/", "/quic-v1/p2p/");
    let without = [quic.as_str(), "/dns4/somewhere.example/tcp/7716", "/dnsaddr/somewhere.example"];
    // By the address of a datagram the peer that is connected already would be found.
    for way in &without[1..] {
        node.refusal(&["connect", way]);
    }
    drop(proxy);
    let is_alone = |node: &TestNode| peers(node).is_empty().then_some(());
    eventually("that the node without its proxy is alone", DEADLINE, || is_alone(&node));
    let unheard = first.post(&board, "Hello?");
    for way in [address.as_str()].into_iter().chain(without) {
        node.refusal(&["connect", way]);
    }
    node.restart();
    for way in [address.as_str()].into_iter().chain(without) {
        node.refusal(&["connect", way]);
    }
    assert!(peers(&node).is_empty() && !node.run(&["read", &unheard]).status.success(), "nothing passes");

    let _proxy = Proxy::start(&proxy_host, PORT);
    node.object(&["connect", &address]);
    shows(&node, &unheard);
    assert_eq!(peers(&node), [id(&first)]);

    let mut place = plain.place();
    place.up.clear();
    let other = TestNode::start_at(&network, place, &[&address]);
    other.follow(&board);
    shows(&other, &post);
    for way in without {
        // Whether there is somebody is of no concern here.
        drop(other.run(&["connect", way]));
    }
    // What the counters are for: they see datagrams and questions for names where there are some.
    let mut send = std::process::Command::new(&plain.place().prefix[0]);
    send.args(&plain.place().prefix[1..]).args([
        "bash",
        "-c",
        "echo x > /dev/udp/185.12.4.4/4001; echo x > /dev/udp/185.12.4.4/53",
    ]);
    assert!(send.status().expect("bash starts").success());
    seen.map(|seen| seen.packets())
}
