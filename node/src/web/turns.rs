//! How fast the door may be asked. Who is let in and who is not have nothing of each other's.
//!
//! Pure: time is passed in. A page in the person's browser that asks this door all day long uses up what strangers have; the
//! person's own pages don't notice.

use std::collections::BTreeMap;

/// Requests a second in the long run, of all who are let in together: ten people who click all the time.
const KNOWN: Rate = Rate { per_second: 50, burst: 500 };

/// Requests of strangers a second in the long run, of each kind: what a browser asks that comes for the first time is three.
const STRANGERS: Rate = Rate { per_second: 10, burst: 60 };

/// What somebody without session and token asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    /// The style, the script, the icon.
    Asset,
    /// To be let in.
    Login,
    /// What only those see who are.
    Other,
}

/// Who asks, as far as it matters for the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Somebody with a session or the token.
    Known,
    /// Somebody without, on this machine or on another.
    Stranger { wish: Wish, is_here: bool },
}

/// Requests in the long run, and at once after a pause.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: u64,
    burst: u64,
}

/// The turns that are left.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    known: Bucket,
    strangers: BTreeMap<(Wish, bool), Bucket>,
}

impl Turns {
    /// All that there are.
    pub(super) fn new(now_ms: u64) -> Self {
        Self { known: Bucket::new(KNOWN, now_ms), strangers: BTreeMap::new() }
    }

    /// Takes a turn. False: there is none now.
    #[must_use]
    pub(super) fn take(&mut self, asker: Asker, now_ms: u64) -> bool {
        let bucket = match asker {
            Asker::Known => &mut self.known,
            Asker::Stranger { wish, is_here } => {
                self.strangers.entry((wish, is_here)).or_insert_with(|| Bucket::new(STRANGERS, now_ms))
            }
        };
        bucket.take(now_ms)
    }
}

/// A bucket of requests, in thousandths.
#[derive(Clone, Debug)]
struct Bucket {
    rate: Rate,
    left: u64,
    filled_ms: u64,
}

impl Bucket {
    fn new(rate: Rate, now_ms: u64) -> Self {
        Self { rate, left: rate.burst * 1000, filled_ms: now_ms }
    }

    fn take(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.filled_ms).saturating_mul(self.rate.per_second);
        self.left = self.left.saturating_add(earned).min(self.rate.burst * 1000);
        self.filled_ms = now_ms;
        let Some(left) = self.left.checked_sub(1000) else { return false };
        self.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_answered_and_what_is_beyond_waits_for_the_rate() {
        let mut turns = Turns::new(0);
        assert!((0..KNOWN.burst).all(|_| turns.take(Asker::Known, 0)));
        assert!(!turns.take(Asker::Known, 0));
        assert!((0..KNOWN.per_second).all(|_| turns.take(Asker::Known, 1000)) && !turns.take(Asker::Known, 1000));
    }

    #[test]
    fn strangers_have_turns_of_their_own_for_each_wish_and_place() {
        let mut turns = Turns::new(0);
        let stranger = |wish, is_here| Asker::Stranger { wish, is_here };
        let here = stranger(Wish::Other, true);
        assert_eq!((0..1000).filter(|_| turns.take(here, 0)).count() as u64, STRANGERS.burst);
        for other in
            [stranger(Wish::Login, true), stranger(Wish::Asset, true), stranger(Wish::Other, false), Asker::Known]
        {
            assert!(turns.take(other, 0), "{other:?}");
        }
        assert!(!turns.take(here, 0) && turns.take(here, 1000));
    }
}
