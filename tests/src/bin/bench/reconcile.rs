//! What it costs two sets to know their difference, beside the `negentropy` crate on the same sets, and what keeping a set
//! ready for that costs an insertion.

use super::Options;
use super::holding::Holding;
use super::table::Table;
use roda_protocol::reconcile::{MemorySets, SetKey};
use roda_tests::chance::Chance;
use roda_tests::clock::{Laps, thread_time};
use roda_tests::exchange::{self, Cost, Known};
use roda_tests::negentropy;
use roda_tests::pairs::{Pair, Placement, YEAR_MS, pair, sets, spread};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// The numbers to reach are for sets of this size or more.
const GOALS_FROM: usize = 1_000_000;

const CASES: [(usize, Placement); 13] = [
    (0, Placement::End),
    (1, Placement::Scattered),
    (100, Placement::End),
    (100, Placement::EndThere),
    (100, Placement::Scattered),
    (100, Placement::Recent),
    (100, Placement::BothSides),
    (1000, Placement::BothSides),
    (10_000, Placement::End),
    (10_000, Placement::EndThere),
    (10_000, Placement::Scattered),
    (10_000, Placement::Recent),
    (10_000, Placement::BothSides),
];

/// A comparison is repeated until it has taken so long, but at least and at most so often.
const REPEATED: Duration = Duration::from_millis(200);
const REPEATS_MIN: usize = 3;
const REPEATS_MAX: usize = 51;

/// A number to reach: what, how much at most, and the measure.
struct Goal {
    text: &'static str,
    is_reached: fn(&Cost) -> bool,
}

fn goal(differing: usize, placement: Placement) -> Option<Goal> {
    let (text, is_reached): (_, fn(&Cost) -> bool) = match (differing, placement) {
        (0, _) => ("60 B, 50 µs", |cost| bytes(cost) <= 60 && time(cost) <= Duration::from_micros(50)),
        (1, _) => ("1.2 KB", |cost| bytes(cost) <= 1200),
        (100, Placement::Scattered) => {
            ("10 KB, 2.5 trips, 5 ms", |cost| {
                // Half a trip of these is the hello of a connection, which a greeting does not have.
                bytes(cost) <= 10_000 && cost.trips <= 2 && time(cost) <= Duration::from_millis(5)
            })
        }
        (10_000, Placement::End | Placement::EndThere) => ("1.5 KB", |cost| bytes(cost) <= 1500),
        (10_000, Placement::Scattered) => ("300 KB", |cost| bytes(cost) <= 300_000),
        _ => return None,
    };
    Some(Goal { text, is_reached })
}

fn bytes(cost: &Cost) -> usize {
    cost.up + cost.down
}

fn time(cost: &Cost) -> Duration {
    cost.asking + cost.asked
}

pub(crate) fn run(options: &Options, _: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let sizes = options.events.map_or(SIZES.to_vec(), |events| vec![events]);
    for size in &sizes {
        print(&comparisons(*size));
    }
    print(&insertions(&sizes));
}

fn comparisons(size: usize) -> Table {
    let title = format!("Two sets of {size} events in a year: until the asking side knows the difference");
    let columns = [
        "differ",
        "where",
        "bytes",
        "trips",
        "names",
        "asking ms",
        "asked ms",
        "reach",
        "reached",
        "negentropy bytes",
        "negentropy trips",
        "negentropy asking ms",
        "negentropy asked ms",
    ];
    let mut table = Table::new(title, &columns);
    let mut chance = Chance::from_seed(size as u64);
    let union = spread(size, YEAR_MS, &mut chance);
    for (differing, placement) in CASES.into_iter().filter(|(differing, _)| differing * 2 <= size) {
        table.add(row(&union, differing, placement, &mut chance));
    }
    table
}

fn row(union: &[SetKey], differing: usize, placement: Placement, chance: &mut Chance) -> Vec<Value> {
    let pair = pair(union, differing, placement, chance);
    let (names, ours) = ours(&pair, differing, chance);
    let theirs = theirs(&pair, differing);
    let goal = goal(differing, placement).filter(|_| union.len() >= GOALS_FROM);
    let is_reached = goal.as_ref().map(|goal| if (goal.is_reached)(&ours) { "yes" } else { "no" });
    vec![
        json!(differing),
        json!(if differing == 0 { "-" } else { name(placement) }),
        json!(bytes(&ours)),
        json!(ours.trips),
        json!(names),
        json!(ms(ours.asking)),
        json!(ms(ours.asked)),
        json!(goal.map(|goal| goal.text)),
        json!(is_reached),
        json!(bytes(&theirs)),
        json!(theirs.trips),
        json!(ms(theirs.asking)),
        json!(ms(theirs.asked)),
    ]
}

fn name(placement: Placement) -> &'static str {
    match placement {
        Placement::End => "end",
        Placement::EndThere => "end, lacking there",
        Placement::Scattered => "scattered",
        Placement::Recent => "90 % recent",
        Placement::BothSides => "both sides",
    }
}

fn ours(pair: &Pair, differing: usize, chance: &mut Chance) -> (usize, Cost) {
    let (asking, asked) = (sets(&pair.asking), sets(&pair.asked));
    let mut compare = || exchange::compare(&asking, &asked, exchange::salt(chance), &BTreeSet::new());
    let (known, _) = compare();
    assert_eq!(told(&known, &asking, &asked), differing, "the difference is told whole");
    (known.picked(), median(|| compare().1))
}

/// How many members a comparison has told apart.
fn told(known: &Known, asking: &MemorySets, asked: &MemorySets) -> usize {
    let fetched = known.found.fetch.iter().map(|fetch| exchange::fetched(asked, fetch).len());
    let pushed = known.found.push.iter().map(|push| exchange::pushed(asking, push).len());
    fetched.sum::<usize>() + pushed.sum::<usize>()
}

fn theirs(pair: &Pair, differing: usize) -> Cost {
    let (asking, asked) = (negentropy::storage(&pair.asking), negentropy::storage(&pair.asked));
    let (difference, _) = negentropy::compare(&asking, &asked);
    assert_eq!(difference.have.len() + difference.need.len(), differing, "the difference is told whole");
    median(|| negentropy::compare(&asking, &asked).1)
}

/// The middle of each side's time over several runs; bytes and trips of the last.
fn median(mut run: impl FnMut() -> Cost) -> Cost {
    let start = thread_time();
    let mut costs = Vec::new();
    while costs.len() < REPEATS_MIN || (costs.len() < REPEATS_MAX && thread_time() - start < REPEATED) {
        costs.push(run());
    }
    let middle = |of: fn(&Cost) -> Duration| {
        let mut times: Vec<Duration> = costs.iter().map(of).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let last = costs.last().copied().unwrap_or_default();
    Cost { asking: middle(|cost| cost.asking), asked: middle(|cost| cost.asked), ..last }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn insertions(sizes: &[usize]) -> Table {
    let title = "What a set in memory costs: digest, tree and sketch".to_owned();
    let columns =
        ["events", "order", "us an insertion", "bytes an event", "reach", "reached", "negentropy bytes an event"];
    let mut table = Table::new(title, &columns);
    for size in sizes {
        let mut chance = Chance::from_seed(*size as u64);
        let mut keys = spread(*size, YEAR_MS, &mut chance);
        table.add(insertion(&keys, "ascending"));
        for at in (1..keys.len()).rev() {
            keys.swap(at, chance.below(at + 1));
        }
        table.add(insertion(&keys, "random"));
    }
    table
}

fn insertion(keys: &[SetKey], order: &str) -> Vec<Value> {
    let mut laps = Laps::start();
    let sets = sets(keys);
    let each_us = laps.lap().as_secs_f64() * 1e6 / keys.len() as f64;
    let each_bytes = sets.memory_bytes() as f64 / keys.len() as f64;
    let has_goal = keys.len() >= GOALS_FROM;
    let is_reached = has_goal.then_some(if each_us <= 3.0 && each_bytes <= 90.0 { "yes" } else { "no" });
    vec![
        json!(keys.len()),
        json!(order),
        json!(each_us),
        json!(each_bytes),
        json!(has_goal.then_some("3 us, 90 B")),
        json!(is_reached),
        json!(negentropy::MEMBER_BYTES),
    ]
}
