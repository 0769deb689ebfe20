//! Partitions.

use super::{DEADLINE, agree, has, id, peers, shows};
use crate::cluster::{TestNode, network_name};
use crate::hosts::{Host, Internet};
use crate::wait::eventually;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Posts of one side while the cut lasts: some seconds of writing.
const POSTS: u64 = 20;

/// What goes wrong between two groups of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing gets through, either way.
    BothWays,
    /// Nothing gets through from the first group to the second; all does on the way back.
    OneWay,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BothWays => "both ways",
            Self::OneWay => "one way",
        })
    }
}

/// Four nodes are parted two and two while all write, and joined again: until each has everything. `until_noticed`: the
/// cut lasts until the nodes of both sides have given each other up.
///
/// # Panics
///
/// If they don't end with the same events.
#[must_use]
pub fn heal(cut: Cut, until_noticed: bool) -> Duration {
    let internet = Internet::new();
    let hosts = [("ana", "5.9.1.1"), ("bo", "46.4.2.2"), ("cem", "88.99.3.3"), ("dag", "185.12.4.4")]
        .map(|(name, address)| internet.host(name, address));
    let network = network_name();
    let mut nodes: Vec<TestNode> = Vec::new();
    for (host, earlier) in hosts.iter().zip([&[][..], &[0], &[0], &[1, 2]]) {
        let connect: Vec<String> =
            earlier.iter().map(|other: &usize| hosts[*other].address_of(&nodes[*other])).collect();
        nodes.push(host.node(&network, &connect.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    let board = nodes[0].found("parted");
    nodes[1..].iter().for_each(|node| node.follow(&board));
    let before = nodes[0].post(&board, "Before");
    let all: Vec<&TestNode> = nodes.iter().collect();
    agree(&all, 2);

    let (here, there) = (addresses(&hosts[..2]), addresses(&hosts[2..]));
    match cut {
        Cut::BothWays => internet.part(&here, &there),
        Cut::OneWay => here.iter().for_each(|from| there.iter().for_each(|to| internet.cut_one_way(*from, *to))),
    }
    let answers = nodes.iter().map(|node| node.reply(&before, "Words of one side")).collect::<Vec<_>>();
    let new: Vec<_> = (0..POSTS).map(|count| nodes[0].post(&board, &format!("Thread {count} of one side"))).collect();
    shows(&nodes[1], new.last().expect("there are posts"));
    shows(&nodes[2], &answers[3]);
    if until_noticed {
        let (left, right) = nodes.split_at(2);
        for (side, other) in [(left, right), (right, left)] {
            let others: Vec<_> = other.iter().map(id).collect();
            let parted = |node: &TestNode| peers(node).iter().all(|peer| !others.contains(peer));
            eventually("that all give each other up", DEADLINE, || side.iter().all(parted).then_some(()));
        }
    }
    assert!(!new.iter().any(|post| has(&nodes[2], post)), "nothing gets there that was written on the other side");
    internet.mend();
    let took = agree(&all, 6 + POSTS);
    let views: Vec<_> = nodes.iter().map(|node| node.shared_view(&before)).collect();
    assert!(views.iter().all(|view| *view == views[0]), "all show the same thread");
    took
}

fn addresses(hosts: &[Host]) -> Vec<Ipv4Addr> {
    hosts.iter().map(Host::address).collect()
}
