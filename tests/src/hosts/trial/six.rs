//! A host that has an address of IPv6, and none of IPv4.

use super::{DEADLINE, agree, has, id};
use crate::binary::roda_binary;
use crate::cluster::{network_name, text};
use crate::hosts::Internet;
use crate::wait::eventually;
use serde_json::Value;
use std::time::{Duration, Instant};

/// What became of the host.
#[derive(Debug)]
pub struct Six {
    /// From the start of `roda join` until it showed the first thread.
    pub joined: Duration,
    /// From then until it was connected with a node of which nobody had told it the address.
    pub found: Duration,
}

/// Two hosts have both kinds of addresses, and the invite of one of them is all that the third one gets. It reads, finds the
/// other by itself, and what it writes is read by both.
///
/// # Panics
///
/// If it doesn't come to that.
#[must_use]
pub fn only_six() -> Six {
    let internet = Internet::new();
    let [public, other, modern] = [("public", "5.9.1.1"), ("other", "46.4.2.2"), ("modern", "88.99.3.3")]
        .map(|(name, address)| internet.host(name, address));
    public.give_six("2a01:4f8:1::1");
    other.give_six("2a02:8100:2::2");
    modern.give_six("2a0a:4580:3::3");
    modern.take_four();

    let network = network_name();
    let first = public.node(&network, &[]);
    let board = first.found("six");
    let post = first.post(&board, "Who else is here?");
    let second = other.node(&network, &[&public.address_of(&first)]);
    second.follow(&board);
    agree(&[&first, &second], 2);
    let invite = text(&first.object(&["invite", &board])["invite"]);

    // Its node ends with the namespace, which is dropped before the folder.
    let folder = tempfile::Builder::new().prefix("roda-").tempdir().expect("a temporary folder");
    let (binary, home) = (roda_binary(), folder.path().join("home"));
    let modern = modern;
    let run = |words: &[&str]| {
        let binary = binary.to_str().expect("a path of letters");
        let home = home.to_str().expect("a path of letters");
        let words = [&[binary, "--json", "--home", home], words].concat();
        let said = modern.namespace().run(&words, "").expect("the command succeeds");
        said.lines().map(|line| serde_json::from_str(line).expect("lines of JSON")).collect::<Vec<Value>>()
    };
    let start = Instant::now();
    let wait = DEADLINE.as_secs().to_string();
    let line = run(&["join", &invite, "--wait", &wait, "--mdns", "off"]).remove(0);
    let joined = start.elapsed();
    assert!(line["threads"].as_u64().is_some_and(|threads| threads > 0), "{line}");
    assert_eq!(run(&["read", &post])[0]["thread"]["title"], "Who else is here?");

    let start = Instant::now();
    let names = |peer: &Value| peer["peer_id"] == id(&second).as_str();
    eventually("the node that it was not told of", DEADLINE, || run(&["peers"]).iter().any(names).then_some(()));
    let found = start.elapsed();
    assert!(run(&["peers"]).iter().all(|peer| text(&peer["addr"]).starts_with("/ip6/")), "over IPv6 alone");
    let answer = text(&run(&["reply", &post, "-m", "Me"])[0]["id"]);
    for node in [&first, &second] {
        eventually("the answer", DEADLINE, || has(node, &answer).then_some(()));
    }
    Six { joined, found }
}
