//! Who takes a place in a mesh, takes everything and shows nothing loses the place.

use futures::AsyncWriteExt as _;
use roda_protocol::gossip::board_topic;
use roda_protocol::id::NetworkId;
use roda_tests::attack::frames::Frame;
use roda_tests::attack::link::Link;
use roda_tests::cluster::{Place, TestNode, network_name};
use roda_tests::fast;
use roda_tests::forge::Forge;
use roda_tests::hosts::can_run;
use roda_tests::wait::{DEADLINE, eventually};

/// A probe takes a quarter of an hour from the first post on: half a minute so. Answers have two thirds of a second.
const TIMES: u32 = 30;

/// Honest nodes that bring what each of them hears: enough for most posts to come from more than three.
const BRINGERS: usize = 6;

/// Posts that are brought. Of a quiet board nobody is said to lack anything.
const POSTS: usize = 60;

/// Words that are seen to be sent or not: more than all that else is said in the meantime.
const LONG: usize = 40_000;

#[test]
fn a_mesh_peer_that_shows_nothing_of_what_others_bring_loses_its_place_and_honest_ones_keep_theirs() {
    if !can_run("a mesh peer that keeps nothing", fast::possible()) {
        return;
    }
    let network = network_name();
    let place = Place { prefix: fast::prefix(TIMES), ..Place::loopback() };
    let mut watched = place.clone();
    watched.prefix.push("RODA_LOG=warn,roda_node::engine::probes=debug".to_owned());
    let start = |place: &Place| TestNode::start_at(&network, place.clone(), &[]);
    let node = start(&watched);
    let bringers: Vec<TestNode> = (0..BRINGERS).map(|_| start(&place)).collect();
    // Its only neighbour is the node: it never has anything to bring.
    let behind = start(&place);
    let charter = Forge::new(&network, 9).board("taken");
    let board = charter.space();
    for each in bringers.iter().chain([&node, &behind]) {
        each.follow(&board.to_string());
        each.import(std::slice::from_ref(&charter));
    }
    let join = |from: &TestNode, to: &TestNode| {
        let dials = || from.run(&["connect", &to.address()]).status.success().then_some(());
        eventually("a connection", DEADLINE, dials);
    };
    join(&behind, &node);
    for (number, bringer) in bringers.iter().enumerate() {
        join(bringer, &node);
        bringers[..number].iter().for_each(|other| join(bringer, other));
    }

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let network_id = NetworkId::of(&network);
    let (taker, _stream) = runtime.block_on(async {
        let address = node.address().parse().expect("a node's own address");
        let taker = Link::to(&address, network_id).await.expect("it is let in");
        let mut stream = taker.gossip().await.expect("a stream of gossip");
        let topic = board_topic(&network_id, board);
        let frame = Frame::default().subscription(&topic, true).graft(&topic).bytes();
        stream.write_all(&frame).await.expect("the node listens");
        (taker, stream)
    });
    let behind_has =
        |id: &str| eventually("a post", DEADLINE, || behind.run(&["read", id]).status.success().then_some(()));
    // What the node sends the taker while it passes three long posts on.
    let sent = |bringer: &TestNode| {
        let before = taker.heard();
        let words = "words ".repeat(LONG / 6);
        let titles = ["one", "two", "three"]
            .map(|title| bringer.written(&["post", &board.to_string(), "-t", title, "-m", &words]));
        titles.iter().for_each(|id| behind_has(id));
        (before, titles.len() as u64)
    };

    let (before, posts) = sent(&bringers[0]);
    let is_all_sent = || (taker.heard() >= before + posts * LONG as u64).then_some(());
    eventually("that the taker is sent what others are", DEADLINE, is_all_sent);
    for number in 0..POSTS {
        bringers[number % BRINGERS].post(&board.to_string(), &format!("Number {number}"));
    }
    eventually("that it is found out", DEADLINE, || (node.counter("marked") > 0).then_some(()));
    assert!(node.log().contains(&taker.name().to_string()), "it is the taker: {}", node.log());

    let (before, _) = sent(&bringers[0]);
    let heard = taker.heard() - before;
    assert!(heard < LONG as u64, "it is told what there is and sent none of it, not {heard} bytes");
    assert!(!taker.is_ended(), "it is not sent away");
    assert_eq!(node.counter("peers_marked"), 1, "and it alone: {}", node.log());
    assert!(node.counter("probes") > 1 && node.counter("probes_lacking") >= 2);
}
