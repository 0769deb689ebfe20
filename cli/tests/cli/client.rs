//! The client's own manners, against a fake node: exit codes, errors, pipes, signals, drafts.

use crate::fake_node::{Answer, FakeNode, error, roda, stderr, stdout};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ID: &str = "aaaaaaaabbbbbbbbccccccccddddddddaaaaaaaabbbbbbbbccccccccdddddddd";

fn refusing(status: u16, code: &'static str) -> FakeNode {
    let body = json!({ "error": { "code": code, "message": "no \u{1b}[2Jgood\u{202e}", "hint": "try\nagain" } });
    FakeNode::start(move |_| Answer::Json(status, body.to_string()))
}

fn written(wait_met: bool) -> Value {
    json!({ "id": ID, "board": ID, "state": "queued", "held_by": 0, "wait_met": wait_met, "target": null })
}

fn status(peers: u64) -> Value {
    json!({
        "peer_id": "12D3", "author": "@x", "network": "n", "uptime_s": 1, "peers": peers, "boards": 1, "events": 1,
        "disk_bytes": 1, "version": "0", "pid": 1, "listen": [], "notices": [], "counters": {},
    })
}

#[test]
fn without_a_node_the_exit_code_is_3_and_the_hint_starts_one() {
    let home = tempfile::tempdir().unwrap();
    let output = roda(home.path(), &["status", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stdout(&output), "");
    assert_eq!(error(&output)["code"], "no_node");
    assert!(error(&output)["hint"].as_str().unwrap().contains("roda up"));
}

#[test]
fn a_socket_that_nobody_serves_is_no_node() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("run")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(home.path().join("run/api.sock")).unwrap());
    let output = roda(home.path(), &["feed"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("no node is running"));
}

#[test]
fn a_flag_for_the_home_is_part_of_the_hint() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_roda"));
    let output = command.args(["status", "--json", "--home", folder]).env_remove("RODA_HOME").output().unwrap();
    assert_eq!(error(&output)["hint"], format!("start one: roda --home {folder} up"));
}

#[test]
fn what_the_node_refuses_fails_with_the_nodes_code() {
    let node = refusing(404, "not_found");
    let output = node.json(&["read", "abcd"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    assert_eq!(error(&output)["code"], "not_found");
    assert_eq!(refusing(423, "locked").json(&["status"]).status.code(), Some(4));
}

#[test]
fn an_error_message_does_nothing_to_a_screen() {
    let node = refusing(400, "invalid");
    for output in [node.human(&["peers"]), node.json(&["peers"])] {
        let text = stderr(&output);
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
        assert!(text.contains("good"));
    }
}

#[test]
fn a_node_that_dies_in_the_middle_of_its_answer_is_told() {
    let node = FakeNode::start(|_| Answer::Torn);
    let output = node.json(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(error(&output)["code"], "connection_lost");
}

#[test]
fn usage_errors_are_json_under_json() {
    let home = tempfile::tempdir().unwrap();
    let output = roda(home.path(), &["--json", "vote", "abcd", "sideways"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(error(&output)["code"], "usage");
    assert!(error(&output)["message"].as_str().unwrap().contains("sideways"));
}

#[test]
fn a_wait_that_is_not_met_prints_the_object_and_exits_with_5() {
    let node = FakeNode::start(|_| Answer::Json(200, written(false).to_string()));
    let output = node.json(&["post", "b", "-t", "T", "-m", "M", "--wait", "2", "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(5));
    let object: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(object["id"], ID);
    assert_eq!(error(&output)["code"], "wait_not_met");
    let body: Value = serde_json::from_str(&node.asked()[0].body).unwrap();
    assert_eq!(body["wait"], json!({ "peers": 2, "timeout_s": 1 }));
}

#[test]
fn a_writer_without_peers_is_told_what_will_happen() {
    let node = FakeNode::start(|asked| {
        let answer = if asked.what == "GET /api/v1/status" { status(0) } else { written(true) };
        Answer::Json(200, answer.to_string())
    });
    let output = node.human(&["reply", "abcd", "-m", "words"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("no peer is connected, it will be sent when one is"), "{}", stdout(&output));
    assert!(stdout(&output).starts_with("✓ replied aaaaaaaa"));
}

#[test]
fn each_write_asks_its_own_route() {
    let node = FakeNode::start(|_| Answer::Json(200, written(true).to_string()));
    for words in [
        &["reply", "ab/cd", "-m", "x"][..],
        &["edit", "abcd", "-t", "T"],
        &["retract", "abcd"],
        &["vote", "abcd", "down"],
        &["post", "b", "-t", "only a title"],
    ] {
        assert_eq!(node.json(words).status.code(), Some(0), "{words:?}");
    }
    let asked = node.asked();
    let routes: Vec<_> = asked.iter().map(|asked| asked.what.as_str()).collect();
    let expected = [
        "POST /api/v1/events/ab%2Fcd/reply",
        "POST /api/v1/events/abcd/edit",
        "POST /api/v1/events/abcd/retract",
        "POST /api/v1/events/abcd/vote",
        "POST /api/v1/posts",
    ];
    assert_eq!(routes, expected);
    let edit: Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!((&edit["title"], &edit["text"], &edit["link"]), (&json!("T"), &Value::Null, &Value::Null));
    let vote: Value = serde_json::from_str(&asked[3].body).unwrap();
    assert_eq!(vote["value"], -1);
}

#[test]
fn a_text_from_standard_input_is_kept_until_it_is_stored() {
    let post = |node: &FakeNode| {
        let mut command = roda(node.home.path(), &["--json", "post", "b", "-t", "T", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all("long\nwords\n".as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let refuses = refusing(400, "not_followed");
    let output = post(&refuses);
    assert_eq!(output.status.code(), Some(1));
    let drafts: Vec<_> = std::fs::read_dir(refuses.home.path().join("drafts")).unwrap().collect();
    let draft = drafts[0].as_ref().unwrap().path();
    assert_eq!(std::fs::read_to_string(&draft).unwrap(), "long\nwords");
    assert!(error(&output)["hint"].as_str().unwrap().contains(draft.to_str().unwrap()));

    let accepts = FakeNode::start(|_| Answer::Json(200, written(true).to_string()));
    assert_eq!(post(&accepts).status.code(), Some(0));
    assert_eq!(std::fs::read_dir(accepts.home.path().join("drafts")).unwrap().count(), 0);
    let body: Value = serde_json::from_str(&accepts.asked()[0].body).unwrap();
    assert_eq!(body["text"], "long\nwords");
}

#[test]
fn a_reply_without_words_and_without_a_person_is_a_usage_error() {
    let node = FakeNode::start(|_| Answer::Json(200, written(true).to_string()));
    assert_eq!(node.json(&["reply", "abcd"]).status.code(), Some(2));
    assert_eq!(node.json(&["post", "b"]).status.code(), Some(2));
    assert_eq!(node.json(&["edit", "abcd"]).status.code(), Some(2));
    assert!(node.asked().is_empty());
}

#[test]
fn a_long_list_into_a_closed_pipe_ends_quietly() {
    let line = json!({ "id": ID, "board": ID, "kind": "post", "state": "held", "held_by": 1, "created_ms": 1 });
    let entries = vec![line; 20_000];
    let node = FakeNode::start(move |_| Answer::Json(200, json!(entries).to_string()));
    for words in [&["outbox", "--json"][..], &["outbox"]] {
        let mut child = roda(node.home.path(), words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut String::new()).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stderr(&output), "");
    }
}

fn events() -> (FakeNode, std::process::Child) {
    let line = json!({ "event": "admitted", "id": ID, "board": ID, "kind": "post" });
    let node = FakeNode::start(move |_| Answer::Open(format!("{line}\n")));
    let mut command = roda(node.home.path(), &["events", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    (node, child)
}

#[test]
fn a_stream_ends_when_its_reader_goes_although_nothing_more_happens() {
    let (_node, mut child) = events();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("admitted"));
    drop(reader);
    let begin = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_interrupt_ends_a_stream_with_130() {
    let (_node, mut child) = events();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    reader.read_to_string(&mut String::new()).unwrap();
}

#[test]
fn an_import_is_sent_in_pieces_and_its_counts_are_summed() {
    let node = FakeNode::start(|asked| {
        let lines = asked.body.lines().count();
        Answer::Json(200, json!({ "imported": lines, "duplicate": 1, "rejected": 0, "reasons": [] }).to_string())
    });
    let file = node.home.path().join("export");
    let mut text = "{}\n".repeat(1100);
    text.push_str(&"x".repeat(300 * 1024));
    std::fs::write(&file, text).unwrap();
    let output = node.json(&["import", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["imported"], &report["duplicate"], &report["rejected"]), (&json!(1100), &json!(3), &json!(1)));
    assert_eq!(report["reasons"], json!(["line 1101 is longer than any event"]));
}

#[test]
fn problems_are_an_exit_code_and_a_repair_is_looked_at_again() {
    let node = FakeNode::start(|asked| {
        let repair = asked.body.contains("true");
        let second = json!({ "events": 3, "problems": [], "repaired": false });
        let first = json!({ "events": 3, "problems": ["row 7"], "repaired": repair });
        Answer::Json(200, if repair { first } else { second }.to_string())
    });
    let output = node.json(&["fsck", "--repair"]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["problems"], &report["found"]), (&json!([]), &json!(["row 7"])));
    let node = FakeNode::start(|_| Answer::Json(200, r#"{"events":3,"problems":["row 7"],"repaired":false}"#.into()));
    let output = node.json(&["fsck"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(error(&output)["code"], "problems");
}

#[test]
fn a_feed_asks_for_more_until_it_has_enough() {
    let node = FakeNode::start(|asked| {
        let number: usize = asked.what.split_once("before=").map_or(0, |(_, cursor)| cursor.parse().unwrap());
        let entry = |number: usize| {
            json!({
                "id": ID, "board": ID, "board_name": "b", "title": format!("t{number}"), "author": "@a", "name": null,
                "created_ms": 1, "active_ms": 1, "comments": 0, "score": 0, "unread": 0, "retracted": false,
                "cursor": (number + 1).to_string(),
            })
        };
        let page: Vec<Value> = (number..(number + 10).min(25)).map(entry).collect();
        Answer::Json(200, json!(page).to_string())
    });
    let titles = |words: &[&str]| {
        let text = stdout(&node.json(words));
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["title"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&["feed"]).len(), 25);
    assert_eq!(titles(&["feed", "--limit", "12"]).last(), Some(&json!("t11")));
    assert_eq!(titles(&["feed", "--before", "20"]).first(), Some(&json!("t20")));
}

#[test]
fn exported_lines_keep_their_meaning_and_do_nothing_to_a_screen() {
    let line = json!({ "id": ID, "text": "a\u{9b}2J\u{202e}b" });
    let node = FakeNode::start(move |_| Answer::Json(200, format!("{line}\n{line}\n")));
    let output = node.human(&["export", "my board"]);
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains('\u{9b}') && !text.contains('\u{202e}'));
    let back: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(back["text"], "a\u{9b}2J\u{202e}b");
    assert_eq!(node.asked()[0].what, "GET /api/v1/export?board=my%20board");
}
