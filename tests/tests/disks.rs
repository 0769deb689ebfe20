//! Disks that fail: the power goes, there is no room, nothing may be written, nothing is kept, no file can be opened. They are
//! real ones, of the kernel's own file systems, made for the test (`loopdisk`); without root the tests say that they are skipped.

use roda_tests::chance::Chance;
use roda_tests::cluster::{self, Place, TestNode, copy_folder, flat, network_name, text};
use roda_tests::forge::Forge;
use roda_tests::hosts::can_run;
use roda_tests::loopdisk::{self, LoopDisk};
use roda_tests::powercut;
use roda_tests::wait::{DEADLINE, eventually};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;
use std::fs;
use std::process::Stdio;

/// Power cuts in the run of the tests; the program `powercuts` makes 50.
const CUTS: usize = 4;

/// Bytes of a disk.
const DISK_BYTES: u64 = 128 << 20;

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    if !can_run("a_power_cut_loses_nothing_that_was_acknowledged", powercut::possible()) {
        return;
    }
    let found = powercut::run(CUTS, false, &mut Chance::new("power"), |_| ()).expect("a disk");
    println!("{found:?}");
    assert_eq!(found.broken, Vec::<String>::new());
    assert!(found.acknowledged > CUTS, "the load was too little to prove anything: {found:?}");
}

#[test]
fn a_node_whose_syncs_do_nothing_is_found_out_by_power_cuts() {
    let is_possible = powercut::possible().and_then(|()| powercut::forgetting_possible());
    if !can_run("a_node_whose_syncs_do_nothing_is_found_out_by_power_cuts", is_possible) {
        return;
    }
    let found = powercut::run(CUTS, true, &mut Chance::new("forgetful"), |_| ()).expect("a disk");
    println!("{found:?}");
    assert!(!found.broken.is_empty(), "a node that syncs nothing lost nothing: the rig proves nothing");
}

/// A node on a disk of its own, with a thread of 200 comments.
fn node_on(disk: &LoopDisk) -> (TestNode, String, String) {
    let network = network_name();
    let mut node = TestNode::stopped(&network, Place::loopback(), &disk.path());
    node.launch(&[]);
    let events = Forge::new(&network, 1).thread("disks", 200);
    let board = events[0].space().to_string();
    node.follow(&board);
    node.import(&events);
    (node, board, events[1].id().to_string())
}

fn can_have_disks(test: &str) -> bool {
    can_run(test, loopdisk::possible())
}

/// A post that must be refused for lack of a disk, and what the user is told.
fn refused(node: &TestNode, board: &str) -> Value {
    let error = node.refusal(&["post", board, "-t", "No room", "-m", "words"]);
    assert_eq!(error["code"], "storage", "{error}");
    assert!(!text(&error["hint"]).is_empty(), "the user is told what to do: {error}");
    error
}

fn is_read(node: &TestNode, post: &str) {
    let page = node.read(post);
    assert_eq!(flat(&page["thread"]).len(), 201, "reading goes on");
}

/// How many posts and comments `roda search` finds.
fn found(node: &TestNode, words: &str) -> u64 {
    node.object(&["search", words])["found"].as_u64().expect("a number")
}

#[test]
fn a_full_disk_is_told_and_read_from_and_writing_goes_on_when_there_is_room() {
    if !can_have_disks("a_full_disk_is_told_and_read_from_and_writing_goes_on_when_there_is_room") {
        return;
    }
    let disk = LoopDisk::new(DISK_BYTES, DISK_BYTES).expect("a disk");
    let (mut node, board, post) = node_on(&disk);
    let first = node.post(&board, "While there is room");
    eventually("the index has the post", DEADLINE, || (found(&node, "room") == 1).then_some(()));
    for free_bytes in [8 << 20, 0] {
        let ballast = disk.fill(free_bytes).expect("it takes ballast");
        refused(&node, &board);
        let problem = eventually("word of the problem", DEADLINE, || {
            let notices = node.object(&["status"])["notices"].to_string();
            notices.contains("Make room").then_some(notices)
        });
        assert!(problem.contains("free"), "{problem}");
        is_read(&node, &post);
        assert!(found(&node, "room") >= 1, "what was indexed before is found");
        fs::remove_file(&ballast).expect("it is there");
        // Without a restart.
        node.post(&board, "There is room again");
        let notices = node.object(&["status"])["notices"].to_string();
        assert!(!notices.contains("Make room"), "what is over is not told: {notices}");
        node.assert_sound();
    }
    eventually("the index goes on", DEADLINE, || (found(&node, "again") == 2).then_some(()));
    // A node that is killed on a full disk starts again on it, or says why not.
    let ids = node.ids();
    let ballast = disk.fill(0).expect("it takes ballast");
    node.kill9();
    if let Err(said) = node.try_launch(&[]) {
        assert!(said.contains("space"), "{said}");
        fs::remove_file(&ballast).expect("it is there");
        node.launch(&[]);
    }
    let _ = fs::remove_file(&ballast);
    assert_eq!(node.ids(), ids);
    assert!(ids.contains(&first));
    node.assert_sound();
}

#[test]
fn an_index_that_finds_no_room_is_read_from_and_made_anew() {
    if !can_have_disks("an_index_that_finds_no_room_is_read_from_and_made_anew") {
        return;
    }
    let (disk, small) = (LoopDisk::new(DISK_BYTES, DISK_BYTES), LoopDisk::new(DISK_BYTES, DISK_BYTES));
    let (disk, small) = (disk.expect("a disk"), small.expect("a disk"));
    let (mut node, board, post) = node_on(&disk);
    node.stop();
    // The log goes on to have room: otherwise it is the first to refuse.
    let elsewhere = small.path().join("index");
    copy_folder(&node.index_folder(), &elsewhere);
    fs::remove_dir_all(node.index_folder()).expect("it is there");
    std::os::unix::fs::symlink(&elsewhere, node.index_folder()).expect("there is room");
    node.launch(&[]);
    small.fill(0).expect("it takes ballast");
    let mut kept = Vec::new();
    let refusal = loop {
        let output = node.run(&["post", &board, "-t", "More and more", "-m", &"words ".repeat(500)]);
        if !output.status.success() {
            break cluster::refusal(&output);
        }
        kept.push(text(&serde_json::from_slice::<Value>(&output.stdout).expect("an answer")["id"]));
        assert!(kept.len() < 5_000, "the index is never full");
    };
    assert_eq!(refusal["code"], "storage", "{refusal}");
    is_read(&node, &post);
    let again = || {
        let output = node.run(&["post", &board, "-t", "There is an index again"]);
        output.status.success().then_some(())
    };
    eventually("an index that takes rows", DEADLINE, again);
    let notices = node.object(&["status"])["notices"].to_string();
    assert!(notices.contains("rebuilt"), "{notices}");
    let ids = node.ids();
    assert!(kept.iter().all(|id| ids.contains(id)));
    is_read(&node, &post);
    node.assert_sound();
}

#[test]
fn a_disk_that_lets_nobody_write_is_told_and_read_from() {
    if !can_have_disks("a_disk_that_lets_nobody_write_is_told_and_read_from") {
        return;
    }
    let disk = LoopDisk::new(DISK_BYTES, DISK_BYTES).expect("a disk");
    let (mut node, board, post) = node_on(&disk);
    let first = node.post(&board, "While it could be written");
    let ids = node.ids();
    eventually("the index has the post", DEADLINE, || (found(&node, "written") == 1).then_some(()));
    disk.make_read_only().expect("the kernel can");
    refused(&node, &board);
    assert_eq!(found(&node, "written"), 1, "what was indexed before is found");
    let is_told = || node.object(&["status"])["notices"].to_string().contains("Read-only").then_some(());
    eventually("word of the problem", DEADLINE, is_told);
    is_read(&node, &post);
    assert_eq!(node.ids(), ids);
    node.kill9();
    let words = ["up", "--mdns", "off", "--listen", "/ip4/127.0.0.1/tcp/0", "--network", node.network()];
    let error = cluster::refusal(&node.run(&words));
    assert_eq!(error["code"], "storage", "{error}");
    assert!(text(&error["message"]).contains("Read-only"), "there is no lock to be had: {error}");
    // The files on another disk.
    let mut moved = TestNode::of_copy(node.network(), node.home());
    moved.launch(&[]);
    assert_eq!(moved.ids(), ids);
    assert!(ids.contains(&first));
    moved.assert_sound();
}

#[test]
fn a_disk_that_keeps_nothing_acknowledges_nothing_and_is_read_from() {
    if !can_have_disks("a_disk_that_keeps_nothing_acknowledges_nothing_and_is_read_from") {
        return;
    }
    // The file system believes in room that its device hasn't got: what fails is the sync.
    let disk = LoopDisk::new(2 * DISK_BYTES, DISK_BYTES).expect("a disk");
    let (mut node, board, post) = node_on(&disk);
    let first = node.post(&board, "While it was kept");
    let ids = node.ids();
    let good = tempfile::tempdir().expect("a folder");
    copy_folder(&node.log_folder(), good.path());
    // Its own sync fails in the same way, once the device is full.
    let waste = fs::File::create(disk.path().join("waste")).expect("a file");
    let mut number = 0_u64;
    let noise = Chance::from_seed(7).bytes(1 << 20);
    while std::os::unix::fs::FileExt::write_all_at(&waste, &noise, number << 20)
        .and_then(|()| waste.sync_data())
        .is_ok()
    {
        number += 1;
        assert!(number < DISK_BYTES >> 19, "the device is never full");
    }
    refused(&node, &board);
    is_read(&node, &post);
    let notices = node.object(&["status"])["notices"].to_string();
    assert!(notices.contains("cannot") || notices.contains("stopped"), "{notices}");
    node.kill9();
    // What was acknowledged is there, as soon as the disk is.
    let mut moved = TestNode::of_copy(node.network(), node.home());
    moved.launch(&[]);
    let held = moved.ids();
    assert!(ids.iter().all(|id| held.contains(id)) && held.contains(&first));
    moved.assert_sound();
}

#[test]
fn a_node_without_file_handles_goes_on_when_there_are_some() {
    let network = network_name();
    let node = TestNode::start(&network);
    let board = node.found("handles");
    let post = node.post(&board, "While there are handles");
    let pid = node.pid();
    let open = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).expect("it runs").count() as u64;
    // The child has our limits.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let few = Rlimit { current: Some(open), maximum };
    let before = prlimit(Some(pid), Resource::Nofile, few).expect("it is ours");
    // Nobody gets through to it: a command waits, or is told.
    let mut command = node.command();
    command.args(["--json", "status"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut waiting = command.spawn().expect("`roda` runs");
    let cpu = node.cpu_seconds();
    let start = std::time::Instant::now();
    // Not that something should have happened by now: a node that asks the system in a loop is what is looked for.
    while start.elapsed() < std::time::Duration::from_secs(3) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let used = node.cpu_seconds() - cpu;
    assert!(used < 1.5, "it used {used} s of 3 to find out that it has no handles");
    prlimit(Some(pid), Resource::Nofile, before).expect("it is ours");
    waiting.wait().expect("it ends");
    assert!(node.ids().contains(&post));
    node.post(&board, "There are handles again");
    node.assert_sound();
}
