//! Time as it is passed in. Nothing in this crate reads a clock.

use crate::limits::FUTURE_MS_MAX;

/// Two readings of clocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, unix milliseconds. It may jump; only dates are compared with it.
    pub wall_ms: u64,
    /// A clock that never goes back, milliseconds since the node's start. Timers are measured by it.
    pub steady_ms: u64,
}

impl Now {
    /// Whether an event of this date is further ahead than clocks differ.
    #[must_use]
    pub fn is_future(&self, created_ms: u64) -> bool {
        created_ms > self.wall_ms.saturating_add(FUTURE_MS_MAX)
    }
}
