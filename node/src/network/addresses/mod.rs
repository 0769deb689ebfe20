//! The address book: which peers were met or heard of, where, and when each is worth dialling.
//!
//! Pure: the time comes with every call, and what looks random is derived from a seed. It lives on disk through
//! [`address_file`](super::address_file).
//!
//! Addresses of the world stand in two tables of buckets ([`tables`]): *new* for what others tell, *tried* for what this
//! node has reached itself. Nothing but a dial of this node leads into *tried*, and a page there that is in a newcomer's
//! way is dialled before it gives way. Near addresses (this machine, this site) have one owner and nothing to spread
//! over: they stand in a table of their own, and what stands there says nothing about the world.

mod choice;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use super::reach::{Group, Reach, group, reach, relay_of};
pub(super) use choice::Chosen;
pub(super) use tables::Source;
use tables::{NEW_MAX, Slot, TRIED_MAX, Table, new_slot, tried_slot};

/// Near peers in the book: a large house, or a devnet.
const NEAR_MAX: usize = 256;
/// Peers in the book. One may stand both among the near ones and in a table of the world.
pub(super) const PEERS_MAX: usize = NEW_MAX + TRIED_MAX + NEAR_MAX;
/// Addresses of one page: two families, a few interfaces.
pub(super) const ADDRESSES_PER_PEER_MAX: usize = 8;
/// Addresses of one page, as long as nobody has signed the last of them.
const UNSIGNED_PER_PEER_MAX: usize = 4;
/// Peers that are dialled first after a restart.
pub(super) const ANCHORS_MAX: usize = 4;
/// Newcomers to *tried* that wait for the page in their way to be dialled (Bitcoin Core: 10).
const CHALLENGES_MAX: usize = 10;
/// The first pause after a failure. It doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The longest pause. After it a network that is back is found again.
const BACKOFF_MAX: Duration = Duration::from_secs(600);
/// The pause after a success: a peer that accepts and hangs up is not dialled in a tight loop.
const REST: Duration = Duration::from_secs(5);
/// Failures after which a peer that was never reached is forgotten.
const FAILURES_OF_STRANGERS_MAX: u32 = 3;
/// Failures after which a page in *tried* gives way to a newcomer without another dial.
const FAILURES_OF_TRIED_MAX: u32 = 3;
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

impl Known {
    pub(super) fn told(address: Multiaddr) -> Self {
        Self { address, reached_ms: 0, failures: 0, hearsay: false }
    }
}

/// One peer's page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) addresses: Vec<Known>,
    pub(super) reached_ms: u64,
    pub(super) failures: u32,
    /// Until this time a person wants it remembered, also if it was never reached.
    pub(super) vouched_until_ms: u64,
    /// Not before this time. Not written down: a new start is a new chance.
    pub(super) next_ms: u64,
}

/// A page in one of the tables of the world.
#[derive(Debug)]
struct Placed {
    entry: Entry,
    slot: Slot,
    /// Of the address by which it got its place.
    group: Group,
    source: Source,
}

/// What is written down of a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Saved {
    pub(super) peer: PeerId,
    pub(super) entry: Entry,
    pub(super) source: Source,
    pub(super) is_tried: bool,
}

/// How many pages there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) near: usize,
    pub(super) new: usize,
    pub(super) tried: usize,
    pub(super) anchors: usize,
    /// Peers that this node has reached, near or far.
    pub(super) reached: usize,
}

/// Where peers were found since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) cached: u64,
    pub(super) person: u64,
    pub(super) lan: u64,
    pub(super) dht: u64,
    pub(super) exchange: u64,
}

/// The book.
#[derive(Debug)]
pub(super) struct AddressBook {
    local: PeerId,
    seed: [u8; 32],
    near: BTreeMap<PeerId, Entry>,
    world: BTreeMap<PeerId, Placed>,
    slots: BTreeMap<Slot, PeerId>,
    /// Pages of *tried* in whose place a newcomer would stand, and the newcomers with the addresses that led to them.
    challenges: VecDeque<(PeerId, PeerId, Multiaddr)>,
    anchors: Vec<PeerId>,
    shunned: BTreeMap<PeerId, u64>,
    found: Found,
    draws: u64,
    changed: bool,
}

impl AddressBook {
    pub(super) fn new(local: PeerId, seed: [u8; 32]) -> Self {
        Self {
            local,
            seed,
            near: BTreeMap::new(),
            world: BTreeMap::new(),
            slots: BTreeMap::new(),
            challenges: VecDeque::new(),
            anchors: Vec::new(),
            shunned: BTreeMap::new(),
            found: Found::default(),
            draws: 0,
            changed: false,
        }
    }

    /// Takes up what was written down. Bounds hold for it as for everything else.
    pub(super) fn restore(&mut self, anchors: Vec<PeerId>, saved: impl IntoIterator<Item = Saved>) {
        for Saved { peer, entry, source, is_tried } in saved {
            let reached = entry.addresses.iter().filter(|known| is_tried && group(&known.address).is_some());
            if let Some(known) = reached.max_by_key(|known| known.reached_ms).cloned() {
                self.note_tried(peer, &known.address, known.reached_ms);
            }
            for known in entry.addresses {
                self.note(peer, known, source);
            }
            for page in self.pages_mut(&peer) {
                page.reached_ms = entry.reached_ms;
                page.failures = entry.failures;
                page.vouched_until_ms = entry.vouched_until_ms;
            }
        }
        self.anchors = anchors.into_iter().take(ANCHORS_MAX).collect();
        self.found = Found { cached: self.peers().count() as u64, ..Found::default() };
        self.changed = false;
    }

    /// What is worth writing down.
    pub(super) fn saved(&self) -> impl Iterator<Item = Saved> {
        let near = self.near.iter().map(|(peer, entry)| Saved {
            peer: *peer,
            entry: entry.clone(),
            source: Source::Lan,
            is_tried: entry.reached_ms > 0,
        });
        let world = self.world.iter().map(|(peer, placed)| Saved {
            peer: *peer,
            entry: placed.entry.clone(),
            source: placed.source,
            is_tried: placed.slot.table == Table::Tried,
        });
        near.chain(world)
    }

    fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.near.keys().chain(self.world.keys().filter(|peer| !self.near.contains_key(*peer)))
    }

    fn pages_mut(&mut self, peer: &PeerId) -> impl Iterator<Item = &mut Entry> {
        let far = self.world.get_mut(peer).map(|placed| &mut placed.entry);
        self.near.get_mut(peer).into_iter().chain(far)
    }

    fn pages(&self, peer: &PeerId) -> impl Iterator<Item = &Entry> {
        self.near.get(peer).into_iter().chain(self.world.get(peer).map(|placed| &placed.entry))
    }

    pub(super) fn counts(&self) -> Counts {
        let tried = self.world.values().filter(|placed| placed.slot.table == Table::Tried).count();
        let is_reached = |peer: &&PeerId| self.pages(peer).any(|page| page.reached_ms > 0);
        Counts {
            near: self.near.len(),
            new: self.world.len() - tried,
            tried,
            anchors: self.anchors.len(),
            reached: self.peers().filter(is_reached).count(),
        }
    }

    /// How many peers are in the book.
    pub(super) fn known(&self) -> usize {
        self.peers().count()
    }

    pub(super) fn found(&self) -> Found {
        self.found
    }

    /// Who was connected last, and is dialled first after a restart.
    pub(super) fn anchors(&self) -> &[PeerId] {
        &self.anchors
    }

    /// Sets whom to dial first after a restart.
    pub(super) fn anchor(&mut self, anchors: Vec<PeerId>) {
        // An empty list says only that this node is alone just now.
        if !anchors.is_empty() && anchors != self.anchors {
            self.anchors = anchors;
            self.changed = true;
        }
    }

    /// Whether anything worth writing down has changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// When this node last reached a peer by dialling, unix milliseconds.
    pub(super) fn reached_ms(&self, peer: &PeerId) -> Option<u64> {
        self.pages(peer).map(|page| page.reached_ms).max().filter(|time| *time > 0)
    }

    /// Notes an address that somebody gave.
    pub(super) fn learn(&mut self, peer: PeerId, address: Multiaddr, source: Source) {
        self.note(peer, Known { hearsay: source == Source::Lan, ..Known::told(address) }, source);
    }

    /// Notes an address that a person was given, to be remembered until a time even if the peer is not reached.
    pub(super) fn vouch(&mut self, peer: PeerId, address: Multiaddr, until_ms: u64) {
        self.learn(peer, address, Source::Person);
        let mut is_news = false;
        for page in self.pages_mut(&peer) {
            is_news |= page.vouched_until_ms < until_ms;
            page.vouched_until_ms = page.vouched_until_ms.max(until_ms);
        }
        self.changed |= is_news;
    }

    /// Notes that dialling an address led to the peer.
    pub(super) fn reached(&mut self, peer: PeerId, address: &Multiaddr, now_ms: u64) {
        self.shunned.remove(&peer);
        self.challenges.retain(|(holder, ..)| *holder != peer);
        self.note_tried(peer, address, now_ms);
        for page in self.pages_mut(&peer) {
            page.reached_ms = now_ms;
            page.failures = 0;
            page.next_ms = now_ms.saturating_add(millis(REST));
        }
    }

    fn note_tried(&mut self, peer: PeerId, address: &Multiaddr, now_ms: u64) {
        let known = Known { reached_ms: now_ms, ..Known::told(address.clone()) };
        let Some(group) = group(address) else { return self.note(peer, known, Source::Person) };
        if peer == self.local {
            return;
        }
        let slot = tried_slot(&self.seed, &peer, group);
        let holder = self.slots.get(&slot).copied().filter(|holder| *holder != peer);
        if let Some(holder) = holder {
            let fails = |placed: &Placed| placed.entry.failures >= FAILURES_OF_TRIED_MAX;
            if !self.world.get(&holder).is_some_and(fails) {
                self.note(peer, known, Source::Person);
                let is_waiting = self.challenges.iter().any(|(_, newcomer, _)| *newcomer == peer);
                if !is_waiting && self.challenges.len() < CHALLENGES_MAX {
                    self.challenges.push_back((holder, peer, address.clone()));
                }
                return;
            }
            self.demote(holder);
        }
        let before = self.take_page(&peer);
        let source = before.as_ref().map_or(Source::Person, |placed| placed.source);
        if before.is_none() {
            self.count(source, peer);
        }
        let entry = before.map(|placed| placed.entry).unwrap_or_default();
        self.slots.insert(slot, peer);
        self.world.insert(peer, Placed { entry, slot, group, source });
        self.note(peer, known, source);
        self.changed = true;
    }

    /// Puts a page of *tried* back among the new ones, if its place there is free.
    fn demote(&mut self, peer: PeerId) {
        let Some(placed) = self.take_page(&peer) else { return };
        let slot = new_slot(&self.seed, &peer, placed.group, placed.source);
        if let std::collections::btree_map::Entry::Vacant(free) = self.slots.entry(slot) {
            free.insert(peer);
            self.world.insert(peer, Placed { slot, ..placed });
        }
    }

    fn take_page(&mut self, peer: &PeerId) -> Option<Placed> {
        let placed = self.world.remove(peer)?;
        self.slots.remove(&placed.slot);
        self.changed = true;
        Some(placed)
    }

    /// Notes that no address of a peer led to it.
    pub(super) fn failed(&mut self, peer: PeerId, now_ms: u64) {
        let seed = self.seed;
        for page in self.pages_mut(&peer) {
            page.failures = page.failures.saturating_add(1);
            for known in &mut page.addresses {
                known.failures = known.failures.saturating_add(1);
            }
            page.next_ms = now_ms.saturating_add(millis(backoff(&seed, &peer.to_bytes(), page.failures)));
        }
        self.changed = true;
        let is_hopeless = |page: &Entry| {
            let is_stranger = page.reached_ms == 0 && page.vouched_until_ms <= now_ms;
            is_stranger && page.failures >= FAILURES_OF_STRANGERS_MAX
        };
        if self.near.get(&peer).is_some_and(is_hopeless) {
            self.near.remove(&peer);
        }
        if self.world.get(&peer).is_some_and(|placed| is_hopeless(&placed.entry)) {
            self.take_page(&peer);
        }
        // A newcomer that waited for this test takes the place.
        if let Some(index) = self.challenges.iter().position(|(holder, ..)| *holder == peer)
            && let Some((_, newcomer, address)) = self.challenges.remove(index)
            && self.world.get(&peer).is_some_and(|placed| placed.slot.table == Table::Tried)
        {
            self.demote(peer);
            let reached_ms = self.reached_ms(&newcomer).unwrap_or(now_ms);
            self.note_tried(newcomer, &address, reached_ms);
        }
    }

    /// Drops an address that led to someone else, and the page with its last address.
    pub(super) fn misled(&mut self, peer: PeerId, address: &Multiaddr) {
        for page in self.pages_mut(&peer) {
            page.addresses.retain(|known| known.address != *address);
        }
        self.changed = true;
        self.near.retain(|other, page| *other != peer || !page.addresses.is_empty());
        if self.world.get(&peer).is_some_and(|placed| placed.entry.addresses.is_empty()) {
            self.take_page(&peer);
        }
    }

    /// Drops a peer that isn't of this network.
    pub(super) fn foreign(&mut self, peer: PeerId, now_ms: u64) {
        self.changed |= self.near.remove(&peer).is_some();
        self.take_page(&peer);
        self.anchors.retain(|anchor| *anchor != peer);
        self.shun(peer, SHUN, now_ms);
    }

    /// Doesn't offer a peer for dialling for a while.
    pub(super) fn shun(&mut self, peer: PeerId, time: Duration, now_ms: u64) {
        self.shunned.retain(|_, until_ms| *until_ms > now_ms);
        if self.shunned.len() >= SHUNNED_MAX {
            self.shunned.pop_first();
        }
        self.shunned.insert(peer, now_ms.saturating_add(millis(time)));
    }

    /// Allows dialling a peer again at once.
    pub(super) fn pardon(&mut self, peer: PeerId) {
        self.shunned.remove(&peer);
        for page in self.pages_mut(&peer) {
            page.next_ms = 0;
        }
    }

    fn note(&mut self, peer: PeerId, known: Known, source: Source) {
        // A client of this node's is reached by its own connection, or elsewhere.
        let leads_here = peer == self.local || relay_of(&known.address) == Some(self.local);
        let Some(reach) = reach(&known.address).filter(|_| !leads_here) else { return };
        if reach < Reach::World {
            self.note_near(peer, known, source);
        } else {
            self.note_far(peer, known, source);
        }
    }

    fn note_near(&mut self, peer: PeerId, known: Known, source: Source) {
        if !self.near.contains_key(&peer) {
            self.count(source, peer);
            if self.near.len() >= NEAR_MAX {
                // Who was never or longest ago reached, and failed most, makes room; not the newcomer: with a table full
                // of friends nobody new would ever be met.
                let worth = |entry: &Entry| (entry.reached_ms, std::cmp::Reverse(entry.failures));
                let least = self.near.iter().min_by_key(|(_, entry)| worth(entry)).map(|(peer, _)| *peer);
                least.and_then(|peer| self.near.remove(&peer));
            }
        }
        self.changed |= self.near.entry(peer).or_default().note(known, source);
    }

    fn note_far(&mut self, peer: PeerId, known: Known, source: Source) {
        if !self.world.contains_key(&peer) {
            let Some(group) = group(&known.address) else { return };
            let slot = new_slot(&self.seed, &peer, group, source);
            if let Some(holder) = self.slots.get(&slot).copied() {
                // Only who has failed makes room: the first word stands against any number of later ones.
                let fails = |Placed { entry, .. }: &Placed| {
                    entry.failures > 0 && entry.reached_ms == 0 && entry.vouched_until_ms == 0
                };
                if !self.world.get(&holder).is_some_and(fails) {
                    return;
                }
                self.take_page(&holder);
            }
            self.count(source, peer);
            self.slots.insert(slot, peer);
            self.world.insert(peer, Placed { entry: Entry::default(), slot, group, source });
        }
        if let Some(placed) = self.world.get_mut(&peer) {
            self.changed |= placed.entry.note(known, source);
        }
    }

    /// Counts a peer that wasn't in the book.
    fn count(&mut self, source: Source, peer: PeerId) {
        if self.near.contains_key(&peer) || self.world.contains_key(&peer) {
            return;
        }
        let counter = match source {
            Source::Person => &mut self.found.person,
            Source::Lan => &mut self.found.lan,
            Source::Dht => &mut self.found.dht,
            Source::Peer(_) => &mut self.found.exchange,
        };
        *counter += 1;
    }
}

impl Entry {
    /// Notes an address. Returns whether that is news.
    fn note(&mut self, known: Known, source: Source) -> bool {
        match self.addresses.iter_mut().find(|other| other.address == known.address) {
            Some(other) if known.reached_ms == 0 => {
                let is_news = other.hearsay && !known.hearsay;
                other.hearsay &= known.hearsay;
                return is_news;
            }
            Some(other) => *other = known,
            None => {
                if source == Source::Dht && known.reached_ms == 0 && self.addresses.len() >= UNSIGNED_PER_PEER_MAX {
                    return false;
                }
                if self.addresses.len() >= ADDRESSES_PER_PEER_MAX {
                    // The longest unreached goes first, among equals the one that failed most.
                    let worth = |known: &Known| (known.reached_ms, std::cmp::Reverse(known.failures));
                    let least = self.addresses.iter().enumerate().min_by_key(|(_, known)| worth(known));
                    if let Some((index, _)) = least {
                        self.addresses.remove(index);
                    }
                }
                self.addresses.push(known);
            }
        }
        true
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
