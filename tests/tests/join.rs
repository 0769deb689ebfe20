//! One string is enough: an empty home joins an open or a charter board by an invite, on real nodes.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use roda_protocol::id::{AuthorKey, SpaceId};
use roda_protocol::invite::{Address, Invitation, Invite, InvitedBoard};
use roda_protocol::keys::SecretKey;
use roda_tests::cluster::{TestNode, network_name, refusal, text};
use roda_tests::socket::post;
use roda_tests::wait::{DEADLINE, eventually};
use roda_tests::{homes, roda_binary};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Longer than joining ever takes, also while other tests run.
const WAIT: &str = "120";

/// A folder for homes that are not there yet. Their nodes end with it.
struct Empty(TempDir);

impl Empty {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("roda-").tempdir().unwrap())
    }

    fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(roda_binary());
        command.arg("--json").arg("--home").arg(self.home()).args(words).stdin(Stdio::null()).output().unwrap()
    }

    fn object(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn join(&self, invite: &str, wait: &str) -> Output {
        self.run(&["join", invite, "--wait", wait, "--listen", "/ip4/127.0.0.1/tcp/0", "--mdns", "off"])
    }

    /// Joins, which must succeed.
    fn joined(&self, invite: &str) -> Value {
        let output = self.join(invite, WAIT);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        println!("first thread after {} ms", line["first_thread_ms"]);
        line
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        homes::end_nodes_below(self.0.path(), &roda_binary());
    }
}

fn invite(node: &TestNode, words: &[&str]) -> Value {
    node.object(&[&["invite"], words].concat())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// What nobody's node says: an invite of a key of our own.
fn made(network: &str, issued_ms: u64) -> String {
    let said = Invitation {
        network: network.into(),
        issued_ms,
        expires_ms: issued_ms + 60_000,
        // A port where nobody is.
        addresses: vec![Address(vec![4, 127, 0, 0, 1, 6, 0, 1])],
        others: vec![],
        board: InvitedBoard::Open { name: "lounge".into() },
        stewards: vec![],
        authors: vec![],
    };
    said.sign(&SecretKey::from_seed(&[7; 32])).unwrap()
}

#[test]
fn an_empty_home_joins_an_open_board_by_one_string() {
    let (ana, bo) = (TestNode::start(&network_name()), Empty::new());
    ana.object(&["board", "open", "lounge"]);
    let thread = ana.post("lounge", "Hello");
    let made = invite(&ana, &[]);
    assert_eq!(made["addresses"], json!([ana.address()]));
    assert_eq!(made["range"], "this_machine");
    let line = bo.joined(&text(&made["invite"]));
    assert_eq!(line["board"], made["board"]);
    assert_eq!((&line["name"], &line["network"]), (&json!("lounge"), &json!(ana.network())));
    assert_eq!((&line["peers"], &line["threads"], &line["events"]), (&json!(1), &json!(1), &json!(1)));
    assert!(line["first_thread_ms"].is_u64());
    assert_eq!(line["addresses"][0]["peer_id"], ana.ready()["peer_id"]);
    assert_eq!(bo.object(&["read", &thread])["thread"]["title"], "Hello");
    // Whoever joined can write.
    bo.object(&["reply", &thread, "-m", "Here I am", "--wait", "1", "--timeout", WAIT]);
}

#[test]
fn an_empty_home_joins_a_charter_board_and_its_charter_outranks_the_inviters_word() {
    let (ana, bo) = (TestNode::start(&network_name()), Empty::new());
    let board = ana.found("garden");
    ana.post("garden", "Tomatoes");
    let made = text(&invite(&ana, &["garden"])["invite"]);
    // The same invite with another name in it, signed by somebody who has no say there.
    let mut said = Invite::read(&made, now_ms()).unwrap().said().clone();
    let author = ana.object(&["id", "show"])["author"].clone();
    assert_eq!(shown(&said.stewards), json!([author]));
    assert!(said.authors.is_empty(), "the author is named only if it asks");
    said.board =
        InvitedBoard::Charter { board: board.parse::<SpaceId>().unwrap(), name: "lies".into(), title: "".into() };
    let key = SecretKey::from_seed(&[7; 32]);
    // Its own addresses lead to nobody; another's lead to the board.
    said.others = vec![whole(&ana)];
    let line = bo.joined(&said.sign(&key).unwrap());
    assert_eq!((&line["board"], &line["name"]), (&json!(board), &json!("garden")));
    assert_eq!((&line["threads"], &line["events"]), (&json!(1), &json!(2)));
    assert_ne!(line["addresses"][0]["error"], Value::Null, "another node answers there");
    let me = text(&invite(&ana, &["garden", "--as-me"])["invite"]);
    assert_eq!(shown(&Invite::read(&me, now_ms()).unwrap().said().authors), json!([author]));
}

fn shown(authors: &[AuthorKey]) -> Value {
    authors.iter().map(ToString::to_string).collect()
}

/// A node's address with its libp2p name, as bytes.
fn whole(node: &TestNode) -> Address {
    Address(roda_node::network::invited::whole_bytes(&node.address()).unwrap())
}

#[test]
fn an_invite_of_the_own_node_and_a_second_join_do_no_harm() {
    let (ana, bo) = (TestNode::start(&network_name()), Empty::new());
    ana.object(&["board", "open", "lounge"]);
    let made = text(&invite(&ana, &["lounge"])["invite"]);
    let own = ana.object(&["join", &made, "--wait", WAIT]);
    assert_eq!((&own["is_own"], &own["peers"], &own["first_thread_ms"]), (&json!(true), &json!(0), &Value::Null));
    for _ in 0..2 {
        let line = bo.joined(&made);
        assert_eq!((&line["peers"], &line["threads"]), (&json!(1), &json!(0)));
    }
    // What bo hands on leads to ana as well.
    let passed_on = eventually("bo knows that ana follows the board", DEADLINE, || {
        Some(bo.object(&["invite"])).filter(|made| made["addresses"].as_array().unwrap().len() == 2)
    });
    let cy = Empty::new();
    let line = cy.joined(&text(&passed_on["invite"]));
    assert!(line["peers"].as_u64() >= Some(1), "{line}");
}

#[test]
fn what_is_expired_or_was_changed_leaves_an_empty_home_empty() {
    let bo = Empty::new();
    let good = made(&network_name(), now_ms());
    let mut changed = good.clone().into_bytes();
    changed[60] = if changed[60] == b'a' { b'b' } else { b'a' };
    for (invite, code) in [
        (made("n", 1), "expired"),
        (String::from_utf8(changed).unwrap(), "invalid"),
        (good[..good.len() - 1].to_owned(), "invalid"),
        ("lounge".to_owned(), "invalid"),
    ] {
        let error = refusal(&bo.join(&invite, "0"));
        assert_eq!(error["code"], code, "{error}");
        assert!(!bo.home().exists());
    }
}

#[test]
fn an_invite_to_another_network_changes_nothing() {
    let mut ana = TestNode::start(&network_name());
    let elsewhere = made(&network_name(), now_ms());
    assert_eq!(ana.refusal(&["join", &elsewhere])["code"], "other_network");
    let asked = post(&ana.socket(), "/api/v1/join", &json!({ "invite": elsewhere })).unwrap_err();
    assert!(asked.to_string().contains("other_network"), "{asked}");
    assert!(ana.json(&["boards"]).is_empty());
    ana.stop();
    let error = ana.refusal(&["join", &elsewhere, "--mdns", "off"]);
    assert_eq!(error["code"], "other_network", "{error}");
    assert!(homes::holder(ana.home()).is_none());
}

#[test]
fn who_joins_while_nobody_is_there_is_told_so_and_is_let_in_later() {
    let (mut ana, bo) = (TestNode::start(&network_name()), Empty::new());
    ana.object(&["board", "open", "lounge"]);
    ana.post("lounge", "Hello");
    let made = text(&invite(&ana, &[])["invite"]);
    let listen = ana.address().split("/p2p/").next().unwrap().to_owned();
    ana.stop();

    let output = bo.join(&made, WAIT);
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["peers"], &line["first_thread_ms"]), (&json!(0), &Value::Null));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "wait_not_met");
    assert!(text(&error["error"]["hint"]).contains(&listen), "{error}");
    // Also after a restart.
    bo.object(&["down"]);
    assert!(std::fs::read_to_string(bo.home().join("data/peers.json")).unwrap().contains(&listen));
    let up = ["up", "--detach", "--mdns", "off", "--listen", "/ip4/127.0.0.1/tcp/0", "--network", ana.network()];
    bo.object(&up);

    let _ended = EndsWith(ana.home());
    let up = ["up", "--detach", "--mdns", "off", "--listen", &listen, "--network", ana.network()];
    assert!(ana.run(&up).status.success());
    eventually("the thread at who joined", DEADLINE, || {
        let output = bo.run(&["feed"]);
        (!output.stdout.is_empty()).then_some(())
    });
    assert_eq!(bo.object(&["feed"])["title"], "Hello");
}

/// A home whose detached node ends with the test.
struct EndsWith<'a>(&'a Path);

impl Drop for EndsWith<'_> {
    fn drop(&mut self) {
        homes::end_nodes_below(self.0, &roda_binary());
    }
}
