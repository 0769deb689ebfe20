//! Nodes on hosts of their own, with routers, partitions and bad weather in between. A machine that can't have such
//! hosts skips these, and says why.

use roda_tests::hosts::trial::{self, Cut, Scene, Way};
use roda_tests::hosts::{Host, Internet, Nat, can_run, possible, weather_possible};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Prints what a test measured.
fn took(what: &str, time: Duration) {
    println!("{what}: {:.2} s", time.as_secs_f64());
}

/// What a socket hears until somebody says `answer`, and from where that came.
fn heard(socket: &UdpSocket) -> (Vec<String>, SocketAddr) {
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    let (mut words, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("an answer");
        match str::from_utf8(&buffer[..length]).expect("words") {
            "answer" => return (words, from),
            word => words.push(word.to_owned()),
        }
    }
}

#[test]
fn routers_let_in_whom_their_kind_lets_in() {
    if !can_run("routers", possible()) {
        return;
    }
    for (kind, keeps_port, expected) in [
        (Nat::FullCone, true, &["same host", "stranger"][..]),
        (Nat::AddressRestricted, true, &["same host"]),
        (Nat::PortRestricted, true, &[]),
        (Nat::Symmetric, false, &[]),
    ] {
        let internet = Internet::new();
        let (asked, other) = (internet.host("asked", "5.9.1.1"), internet.host("other", "88.99.3.3"));
        let (inside, _router) = internet.host_behind(kind, "inside", "46.4.2.2");
        let socket = |host: &Host, port| {
            host.namespace().enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).expect("the port is free")
        };
        let home = socket(&inside, 5000);
        let (server, same_host, stranger) = (socket(&asked, 80), socket(&asked, 81), socket(&other, 80));
        let say = |from: &UdpSocket, to: SocketAddr, word: &str| {
            from.send_to(word.as_bytes(), to).expect("it is sent");
        };
        say(&home, (asked.address(), 80).into(), "answer");
        let (_, outside) = heard(&server);
        assert_eq!(outside.port() == 5000, keeps_port, "{kind}");
        say(&same_host, outside, "same host");
        say(&stranger, outside, "stranger");
        say(&server, outside, "answer");
        assert_eq!(heard(&home).0, expected, "{kind}");
        say(&home, (other.address(), 80).into(), "answer");
        assert_eq!(heard(&stranger).1 == outside, keeps_port, "{kind}");
    }
}

#[test]
fn both_sides_of_a_partition_end_with_the_same_threads() {
    if can_run("both sides of a partition", possible()) {
        took("from the end of a cut both ways until all have everything", trial::heal(Cut::BothWays, false));
    }
}

#[test]
fn what_got_through_one_way_only_is_on_both_sides_in_the_end() {
    if can_run("a partition one way", possible()) {
        took("from the end of a cut one way until all have everything", trial::heal(Cut::OneWay, false));
    }
}

#[test]
fn a_host_that_gets_another_address_comes_back() {
    if can_run("another address", possible()) {
        took("from another address until what was written meanwhile is here", trial::moving(true));
    }
}

#[test]
fn a_host_that_gets_another_address_comes_back_to_whoever_had_dialled_it() {
    if can_run("another address of a node that was dialled", possible()) {
        took("from another address until what was written meanwhile is here", trial::moving(false));
    }
}

#[test]
fn a_host_that_slept_for_an_hour_catches_up() {
    if can_run("an hour of sleep", trial::sleep_possible()) {
        took("from waking until what was written meanwhile is here", trial::sleep());
    }
}

#[test]
fn a_node_that_knows_nobody_works_and_is_found_by_a_neighbour() {
    if can_run("a lone node", possible()) {
        let alone = trial::alone();
        took("from the start of a neighbour until both are connected", alone.neighbour);
        took("from the start of a neighbour until it has everything", alone.caught_up);
    }
}

#[test]
fn one_good_address_among_bad_ones_is_enough() {
    if can_run("bad addresses", possible()) {
        took("from the start until the thread of the good one is shown", trial::poisoned());
    }
}

#[test]
fn every_post_reaches_every_node_over_links_that_lose_packets() {
    if can_run("links that lose packets", weather_possible()) {
        let scene = Scene { nodes: 8, dials: 3, posts: 10, loss_per_mille: 50, delay_ms: 40, jitter_ms: 20 };
        println!("{}", trial::delivery(scene));
    }
}

/// Two nodes behind such routers meet as theory says: directly where a hole can be punched, else through the public node.
fn meet(left: Nat, right: Nat) {
    let what = format!("a host behind {left} and one behind {right}");
    if !can_run(&what, possible()) {
        return;
    }
    let meeting = trial::meeting(left, right);
    println!("{what}: {meeting}; reachable after {:.1} s", meeting.reachable.as_secs_f64());
    let expected = if left.can_be_punched(right) { Way::Direct } else { Way::Relayed };
    assert_eq!(meeting.way, expected, "{meeting:?}");
    assert!(meeting.connected.is_some_and(|time| time < Duration::from_secs(10)), "{meeting:?}");
}

#[test]
fn two_hosts_behind_ordinary_home_routers_are_connected_directly() {
    meet(Nat::PortRestricted, Nat::PortRestricted);
}

#[test]
fn a_symmetric_router_and_an_open_one_are_connected_directly() {
    meet(Nat::Symmetric, Nat::FullCone);
}

#[test]
fn two_symmetric_routers_are_connected_through_the_public_node() {
    meet(Nat::Symmetric, Nat::Symmetric);
}

#[test]
fn a_relay_that_restarts_is_asked_again() {
    if can_run("a relay that restarts", possible()) {
        took("from the relay's restart until a host behind a router is connected through it", trial::renewal());
    }
}

#[test]
fn a_host_with_ipv6_alone_joins_reads_finds_others_and_is_heard() {
    if can_run("a host with IPv6 alone", possible()) {
        let six = trial::only_six();
        took("from `roda join` until the first thread is shown, over IPv6 alone", six.joined);
        took("from then until it has found another node", six.found);
    }
}

#[test]
fn two_hosts_of_one_household_find_each_other_on_their_lan_and_nobody_takes_harm() {
    if can_run("a household", possible()) {
        took(
            "from the start of the second of a household until both are connected, with multicast",
            trial::household(true),
        );
    }
}

#[test]
fn two_hosts_of_one_household_find_each_other_through_others_where_multicast_is_off() {
    if can_run("a household without multicast", possible()) {
        took("from the start of the second of a household until both are connected", trial::household(false));
    }
}

#[test]
fn nothing_leaves_the_host_of_a_node_behind_a_proxy_but_tcp_to_the_proxy() {
    if !can_run("a proxy", possible()) {
        return;
    }
    let [hidden, plain] = trial::proxied();
    println!("packets with a proxy: {hidden:?}; without: {plain:?}");
    assert!(hidden.keys().eq(["allowed"]), "{hidden:?}");
    for kind in ["multicast", "datagrams", "streams", "names"] {
        assert!(plain.contains_key(kind), "the counters see {kind} where there is some: {plain:?}");
    }
}

#[test]
fn a_router_that_forwards_ports_makes_a_node_public_that_is_told_to_ask_and_no_other() {
    if can_run("a router that forwards ports", trial::forwarding_possible()) {
        took("from the start of a node until its router's port makes it public", trial::forwarded_port());
    }
}
