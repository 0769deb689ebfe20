//! Nodes on hosts of their own, with routers, partitions and bad weather in between. A machine that can't have such
//! hosts skips these, and says why.

use roda_tests::hosts::trial::{self, Cut, Scene, Way};
use roda_tests::hosts::{Nat, can_run, possible, weather_possible};
use std::time::Duration;

/// Prints what a test measured.
fn took(what: &str, time: Duration) {
    println!("{what}: {:.2} s", time.as_secs_f64());
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
