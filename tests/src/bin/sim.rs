//! The simulator: `cargo run --release -p roda-tests --bin sim -- --help`.

use roda_tests::sim::{NAMES, Report, Scenario, percentile, run, sweep};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
Runs networks of real engines on virtual time and says what the checkers saw.

  --seeds N         so many seeds, on all cores (default 100)
  --first N         beginning with this one (default 0)
  --seed N          this one alone
  --scenario NAME   random (default), figure, all, or one of those below
  --trace           print a line for each delivery (with --seed)
  --figures         the table of rounds until 50 nodes agree
  --each            a line for each seed as it ends, so that a long run can be cut
";

struct Options {
    seeds: u64,
    first: u64,
    scenario: String,
    trace: bool,
    each: bool,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}\nscenarios: {}\n", NAMES.join(", "));
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("sim: {problem}; --help lists what there is");
            return ExitCode::from(2);
        }
    };
    if options.trace {
        return traced(&options);
    }
    let all: Vec<&str> = ["random"].into_iter().chain(NAMES).collect();
    let names = if options.scenario == "all" { all } else { vec![options.scenario.as_str()] };
    println!(
        "{:<12} {:>7} {:>7} {:>9} {:>6} {:>6} {:>6}   rounds until all agree",
        "scenario", "seeds", "failed", "seeds/s", "median", "p99", "max"
    );
    let mut failed = 0;
    for name in names {
        failed += swept(name, &options);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options { seeds: 100, first: 0, scenario: "random".into(), trace: false, each: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or(format!("{word} takes a number"))?;
            value.parse::<u64>().map_err(|_| format!("{word} takes a number, and \"{value}\" is none"))
        };
        match word.as_str() {
            "--seeds" => options.seeds = number()?,
            "--first" => options.first = number()?,
            "--seed" => (options.first, options.seeds) = (number()?, 1),
            "--scenario" => options.scenario = words.next().ok_or("--scenario takes a name")?,
            "--trace" => options.trace = true,
            "--each" => options.each = true,
            "--figures" => options.scenario = "figure".into(),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("there is no option \"{other}\"")),
        }
    }
    if options.scenario != "all" && Scenario::named(&options.scenario, 0).is_none() {
        return Err(format!("there is no scenario \"{}\"", options.scenario));
    }
    Ok(Some(options))
}

fn traced(options: &Options) -> ExitCode {
    let Some(scenario) = Scenario::named(&options.scenario, options.first) else {
        eprintln!("sim: --trace takes one scenario");
        return ExitCode::from(2);
    };
    println!("{scenario:#?}");
    let report = run(&scenario, options.first, true);
    println!("trace {}, {} deliveries, {} ms of virtual time", report.trace, report.deliveries, report.lasted_ms);
    println!("{} events; agreed after {:?} ms", report.events, report.agreed_ms);
    tell(&report);
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(report: &Report) {
    for violation in &report.violations {
        println!("  {} at {} ms: {}", violation.checker, violation.at_ms, violation.what);
    }
}

/// Runs the seeds of one scenario and prints its row. Returns how many failed.
fn swept(name: &str, options: &Options) -> u64 {
    let started = Instant::now();
    let (mut rounds, mut failed, mut by_checker) = (Vec::new(), 0, BTreeMap::<&str, u64>::new());
    sweep(options.first, options.seeds, name, |outcome| match outcome {
        Ok(report) => {
            rounds.extend(report.rounds());
            if options.each {
                let rounds = report.rounds().map_or("never".into(), |rounds| rounds.to_string());
                println!("seed {:<6} rounds {rounds:>5}  findings {}", report.seed, report.violations.len());
            }
            if !report.violations.is_empty() {
                failed += 1;
                println!("{}", report.replay());
                tell(&report);
                report.violations.iter().for_each(|found| *by_checker.entry(found.checker).or_default() += 1);
            }
        }
        Err(command) => {
            failed += 1;
            println!("a panic: {command}");
        }
    });
    rounds.sort_unstable();
    let pace = options.seeds as f64 / started.elapsed().as_secs_f64();
    let (median, p99, most) = (percentile(&rounds, 50), percentile(&rounds, 99), percentile(&rounds, 100));
    println!("{name:<12} {:>7} {failed:>7} {pace:>9.1} {median:>6} {p99:>6} {most:>6}", options.seeds);
    for (checker, count) in by_checker {
        println!("  {checker}: {count} findings");
    }
    failed
}
