//! What was acknowledged stays: through damaged files, copies and restarts.

use roda_tests::chance::Chance;
use roda_tests::cluster::{TestNode, copy_folder, flat, network_name, nodes, refusal, text};
use roda_tests::crash::{Acknowledged, Load, lock};
use roda_tests::forge::Forge;
use roda_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A stopped node with 400 events of one thread, and their ids.
fn stopped_node() -> (TestNode, Vec<String>) {
    let mut node = TestNode::start(&network_name());
    let events = Forge::new(node.network(), 1).thread("damage", 398);
    node.follow(&events[0].space().to_string());
    node.import(&events);
    let ids = node.ids();
    assert_eq!(ids.len(), 400);
    node.stop();
    (node, ids)
}

/// Starts over damage, checks that nothing is missing, and gives what the node said about it.
fn starts_whole(node: &mut TestNode, ids: &[String], damage: &str) -> String {
    node.launch(&[]);
    assert_eq!(node.ids(), ids, "after {damage}: {}", node.notices());
    node.assert_sound();
    let notices = node.notices();
    node.stop();
    notices
}

#[test]
fn the_loss_of_the_index_costs_nothing() {
    let mut chance = Chance::new("index");
    let (mut node, ids) = stopped_node();
    let (index, sound) = (node.index_folder(), node.home().join("sound"));
    copy_folder(&index, &sound);
    let restore = |index: &Path| {
        fs::remove_dir_all(index).expect("it is there");
        copy_folder(&sound, index);
    };
    assert_eq!(starts_whole(&mut node, &ids, "nothing at all"), "[]");

    fs::remove_dir_all(&index).expect("it is there");
    let said = starts_whole(&mut node, &ids, "the index's loss");
    assert!(said.contains("rebuilt"), "{said}");

    let mut rebuilt = 0;
    for file in ["db", "entries"] {
        let length = usize::try_from(fs::metadata(sound.join(file)).expect("it is there").len()).expect("it is small");
        for part in [0, 1, 2, 3] {
            restore(&index);
            let bytes = fs::read(index.join(file)).expect("it is there");
            fs::write(index.join(file), &bytes[..length * part / 4]).expect("there is room");
            starts_whole(&mut node, &ids, &format!("the truncation of {file} to {part} quarters"));
        }
        // From one byte to a hole in every page.
        for round in (0..12).step_by(if file == "db" { 1 } else { 4 }) {
            restore(&index);
            let mut bytes = fs::read(index.join(file)).expect("it is there");
            for _ in 0..1 << round {
                bytes[chance.below(length)] ^= 1 << chance.below(8);
            }
            fs::write(index.join(file), bytes).expect("there is room");
            let said = starts_whole(&mut node, &ids, &format!("{} flipped bits of {file}", 1 << round));
            let is_rebuilt = said.contains("rebuilt");
            assert!(is_rebuilt || file == "db", "every bit of an entry is checked");
            rebuilt += usize::from(is_rebuilt);
        }
    }
    assert!(rebuilt > 3, "no flip of sled's was even noticed");
    restore(&index);
    fs::write(index.join("conf"), b"no configuration").expect("there is room");
    starts_whole(&mut node, &ids, "the index's configuration");
}

/// Posts of 40 KB each: a log that is read for seconds, not in one go before the node serves.
const LONG_LOG_POSTS: usize = 600;

#[test]
fn a_node_serves_while_it_makes_the_index_of_a_long_log_anew() {
    let mut node = TestNode::start(&network_name());
    let mut forge = Forge::new(node.network(), 1);
    let founded = forge.board("long");
    let board = founded.space();
    let words = "a word and another ".repeat(40_000 / 19);
    let posts = (0..LONG_LOG_POSTS).map(|number| forge.post(board, &format!("post {number}"), &words));
    let events: Vec<_> = std::iter::once(founded).chain(posts.collect::<Vec<_>>()).collect();
    node.follow(&board.to_string());
    node.import(&events[..1]);
    let own = node.written(&["post", &board.to_string(), "-t", "Own", "-m", "first words"]);
    node.import(&events[1..]);
    node.written(&["edit", &own, "-m", "better words at the end of the log"]);
    let mut ids = node.ids();
    assert_eq!(ids.len(), events.len() + 2);
    node.stop();
    fs::remove_dir_all(node.index_folder()).expect("it is there");

    // The first time the power goes amid it, the second time somebody writes.
    node.launch(&[]);
    let percent = node.object(&["status"])["remade_percent"].as_u64();
    assert!(percent.is_some_and(|percent| percent < 100), "it serves before all is there: {percent:?}");
    node.kill9();
    node.launch(&[]);
    let status = node.object(&["status"]);
    assert!(status["remade_percent"].is_u64(), "what was not made before is made now: {status}");
    // Both wait until it knows all that is held: what is taken back is the post and its edit.
    ids.push(node.written(&["retract", &own]));
    ids.push(node.written(&["post", &board.to_string(), "-t", "Meanwhile"]));
    ids.sort();
    let is_whole = || node.object(&["status"]).get("remade_percent").is_none_or(Value::is_null).then_some(());
    eventually("the index", DEADLINE, is_whole);
    assert_eq!(node.ids(), ids);
    node.assert_sound();
    node.stop();
    let has_words = |file: &PathBuf| {
        let log = fs::read(file).expect("it is there");
        log.windows(12).any(|bytes| bytes == b"better words")
    };
    let log = fs::read_dir(node.log_folder()).expect("it is there");
    assert!(
        !log.map(|file| file.expect("a file").path()).any(|file| has_words(&file)),
        "the edit's words are gone, too"
    );
    assert_eq!(starts_whole(&mut node, &ids, "nothing more"), "[]");
}

/// The one segment of a small log.
fn segment(node: &TestNode) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(node.log_folder()).expect("it is there").flatten().collect();
    assert_eq!(files.len(), 1);
    files.remove(0).path()
}

fn flip_within(file: &Path, needle: &[u8]) {
    let mut bytes = fs::read(file).expect("it is there");
    let at = bytes.windows(needle.len()).position(|window| window == needle).expect("the event is in the log");
    bytes[at + needle.len() / 2] ^= 0x10;
    fs::write(file, bytes).expect("there is room");
}

#[test]
fn a_damaged_record_costs_one_event_until_a_peer_gives_it_back() {
    for has_index in [true, false] {
        let mut nodes = nodes(2);
        let events = Forge::new(nodes[0].network(), 1).thread("damage", 198);
        for node in &nodes {
            node.follow(&events[0].space().to_string());
            node.import(&events);
        }
        let mut damaged = nodes.remove(0);
        let ids = damaged.ids();
        damaged.stop();
        let lost = &events[100];
        flip_within(&segment(&damaged), lost.bytes());
        if !has_index {
            fs::remove_dir_all(damaged.index_folder()).expect("it is there");
        }

        damaged.launch(&[]);
        let said = eventually("word of the damage", DEADLINE, || {
            let notices = damaged.object(&["status"])["notices"].to_string();
            notices.contains("damaged").then_some(notices)
        });
        assert!(said.contains("fetched from peers"), "{said}");
        let rest = damaged.ids();
        assert_eq!(rest.len(), ids.len() - 1, "the rest is served (index kept: {has_index})");
        assert!(!rest.contains(&lost.id().to_string()));
        let page = damaged.read(&events[1].id().to_string());
        assert!(flat(&page["thread"]).len() >= 198, "the thread is shown");

        damaged.connect(&nodes[0]);
        let healed = |node: &TestNode| (node.ids() == ids).then_some(());
        eventually(&format!("the lost event (index kept: {has_index})"), DEADLINE, || healed(&damaged));
        let post = events[1].id().to_string();
        assert_eq!(damaged.shared_view(&post), nodes[0].shared_view(&post));
        damaged.restart();
        assert_eq!(damaged.ids(), ids);
        // The place itself stays damaged, and fsck says where; no event is lost any more.
        let report = damaged.run(&["fsck"]);
        let report: Value = serde_json::from_slice(&report.stdout).expect("a report");
        let problems: Vec<_> = report["problems"].as_array().into_iter().flatten().map(text).collect();
        assert!(matches!(&problems[..], [one] if one.contains("damaged bytes in the log at")), "{problems:?}");
        // A repair notes the place, and it is news no more.
        let _ = damaged.run(&["fsck", "--repair"]);
        damaged.assert_sound();
        damaged.restart();
        assert_eq!(damaged.ids(), ids);
        damaged.assert_sound();
    }
}

#[test]
fn a_torn_tail_of_the_log_is_cut() {
    let mut chance = Chance::new("tail");
    let (mut node, ids) = stopped_node();
    for length in [1, 8, 9, 100, 5000] {
        let file = segment(&node);
        let mut bytes = fs::read(&file).expect("it is there");
        bytes.extend(chance.bytes(length));
        fs::write(&file, bytes).expect("there is room");
        let said = starts_whole(&mut node, &ids, &format!("{length} bytes of an unfinished write"));
        assert!(said.contains(&format!("cut {length} bytes")), "{said}");
    }
    // A record of which the end never reached the disk.
    let file = segment(&node);
    let bytes = fs::read(&file).expect("it is there");
    fs::write(&file, &bytes[..bytes.len() - 3]).expect("there is room");
    node.launch(&[]);
    assert!(node.notices().contains("cut"), "{}", node.notices());
    assert!(node.ids().len() >= ids.len() - 1);
    node.assert_sound();
}

/// All that a node shows of what it has, as text. With whom it was compared is another matter.
fn everything(node: &TestNode, roots: &[&str]) -> String {
    let mut boards = node.json(&["boards"]);
    for board in &mut boards {
        for field in ["peers_asked", "peers_equal", "checked_ms"] {
            board["completeness"][field].take();
        }
    }
    let mut lines = vec![boards, feed(node), node.json(&["outbox"]), node.json(&["id", "show"])];
    lines.push(roots.iter().map(|root| node.read(root)["thread"].take()).collect());
    serde_json::to_string_pretty(&lines).expect("it was JSON")
}

/// The feed without cursors, which name the moment at which the page was made.
fn feed(node: &TestNode) -> Vec<Value> {
    let mut feed = node.json(&["feed"]);
    feed.iter_mut().for_each(|line| drop(line["cursor"].take()));
    feed
}

#[test]
fn both_were_restarted_in_between_and_lost_nothing() {
    let mut nodes = nodes(2);
    nodes[1].connect(&nodes[0]);
    let board = nodes[0].found("kept");
    let quiet = nodes[0].found("quiet");
    nodes[0].object(&["unfollow", &quiet]);
    nodes[1].follow(&board);
    nodes[0].object(&["id", "name", "Ada"]);
    let post = nodes[0].post(&board, "A post");
    let unread = nodes[0].post(&board, "Another");
    nodes[1].holds(nodes[0].events() - 1);
    let reply = nodes[1].reply(&post, "An answer");
    nodes[1].object(&["vote", &post, "up"]);
    nodes[1].object(&["vote", &reply, "up"]);
    nodes[1].object(&["vote", &reply, "none"]);
    let gone = nodes[1].reply(&post, "Words in haste");
    nodes[1].object(&["retract", &gone]);
    nodes[0].object(&["edit", &post, "-m", "Better words"]);
    let shown = |node: &TestNode| {
        let thread = node.read(&post)["thread"].take();
        let is_all = flat(&thread).len() == 3 && thread["votes"]["up"] == 1 && thread["edited"].is_u64();
        (is_all && flat(&thread).iter().any(|node| node["retracted"] == true)).then_some(())
    };
    nodes.iter().for_each(|node| eventually("the same thread on both", DEADLINE, || shown(node)));
    for node in &nodes {
        let is_held = |line: &Value| line["state"] == "held" || line["board"] == quiet.as_str();
        eventually("the outbox to be delivered", DEADLINE, || {
            let lines = node.json(&["outbox"]);
            lines.iter().filter(|line| line["board"] == board.as_str()).all(is_held).then_some(())
        });
    }
    // Read marks and states of delivery are only worth a comparison while nobody changes them.
    let alone = |nodes: &mut [TestNode], kill: bool| {
        for node in nodes {
            if kill {
                node.kill9();
            } else {
                node.stop();
            }
            node.launch(&[]);
        }
    };
    let before: Vec<_> = nodes.iter().map(|node| everything(node, &[&post])).collect();
    let find_unread = |node: &TestNode| feed(node).into_iter().find(|line| line["id"] == unread.as_str());
    let unread_before = find_unread(&nodes[1]);
    for kill in [false, true] {
        alone(&mut nodes, kill);
        let after: Vec<_> = nodes.iter().map(|node| everything(node, &[&post])).collect();
        assert_eq!(before, after, "killed: {kill}");
        assert_eq!(unread_before, find_unread(&nodes[1]));
    }
    nodes.iter().for_each(TestNode::assert_sound);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_node_gives_memory_back_and_is_the_process_that_was_started() {
    let node = TestNode::start(&network_name());
    let pid = node.pid();
    assert_eq!(roda_tests::homes::holder(node.home()), Some(pid.as_raw_nonzero().get().unsigned_abs()));
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).expect("it runs");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("MALLOC_TRIM_THRESHOLD_=1048576"), "{environment}");
}

#[test]
fn a_home_has_one_node_and_one_network() {
    let mut node = TestNode::start(&network_name());
    let up = |node: &TestNode, network: &str| {
        let words = ["up", "--mdns", "off", "--listen", "/ip4/127.0.0.1/tcp/0", "--network", network];
        refusal(&node.run(&words))
    };
    let error = up(&node, node.network());
    assert_eq!(error["code"], "locked_home");
    let pid = node.ready()["pid"].to_string();
    assert!(text(&error["message"]).contains(&format!("process {pid}")), "{error}");
    assert_eq!(node.object(&["status"])["pid"].to_string(), pid, "the first one still serves");

    node.stop();
    let error = up(&node, &network_name());
    assert_eq!(error["code"], "other_network");
    node.launch(&[]);
}

#[test]
fn a_log_of_a_newer_format_is_refused_and_left_as_it_is() {
    let (mut node, ids) = stopped_node();
    let file = segment(&node);
    let sound = fs::read(&file).expect("it is there");
    let mut newer = sound.clone();
    newer[4..8].copy_from_slice(&99_u32.to_le_bytes());
    let checksum = crc32(&newer[..12]);
    newer[12..16].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&file, &newer).expect("there is room");
    let words = ["up", "--mdns", "off", "--listen", "/ip4/127.0.0.1/tcp/0", "--network", node.network()];
    let error = refusal(&node.run(&words));
    assert!(text(&error["message"]).contains("99"), "{error}");
    assert_eq!(error["code"], "format", "{error}");
    assert!(fs::read(&file).expect("it is there") == newer, "nothing was changed");
    fs::write(&file, sound).expect("there is room");
    assert_eq!(starts_whole(&mut node, &ids, "a visit of a newer version"), "[]");
}

/// Every file below a folder with its bytes, but for the lock, which has the number of whoever tried last.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("lock") {
            found.insert(path.clone(), fs::read(path).expect("it can be read"));
        }
    }
    found
}

#[test]
fn an_index_of_a_newer_format_is_refused_and_left_as_it_is() {
    let (mut node, ids) = stopped_node();
    let file = node.index_folder().join("format");
    let sound = fs::read(&file).expect("every index says of which format it is");
    fs::write(&file, "99\n").expect("there is room");
    // What a newer version may have made of the entries.
    let entries = node.index_folder().join("entries");
    let mut longer = fs::read(&entries).expect("it is there");
    longer.extend([7; 1000]);
    fs::write(&entries, longer).expect("there is room");
    let before = files(&node.home().join("data"));
    let words = ["up", "--mdns", "off", "--listen", "/ip4/127.0.0.1/tcp/0", "--network", node.network()];
    let error = refusal(&node.run(&words));
    assert_eq!(error["code"], "format", "{error}");
    assert!(text(&error["message"]).contains("99"), "{error}");
    assert!(files(&node.home().join("data")) == before, "nothing was changed");
    fs::write(&file, sound).expect("there is room");
    assert_eq!(starts_whole(&mut node, &ids, "a visit of a newer version"), "[]");
}

/// A stopped node with a copy of a stored home, and the ids of what is in it.
fn stored_home(network: &str, name: &str) -> (TestNode, Vec<String>) {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    let node = TestNode::of_copy(network, &stored);
    // Version control keeps no modes of this kind.
    for key in ["author.key", "network.key"] {
        fs::set_permissions(node.home().join(key), fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let ids = fs::read_to_string(stored.join("ids")).expect("it is there").lines().map(str::to_owned).collect();
    (node, ids)
}

#[test]
fn a_home_of_the_previous_format_is_taken_over_whole() {
    let (mut node, ids) = stored_home("test-migration-8", "home-format-8");
    node.launch(&[]);
    assert!(node.notices().contains("older version"), "{}", node.notices());
    // The last file still has words that the old index had given up: they are given up again.
    eventually("what was kept", DEADLINE, || (node.ids() == ids).then_some(()));
    node.assert_sound();
    node.stop();
    assert_eq!(starts_whole(&mut node, &ids, "the start after"), "[]");
    node.launch(&[]);
    assert_eq!(node.object(&["id", "show"])["name"], "Old Bo");
    let boards = node.json(&["boards"]);
    let board = |name: &str| boards.iter().find(|board| board["name"] == name).expect("it is followed");
    // The file of the log with its words was written anew by the old version; none of them is asked for again.
    let large = board("large");
    assert_eq!((&large["events"], &large["keep"]), (&json!(1668), &json!("200KiB")));
    assert_eq!((&large["completeness"]["declined"], &large["completeness"]["missing"]), (&json!(1668), &json!([])));
    assert_eq!((&board("kept")["threads"], &board("kept")["unread"]), (&json!(21), &json!(2)));
    assert_eq!(node.json(&["inbox"])[0]["text"], "an answer to Bo");
    let feed = node.json(&["feed", "kept"]);
    let first = feed.iter().find(|line| line["title"] == "Post 0").expect("the first post");
    let thread = node.read(&text(&first["id"]))["thread"].take();
    let comments = flat(&thread);
    assert_eq!(comments.len(), 12, "the post, ten answers and that of another author");
    assert_eq!(comments.iter().filter(|comment| comment["retracted"] == true).count(), 2);
    assert!(thread.to_string().contains("Better words 0") && thread.to_string().contains("better 6"));
    node.written(&["post", "kept", "-t", "Of the present format"]);
    node.assert_sound();
}

#[test]
fn a_home_of_an_early_format_is_taken_over_whole() {
    let (mut node, ids) = stored_home("test-migration", "home-format-3");
    assert!(ids.len() > 100);
    let said = starts_whole(&mut node, &ids, "a change of format");
    assert!(said.contains("older version"), "{said}");
    assert_eq!(starts_whole(&mut node, &ids, "the start after"), "[]");
    node.launch(&[]);
    assert_eq!(node.object(&["id", "show"])["name"], "Old Ada");
    let boards = node.json(&["boards"]);
    let kept: Vec<_> = boards.iter().filter(|board| board["followed"] == true).collect();
    assert_eq!(kept.len(), 1, "what was followed is, and what was not is not: {boards:?}");
    let feed = node.json(&["feed"]);
    assert_eq!(feed.len(), 20, "{feed:?}");
    let first = feed.iter().find(|line| line["title"] == "Post 0").expect("the first post");
    let thread = node.read(&text(&first["id"]))["thread"].take();
    let comments = flat(&thread);
    assert_eq!(comments.len(), 51);
    assert_eq!(comments.iter().filter(|comment| comment["retracted"] == true).count(), 5);
    assert!(thread.to_string().contains("Better words 0"));
    node.written(&["post", "kept", "-t", "Of the present format"]);
    node.assert_sound();
}

/// Copies of a log that are taken while a node writes, and how long that goes on.
const BACKUPS: usize = 12;

#[test]
fn a_copy_of_the_log_taken_while_the_node_writes_is_a_backup() {
    let mut node = TestNode::start(&network_name());
    let board = node.found("backup");
    let acknowledged = Mutex::new(Acknowledged::default());
    let load = Load { node: node.socket(), board: &board, point: 0 };
    let backups = tempfile::tempdir().expect("a folder");
    let mut promised = Vec::new();
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (load, acknowledged) = (&load, &acknowledged);
            scope.spawn(move || load.write(writer, acknowledged));
        }
        for number in 0..BACKUPS {
            let more = 20 * (number + 1);
            eventually("further posts", DEADLINE, || (lock(&acknowledged).own.len() >= more).then_some(()));
            promised.push(lock(&acknowledged).clone());
            let home = backups.path().join(number.to_string());
            fs::create_dir_all(home.join("data")).expect("there is room");
            fs::copy(node.home().join("author.key"), home.join("author.key")).expect("there is room");
            copy_folder(&node.log_folder(), &home.join("data/log"));
        }
        node.kill9();
    });
    for (number, promised) in promised.iter().enumerate() {
        let mut restored = TestNode::of_copy(node.network(), &backups.path().join(number.to_string()));
        restored.launch(&[]);
        assert_eq!(restored.ready()["author"], node.ready()["author"]);
        promised.is_kept_by(&restored).unwrap_or_else(|broken| panic!("backup {number}: {broken}"));
        restored.written(&["post", "backup", "-t", "And on it goes"]);
    }
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}
