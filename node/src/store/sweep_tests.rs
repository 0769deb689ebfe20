//! The index's files, sled's and the entries beside them, damaged in every way that a disk knows: copies that were taken amid
//! writes, cut short, flipped, zeroed, removed, and swapped with older ones. Whatever opens has to show every event as it was
//! written, and the rows that the log leads to.

use super::samples::{board, dump, network, post};
use super::{Arrival, EventStore};
use crate::home::Home;
use crate::runtime::{open_store, replace_index};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Trials; `RODA_TRIALS` sets another number, and `RODA_SEED` another seed.
const TRIALS: u64 = 150;

/// Events that are written while the index is copied.
const LATE_EVENTS: u64 = 300;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// A log, and copies of the index that belongs to it at one time or another, the oldest first.
struct Scene {
    folder: tempfile::TempDir,
    copies: Vec<PathBuf>,
    arrivals: Vec<Arrival>,
    rows: Rows,
}

fn open(home: &Home) -> (Arc<EventStore>, String) {
    let opened = open_store(home, (roda_protocol::id::AuthorKey([1; 32]), network()), "sweep", |_| Ok(()))
        .expect("whatever the index is, it opens");
    (opened.store, opened.notices.concat())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        // sled removes files of its own accord.
        let _ = fs::copy(entry.path(), to.join(entry.file_name()));
    }
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(&folder.path().join("home"));
    let (store, _) = open(&home);
    let (space, mut arrivals) = board();
    store.admit(&arrivals).unwrap();
    drop(store);
    let mut copies = Vec::new();
    let mut take = || {
        let target = folder.path().join(format!("copy-{}", copies.len()));
        copy(&home.data.join("index"), &target);
        copies.push(target);
    };
    take();
    let (store, _) = open(&home);
    let late: Vec<Arrival> = (0..LATE_EVENTS).map(|number| post(space, 1_000 + number)).collect();
    let written = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for group in late.chunks(7) {
                store.admit(group).unwrap();
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        // One copy for each group, while the next ones are written.
        let mut copied = 0;
        while !writer.is_finished() {
            let now = written.load(Ordering::Relaxed);
            if now > copied {
                copied = now;
                take();
            }
            std::thread::yield_now();
        }
    });
    arrivals.extend(late);
    drop(store);
    take();
    // The rows as the log leads to them, and nothing else.
    let fresh = Home::at(&folder.path().join("fresh"));
    copy(&home.data.join("log"), &fresh.data.join("log"));
    let rows = dump(&open(&fresh).0);
    Scene { folder, copies, arrivals, rows }
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Damages one of the index's files, and says how.
fn damage(index: &Path, older: &Path, draw: &mut Draw) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let file = draw.pick(&files).clone();
    let mut bytes = fs::read(&file).unwrap();
    let at = draw.below(bytes.len().max(1));
    let way = match draw.below(6) {
        0 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        1 => {
            let flips = 1 << draw.below(7);
            for _ in 0..if bytes.is_empty() { 0 } else { flips } {
                let place = draw.below(bytes.len());
                bytes[place] ^= 1 << draw.below(8);
            }
            format!("{flips} bits flipped")
        }
        2 => {
            let end = bytes.len().min(at + (1 << draw.below(17)));
            bytes[at..end].fill(0);
            format!("zeroed from {at} to {end}")
        }
        3 => {
            fs::remove_file(&file).unwrap();
            return format!("{} removed", file.display());
        }
        4 => {
            // An older file among newer ones; or the newer one alone among older ones.
            let name = file.file_name().unwrap();
            if let Ok(before) = fs::read(older.join(name)) {
                bytes = before;
            }
            "swapped with an older one".to_owned()
        }
        _ => {
            let keep = bytes.clone();
            let name = file.file_name().unwrap().to_owned();
            fs::remove_dir_all(index).unwrap();
            copy(older, index);
            fs::write(index.join(name), keep).unwrap();
            return format!("{} among older files", file.display());
        }
    };
    fs::write(&file, bytes).unwrap();
    format!("{}: {way}", file.display())
}

/// What a node makes of a home, as it does: opened, looked through, and rebuilt when something turns out to be missing.
fn look(home: &Home, scene: &Scene) -> Result<bool, String> {
    let (store, notices) = open(home);
    let mut is_rebuilt = notices.contains("rebuilt") || notices.contains("made anew");
    let found = store.find_damage();
    if !found.as_ref().is_ok_and(|found| found.places == 0) && !store.has_damaged_index() {
        return Err(format!("the log is whole, and this was found: {found:?}"));
    }
    if store.has_damaged_index() {
        let empty = replace_index(home).map_err(|error| error.to_string())?;
        store.rebuild(empty.0).map_err(|error| error.to_string())?;
        is_rebuilt = true;
    }
    let found = store.fsck().map_err(|error| error.to_string())?;
    if !found.problems.is_empty() {
        return Err(format!("{:?}", found.problems));
    }
    for arrival in &scene.arrivals {
        let stored = store.event(&arrival.event.id()).map_err(|error| error.to_string())?;
        let forms = [arrival.event.bytes(), arrival.event.bytes_without_body()];
        if !stored.is_some_and(|stored| forms.contains(&stored.event.bytes())) {
            return Err(format!("{} is not there as it was written", arrival.event.id()));
        }
    }
    let rows = dump(&store);
    let wrong = rows.iter().filter(|row| !scene.rows.contains(row)).count();
    let missing = scene.rows.iter().filter(|row| !rows.contains(row)).count();
    if wrong + missing > 0 { Err(format!("{wrong} rows are wrong, {missing} are missing")) } else { Ok(is_rebuilt) }
}

#[test]
fn no_damage_of_the_index_costs_an_event_or_a_row() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (trials, seed) = (number("RODA_TRIALS", TRIALS), number("RODA_SEED", 1));
    let scene = scene();
    let mut rebuilt = 0;
    for trial in 0..trials {
        let mut draw = Draw(seed.wrapping_add(trial).wrapping_mul(0x0123_4567_89ab_cdef));
        let home = Home::at(&scene.folder.path().join(format!("trial-{trial}")));
        let newer = 1 + draw.below(scene.copies.len() - 1);
        let (base, older) = (&scene.copies[newer], &scene.copies[draw.below(newer)]);
        let index = home.data.join("index");
        copy(base, &index);
        copy(&scene.folder.path().join("home/data/log"), &home.data.join("log"));
        let what = damage(&index, older, &mut draw);
        match look(&home, &scene) {
            Ok(is_rebuilt) => rebuilt += u64::from(is_rebuilt),
            Err(wrong) => panic!("trial {trial} of seed {seed}, {what}: {wrong}"),
        }
        fs::remove_dir_all(&home.config).unwrap();
    }
    println!("{trials} damaged indexes of {} copies, {rebuilt} rebuilt, none wrong", scene.copies.len());
    assert!(rebuilt > trials / 4, "only {rebuilt} of {trials} were rebuilt");
}
