//! Whatever a peer can grow has a bound, and keeps it.

use super::Findings;
use std::collections::BTreeMap;

/// Counters that are sizes, and their bounds: those that the engine's own constants name.
const SIZES: [(&str, u64); 4] = [("deferred", 1000), ("wanted", 2000), ("fetching", 65_536), ("directory", 4096)];

/// Requests that one hostile node makes an honest one send it in a minute, at most. Measured: 489 in 120 seeds of
/// `hostile`, 335 in 2,000 of `random`, in the sessions after which a liar is left
/// alone.
pub(super) const ASKED_PER_MINUTE_MAX: u32 = 600;

const MINUTE_MS: u64 = 60_000;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::sim) struct Bounds {
    /// By who asks and who is asked: the minute, and requests in it.
    asked: BTreeMap<(usize, usize), (u64, u32)>,
    pub(super) found: Findings,
}

impl Bounds {
    /// A node sends something of this size.
    pub(in crate::sim) fn size(&mut self, what: &str, at: usize, size: usize, size_max: usize, at_ms: u64) {
        if size > size_max {
            self.found.add("bounds", at_ms, format!("node {at}: {size} {what}, and {size_max} is the bound"));
        }
    }

    /// An honest node asks a hostile one: it must leave a liar alone.
    pub(in crate::sim) fn asks(&mut self, from: usize, to: usize, at_ms: u64) {
        let (minute, asked) = self.asked.entry((from, to)).or_default();
        if *minute != at_ms / MINUTE_MS {
            (*minute, *asked) = (at_ms / MINUTE_MS, 0);
        }
        *asked += 1;
        if *asked == ASKED_PER_MINUTE_MAX + 1 {
            let what =
                format!("node {from} asks the hostile node {to} more than {ASKED_PER_MINUTE_MAX} times a minute");
            self.found.add("bounds", at_ms, what);
        }
    }

    /// A node told its counters.
    pub(in crate::sim) fn counters(&mut self, at: usize, counters: &BTreeMap<String, u64>, at_ms: u64) {
        for (name, most) in SIZES {
            let Some(size) = counters.get(name) else {
                self.found.add("bounds", at_ms, format!("node {at} has no counter \"{name}\""));
                continue;
            };
            if *size > most {
                self.found.add("bounds", at_ms, format!("node {at}: {name} is {size}, and {most} is the bound"));
            }
        }
    }
}
