//! Comparison and exchange: what one node has, the others come to have.

use super::*;

#[test]
fn two_nodes_that_wrote_apart_hold_the_same_after_one_comparison() {
    let mut world = World::new(2);
    world.gossip = false;
    let board = world.board(0);
    world.follow(1, board);
    world.link(0, 1);
    world.run(2000);
    assert_eq!(world.known(1, board), 1, "the charter came by comparison");
    for number in 0..700 {
        world.advance_clock();
        world.post(number % 2, board, "apart");
    }
    world.run(70_000);
    assert_eq!((world.known(0, board), world.known(1, board)), (701, 701));
    let compared = world.completeness(0, board);
    assert_eq!((compared.peers_asked, compared.peers_equal), (1, 1));
}

#[test]
fn a_line_of_nodes_converges_without_gossip() {
    let mut world = World::new(4);
    world.gossip = false;
    let board = world.board(0);
    (1..4).for_each(|at| world.follow(at, board));
    (0..3).for_each(|at| world.link(at, at + 1));
    world.run(300_000);
    (0..4).for_each(|at| {
        world.post(at, board, "mine");
    });
    world.run(600_000);
    assert!((0..4).all(|at| world.known(at, board) == 5));
}

#[test]
fn what_came_by_comparison_goes_on_to_the_next_node_within_seconds() {
    let mut world = World::new(5);
    world.gossip = false;
    let board = world.board(0);
    (1..5).for_each(|at| world.follow(at, board));
    (1..4).for_each(|at| world.link(at, at + 1));
    world.run(5000);
    world.link(0, 1);
    world.run(8000);
    assert!((0..5).all(|at| world.known(at, board) == 1), "each hop waits for its gap, none for the next minute");
}

#[test]
fn an_import_goes_to_connected_peers_within_seconds() {
    let mut world = World::new(2);
    world.gossip = false;
    let board = world.board(0);
    world.follow(1, board);
    world.link(0, 1);
    world.run(3000);
    let words = PostBody { title: "moved".into(), text: String::new(), link: None };
    let draft = world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words));
    let bytes = world.signed(1, draft).bytes().to_vec();
    assert!(matches!(world.ask(0, Local::Import { events: vec![bytes] }), Answer::Imported(_)));
    world.run(3000);
    assert_eq!(world.known(1, board), 2);
}

#[test]
fn a_comment_without_its_parent_is_held_and_the_parent_is_fetched() {
    let mut world = World::new(2);
    let board = world.board(0);
    world.link(0, 1);
    world.follow(1, board);
    world.run(3000);
    let post = world.post(0, board, "first");
    let draft = world.comment(board, post, post, "second");
    let comment = world.write(0, draft.clone());
    // The answer comes first.
    let (topic, bytes) = (String::new(), world.signed(0, draft).bytes().to_vec());
    world.queue.push_back((1, Input::Gossip { peer: peer(0), topic, bytes, delivery: 0 }));
    world.settle();
    assert_eq!(world.thread(1, post).missing(), [post], "a hole where the post belongs");
    assert!(world.engines[1].store.is_held(&comment).unwrap());
    world.run(3000);
    assert_eq!(world.thread(1, post).missing(), []);
}

#[test]
fn a_declined_event_stays_known_and_the_sets_agree() {
    let mut world = World::new(2);
    let board = world.board(0);
    world.engines[1].config.denied_authors.insert(key(0).public());
    world.follow(1, board);
    world.link(0, 1);
    world.run(2000);
    let post = world.post(0, board, "unwanted");
    world.run(70_000);
    assert!(!world.engines[1].store.is_held(&post).unwrap());
    assert_eq!(world.engines[1].store.declined(board).unwrap(), 1);
    assert_eq!(world.known(1, board), world.known(0, board));
}

#[test]
fn a_peer_of_malformed_requests_is_disconnected() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.queue.push_back((0, Input::Asked { peer: peer(1), body: vec![9; 50], reply: 77 }));
    world.settle();
    assert_eq!(world.disconnects, ["sent a malformed request"]);
}

#[test]
fn ten_thousand_comments_of_unknown_parents_keep_the_wants_bounded() {
    let mut world = World::new(1);
    let board = world.board(0);
    let events: Vec<Vec<u8>> = (0..10_000_u32)
        .map(|number| {
            let parent = EventId(*blake3::hash(&number.to_le_bytes()).as_bytes());
            world.signed(4, world.comment(board, parent, parent, "lost")).bytes().to_vec()
        })
        .collect();
    for chunk in events.chunks(500) {
        world.ask(0, Local::Import { events: chunk.to_vec() });
    }
    assert_eq!(world.known(0, board), 10_001);
    assert_eq!(world.engines[0].wants.len(), 2000);
    world.run(125_000);
    assert_eq!(world.engines[0].wants.len(), 0, "invented parents keep no room for good");
}

#[test]
fn two_peers_share_a_cold_start_and_no_event_comes_twice() {
    let mut world = World::new(3);
    world.gossip = false;
    let board = world.board(0);
    for number in 0..9000_u64 {
        // Three epochs, so that there is something to share.
        world.now.wall_ms = 1_048_576_000 * (1 + number / 3000) + number;
        world.post(0, board, "old");
    }
    world.follow(1, board);
    world.link(0, 1);
    world.run(60_000);
    assert_eq!(world.known(1, board), 9001);
    let before = [0, 1].map(|at| world.served(at));
    world.follow(2, board);
    world.links([(2, 0), (2, 1)]);
    world.run(60_000);
    assert_eq!(world.known(2, board), 9001);
    let served = [0, 1].map(|at| world.served(at) - before[at]);
    assert!(served.iter().all(|served| *served > 500), "{served:?}");
    assert!(served.iter().sum::<u64>() <= 9003, "{served:?}");
}

#[test]
fn words_that_a_node_may_not_want_do_not_travel_to_it() {
    for writer_asks in [true, false] {
        let mut world = World::new(2);
        world.gossip = false;
        let board = world.board(0);
        let posts: Vec<EventId> = (0..20)
            .map(|_| {
                world.advance_clock();
                world.post(0, board, "UNWANTED")
            })
            .collect();
        world.engines[1].config.denied_authors.insert(key(0).public());
        world.follow(1, board);
        if writer_asks {
            world.link(0, 1);
        } else {
            world.link(1, 0);
        }
        world.run(70_000);
        assert_eq!(world.known(1, board), world.known(0, board));
        assert_eq!(world.engines[1].store.declined(board).unwrap(), 20);
        let has_words = |(to, bytes): &(usize, Vec<u8>)| *to == 1 && bytes.windows(8).any(|part| part == b"UNWANTED");
        assert!(!world.messages.iter().any(has_words));
        // What was declined has its header there, and goes on to others as proof.
        assert!(world.engines[1].store.proof(&posts[0]).unwrap().is_some());
        assert!(!world.engines[1].store.is_held(&posts[0]).unwrap());
    }
}

#[test]
fn words_that_a_careful_node_wants_come_behind_their_headers() {
    for writer_asks in [true, false] {
        let mut world = World::new(2);
        world.gossip = false;
        let board = world.board(0);
        let post = world.post(0, board, "wanted");
        world.engines[1].config.denied_authors.insert(key(7).public());
        world.follow(1, board);
        if writer_asks {
            world.link(0, 1);
        } else {
            world.link(1, 0);
        }
        world.run(5000);
        assert!(world.engines[1].store.holds_words(&post).unwrap());
    }
}

#[test]
fn what_only_a_declining_node_knows_becomes_known_to_others() {
    let mut world = World::new(3);
    world.gossip = false;
    let board = world.board(2);
    world.follow(0, board);
    world.engines[1].config.denied_authors.insert(key(0).public());
    world.follow(1, board);
    world.link(2, 0);
    world.link(2, 1);
    world.run(5000);
    world.unlink(2, 0);
    let post = world.post(0, board, "declined on the way");
    world.link(0, 1);
    world.run(70_000);
    world.unlink(0, 1);
    world.run(130_000);
    assert!(world.engines[2].store.row(&post).unwrap().is_some(), "the header is enough to know it");
    assert_eq!(world.known(2, board), world.known(1, board));
    assert!(!world.engines[2].store.holds_words(&post).unwrap());
    world.link(0, 2);
    world.run(70_000);
    assert!(world.engines[2].store.holds_words(&post).unwrap(), "the words came from who has them");
}

#[test]
fn a_comparison_that_got_no_answer_is_tried_again_within_seconds() {
    let mut world = World::new(2);
    world.gossip = false;
    let board = world.board(0);
    world.follow(1, board);
    world.is_deaf = true;
    world.link(0, 1);
    world.run(3000);
    assert_eq!(world.known(1, board), 0);
    world.is_deaf = false;
    world.run(9000);
    assert_eq!(world.known(1, board), 1);
}

#[test]
fn one_lost_answer_does_not_end_a_comparison() {
    for lost_after in 0..3 {
        let mut world = World::new(2);
        world.gossip = false;
        let board = world.board(0);
        world.follow(1, board);
        world.lost_after = Some(lost_after);
        world.links([(1, 0)]);
        world.run(3000);
        assert_eq!(world.known(1, board), 1);
        let counters = world.engines[1].all_counters();
        assert_eq!(counters.get("requests_repeated").copied(), Some(1), "the request after {lost_after} was lost");
    }
}

#[test]
fn nothing_is_said_of_peers_that_have_left() {
    let mut world = World::new(3);
    let board = world.board(0);
    (1..3).for_each(|at| {
        world.follow(at, board);
        world.link(0, at);
    });
    world.run(5000);
    let said = |world: &mut World| {
        let said = world.completeness(0, board);
        (said.peers_asked, said.peers_equal, said.checked_ms)
    };
    let (asked, equal, checked_ms) = said(&mut world);
    assert_eq!((asked, equal), (2, 2));
    assert!(checked_ms > 0 && checked_ms <= world.now.wall_ms);
    world.unlink(0, 1);
    let (asked, equal, _) = said(&mut world);
    assert_eq!((asked, equal), (1, 1));
    world.unlink(0, 2);
    assert_eq!(said(&mut world), (0, 0, 0));
}

#[test]
fn gossip_that_was_dropped_leads_to_a_comparison() {
    for input in [Input::Missed, Input::Slow { peer: peer(0) }] {
        let mut world = World::new(2);
        let board = world.board(0);
        world.follow(1, board);
        world.link(0, 1);
        world.run(70_000);
        world.gossip = false;
        world.post(0, board, "dropped");
        // Nobody was told; an hour may pass until the next comparison by itself.
        world.queue.push_back((1, input));
        world.run(8000);
        assert_eq!(world.known(1, board), 2);
    }
}

#[test]
fn a_missing_parent_is_asked_first_from_who_named_it() {
    let mut world = World::new(3);
    let board = world.board(0);
    (1..3).for_each(|at| world.follow(at, board));
    world.link(0, 1);
    world.link(1, 2);
    world.run(5000);
    let parent = EventId([9; 32]);
    let draft = world.comment(board, parent, parent, "an answer");
    let comment = world.signed(5, draft).bytes().to_vec();
    world.messages.clear();
    world.queue.push_back((1, Input::Gossip { peer: peer(2), topic: "any".into(), bytes: comment, delivery: 0 }));
    world.run(1000);
    let asks = |(to, bytes): &(usize, Vec<u8>)| {
        let request = roda_protocol::wire::Request::from_bytes(bytes);
        let is_it = matches!(request, Ok(roda_protocol::wire::Request::Get { ids, .. }) if ids == [parent]);
        (is_it && *to != 1).then_some(*to)
    };
    assert_eq!(world.messages.iter().filter_map(asks).collect::<Vec<_>>(), [2]);
    world.run(6000);
    assert_eq!(world.messages.iter().filter_map(asks).collect::<Vec<_>>(), [2, 0], "then from the others");
    assert_eq!(world.completeness(1, board).missing, [parent]);
}

#[test]
fn after_the_network_started_anew_topics_are_joined_again_and_what_was_under_way_is_made_up_for() {
    let mut world = World::new(2);
    let board = world.board(0);
    world.follow(1, board);
    world.link(0, 1);
    // What is published now is lost with the network that was to send it.
    world.gossip = false;
    let post = world.post(0, board, "while the network broke");
    world.subscriptions[0].clear();
    world.links.clear();
    world.queue.push_back((0, Input::NetworkRestarted));
    world.queue.push_back((1, Input::PeerDown { peer: peer(0) }));
    world.settle();
    assert!(!world.subscriptions[0].is_empty(), "topics are joined again");
    assert_eq!(world.ask(0, Local::Peers), Answer::Peers(Vec::new()));
    world.link(0, 1);
    world.run(10_000);
    assert_eq!(world.known(1, board), world.known(0, board));
    assert_eq!(world.thread(1, post).missing(), []);
}
