use super::super::index::{Batch, Direction, ENTRY_NAME_BYTES, Entry, Index, IndexError, Row};
use super::super::journal::{Journal, RecordKind};
use super::super::known::DIGEST_WRITTEN_EVERY;
use super::super::rows::EventRow;
use super::super::samples::{Disks, board, charter, dump, event, network, post_at};
use super::super::{Arrival, LocalRecord, MemoryIndex, MemoryJournal, Presence};
use super::*;
use roda_protocol::event::{Body, Kind, Retract};
use roda_protocol::reconcile::{EPOCH_MS, MemorySets, SetKey};
use std::sync::atomic::{AtomicUsize, Ordering};

const SALT: [u8; 32] = [7; 32];

/// Compares all that can be asked of the sets with what the rows of events say.
fn check(store: &EventStore) {
    let spaces: BTreeMap<Number, SpaceId> =
        store.space_numbers().unwrap().into_iter().map(|(space, number)| (number, space)).collect();
    let mut sets: BTreeMap<SpaceId, (MemorySets, u64)> = BTreeMap::new();
    store
        .each_row(|row| {
            let set = sets.entry(spaces[&row.space]).or_default();
            assert!(set.0.insert((row.created_ms, row.id)));
            set.1 += u64::from(row.presence == Presence::Declined);
            Ok(())
        })
        .unwrap();
    for (space, (set, declined)) in &sets {
        let ours = store.sets(*space);
        assert_eq!(ours.digest(&SALT).unwrap(), (set.len() as u64, set.digest(&SALT)));
        assert_eq!(store.declined(*space).unwrap(), *declined);
        let mut by_epoch: BTreeMap<Epoch, MemorySets> = BTreeMap::new();
        for key in set.iter() {
            assert!(by_epoch.entry(EpochKey::of(&key).0).or_default().insert(key));
        }
        let counts: Vec<(Epoch, u64)> = by_epoch.iter().map(|(epoch, set)| (*epoch, set.len() as u64)).collect();
        assert_eq!(ours.epochs(), counts);
        for (epoch, set) in by_epoch {
            assert_eq!(ours.epoch_digest(epoch, &SALT).unwrap(), set.digest(&SALT));
            let members = ours
                .with_epoch(epoch, |epoch_set| {
                    let all = epoch_set.tree().range(&EpochKey::FIRST, &EpochKey::END);
                    all.map(|key| key.at(epoch)).collect::<Vec<SetKey>>()
                })
                .unwrap();
            assert_eq!(members, set.iter().collect::<Vec<_>>());
        }
    }
    assert_eq!(store.known().total(), sets.values().map(|(set, _)| set.len()).sum::<usize>());
    assert_eq!(store.epochs_of_index().unwrap().0, store.known.all());
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

/// Posts of many times: some epochs have many, most have one.
fn posts(space: SpaceId) -> Vec<Arrival> {
    let crowded = (0..150).map(|number| EPOCH_MS + number / 2);
    let scattered = (0..50).map(|number| (number + 2) * EPOCH_MS);
    let mut times: Vec<u64> = crowded.chain(scattered).collect();
    times.dedup();
    let count = times.len();
    (0..count).map(|at| post_at(space, times[at * 37 % count])).collect()
}

/// Posts of one epoch.
fn crowd(count: u64) -> Vec<Arrival> {
    (0..count).map(|number| post_at(SpaceId([4; 32]), 1 + number * 37 % count)).collect()
}

/// An index that is durable after each commit, and the log with it, so that a crash leaves what was written of a group. It
/// counts the digests that are written.
struct EachDurable(Arc<MemoryIndex>, AtomicUsize, Arc<MemoryJournal>);

impl Index for EachDurable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.0.get(key)
    }

    fn scan(&self, start: &[u8], end: Option<&[u8]>, way: Direction, limit: usize) -> Result<Vec<Row>, IndexError> {
        self.0.scan(start, end, way, limit)
    }

    fn count(&self, start: &[u8], end: Option<&[u8]>, limit: usize) -> Result<usize, IndexError> {
        self.0.count(start, end, limit)
    }

    fn entry_count(&self) -> u32 {
        self.0.entry_count()
    }

    fn entry(&self, number: u32) -> Result<Option<Entry>, IndexError> {
        self.0.entry(number)
    }

    fn entries(&self, from: u32, limit: usize) -> Result<Vec<Entry>, IndexError> {
        self.0.entries(from, limit)
    }

    fn find(&self, name: &[u8; ENTRY_NAME_BYTES]) -> Result<Option<u32>, IndexError> {
        self.0.find(name)
    }

    fn named(
        &self,
        first_bytes: &[u8],
        limit: usize,
        is_meant: &dyn Fn(&Entry) -> bool,
    ) -> Result<Vec<Entry>, IndexError> {
        self.0.named(first_bytes, limit, is_meant)
    }

    fn commit(&self, batch: &Batch) -> Result<(), IndexError> {
        let digests = batch.rows().filter(|(key, _)| key.starts_with(&keys::digests_range().0)).count();
        self.1.fetch_add(digests, Ordering::Relaxed);
        self.2.sync().unwrap();
        self.0.commit(batch)?;
        self.0.flush()
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.0.flush()
    }

    fn disk_bytes(&self) -> Result<u64, IndexError> {
        self.0.disk_bytes()
    }
}

fn open_each_durable(disks: &Disks) -> EventStore {
    let index = Arc::new(EachDurable(Arc::clone(&disks.index), AtomicUsize::new(0), Arc::clone(&disks.journal)));
    EventStore::open(Arc::clone(&disks.journal) as _, index, network()).unwrap().0
}

#[test]
fn a_digest_is_written_once_for_many_events() {
    for group in [1, 64, 50] {
        let disks = Disks::new();
        let index = Arc::new(EachDurable(Arc::clone(&disks.index), AtomicUsize::new(0), Arc::clone(&disks.journal)));
        let (store, _) = EventStore::open(Arc::clone(&disks.journal) as _, Arc::clone(&index) as _, network()).unwrap();
        crowd(400).chunks(group).for_each(|group| store.admit(group).unwrap());
        assert_eq!(index.1.load(Ordering::Relaxed), 400 / DIGEST_WRITTEN_EVERY as usize, "groups of {group}");
        check(&store);
    }
}

#[test]
fn the_rows_are_the_same_however_events_were_grouped() {
    let all: Vec<Arrival> = crowd(150).into_iter().chain(posts(SpaceId([5; 32]))).collect();
    let written = |group: usize| {
        let mut disks = Disks::new();
        let (store, _) = disks.open().unwrap();
        all.chunks(group).for_each(|group| store.admit(group).unwrap());
        let rows = dump(&store);
        drop(store);
        disks.index = Arc::new(MemoryIndex::new());
        let (store, _) = disks.open().unwrap();
        assert_eq!(dump(&store), rows, "groups of {group}");
        check(&store);
        rows
    };
    let rows = written(1);
    assert!([7, 16, 64].iter().all(|group| written(*group) == rows));
}

#[test]
fn whatever_operation_of_the_index_fails_digests_are_those_of_the_events() {
    let posts = crowd(140);
    for nth in 1.. {
        let disks = Disks::new();
        let (store, _) = disks.open().unwrap();
        store.admit(&posts[..118]).unwrap();
        disks.index.fail_nth(nth);
        let has_failed = posts[118..].iter().any(|post| store.admit(std::slice::from_ref(post)).is_err());
        drop(store);
        disks.journal.crash();
        disks.index.crash();
        let (store, _) = disks.open().unwrap();
        check(&store);
        let rest: Vec<Arrival> =
            posts.iter().filter(|post| !store.is_held(&post.event.id()).unwrap()).cloned().collect();
        store.admit(&rest).unwrap();
        check(&store);
        if !has_failed {
            assert!(rest.is_empty());
            assert!(nth > 22 * 4, "every event asks something of the index");
            break;
        }
    }
}

#[test]
fn the_sets_are_those_of_the_events_while_they_grow_and_after_a_restart() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let posts = posts(charter.event.space());
    store.admit(&[charter]).unwrap();
    for group in posts.chunks(30) {
        store.admit(group).unwrap();
        check(&store);
    }
    drop(store);
    let (store, _) = disks.open().unwrap();
    check(&store);
    store.admit(&[post_at(posts[0].event.space(), 3 * EPOCH_MS + 1)]).unwrap();
    check(&store);
}

#[test]
fn whatever_operation_of_the_index_fails_the_sets_are_those_of_the_events_afterwards() {
    let charter = charter();
    let posts = posts(charter.event.space());
    for is_each_durable in [false, true] {
        for nth in 1.. {
            let disks = Disks::new();
            let open = || if is_each_durable { open_each_durable(&disks) } else { disks.open().unwrap().0 };
            let store = open();
            store.admit(std::slice::from_ref(&charter)).unwrap();
            store.admit(&posts[..64]).unwrap();
            disks.index.fail_nth(nth);
            let outcome = store.admit(&posts[64..110]);
            drop(store);
            disks.journal.crash();
            disks.index.crash();
            let store = open();
            check(&store);
            if outcome.is_ok() {
                assert_eq!(store.known().total(), 111);
                assert!(nth > 46, "every event asks something of the index");
                break;
            }
        }
    }
}

#[test]
fn a_group_that_takes_several_batches_is_counted_in_each() {
    let charter = charter();
    let space = charter.event.space();
    let posts: Vec<Arrival> = (0..256).map(|number| post_at(space, number * EPOCH_MS / 2 + 1)).collect();
    let mut targets: Vec<EventId> = posts.iter().map(|post| post.event.id()).collect();
    targets.sort_unstable();
    let retraction = event(space, 9000, vec![], Kind::Retract(Retract { targets }), Body::None);
    for nth in 1.. {
        let disks = Disks::new();
        let store = open_each_durable(&disks);
        // The retraction comes first: its targets are named before they are known.
        store.admit(&[charter.clone(), retraction.clone()]).unwrap();
        disks.index.fail_nth(nth * 40);
        let outcome = store.admit(&posts);
        drop(store);
        disks.journal.crash();
        disks.index.crash();
        check(&open_each_durable(&disks));
        if outcome.is_ok() {
            break;
        }
    }
}

#[test]
fn a_lost_index_gives_the_same_sets_with_declined_and_own_events_at_any_place() {
    let mut disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.admit(&arrivals).unwrap();
    // Markers and their events stand at even and odd places, so some are apart when records are read in groups.
    for number in 0..150 {
        let arrival = post_at(space, 5000 + number);
        match number % 3 {
            0 => store.decline(&arrival.event, number).unwrap(),
            1 => store.admit(&[arrival]).unwrap(),
            _ => store.admit(&[Arrival { is_own: false, ..arrival }]).unwrap(),
        }
    }
    check(&store);
    assert_eq!(store.declined(space).unwrap(), 50);
    let before = dump(&store);
    drop(store);
    disks.index = Arc::new(MemoryIndex::new());
    let (store, _) = disks.open().unwrap();
    assert_eq!(dump(&store), before);
    check(&store);
}

#[test]
fn a_declined_event_is_proven_by_its_header_and_seen_by_no_reader() {
    let mut disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let space = charter.event.space();
    let unwanted = post_at(space, 50);
    let id = unwanted.event.id();
    store.admit(&[charter]).unwrap();
    store.decline(&unwanted.event, 60).unwrap();
    for is_lost in [false, true] {
        if is_lost {
            disks.index = Arc::new(MemoryIndex::new());
        }
        let (store, _) = disks.open().unwrap();
        let proof = store.proof(&id).unwrap().unwrap();
        assert_eq!((proof.event.id(), proof.event.has_body(), proof.received_ms), (id, false, 60));
        assert_eq!(store.row(&id).unwrap().unwrap().presence, Presence::Declined);
        assert!(!store.is_held(&id).unwrap());
        assert!(store.event(&id).unwrap().is_none());
        assert_eq!(store.posts(space, None, 9).unwrap(), []);
        assert!(store.thread_items(&id).unwrap().is_empty());
        assert_eq!((store.declined(space).unwrap(), store.known().len(space)), (1, 2));
        let held = store.proof(&EventId(space.0)).unwrap().unwrap();
        assert!(held.event.has_body());
        check(&store);
    }
}

#[test]
fn a_declined_event_stays_declined_when_the_log_is_read_again_from_the_last_mark() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let unwanted = post_at(SpaceId([4; 32]), 50);
    store.decline(&unwanted.event, 60).unwrap();
    store.decline(&unwanted.event, 61).unwrap();
    let end = disks.journal.end();
    drop(store);
    let (store, caught_up) = disks.open().unwrap();
    assert_eq!(caught_up.records, 2);
    assert_eq!(store.row(&unwanted.event.id()).unwrap().unwrap().presence, Presence::Declined);
    assert_eq!(disks.journal.end(), end);
    check(&store);
}

#[test]
fn a_declined_event_of_an_earlier_version_is_known_without_a_proof() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let space = SpaceId([4; 32]);
    let id = EventId([5; 32]);
    store.note(&[LocalRecord::Declined { id, space, created_ms: 9, tag: 2 }]).unwrap();
    assert_eq!(store.declined(space).unwrap(), 1);
    assert_eq!(store.known().len(space), 1);
    assert!(store.proof(&id).unwrap().is_none());
    check(&store);
}

#[test]
fn a_damaged_proof_is_lost_and_the_event_can_be_declined_anew() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let space = SpaceId([4; 32]);
    let unwanted = post_at(space, 50);
    let id = unwanted.event.id();
    store.decline(&unwanted.event, 60).unwrap();
    let row = store.row(&id).unwrap().unwrap();
    disks.journal.damage(Position(row.position));
    assert!(store.proof(&id).unwrap().is_none());
    assert_eq!(store.row(&id).unwrap().unwrap().presence, Presence::Lost);
    assert_eq!((store.declined(space).unwrap(), store.known().len(space)), (0, 1));
    store.decline(&unwanted.event, 70).unwrap();
    assert_eq!(store.declined(space).unwrap(), 1);
    assert!(store.proof(&id).unwrap().is_some());
}

#[test]
fn an_index_that_has_fewer_events_than_it_counts_is_noticed_at_the_start() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (_, arrivals) = board();
    store.admit(&arrivals).unwrap();
    let number = store.number_of(&arrivals[7].event.id()).unwrap().unwrap();
    drop(store);
    let mut batch = Batch::default();
    batch.enter(number, Entry { name: arrivals[7].event.id().0, value: None });
    disks.index.commit(&batch).unwrap();
    assert!(matches!(disks.open(), Err(StoreError::Row)));
}

#[test]
fn an_epoch_whose_members_are_not_those_that_were_counted_is_a_damaged_index() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.admit(&arrivals).unwrap();
    let row = store.row(&arrivals[7].event.id()).unwrap().unwrap();
    let number = store.number_of(&row.id).unwrap().unwrap();
    let mut batch = Batch::default();
    batch.enter(number, EventRow { id: EventId([1; 32]), ..row }.to_entry());
    disks.index.commit(&batch).unwrap();
    assert!(matches!(store.sets(space).with_epoch(0, EpochSet::len), Err(StoreError::Row)));
    assert!(!store.fsck().unwrap().problems.is_empty());
    store.rebuild(Arc::new(MemoryIndex::new())).unwrap();
    check(&store);
}

#[test]
fn fsck_tells_of_a_digest_that_is_not_that_of_the_events() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    store.admit(&crowd(140)).unwrap();
    let (key, digest) = digest_row(&disks);
    let mut other = LtHash::from_bytes(&digest.state).unwrap();
    other.add(&EventId([1; 32]));
    let whole = rows::encode(&digest);
    put(&disks, &key, rows::encode(&DigestRow { state: other.to_bytes(), ..digest }));
    let problems = store.fsck().unwrap().problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("the digest that is compared with peers"), "{problems:?}");
    put(&disks, &key, whole);
    check(&store);
}

/// The row of the only digest.
fn digest_row(disks: &Disks) -> (Vec<u8>, DigestRow) {
    let (start, end) = keys::digests_range();
    let [(key, value)] = disks.index.scan(&start, end.as_deref(), Direction::Ascending, 9).unwrap().try_into().unwrap();
    (key, rows::decode(&value).unwrap())
}

fn put(disks: &Disks, key: &[u8], value: Vec<u8>) {
    let mut batch = Batch::default();
    batch.put(key.to_vec(), value);
    disks.index.commit(&batch).unwrap();
}

#[test]
fn a_digest_of_other_members_is_made_anew_and_one_that_is_none_is_damage() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    store.admit(&crowd(140)).unwrap();
    drop(store);
    let (key, digest) = digest_row(&disks);
    let nothing = LtHash::default().to_bytes();
    let others = [
        DigestRow { until: digest.until + 1000, state: nothing.clone(), ..digest.clone() },
        DigestRow { count: 127, state: nothing.clone(), ..digest.clone() },
        DigestRow { sum: [7; 32], state: nothing, ..digest.clone() },
    ];
    for other in others {
        put(&disks, &key, rows::encode(&other));
        check(&disks.open().unwrap().0);
    }
    put(&disks, &key, rows::encode(&DigestRow { state: vec![1; 9], ..digest }));
    assert!(matches!(disks.open(), Err(StoreError::Row)));
}

#[test]
fn an_event_that_was_lost_and_came_again_is_one_member() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let posts = crowd(140);
    store.admit(&posts).unwrap();
    let row = store.row(&posts[9].event.id()).unwrap().unwrap();
    disks.journal.damage(Position(row.position));
    assert!(store.event(&row.id).unwrap().is_none());
    store.admit(&posts[9..10]).unwrap();
    assert_ne!(store.row(&row.id).unwrap().unwrap().position, row.position);
    drop(store);
    let (store, _) = disks.open().unwrap();
    assert_eq!(store.epochs_of_index().unwrap().0, store.known.all());
    assert_eq!(store.known().total(), 140);
}

#[test]
fn the_kind_of_a_record_that_was_declined_is_that_of_an_event() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    store.decline(&post_at(SpaceId([4; 32]), 50).event, 60).unwrap();
    let replay = disks.journal.replay(disks.journal.start(), usize::MAX).unwrap();
    let kinds: Vec<RecordKind> = replay.records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordKind::Local, RecordKind::Local, RecordKind::Event]);
}
