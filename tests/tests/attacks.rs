//! Under every attack honest posts arrive, a newcomer gets in, and the node keeps its bounds. What it costs is measured
//! by the program `attacks`.

use roda_tests::attack::ATTACKS;
use roda_tests::attack::scene::{Figures, Scene};
use std::time::Duration;

/// A node's most resident memory under attack: what it promises to those who run it.
const MEMORY_MAX: u64 = 256 * 1024 * 1024;

/// How long each attack lasts. A promise of a message counts as broken after three seconds, and one look at scores comes
/// after that: twice as long, and some.
const LASTS: Duration = Duration::from_secs(10);

/// What a node may write into its log meanwhile. An attack that is told in the log fills the disk.
const LOG_BYTES_MAX: usize = 20_000;

/// What a relay carries at once, in all and of those that one peer began: as `node/README.md` says. Attackers ask for more
/// than both.
const CIRCUITS_MAX: usize = 32;
const CIRCUITS_PER_PEER_MAX: usize = 4;

/// One node endures these, one after the other.
fn endures(names: &[&str]) -> Vec<Figures> {
    let (mut scene, mut all) = (Scene::new(), Vec::new());
    for name in names {
        let attack = ATTACKS.iter().find(|attack| attack.name == *name).expect("it is one of the attacks");
        let figures = scene.endure(attack, LASTS);
        println!("{name}: {figures:?}");
        assert!(figures.is_alive, "the node ended: {}", scene.victim().log());
        assert_eq!(figures.lacking, [0, 0], "every honest post arrives during {name}");
        assert!(figures.newcomer.is_some(), "a newcomer gets in during {name}");
        assert_eq!(figures.links, 2, "honest links last during {name}");
        assert!(figures.memory_bytes < MEMORY_MAX, "{} MiB after {name}", figures.memory_bytes >> 20);
        assert_eq!(figures.errors, 0, "the node speaks of errors after {name}: {}", scene.victim().log());
        assert!(figures.log_bytes < LOG_BYTES_MAX, "{} bytes of log after {name}", figures.log_bytes);
        assert!(figures.tally.total() > 0, "the attackers got nowhere with {name}");
        let sent_away = figures.tally.lives().len();
        assert!(sent_away > 0 || !attack.is_forbidden, "who breaks the rules is sent away: {name}");
        assert!(sent_away == 0 || attack.name != "valid-spam", "what one may not like is no offence");
        all.push(figures);
    }
    scene.victim().assert_sound();
    all
}

#[test]
fn floods_of_messages() {
    drop(endures(&["invalid-messages", "valid-spam", "unfollowed-topics"]));
}

#[test]
fn storms_of_names() {
    drop(endures(&["announcements", "wishes"]));
}

#[test]
fn storms_of_memberships() {
    drop(endures(&["subscriptions", "grafts", "backoff"]));
}

#[test]
fn strangers_on_the_port() {
    drop(endures(&["silence", "dribble"]));
}

#[test]
fn requests_without_measure() {
    drop(endures(&["endless-requests", "oversized-requests", "huge-ranges"]));
}

#[test]
fn peers_that_tell_lies_of_peers() {
    drop(endures(&["poisoned-exchange", "eclipse"]));
}

#[test]
fn a_relay_that_is_made_to_carry_all_it_can() {
    let figures = endures(&["relay-abuse"]).pop().expect("one attack");
    let (most, of_one) = figures.tally.circuits().expect("this attack counts circuits");
    assert!((CIRCUITS_PER_PEER_MAX + 1..=CIRCUITS_MAX).contains(&most), "{most} circuits at once");
    assert!((1..=CIRCUITS_PER_PEER_MAX).contains(&of_one), "{of_one} circuits of one peer");
}
