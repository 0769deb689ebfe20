//! Attacks on a node and what they cost: `cargo run --release -p roda-tests --bin attacks -- [all|NAME]
//! [--seconds N] [--json] [--roda PATH]`. With `--roda` the nodes are another build of the program, to compare with.
//!
//! Each attack has nodes of its own, real processes on loopback. Attackers run in this process and share the machine's
//! processors with all nodes, so that what they reach is said beside what was asked of them.

#[path = "../bench/table.rs"]
mod table;

use roda_tests::attack::scene::{Figures, Scene};
use roda_tests::attack::{ATTACKS, Attack};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use table::Table;

/// How long an attack lasts unless it is said.
const SECONDS: u64 = 20;

/// What is said of each attack. *a second*: what attackers sent; *delivered*: honest posts that reached both the node and
/// its other peer, and how many there were; *out after s*: how long half of those whom the node sent away had been there; *links kept*: of the
/// node's two honest connections, those that lasted.
const COLUMNS: &[&str] = &[
    "attack",
    "a second",
    "delivered",
    "p50 ms",
    "p99 ms",
    "MiB at most",
    "CPU",
    "out after s",
    "sent away",
    "newcomer s",
    "links kept",
    "errors",
    "log KB",
];

fn main() -> ExitCode {
    match parsed(std::env::args().skip(1)) {
        Ok((attacks, seconds, is_json)) => {
            let title = format!("Attacks of {seconds} s each");
            let mut table = Table::new(title.clone(), COLUMNS);
            for attack in attacks {
                eprintln!("{}: {}", attack.name, attack.what);
                let figures = Scene::new().endure(attack, Duration::from_secs(seconds));
                eprintln!("  lacking at node and other: {:?}, {:?}", figures.lacking, figures.counters);
                if let Some((most, of_one)) = figures.tally.circuits() {
                    eprintln!("  circuits at once: {most}, of one peer: {of_one}");
                }
                table.add(row(attack, &figures));
                if is_json {
                    let mut alone = Table::new(title.clone(), COLUMNS);
                    alone.add(row(attack, &figures));
                    print!("{}", alone.json());
                }
            }
            if !is_json {
                print!("{}", table.text());
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}\nusage: attacks [all|NAME] [--seconds N] [--json] [--roda PATH]");
            ATTACKS.iter().for_each(|attack| eprintln!("  {:20} {}", attack.name, attack.what));
            ExitCode::from(2)
        }
    }
}

fn row(attack: &Attack, figures: &Figures) -> Vec<Value> {
    let ms = |time: Option<Duration>| time.map_or(Value::Null, |time| (time.as_secs_f64() * 1000.0).into());
    let seconds = |time: Option<Duration>| time.map_or(Value::Null, |time| time.as_secs_f64().into());
    let out = figures.median_life();
    vec![
        attack.name.into(),
        (figures.rate.round() as u64).into(),
        format!("{}/{}", figures.posted - figures.lacking[1].max(figures.lacking[0]), figures.posted).into(),
        ms(figures.delay(50)),
        ms(figures.delay(99)),
        (figures.memory_bytes >> 20).into(),
        figures.processors.into(),
        seconds(out.map(|(life, _)| life)),
        format!("{} of {}", out.map_or(0, |(_, count)| count), figures.tally.links()).into(),
        seconds(figures.newcomer),
        format!("{}/2", figures.links).into(),
        (figures.errors + usize::from(!figures.is_alive)).into(),
        (figures.log_bytes / 1000).into(),
    ]
}

fn parsed(mut arguments: impl Iterator<Item = String>) -> Result<(Vec<&'static Attack>, u64, bool), String> {
    let (mut attacks, mut seconds, mut is_json) = (Vec::new(), SECONDS, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => is_json = true,
            "--roda" => roda_tests::binary::use_binary(arguments.next().ok_or("--roda wants a path")?.into()),
            "--seconds" => {
                let number = arguments.next().and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
                seconds = number.ok_or("--seconds wants a number")?;
            }
            "all" => attacks.extend(ATTACKS),
            name => match ATTACKS.iter().find(|attack| attack.name == name) {
                Some(attack) => attacks.push(attack),
                None => return Err(format!("there is no attack \"{name}\"")),
            },
        }
    }
    if attacks.is_empty() {
        attacks.extend(ATTACKS);
    }
    Ok((attacks, seconds, is_json))
}
