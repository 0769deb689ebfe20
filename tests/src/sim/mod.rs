//! The simulator: real engines on disks in memory, in one thread, on virtual time, from one seed.
//!
//! Everything that a run does follows from its scenario and its seed: the same two, the same trace. Nothing here reads a
//! clock, and nothing depends on the order of a hash map.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `scenario` | what a run is made of, as data; the named ones, and those that are drawn from a seed |
//! | `world` | one run: takes what is planned next and lets it happen |
//! | `plan`, `trace` | what will happen, in order; a hash and a line for what happened |
//! | `node` | an engine and its disk: start, clocks, loss of power |
//! | `links`, `calls`, `spread` | connections; requests and answers; gossip |
//! | `faults`, `workload` | what goes wrong; what honest people do |
//! | `hostile` | what hostile nodes do |
//! | `look`, `readings`, `check` | when observers look; what they read, kept until it changes; how they judge it |
//! | `ledger` | what was really signed |
//! | `oracle` | threads, resolved naively |
//! | `figures` | many seeds on all cores |

mod calls;
mod check;
mod faults;
mod figures;
pub mod hostile;
mod ledger;
mod links;
mod look;
mod node;
mod oracle;
mod plan;
mod readings;
mod scenario;
mod spread;
mod trace;
mod workload;
mod world;

pub use check::Violation;
pub use figures::{percentile, run_named, sweep};
pub use oracle::thread as oracle_thread;
pub use scenario::{Cut, Faults, NAMES, Sabotage, Scenario, Topology, Weather};
pub use world::{Report, run};
