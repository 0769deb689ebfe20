//! The power goes at every step of a node's life on disk, and what it leaves is opened.
//!
//! The steps are those of the real log and the real index; the files are put together from the tape as a disk could have
//! them: everything that was synced, and of the rest nothing, all but the end of the last write, the last write alone, or any
//! part of it. sled's own files come as they were when they were synced last.

use super::disk::Disk;
use super::samples::{board, event, network, post};
use super::tape::{Step, Tape, Unsynced, left_by, write_out};
use super::*;
use roda_protocol::event::{Body, Kind, Post, PostBody, Retract};
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Small, so that the script fills several.
const SEGMENT_BYTES: u32 = 3_000;

/// A script that was played, and what had been promised by when.
struct Played {
    folder: tempfile::TempDir,
    tape: Arc<Tape>,
    /// How many steps had been taken when an event was acknowledged.
    acknowledged: Vec<(usize, Arrival)>,
    /// The same of retractions, with what they took back.
    taken_back: Vec<(usize, EventId)>,
    /// All events that there are, with and without words.
    bytes: BTreeMap<EventId, [Vec<u8>; 2]>,
    /// Segments that were written anew.
    compacted: usize,
    /// The steps that begin the script: before them the store was being made.
    first: usize,
}

impl Played {
    fn copies(&self) -> PathBuf {
        self.folder.path().join("copies")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }
}

/// Own posts one by one, what others wrote in groups that are flushed now and then, and words that are taken back.
fn play(is_lying: bool) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let copies = folder.path().join("copies");
    let tape = Arc::new(Tape::recording(copies, is_lying));
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let disk = Disk { tape: Some(Arc::clone(&tape)) };
    let (log, _) = FileLog::open_with(&home.join("log"), SEGMENT_BYTES, disk.clone()).unwrap();
    let index = SledIndex::open_on(disk, &home.join("index")).unwrap();
    let (store, _) = EventStore::open(Arc::new(log), Arc::new(index), network()).unwrap();
    let (space, theirs) = board();
    let theirs: Vec<Arrival> = theirs.into_iter().take(34).map(|one| Arrival { is_own: false, ..one }).collect();
    let mut played = Played {
        folder,
        acknowledged: Vec::new(),
        taken_back: Vec::new(),
        bytes: BTreeMap::new(),
        compacted: 0,
        first: tape.len(),
        tape,
    };
    store.note(&[LocalRecord::Space { space, row: SpaceRow { followed: true, open_name: None } }]).unwrap();
    let mut flushed = 0;
    for (round, group) in theirs.chunks(4).enumerate() {
        store.take_in(group).unwrap();
        if round % 3 == 1 {
            store.flush().unwrap();
            let now = played.tape.len();
            played.acknowledged.extend(theirs[flushed..(round + 1) * 4].iter().map(|one| (now, one.clone())));
            flushed = (round + 1) * 4;
        }
        if round % 2 == 1 {
            let mut own = vec![post(space, 100 + round as u64)];
            if round % 4 == 3 {
                let is_own_post = |one: &Arrival| one.is_own && matches!(one.event.kind(), Kind::Post(_));
                let target = played.acknowledged.iter().rev().find(|(_, one)| is_own_post(one)).unwrap().1.event.id();
                own.push(event(space, 9000, vec![], Kind::Retract(Retract { targets: vec![target] }), Body::None));
                store.admit(&own).unwrap();
                played.taken_back.push((played.tape.len(), target));
            } else {
                store.admit(&own).unwrap();
            }
            let now = played.tape.len();
            played.acknowledged.extend(own.into_iter().map(|one| (now, one)));
        }
    }
    played.compacted = give_room_back(&store, space, &mut played);
    let all = theirs.iter().chain(played.acknowledged.iter().map(|(_, one)| one));
    let forms = |one: &Arrival| [one.event.bytes().to_vec(), one.event.bytes_without_body().to_vec()];
    played.bytes = all.map(|one| (one.event.id(), forms(one))).collect();
    played
}

/// Long words by somebody, which the board's rule then keeps no longer, and segments that are written anew without them.
fn give_room_back(store: &EventStore, space: SpaceId, played: &mut Played) -> usize {
    for number in 0..12 {
        let words = PostBody { title: format!("long {number}"), text: "words ".repeat(150), link: None };
        let post = event(space, 5000 + number, vec![], Kind::Post(Post::default()), Body::Post(words));
        let post = Arrival { is_own: false, ..post };
        store.take_in(std::slice::from_ref(&post)).unwrap();
        store.flush().unwrap();
        played.acknowledged.push((played.tape.len(), post));
    }
    store.note(&[LocalRecord::Keep { space, keep: Keep::Days(1) }]).unwrap();
    let by = Retention { now_ms: 1_000_000_000_000, me: AuthorKey([7; 32]), disk_bytes_max: u64::MAX };
    while store.prune(&by).unwrap().events > 0 {}
    std::iter::from_fn(|| store.compact().unwrap()).count()
}

/// Opens what is in the folder as a node does.
fn open(home: &Path) -> Result<(EventStore, bool), StoreError> {
    let (log, report) = FileLog::open(&home.join("log"))?;
    let (log, folder) = (Arc::new(log), home.join("index"));
    let attempt = || {
        let index = Arc::new(SledIndex::open(&folder)?);
        EventStore::open(Arc::clone(&log) as _, index, network()).map(|(store, _)| store)
    };
    let store = match attempt() {
        Err(error) if error.is_of_index() => {
            set_aside(&folder, "power").unwrap();
            attempt()?
        }
        other => other?,
    };
    Ok((store, !report.damaged.is_empty()))
}

/// What is wrong with what the power left after so many steps.
fn broken(played: &Played, cut: usize, unsynced: Unsynced, newer_index: bool) -> Option<String> {
    let steps = played.tape.steps();
    let (files, copy) = left_by(&steps[..cut], unsynced);
    let later =
        || steps[cut..].iter().find_map(|step| if let Step::Copied(number) = step { Some(*number) } else { None });
    let copy = if newer_index { later() } else { copy };
    let left = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(left.path().join("log")).unwrap();
    write_out(&files, &played.home(), left.path());
    if let Some(copy) = copy {
        let index = left.path().join("index");
        std::fs::create_dir_all(&index).unwrap();
        for entry in std::fs::read_dir(played.copies().join(copy.to_string())).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), index.join(entry.file_name())).unwrap();
        }
    }
    check(played, cut, left.path()).err()
}

fn check(played: &Played, cut: usize, home: &Path) -> Result<(), String> {
    let (store, has_damage) = open(home).map_err(|error| format!("it does not open: {error}"))?;
    for (by, arrival) in &played.acknowledged {
        let id = arrival.event.id();
        if *by <= cut && !store.is_held(&id).map_err(|error| error.to_string())? {
            return Err(format!("{id}, acknowledged at step {by}, is lost"));
        }
    }
    let mut ids = Vec::new();
    store
        .each_row(|row| {
            ids.push(row.id);
            Ok(())
        })
        .map_err(|error| error.to_string())?;
    for id in ids {
        let stored = store.event(&id).map_err(|error| error.to_string())?;
        let is_right =
            |forms: &[Vec<u8>; 2]| stored.iter().all(|one| forms.iter().any(|form| form == one.event.bytes()));
        if !played.bytes.get(&id).is_some_and(is_right) {
            return Err(format!("{id} was never written so"));
        }
    }
    for (by, id) in played.taken_back.iter().filter(|(by, _)| *by <= cut) {
        let words = &played.bytes[id][0];
        let log =
            std::fs::read_dir(home.join("log")).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        if log.into_iter().any(|bytes| bytes.windows(words.len()).any(|window| window == words)) {
            return Err(format!("the words of {id}, taken back at step {by}, are in the log"));
        }
    }
    let found = store.fsck().map_err(|error| error.to_string())?;
    // What was never synced may be a hole in the log; it is told, and nothing else may be wrong.
    if !(found.problems.is_empty() || has_damage && found.problems.len() == found.damaged.len()) {
        return Err(format!("unsound: {:?}", found.problems));
    }
    let (_, arrivals) = board();
    let late = post(arrivals[0].event.space(), 999);
    store.admit(std::slice::from_ref(&late)).map_err(|error| format!("it takes nothing: {error}"))?;
    if store.is_held(&late.event.id()).is_ok_and(|is_held| is_held) { Ok(()) } else { Err("it keeps nothing".into()) }
}

/// All that can become of a cut, drawn from it.
fn outcomes(cut: usize) -> [(Unsynced, bool); 5] {
    let bits = (cut as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [
        (Unsynced::Lost, false),
        (Unsynced::Lost, true),
        (Unsynced::Torn { eighths: cut % 9 }, false),
        (Unsynced::OnlyTheLast, false),
        (Unsynced::Some { bits: bits ^ (bits >> 17) }, cut.is_multiple_of(2)),
    ]
}

#[test]
fn a_power_cut_after_any_step_loses_nothing_that_was_acknowledged() {
    let played = play(false);
    let (steps, mut segments, mut cuts) = (played.tape.steps(), 0, 0);
    for cut in played.first..=steps.len() {
        segments += usize::from(matches!(steps.get(cut), Some(Step::Made(_))));
        for (unsynced, newer_index) in outcomes(cut) {
            cuts += 1;
            let broken = broken(&played, cut, unsynced, newer_index);
            assert_eq!(
                broken,
                None,
                "after step {cut}, {:?}; {unsynced:?}, newer index {newer_index}",
                steps.get(cut - 1)
            );
        }
    }
    println!("{cuts} power cuts at {} steps; {segments} new segments", steps.len() - played.first);
    assert!(
        segments > 2 && played.compacted > 1 && played.taken_back.len() > 1 && played.acknowledged.len() > 20,
        "the script does too little"
    );
}

#[test]
fn a_disk_that_only_says_that_it_synced_is_found_out() {
    let played = play(true);
    let cuts = played.first..=played.tape.len();
    let lossy = cuts.filter(|cut| broken(&played, *cut, Unsynced::Lost, false).is_some()).count();
    assert!(lossy > played.tape.len() / 2, "only {lossy} cuts lost something");
}
