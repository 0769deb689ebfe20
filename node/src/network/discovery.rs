//! The DHT: finding others who follow the same boards. One source of peers among several, and only that.
//!
//! Kademlia under this network's own name, with provider records alone. Into the routing table come only peers that this
//! node has dialled with success, and of one network few in each bucket; lookups go disjoint ways. What is found is hearsay:
//! it goes to the address book as such. The scheduler is pure: it says which lookups to make, few at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use libp2p::kad::{self, BucketInserts, Caching, QueryId, RecordKey, StoreInserts};
use libp2p::{Multiaddr, PeerId};
use roda_protocol::gossip::author_topics;
use roda_protocol::id::NetworkId;
use roda_protocol::rendezvous::{KEYS_PER_DAY, days, key};

use super::behaviour::Names;
use super::providers::Providers;
use super::reach::{host, net_of};

/// Kademlia with our bounds.
pub(super) type Kademlia = kad::Behaviour<Providers>;

/// How long a lookup may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it is known that somebody follows a board.
const FOLLOWING_LASTS: Duration = Duration::from_secs(24 * 3600);
/// How often the routing table is looked after. The library's 5 min made peaks of load in large networks.
const UPKEEP: Duration = Duration::from_secs(30 * 60);
/// Peers of one network (/24, /48) in a bucket of the routing table.
const PER_NET_AND_BUCKET_MAX: usize = 2;
/// Lookups at once.
const QUERIES_MAX: usize = 2;
/// With so many followers connected a board isn't looked up.
pub(super) const FOLLOWERS_ENOUGH: usize = 3;
/// The first pause between two rounds of lookups of a board; it doubles.
const ROUND_MIN_MS: u64 = 15_000;
/// The longest.
const ROUND_MAX_MS: u64 = 600_000;
/// Pauses between the times that this node says that it follows a board: soon again, while the network is being found,
/// and then a quarter of the time that it lasts.
const TELL_MS: [u64; 4] = [60_000, 300_000, 1_800_000, 6 * 3600 * 1000];
/// Boards that are looked up.
const BOARDS_MAX: usize = 256;

/// Makes the behaviour. It answers nobody until this node knows that it can be reached.
pub(super) fn behaviour(local: PeerId, names: &Names, secret: [u8; 32], is_machine: bool) -> Kademlia {
    let mut config = kad::Config::new(names.dht.clone());
    config
        .set_query_timeout(QUERY_TIMEOUT)
        .disjoint_query_paths(true)
        .set_record_filtering(StoreInserts::FilterBoth)
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_caching(Caching::Disabled)
        .set_replication_interval(None)
        .set_publication_interval(None)
        // This node says by itself again what it follows.
        .set_provider_publication_interval(None)
        .set_provider_record_ttl(Some(FOLLOWING_LASTS))
        .set_periodic_bootstrap_interval(Some(UPKEEP));
    let mut dht = Kademlia::with_config(local, Providers::new(local, secret, is_machine), config);
    dht.set_mode(Some(kad::Mode::Client));
    dht
}

/// Takes a peer into the routing table that this node has dialled at this address.
pub(super) fn route_through(dht: &mut Kademlia, peer: PeerId, address: Multiaddr) {
    let net = host(&address).and_then(net_of);
    if let (Some(net), Some(bucket)) = (net, dht.kbucket(peer)) {
        let of_net = |address: &Multiaddr| host(address).and_then(net_of) == Some(net);
        let others = bucket.iter().filter(|entry| *entry.node.key.preimage() != peer);
        if others.filter(|entry| entry.node.value.iter().any(of_net)).count() >= PER_NET_AND_BUCKET_MAX {
            return;
        }
    }
    dht.add_address(&peer, address);
}

/// How many peers lookups start from.
pub(super) fn routing_peers(dht: &mut Kademlia) -> usize {
    dht.kbuckets().map(|bucket| bucket.num_entries()).sum()
}

/// A lookup to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Say that this node follows the board with this key.
    Tell(RecordKey),
    /// Ask who follows it.
    Find(RecordKey, String),
}

#[derive(Debug, Default)]
struct Board {
    rounds: u32,
    next_find_ms: u64,
    told: usize,
    next_tell_ms: u64,
    /// The newest day for which was told.
    day: u64,
}

/// Which lookups to make, and when.
#[derive(Debug)]
pub(super) struct Discovery {
    network: NetworkId,
    seed: [u8; 32],
    author_topics: Vec<String>,
    boards: BTreeMap<String, Board>,
    waiting: VecDeque<Lookup>,
    /// The board of each lookup that asks for one, and when it began.
    running: Vec<(QueryId, Option<String>, u64)>,
}

impl Discovery {
    pub(super) fn new(network: NetworkId, seed: [u8; 32]) -> Self {
        Self {
            network,
            seed,
            author_topics: author_topics(&network),
            boards: BTreeMap::new(),
            waiting: VecDeque::new(),
            running: Vec::new(),
        }
    }

    /// This node follows a topic. Those of authors are everybody's, and nobody is looked for there.
    pub(super) fn follow(&mut self, topic: &str) {
        if self.boards.len() < BOARDS_MAX && !self.author_topics.iter().any(|other| other == topic) {
            self.boards.entry(topic.to_owned()).or_default();
        }
    }

    /// This node follows it no longer.
    pub(super) fn unfollow(&mut self, topic: &str) {
        self.boards.remove(topic);
        self.waiting.retain(|lookup| !matches!(lookup, Lookup::Find(_, board) if board == topic));
    }

    /// The next lookup, if it is time for one. `followers` counts those of a topic that are connected.
    pub(super) fn next(&mut self, followers: impl Fn(&str) -> usize, now_ms: u64) -> Option<Lookup> {
        // The library ends each in time and says so; one that it forgot must not stand in the way for ever.
        let lasts_ms = 3 * QUERY_TIMEOUT.as_secs() * 1000;
        self.running.retain(|(_, _, since_ms)| now_ms.saturating_sub(*since_ms) < lasts_ms);
        if self.running.len() >= QUERIES_MAX {
            return None;
        }
        if self.waiting.is_empty() {
            self.fill(followers, now_ms);
        }
        self.waiting.pop_front()
    }

    /// A lookup has begun.
    pub(super) fn begun(&mut self, query: QueryId, lookup: Lookup, now_ms: u64) {
        let topic = match lookup {
            Lookup::Tell(_) => None,
            Lookup::Find(_, topic) => Some(topic),
        };
        self.running.push((query, topic, now_ms));
    }

    /// The board that a lookup is about, while it is still followed.
    pub(super) fn board_of(&self, query: &QueryId) -> Option<&str> {
        let (_, topic, _) = self.running.iter().find(|(other, ..)| other == query)?;
        topic.as_deref().filter(|topic| self.boards.contains_key(*topic))
    }

    /// A lookup has ended.
    pub(super) fn ended(&mut self, query: &QueryId) {
        self.running.retain(|(other, ..)| other != query);
    }

    /// Lets the lookups of one board wait: the one that has waited longest.
    fn fill(&mut self, followers: impl Fn(&str) -> usize, now_ms: u64) {
        let is_due = |board: &Board| board.next_find_ms.min(board.next_tell_ms) <= now_ms;
        let due = self.boards.iter().filter(|(_, board)| is_due(board));
        let longest = due.min_by_key(|(_, board)| board.next_find_ms.min(board.next_tell_ms));
        let Some(topic) = longest.map(|(topic, _)| topic.clone()) else { return };
        let days = days(now_ms);
        let newest = days.iter().copied().max().unwrap_or(0);
        let keys: Vec<_> = days
            .into_iter()
            .flat_map(|day| (0..KEYS_PER_DAY).map(move |number| (day, number)))
            .map(|(day, number)| RecordKey::new(&key(&self.network, &topic, day, number)))
            .collect();
        let seed = self.seed;
        let Some(board) = self.boards.get_mut(&topic) else { return };
        if board.next_tell_ms <= now_ms || board.day != newest {
            let pause_ms = TELL_MS[board.told.min(TELL_MS.len() - 1)];
            board.next_tell_ms = now_ms.saturating_add(jittered(&seed, &topic, now_ms, pause_ms));
            board.told = board.told.saturating_add(1);
            board.day = newest;
            self.waiting.extend(keys.iter().cloned().map(Lookup::Tell));
        }
        if board.next_find_ms <= now_ms {
            let pause_ms = ROUND_MIN_MS.saturating_mul(1 << board.rounds.min(16)).min(ROUND_MAX_MS);
            board.next_find_ms = now_ms.saturating_add(jittered(&seed, &topic, now_ms, pause_ms));
            board.rounds = board.rounds.saturating_add(1);
            if followers(&topic) < FOLLOWERS_ENOUGH {
                self.waiting.extend(keys.into_iter().map(|key| Lookup::Find(key, topic.clone())));
            }
        }
    }
}

/// Three quarters to five quarters of a pause.
fn jittered(seed: &[u8; 32], topic: &str, now_ms: u64, pause_ms: u64) -> u64 {
    let hash = blake3::keyed_hash(seed, &[topic.as_bytes(), &now_ms.to_le_bytes()].concat());
    pause_ms / 256 * (192 + u64::from(hash.as_bytes()[0]) / 2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOON: u64 = 20_000 * 86_400_000 + 43_200_000;

    fn discovery() -> Discovery {
        Discovery::new(NetworkId::of("here"), [1; 32])
    }

    fn all(discovery: &mut Discovery, followers: usize, now_ms: u64) -> Vec<Lookup> {
        std::iter::from_fn(|| discovery.next(|_| followers, now_ms)).collect()
    }

    #[test]
    fn boards_are_told_and_looked_up_and_those_with_followers_only_told() {
        let mut discovery = discovery();
        discovery.follow("/roda/1/board");
        let lookups = all(&mut discovery, 0, NOON);
        let told = lookups.iter().filter(|lookup| matches!(lookup, Lookup::Tell(_))).count();
        assert_eq!((told, lookups.len()), (4, 8));
        assert!(all(&mut discovery, 0, NOON).is_empty());
        let mut discovery = self::discovery();
        discovery.follow("/roda/1/board");
        assert_eq!(all(&mut discovery, FOLLOWERS_ENOUGH, NOON).len(), 4);
    }

    #[test]
    fn topics_of_authors_are_nobodys_meeting_point() {
        let mut discovery = discovery();
        author_topics(&NetworkId::of("here")).iter().for_each(|topic| discovery.follow(topic));
        assert!(all(&mut discovery, 0, NOON).is_empty());
    }

    #[test]
    fn rounds_become_rare_and_a_day_costs_little() {
        let mut discovery = discovery();
        discovery.follow("/roda/1/board");
        let (mut lookups, mut keys) = (Vec::new(), BTreeSet::new());
        for second in 0..24 * 3600 {
            lookups.extend(all(&mut discovery, 0, NOON + second * 1000));
        }
        for lookup in &lookups {
            let (Lookup::Tell(key) | Lookup::Find(key, _)) = lookup;
            keys.insert(key.to_vec());
        }
        assert_eq!(keys.len(), 8, "four keys of each day");
        assert!((500..1000).contains(&lookups.len()), "{}", lookups.len());
    }

    #[test]
    fn few_lookups_run_at_once_and_boards_take_turns() {
        let mut discovery = discovery();
        for number in 0..3 {
            discovery.follow(&format!("/roda/1/{number}"));
        }
        let mut dht = behaviour(PeerId::random(), &Names::new(&[1; 32]), [1; 32], false);
        let mut queries = Vec::new();
        for _ in 0..QUERIES_MAX {
            let lookup = discovery.next(|_| 0, NOON).expect("there is room");
            let query = dht.get_providers(RecordKey::new(&[1]));
            discovery.begun(query, lookup, NOON);
            queries.push(query);
        }
        assert_eq!(discovery.next(|_| 0, NOON), None);
        discovery.ended(&queries[0]);
        assert!(discovery.next(|_| 0, NOON).is_some());
        let found: BTreeSet<_> = all_but(&mut discovery, queries[1])
            .into_iter()
            .filter_map(|lookup| match lookup {
                Lookup::Find(_, topic) => Some(topic),
                Lookup::Tell(_) => None,
            })
            .collect();
        assert_eq!(found.len(), 3);
    }

    fn all_but(discovery: &mut Discovery, query: QueryId) -> Vec<Lookup> {
        discovery.ended(&query);
        all(discovery, 0, NOON)
    }

    #[test]
    fn a_network_takes_few_places_in_a_bucket() {
        let mut dht = behaviour(PeerId::random(), &Names::new(&[1; 32]), [1; 32], false);
        for number in 0..250 {
            let address = format!("/ip4/198.51.100.{number}/tcp/1").parse().expect("a multiaddr");
            route_through(&mut dht, PeerId::random(), address);
        }
        let fullest = dht.kbuckets().map(|bucket| bucket.num_entries()).max();
        assert_eq!(fullest, Some(PER_NET_AND_BUCKET_MAX));
        for number in 0..50 {
            let address = format!("/ip4/127.0.0.1/tcp/{}", number + 1).parse().expect("a multiaddr");
            route_through(&mut dht, PeerId::random(), address);
        }
        assert!(dht.kbuckets().any(|bucket| bucket.num_entries() > PER_NET_AND_BUCKET_MAX));
    }
}
