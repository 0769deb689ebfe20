//! The address book: which peers were met, where, and when each is worth dialling again.
//!
//! Pure: the time comes with every call, and what looks random is derived from a seed. It lives on disk through
//! [`address_file`](super::address_file).

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use super::reach::reach;

/// Peers in the book. Far more than are ever connected, so that a lying neighbour can't push out all others soon.
pub(super) const PEERS_MAX: usize = 512;
/// Addresses of one peer: two families, a few interfaces.
pub(super) const ADDRESSES_PER_PEER_MAX: usize = 8;
/// The first pause after a failure. It doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The longest pause. After it a network that is back is found again.
const BACKOFF_MAX: Duration = Duration::from_secs(600);
/// The pause after a success: a peer that accepts and hangs up is not dialled in a tight loop.
const REST: Duration = Duration::from_secs(5);
/// Failures after which a peer that was never reached is forgotten.
const FAILURES_OF_STRANGERS_MAX: u32 = 5;
/// Peers of other networks, and unwanted ones, that are remembered for a while.
const SHUNNED_MAX: usize = 256;
/// How long.
pub(super) const SHUN: Duration = Duration::from_secs(600);

/// The pause before the next attempt, with a quarter of jitter each way that depends on seed and subject: nodes that
/// lost the same peer at the same time come back at different ones.
pub(super) fn backoff(seed: &[u8; 32], subject: &[u8], failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let pause = BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    let mut hasher = blake3::Hasher::new_keyed(seed);
    hasher.update(subject).update(&failures.to_le_bytes());
    let share = u32::from(hasher.finalize().as_bytes()[0]);
    // 192..=319 of 256: 0.75 to 1.25.
    (pause * (192 + share / 2) / 256).min(BACKOFF_MAX)
}

/// Where a peer was, and how that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) address: Multiaddr,
    /// Unix milliseconds of the last time that dialling it led to the peer; 0 if it never did.
    pub(super) reached_ms: u64,
    /// Failures since.
    pub(super) failures: u32,
    /// Whether only multicast told it: kept while the node runs, and not written down.
    pub(super) hearsay: bool,
}

/// One peer's page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) addresses: Vec<Known>,
    pub(super) reached_ms: u64,
    pub(super) failures: u32,
    /// Not before this time. Not written down: a new start is a new chance.
    pub(super) next_ms: u64,
}

/// The book.
#[derive(Debug)]
pub(super) struct AddressBook {
    local: PeerId,
    seed: [u8; 32],
    entries: BTreeMap<PeerId, Entry>,
    shunned: BTreeMap<PeerId, u64>,
    changed: bool,
}

impl AddressBook {
    pub(super) fn new(local: PeerId, seed: [u8; 32]) -> Self {
        Self { local, seed, entries: BTreeMap::new(), shunned: BTreeMap::new(), changed: false }
    }

    /// Takes up what was written down. Bounds hold for it as for everything else.
    pub(super) fn restore(&mut self, saved: impl IntoIterator<Item = (PeerId, Entry)>) {
        for (peer, saved) in saved {
            for known in saved.addresses {
                self.note(peer, known);
            }
            if let Some(entry) = self.entries.get_mut(&peer) {
                entry.reached_ms = saved.reached_ms;
                entry.failures = saved.failures;
            }
        }
        self.changed = false;
    }

    /// What is worth writing down.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&PeerId, &Entry)> {
        self.entries.iter()
    }

    /// How many peers are in the book, and how many of them were ever reached.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.entries.len(), self.entries.values().filter(|entry| entry.reached_ms > 0).count())
    }

    /// Whether anything worth writing down has changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Notes an address that a connected peer gave as its own.
    pub(super) fn learn(&mut self, peer: PeerId, address: Multiaddr) {
        self.note(peer, Known { address, reached_ms: 0, failures: 0, hearsay: false });
    }

    /// Notes an address that multicast gave.
    pub(super) fn overhear(&mut self, peer: PeerId, address: Multiaddr) {
        self.note(peer, Known { address, reached_ms: 0, failures: 0, hearsay: true });
    }

    /// Notes that dialling an address led to the peer.
    pub(super) fn reached(&mut self, peer: PeerId, address: &Multiaddr, now_ms: u64) {
        self.shunned.remove(&peer);
        self.note(peer, Known { address: address.clone(), reached_ms: now_ms, failures: 0, hearsay: false });
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.reached_ms = now_ms;
            entry.failures = 0;
            entry.next_ms = now_ms + millis(REST);
        }
    }

    /// Notes that no address of a peer led to it.
    pub(super) fn failed(&mut self, peer: PeerId, now_ms: u64) {
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        self.changed = true;
        entry.failures = entry.failures.saturating_add(1);
        for known in &mut entry.addresses {
            known.failures = known.failures.saturating_add(1);
        }
        entry.next_ms = now_ms + millis(backoff(&self.seed, &peer.to_bytes(), entry.failures));
        if entry.reached_ms == 0 && entry.failures >= FAILURES_OF_STRANGERS_MAX {
            self.entries.remove(&peer);
        }
    }

    /// Drops an address that led to someone else, and the peer with its last address.
    pub(super) fn misled(&mut self, peer: PeerId, address: &Multiaddr) {
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        entry.addresses.retain(|known| known.address != *address);
        self.changed = true;
        if entry.addresses.is_empty() {
            self.entries.remove(&peer);
        }
    }

    /// Drops a peer that isn't of this network.
    pub(super) fn foreign(&mut self, peer: PeerId, now_ms: u64) {
        self.changed |= self.entries.remove(&peer).is_some();
        self.shun(peer, now_ms);
    }

    /// Doesn't offer a peer for dialling for a while.
    pub(super) fn shun(&mut self, peer: PeerId, now_ms: u64) {
        self.shunned.retain(|_, until_ms| *until_ms > now_ms);
        if self.shunned.len() >= SHUNNED_MAX {
            self.shunned.pop_first();
        }
        self.shunned.insert(peer, now_ms + millis(SHUN));
    }

    /// Allows dialling a peer again at once.
    pub(super) fn pardon(&mut self, peer: PeerId) {
        self.shunned.remove(&peer);
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.next_ms = 0;
        }
    }

    /// Peers that are worth dialling now, the most recently reached first, without those that `skip` names.
    pub(super) fn due(
        &self,
        now_ms: u64,
        count: usize,
        skip: impl Fn(&PeerId) -> bool,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        if count == 0 {
            return Vec::new();
        }
        let is_due = |(peer, entry): &(&PeerId, &Entry)| {
            // A clock that was set back must not make a peer wait longer than the longest pause.
            let waits = entry.next_ms > now_ms && entry.next_ms <= now_ms + millis(BACKOFF_MAX);
            !waits && self.shunned.get(*peer).is_none_or(|until_ms| *until_ms <= now_ms) && !skip(peer)
        };
        let mut due: Vec<_> = self.entries.iter().filter(is_due).collect();
        due.sort_by_key(|(_, entry)| (entry.failures, std::cmp::Reverse(entry.reached_ms)));
        let addresses = |entry: &Entry| entry.addresses.iter().map(|known| known.address.clone()).collect();
        due.into_iter().take(count).map(|(peer, entry)| (*peer, addresses(entry))).collect()
    }

    fn note(&mut self, peer: PeerId, known: Known) {
        if peer == self.local || reach(&known.address).is_none() {
            return;
        }
        let entry = self.entries.entry(peer).or_default();
        match entry.addresses.iter_mut().find(|other| other.address == known.address) {
            Some(other) if known.reached_ms == 0 => {
                self.changed |= other.hearsay && !known.hearsay;
                other.hearsay &= known.hearsay;
                return;
            }
            Some(other) => *other = known,
            None => {
                if entry.addresses.len() >= ADDRESSES_PER_PEER_MAX {
                    // The longest unreached goes first, among equals the one that failed most.
                    let worth = |known: &Known| (known.reached_ms, std::cmp::Reverse(known.failures));
                    let least = entry.addresses.iter().enumerate().min_by_key(|(_, known)| worth(known));
                    if let Some((index, _)) = least {
                        entry.addresses.remove(index);
                    }
                }
                entry.addresses.push(known);
            }
        }
        self.changed = true;
        self.keep_within_bounds(peer);
    }

    fn keep_within_bounds(&mut self, newest: PeerId) {
        if self.entries.len() <= PEERS_MAX {
            return;
        }
        // The same order: who was never or longest ago reached, and failed most, leaves. Not the newcomer: with a
        // book full of friends nobody new would ever be met.
        let worth = |entry: &Entry| (entry.reached_ms, std::cmp::Reverse(entry.failures));
        let others = self.entries.iter().filter(|(peer, _)| **peer != newest);
        let least = others.min_by_key(|(_, entry)| worth(entry)).map(|(peer, _)| *peer);
        if let Some(peer) = least {
            self.entries.remove(&peer);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn book() -> AddressBook {
        AddressBook::new(PeerId::random(), [3; 32])
    }

    fn address(number: usize) -> Multiaddr {
        format!("/ip4/198.51.{}.{}/tcp/4001", number / 250, number % 250 + 1).parse().expect("a multiaddr")
    }

    fn due(book: &AddressBook, now_ms: u64) -> Vec<PeerId> {
        book.due(now_ms, 1000, |_| false).into_iter().map(|(peer, _)| peer).collect()
    }

    #[test]
    fn pauses_double_up_to_ten_minutes_and_differ_between_peers() {
        let pause = |failures| backoff(&[3; 32], b"peer", failures);
        for failures in 1..=40 {
            let plain = (1_u64 << (failures - 1).min(20)).min(600) as f64;
            let (least, most) = (plain * 0.75, (plain * 1.25).min(600.0));
            let got = pause(failures).as_secs_f64();
            assert!((least..=most).contains(&got), "{failures}: {got}");
        }
        assert!((0..32).any(|peer| backoff(&[3; 32], &[peer], 1) != pause(1)));
        assert!(pause(u32::MAX) <= BACKOFF_MAX);
    }

    #[test]
    fn a_peer_that_fails_waits_and_one_that_was_never_reached_is_forgotten() {
        let (mut book, peer, mut now) = (book(), PeerId::random(), NOW);
        book.learn(peer, address(1));
        for _ in 0..FAILURES_OF_STRANGERS_MAX {
            assert_eq!(due(&book, now), [peer]);
            book.failed(peer, now);
            assert!(due(&book, now).is_empty());
            now += millis(BACKOFF_MAX);
        }
        assert!(due(&book, now).is_empty());
    }

    #[test]
    fn a_peer_that_was_reached_is_never_given_up() {
        let (mut book, peer) = (book(), PeerId::random());
        book.reached(peer, &address(1), NOW);
        for _ in 0..100 {
            book.failed(peer, NOW);
        }
        assert_eq!(due(&book, NOW + millis(BACKOFF_MAX)), [peer]);
    }

    #[test]
    fn the_most_recently_reached_come_first() {
        let (mut book, peers) = (book(), [PeerId::random(), PeerId::random(), PeerId::random()]);
        for (age, peer) in [2, 0, 1].into_iter().zip(peers) {
            book.reached(peer, &address(1), NOW - age);
        }
        let later = NOW + millis(REST);
        assert_eq!(due(&book, later), [peers[1], peers[2], peers[0]]);
        book.failed(peers[1], NOW);
        assert_eq!(due(&book, later), [peers[2], peers[0], peers[1]]);
    }

    #[test]
    fn peers_and_addresses_have_bounds_and_what_was_reached_survives() {
        let (mut book, friend) = (book(), PeerId::random());
        book.reached(friend, &address(0), NOW);
        for number in 1..100 {
            book.learn(friend, address(number));
        }
        for number in 0..PEERS_MAX * 2 {
            book.learn(PeerId::random(), address(number));
        }
        assert_eq!(book.entries.len(), PEERS_MAX);
        let entry = &book.entries[&friend];
        assert_eq!(entry.addresses.len(), ADDRESSES_PER_PEER_MAX);
        assert!(entry.addresses.iter().any(|known| known.address == address(0)));
    }

    #[test]
    fn an_address_that_leads_elsewhere_is_dropped_and_a_foreign_peer_stays_away() {
        let (mut book, peer) = (book(), PeerId::random());
        book.learn(peer, address(1));
        book.learn(peer, address(2));
        book.misled(peer, &address(1));
        assert_eq!(book.due(NOW, 9, |_| false), [(peer, vec![address(2)])]);
        book.misled(peer, &address(2));
        assert!(book.entries.is_empty());
        book.learn(peer, address(1));
        book.foreign(peer, NOW);
        book.overhear(peer, address(1));
        assert!(due(&book, NOW).is_empty());
        assert_eq!(due(&book, NOW + millis(SHUN)), [peer]);
    }

    #[test]
    fn the_node_itself_and_unusable_addresses_are_not_noted() {
        let mut book = book();
        book.learn(book.local, address(1));
        book.learn(PeerId::random(), "/ip4/0.0.0.0/tcp/1".parse().expect("a multiaddr"));
        assert!(book.entries.is_empty());
    }

    #[test]
    fn a_clock_set_back_does_not_lock_a_peer_out() {
        let (mut book, peer) = (book(), PeerId::random());
        book.reached(peer, &address(1), NOW);
        book.failed(peer, NOW);
        assert_eq!(due(&book, NOW - 86_400_000), [peer]);
    }

    #[test]
    fn whoever_is_skipped_is_not_offered() {
        let (mut book, peer) = (book(), PeerId::random());
        book.learn(peer, address(1));
        assert!(book.due(NOW, 9, |other| *other == peer).is_empty());
        assert!(book.due(NOW, 0, |_| false).is_empty());
    }
}
