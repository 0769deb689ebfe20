//! The processor's time of the calling thread, and of the process. Other work on the machine makes it noisier, not longer.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The time that this thread has computed since it began.
#[must_use]
pub fn thread_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// The time that all threads of this process have computed since it began.
#[must_use]
pub fn process_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).expect("it is not negative");
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// Laps of [`thread_time`].
#[derive(Debug)]
pub struct Laps(Duration);

impl Laps {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(thread_time())
    }

    /// The time since the last call, or the start.
    #[must_use]
    pub fn lap(&mut self) -> Duration {
        let now = thread_time();
        let lap = now.saturating_sub(self.0);
        self.0 = now;
        lap
    }
}
