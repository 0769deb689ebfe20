//! Figures from networks of hosts: `cargo run --release -p roda-tests --bin hosts -- --help`.

use roda_tests::hosts::trial::{self, Cut, Delivery, Scene};
use roda_tests::hosts::{Nat, possible, weather_possible};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Makes networks of hosts on this machine (as root), and prints what is measured on them.

  nat        who gets connected to whom through which kinds of routers, and how
  heal       how long it takes after partitions, moves and sleep
  delivery   how news spread among 20 nodes over links that lose and delay
  all        everything

With `--roda PATH` before it the nodes are another build of the program, to compare with.
";

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.len() > 2 && words[0] == "--roda" {
        roda_tests::binary::use_binary(words[1].clone().into());
        words.drain(..2);
    }
    let parts: &[fn()] = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["nat"] => &[nat],
        ["heal"] => &[heal],
        ["delivery"] => &[delivery],
        ["all"] => &[nat, heal, delivery],
        [] | ["--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("hosts: what is wanted?\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(reason) = possible() {
        eprintln!("hosts: not on this machine: {reason}");
        return ExitCode::FAILURE;
    }
    parts.iter().for_each(|part| part());
    ExitCode::SUCCESS
}

/// A trial's figure in a cell; what broke a promise was printed on standard error.
fn cell<T>(trial: impl FnOnce() -> T, show: impl FnOnce(T) -> String) -> String {
    catch_unwind(AssertUnwindSafe(trial)).map_or("broken promise".to_owned(), show)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn nat() {
    println!("| dialled \\ dialling |{}", Nat::ALL.map(|kind| format!(" {kind} |")).concat());
    println!("| --- |{}", " --- |".repeat(Nat::ALL.len()));
    for left in Nat::ALL {
        let row = Nat::ALL.map(|right| format!(" {} |", cell(|| trial::meeting(left, right), |met| met.to_string())));
        println!("| {left} |{}", row.concat());
    }
    println!("\nuntil dialled through the public node after its restart: {}", cell(trial::renewal, seconds));
}

fn heal() {
    println!("| what | until all have everything |\n| --- | --- |");
    for (until_noticed, which) in [(false, "shorter than anybody notices"), (true, "until all have noticed")] {
        for cut in [Cut::BothWays, Cut::OneWay] {
            println!("| a cut {cut}, {which} | {} |", cell(|| trial::heal(cut, until_noticed), seconds));
        }
    }
    println!("| another address, of the node that had dialled | {} |", cell(|| trial::moving(true), seconds));
    println!("| another address, of the node that was dialled | {} |", cell(|| trial::moving(false), seconds));
    match trial::sleep_possible() {
        Ok(()) => println!("| an hour of sleep | {} |", cell(trial::sleep, seconds)),
        Err(reason) => println!("| an hour of sleep | skipped: {reason} |"),
    }
    println!("| one good address among five bad ones | {} |", cell(trial::poisoned, seconds));
    println!("| a neighbour on a LAN | {} |", cell(trial::alone, |alone| seconds(alone.caught_up)));
}

fn delivery() {
    if let Err(reason) = weather_possible() {
        println!("delivery: skipped: {reason}");
        return;
    }
    println!("| nodes | loss | delay | p50 | p99 | most | copies of a post | bytes a delivery |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (loss_per_mille, delay_ms, jitter_ms) in [(0, 0, 0), (0, 40, 20), (10, 40, 20), (50, 40, 20), (100, 40, 20)] {
        let scene = Scene { nodes: 20, dials: 3, posts: 50, loss_per_mille, delay_ms, jitter_ms };
        let show = |done: Delivery| {
            let [p50, p99, most] = [50, 99, 100].map(|percent| done.percentile(percent).as_millis());
            let copies = done.copies().map_or("not counted".to_owned(), |copies| format!("{copies:.2}"));
            format!("{p50} ms | {p99} ms | {most} ms | {copies} | {}", done.bytes)
        };
        let figures = cell(|| trial::delivery(scene), show);
        let loss = f64::from(loss_per_mille) / 10.0;
        println!("| {} | {loss} % | {delay_ms} to {} ms | {figures} |", scene.nodes, delay_ms + jitter_ms);
    }
}
