//! How much peers may ask: requests, and the work that these cause.
//!
//! What a peer may cause at once is lent from a reserve that all newcomers share, so that whoever comes back under one name
//! after the other gets little each time.

use roda_protocol::time::Now;

/// Requests that a peer may make in one burst.
const REQUESTS_BURST: u64 = 400;

/// Requests a second that a peer may make after that: a cold sync of 100,000 events makes about 300.
const REQUESTS_PER_S: u64 = 100;

/// Units of work that a peer may cause in one burst, half a second of a core: a fingerprint is one, reading an epoch in
/// 5,000. A cold sync of 100,000 events causes 75,000, measured. With 50,000 it was left to wait for 3 s of 12.
const WORK_BURST: i64 = 500_000;

/// Units of work that come back with each request that is earned back: 5,000 a second.
const WORK_PER_REQUEST: i64 = 50;

/// Units that are lent to newcomers at most before some come back: two seconds of a core.
const RESERVE: i64 = 2_000_000;

/// Units that come back to the reserve each second: a twentieth of a core.
const RESERVE_PER_S: i64 = 50_000;

/// Units that a newcomer gets even when nothing is left: two epochs to read in.
const WORK_LEAST: i64 = 10_000;

const _: () = assert!(WORK_LEAST < WORK_BURST && WORK_BURST <= RESERVE);

/// What newcomers get their bursts from.
#[derive(Debug)]
pub(super) struct Reserve {
    left: i64,
    at_ms: u64,
}

impl Default for Reserve {
    fn default() -> Self {
        Self { left: RESERVE, at_ms: 0 }
    }
}

impl Reserve {
    /// The allowance of a peer that has come.
    pub(super) fn lend(&mut self, now: Now) -> Allowance {
        let passed_ms = i64::try_from(now.steady_ms.saturating_sub(self.at_ms)).unwrap_or(i64::MAX);
        self.left = self.left.saturating_add(passed_ms.saturating_mul(RESERVE_PER_S) / 1000).min(RESERVE);
        self.at_ms = now.steady_ms;
        let lent = self.left.min(WORK_BURST);
        self.left -= lent;
        Allowance { requests: REQUESTS_BURST, work: lent.max(WORK_LEAST), lent, at_ms: now.steady_ms }
    }

    /// Takes back what a peer that has gone did not use.
    pub(super) fn take_back(&mut self, allowance: &Allowance) {
        self.left = (self.left + allowance.work.clamp(0, allowance.lent)).min(RESERVE);
    }
}

/// What one peer may still ask.
#[derive(Debug)]
pub(super) struct Allowance {
    requests: u64,
    /// Units of work that it may still cause; below zero it waits.
    work: i64,
    lent: i64,
    at_ms: u64,
}

impl Allowance {
    /// Whether the peer may ask once more now; takes one request.
    pub(super) fn may_ask(&mut self, now: Now) -> bool {
        let earned = now.steady_ms.saturating_sub(self.at_ms).saturating_mul(REQUESTS_PER_S) / 1000;
        if earned > 0 {
            self.requests = self.requests.saturating_add(earned).min(REQUESTS_BURST);
            let work = i64::try_from(earned).unwrap_or(WORK_BURST).saturating_mul(WORK_PER_REQUEST);
            self.work = self.work.saturating_add(work).min(WORK_BURST);
            self.at_ms = now.steady_ms;
        }
        let may = self.requests > 0 && self.work > 0;
        self.requests = self.requests.saturating_sub(1);
        may
    }

    /// A question cost so many units of work: see `reconcile::Answered`.
    pub(super) fn charge(&mut self, work: u64) {
        self.work = self.work.saturating_sub(i64::try_from(work).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady_ms: u64) -> Now {
        Now { wall_ms: steady_ms, steady_ms }
    }

    /// Questions of 5,000 units that are answered at once.
    fn costly(allowance: &mut Allowance, now: Now) -> u64 {
        let mut answered = 0;
        while allowance.may_ask(now) {
            allowance.charge(5000);
            answered += 1;
        }
        answered
    }

    #[test]
    fn a_burst_is_answered_and_then_what_is_earned() {
        let mut allowance = Reserve::default().lend(at(0));
        assert_eq!(costly(&mut allowance, at(0)), 100);
        assert!(!allowance.may_ask(at(9)));
        let later = costly(&mut allowance, at(10_000));
        assert!((9..=11).contains(&later), "{later} in ten seconds");
        let mut cheap = Reserve::default().lend(at(0));
        assert_eq!((0..1000).filter(|_| cheap.may_ask(at(0))).count() as u64, REQUESTS_BURST);
    }

    #[test]
    fn whoever_comes_back_again_and_again_gets_little_each_time() {
        let mut reserve = Reserve::default();
        let mut answered = 0;
        for _ in 0..100 {
            let mut allowance = reserve.lend(at(0));
            answered += costly(&mut allowance, at(0));
            reserve.take_back(&allowance);
        }
        // Four bursts from the reserve, and two questions of each that came later.
        assert_eq!(answered, 4 * 100 + 96 * 2);
    }

    #[test]
    fn who_leaves_gives_back_what_was_lent_and_not_used() {
        let mut reserve = Reserve::default();
        for _ in 0..100 {
            let allowance = reserve.lend(at(0));
            assert_eq!(allowance.work, WORK_BURST);
            reserve.take_back(&allowance);
        }
        let (mut first, second) = (reserve.lend(at(0)), reserve.lend(at(0)));
        first.charge(600_000);
        reserve.take_back(&first);
        reserve.take_back(&second);
        assert_eq!(reserve.left, RESERVE - WORK_BURST);
        let _ = reserve.lend(at(60_000));
        assert_eq!(reserve.left, RESERVE - WORK_BURST, "a minute has filled it");
    }
}
