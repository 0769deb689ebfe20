//! The power goes while a node works: on ext4 on a loop device, whose backing file is copied while the node is stopped. The
//! copy is mounted, as after a power cut, and a node is started over what it holds.
//!
//! One node works through all cuts, so that they find it young and later established. A forgetful run is the same with a node
//! whose syncs do nothing (`libeatmydata`, preloaded): it has to lose what it acknowledged, or the rig proves nothing.

use crate::chance::Chance;
use crate::cluster::{Place, TestNode, network_name};
use crate::crash::{Acknowledged, IMPORT_COMMENTS, IMPORT_EVENTS, Load, WRITERS, lock};
use crate::forge::Forge;
use crate::loopdisk::{self, LoopDisk};
use crate::wait::{DEADLINE, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Bytes of the disk: room for some ten thousand events, and small enough to be copied 50 times.
const DISK_BYTES: u64 = 192 << 20;

/// A cut comes this long after the last one, at most: several commits of ext4's journal, which come every five seconds, see a
/// run of some cuts.
const CUT_WITHIN_US: u64 = 1_500_000;

/// What makes syncs do nothing.
const FORGETFUL: &str = "libeatmydata.so";

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    /// Power cuts.
    pub cuts: usize,
    /// What was broken after some of them: what was lost, or why nothing started.
    pub broken: Vec<String>,
    /// Events that had been acknowledged at the last cut.
    pub acknowledged: usize,
    /// Starts at which bytes of an unfinished write were cut off the log.
    pub torn: usize,
    /// Starts that rebuilt the index.
    pub rebuilt: usize,
    /// The slowest start over what a cut had left.
    pub slowest_start: Duration,
}

/// Whether this machine can cut the power.
///
/// # Errors
///
/// What is missing, in a line.
pub fn possible() -> Result<(), String> {
    loopdisk::possible()
}

/// Whether it can forget, too.
///
/// # Errors
///
/// What is missing, in a line.
pub fn forgetting_possible() -> Result<(), String> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let is_there = folders.map(|folder| folder.path().join(FORGETFUL)).any(|path| path.exists());
    if is_there {
        Ok(())
    } else {
        Err(format!("{FORGETFUL} is not there (on Debian and Ubuntu: the package eatmydata)"))
    }
}

/// Cuts the power so many times at moments drawn from the chance. `told` hears after each.
///
/// # Errors
///
/// The machine refused a disk.
pub fn run(cuts: usize, is_forgetful: bool, chance: &mut Chance, mut told: impl FnMut(&Cuts)) -> Result<Cuts, String> {
    let disk = LoopDisk::new(DISK_BYTES, 2 * DISK_BYTES)?;
    let mut place = Place::loopback();
    if is_forgetful {
        place.prefix = ["env".to_owned(), format!("LD_PRELOAD={FORGETFUL}")].to_vec();
    }
    let network = network_name();
    let mut node = TestNode::stopped(&network, place, &disk.path());
    node.launch(&[]);
    let board = node.found("power");
    let events = Forge::new(&network, 7).thread("imported", IMPORT_COMMENTS);
    node.follow(&events[0].space().to_string());
    let mut imports = events.chunks(IMPORT_EVENTS);
    node.import(imports.next().expect("the charter is among the first"));
    if is_forgetful {
        // What exists by now is durable, so that what is lost from here on was acknowledged, and not the home itself.
        let handle = fs::File::open(disk.path()).map_err(|error| error.to_string())?;
        rustix::fs::syncfs(&handle).map_err(|error| error.to_string())?;
    }
    let (acknowledged, mut found) = (Mutex::new(Acknowledged::default()), Cuts::default());
    let load = Load { node: node.socket(), board: &board, point: 0 };
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (load, acknowledged) = (&load, &acknowledged);
            scope.spawn(move || load.write(writer, acknowledged));
        }
        scope.spawn(|| load.import(&mut imports, &acknowledged));
        let outcome = (0..cuts).try_for_each(|_| {
            // The point of time is what is random here, not something that is waited for.
            std::thread::sleep(Duration::from_micros(chance.between(0, CUT_WITHIN_US)));
            cut(&disk, &node, &acknowledged, &mut found)?;
            told(&found);
            Ok(())
        });
        // Whoever writes ends with it.
        node.kill9();
        outcome
    })
    .map(|()| found)
}

fn cut(disk: &LoopDisk, node: &TestNode, acknowledged: &Mutex<Acknowledged>, found: &mut Cuts) -> Result<(), String> {
    let pid = node.pid();
    kill_process(pid, Signal::STOP).map_err(|error| error.to_string())?;
    eventually("the node to stand still", DEADLINE, || stands_still(pid).then_some(()));
    // An answer that the node has given and nobody has read yet is not counted.
    let promised = lock(acknowledged).clone();
    let pictures =
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).map_err(|error| error.to_string())?;
    let picture = pictures.path().join("picture");
    disk.picture(&picture)?;
    found.cuts += 1;
    found.acknowledged = promised.own.len() + promised.imported.len();
    let after = LoopDisk::of_picture(&picture)?;
    let home = after.path().join(node.home().file_name().expect("a home has a name"));
    // A panic here would leave the node stopped, and whoever writes to it waiting.
    let outcome = catch_unwind(AssertUnwindSafe(|| start_over(node, &home, &promised, found)));
    if let Err(broken) = outcome.unwrap_or_else(|_| Err("a command failed amid the check".to_owned())) {
        found.broken.push(broken);
    }
    kill_process(pid, Signal::CONT).map_err(|error| error.to_string())
}

/// Whether every thread of a process is stopped.
fn stands_still(pid: Pid) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    let state = |path: &Path| {
        fs::read_to_string(path.join("stat")).ok().and_then(|stat| stat.rsplit(") ").next()?.chars().next())
    };
    tasks.into_iter().all(|task| state(&task.path()).is_none_or(|state| state == 'T'))
}

fn start_over(node: &TestNode, home: &Path, promised: &Acknowledged, found: &mut Cuts) -> Result<(), String> {
    if !home.is_dir() {
        return Err("the home itself is gone".to_owned());
    }
    let mut again = TestNode::of_copy(node.network(), home);
    let start = Instant::now();
    again.try_launch(&[])?;
    found.slowest_start = found.slowest_start.max(start.elapsed());
    let notices = again.notices();
    found.torn += usize::from(notices.contains("unfinished write"));
    found.rebuilt += usize::from(notices.contains("rebuilt"));
    if again.ready()["author"] != node.ready()["author"] {
        return Err("the author's key is lost".to_owned());
    }
    promised.is_kept_by(&again)
}
