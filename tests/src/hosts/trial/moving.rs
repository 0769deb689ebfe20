//! A host that gets another address.

use super::{DEADLINE, agree, has};
use crate::cluster::network_name;
use crate::hosts::Internet;
use crate::wait::eventually;
use std::time::{Duration, Instant};

/// A host loses its address and gets another one: until what the other one writes meanwhile is here. `dialled`: whether
/// the node that moves had dialled the other, or had been dialled.
///
/// # Panics
///
/// If it never is.
#[must_use]
pub fn moving(dialled: bool) -> Duration {
    let internet = Internet::new();
    let (mut mover, stays) = (internet.host("mover", "5.9.1.1"), internet.host("stays", "46.4.2.2"));
    let network = network_name();
    let (moving, staying) = if dialled {
        let staying = stays.node(&network, &[]);
        (mover.node(&network, &[&stays.address_of(&staying)]), staying)
    } else {
        let moving = mover.node(&network, &[]);
        let staying = stays.node(&network, &[&mover.address_of(&moving)]);
        (moving, staying)
    };
    let board = staying.found("moving");
    moving.follow(&board);
    agree(&[&moving, &staying], 1);
    // A node tells where it is once somebody has confirmed it.
    let is_public = || (staying.object(&["status"])["reachability"] == "public").then_some(());
    eventually("that the node that stays knows that it is reached", DEADLINE, is_public);

    mover.move_to("78.46.3.3");
    let start = Instant::now();
    let post = staying.post(&board, "Where are you?");
    eventually("what was written meanwhile", DEADLINE, || has(&moving, &post).then_some(()));
    let took = start.elapsed();
    moving.reply(&post, "Here");
    agree(&[&moving, &staying], 3);
    took
}
