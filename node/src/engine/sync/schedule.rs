//! When to compare sets with whom.
//!
//! On connecting, every minute with a random peer (rarer while sets are equal), when a gap shows, after gossip was
//! dropped, after sleep, and when people ask. The side that is being asked lets the other finish first.

use crate::engine::random::Random;
use crate::peer::Peer;
use roda_protocol::id::SpaceId;
use roda_protocol::time::Now;
use std::collections::BTreeMap;

/// A random partner is compared with this often, half of it more or less.
const PERIOD_MS: u64 = 60_000;

/// While comparisons find nothing, the period doubles up to this.
const PERIOD_MS_MAX: u64 = 600_000;

/// Comparisons with one peer are at least this far apart, unless people ask.
const GAP_MS: u64 = 1000;

/// The side that was dialled lets the dialler begin.
const INBOUND_PATIENCE_MS: u64 = 700;

/// A peer that is comparing with this node is let finish: it brings what differs both ways.
const COURTESY_MS: u64 = 2000;

/// But no longer than this.
const COURTESY_MS_MAX: u64 = 60_000;

/// Peers that are compared with when something seems to be missing.
const SUSPECT_PEERS: usize = 2;

/// Suspicion leads to comparisons at most this often.
const SUSPECT_GAP_MS: u64 = 5000;

/// A jump of a clock by more than this means that the node slept.
const SLEPT_MS: u64 = 120_000;

/// After a session that broke off, the peer is tried again after this, doubled each time up to [`PERIOD_MS`].
const RETRY_MS: u64 = 2000;

/// How long a space is left alone with a peer after so many fruitless sessions in a row: differences that are named and
/// never given. Sets are still compared, and people who ask are served.
const QUIET_MS: [u64; 5] = [0, 0, 600_000, 3_600_000, 21_600_000];

/// Pairs of peer and space that are left alone, at most.
const QUIET_MAX: usize = 4096;

/// A comparison that is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    at_ms: u64,
    /// Courtesy ends here.
    latest_ms: u64,
    is_asked: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    due: BTreeMap<Peer, Due>,
    ended_ms: BTreeMap<Peer, u64>,
    failures: BTreeMap<Peer, u32>,
    asked_ms: BTreeMap<Peer, u64>,
    quiet: BTreeMap<(Peer, SpaceId), (u64, usize)>,
    is_suspicious: bool,
    suspected_ms: Option<u64>,
    period_ms: Option<u64>,
    next_period_ms: Option<u64>,
    last_tick: Option<Now>,
}

impl Schedule {
    /// A peer is new here: compare at once, or let it begin.
    pub(super) fn greet(&mut self, peer: &Peer, outbound: bool, now: Now) {
        self.want(peer, now.steady_ms + if outbound { 0 } else { INBOUND_PATIENCE_MS }, false);
    }

    /// Compare with this peer as soon as manners allow.
    pub(super) fn soon(&mut self, peer: &Peer, now: Now) {
        let earliest = self.ended_ms.get(peer).map_or(now.steady_ms, |ended| (ended + GAP_MS).max(now.steady_ms));
        self.want(peer, earliest, false);
    }

    /// Compare with this peer as soon as the gap since the last time has passed, whoever else compares: somebody waits.
    pub(super) fn hurry(&mut self, peer: &Peer, now: Now) {
        self.soon(peer, now);
        if let Some(due) = self.due.get_mut(peer) {
            due.latest_ms = now.steady_ms;
        }
    }

    /// People ask: compare now.
    pub(super) fn asked(&mut self, peer: &Peer, now: Now) {
        self.want(peer, now.steady_ms, true);
    }

    fn want(&mut self, peer: &Peer, at_ms: u64, is_asked: bool) {
        let new = Due { at_ms, latest_ms: at_ms + COURTESY_MS_MAX, is_asked };
        let due = self.due.entry(peer.clone()).or_insert(new);
        due.at_ms = due.at_ms.min(at_ms);
        due.is_asked |= is_asked;
    }

    /// Something seems to be missing here.
    pub(super) fn suspect(&mut self) {
        self.is_suspicious = true;
    }

    /// The peer asks this node about sets: it is comparing.
    pub(super) fn is_asking(&mut self, peer: &Peer, now: Now) {
        self.asked_ms.insert(peer.clone(), now.steady_ms);
    }

    /// A session has ended.
    pub(super) fn ended(&mut self, peer: &Peer, is_broken: bool, found_difference: bool, now: Now) {
        self.ended_ms.insert(peer.clone(), now.steady_ms);
        if is_broken {
            let failures = self.failures.entry(peer.clone()).or_default();
            let wait_ms = (RETRY_MS << (*failures).min(5)).min(PERIOD_MS);
            *failures += 1;
            self.want(peer, now.steady_ms + wait_ms, false);
            return;
        }
        self.failures.remove(peer);
        let period_ms = self.period_ms.unwrap_or(PERIOD_MS);
        self.period_ms = Some(if found_difference { PERIOD_MS } else { (period_ms * 2).min(PERIOD_MS_MAX) });
        if found_difference {
            let soon = now.steady_ms + PERIOD_MS;
            self.next_period_ms = self.next_period_ms.map(|next| next.min(soon));
        }
    }

    /// How the work on a space with a peer has ended.
    pub(super) fn worked(&mut self, peer: &Peer, space: SpaceId, is_fruitful: bool, now: Now) {
        let name = (peer.clone(), space);
        if is_fruitful {
            self.quiet.remove(&name);
        } else if self.quiet.len() < QUIET_MAX || self.quiet.contains_key(&name) {
            let (until_ms, level) = self.quiet.entry(name).or_default();
            *level = (*level + 1).min(QUIET_MS.len() - 1);
            *until_ms = now.steady_ms + QUIET_MS[*level];
        }
    }

    /// Whether a space is left alone with a peer for now.
    pub(super) fn is_quiet(&self, peer: &Peer, space: SpaceId, now: Now) -> bool {
        self.quiet.get(&(peer.clone(), space)).is_some_and(|(until_ms, _)| *until_ms > now.steady_ms)
    }

    /// The peer has gone. What was fruitless with it is remembered: it may come back at once.
    pub(super) fn forget_peer(&mut self, peer: &Peer) {
        self.due.remove(peer);
        self.ended_ms.remove(peer);
        self.failures.remove(peer);
        self.asked_ms.remove(peer);
    }

    /// Lets time pass: timers and suspicions become comparisons that are due.
    pub(super) fn tick(&mut self, peers: &[Peer], random: &mut Random, now: Now) {
        self.notice_sleep(now);
        if self.quiet.len() >= QUIET_MAX {
            self.quiet.retain(|_, (until_ms, _)| *until_ms > now.steady_ms);
        }
        if self.is_suspicious && self.suspected_ms.is_none_or(|at_ms| at_ms + SUSPECT_GAP_MS <= now.steady_ms) {
            self.is_suspicious = false;
            self.suspected_ms = Some(now.steady_ms);
            for peer in choose(peers, SUSPECT_PEERS, random) {
                self.soon(&peer, now);
            }
        }
        let period_ms = self.period_ms.unwrap_or(PERIOD_MS);
        let next = *self.next_period_ms.get_or_insert(now.steady_ms + period_ms);
        if next <= now.steady_ms {
            for peer in choose(peers, 1, random) {
                self.soon(&peer, now);
            }
            self.next_period_ms = Some(now.steady_ms + period_ms / 2 + random.below(period_ms));
        }
    }

    /// A node that slept has missed what was said meanwhile, and connections may not have noticed.
    fn notice_sleep(&mut self, now: Now) {
        let Some(before) = self.last_tick.replace(now) else { return };
        let steady = now.steady_ms.saturating_sub(before.steady_ms);
        let wall = now.wall_ms.abs_diff(before.wall_ms);
        if steady.max(wall) >= SLEPT_MS {
            self.is_suspicious = true;
            self.suspected_ms = None;
            self.period_ms = Some(PERIOD_MS);
            self.next_period_ms = None;
        }
    }

    /// Takes the peers whose comparison begins now.
    pub(super) fn take_due(&mut self, room: usize, is_busy: impl Fn(&Peer) -> bool, now: Now) -> Vec<(Peer, bool)> {
        let mut begin = Vec::new();
        let asked_ms = &self.asked_ms;
        // Who waits longest is first, whatever its name.
        let mut waiting: Vec<(&Peer, &mut Due)> = self.due.iter_mut().collect();
        waiting.sort_by_key(|(_, due)| due.at_ms);
        for (peer, due) in waiting {
            if due.at_ms > now.steady_ms || is_busy(peer) {
                continue;
            }
            let is_asking = asked_ms.get(peer).is_some_and(|at_ms| at_ms + COURTESY_MS > now.steady_ms);
            if is_asking && !due.is_asked && now.steady_ms < due.latest_ms {
                due.at_ms = now.steady_ms + COURTESY_MS / 4;
            } else if due.is_asked || begin.len() < room {
                begin.push((peer.clone(), due.is_asked));
            }
        }
        for (peer, _) in &begin {
            self.due.remove(peer);
        }
        begin
    }
}

fn choose(peers: &[Peer], many: usize, random: &mut Random) -> Vec<Peer> {
    let mut left: Vec<&Peer> = peers.iter().collect();
    let mut chosen = Vec::new();
    while chosen.len() < many && !left.is_empty() {
        let at = usize::try_from(random.below(left.len() as u64)).unwrap_or(0);
        chosen.push(left.swap_remove(at).clone());
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady_ms: u64) -> Now {
        Now { wall_ms: steady_ms, steady_ms }
    }

    fn due(schedule: &mut Schedule, now: Now) -> usize {
        schedule.take_due(9, |_| false, now).len()
    }

    #[test]
    fn the_period_doubles_while_sets_are_equal_and_a_difference_ends_that() {
        let (mut schedule, mut random) = (Schedule::default(), Random::new([1; 32]));
        let peers = [Peer::new("a"), Peer::new("b")];
        let mut count = |schedule: &mut Schedule, from_ms: u64, found: bool| {
            let mut begun = 0;
            for step in 0..36_000 {
                let now = at(from_ms + step * 100);
                schedule.tick(&peers, &mut random, now);
                for (peer, _) in schedule.take_due(9, |_| false, now) {
                    begun += 1;
                    schedule.ended(&peer, false, found, now);
                }
            }
            begun
        };
        let differing = count(&mut schedule, 0, true);
        assert!((45..=75).contains(&differing), "{differing} in an hour");
        let equal = count(&mut schedule, 3_600_000, false);
        assert!((6..=14).contains(&equal), "{equal} in an hour");
        let differing = count(&mut schedule, 7_200_000, true);
        assert!((40..=75).contains(&differing), "{differing} in an hour");
    }

    #[test]
    fn a_session_that_broke_off_is_tried_again_soon() {
        let mut schedule = Schedule::default();
        let peer = Peer::new("a");
        schedule.ended(&peer, true, false, at(1000));
        assert_eq!(due(&mut schedule, at(2900)), 0);
        assert_eq!(due(&mut schedule, at(3000)), 1);
        schedule.ended(&peer, true, false, at(3000));
        assert_eq!(due(&mut schedule, at(6900)), 0);
        assert_eq!(due(&mut schedule, at(7000)), 1);
    }

    #[test]
    fn a_peer_that_compares_is_let_finish_unless_people_ask() {
        let mut schedule = Schedule::default();
        let peer = Peer::new("a");
        schedule.greet(&peer, true, at(0));
        schedule.is_asking(&peer, at(0));
        assert_eq!(due(&mut schedule, at(100)), 0);
        schedule.asked(&peer, at(200));
        assert_eq!(due(&mut schedule, at(200)), 1);
        schedule.greet(&peer, true, at(300));
        assert_eq!(due(&mut schedule, at(1000)), 0);
        assert_eq!(due(&mut schedule, at(2000)), 1);
    }

    #[test]
    fn fruitless_work_rests_longer_each_time() {
        let mut schedule = Schedule::default();
        let (peer, space) = (Peer::new("a"), SpaceId([1; 32]));
        schedule.worked(&peer, space, false, at(0));
        assert!(!schedule.is_quiet(&peer, space, at(1)));
        schedule.worked(&peer, space, false, at(0));
        assert!(schedule.is_quiet(&peer, space, at(599_999)) && !schedule.is_quiet(&peer, space, at(600_000)));
        schedule.worked(&peer, space, false, at(0));
        assert!(schedule.is_quiet(&peer, space, at(3_599_999)));
        schedule.worked(&peer, space, true, at(0));
        assert!(!schedule.is_quiet(&peer, space, at(1)));
    }

    #[test]
    fn who_waits_longest_begins_first() {
        let mut schedule = Schedule::default();
        for (name, at_ms) in [("a", 3), ("b", 1), ("c", 2)] {
            schedule.soon(&Peer::new(name), at(at_ms));
        }
        let begun = schedule.take_due(2, |_| false, at(10));
        assert_eq!(begun, [(Peer::new("b"), false), (Peer::new("c"), false)]);
    }

    #[test]
    fn waking_up_leads_to_comparisons() {
        let (mut schedule, mut random) = (Schedule::default(), Random::new([1; 32]));
        let peers = ["a", "b", "c"].map(Peer::new);
        schedule.tick(&peers, &mut random, at(0));
        schedule.tick(&peers, &mut random, at(100));
        assert_eq!(due(&mut schedule, at(100)), 0);
        schedule.tick(&peers, &mut random, Now { wall_ms: 3_600_000, steady_ms: 200 });
        assert_eq!(due(&mut schedule, at(200)), 2);
    }
}
