//! Finding others: with nobody to ask, and with all the wrong ones.

use super::{DEADLINE, agree, has, id, peers, shows};
use crate::cluster::{TestNode, network_name};
use crate::hosts::{Host, Internet, Switch};
use crate::wait::eventually;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// What became of a node that knows nobody.
#[derive(Debug)]
pub struct Alone {
    /// From the start of a neighbour until both are connected.
    pub neighbour: Duration,
    /// From the start of a neighbour until it shows what was written before.
    pub caught_up: Duration,
}

/// A node on a LAN from which nothing leads away, with nobody there: it works. Then somebody appears on the LAN, and
/// somebody who doesn't look for neighbours and dials.
///
/// # Panics
///
/// If it doesn't work, or they don't meet.
#[must_use]
pub fn alone() -> Alone {
    let lan = Switch::new("island");
    let hosts = [("ana", "192.168.1.2"), ("bo", "192.168.1.3"), ("cem", "192.168.1.4")]
        .map(|(name, address)| lan.host(name, address));
    let network = network_name();
    let node = |host: &Host, mdns: &str| {
        let mut place = host.place();
        place.up = vec!["--mdns".into(), mdns.into()];
        TestNode::start_at(&network, place, &[])
    };
    let first = node(&hosts[0], "on");
    let board = first.found("island");
    let post = first.post(&board, "Is anybody there?");
    let answer = first.reply(&post, "No");
    assert_eq!(first.read(&post)["thread"]["children"][0]["id"], answer.as_str());
    assert!(first.json(&["outbox"]).iter().all(|line| line["state"] == "queued"), "nobody can have it");

    let start = Instant::now();
    let second = node(&hosts[1], "on");
    second.follow(&board);
    eventually("that neighbours find each other", DEADLINE, || peers(&second).contains(&id(&first)).then_some(()));
    let neighbour = start.elapsed();
    agree(&[&first, &second], 3);
    let caught_up = start.elapsed();

    let third = node(&hosts[2], "off");
    third.follow(&board);
    third.object(&["connect", &hosts[0].address_of(&first)]);
    shows(&third, &post);
    third.reply(&post, "Me too");
    agree(&[&first, &second, &third], 4);
    Alone { neighbour, caught_up }
}

/// A new node is given addresses of which one is good: nobody is there, nobody answers, somebody accepts and says
/// nothing, another network, another node than was said, and the good one. From its start until it shows a post.
///
/// # Panics
///
/// If it never does.
#[must_use]
pub fn poisoned() -> Duration {
    let internet = Internet::new();
    let [good, new, mute, foreign] =
        [("good", "5.9.1.1"), ("new", "46.4.2.2"), ("mute", "88.99.3.3"), ("foreign", "185.12.4.4")]
            .map(|(name, address)| internet.host(name, address));
    let network = network_name();
    let node = good.node(&network, &[]);
    let board = node.found("well");
    let post = node.post(&board, "Clear water");
    let stranger = foreign.node(&network_name(), &[]);
    let listener = mute.namespace().enter(|| TcpListener::bind("0.0.0.0:7716")).expect("the port is free");
    // Takes connections, keeps them, and says nothing; ends with the listener's namespace at the latest.
    let patient = listener.try_clone().expect("a listener can be cloned");
    std::thread::spawn(move || patient.incoming().collect::<Vec<_>>());

    let good_address = good.address_of(&node);
    let bare = good_address.split("/p2p/").next().expect("an address").to_owned();
    let connect = [
        "/ip4/91.1.1.1/tcp/7716".to_owned(),
        "/ip4/198.18.1.1/tcp/7716".to_owned(),
        format!("/ip4/{}/tcp/7716", mute.address()),
        foreign.address_of(&stranger),
        format!("{bare}/p2p/{}", id(&stranger)),
        good_address,
    ];
    let start = Instant::now();
    let fresh = new.node(&network, &connect.each_ref().map(String::as_str));
    fresh.follow(&board);
    eventually("the post of the good one", DEADLINE, || has(&fresh, &post).then_some(()));
    let took = start.elapsed();
    assert_eq!(peers(&fresh), [id(&node)]);
    took
}
