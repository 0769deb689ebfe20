//! An index that is made anew while the node serves.

use super::*;
use crate::store::Journal;

/// Posts of 40 KB each: the log takes a turn for every 25 of them.
const POSTS: usize = 160;

/// A board that node 0 holds, and its posts.
fn stocked(world: &mut World) -> (SpaceId, Vec<EventId>) {
    let board = world.board(0);
    let posts = (0..POSTS)
        .map(|number| {
            let words = PostBody { title: format!("post {number}"), text: "x".repeat(40_000), link: None };
            let draft = world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words));
            world.write(0, draft)
        })
        .collect();
    (board, posts)
}

/// Lets node 0 begin to make its index anew.
fn lose_index(world: &mut World, reply: ReplyTo) {
    let empty = EmptyIndex(Arc::new(MemoryIndex::new()));
    let outputs = world.engines[0].handle(vec![Input::Local { ask: Local::Rebuild { empty }, reply }], world.now);
    world.outputs(0, outputs);
    assert!(world.engines[0].has_work(world.now), "the log is long");
}

/// What node 0 was asked and has answered.
fn answer(world: &World, reply: ReplyTo) -> Option<&Answer> {
    world.answers.iter().find(|(at, name, _)| (*at, *name) == (0, reply)).map(|(_, _, answer)| answer)
}

/// Turns of node 0 until its index is whole.
fn make_whole(world: &mut World) -> usize {
    let mut turns = 0;
    while world.engines[0].has_work(world.now) {
        world.queue.push_back((0, Input::Tick));
        world.settle();
        turns += 1;
    }
    turns
}

#[test]
fn people_are_answered_meanwhile_and_what_they_write_is_not_lost() {
    let mut world = World::new(1);
    let (board, posts) = stocked(&mut world);
    lose_index(&mut world, 901);
    let percent = world.engines[0].store.remade_percent();
    assert!(percent.is_some_and(|percent| (1..99).contains(&percent)), "{percent:?}");
    assert!(world.known(0, board) < posts.len(), "not all is there yet");
    assert!(matches!(world.ask(0, Local::Counters), Answer::Counters { .. }));
    let words = PostBody { title: "meanwhile".into(), text: String::new(), link: None };
    let written = world.signed(0, world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words)));
    let write = Input::Local { ask: Local::Write { bytes: written.bytes().to_vec() }, reply: 902 };
    let outputs = world.engines[0].handle(vec![write], world.now);
    world.outputs(0, outputs);
    assert!(answer(&world, 901).is_none() && answer(&world, 902).is_none());
    assert!(make_whole(&mut world) > 1);
    assert_eq!(answer(&world, 901), Some(&Answer::Done));
    assert_eq!(answer(&world, 902), Some(&Answer::Written(Verdict::Admitted(written.id()))));
    assert_eq!(world.engines[0].store.remade_percent(), None);
    assert_eq!(world.known(0, board), 1 + posts.len() + 1);
    assert_eq!(world.engines[0].store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn what_peers_bring_meanwhile_is_not_taken_for_new() {
    let mut world = World::new(2);
    let (board, posts) = stocked(&mut world);
    world.follow(1, board);
    world.link(1, 0);
    world.run(20_000);
    assert_eq!(world.known(1, board), 1 + posts.len());
    let admitted = |world: &World| world.engines[0].all_counters()["events_admitted"];
    let before = admitted(&world);
    lose_index(&mut world, 901);
    // Gossip brings an event again that the index does not have yet.
    let last = world.engines[1].store.event(&posts[POSTS - 1]).unwrap().unwrap().event.bytes().to_vec();
    let topic = gossip::board_topic(&world.network, board);
    let come = Input::Gossip { peer: peer(1), topic, bytes: last, delivery: 1 };
    let asked = Input::Asked { peer: peer(1), body: vec![1, 2, 3], reply: 77 };
    let outputs = world.engines[0].handle(vec![come, asked], world.now);
    assert!(outputs.contains(&Output::Judge { delivery: 1, judgement: Judgement::Ignore }));
    assert!(outputs.contains(&Output::Respond { reply: 77, body: Response::Busy.to_bytes() }));
    make_whole(&mut world);
    world.run(20_000);
    assert_eq!(admitted(&world), before, "nothing was stored twice");
    assert_eq!(world.known(0, board), 1 + posts.len());
    let compared = world.completeness(0, board);
    assert_eq!((compared.peers_equal, compared.peers_asked), (1, 1));
}

#[test]
fn whoever_comes_when_too_many_wait_is_told_to_come_later() {
    let mut world = World::new(1);
    let (board, _) = stocked(&mut world);
    lose_index(&mut world, 901);
    let follows = (0..300).map(|reply| Input::Local { ask: Local::Unfollow { space: board }, reply: 1000 + reply });
    let outputs = world.engines[0].handle(follows.collect(), world.now);
    let refused = |output: &&Output| matches!(output, Output::Reply { answer: Answer::Storage(text), .. } if text.contains("try again in a moment"));
    assert_eq!(outputs.iter().filter(refused).count(), 300 - 256);
}

#[test]
fn a_start_leaves_a_long_log_to_the_turns_and_a_short_one_not() {
    let network = NetworkId::of("engine-tests");
    for (posts, is_long) in [(10, false), (250, true)] {
        let mut world = World::new(1);
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let (store, _) = EventStore::open(Arc::clone(&journal), Arc::new(MemoryIndex::new()), network).unwrap();
        world.engines[0] = Engine::new(Arc::new(store), key(0).public(), config(0)).unwrap().0;
        let board = world.board(0);
        for number in 0..posts {
            let words = PostBody { title: format!("post {number}"), text: "x".repeat(40_000), link: None };
            let draft = world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words));
            world.write(0, draft);
        }
        let me = key(0).public();
        let (store, remaking) = EventStore::open_for(me, journal, Arc::new(MemoryIndex::new()), network).unwrap();
        assert_eq!(store.remade_percent().is_some(), is_long, "{posts} posts");
        world.engines[0] = Engine::new(Arc::new(store), me, config(0)).unwrap().0;
        world.engines[0].remake(remaking);
        make_whole(&mut world);
        assert_eq!(world.known(0, board), 1 + posts);
        assert!(world.engines[0].is_followed(&board), "local records were read, too");
    }
}

#[test]
fn whoever_waits_is_told_when_the_disk_refuses() {
    let mut world = World::new(1);
    let _ = stocked(&mut world);
    let index = Arc::new(MemoryIndex::new());
    let rebuild = Input::Local { ask: Local::Rebuild { empty: EmptyIndex(index.clone()) }, reply: 901 };
    let outputs = world.engines[0].handle(vec![rebuild], world.now);
    world.outputs(0, outputs);
    let whole = Input::Local { ask: Local::Whole, reply: 902 };
    let outputs = world.engines[0].handle(vec![whole], world.now);
    world.outputs(0, outputs);
    assert!(answer(&world, 901).is_none() && answer(&world, 902).is_none());
    index.fail_nth(1);
    world.queue.push_back((0, Input::Tick));
    world.settle();
    for reply in [901, 902] {
        let said = answer(&world, reply);
        assert!(matches!(said, Some(Answer::Storage(text)) if text.contains("tried again by itself")), "{said:?}");
    }
}
