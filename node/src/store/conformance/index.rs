//! The promises of [`Index`].

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use proptest::{collection::vec, prelude::*};

use super::{
    super::index::{
        BATCH_ROWS_MAX, Batch, Direction, ENTRY_NAME_BYTES, ENTRY_VALUE_BYTES, Entry, Index, IndexError, KEY_BYTES_MAX,
        Row, VALUE_BYTES_MAX, prefix_end,
    },
    Home,
};

pub(super) fn a_scan_is_in_key_order_in_both_directions(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    put_all(&*index, &[b"b", b"a\xff", b"a", b"\x01", b"ab"]);
    let ascending: [&[u8]; 5] = [b"\x01", b"a", b"ab", b"a\xff", b"b"];
    assert_eq!(keys(&*index, b"", None, Direction::Ascending, 9), ascending);
    let descending: Vec<&[u8]> = ascending.iter().rev().copied().collect();
    assert_eq!(keys(&*index, b"", None, Direction::Descending, 9), descending);
    assert_eq!(keys(&*index, b"", None, Direction::Descending, 2), descending[..2]);
    assert_eq!(keys(&*index, b"", None, Direction::Ascending, 2), ascending[..2]);
    assert!(keys(&*index, b"", None, Direction::Ascending, 0).is_empty());
}

pub(super) fn a_range_includes_its_start_and_excludes_its_end(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    put_all(&*index, &[b"a", b"b", b"c", b"d"]);
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut found = keys(&*index, b"b", Some(b"d"), direction, 9);
        found.sort();
        assert_eq!(found, [b"b", b"c"]);
    }
    assert_eq!(index.count(b"b", Some(b"d"), 9).expect("a count"), 2);
    assert_eq!(index.count(b"bb", Some(b"cc"), 9).expect("a count"), 1);
}

pub(super) fn a_range_that_ends_before_it_starts_is_empty(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    put_all(&*index, &[b"a", b"b", b"c"]);
    for (start, end) in [(b"c", b"a"), (b"b", b"b")] {
        assert!(keys(&*index, start, Some(end), Direction::Ascending, 9).is_empty());
        assert!(keys(&*index, start, Some(end), Direction::Descending, 9).is_empty());
        assert_eq!(index.count(start, Some(end), 9).expect("a count"), 0);
    }
}

pub(super) fn a_prefix_of_0xff_is_scanned_to_its_end(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    let all: [&[u8]; 6] = [&[1, 0xfe], &[1, 0xff], &[1, 0xff, 0xff, 7], &[2], &[0xff], &[0xff, 0xff, 0xff]];
    put_all(&*index, &all);
    let scan = |prefix: &[u8]| keys(&*index, prefix, prefix_end(prefix).as_deref(), Direction::Ascending, 9);
    assert_eq!(scan(&[1, 0xff]), all[1..3]);
    assert_eq!(scan(&[1]), all[..3]);
    assert_eq!(scan(&[0xff]), all[4..]);
    assert_eq!(scan(&[]), all);
}

pub(super) fn an_empty_value_is_a_value(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    put_all(&*index, &[b"there"]);
    assert_eq!(index.get(b"there").expect("a get"), Some(vec![]));
    assert_eq!(index.get(b"ther").expect("a get"), None);
    let rows = index.scan(b"t", None, Direction::Ascending, 9).expect("a scan");
    assert_eq!(rows, [(b"there".to_vec(), vec![])]);
}

pub(super) fn a_batch_applies_its_rows_in_order(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    let mut batch = Batch::new();
    batch.put(b"kept".to_vec(), b"1".to_vec());
    batch.delete(b"kept".to_vec());
    batch.put(b"kept".to_vec(), b"2".to_vec());
    batch.put(b"gone".to_vec(), b"1".to_vec());
    batch.delete(b"gone".to_vec());
    batch.delete(b"never".to_vec());
    assert_eq!((batch.len(), batch.is_empty()), (6, false));
    index.commit(&batch).expect("a commit");
    index.commit(&Batch::new()).expect("a commit of nothing");
    let rows = index.scan(b"", None, Direction::Ascending, 9).expect("a scan");
    assert_eq!(rows, [(b"kept".to_vec(), b"2".to_vec())]);
}

pub(super) fn a_batch_out_of_bounds_changes_nothing(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    let with = |key: Vec<u8>, value: Vec<u8>| {
        let mut batch = Batch::new();
        batch.put(b"fine".to_vec(), vec![]);
        batch.put(key, value);
        batch
    };
    let mut long = Batch::new();
    for row in 0..=BATCH_ROWS_MAX as u32 {
        long.put([&[1], &row.to_be_bytes()[..]].concat(), vec![]);
    }
    let mut sparse = with(vec![1], vec![]);
    sparse.enter(0, entry(0, None));
    sparse.enter(2, entry(2, None));
    let refused = [
        long,
        sparse,
        with(vec![0, 1], vec![]),
        with(vec![], vec![]),
        with(vec![1; KEY_BYTES_MAX + 1], vec![]),
        with(vec![1], vec![1; VALUE_BYTES_MAX + 1]),
    ];
    for batch in refused {
        let outcome = index.commit(&batch);
        assert!(matches!(outcome, Err(IndexError::OutOfBounds { .. })), "{outcome:?}");
    }
    assert_eq!(index.count(b"", None, 9).expect("a count"), 0);
    assert_eq!(index.entry_count(), 0);
}

pub(super) fn entries_are_found_by_number_and_by_name(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    let mut batch = Batch::new();
    (0..5).for_each(|number| batch.enter(number, entry(number, None)));
    batch.enter(3, entry(3, Some(8)));
    index.commit(&batch).expect("a commit");
    let mut batch = Batch::new();
    batch.enter(1, entry(1, Some(7)));
    batch.enter(5, entry(5, Some(9)));
    index.commit(&batch).expect("a commit");
    let expected = [None, Some(7), None, Some(8), None, Some(9)];
    let all: Vec<Entry> = (0..6).map(|number| entry(number, expected[number as usize])).collect();
    assert_eq!(index.entry_count(), 6);
    assert_eq!(index.entries(0, 99).expect("a page"), all);
    assert_eq!(index.entries(2, 2).expect("a page"), all[2..4]);
    assert_eq!(index.entries(6, 2).expect("a page"), []);
    assert_eq!((index.entry(3).expect("an entry"), index.entry(6).expect("none")), (Some(all[3]), None));
    for (number, entry) in (0..).zip(&all) {
        assert_eq!(index.find(&entry.name).expect("a search"), Some(number));
    }
    assert_eq!(index.find(&[0xee; 32]).expect("a search"), None);
    // Names 0, 2 and 4 begin with 0, the others with 1; the order is that of names.
    let named = |first: &[u8], limit| index.named(first, limit, &|entry| entry.value.is_some()).expect("a search");
    let mut odd = vec![all[1], all[3], all[5]];
    odd.sort_by_key(|entry| entry.name);
    assert_eq!(named(&[1], 9), odd);
    assert_eq!(named(&[1], 2), odd[..2]);
    assert_eq!(named(&all[5].name, 9), [all[5]]);
    assert_eq!(named(&[0], 9), []);
    index.flush().expect("a flush");
    drop(index);
    let index = home.open();
    assert_eq!(index.entries(0, 99).expect("a page"), all);
    assert_eq!(index.find(&all[5].name).expect("a search"), Some(5));
}

pub(super) fn the_greatest_batch_of_the_greatest_rows_fits(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    let mut batch = Batch::new();
    for row in 0..BATCH_ROWS_MAX as u32 {
        let mut key = vec![7; KEY_BYTES_MAX];
        // The difference is in front, so that nothing can be saved on a common prefix.
        key[1..5].copy_from_slice(&row.wrapping_mul(0x9e37_79b9).to_be_bytes());
        batch.put(key, vec![row as u8; VALUE_BYTES_MAX]);
    }
    index.commit(&batch).expect("a commit");
    index.flush().expect("a flush");
    assert_eq!(index.count(b"", None, BATCH_ROWS_MAX + 1).expect("a count"), BATCH_ROWS_MAX);
    let least = (BATCH_ROWS_MAX * (KEY_BYTES_MAX + VALUE_BYTES_MAX)) as u64;
    assert!(index.disk_bytes().expect("a size") >= least);
    drop(index);
    assert_eq!(home.open().count(b"", None, BATCH_ROWS_MAX + 1).expect("a count"), BATCH_ROWS_MAX);
}

pub(super) fn a_count_stops_at_its_limit(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    put_all(&*index, &[b"a", b"b", b"c"]);
    let counts: Vec<usize> = (0..5).map(|limit| index.count(b"", None, limit).expect("a count")).collect();
    assert_eq!(counts, [0, 1, 2, 3, 3]);
}

pub(super) fn flushed_rows_survive_reopening(home: &impl Home<Store = dyn Index>) {
    let index = home.open();
    put_all(&*index, &[b"a", b"b"]);
    let mut batch = Batch::new();
    batch.delete(b"a".to_vec());
    index.commit(&batch).expect("a commit");
    index.flush().expect("a flush");
    drop(index);
    assert_eq!(keys(&*home.open(), b"", None, Direction::Ascending, 9), [b"b"]);
}

pub(super) fn a_reader_sees_a_commit_entirely_or_not_at_all(home: &impl Home<Store = dyn Index>) {
    const ROWS: u8 = 100;
    let index = home.open();
    let is_done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (index, is_done) = (index.clone(), is_done.clone());
        move || {
            while !is_done.load(Ordering::SeqCst) {
                let rows = index.scan(b"", None, Direction::Ascending, 200).expect("a scan");
                assert!(rows.is_empty() || rows.len() == usize::from(ROWS), "{} rows", rows.len());
                assert!(rows.iter().all(|row| row.1 == rows[0].1), "rows of two commits in one scan");
            }
        }
    });
    for round in 0..100 {
        let mut batch = Batch::new();
        for row in 0..ROWS {
            batch.put(vec![1, row], vec![round]);
        }
        index.commit(&batch).expect("a commit");
    }
    is_done.store(true, Ordering::SeqCst);
    reader.join().expect("the reader saw whole commits");
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Change>, Vec<(u32, Option<u8>)>),
    Reopen,
}

type Change = (Vec<u8>, Option<Vec<u8>>);

type Question = (Vec<u8>, Option<Vec<u8>>, bool, usize);

/// Few distinct bytes, so that keys meet, nest and touch both ends of the order.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = || prop_oneof![Just(0), Just(1), Just(0xfe), Just(0xff)];
    (prop_oneof![Just(1), Just(0xfe), Just(0xff)], vec(byte(), 0..4)).prop_map(|(first, mut key)| {
        key.insert(0, first);
        key
    })
}

/// The entry of a number: half of the names begin alike.
fn entry(number: u32, value: Option<u8>) -> Entry {
    let mut name = [0; ENTRY_NAME_BYTES];
    name[0] = (number % 2) as u8;
    name[9..13].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    Entry { name, value: value.map(|value| [value; ENTRY_VALUE_BYTES]) }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (key(), proptest::option::weighted(0.7, vec(any::<u8>(), 0..40)));
    let entries = vec((0..40_u32, proptest::option::of(any::<u8>())), 0..20);
    let commit = (vec(change, 0..60), entries).prop_map(|(changes, entries)| Step::Commit(changes, entries));
    vec(prop_oneof![8 => commit, 1 => Just(Step::Reopen)], 1..12)
}

fn questions() -> impl Strategy<Value = Vec<Question>> {
    let bound = || prop_oneof![3 => key(), 1 => Just(vec![])];
    vec((bound(), proptest::option::of(bound()), any::<bool>(), 0..40_usize), 1..12)
}

pub(super) fn it_behaves_like_an_ordered_map_and_a_list<H: Home<Store = dyn Index>>(_: &H) {
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in steps(), questions in questions())| {
        let home = H::new();
        let mut index = home.open();
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut entries: Vec<Entry> = Vec::new();
        for step in steps {
            match step {
                Step::Commit(changes, entered) => {
                    let mut batch = Batch::new();
                    for (number, value) in entered {
                        let number = number.min(entries.len() as u32);
                        let entered = entry(number, value);
                        batch.enter(number, entered);
                        match entries.get_mut(number as usize) {
                            Some(place) => *place = entered,
                            None => entries.push(entered),
                        }
                    }
                    for (key, value) in changes {
                        match value {
                            Some(value) => {
                                batch.put(key.clone(), value.clone());
                                model.insert(key, value);
                            }
                            None => {
                                batch.delete(key.clone());
                                model.remove(&key);
                            }
                        }
                    }
                    index.commit(&batch).expect("a commit");
                }
                Step::Reopen => {
                    index.flush().expect("a flush");
                    drop(index);
                    index = home.open();
                }
            }
        }
        prop_assert_eq!(index.entries(0, usize::MAX).expect("a page"), entries.clone());
        for (number, entry) in (0..).zip(&entries) {
            prop_assert_eq!(index.find(&entry.name).expect("a search"), Some(number));
            prop_assert_eq!(index.entry(number).expect("an entry"), Some(*entry));
        }
        for (start, end, is_ascending, limit) in questions {
            let inside = |key: &[u8]| key >= &*start && end.as_deref().is_none_or(|end| key < end);
            let mut expected: Vec<Row> =
                model.iter().filter(|row| inside(row.0)).map(|(k, v)| (k.clone(), v.clone())).collect();
            let direction = if is_ascending { Direction::Ascending } else { Direction::Descending };
            if !is_ascending {
                expected.reverse();
            }
            expected.truncate(limit);
            prop_assert_eq!(index.count(&start, end.as_deref(), limit).expect("a count"), expected.len());
            prop_assert_eq!(index.scan(&start, end.as_deref(), direction, limit).expect("a scan"), expected);
            prop_assert_eq!(index.get(&start).expect("a get"), model.get(&start).cloned());
        }
    });
}

fn put_all(index: &dyn Index, keys: &[&[u8]]) {
    let mut batch = Batch::new();
    for key in keys {
        batch.put(key.to_vec(), vec![]);
    }
    index.commit(&batch).expect("a commit");
}

fn keys(index: &dyn Index, start: &[u8], end: Option<&[u8]>, direction: Direction, limit: usize) -> Vec<Vec<u8>> {
    let rows = index.scan(start, end, direction, limit).expect("a scan");
    rows.into_iter().map(|row| row.0).collect()
}
