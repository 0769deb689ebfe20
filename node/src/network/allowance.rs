//! How much of this node gossip may take up: a share of each peer's own, and a pool for what is beyond. Pure.
//!
//! Whoever has used up its share and finds the pool empty is not punished and loses nothing: its next frame is read
//! later, so that it is its own connection that fills up. Peers that keep within their share don't notice what others do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// Units a second that each peer has for itself. A unit is a message of gossip, and each 2 KiB of one. At ten copies of
/// each event that is one new event a second and peer, several times what a busy forum has.
pub(super) const OWN_PER_SECOND: i64 = 15;
/// What a peer may save up: a burst after a pause. A name costs nothing, and each new one begins with this.
const OWN_BURST: i64 = 60;
/// Units a second beyond that, for all peers together: a tenth of what one core can verify, or 3 MB. Time is no unit: on a
/// busy machine it would be the quiet peers that use up their share.
pub(super) const POOL_PER_SECOND: i64 = 1500;
/// What is saved up there: memberships of a few new connections that share hundreds of boards. Less than half of what may
/// wait for the engine.
const POOL_BURST: i64 = 2000;

/// Bytes of messages in a unit.
const UNIT_BYTES: u64 = 2048;
/// Units of a frame without messages. It may hold 3,000 names, which nobody counts for us: about 1 ms of work.
const LIST_UNITS: u64 = 3;

/// How long a connection rests at least and at most before it asks again: the pool may have filled in the meantime.
const REST_MIN: Duration = Duration::from_millis(20);
/// What this node has to say to the peer waits, too, until the next time.
const REST_MAX: Duration = Duration::from_millis(250);

/// Millionths of a unit, so that no rate is lost to rounding.
const SCALE: i64 = 1_000_000;

/// A bucket that fills at a rate up to its size; below zero it is in debt.
#[derive(Debug, Clone)]
struct Bucket {
    level: i64,
    per_second: i64,
    burst: i64,
    filled: Instant,
}

impl Bucket {
    fn full(per_second: i64, burst: i64, now: Instant) -> Self {
        Self { level: burst * SCALE, per_second, burst, filled: now }
    }

    fn fill(&mut self, now: Instant) {
        let micros = now.saturating_duration_since(self.filled).as_micros();
        let earned = i64::try_from(micros).unwrap_or(i64::MAX).saturating_mul(self.per_second);
        self.level = self.level.saturating_add(earned).min(self.burst * SCALE);
        // Tasks of several connections ask, and their clocks are read in any order.
        self.filled = self.filled.max(now);
    }

    /// Whether there is a unit.
    fn has(&self) -> bool {
        self.level >= SCALE
    }

    /// Pays, if need be with what it doesn't have yet: until that has come back it lets nothing through.
    fn pay(&mut self, units: i64) {
        self.level = self.level.saturating_sub(units.saturating_mul(SCALE));
    }

    fn wait(&self) -> Duration {
        let lacking = u64::try_from(SCALE.saturating_sub(self.level)).unwrap_or(0);
        Duration::from_micros(lacking / u64::try_from(self.per_second).unwrap_or(1))
    }
}

/// What a frame costs, in units.
pub(super) fn cost(messages: u64, bytes: u64) -> i64 {
    let units = if messages == 0 { LIST_UNITS } else { messages.saturating_add(bytes / UNIT_BYTES) };
    i64::try_from(units).unwrap_or(i64::MAX / SCALE).min(i64::MAX / SCALE)
}

/// All shares and the pool. A row per connected peer.
#[derive(Debug)]
pub(super) struct Allowances {
    own: BTreeMap<PeerId, Bucket>,
    pool: Bucket,
}

impl Allowances {
    pub(super) fn new(now: Instant) -> Self {
        Self { own: BTreeMap::new(), pool: Bucket::full(POOL_PER_SECOND, POOL_BURST, now) }
    }

    /// Opens a share, if there is none.
    pub(super) fn open(&mut self, peer: PeerId, now: Instant) {
        self.own.entry(peer).or_insert_with(|| Bucket::full(OWN_PER_SECOND, OWN_BURST, now));
    }

    /// Ends a share, with the peer's last connection.
    pub(super) fn close(&mut self, peer: &PeerId) {
        self.own.remove(peer);
    }

    /// Whether something of the peer may be read now, or when to ask again.
    ///
    /// # Errors
    /// How long to rest.
    pub(super) fn may(&mut self, peer: &PeerId, now: Instant) -> Result<(), Duration> {
        self.pool.fill(now);
        // The connection is about to close.
        let Some(own) = self.own.get_mut(peer) else { return Ok(()) };
        own.fill(now);
        if own.has() || self.pool.has() {
            return Ok(());
        }
        Err(own.wait().clamp(REST_MIN, REST_MAX))
    }

    /// Charges what let a peer's frame through: its share, or else the pool.
    pub(super) fn charge(&mut self, peer: &PeerId, units: i64, now: Instant) {
        self.pool.fill(now);
        let Some(own) = self.own.get_mut(peer) else { return };
        own.fill(now);
        if own.has() { own.pay(units) } else { self.pool.pay(units) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many units the peer gets through in a time, one after the other.
    fn through(allowances: &mut Allowances, peer: &PeerId, start: Instant, time: Duration) -> i64 {
        let mut count = 0;
        for ms in 0..u64::try_from(time.as_millis()).expect("a short time") {
            let now = start + Duration::from_millis(ms);
            while allowances.may(peer, now).is_ok() {
                allowances.charge(peer, 1, now);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn a_crowd_gets_the_pool_and_a_quiet_peer_its_share_all_the_time() {
        let (start, quiet) = (Instant::now(), PeerId::random());
        let mut allowances = Allowances::new(start);
        let crowd: Vec<PeerId> = (0..50).map(|_| PeerId::random()).collect();
        crowd.iter().chain([&quiet]).for_each(|peer| allowances.open(*peer, start));
        let mut taken = 0;
        for second in 0..60 {
            let start = start + Duration::from_secs(second);
            for peer in &crowd {
                taken += through(&mut allowances, peer, start, Duration::from_secs(1));
            }
            let now = start + Duration::from_millis(999);
            for _ in 0..OWN_PER_SECOND {
                assert!(allowances.may(&quiet, now).is_ok(), "at second {second}");
                allowances.charge(&quiet, 1, now);
            }
        }
        let most = 50 * (OWN_BURST + 60 * OWN_PER_SECOND) + POOL_BURST + 60 * POOL_PER_SECOND;
        assert!(taken > most * 9 / 10 && taken <= most, "{taken} of {most}");
    }

    #[test]
    fn large_frames_get_no_more_through_than_small_ones() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut allowances = Allowances::new(start);
        allowances.open(peer, start);
        let (mut units, large) = (0, 130);
        for ms in 0..60_000 {
            let now = start + Duration::from_millis(ms);
            while allowances.may(&peer, now).is_ok() {
                allowances.charge(&peer, large, now);
                units += large;
            }
        }
        let most = OWN_BURST + POOL_BURST + 60 * (OWN_PER_SECOND + POOL_PER_SECOND) + 2 * large;
        assert!(units > most * 9 / 10 && units <= most, "{units} of {most}");
    }

    #[test]
    fn whoever_has_nothing_left_rests_for_a_bounded_time() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut allowances = Allowances::new(start);
        allowances.open(peer, start);
        (0..2).for_each(|_| allowances.charge(&peer, 10_000, start));
        assert_eq!(allowances.may(&peer, start), Err(REST_MAX));
    }

    #[test]
    fn messages_bytes_and_lists_cost() {
        assert_eq!(cost(1, 300), 1);
        assert_eq!(cost(64, 64 * 100), 67);
        assert_eq!(cost(1, 48 * 1024), 25);
        assert_eq!(cost(0, 0), 3);
    }
}
