//! A node that is killed at random points amid its work, started again, and asked for everything it had acknowledged.
//!
//! What goes on meanwhile: people write, answer and take back through the socket; events come in by import; a neighbour
//! writes, and its events come in by gossip and comparison. Some points are amid a start over what another left. A home is given up
//! for a new one after `HOME_POINTS` points, so that young homes and older ones are met, and checks stay short.

use crate::chance::Chance;
use crate::cluster::{TestNode, network_name, text};
use crate::forge::{Forge, export_lines};
use crate::socket;
use crate::wait::{DEADLINE, eventually};
use roda_protocol::event::Signed;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Kills that one home goes through: enough for some thousand events and several openings of what was left.
const HOME_POINTS: usize = 25;

/// Who writes at once through the socket: their events share groups of the log.
pub(crate) const WRITERS: usize = 3;

/// A kill comes this long after the load began, at most: dozens of groups and several flushes fit in.
const KILL_WITHIN_US: u64 = 200_000;

/// So many kills after one another are amid the load, then one is amid the start over what they left.
const AMID_START_EVERY: usize = 8;

/// A kill amid a start comes this long after it began, at most: about the time that a start takes.
const START_KILL_WITHIN_US: u64 = 80_000;

/// Events of one call of import.
pub(crate) const IMPORT_EVENTS: usize = 40;

/// Comments of the thread that is imported bit by bit: more than a home's points can take.
pub(crate) const IMPORT_COMMENTS: usize = 4_000;

/// The words of posts that are taken back begin so, and go on with what makes them unlike all others.
const TAKEN_BACK: &str = "taken-back-";

/// What a run came to. A broken promise is a panic instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crashes {
    /// Kills.
    pub points: usize,
    /// Of these amid a start.
    pub amid_starts: usize,
    /// Own events that were acknowledged.
    pub acknowledged: usize,
    /// Of these retractions, of which the words must be gone.
    pub taken_back: usize,
    /// Imported events that were acknowledged.
    pub imported: usize,
    /// Events of the neighbour that the node had at the kills.
    pub heard: usize,
    /// Starts at which bytes of an unfinished write were cut off the log.
    pub torn: usize,
    /// Starts that rebuilt the index.
    pub rebuilt: usize,
    /// The slowest start over what a kill had left, to the first answer.
    pub slowest_start: Duration,
}

/// What was acknowledged, and must be there for ever.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Ids of own events.
    pub own: BTreeSet<String>,
    /// Ids of events that were imported.
    pub imported: BTreeSet<String>,
    /// Words whose retraction was acknowledged.
    pub taken_back: BTreeSet<String>,
}

impl Acknowledged {
    /// Whether a node has all of it, and is sound.
    ///
    /// # Errors
    ///
    /// What is lost, or unsound, or there though it was taken back.
    pub fn is_kept_by(&self, node: &TestNode) -> Result<(), String> {
        let held: BTreeSet<String> = node.ids().into_iter().collect();
        for (whose, ids) in [("own", &self.own), ("imported", &self.imported)] {
            let lost: Vec<_> = ids.difference(&held).collect();
            if !lost.is_empty() {
                return Err(format!("lost {} of {} {whose} events: {lost:?}", lost.len(), ids.len()));
            }
        }
        node.soundness()?;
        let words = words_in_log(&node.log_folder());
        let back: Vec<_> = self.taken_back.intersection(&words).collect();
        if back.is_empty() { Ok(()) } else { Err(format!("words are in the log that were taken back: {back:?}")) }
    }
}

/// Kills a node at so many points drawn from the chance, and checks after each. `told` hears of each home that was given up.
///
/// # Panics
///
/// If anything that was acknowledged is lost, the store is not sound, or the node does not start.
pub fn run(points: usize, chance: &mut Chance, mut told: impl FnMut(&Crashes)) -> Crashes {
    let mut found = Crashes::default();
    while found.points < points {
        let count = HOME_POINTS.min(points - found.points);
        one_home(count, chance, &mut found);
        told(&found);
    }
    found
}

fn one_home(points: usize, chance: &mut Chance, found: &mut Crashes) {
    let network = network_name();
    let (mut node, neighbour) = (TestNode::start(&network), TestNode::start(&network));
    let board = node.found("crashes");
    node.connect(&neighbour);
    neighbour.follow(&board);
    neighbour.holds(1);
    let events = Forge::new(&network, 7).thread("imported", IMPORT_COMMENTS);
    node.follow(&events[0].space().to_string());
    let (mut imports, acknowledged) = (events.chunks(IMPORT_EVENTS), Mutex::new(Acknowledged::default()));
    // Nothing of a board can be judged without its charter.
    node.import(imports.next().expect("the charter is among the first"));
    let end = found.points + points;
    while found.points < end {
        let point = found.points;
        let after = Duration::from_micros(chance.between(0, KILL_WITHIN_US));
        let load = Load { node: node.socket(), board: &board, point };
        let next_door = Load { node: neighbour.socket(), ..load.clone() };
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (load, acknowledged) = (&load, &acknowledged);
                scope.spawn(move || load.write(writer, acknowledged));
            }
            scope.spawn(|| next_door.post_until(&ended));
            scope.spawn(|| load.import(&mut imports, &acknowledged));
            // The point of time is what is random here, not something that is waited for.
            std::thread::sleep(after);
            node.kill9();
            ended.store(true, Ordering::Relaxed);
        });
        found.points += 1;
        if found.points.is_multiple_of(AMID_START_EVERY) && found.points < end {
            node.launch_and_kill9(Duration::from_micros(chance.between(0, START_KILL_WITHIN_US)));
            found.points += 1;
            found.amid_starts += 1;
        }
        let start = Instant::now();
        node.launch(&[&neighbour.address()]);
        found.slowest_start = found.slowest_start.max(start.elapsed());
        let notices = node.notices();
        found.torn += usize::from(notices.contains("unfinished write"));
        found.rebuilt += usize::from(notices.contains("rebuilt"));
        assert!(!notices.contains("damaged places"), "a kill damages no record: {notices}");
        lock(&acknowledged).is_kept_by(&node).unwrap_or_else(|broken| panic!("point {point}: {broken}"));
    }
    let acknowledged = lock(&acknowledged);
    found.acknowledged += acknowledged.own.len();
    found.taken_back += acknowledged.taken_back.len();
    found.imported += acknowledged.imported.len();
    found.heard += heard(&node, &neighbour);
    agree(&node, &neighbour, &board);
}

/// The words of the kind that people take back which the log's files hold.
fn words_in_log(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the log is there").flatten() {
        let bytes = fs::read(entry.path()).expect("a segment file");
        for (at, _) in bytes.windows(TAKEN_BACK.len()).enumerate().filter(|(_, run)| *run == TAKEN_BACK.as_bytes()) {
            let word = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-');
            found.insert(word.map(|byte| char::from(*byte)).collect());
        }
    }
    found
}

/// How many events of the neighbour the node has.
fn heard(node: &TestNode, neighbour: &TestNode) -> usize {
    let author = neighbour.ready()["author"].as_str().expect("the ready line names it");
    node.json(&["export"]).iter().filter(|line| line["author"] == author).count()
}

/// After all that the two come to hold the same on the board of both.
fn agree(node: &TestNode, neighbour: &TestNode, board: &str) {
    let ids = |node: &TestNode| -> BTreeSet<String> {
        node.json(&["export", board]).iter().map(|line| text(&line["id"])).collect()
    };
    eventually("the same events on both nodes", DEADLINE, || (ids(node) == ids(neighbour)).then_some(()));
}

/// What people do to a node, until it is gone.
#[derive(Clone, Debug)]
pub struct Load<'a> {
    /// The node's socket.
    pub node: PathBuf,
    /// The board that is written to.
    pub board: &'a str,
    /// Makes the words unlike those of other loads on the same board.
    pub point: usize,
}

impl Load<'_> {
    /// Posts, and takes back every fourth post, until the node is gone.
    pub fn write(&self, writer: usize, acknowledged: &Mutex<Acknowledged>) {
        for number in 0.. {
            let word = format!("{TAKEN_BACK}{}-{writer}-{number}-end", self.point);
            let Some(id) = self.post(&word, &word) else { return };
            lock(acknowledged).own.insert(id.clone());
            if number % 4 == 3 {
                let path = format!("/api/v1/events/{id}/retract");
                let Some(retraction) = written(socket::post(&self.node, &path, &json!({}))) else { return };
                let mut acknowledged = lock(acknowledged);
                acknowledged.own.insert(retraction);
                acknowledged.taken_back.insert(word);
            }
        }
    }

    fn post(&self, title: &str, text: &str) -> Option<String> {
        let body = json!({ "board": self.board, "title": title, "text": text });
        written(socket::post(&self.node, "/api/v1/posts", &body))
    }

    fn post_until(&self, ended: &AtomicBool) {
        let mut number = 0;
        while !ended.load(Ordering::Relaxed) {
            self.post(&format!("from next door {}-{number}", self.point), "words").expect("the neighbour goes on");
            number += 1;
        }
    }

    /// Imports group after group, until the node is gone.
    ///
    /// # Panics
    ///
    /// If it rejects one.
    pub fn import<'e>(&self, groups: &mut impl Iterator<Item = &'e [Signed]>, acknowledged: &Mutex<Acknowledged>) {
        for group in groups.by_ref() {
            let report = socket::post_lines(&self.node, "/api/v1/import", &export_lines(group));
            let Ok(report) = report else { return };
            assert_eq!(report["rejected"], 0, "{report}");
            lock(acknowledged).imported.extend(group.iter().map(|event| event.id().to_string()));
        }
    }
}

fn written(answer: std::io::Result<Value>) -> Option<String> {
    answer.ok().map(|answer| text(&answer["id"]))
}

/// What was acknowledged so far.
///
/// # Panics
///
/// If whoever had it panicked.
pub fn lock(acknowledged: &Mutex<Acknowledged>) -> MutexGuard<'_, Acknowledged> {
    acknowledged.lock().expect("nobody panicked with it")
}
