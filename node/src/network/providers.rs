//! What this node keeps for the DHT: who follows what, for a day, within bounds. No values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

use super::reach::{Reach, reach, split};

/// All rows: at 1 KiB each at most, 8 MiB.
const ROWS_MAX: usize = 8192;
/// Rows under one key. More can't be told in one answer.
const ROWS_PER_KEY_MAX: usize = 20;
/// Rows of one peer: 256 boards with four keys, of which a small network's nodes hold all.
const ROWS_PER_PEER_MAX: usize = 1024;
/// Rows of this node itself: twice as many, near midnight.
const OWN_ROWS_MAX: usize = 2 * ROWS_PER_PEER_MAX;
/// Addresses in a row.
const ADDRESSES_MAX: usize = 8;

/// Who follows what. Rows under a full key are chosen by a secret of this node, so that neither the first nor who has
/// made itself a fitting name pushes the others out.
#[derive(Debug)]
pub(super) struct Providers {
    local: PeerId,
    secret: [u8; 32],
    /// Whether addresses of this machine are of use: the network is all on it.
    is_machine: bool,
    rows: BTreeMap<RecordKeyBytes, BTreeMap<PeerId, ProviderRecord>>,
    per_peer: BTreeMap<PeerId, usize>,
    own: BTreeMap<RecordKeyBytes, ProviderRecord>,
}

type RecordKeyBytes = Vec<u8>;

impl Providers {
    pub(super) fn new(local: PeerId, secret: [u8; 32], is_machine: bool) -> Self {
        Self { local, secret, is_machine, rows: BTreeMap::new(), per_peer: BTreeMap::new(), own: BTreeMap::new() }
    }

    /// How many rows are kept for others.
    pub(super) fn len(&self) -> usize {
        self.per_peer.values().sum()
    }

    /// Forgets what has expired.
    pub(super) fn tidy(&mut self, now: Instant) {
        let old: Vec<_> = self
            .rows
            .iter()
            .flat_map(|(key, rows)| {
                rows.values().filter(|row| row.is_expired(now)).map(|row| (key.clone(), row.provider))
            })
            .collect();
        old.iter().for_each(|(key, peer)| self.remove_row(key, peer));
    }

    fn remove_row(&mut self, key: &RecordKeyBytes, peer: &PeerId) {
        let Some(rows) = self.rows.get_mut(key) else { return };
        if rows.remove(peer).is_none() {
            return;
        }
        if rows.is_empty() {
            self.rows.remove(key);
        }
        if let Some(count) = self.per_peer.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                self.per_peer.remove(peer);
            }
        }
    }

    fn mark(&self, key: &[u8], peer: &PeerId) -> [u8; 32] {
        *blake3::keyed_hash(&self.secret, &[key, &peer.to_bytes()].concat()).as_bytes()
    }
}

impl RecordStore for Providers {
    type RecordsIter<'a> = std::iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = std::iter::Map<
        std::collections::btree_map::Values<'a, RecordKeyBytes, ProviderRecord>,
        fn(&'a ProviderRecord) -> Cow<'a, ProviderRecord>,
    >;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        std::iter::empty()
    }

    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        let key = record.key.to_vec();
        if record.provider == self.local {
            if self.own.len() >= OWN_ROWS_MAX && !self.own.contains_key(&key) {
                return Err(Error::MaxProvidedKeys);
            }
            self.own.insert(key, record);
            return Ok(());
        }
        let is_fit = |address: &libp2p::Multiaddr| match reach(&split(address.clone()).0) {
            Some(Reach::World) => true,
            Some(Reach::Machine) => self.is_machine,
            _ => false,
        };
        record.addresses.retain(is_fit);
        record.addresses.truncate(ADDRESSES_MAX);
        // Who has no address that others can dial is of no use to them.
        if record.addresses.is_empty() {
            return Err(Error::ValueTooLarge);
        }
        let peer = record.provider;
        if let Some(known) = self.rows.get_mut(&key).and_then(|rows| rows.get_mut(&peer)) {
            *known = record;
            return Ok(());
        }
        if self.len() >= ROWS_MAX || self.per_peer.get(&peer).is_some_and(|count| *count >= ROWS_PER_PEER_MAX) {
            return Err(Error::MaxProvidedKeys);
        }
        if let Some(rows) = self.rows.get(&key).filter(|rows| rows.len() >= ROWS_PER_KEY_MAX) {
            let highest = rows.keys().map(|peer| (self.mark(&key, peer), *peer)).max();
            match highest {
                Some((mark, highest)) if self.mark(&key, &peer) < mark => self.remove_row(&key, &highest),
                _ => return Err(Error::MaxProvidedKeys),
            }
        }
        self.rows.entry(key).or_default().insert(peer, record);
        *self.per_peer.entry(peer).or_default() += 1;
        Ok(())
    }

    /// Those of others: this node's own row is with others, and the library would add every address it listens on to it.
    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.rows.get(&key.to_vec()).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.own.values().map(Cow::Borrowed)
    }

    fn remove_provider(&mut self, key: &RecordKey, peer: &PeerId) {
        let key = key.to_vec();
        if *peer == self.local {
            self.own.remove(&key);
        } else {
            self.remove_row(&key, peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(key: u32, peer: PeerId, address: &str) -> ProviderRecord {
        ProviderRecord {
            key: RecordKey::new(&key.to_le_bytes()),
            provider: peer,
            expires: Some(Instant::now() + Duration::from_secs(60)),
            addresses: vec![address.parse().expect("a multiaddr")],
        }
    }

    const FAR: &str = "/ip4/198.51.100.1/tcp/1";

    fn store() -> Providers {
        Providers::new(PeerId::random(), [1; 32], false)
    }

    #[test]
    fn rows_are_bounded_for_each_key_for_each_peer_and_in_all() {
        let (mut store, peer) = (store(), PeerId::random());
        for key in 0..5000 {
            let _ = store.add_provider(record(key, peer, FAR));
        }
        assert_eq!(store.len(), ROWS_PER_PEER_MAX);
        for _ in 0..500 {
            let _ = store.add_provider(record(7, PeerId::random(), FAR));
        }
        assert_eq!(store.providers(&RecordKey::new(&7_u32.to_le_bytes())).len(), ROWS_PER_KEY_MAX);
        for key in 0..20_000 {
            let _ = store.add_provider(record(key, PeerId::random(), FAR));
        }
        assert_eq!(store.len(), ROWS_MAX);
        store.tidy(Instant::now() + Duration::from_secs(61));
        assert_eq!((store.len(), store.rows.len()), (0, 0));
    }

    #[test]
    fn neither_values_nor_near_addresses_are_kept() {
        let mut store = store();
        assert!(store.put(Record::new(b"key".to_vec(), vec![1])).is_err());
        for near in ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1"] {
            assert!(store.add_provider(record(1, PeerId::random(), near)).is_err());
        }
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn own_rows_are_not_told_by_this_node() {
        let mut store = store();
        store.add_provider(record(1, store.local, FAR)).expect("room");
        assert_eq!(store.provided().count(), 1);
        assert!(store.providers(&RecordKey::new(&1_u32.to_le_bytes())).is_empty());
    }
}
