//! The simulator, as a part of all tests: 300 seeds, the named scenarios, and every seed that ever failed.

use roda_tests::sim::hostile::Behaviour;
use roda_tests::sim::{Cut, NAMES, Sabotage, Scenario, Topology, run, run_named};
use std::collections::BTreeSet;

/// Runs these seeds of a scenario; whatever a checker saw is said together with the command that replays it.
fn hold(name: &str, seeds: impl Iterator<Item = u64>) {
    let mut failures = String::new();
    for seed in seeds {
        match run_named(name, seed) {
            Ok(report) if report.violations.is_empty() => {}
            Ok(report) => {
                failures.push_str(&format!("{}\n", report.replay()));
                for found in report.violations {
                    failures.push_str(&format!("  {} at {} ms: {}\n", found.checker, found.at_ms, found.what));
                }
            }
            Err(command) => failures.push_str(&format!("a panic: {command}\n")),
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn what_must_hold_holds_in_seeds_0_to_74() {
    hold("random", 0..75);
}

#[test]
fn what_must_hold_holds_in_seeds_75_to_149() {
    hold("random", 75..150);
}

#[test]
fn what_must_hold_holds_in_seeds_150_to_224() {
    hold("random", 150..225);
}

#[test]
fn what_must_hold_holds_in_seeds_225_to_299() {
    hold("random", 225..300);
}

#[test]
fn what_must_hold_holds_in_every_named_scenario() {
    for name in NAMES.into_iter().filter(|name| *name != "crowd") {
        hold(name, 0..3);
    }
}

#[test]
fn a_crowd_of_200_agrees() {
    hold("crowd", 0..1);
}

#[test]
fn whoever_shows_nothing_of_what_others_bring_loses_points_and_no_honest_node_does() {
    let lossy = Scenario::named("lossy", 0).unwrap();
    let scenario = Scenario {
        nodes: 10,
        hostile: vec![Behaviour::Silent; 2],
        topology: Topology::Full,
        writes: 120,
        run_ms: 40 * 60_000,
        tick_ms: 1000,
        skew_ms: 10 * 60_000,
        ..lossy
    };
    for seed in 0..3 {
        let report = run(&scenario, seed, false);
        assert_eq!((report.violations, report.marked), (Vec::new(), 2), "seed {seed}");
    }
}

#[test]
fn the_same_seed_leaves_the_same_trace() {
    let trace = |seed| run(&Scenario::random(seed), seed, false).trace;
    for seed in 0..10 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_ne!(trace(0), trace(1));
}

/// Runs a scenario that can't go well. Returns the checkers that say so.
fn sabotaged(scenario: &Scenario, sabotage: Sabotage) -> BTreeSet<&'static str> {
    let report = run(&Scenario { sabotage: Some(sabotage), rounds_max: 3, ..scenario.clone() }, 0, false);
    report.violations.iter().map(|found| found.checker).collect()
}

#[test]
fn a_network_that_stays_in_two_halves_is_found() {
    let calm = Scenario::named("calm", 0).unwrap();
    let cut = Cut { at_ms: 30_000, for_ms: calm.run_ms * 100 };
    assert!(sabotaged(&Scenario { cut: Some(cut), ..calm }, Sabotage::CutsStay).contains("agree"));
}

#[test]
fn a_disk_that_forgets_what_it_acknowledged_is_found() {
    let crashes = Scenario::named("crashes", 0).unwrap();
    assert!(sabotaged(&crashes, Sabotage::DisksForget).contains("durable"));
}

#[test]
fn an_event_of_which_the_ledger_does_not_know_is_found() {
    let calm = Scenario::named("calm", 0).unwrap();
    let hostile = Scenario { hostile: vec![Behaviour::Equivocates], ..calm };
    assert!(sabotaged(&hostile, Sabotage::LedgerForgets).contains("forged"));
}

/// Seeds that failed once stay here, under a name that says what was wrong.
mod once_failed {
    use super::hold;

    #[test]
    fn a_retraction_of_a_vote_kept_a_node_from_starting_again() {
        hold("random", [47, 90].into_iter());
    }

    #[test]
    fn a_greeting_that_waited_told_the_peer_of_the_set_as_it_had_been() {
        hold("random", [10_355, 10_548].into_iter());
    }

    #[test]
    fn nodes_whose_clocks_differ_left_each_other_alone_for_hours() {
        hold("random", [10_451, 11_515].into_iter());
    }

    #[test]
    fn words_were_asked_from_the_same_few_hostile_peers_for_ever() {
        hold("hostile", [28, 1068].into_iter());
    }
}
