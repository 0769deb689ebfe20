//! Peers tell each other of peers: whom to ask and when, what to believe, and what to tell whom.
//!
//! Pure; time and choice come from outside. Each side gives its own signed record and a few of peers that it knows to be
//! there. What one peer can tell is rationed, and so is what all of them can: a liar fills its ration.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;

use super::reach::{Reach, group};
use super::records::{OTHERS_MAX, Record, is_current};

/// Records that are kept to be told: one or two of each peer that has been connected.
const RECORDS_KEPT_MAX: usize = 512;
/// Peers whose rations are remembered, also while they are gone.
const SOURCES_MAX: usize = 512;
/// Records of others that one peer can tell at once: two answers.
const TOLD_BURST: u32 = 16;
/// In how many milliseconds it may tell another one.
const TOLD_EACH_MS: u64 = 60_000;
/// Records that all peers together can tell at once: a fresh node's first minute.
const TOLD_BY_ALL_BURST: u32 = 256;
/// In how many milliseconds they may tell another one.
const TOLD_BY_ALL_EACH_MS: u64 = 1_000;
/// Questions of one peer that are answered at once.
const QUESTIONS_BURST: u32 = 6;
/// In how many milliseconds another one is.
const QUESTIONS_EACH_MS: u64 = 60_000;
/// A node with too few peers asks the same peer again after so long; then after twice as long, and so on.
const AGAIN_MIN_MS: u64 = 20_000;
/// The longest pause while there are too few peers.
const AGAIN_MAX_MS: u64 = 600_000;
/// How often a peer is asked otherwise: its own record has to stay current.
const REFRESH_MS: u64 = 24 * 3600 * 1000;
/// Peers asked in one turn.
const ASKED_PER_TURN: usize = 4;

/// A ration: so many at once, and then one in a certain time.
#[derive(Debug, Clone, Copy)]
struct Ration {
    burst: u32,
    each_ms: u64,
    left: u32,
    since_ms: u64,
}

impl Ration {
    fn new(burst: u32, each_ms: u64, now_ms: u64) -> Self {
        Self { burst, each_ms, left: burst, since_ms: now_ms }
    }

    fn take(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.since_ms) / self.each_ms;
        if earned > 0 {
            self.left = self.left.saturating_add(u32::try_from(earned).unwrap_or(u32::MAX)).min(self.burst);
            self.since_ms = self.since_ms.saturating_add(earned.saturating_mul(self.each_ms));
        }
        // A clock that was set back earns nothing until it has caught up, but not for longer than a burst takes.
        self.since_ms = self.since_ms.min(now_ms.saturating_add(self.each_ms));
        let has_one = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_one
    }
}

#[derive(Debug)]
struct Source {
    told: Ration,
    questions: Ration,
    asked: u32,
    asked_ms: u64,
    last_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Exchange {
    /// By peer, and by whether the world may know it.
    records: BTreeMap<(PeerId, bool), Record>,
    sources: BTreeMap<PeerId, Source>,
    told_by_all: Ration,
}

impl Exchange {
    pub(super) fn new(now_ms: u64) -> Self {
        let told_by_all = Ration::new(TOLD_BY_ALL_BURST, TOLD_BY_ALL_EACH_MS, now_ms);
        Self { records: BTreeMap::new(), sources: BTreeMap::new(), told_by_all }
    }

    fn source(&mut self, peer: PeerId, now_ms: u64) -> &mut Source {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&peer) {
            let oldest = self.sources.iter().min_by_key(|(_, source)| source.last_ms).map(|(peer, _)| *peer);
            oldest.and_then(|peer| self.sources.remove(&peer));
        }
        let source = self.sources.entry(peer).or_insert_with(|| Source {
            told: Ration::new(TOLD_BURST, TOLD_EACH_MS, now_ms),
            questions: Ration::new(QUESTIONS_BURST, QUESTIONS_EACH_MS, now_ms),
            asked: 0,
            asked_ms: 0,
            last_ms: 0,
        });
        source.last_ms = now_ms;
        source
    }

    /// Of the peers that are up, those to ask now. They count as asked.
    pub(super) fn due<'a>(
        &mut self,
        up: impl Iterator<Item = &'a PeerId>,
        are_too_few: bool,
        now_ms: u64,
    ) -> Vec<PeerId> {
        let is_due = |peer: &PeerId| {
            let Some(source) = self.sources.get(peer).filter(|source| source.asked > 0) else { return true };
            let again_ms = AGAIN_MIN_MS.saturating_mul(1 << (source.asked - 1).min(16)).min(AGAIN_MAX_MS);
            let pause_ms = if are_too_few { again_ms } else { REFRESH_MS };
            now_ms >= source.asked_ms.saturating_add(pause_ms) || now_ms < source.asked_ms
        };
        let due: Vec<_> = up.filter(|peer| is_due(peer)).take(ASKED_PER_TURN).copied().collect();
        for peer in &due {
            let source = self.source(*peer, now_ms);
            source.asked = source.asked.saturating_add(1);
            source.asked_ms = now_ms;
        }
        due
    }

    /// A peer has connected anew: it is asked anew, as if for the second time, so that one that comes and goes is not asked
    /// each time.
    pub(super) fn came(&mut self, peer: PeerId, now_ms: u64) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.asked = source.asked.min(1);
            source.last_ms = now_ms;
        }
    }

    /// Whether a peer's question is answered.
    pub(super) fn answers(&mut self, peer: PeerId, now_ms: u64) -> bool {
        self.source(peer, now_ms).questions.take(now_ms)
    }

    /// Whether another record that a peer tells of somebody else is taken.
    pub(super) fn takes(&mut self, from: PeerId, now_ms: u64) -> bool {
        self.source(from, now_ms).told.take(now_ms) && self.told_by_all.take(now_ms)
    }

    /// Keeps what a peer has said of itself.
    pub(super) fn keep(&mut self, record: Record) {
        let place = (record.peer, record.reach == Reach::World);
        if self.records.get(&place).is_some_and(|kept| kept.time_ms > record.time_ms) {
            return;
        }
        self.records.insert(place, record);
        if self.records.len() > RECORDS_KEPT_MAX {
            let oldest = self.records.iter().min_by_key(|(_, record)| record.time_ms).map(|(place, _)| *place);
            oldest.and_then(|place| self.records.remove(&place));
        }
    }

    /// Records to tell a peer that is connected from `standpoint`: of others, each of another group, nothing that is
    /// nearer to this node than the peer itself. `is_there` says whom this node knows to be there; `pick` chooses below a
    /// number.
    pub(super) fn tell(
        &self,
        asker: &PeerId,
        standpoint: Reach,
        now_ms: u64,
        is_there: impl Fn(&Record) -> bool,
        mut pick: impl FnMut(usize) -> usize,
    ) -> Vec<Vec<u8>> {
        let is_fit = |record: &&Record| {
            record.peer != *asker
                && record.reach >= standpoint
                && is_current(record.time_ms, now_ms)
                && is_there(record)
        };
        let mut fit: Vec<_> = self.records.values().filter(is_fit).collect();
        let (mut told, mut groups) = (Vec::new(), BTreeSet::new());
        while told.len() < OTHERS_MAX && !fit.is_empty() {
            let record = fit.swap_remove(pick(fit.len()).min(fit.len() - 1));
            if record.addresses.iter().find_map(group).is_none_or(|group| groups.insert(group)) {
                told.push(record.bytes.clone());
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::super::records::{LASTS_MS, sign, verify};
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn record(places: &[&str], time_ms: u64) -> Record {
        let places: Vec<_> = places.iter().map(|text| text.parse().expect("a multiaddr")).collect();
        let bytes = sign(&Keypair::generate_ed25519(), &places, time_ms).expect("a record");
        verify(&bytes, time_ms).expect("a good record")
    }

    fn told(exchange: &Exchange, standpoint: Reach, now_ms: u64) -> Vec<Record> {
        let told = exchange.tell(&PeerId::random(), standpoint, now_ms, |_| true, |_| 0);
        told.iter().map(|bytes| verify(bytes, now_ms).expect("a good record")).collect()
    }

    #[test]
    fn what_is_near_is_never_told_to_who_is_farther_away() {
        let mut exchange = Exchange::new(NOW);
        for places in [
            &["/ip4/198.51.100.1/tcp/1"][..],
            &["/ip4/198.52.100.1/tcp/1", "/ip4/10.0.0.2/tcp/1"],
            &["/ip4/10.0.0.3/tcp/1"],
            &["/ip4/127.0.0.1/tcp/1", "/ip4/198.53.0.1/tcp/1"],
            &["/ip6/fd00::1/udp/1/quic-v1"],
        ] {
            exchange.keep(record(places, NOW));
        }
        for (standpoint, expected) in [(Reach::World, 1), (Reach::Site, 4), (Reach::Machine, 5)] {
            let told = told(&exchange, standpoint, NOW);
            assert_eq!(told.len(), expected, "{standpoint:?}");
            assert!(told.iter().all(|record| record.reach >= standpoint));
        }
    }

    #[test]
    fn a_few_records_of_different_groups_are_told() {
        let mut exchange = Exchange::new(NOW);
        for number in 0..200 {
            exchange.keep(record(&[&format!("/ip4/198.{}.100.{number}/tcp/1", number % 5 + 1)], NOW));
        }
        assert_eq!(told(&exchange, Reach::World, NOW).len(), 5);
        for number in 0..200 {
            exchange.keep(record(&[&format!("/ip4/198.{number}.100.1/tcp/1")], NOW));
        }
        assert_eq!(told(&exchange, Reach::World, NOW).len(), OTHERS_MAX);
        assert!(told(&exchange, Reach::World, NOW + LASTS_MS + 1).is_empty());
        for number in 0..2000 {
            exchange.keep(record(&[&format!("/ip4/20.{}.{}.1/tcp/1", number / 250, number % 250)], NOW + number));
        }
        assert_eq!(exchange.records.len(), RECORDS_KEPT_MAX);
    }

    #[test]
    fn only_who_is_there_is_told_of_and_nobody_hears_of_himself() {
        let mut exchange = Exchange::new(NOW);
        let record = record(&["/ip4/198.51.100.1/tcp/1"], NOW);
        exchange.keep(record.clone());
        assert!(exchange.tell(&record.peer, Reach::Machine, NOW, |_| true, |_| 0).is_empty());
        assert!(exchange.tell(&PeerId::random(), Reach::Machine, NOW, |_| false, |_| 0).is_empty());
        let older = Record { time_ms: NOW - 1, bytes: Vec::new(), ..record.clone() };
        exchange.keep(older);
        assert_eq!(told(&exchange, Reach::World, NOW), [record]);
    }

    #[test]
    fn what_peers_can_tell_is_rationed_for_each_and_for_all() {
        let mut exchange = Exchange::new(NOW);
        let liar = PeerId::random();
        let taken =
            |exchange: &mut Exchange, peer, now_ms| (0..10_000).filter(|_| exchange.takes(peer, now_ms)).count();
        assert_eq!(taken(&mut exchange, liar, NOW), TOLD_BURST as usize);
        assert_eq!(taken(&mut exchange, liar, NOW + 10 * TOLD_EACH_MS), 10);
        let all: usize = (0..100).map(|_| taken(&mut exchange, PeerId::random(), NOW + 10 * TOLD_EACH_MS)).sum();
        assert!(all <= TOLD_BY_ALL_BURST as usize, "{all}");
        for _ in 0..2000 {
            exchange.takes(PeerId::random(), NOW);
        }
        assert!(exchange.sources.len() <= SOURCES_MAX);
    }

    #[test]
    fn questions_are_rationed() {
        let (mut exchange, peer) = (Exchange::new(NOW), PeerId::random());
        let answered = (0..100).filter(|_| exchange.answers(peer, NOW)).count();
        assert_eq!(answered, QUESTIONS_BURST as usize);
        assert!(exchange.answers(peer, NOW + QUESTIONS_EACH_MS));
    }

    #[test]
    fn a_lonely_node_asks_again_and_others_once_a_day() {
        let (mut exchange, peer) = (Exchange::new(NOW), PeerId::random());
        let mut asked = Vec::new();
        for second in 0..3600 {
            if !exchange.due([&peer].into_iter(), true, NOW + second * 1000).is_empty() {
                asked.push(second);
            }
        }
        assert_eq!(asked, [0, 20, 60, 140, 300, 620, 1220, 1820, 2420, 3020]);
        let (mut exchange, mut times) = (Exchange::new(NOW), 0);
        for minute in 0..3 * 24 * 60 {
            times += exchange.due([&peer].into_iter(), false, NOW + minute * 60_000).len();
        }
        assert_eq!(times, 3);
    }
}
