//! Benches, each a table: `cargo run --release -p roda-tests --bin bench -- WORKLOAD [--events N] [--seed N] [--minutes N]
//! [--json]`.
//!
//! Everything random comes from a seed. Times are the thread's own, so other work on the machine adds noise only. A
//! workload that has a number to reach prints it beside what was measured.

mod bounds;
mod disk;
mod gossip;
mod holding;
mod ingest;
mod memory;
mod moving;
mod page;
mod read;
mod reconcile;
mod start;
mod sync;
mod table;

use holding::Holding;
use std::process::ExitCode;
use table::Table;

/// How long `memory` watches if the command line says nothing: enough to see a leak of a post's size.
const MINUTES: u32 = 3;

/// What the command line asks for.
#[derive(Clone, Copy, Debug)]
struct Options {
    /// Of everything random.
    seed: u64,
    /// Only this size, instead of the workload's own.
    events: Option<usize>,
    /// How long `memory` watches, minutes.
    minutes: u32,
    /// JSON, one object a row, instead of tables.
    is_json: bool,
}

/// A workload measures and gives its tables, each as soon as it is there.
type Workload = fn(&Options, &mut Holding, &mut dyn FnMut(&Table));

const WORKLOADS: &[(&str, Workload)] = &[
    ("ingest", ingest::run),
    ("sync", sync::run),
    ("reconcile", reconcile::run),
    ("gossip", gossip::run),
    ("start", start::run),
    ("read", read::run),
    ("page", page::run),
    ("disk", disk::run),
    ("moving", moving::run),
    ("memory", memory::run),
];

fn main() -> ExitCode {
    match parsed(std::env::args().skip(1)) {
        Ok((workloads, options)) => {
            let mut print = |table: &Table| print!("{}", if options.is_json { table.json() } else { table.text() });
            let mut holding = Holding::default();
            workloads.iter().for_each(|workload| workload(&options, &mut holding, &mut print));
            ExitCode::SUCCESS
        }
        Err(why) => {
            let names: Vec<&str> = WORKLOADS.iter().map(|(name, _)| *name).collect();
            eprintln!("{why}\nusage: bench {}|all [--events N] [--seed N] [--minutes N] [--json]", names.join("|"));
            ExitCode::from(2)
        }
    }
}

fn parsed(mut arguments: impl Iterator<Item = String>) -> Result<(Vec<Workload>, Options), String> {
    let mut options = Options { seed: 1, events: None, minutes: MINUTES, is_json: false };
    let mut workloads = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => options.is_json = true,
            "--events" => {
                let events = arguments.next().and_then(|text| text.parse().ok()).filter(|events| *events > 0);
                options.events = Some(events.ok_or("--events wants a number")?);
            }
            "--minutes" => {
                let minutes = arguments.next().and_then(|text| text.parse().ok()).filter(|minutes| *minutes > 0);
                options.minutes = minutes.ok_or("--minutes wants a number")?;
            }
            "--seed" => {
                let seed = arguments.next().and_then(|text| text.parse().ok());
                options.seed = seed.ok_or("--seed wants a number")?;
            }
            "all" => workloads.extend(WORKLOADS.iter().map(|(_, workload)| *workload)),
            name => match WORKLOADS.iter().find(|(known, _)| *known == name) {
                Some((_, workload)) => workloads.push(*workload),
                None => return Err(format!("there is no workload \"{name}\"")),
            },
        }
    }
    if workloads.is_empty() { Err("which workload?".to_owned()) } else { Ok((workloads, options)) }
}
