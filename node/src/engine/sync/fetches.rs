//! What peers have and this node lacks: which peer is asked for what, one at a time for each event.
//!
//! Sessions put in what they found, with the peer that has it; another session that finds the same adds its peer. The
//! newest epoch goes first, for the reader's sake, and within it the oldest event, so that parents come before answers. A
//! peer that is slow, silent or does not deliver loses its place at that item; an item without peers is dropped, and the
//! next comparison finds it again.

use crate::engine::Token;
use crate::peer::Peer;
use roda_protocol::id::SpaceId;
use roda_protocol::limits::SYNC_GET_IDS_MAX;
use roda_protocol::reconcile::{Bound, Epoch, EpochKey, Short};
use roda_protocol::time::Now;
use roda_protocol::wire::{Form, Request};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Items at most, about 12 MiB. What does not fit is found by a later comparison.
const ITEMS_MAX: usize = 65_536;

/// Requests for events under way with one peer at first, and with a slow one: one is answered while the other's events are
/// stored.
const UNDER_WAY_AT_FIRST: usize = 2;

/// And with one whose answers come quickly: each stage of their way (reading there, the line, signatures, storing) has one of
/// them, and one more waits. With two, all stages but one were idle at any time.
const UNDER_WAY_PER_PEER: usize = 6;

/// An answer that took no longer than this came quickly. All that may be under way with a peer then comes in time, by far.
const QUICK_MS: u64 = 1000;

/// Requests for events under way in all: below what the network takes at once, so that questions go through.
const UNDER_WAY_MAX: usize = 32;

/// Peers that are remembered for one item.
const PROVIDERS_MAX: usize = 4;

/// After this another peer, if one has it, is asked for what a peer still owes.
const PATIENCE_MS: u64 = 5000;

/// A busy peer is left alone for so long, and twice as long each further time.
const BUSY_PAUSE_MS: u64 = 500;

/// A peer that was busy so often in a row, for a minute in all, is asked for nothing of what it has promised.
const BUSY_MAX: u32 = 7;

/// Answers without any new event that one range may bring.
const FRUITLESS_MAX: u32 = 3;

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// All from here to the item's end.
    Range(EpochKey),
    /// One event.
    Pick(Short),
}

/// An item's place in the order of fetching.
type Key = (SpaceId, Reverse<Epoch>, Place);

#[derive(Debug)]
struct Item {
    /// Where a range ends.
    upper: EpochKey,
    form: Form,
    /// Peers that have it, in the order in which they said so.
    providers: Vec<Peer>,
    asked: Option<Token>,
    fruitless: u32,
}

/// A request under way.
#[derive(Debug)]
struct UnderWay {
    peer: Peer,
    form: Form,
    keys: Vec<Key>,
    since_ms: u64,
}

/// What became of an event that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is known now.
    Here,
    /// Its header came, and its words are wanted.
    Words,
    /// It did not come.
    Absent,
}

/// What an answered request was about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) peer: Peer,
    pub(super) space: SpaceId,
    pub(super) epoch: Epoch,
    pub(super) form: Form,
    keys: Vec<Key>,
}

impl Fetched {
    /// Where a fetched range begins; none if single events were asked.
    fn range(&self) -> Option<Key> {
        self.keys.first().copied().filter(|key| matches!(key.2, Place::Range(_)))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    items: BTreeMap<Key, Item>,
    under_way: BTreeMap<Token, UnderWay>,
    /// How many items name the peer as one that has them.
    waiting: BTreeMap<(Peer, SpaceId), usize>,
    paused: BTreeMap<Peer, Pause>,
    /// How many requests may be under way with peers that have answered.
    windows: BTreeMap<Peer, usize>,
}

/// How a peer without time is left alone.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    until_ms: u64,
    /// Times in a row that it had no time.
    times: u32,
}

impl Fetches {
    /// Puts single events in that `peer` has.
    pub(super) fn add_picks(&mut self, peer: &Peer, space: SpaceId, epoch: Epoch, shorts: &[Short], form: Form) {
        for short in shorts {
            self.add(peer, (space, Reverse(epoch), Place::Pick(*short)), EpochKey::END, form);
        }
    }

    /// Puts a range in of which `peer` has all that it has.
    pub(super) fn add_range(
        &mut self,
        peer: &Peer,
        space: SpaceId,
        epoch: Epoch,
        (lower, upper): (EpochKey, EpochKey),
        form: Form,
    ) {
        let key = (space, Reverse(epoch), Place::Range(lower));
        let first = (space, Reverse(epoch), Place::Range(EpochKey::FIRST));
        // A range that is fetched already from before here to behind the end brings this one along.
        let around =
            self.items.range(first..=key).next_back().filter(|(_, item)| item.upper >= upper).map(|(key, _)| *key);
        self.add(peer, around.unwrap_or(key), upper, form);
    }

    fn add(&mut self, peer: &Peer, key: Key, upper: EpochKey, form: Form) {
        if self.items.len() >= ITEMS_MAX && !self.items.contains_key(&key) {
            return;
        }
        let new = || Item { upper, form, providers: Vec::new(), asked: None, fruitless: 0 };
        let item = self.items.entry(key).or_insert_with(new);
        if item.providers.len() < PROVIDERS_MAX && !item.providers.contains(peer) {
            item.providers.push(peer.clone());
            *self.waiting.entry((peer.clone(), key.0)).or_default() += 1;
        }
    }

    /// Whether something of the space is still to come from `peer`, or might be.
    pub(super) fn is_waiting(&self, peer: &Peer, space: SpaceId) -> bool {
        self.waiting.contains_key(&(peer.clone(), space))
    }

    fn forget_provider(waiting: &mut BTreeMap<(Peer, SpaceId), usize>, peer: &Peer, space: SpaceId) {
        let name = (peer.clone(), space);
        if let Some(count) = waiting.get_mut(&name) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&name);
            }
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Item> {
        let item = self.items.remove(key)?;
        for provider in &item.providers {
            Self::forget_provider(&mut self.waiting, provider, key.0);
        }
        Some(item)
    }

    /// The peer does not deliver this: others may.
    fn remove_provider(&mut self, key: &Key, peer: &Peer) {
        let Some(item) = self.items.get_mut(key) else { return };
        let before = item.providers.len();
        item.providers.retain(|provider| provider != peer);
        if item.providers.len() < before {
            Self::forget_provider(&mut self.waiting, peer, key.0);
        }
        if item.providers.is_empty() {
            self.items.remove(key);
        }
    }

    /// Whether one more request may go to `peer` now.
    pub(super) fn has_room(&self, peer: &Peer, now: Now) -> bool {
        let with_peer = self.under_way.values().filter(|under_way| under_way.peer == *peer).count();
        with_peer < self.windows.get(peer).copied().unwrap_or(UNDER_WAY_AT_FIRST)
            && self.under_way.len() < UNDER_WAY_MAX
            && self.paused.get(peer).is_none_or(|pause| pause.until_ms <= now.steady_ms)
    }

    /// Peers that have something which nobody is asked for.
    pub(super) fn peers(&self) -> Vec<Peer> {
        let mut peers: Vec<Peer> = self.waiting.keys().map(|(peer, _)| peer.clone()).collect();
        peers.dedup();
        peers
    }

    /// The next request to `peer`, under way from here on under this token.
    pub(super) fn ask(&mut self, peer: &Peer, token: Token, now: Now) -> Option<Request> {
        let is_free = |item: &Item| item.asked.is_none() && item.providers.contains(peer);
        let (first, item) = self.items.iter().find(|(_, item)| is_free(item))?;
        let (space, Reverse(epoch), place) = *first;
        let form = item.form;
        let (keys, request) = match place {
            Place::Range(lower) => {
                let (lower, upper) = (Bound::of(&lower), Bound::of(&item.upper));
                (vec![*first], Request::Range { space, epoch, lower, upper, form })
            }
            Place::Pick(_) => {
                let same = |(key, _): &(&Key, &Item)| (key.0, key.1) == (space, Reverse(epoch));
                let fits = |(_, item): &(&Key, &Item)| item.form == form && is_free(item);
                let picks = self.items.range(*first..).take_while(same).filter(fits).take(SYNC_GET_IDS_MAX);
                let keys: Vec<Key> = picks.map(|(key, _)| *key).collect();
                let name = |key: &Key| match key.2 {
                    Place::Pick(short) => Some(short.to_be_bytes()),
                    Place::Range(_) => None,
                };
                let members = keys.iter().filter_map(name).collect();
                (keys, Request::Pick { space, epoch, members, form })
            }
        };
        for key in &keys {
            if let Some(item) = self.items.get_mut(key) {
                item.asked = Some(token);
            }
        }
        self.under_way.insert(token, UnderWay { peer: peer.clone(), form, keys, since_ms: now.steady_ms });
        Some(request)
    }

    /// A request has ended, with an answer or without: what it was about.
    pub(super) fn ended(&mut self, token: Token, is_answered: bool, now: Now) -> Option<Fetched> {
        let under_way = self.under_way.remove(&token)?;
        let is_quick = is_answered && now.steady_ms <= under_way.since_ms + QUICK_MS;
        let window = self.windows.entry(under_way.peer.clone()).or_insert(UNDER_WAY_AT_FIRST);
        *window = if is_quick { (*window + 1).min(UNDER_WAY_PER_PEER) } else { UNDER_WAY_AT_FIRST };
        let first = under_way.keys.first()?;
        let (space, Reverse(epoch)) = (first.0, first.1);
        for key in &under_way.keys {
            if let Some(item) = self.items.get_mut(key)
                && item.asked == Some(token)
            {
                item.asked = None;
            }
        }
        Some(Fetched { peer: under_way.peer, space, epoch, form: under_way.form, keys: under_way.keys })
    }

    /// No answer, or one that does not fit: this peer is not asked for that again.
    pub(super) fn failed(&mut self, fetched: &Fetched) {
        fetched.keys.iter().for_each(|key| self.remove_provider(key, &fetched.peer));
    }

    /// The peer has no time now.
    pub(super) fn busy(&mut self, fetched: &Fetched, now: Now) {
        let pause = self.paused.entry(fetched.peer.clone()).or_default();
        if pause.until_ms > now.steady_ms {
            return;
        }
        pause.until_ms = now.steady_ms + (BUSY_PAUSE_MS << pause.times);
        pause.times += 1;
        if pause.times > BUSY_MAX {
            self.forget_peer(&fetched.peer);
        }
    }

    /// A part of a range has come; `next` is where it goes on. False if the answer makes no sense.
    pub(super) fn range_came(&mut self, fetched: &Fetched, next: Option<EpochKey>, is_fruitful: bool) -> bool {
        self.paused.remove(&fetched.peer);
        let Some(key) = fetched.range() else { return false };
        let Place::Range(lower) = key.2 else { return false };
        let Some(next) = next else {
            self.remove(&key);
            return true;
        };
        let Some(item) = self.items.get(&key) else { return true };
        let fruitless = if is_fruitful { 0 } else { item.fruitless + 1 };
        if next <= lower || next >= item.upper || fruitless > FRUITLESS_MAX {
            return false;
        }
        let Some(item) = self.items.remove(&key) else { return true };
        let place = (key.0, key.1, Place::Range(next));
        let providers = item.providers.clone();
        if self.items.insert(place, Item { fruitless, ..item }).is_some() {
            // Another item began there: its peers bring the rest.
            providers.iter().for_each(|provider| Self::forget_provider(&mut self.waiting, provider, key.0));
        }
        true
    }

    /// The first `answered` of the asked events have come or can't be given.
    pub(super) fn picks_came(&mut self, fetched: &Fetched, answered: usize, mut outcome: impl FnMut(Short) -> Outcome) {
        self.paused.remove(&fetched.peer);
        for key in fetched.keys.iter().take(answered) {
            let Place::Pick(short) = key.2 else { continue };
            match outcome(short) {
                Outcome::Here => drop(self.remove(key)),
                Outcome::Words => {
                    if let Some(item) = self.items.get_mut(key) {
                        item.form = Form::Whole;
                    }
                }
                Outcome::Absent => self.remove_provider(key, &fetched.peer),
            }
        }
        if answered == 0 {
            self.failed(fetched);
        }
    }

    /// Of an event in a fetched range the header has come, and its words are wanted.
    pub(super) fn wants_words(&mut self, fetched: &Fetched, short: Short) {
        self.add_picks(&fetched.peer, fetched.space, fetched.epoch, &[short], Form::Whole);
    }

    /// An event is here, however it came.
    pub(super) fn found(&mut self, space: SpaceId, epoch: Epoch, short: Short) {
        if !self.items.is_empty() {
            self.remove(&(space, Reverse(epoch), Place::Pick(short)));
        }
    }

    /// The peer has gone.
    pub(super) fn forget_peer(&mut self, peer: &Peer) {
        let keys: Vec<Key> =
            self.items.iter().filter(|(_, item)| item.providers.contains(peer)).map(|(key, _)| *key).collect();
        keys.iter().for_each(|key| self.remove_provider(key, peer));
        self.paused.remove(peer);
        self.windows.remove(peer);
        self.under_way.retain(|_, under_way| under_way.peer != *peer);
        let under_way = &self.under_way;
        for item in
            self.items.values_mut().filter(|item| item.asked.is_some_and(|token| !under_way.contains_key(&token)))
        {
            item.asked = None;
        }
    }

    /// The space is not followed any more.
    pub(super) fn forget_space(&mut self, space: SpaceId) {
        let keys: Vec<Key> = self.items.keys().filter(|key| key.0 == space).copied().collect();
        keys.iter().for_each(|key| drop(self.remove(key)));
    }

    /// Frees what a slow peer owes, where another one has it.
    pub(super) fn tick(&mut self, now: Now) {
        let is_slow = |under_way: &UnderWay| under_way.since_ms + PATIENCE_MS <= now.steady_ms;
        let slow: Vec<(Peer, Vec<Key>)> = self
            .under_way
            .values()
            .filter(|under_way| is_slow(under_way))
            .map(|under_way| (under_way.peer.clone(), under_way.keys.clone()))
            .collect();
        for (peer, keys) in slow {
            for key in keys {
                let Some(item) = self.items.get_mut(&key).filter(|item| item.providers.len() > 1) else { continue };
                item.asked = None;
                self.remove_provider(&key, &peer);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: SpaceId = SpaceId([1; 32]);
    const WHOLE: (EpochKey, EpochKey) = (EpochKey::FIRST, EpochKey::END);

    fn peer(name: &str) -> Peer {
        Peer::new(name)
    }

    fn at(steady_ms: u64) -> Now {
        Now { wall_ms: 0, steady_ms }
    }

    #[test]
    fn an_event_is_asked_from_one_peer_at_a_time_and_then_from_the_other() {
        let mut fetches = Fetches::default();
        fetches.add_picks(&peer("a"), SPACE, 7, &[1, 2], Form::Whole);
        fetches.add_picks(&peer("b"), SPACE, 7, &[2, 3], Form::Whole);
        let members = |request: Option<Request>| match request {
            Some(Request::Pick { members, .. }) => members.into_iter().map(u64::from_be_bytes).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        assert_eq!(members(fetches.ask(&peer("a"), 1, at(0))), [1, 2]);
        assert_eq!(members(fetches.ask(&peer("b"), 2, at(0))), [3]);
        let fetched = fetches.ended(1, true, at(0)).unwrap();
        fetches.picks_came(&fetched, 2, |short| if short == 1 { Outcome::Here } else { Outcome::Absent });
        assert_eq!(members(fetches.ask(&peer("b"), 3, at(0))), [2]);
        assert!(!fetches.is_waiting(&peer("a"), SPACE) && fetches.is_waiting(&peer("b"), SPACE));
    }

    #[test]
    fn the_newest_epoch_goes_first() {
        let mut fetches = Fetches::default();
        for epoch in [3, 9, 5] {
            fetches.add_range(&peer("a"), SPACE, epoch, WHOLE, Form::Whole);
        }
        let epochs = (0..3).map(|token| match fetches.ask(&peer("a"), token, at(0)) {
            Some(Request::Range { epoch, .. }) => epoch,
            _ => 0,
        });
        assert_eq!(epochs.collect::<Vec<_>>(), [9, 5, 3]);
    }

    #[test]
    fn a_range_goes_on_where_it_ended_and_an_answer_that_does_not_move_is_refused() {
        let mut fetches = Fetches::default();
        fetches.add_range(&peer("a"), SPACE, 3, WHOLE, Form::Whole);
        let place = |offset_ms| EpochKey { offset_ms, ..EpochKey::FIRST };
        assert!(fetches.ask(&peer("a"), 1, at(0)).is_some());
        let fetched = fetches.ended(1, true, at(0)).unwrap();
        assert!(fetches.range_came(&fetched, Some(place(10)), true));
        assert!(fetches.ask(&peer("a"), 2, at(0)).is_some());
        let fetched = fetches.ended(2, true, at(0)).unwrap();
        assert!(!fetches.range_came(&fetched, Some(place(10)), true));
        assert!(fetches.range_came(&fetched, None, false));
        assert_eq!((fetches.len(), fetches.is_waiting(&peer("a"), SPACE)), (0, false));
    }

    #[test]
    fn a_peer_is_asked_for_more_at_once_as_long_as_it_answers_quickly() {
        let mut fetches = Fetches::default();
        (0..100).for_each(|epoch| fetches.add_range(&peer("a"), SPACE, epoch, WHOLE, Form::Whole));
        let mut tokens = 0..;
        let mut fill = |fetches: &mut Fetches, now_ms| {
            while fetches.has_room(&peer("a"), at(now_ms)) {
                assert!(fetches.ask(&peer("a"), tokens.next().unwrap(), at(now_ms)).is_some());
            }
            fetches.under_way.len()
        };
        assert_eq!(fill(&mut fetches, 0), UNDER_WAY_AT_FIRST);
        for token in 0..10 {
            let fetched = fetches.ended(token, true, at(QUICK_MS)).unwrap();
            assert!(fetches.range_came(&fetched, None, true));
            fill(&mut fetches, QUICK_MS);
        }
        assert_eq!(fill(&mut fetches, QUICK_MS), UNDER_WAY_PER_PEER);
        assert!(fetches.ended(10, true, at(3 * QUICK_MS)).is_some());
        assert!(!fetches.has_room(&peer("a"), at(3 * QUICK_MS)));
        (11..14).for_each(|token| drop(fetches.ended(token, false, at(QUICK_MS))));
        assert_eq!(fill(&mut fetches, 3 * QUICK_MS), UNDER_WAY_AT_FIRST);
    }

    #[test]
    fn what_a_slow_peer_owes_goes_to_another() {
        let mut fetches = Fetches::default();
        fetches.add_picks(&peer("a"), SPACE, 7, &[1], Form::Whole);
        fetches.add_picks(&peer("b"), SPACE, 7, &[1], Form::Whole);
        assert!(fetches.ask(&peer("a"), 1, at(0)).is_some());
        fetches.tick(at(PATIENCE_MS - 1));
        assert!(fetches.ask(&peer("b"), 2, at(0)).is_none());
        fetches.tick(at(PATIENCE_MS));
        assert!(fetches.ask(&peer("b"), 2, at(0)).is_some());
    }

    #[test]
    fn a_peer_that_never_has_time_for_what_it_promised_is_asked_less_and_less_and_then_no_more() {
        let mut fetches = Fetches::default();
        fetches.add_range(&peer("a"), SPACE, 3, WHOLE, Form::Whole);
        fetches.add_range(&peer("a"), SPACE, 4, WHOLE, Form::Whole);
        let mut asked = 0;
        for now_ms in (0..600_000).step_by(100) {
            while fetches.has_room(&peer("a"), at(now_ms))
                && let Some(_) = fetches.ask(&peer("a"), asked, at(now_ms))
            {
                if let Some(fetched) = fetches.ended(asked, true, at(0)) {
                    fetches.busy(&fetched, at(now_ms));
                }
                asked += 1;
            }
        }
        assert_eq!((asked, fetches.len()), (u64::from(BUSY_MAX) + 1, 0));
    }

    #[test]
    fn a_peer_that_leaves_takes_along_what_only_it_had() {
        let mut fetches = Fetches::default();
        fetches.add_picks(&peer("a"), SPACE, 7, &[1, 2], Form::Whole);
        fetches.add_picks(&peer("b"), SPACE, 7, &[2], Form::Whole);
        assert!(fetches.ask(&peer("a"), 1, at(0)).is_some());
        fetches.forget_peer(&peer("a"));
        assert_eq!(fetches.len(), 1);
        assert!(fetches.ask(&peer("b"), 2, at(0)).is_some());
        assert!(fetches.ended(1, true, at(0)).is_none());
    }
}
