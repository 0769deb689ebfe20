//! Figures over many seeds.

use super::scenario::Scenario;
use super::world::{Report, run};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs seeds on all cores, each in one thread, and calls `each` with what came of every one, in no order.
///
/// `Err` is the command that replays a run which panicked.
pub fn sweep(first: u64, seeds: u64, name: &str, each: impl FnMut(Result<Report, String>) + Send) {
    let next = AtomicU64::new(first);
    let each = Mutex::new(each);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let outcome = run_named(name, seed);
                    if let Ok(mut each) = each.lock() {
                        each(outcome);
                    }
                }
            });
        }
    });
}

/// Runs one seed of a scenario; a panic is a finding like any other.
///
/// # Errors
///
/// The command that replays a run which panicked.
///
/// # Panics
///
/// If there is no scenario of that name.
pub fn run_named(name: &str, seed: u64) -> Result<Report, String> {
    let scenario = Scenario::named(name, seed).expect("the caller knows the names");
    catch_unwind(AssertUnwindSafe(|| run(&scenario, seed, false)))
        .map_err(|_| format!("cargo run --release -p roda-tests --bin sim -- --seed {seed} --scenario {name} --trace"))
}

/// The value below which so many percent lie, of values in ascending order.
#[must_use]
pub fn percentile(ascending: &[u64], percent: usize) -> u64 {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied().unwrap_or(0)
}
