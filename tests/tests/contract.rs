//! Every command with `--json`, on real nodes: what it prints is what its schema in `cli/schemas` says.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "../../cli/tests/cli/validator.rs"]
mod validator;

use roda_tests::wait::{DEADLINE, eventually};
use roda_tests::{homes, roda_binary};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;
use validator::assert_holds;

const UP: &[&str] = &["up", "--detach", "--network", "contract", "--listen", "/ip4/127.0.0.1/tcp/0", "--mdns", "off"];

/// How long one look for a line of `roda events` lasts; there is a new event before each.
const LOOK: Duration = Duration::from_secs(1);

/// Homes under one folder, whose nodes end with the test.
struct Homes {
    folder: TempDir,
    /// The schemas that something was held against.
    held: BTreeSet<String>,
}

impl Homes {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), held: BTreeSet::new() }
    }

    fn path(&self, home: &str) -> PathBuf {
        self.folder.path().join(home)
    }

    fn command(&self, home: &str, words: &[&str]) -> Command {
        let mut command = Command::new(roda_binary());
        command.current_dir(self.folder.path()).arg("--json").arg("--home").arg(self.path(home)).args(words);
        // One line at least is in the log of a detached node.
        command.env("RODA_LOG", "debug").stdin(Stdio::null());
        command
    }

    fn run(&self, home: &str, words: &[&str], code: i32) -> Output {
        let output = self.command(home, words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        output
    }

    /// Runs a command that succeeds, and holds what it prints against a schema. Returns the first object.
    fn holds(&mut self, home: &str, words: &[&str], schema: &str) -> Value {
        self.ends_and_holds(home, words, 0, schema)
    }

    fn ends_and_holds(&mut self, home: &str, words: &[&str], code: i32, schema: &str) -> Value {
        let output = self.run(home, words, code);
        self.check(&String::from_utf8(output.stdout).unwrap(), schema)
    }

    /// Runs a command that fails, and returns the error's code.
    fn fails(&mut self, home: &str, words: &[&str], code: i32) -> String {
        let output = self.run(home, words, code);
        let error = self.check(&String::from_utf8(output.stderr).unwrap(), "error");
        error["error"]["code"].as_str().unwrap().to_owned()
    }

    fn check(&mut self, lines: &str, schema: &str) -> Value {
        assert_holds(lines, schema);
        self.held.insert(schema.to_owned());
        serde_json::from_str(lines.lines().next().unwrap()).unwrap()
    }

    /// Searches until the index, which is a second behind, has the words of `write_and_read`.
    fn find(&mut self, post: &str) {
        let mut find = |words: &[&str]| {
            let found = self.holds("ana", words, "search");
            let hits = found["hits"].as_array().unwrap();
            hits.iter().find(|hit| hit["id"] == post && hit["excerpt"] == "t").cloned()
        };
        let hit = eventually("the index has the post", DEADLINE, || find(&["search", "t"]));
        assert_eq!((&hit["kind"], &hit["marks"][0]["end"]), (&Value::from("post"), &Value::from(1)));
        assert!(find(&["search", "t", "--author", "ana", "--until", "9999-01-01"]).is_some());
        assert_eq!(find(&["search", "t", "--until", "1999-01-01"]), None);
    }

    /// Writes until `roda events` has told of it.
    fn watch(&mut self, home: &str, board: &str) {
        let mut events = self.command(home, &["events"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(events.stdout.take().unwrap()).lines();
        let (sender, heard) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let line = (0..30).find_map(|_| {
            self.run(home, &["post", board, "-t", "seen"], 0);
            heard.recv_timeout(LOOK).ok()
        });
        events.kill().unwrap();
        events.wait().unwrap();
        self.check(&line.expect("the node tells what it admits"), "events");
    }
}

impl Drop for Homes {
    fn drop(&mut self) {
        homes::end_nodes_below(self.folder.path(), &roda_binary());
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[test]
fn every_command_on_real_nodes_prints_what_its_schema_says() {
    let mut homes = Homes::new();
    let homes = &mut homes;
    homes.holds("ana", &[], "welcome");
    let ready = homes.holds("ana", UP, "up");
    homes.holds("ana", &[], "status");
    homes.holds("ana", &["id", "show"], "id");
    homes.holds("ana", &["id", "name", "Ana"], "id");
    assert_eq!(homes.fails("ana", &["id", "name", "\u{202e}anA"], 1), "invalid");
    let founded = homes.holds("ana", &["board", "new", "b", "--title", "B", "--rule", "r", "--work", "0"], "board");
    let board = text(&founded, "board");
    homes.holds("bo", &[UP, &["--web", "off"]].concat(), "up");
    homes.holds("bo", &["connect", ready["listen"][0].as_str().unwrap()], "connect");
    homes.holds("bo", &["follow", board], "board");
    homes.holds("bo", &["sync", "--wait", "10"], "sync");

    find_boards(homes, board);
    join_by_an_invite(homes);
    write_and_read(homes);
    rule_and_explain(homes);
    homes.watch("ana", board);
    move_and_check(homes, board);
    run_a_test_network(homes);

    homes.holds("bo", &["keep", board, "30d"], "keep");
    homes.holds("bo", &["unfollow", board], "board");
    homes.holds("bo", &["down"], "down");
    let schemas = std::fs::read_dir(validator::folder()).unwrap();
    let schemas = schemas.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    assert_eq!(homes.held, schemas.collect());
}

fn find_boards(homes: &mut Homes, board: &str) {
    assert_eq!(homes.fails("bo", &["board", "list", "nowhere", "on"], 1), "not_found");
    assert_eq!(homes.holds("ana", &["board", "list", "b", "off"], "listing")["listing"], "off");
    assert_eq!(homes.holds("ana", &["board", "list", "b", "on"], "listing")["listing"], "on");
    assert_eq!(homes.holds("ana", &["boards"], "boards")["listing"], "on");
    // Peers are asked anew when people look.
    let listed = eventually("the peer's list", DEADLINE, || {
        let found = homes.run("bo", &["boards", "--find", "B"], 0).stdout;
        (!found.is_empty()).then(|| String::from_utf8(found).unwrap())
    });
    let found = homes.check(&listed, "directory");
    assert_eq!((text(&found, "board"), text(&found, "title"), &found["followed"]), (board, "B", &Value::from(true)));
    assert_eq!(homes.run("bo", &["boards", "--find", "another"], 0).stdout, b"");
    homes.holds("bo", &["board", "open", "lounge"], "board");
    assert_eq!(homes.fails("bo", &["board", "list", "lounge", "on"], 1), "invalid");
    homes.holds("bo", &["unfollow", "lounge"], "board");
}

fn join_by_an_invite(homes: &mut Homes) {
    let made = homes.holds("ana", &["invite", "b", "--expires", "5m", "--as-me"], "invite");
    let join = ["join", text(&made, "invite"), "--wait", "60", "--listen", "/ip4/127.0.0.1/tcp/0", "--mdns", "off"];
    homes.holds("dee", &join, "join");
    homes.holds("dee", &join, "join");
    assert_eq!(homes.fails("ana", &["invite", "nowhere"], 1), "not_found");
    assert_eq!(homes.fails("dee", &["join", "nonsense"], 1), "invalid");
    homes.holds("dee", &["down"], "down");
}

fn write_and_read(homes: &mut Homes) {
    let words =
        ["post", "b", "-t", "T", "-m", "\u{1b}[31m", "--tag", "a", "--link", "https://example.org", "--wait", "1"];
    let post = homes.holds("ana", &words, "written");
    let post = text(&post, "id");
    let reply = homes.holds("bo", &["reply", post, "-m", "r", "--wait", "1"], "written");
    homes.holds("bo", &["vote", post, "up", "--wait", "1"], "written");
    homes.holds("ana", &["edit", post, "-m", "t", "--wait", "1"], "written");
    homes.holds("bo", &["retract", text(&reply, "id"), "--wait", "1"], "written");
    homes.ends_and_holds("ana", &["reply", post, "-m", "x", "--wait", "9", "--timeout", "1"], 5, "written");
    for home in ["ana", "bo"] {
        homes.holds(home, &["boards"], "boards");
        homes.holds(home, &["feed"], "feed");
        homes.holds(home, &["feed", "b", "--sort", "top"], "feed");
        homes.holds(home, &["search", "words", "--board", "b", "--since", "2026-01-31", "--sort", "new"], "search");
        homes.holds(home, &["read", post], "read");
        homes.holds(home, &["read", post, "--depth", "0"], "read");
        homes.holds(home, &["peers"], "peers");
        homes.holds(home, &["peers", "--graph"], "peers-graph");
        let diagnosis = homes.holds(home, &["doctor"], "doctor");
        assert_eq!(diagnosis["problems"], 0, "{diagnosis}");
        homes.holds(home, &["outbox"], "outbox");
        homes.holds(home, &["logs"], "logs");
        homes.holds(home, &["status"], "status");
    }
    assert_eq!(homes.fails("ana", &["reply", post, "-m", "x", "--wait", "9", "--timeout", "1"], 5), "wait_not_met");
    assert_eq!(homes.fails("ana", &["read", "00000000"], 1), "not_found");
    assert_eq!(homes.fails("ana", &["search", "\"open"], 1), "invalid");
    assert_eq!(homes.fails("ana", &["search", "x", "--cursor", "y"], 1), "invalid");
    assert_eq!(homes.fails("ana", &["search", "x", "--author", "Nobody"], 1), "not_found");
    assert_eq!(homes.fails("ana", &["search", "x", "--board", "nowhere"], 1), "not_found");
    homes.find(post);
    assert_eq!(homes.fails("ana", &["retract", text(&reply, "id")], 1), "invalid");
    assert_eq!(homes.fails("ana", &["post", "nowhere", "-t", "t"], 1), "not_found");
    assert_eq!(homes.fails("ana", &["connect", "/ip4/127.0.0.1/tcp/1"], 1), "unreachable");
    assert_eq!(homes.fails("ana", UP, 1), "locked_home");
    homes.holds("ana", &["web"], "web");
    let versions = homes.holds("bo", &["history", post], "history");
    assert_eq!((text(&versions, "text"), &versions["first"]), ("t", &Value::from(false)));
    let first = homes.holds("bo", &["history", post, "--before", text(&versions, "cursor")], "history");
    assert_eq!((text(&first, "id"), &first["first"]), (post, &Value::from(true)));
    assert_eq!(homes.fails("bo", &["history", post, "--before", "x"], 1), "invalid");
    assert_eq!(homes.fails("bo", &["history", text(&reply, "id")], 1), "not_found");
    let log = homes.holds("bo", &["board", "log", "b"], "board-log");
    assert_eq!((text(&log, "title"), &log["rules"][0]), ("B", &Value::from("r")));
    assert_eq!(text(&log["charter"], "id"), text(&log, "board"));
    dress_the_page(homes, post);
    assert_eq!(homes.fails("ana", &["web", "password"], 1), "invalid");
    homes.holds("ana", &["web", "password", "--remove"], "web-password");
    assert_eq!(homes.fails("bo", &["web"], 1), "no_web_page");
    assert_eq!(homes.fails("ana", &["nonsense"], 2), "usage");
    assert_eq!(homes.fails("nobody", &["feed"], 3), "no_node");
    homes.ends_and_holds("nobody", &["doctor"], 1, "doctor");
}

/// How the page looks, and its feeds.
fn dress_the_page(homes: &mut Homes, post: &str) {
    assert_eq!(homes.holds("ana", &["web", "preferences"], "web-preferences")["language"], "auto");
    let changed = ["web", "preferences", "--language", "pt", "--keys", "off"];
    homes.holds("ana", &changed, "web-preferences");
    let now = homes.holds("ana", &["web", "preferences", "--theme", "dark"], "web-preferences");
    let said = (&now["language"], &now["theme"], &now["keys"]);
    assert_eq!(said, (&Value::from("pt"), &Value::from("dark"), &Value::from(false)));
    assert_eq!(homes.fails("ana", &["web", "preferences", "--language", "xx"], 1), "invalid");
    assert_eq!(homes.holds("ana", &["web", "feeds"], "web-feeds")["kind"], "inbox");
    let thread = homes.holds("ana", &["web", "feeds", post], "web-feeds");
    assert_eq!((text(&thread, "id"), text(&thread, "kind")), (post, "thread"));
    let renewed = homes.holds("ana", &["web", "feeds", "--renew"], "web-feeds");
    assert_ne!(text(&renewed, "url").split_once("key=").unwrap().1, text(&thread, "url").split_once("key=").unwrap().1);
    assert_eq!(homes.holds("ana", &["web", "feeds", "b"], "web-feeds")["kind"], "board");
    assert_eq!(homes.fails("ana", &["web", "feeds", "nowhere"], 1), "not_found");
    assert_eq!(homes.fails("bo", &["web", "feeds"], 1), "no_web_page");
}

/// A reader's own state, and reasons.
fn rule_and_explain(homes: &mut Homes) {
    let post = homes.holds("ana", &["post", "b", "-t", "Mine", "-m", "words", "--wait", "1"], "written");
    let post = text(&post, "id").to_owned();
    let answer = homes.holds("bo", &["reply", &post, "-m", "an answer", "--wait", "1"], "written");
    let answer = text(&answer, "id").to_owned();
    let bo = text(&homes.holds("bo", &["id", "show"], "id"), "author").to_owned();

    let first = homes.holds("ana", &["inbox"], "inbox");
    assert_eq!((text(&first, "id"), text(&first, "why"), text(&first, "text")), (&*answer, "answer", "an answer"));
    let count = homes.holds("ana", &["inbox", "--count"], "inbox-unread");
    assert_eq!((&count["unread"], &count["more"]), (&Value::from(1), &Value::from(false)));
    let next = homes.holds("ana", &["next"], "next");
    assert_eq!(next["item"]["node"]["id"], Value::from(&*answer));
    assert_eq!(next["item"]["answers"]["id"], Value::from(&*post));
    assert_eq!(homes.run("ana", &["inbox"], 0).stdout, b"");
    homes.holds("ana", &["inbox", "--all"], "inbox");
    homes.holds("ana", &["inbox", "--clear"], "inbox-clear");
    homes.holds("ana", &["catchup"], "board");
    assert_eq!(homes.holds("ana", &["next", "b"], "next")["item"], Value::Null);

    for words in [
        &["watch", &*answer][..],
        &["mute", "word:answer"],
        &["score", "add", "older:30d", "-5"],
        &["follow", &bo[..12]],
        &["mute", &bo],
        &["rules"],
        &["score", "list"],
    ] {
        homes.holds("ana", words, "rule");
    }
    let listed = homes.run("ana", &["inbox", "--all"], 0).stdout;
    assert!(!String::from_utf8(listed).unwrap().contains(&answer), "what the rules hide is left out");
    let hidden = homes.holds("ana", &["inbox", "--all", "--hidden"], "inbox");
    assert_eq!((text(&hidden, "id"), &hidden["hidden"]["why"]), (&*answer, &Value::from("author")));
    let read = homes.holds("ana", &["read", &post], "read");
    let shown = &read["thread"]["children"][0];
    assert_eq!((&shown["text"], &shown["hidden"]["by"]), (&Value::from(""), &Value::from("you")));
    let read = homes.holds("ana", &["read", &post, "--hidden"], "read");
    assert_eq!(read["thread"]["children"][0]["text"], "an answer");
    for sort in ["new", "active", "top", "hot", "balanced"] {
        homes.holds("ana", &["feed", "--sort", sort, "--hidden"], "feed");
    }
    homes.holds("ana", &["feed", "--sort", "top", "--range", "day"], "feed");
    assert_eq!(homes.fails("ana", &["feed", "--sort", "new", "--range", "day"], 1), "invalid");
    assert_eq!(homes.fails("ana", &["mute", "word:*"], 1), "invalid");

    let written = homes.holds("ana", &["author", &bo, "--limit", "1", "--hidden"], "author");
    assert_eq!((text(&written, "id"), text(&written, "title")), (&*answer, "Mine"));
    homes.holds("ana", &["author", &bo[..12], "--before", text(&written, "cursor")], "author");
    assert_eq!(homes.fails("ana", &["author", "nobody"], 1), "not_found");

    let why = homes.holds("ana", &["why", &answer], "why");
    assert_eq!((&why["signature"]["valid"], &why["brought"]["by"]), (&Value::from(true), &Value::from("peer")));
    assert_eq!(why["hidden"]["why"], "author");
    assert_eq!(why["ranks"].as_array().unwrap().len(), 5);
    let power = homes.holds("ana", &["power"], "power");
    assert_eq!(power["overall"]["comments"]["holders"], 2, "{power}");
    let loss = &power["losses"][0];
    assert_eq!(
        (power["losses"].as_array().unwrap().len(), &loss["first_deliveries"]),
        (1, &Value::from(1.0)),
        "{power}"
    );
    assert!(loss["only_copy_of"].as_array().unwrap().contains(&Value::from("b")), "nobody else has it: {power}");
    for way in ["received", "sent"] {
        assert!(power[way]["total"].as_u64() > Some(1000), "{way}: {power}");
        assert_eq!(power[format!("top_{way}")][0]["who"], loss["peer_id"], "{power}");
    }
    homes.holds("ana", &["power", "b", "--days", "1"], "power");

    homes.holds("ana", &["keep", "b", "365d"], "keep");
    let state = homes.run("ana", &["export", "--reader"], 0).stdout;
    homes.check(std::str::from_utf8(&state).unwrap(), "reader");
    std::fs::write(homes.path("reader"), &state).unwrap();
    for words in
        [&["unmute", &*bo][..], &["unmute", "word:answer"], &["unwatch", &*post], &["score", "remove", "older:30d"]]
    {
        assert_eq!(homes.holds("ana", words, "rule")["effect"], "none");
    }
    homes.holds("ana", &["read", &post], "read");
    let report = homes.holds("ana", &["import", "--reader", "reader"], "reader-import");
    assert_eq!(report["rejected"], 0, "{report}");
    let again = homes.run("ana", &["export", "--reader"], 0).stdout;
    assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(state).unwrap());
    homes.holds("ana", &["unmute", &bo], "rule");
}

fn move_and_check(homes: &mut Homes, board: &str) {
    let exported = homes.run("ana", &["export", "b"], 0).stdout;
    homes.check(std::str::from_utf8(&exported).unwrap(), "export");
    std::fs::write(homes.path("lines"), &exported).unwrap();
    homes.holds("cy", UP, "up");
    homes.holds("cy", &["follow", board], "board");
    let state = homes.holds("cy", &["import", "--reader", "reader"], "reader-import");
    assert!(state["waiting"].as_u64() > Some(0) && state["rejected"] == 0, "{state}");
    let kept = homes.holds("cy", &["boards"], "boards");
    assert_eq!((&kept["keep"], &kept["listing"]), (&Value::from("365d"), &Value::from("on")));
    let again = String::from_utf8(homes.run("cy", &["export", "--reader"], 0).stdout).unwrap();
    assert!(again.contains("\"reader\":\"read\""), "marks that wait can be moved on: {again}");
    std::fs::write(homes.path("old"), "{\"reader\":\"rule\",\"what\":\"word:old\",\"effect\":\"mute\"}\n").unwrap();
    assert_eq!(homes.holds("cy", &["import", "--reader", "old"], "reader-import")["imported"], 1);
    std::fs::write(homes.path("later"), "{\"reader\":\"format\",\"version\":99}\n").unwrap();
    assert_eq!(homes.fails("cy", &["import", "--reader", "later"], 1), "invalid");
    let report = homes.holds("cy", &["import", "lines"], "import");
    assert_eq!(report["imported"], exported.iter().filter(|byte| **byte == b'\n').count());
    let is_read = || {
        let feed = String::from_utf8(homes.run("cy", &["feed", "b"], 0).stdout).unwrap();
        let mut lines = feed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| line["title"] == "Mine").filter(|line| line["unread"] == 0)
    };
    eventually("what ana has read counts as read", DEADLINE, is_read);
    homes.holds("cy", &["fsck"], "fsck");
    homes.holds("cy", &["fsck", "--repair"], "fsck");
    homes.holds("cy", &["board", "open", "lounge"], "board");
    look_alike_boards(homes);
}

fn look_alike_boards(homes: &mut Homes) {
    let other = homes.holds("cy", &["board", "new", "Lounge", "--work", "0"], "board");
    assert_eq!(other["look_alike"], true);
    let boards = String::from_utf8(homes.run("cy", &["boards"], 0).stdout).unwrap();
    homes.check(&boards, "boards");
    for line in boards.lines() {
        let board: Value = serde_json::from_str(line).unwrap();
        let is_alike = text(&board, "name").eq_ignore_ascii_case("lounge");
        assert_eq!(board["look_alike"], is_alike, "{line}");
    }
    homes.holds("cy", &["post", "Lounge", "-t", "Which one?"], "written");
    let feed = homes.holds("cy", &["feed", "Lounge"], "feed");
    assert_eq!(feed["board_look_alike"], true);
    let read = homes.holds("cy", &["read", text(&feed, "id")], "read");
    assert_eq!(read["thread"]["board_look_alike"], true);
}

fn run_a_test_network(homes: &mut Homes) {
    homes.holds("net", &["devnet", "up", "-n", "2"], "devnet-up");
    assert_eq!(homes.fails("net", &["devnet", "up", "-n", "2"], 1), "already_running");
    homes.holds("net", &["devnet", "status"], "devnet-status");
    homes.holds("net", &["devnet", "down", "--purge"], "devnet-down");
}
