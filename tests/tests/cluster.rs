//! Nodes that meet, part and meet again end with the same threads.

use roda_tests::cluster::{TestNode, flat, network_name, nodes, text};
use roda_tests::forge::Forge;
use roda_tests::wait::{DEADLINE, eventually};
use serde_json::Value;

/// Waits until a node shows what the condition asks of a thread.
fn shows(node: &TestNode, id: &str, what: &str, condition: impl Fn(&Value) -> bool) {
    eventually(what, DEADLINE, || {
        let output = node.run(&["read", id]);
        let page: Value = serde_json::from_slice(&output.stdout).ok()?;
        condition(&page["thread"]).then_some(())
    });
}

#[test]
fn five_nodes_in_a_line_converge_while_each_writes() {
    let nodes = nodes(5);
    for pair in nodes.windows(2) {
        pair[1].connect(&pair[0]);
    }
    let board = nodes[0].found("line");
    let root = nodes[0].post(&board, "All write here");
    nodes[1..].iter().for_each(|node| node.follow(&board));
    nodes.iter().for_each(|node| shows(node, &root, "the post on every node", |thread| thread["title"] != ""));
    std::thread::scope(|scope| {
        for (number, node) in nodes.iter().enumerate() {
            let (root, board) = (&root, &board);
            scope.spawn(move || {
                let mut last = root.clone();
                for count in 0..10 {
                    node.post(board, &format!("Thread {count} of node {number}"));
                    // Every other one answers the one before: the thread gets deep and wide.
                    let parent = if count % 2 == 0 { root } else { &last };
                    last = node.reply(parent, &format!("Answer {count} of node {number}"));
                }
            });
        }
    });
    // A charter, the post, and twenty by each of five.
    nodes.iter().for_each(|node| node.holds(102));
    let views: Vec<_> = nodes.iter().map(|node| node.shared_view(&root)).collect();
    assert_eq!(flat(&nodes[4].read(&root)["thread"]).len(), 51);
    views.iter().for_each(|view| assert_eq!(*view, views[0]));
    nodes.iter().for_each(TestNode::assert_sound);
}

/// Waits until a node finds a board, and gives what it says of it.
fn finds(node: &TestNode, board: &str) -> Value {
    eventually("the board in the directory", DEADLINE, || {
        node.json(&["boards", "--find"]).into_iter().find(|found| found["board"] == board)
    })
}

#[test]
fn a_board_that_is_listed_is_found_along_a_line_of_those_who_follow_it() {
    let nodes = nodes(3);
    nodes[1].connect(&nodes[0]);
    nodes[2].connect(&nodes[1]);
    let words = ["board", "new", "garden", "--title", "The garden", "--work", "0", "--listed"];
    let board = text(&nodes[0].object(&words)["board"]);
    let private = nodes[0].found("private");
    let post = nodes[0].post(&board, "Tomatoes");
    let found = finds(&nodes[1], &board);
    assert_eq!((&found["name"], &found["title"]), (&Value::from("garden"), &Value::from("The garden")));
    assert_eq!((&found["known_by"], &found["followed"]), (&Value::from(1), &Value::from(false)));
    assert_eq!(nodes[2].json(&["boards", "--find"]), [] as [Value; 0], "who has not followed it does not tell of it");
    // The prefix that a person sees is enough, and the charter is here at once.
    let followed = nodes[1].object(&["follow", &board[..8]]);
    assert_eq!((text(&followed["board"]), text(&followed["name"])), (board.clone(), "garden".to_owned()));
    assert_eq!(nodes[1].json(&["boards"])[0]["listing"], "found");
    finds(&nodes[2], &board);
    nodes[2].follow(&board);
    shows(&nodes[2], &post, "the post at the end of the line", |thread| thread["title"] == "Tomatoes");
    let seen: Vec<Value> = nodes[2].json(&["boards", "--find"]);
    assert!(seen.iter().all(|found| found["board"] != private.as_str()), "nobody said that it may be listed: {seen:?}");
    nodes[0].refusal(&["follow", "00000000"]);
}

#[test]
fn a_node_that_was_away_for_a_thousand_events_catches_up_from_another_than_the_writer() {
    let mut nodes = nodes(3);
    let mut forge = Forge::new(nodes[0].network(), 1);
    let events = forge.thread("away", 1000);
    let board = events[0].space().to_string();
    nodes.iter().for_each(|node| node.follow(&board));
    nodes[1].connect(&nodes[0]);
    nodes[2].connect(&nodes[1]);
    nodes[0].import(&events[..2]);
    nodes[2].holds(2);
    nodes[2].stop();
    nodes[0].import(&events);
    nodes[1].holds(1002);
    nodes[0].stop();
    let helper = nodes[1].address();
    nodes[2].launch(&[&helper]);
    nodes[2].holds(1002);
    let root = events[1].id().to_string();
    assert_eq!(nodes[2].shared_view(&root), nodes[1].shared_view(&root));
    nodes[2].assert_sound();
}

#[test]
fn what_two_nodes_wrote_with_nobody_connected_is_on_both_after_they_met() {
    let nodes = nodes(2);
    let mut forge = Forge::new(nodes[0].network(), 2);
    let (charter, board) = {
        let charter = forge.board("apart");
        let board = charter.space().to_string();
        (charter, board)
    };
    for (number, node) in nodes.iter().enumerate() {
        node.follow(&board);
        node.import(std::slice::from_ref(&charter));
        for count in 0..5 {
            let post = node.post(&board, &format!("Post {count} of node {number}"));
            node.reply(&post, "To myself, for now");
        }
        assert!(node.json(&["outbox"]).iter().all(|line| line["state"] == "queued"), "nobody can have it yet");
    }
    nodes[0].connect(&nodes[1]);
    nodes.iter().for_each(|node| node.holds(21));
    assert_eq!(nodes[0].ids(), nodes[1].ids());
    for node in &nodes {
        let is_held = |line: &Value| line["state"] == "held" && line["held_by"] == 1;
        eventually("word that the other holds it", DEADLINE, || {
            node.json(&["outbox"]).iter().all(is_held).then_some(())
        });
    }
}

#[test]
fn a_comment_without_its_parent_stands_under_a_hole_that_heals_in_place() {
    let nodes = nodes(2);
    let mut forge = Forge::new(nodes[0].network(), 3);
    let charter = forge.board("holes");
    let board = charter.space();
    let post = forge.post(board, "Whole", "words");
    let parent = forge.comment(board, post.id(), post.id(), "the parent");
    let child = forge.comment(board, post.id(), parent.id(), "the child");
    let other = forge.comment(board, post.id(), post.id(), "another");
    nodes.iter().for_each(|node| node.follow(&board.to_string()));
    nodes[1].import(&[charter.clone(), child.clone(), post.clone(), other.clone()]);
    nodes[0].import(&[charter, post.clone(), parent.clone(), child.clone(), other]);

    let (post, parent, child) = (post.id().to_string(), parent.id().to_string(), child.id().to_string());
    let page = nodes[1].read(&child);
    let ids = |page: &Value| flat(&page["thread"]).iter().map(|node| text(&node["id"])).collect::<Vec<_>>();
    let hole = flat(&page["thread"]).into_iter().find(|node| node["id"] == parent.as_str()).expect("the hole is shown");
    assert_eq!(hole["missing"], true);
    assert_eq!(hole["children"][0]["id"], child.as_str());
    assert_eq!(page["completeness"]["missing"], serde_json::json!([parent]));
    let order_before = ids(&page);

    nodes[1].connect(&nodes[0]);
    shows(&nodes[1], &post, "the hole's healing", |thread| flat(thread).iter().all(|node| node["missing"] == false));
    let page = nodes[1].read(&post);
    assert_eq!(page["completeness"]["missing"], serde_json::json!([]));
    assert_eq!(ids(&page).len(), order_before.len());
    assert_eq!(nodes[1].shared_view(&post), nodes[0].shared_view(&post));
}

#[test]
fn networks_of_other_names_never_mix() {
    let (here, there) = (TestNode::start(&network_name()), TestNode::start(&network_name()));
    let error = here.refusal(&["connect", &there.address()]);
    assert_eq!(error["code"], "unreachable");
    assert!(text(&error["message"]).contains("network"), "{error}");
    for node in [&here, &there] {
        assert!(node.json(&["peers"]).is_empty());
    }
    // Whoever dials on its own gets no further.
    let mut dialling = TestNode::start(here.network());
    dialling.stop();
    dialling.launch(&[&there.address()]);
    dialling.connect(&here);
    let peers = dialling.json(&["peers"]);
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0]["peer_id"], here.ready()["peer_id"]);
    assert!(there.json(&["peers"]).is_empty());
}

#[test]
fn what_was_taken_back_is_gone_from_the_disks_of_both() {
    let nodes = nodes(2);
    nodes[0].connect(&nodes[1]);
    let board = nodes[0].found("regret");
    nodes[1].follow(&board);
    let secret = "cormorant-quandary-velvet";
    let post = nodes[0].written(&["post", &board, "-t", "Title", "-m", secret]);
    let kept = nodes[0].written(&["post", &board, "-t", "Kept", "-m", "lighthouse-pebble-anchor"]);
    let is_there = |thread: &Value| thread["text"] == secret;
    shows(&nodes[1], &post, "the words on the other node", is_there);
    shows(&nodes[1], &kept, "the words that stay", |thread| thread["title"] == "Kept");
    for node in &nodes {
        assert!(is_on_disk(node, secret), "the words are on disk before");
    }
    nodes[0].object(&["retract", &post]);
    for node in &nodes {
        shows(node, &post, "the retraction", |thread| thread["retracted"] == true && thread["text"] == "");
        eventually("the end of the words on disk", DEADLINE, || (!is_on_disk(node, secret)).then_some(()));
        assert!(is_on_disk(node, "lighthouse-pebble-anchor"), "other words stay");
        node.assert_sound();
    }
}

/// Whether bytes stand anywhere in what a node keeps.
fn is_on_disk(node: &TestNode, words: &str) -> bool {
    let mut folders = vec![node.home().join("data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if let Ok(bytes) = std::fs::read(entry.path())
                && bytes.windows(words.len()).any(|window| window == words.as_bytes())
            {
                return true;
            }
        }
    }
    false
}
