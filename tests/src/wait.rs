//! The one place that waits.

use std::time::{Duration, Instant};

/// In how long anything happens, on the slowest machine.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// How often a condition is looked at that nothing reports.
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until the condition gives something.
///
/// # Panics
///
/// When the deadline has passed; the message says what for.
pub fn eventually<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < deadline, "in vain for {deadline:?}: {what}");
        std::thread::sleep(INTERVAL);
    }
}
