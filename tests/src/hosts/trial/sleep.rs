//! A laptop that is closed and opened again.

use super::{DEADLINE, agree, has, id, peers};
use crate::cluster::{TestNode, network_name};
use crate::fast;
use crate::hosts::Internet;
use crate::wait::eventually;
use rustix::process::{Signal, kill_process};
use std::time::{Duration, Instant};

/// Why this machine can't have sleeping hosts; nothing if it can.
///
/// # Errors
///
/// What is missing, in a line.
pub fn sleep_possible() -> Result<(), String> {
    super::super::possible()?;
    fast::possible()
}

/// A host sleeps for an hour: the process does nothing, its link is down, and afterwards the time of day is an hour
/// later while the clock that only runs when the machine does is not, as it is on Linux. Meanwhile the other node
/// gave its connection up and went on writing. From waking until what was written is here.
///
/// # Panics
///
/// If it never is.
#[must_use]
pub fn sleep() -> Duration {
    let internet = Internet::new();
    let (laptop, stays) = (internet.host("laptop", "5.9.1.1"), internet.host("stays", "46.4.2.2"));
    let network = network_name();
    let awake = stays.node(&network, &[]);

    let clock = tempfile::NamedTempFile::new().expect("a temporary file");
    let tell = |offset: &str| std::fs::write(clock.path(), offset).expect("there is room");
    tell("+0");
    let mut place = laptop.place();
    place.prefix.extend([
        "env".to_owned(),
        format!("LD_PRELOAD={}", fast::library().expect("sleep is possible")),
        format!("FAKETIME_TIMESTAMP_FILE={}", clock.path().display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ]);
    let sleeper = TestNode::start_at(&network, place, &[&stays.address_of(&awake)]);
    let board = awake.found("night");
    sleeper.follow(&board);
    agree(&[&sleeper, &awake], 1);

    kill_process(sleeper.pid(), Signal::STOP).expect("it is ours");
    laptop.unplug();
    stays.refuse(laptop.address());
    let posts: Vec<_> = (0..20).map(|hour| awake.post(&board, &format!("Minute {hour}"))).collect();
    let gone = || (!peers(&awake).contains(&id(&sleeper))).then_some(());
    eventually("that the other node gives the sleeper up", DEADLINE, gone);
    stays.refuse_nobody();

    tell("+3600");
    laptop.plug();
    kill_process(sleeper.pid(), Signal::CONT).expect("it is ours");
    let start = Instant::now();
    for post in &posts {
        eventually("what was written meanwhile", DEADLINE, || has(&sleeper, post).then_some(()));
    }
    let took = start.elapsed();
    let late = sleeper.post(&board, "Good morning");
    let ahead_ms = created_ms(&sleeper, &late) - created_ms(&sleeper, &posts[0]);
    assert!((3_600_000..3_700_000).contains(&ahead_ms), "the sleeper's clock went on for an hour, not {ahead_ms} ms");
    took
}

fn created_ms(node: &TestNode, post: &str) -> u64 {
    node.read(post)["thread"]["created_ms"].as_u64().expect("a time")
}
