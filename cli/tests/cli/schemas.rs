//! Each object that a command prints is what its schema says.

use crate::fake_node::{Answer, FakeNode, roda, stderr, stdout};
use crate::validator::{assert_holds, folder, schema};
use roda_protocol::id::SpaceId;
use roda_protocol::invite::{Address, Invitation, InvitedBoard};
use roda_protocol::keys::SecretKey;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a node answers, by method and path.
fn answer(what: &str) -> Value {
    let (id, board, author) = ("ab".repeat(32), "cd".repeat(32), format!("@{}", "k".repeat(52)));
    let path = what.split('?').next().unwrap_or_default();
    let node = |depth: u16, missing: bool| {
        json!({
            "id": id, "parent": null, "depth": depth, "missing": missing, "author": if missing { "" } else { &author },
            "name": null, "title": "t", "text": "x", "link": null, "tags": ["a"], "created_ms": 1, "edited": 2,
            "retracted": false, "hidden": { "why": "dropped" }, "votes": { "up": 1, "down": 0 }, "unread": true,
            "mine": false,
        })
    };
    match path {
        "GET /api/v1/status" => json!({
            "peer_id": "12D3", "author": author, "network": "n", "uptime_s": 1, "peers": 1, "boards": 1, "events": 1,
            "disk_bytes": 1, "version": "0", "pid": 1, "listen": [], "reachability": "relayed", "confirmed": [], "relays": ["12D4"],
            "web": { "url": "https://127.0.0.1:1", "certificate": "AB:CD" }, "notices": [], "counters": { "x": 1 },
        }),
        "GET /api/v1/doctor" => json!({ "problems": 0, "findings": [
            { "check": "clock", "state": "note", "message": "m", "fix": "roda status" },
        ] }),
        "GET /api/v1/identity" | "POST /api/v1/identity" => json!({ "author": author, "name": null }),
        "GET /api/v1/boards" => json!([{
            "board": board, "name": "b", "kind": "open", "followed": true, "events": 1, "threads": 1, "unread": 0,
            "title": null, "keep": "forever", "listing": "on", "completeness": {
                "held": 1, "declined": 0, "missing": [id], "peers_equal": 1, "peers_asked": 2, "checked_ms": 3,
            },
        }]),
        "GET /api/v1/directory" => json!([{
            "board": board, "name": "b", "title": "t", "description": "", "language": "en", "stewards": [author],
            "known_by": 2, "networks": 1, "events": 3, "threads": 1, "last_active_day": "2026-11-30", "followed": false,
        }]),
        _ if path.starts_with("GET /api/v1/authors/") => {
            json!({ "author": author, "name": null, "next": null, "events": [{
            "id": id, "kind": "comment", "board": board, "board_name": "b", "thread": id, "title": "t", "author": author,
            "name": null, "created_ms": 1, "edited": null, "text": "x", "link": null, "tags": [], "retracted": false,
            "hidden": null, "cursor": "7",
        }] })
        }
        "GET /api/v1/boards/log" => json!({
            "board": board, "name": "b", "kind": "charter", "followed": true, "title": "t", "description": "d", "rules": ["r"],
            "charter": {
                "id": board, "founder": { "author": author, "name": null, "look_alike": false }, "created_ms": 1,
                "language": "en", "work_bits": 12, "stewards": [{ "author": author, "name": "n", "look_alike": true }],
            },
        }),
        "GET /api/v1/web/preferences" | "POST /api/v1/web/preferences" => {
            json!({ "language": "pt", "theme": "auto", "keys": true })
        }
        "GET /api/v1/web/feeds" | "POST /api/v1/web/feeds" => json!([{
            "kind": "board", "id": board, "name": "b", "url": "http://127.0.0.1:1/b/cd/atom.xml?key=ab",
        }]),
        _ if path.ends_with("/history") => json!([{
            "id": id, "target": id, "first": true, "author": author, "name": null, "look_alike": false, "created_ms": 1,
            "title": "t", "text": "x", "link": null, "retracted": false, "hidden": null, "cursor": "c",
        }]),
        "GET /api/v1/inbox/unread" => json!({ "unread": 99, "more": true, "hidden": true }),
        "POST /api/v1/listing" => json!({ "board": board, "name": "b", "listing": "on" }),
        "POST /api/v1/keep" => json!({ "board": board, "name": "b", "keep": "30d" }),
        "POST /api/v1/boards" | "POST /api/v1/boards/open" | "POST /api/v1/follow" | "POST /api/v1/unfollow" => {
            json!({ "board": board, "name": "b" })
        }
        "GET /api/v1/feed" if what.contains("before=") => json!([]),
        "GET /api/v1/feed" => json!([{
            "id": id, "board": board, "board_name": "b", "title": "t", "author": author, "name": null, "created_ms": 1,
            "active_ms": 1, "comments": 1, "score": -1, "unread": 1, "retracted": false, "cursor": "c",
        }]),
        "GET /api/v1/search" => json!({
            "hits": [{
                "id": id, "thread": id, "board": board, "board_name": "b", "kind": "comment", "title": "t", "title_marks": [],
                "author": author, "name": null, "created_ms": 1, "excerpt": "x y", "marks": [{ "start": 0, "end": 1 }],
                "hidden": null,
            }],
            "found": 2, "cursor": "c", "complete": false, "indexed": 1, "total": 2, "problem": null,
        }),
        "GET /api/v1/peers" => json!([{
            "peer_id": "12D3", "addr": "/ip4/127.0.0.1/tcp/1", "direction": "inbound", "since_ms": 1,
            "boards": [board], "latency_ms": null,
        }]),
        "POST /api/v1/web" => json!({ "url": "https://127.0.0.1:1/login/ab", "certificate": "AB:CD" }),
        "POST /api/v1/connect" => json!({ "peer_id": "12D3" }),
        "POST /api/v1/invites" => json!({
            "invite": "roda:aeaq", "expires_ms": 1, "board": board, "name": "b", "network": "n",
            "addresses": ["/ip4/127.0.0.1/tcp/1/p2p/12D3"], "range": "this_machine", "reachability": "unknown",
        }),
        "POST /api/v1/join" => json!({
            "board": board, "name": "b", "is_own": false, "dials": [
                { "address": "/ip4/127.0.0.1/tcp/1/p2p/12D3", "peer_id": "12D3", "error": null },
                { "address": "/ip4/127.0.0.1/tcp/2/p2p/12D4", "peer_id": null, "error": "nobody is there" },
            ],
        }),
        "POST /api/v1/sync" => json!([{
            "board": board, "events": 1, "peers_asked": 1, "peers_equal": 1, "received": 0, "sent": 0, "rounds": 1,
            "bytes": 60, "held": 1, "declined": 0, "missing": [id], "checked_ms": 3,
        }]),
        "GET /api/v1/outbox" => json!([{
            "id": id, "board": board, "kind": "post", "state": "held", "held_by": 2, "created_ms": 1,
        }]),
        "GET /api/v1/export" => json!({
            "id": id, "board": board, "kind": "post", "author": author, "created_ms": 1, "text": "t", "bytes": "AA==",
        }),
        "POST /api/v1/import" => json!({ "imported": 1, "duplicate": 0, "rejected": 0, "reasons": [] }),
        "POST /api/v1/fsck" => json!({ "events": 1, "problems": [], "repaired": false }),
        "GET /api/v1/events" => {
            json!({ "event": "declined", "id": id, "board": board, "kind": "vote", "why": "quota" })
        }
        _ if path.starts_with("GET /api/v1/threads/") => json!({
            "board": board, "board_name": "b", "root": id, "asked": id,
            "nodes": [node(0, true), node(1, false), node(2, false), node(3, true), node(4, false)],
            "completeness": {
                "held": 2, "declined": 0, "missing": [id], "peers_equal": 1, "peers_asked": 2, "checked_ms": 3,
            },
        }),
        _ => json!({ "id": id, "board": board, "state": "sent", "held_by": 0, "wait_met": true, "target": id }),
    }
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let node = FakeNode::start(|asked| Answer::Json(200, answer(&asked.what).to_string()));
    let file = node.home.path().join("lines");
    std::fs::write(&file, "{}\n").unwrap();
    std::fs::write(node.home.path().join("node.log"), "a line\n").unwrap();
    let file = file.to_str().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&[], "status"),
        (&["status"], "status"),
        (&["web"], "web"),
        (&["web", "password", "--remove"], "web-password"),
        (&["doctor"], "doctor"),
        (&["peers", "--graph"], "peers-graph"),
        (&["peers", "--graph", "mermaid"], "peers-graph"),
        (&["logs"], "logs"),
        (&["id", "show"], "id"),
        (&["id", "name", "ann"], "id"),
        (&["board", "new", "b"], "board"),
        (&["board", "open", "b"], "board"),
        (&["board", "list", "b", "on"], "listing"),
        (&["board", "log", "b"], "board-log"),
        (&["history", "abab"], "history"),
        (&["web", "preferences"], "web-preferences"),
        (&["web", "preferences", "--language", "pt", "--keys", "on"], "web-preferences"),
        (&["web", "feeds"], "web-feeds"),
        (&["web", "feeds", "b"], "web-feeds"),
        (&["web", "feeds", "--renew"], "web-feeds"),
        (&["boards"], "boards"),
        (&["boards", "--find"], "directory"),
        (&["boards", "--find", "b", "c", "--limit", "1"], "directory"),
        (&["follow", "b"], "board"),
        (&["unfollow", "b"], "board"),
        (&["keep", "b", "30d"], "keep"),
        (&["post", "b", "-t", "t", "-m", "x"], "written"),
        (&["reply", "abab", "-m", "x"], "written"),
        (&["edit", "abab", "-m", "x"], "written"),
        (&["retract", "abab"], "written"),
        (&["vote", "abab", "up"], "written"),
        (&["feed"], "feed"),
        (&["search", "frost", "may", "--board", "b", "--sort", "new"], "search"),
        (&["author", "@abab"], "author"),
        (&["inbox", "--count"], "inbox-unread"),
        (&["read", "abab"], "read"),
        (&["read", "abab", "--depth", "1"], "read"),
        (&["peers"], "peers"),
        (&["connect", "/ip4/127.0.0.1/tcp/1"], "connect"),
        (&["sync"], "sync"),
        (&["invite"], "invite"),
        (&["invite", "b", "--expires", "1h", "--as-me", "--qr"], "invite"),
        (&["outbox"], "outbox"),
        (&["export"], "export"),
        (&["import", file], "import"),
        (&["fsck"], "fsck"),
        (&["events"], "events"),
    ];
    for (words, name) in cases {
        let output = node.json(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", stderr(&output));
        assert_holds(&stdout(&output), name);
        // The same for a person does not fail, and is not JSON.
        let output = node.human(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", stderr(&output));
        assert!(*name == "export" || !stdout(&output).starts_with('{'), "{words:?}");
    }
}

/// An invite to the network `n` that is good for a minute from `issued_ms` on.
fn invite(issued_ms: u64) -> String {
    let said = Invitation {
        network: "n".into(),
        issued_ms,
        expires_ms: issued_ms + 60_000,
        addresses: vec![Address(vec![4, 127, 0, 0, 1, 6, 0, 1])],
        others: vec![],
        board: InvitedBoard::Charter { board: SpaceId([0xcd; 32]), name: "b".into(), title: String::new() },
        stewards: vec![SecretKey::from_seed(&[2; 32]).public()],
        authors: vec![],
    };
    said.sign(&SecretKey::from_seed(&[1; 32])).unwrap()
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

#[test]
fn joining_prints_what_its_schema_says_and_shows_the_first_threads() {
    let node = FakeNode::start(|asked| match asked.what.as_str() {
        "GET /api/v1/events" => Answer::Open("\n".into()),
        what => Answer::Json(200, answer(what).to_string()),
    });
    let output = node.json(&["join", &invite(now_ms())]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_holds(&stdout(&output), "join");
    assert!(serde_json::from_str::<Value>(&stdout(&output)).unwrap()["first_thread_ms"].is_u64());
    let output = node.human(&["join", &invite(now_ms())]);
    assert!(stdout(&output).contains("you follow b on network n") && stdout(&output).contains("TITLE"));
}

#[test]
fn an_expired_or_changed_invite_asks_nothing_of_the_node() {
    let node = FakeNode::start(|_| panic!("nobody should ask"));
    let good = invite(now_ms());
    let changed =
        format!("{}{}", &good[..good.len() - 9], if good.ends_with("aaaaaaaaa") { "baaaaaaaa" } else { "aaaaaaaaa" });
    for (text, code) in [(invite(1), "expired"), (changed, "invalid"), ("hello".into(), "invalid")] {
        let output = node.json(&["join", &text]);
        assert_eq!(output.status.code(), Some(1));
        assert_holds(&stderr(&output), "error");
        assert!(stderr(&output).contains(&format!("\"code\":\"{code}\"")), "{}", stderr(&output));
    }
    assert!(node.asked().is_empty());
}

#[test]
fn a_node_of_another_network_is_left_alone() {
    let node = FakeNode::start(|asked| {
        let mut status = answer(&asked.what);
        status["network"] = "elsewhere".into();
        Answer::Json(200, status.to_string())
    });
    let output = node.json(&["join", &invite(now_ms())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("\"code\":\"other_network\""), "{}", stderr(&output));
    assert_eq!(node.asked().len(), 1);
}

#[test]
fn errors_and_the_welcome_are_what_their_schemas_say() {
    let home = tempfile::tempdir().unwrap();
    for words in [&["status", "--json"][..], &["nonsense", "--json"], &["devnet", "status", "--json"]] {
        assert_holds(&stderr(&roda(home.path(), words).output().unwrap()), "error");
    }
    assert_holds(&stdout(&roda(home.path(), &["--json"]).output().unwrap()), "welcome");
}

#[test]
fn every_schema_requires_only_what_it_describes() {
    let mut number = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let schema = schema(&name);
        assert_eq!(schema["title"], name);
        for key in schema["required"].as_array().unwrap() {
            assert!(schema["properties"].get(key.as_str().unwrap()).is_some(), "{name}: {key}");
        }
        number += 1;
    }
    assert!(number > 0);
}
