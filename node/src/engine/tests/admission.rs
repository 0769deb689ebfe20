//! Events one at a time: admitted, kept aside, refused.

use super::*;
use crate::engine::EmptyIndex;
use crate::engine::relay::OVERTAKEN_MS;
use crate::store::{Batch, Direction, Index as _};
use roda_protocol::wire::Request;

#[test]
fn a_post_reaches_a_follower_by_gossip() {
    let mut world = World::new(2);
    let board = world.board(0);
    world.link(0, 1);
    world.follow(1, board);
    world.run(3000);
    let post = world.post(0, board, "hello");
    world.run(2000);
    assert!(world.engines[1].store.is_held(&post).unwrap());
    assert_eq!(world.ask(0, Local::Delivery { id: post }), Answer::Delivery { sent: true, held_by: 1 });
}

#[test]
fn words_that_were_taken_back_leave_the_store_whichever_comes_first() {
    let mut world = World::new(2);
    world.gossip = false;
    let board = world.board(0);
    let post = world.post(0, board, "regret");
    let bytes = world.engines[0].store.event(&post).unwrap().unwrap().event.bytes().to_vec();
    let kind = Kind::Retract(Retract { targets: vec![post] });
    let draft = world.draft(board, vec![post], kind, Body::None);
    world.write(0, draft);
    assert!(!world.engines[0].store.event(&post).unwrap().unwrap().event.has_body());
    world.follow(1, board);
    world.link(0, 1);
    world.run(2000);
    // The whole post, from an old copy, after its retraction.
    assert_eq!(world.known(1, board), 3);
    assert_eq!(world.ask(1, Local::Import { events: vec![bytes] }), Answer::Imported(vec![Verdict::Duplicate(post)]));
    assert!(!world.engines[1].store.event(&post).unwrap().unwrap().event.has_body());
    assert_eq!(world.thread(0, post), world.thread(1, post));
}

#[test]
fn a_bare_header_does_not_keep_the_words_out() {
    let mut world = World::new(1);
    let board = world.board(0);
    let words = PostBody { title: "whole".into(), text: String::new(), link: None };
    let whole = world.signed(5, world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words)));
    let bare = whole.bytes_without_body().to_vec();
    let id = whole.id();
    assert_eq!(
        world.ask(0, Local::Import { events: vec![bare.clone()] }),
        Answer::Imported(vec![Verdict::Admitted(id)])
    );
    assert_eq!(world.engines[0].wants.len(), 1, "the words are asked from peers");
    let whole = whole.bytes().to_vec();
    assert_eq!(world.ask(0, Local::Import { events: vec![whole] }), Answer::Imported(vec![Verdict::Admitted(id)]));
    assert!(world.engines[0].store.event(&id).unwrap().unwrap().event.has_body());
    assert_eq!(world.ask(0, Local::Import { events: vec![bare] }), Answer::Imported(vec![Verdict::Duplicate(id)]));
    assert_eq!(world.known(0, board), 2);
    assert_eq!(world.engines[0].store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn words_that_were_missing_are_asked_for_after_a_restart() {
    let mut world = World::new(2);
    let board = world.board(0);
    let post = world.post(0, board, "whole");
    let stored = |world: &World, id| world.engines[0].store.event(&id).unwrap().unwrap().event.clone();
    let charter = stored(&world, EventId(board.0)).bytes().to_vec();
    let bare = stored(&world, post).bytes_without_body().to_vec();
    world.follow(1, board);
    let _ = world.ask(1, Local::Import { events: vec![charter, bare] });
    assert_eq!(world.known(1, board), 2);
    let store = Arc::clone(&world.engines[1].store);
    let (engine, outputs) = Engine::new(store, key(1).public(), config(1)).unwrap();
    world.engines[1] = engine;
    world.outputs(1, outputs);
    world.link(0, 1);
    world.run(5000);
    assert!(world.engines[1].store.event(&post).unwrap().unwrap().event.has_body());
    assert!(world.engines[1].wordless.is_empty());
}

#[test]
fn an_event_of_the_future_waits_until_it_is_due() {
    let mut world = World::new(1);
    let board = world.board(0);
    let mut draft = world.draft(
        board,
        vec![],
        Kind::Post(Post::default()),
        Body::Post(PostBody { title: "early".into(), text: String::new(), link: None }),
    );
    draft.created_ms += 11 * 60 * 1000;
    let early = world.signed(3, draft);
    let import = Local::Import { events: vec![early.bytes().to_vec()] };
    assert_eq!(world.ask(0, import), Answer::Imported(vec![Verdict::Deferred(early.id())]));
    world.run(30_000);
    assert_eq!(world.known(0, board), 1);
    world.run(40_000);
    assert_eq!(world.known(0, board), 2);
}

#[test]
fn gossip_of_forged_bytes_is_rejected_and_of_unknown_boards_ignored() {
    let mut world = World::new(2);
    let board = world.board(0);
    let post = world.post(0, board, "real");
    let mut forged = world.engines[0].store.event(&post).unwrap().unwrap().event.bytes().to_vec();
    let whole = forged.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    world.follow(1, board);
    let gossip = |bytes: Vec<u8>| Input::Gossip { peer: peer(0), topic: "any".into(), bytes, delivery: 0 };
    world.queue.push_back((1, gossip(forged)));
    world.queue.push_back((1, gossip(whole)));
    world.settle();
    // The charter has not arrived: the real post can't be judged yet, which is nobody's fault.
    assert_eq!(world.judgements, [Judgement::Reject, Judgement::Ignore]);
}

#[test]
fn own_posts_leave_at_various_moments_soon_and_all_of_them_with_the_node() {
    let mut world = World::new(1);
    let board = world.board(0);
    world.run(1000);
    let mut moments = BTreeSet::new();
    for number in 0..40 {
        world.post(0, board, &format!("post {number}"));
        let before = world.engines[0].outbox.waiting.len();
        assert_eq!(before, 1, "it does not leave at once");
        let mut waited_ms = 0;
        while !world.engines[0].outbox.waiting.is_empty() {
            world.run(TICK_MS);
            waited_ms += TICK_MS;
        }
        assert!(waited_ms <= 500, "{waited_ms}");
        moments.insert(waited_ms);
    }
    assert!(moments.len() >= 3, "{moments:?}");
    world.post(0, board, "the last word");
    let outputs = world.engines[0].handle(vec![Input::Leaving], world.now);
    assert!(outputs.iter().any(|output| matches!(output, Output::Publish { .. })));
}

#[test]
fn a_forged_event_is_charged_to_nobody_and_leaves_nothing_behind() {
    let mut world = World::new(1);
    let board = world.board(0);
    // Dated ahead, by a denied author, over the quota: only a true signature makes any of that count.
    world.engines[0].config.denied_authors.insert(key(5).public());
    let words = PostBody { title: "never said".into(), text: String::new(), link: None };
    for created_ms in [world.now.wall_ms, world.now.wall_ms + 3_600_000] {
        let draft =
            Draft { created_ms, ..world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words.clone())) };
        let signed = world.signed(5, draft);
        let mut forged = signed.bytes().to_vec();
        forged[signed.bytes_without_body().len() - 20] ^= 1;
        let gossip = Input::Gossip { peer: peer(7), topic: "any".into(), bytes: forged, delivery: 0 };
        world.queue.push_back((0, gossip));
        world.settle();
    }
    assert_eq!(world.judgements, [Judgement::Reject, Judgement::Reject]);
    assert_eq!((world.known(0, board), world.engines[0].deferred.len()), (1, 0));
    assert_eq!(world.engines[0].all_counters().get("events_declined"), None);
}

#[test]
fn a_flood_of_valid_events_is_stored_and_passed_on_in_measure() {
    let mut world = World::new(1);
    let board = world.board(0);
    let post = |world: &World, by: usize, number: u64| {
        let words = PostBody { title: format!("post {number}"), text: String::new(), link: None };
        let bytes = world.signed(by, world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words)));
        Input::Gossip { peer: peer(by), topic: "any".into(), bytes: bytes.bytes().to_vec(), delivery: 0 }
    };
    let flood: Vec<Input> = (0..3000).map(|number| post(&world, 5, number)).collect();
    world.queue.extend(flood.into_iter().map(|input| (0, input)));
    world.settle();
    let accepted = world.judgements.iter().filter(|judgement| **judgement == Judgement::Accept).count();
    assert!((30..130).contains(&accepted), "{accepted}");
    assert!(!world.judgements.contains(&Judgement::Reject), "it is no offence");
    assert_eq!(world.known(0, board), 3001);
    world.judgements.clear();
    let quiet = post(&world, 6, 1);
    world.queue.push_back((0, quiet));
    world.settle();
    assert_eq!(world.judgements, [Judgement::Accept], "others don't notice");
}

#[test]
fn what_came_by_other_ways_a_moment_before_gossip_is_passed_on_once_and_what_is_old_is_not() {
    let mut world = World::new(1);
    let board = world.board(0);
    let post = |world: &World, title: &str| {
        let words = PostBody { title: title.into(), text: String::new(), link: None };
        world.signed(5, world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words))).bytes().to_vec()
    };
    let judged = |world: &mut World, title: &str, wait_ms: u64, broken: bool| {
        let mut bytes = post(world, title);
        world.queue.push_back((0, Input::Local { ask: Local::Import { events: vec![bytes.clone()] }, reply: 0 }));
        world.settle();
        world.run(wait_ms);
        world.judgements.clear();
        if broken {
            *bytes.last_mut().expect("an event has bytes") ^= 1;
        }
        world.queue.push_back((0, Input::Gossip { peer: peer(5), topic: "any".into(), bytes, delivery: 0 }));
        world.settle();
        world.judgements.clone()
    };
    assert_eq!(judged(&mut world, "new", 300, false), [Judgement::Accept]);
    assert_ne!(judged(&mut world, "broken", 300, true), [Judgement::Accept]);
    assert_eq!(judged(&mut world, "old", OVERTAKEN_MS + 1000, false), [Judgement::Ignore]);
}

#[test]
fn a_new_authors_name_follows_its_first_post() {
    let mut world = World::new(2);
    let board = world.board(0);
    world.follow(1, board);
    world.link(0, 1);
    world.run(2000);
    let words = ProfileBody { name: "Ana".into(), about: String::new(), links: vec![] };
    let none = KeyCommitment([0; 32]);
    let kind = Kind::Profile(Profile { next_root: none, revocation: none });
    let mut draft = world.draft(SpaceId::of_author(key(0).public()), vec![], kind, Body::Profile(words));
    draft.created_ms += 1;
    let signed = draft.sign(&Author::Root(&key(0)), &world.network, 16).unwrap();
    let answer = world.ask(0, Local::Write { bytes: signed.bytes().to_vec() });
    assert_eq!(answer, Answer::Written(Verdict::Admitted(signed.id())));
    world.post(0, board, "who am I?");
    world.run(5000);
    assert_eq!(world.engines[1].store.author_name(&key(0).public()).unwrap(), Some("Ana".into()));
}

#[test]
fn an_index_that_lacks_rows_is_asked_for_anew_and_filled() {
    let mut world = World::new(1);
    let index = Arc::new(MemoryIndex::new());
    let (store, _) = EventStore::open(Arc::new(MemoryJournal::new()), Arc::clone(&index) as _, world.network).unwrap();
    world.engines[0] = Engine::new(Arc::new(store), key(0).public(), config(0)).unwrap().0;
    let board = world.board(0);
    world.post(0, board, "one");
    let rows = index.scan(b"t", Some(b"u"), Direction::Ascending, 1).unwrap();
    let mut batch = Batch::new();
    batch.delete(rows[0].0.clone());
    index.commit(&batch).unwrap();
    assert!(world.engines[0].store.find_damage().unwrap().lacks_rows);
    let outputs = world.engines[0].handle(vec![Input::Tick], world.now);
    assert!(outputs.iter().any(|output| matches!(output, Output::ReplaceIndex)));
    let empty = EmptyIndex(Arc::new(MemoryIndex::new()));
    assert_eq!(world.ask(0, Local::Rebuild { empty }), Answer::Done);
    assert!(!world.engines[0].store.has_damaged_index());
    assert_eq!(world.known(0, board), 2);
    assert_eq!(world.engines[0].store.fsck().unwrap().problems, Vec::<String>::new());
}

/// What makes an event durable that gossip brought.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Nothing,
    TimePasses,
    OwnPeopleImportIt,
    APeerAsksForIt,
}

#[test]
fn what_gossip_brought_is_durable_in_time_and_before_anybody_is_told_that_it_is_here() {
    for then in [Then::Nothing, Then::TimePasses, Then::OwnPeopleImportIt, Then::APeerAsksForIt] {
        let mut world = World::new(1);
        let (journal, index) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()));
        let open =
            || EventStore::open(Arc::clone(&journal) as _, Arc::clone(&index) as _, NetworkId::of("engine-tests"));
        world.engines[0] = Engine::new(Arc::new(open().unwrap().0), key(0).public(), config(0)).unwrap().0;
        let board = world.board(0);
        world.run(1000);
        let words = PostBody { title: "news".into(), text: String::new(), link: None };
        let post = world.signed(5, world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words)));
        let bytes = post.bytes().to_vec();
        let gossip = Input::Gossip { peer: peer(5), topic: "any".into(), bytes: bytes.clone(), delivery: 0 };
        world.queue.push_back((
            0,
            Input::PeerUp { peer: peer(5), address: "somewhere".into(), network: None, outbound: false },
        ));
        world.queue.push_back((0, gossip));
        world.settle();
        assert_eq!(world.judgements, [Judgement::Accept]);
        match then {
            Then::Nothing => {}
            Then::TimePasses => world.run(FLUSH_MS + TICK_MS),
            Then::OwnPeopleImportIt => {
                let imported = world.ask(0, Local::Import { events: vec![bytes] });
                assert_eq!(imported, Answer::Imported(vec![Verdict::Duplicate(post.id())]));
            }
            Then::APeerAsksForIt => {
                let body = Request::Holds { space: board, ids: vec![post.id()] }.to_bytes();
                world.asked.insert(1, (0, 1));
                world.queue.push_back((0, Input::Asked { peer: peer(5), body, reply: 1 }));
                world.settle();
            }
        }
        journal.crash();
        index.crash();
        let is_held = open().unwrap().0.is_held(&post.id()).unwrap();
        assert_eq!(is_held, then != Then::Nothing, "{then:?}");
    }
}
