//! Boards that are found without being known: who lists what, and what becomes of what liars list.

use super::*;
use crate::store::Listing;
use roda_protocol::limits::DIRECTORY_BOARDS_MAX;
use roda_protocol::wire::{EventBytes, Listed, Request};

fn found(world: &mut World, at: usize) -> Vec<FoundBoard> {
    let Answer::Directory(found) = world.ask(at, Local::Directory) else { panic!("another answer") };
    found
}

fn list(world: &mut World, at: usize, board: SpaceId, is_on: bool) {
    assert_eq!(world.ask(at, Local::List { space: board, is_on }), Answer::Done);
}

#[test]
fn a_board_is_told_of_only_when_its_people_said_so_and_those_who_found_it_so_tell_it_on() {
    let mut world = World::new(4);
    let listed = world.board(0);
    world.advance_clock();
    let private = world.board(0);
    world.post(0, listed, "hello");
    world.follow(1, private);
    world.links([(0, 1), (1, 2), (2, 3)]);
    world.run(5000);
    assert!((0..4).all(|at| found(&mut world, at).is_empty()), "nobody said that anything may be listed");
    list(&mut world, 0, listed, true);
    world.run(12_000);
    assert_eq!(found(&mut world, 1).len(), 0, "asked anew because people look");
    world.run(5000);
    let boards = found(&mut world, 1);
    assert_eq!(boards.iter().map(|board| board.charter.space()).collect::<Vec<_>>(), [listed]);
    assert_eq!((boards[0].known_by, boards[0].figures.events, boards[0].figures.threads), (1, 2, 1));
    assert_eq!(boards[0].figures.last_day, 11, "a day, and no time of it");
    assert_eq!(found(&mut world, 2).len(), 0, "who has not followed it does not tell of it");
    // Following it: its charter is here at once, and it goes on to the next.
    world.unlink(0, 1);
    world.follow(1, listed);
    assert!(world.engines[1].store.event(&EventId(listed.0)).unwrap().is_some());
    assert_eq!(world.engines[1].store.listing(listed).unwrap(), Some(Listing::Found));
    assert!(world.engines[1].follows[&listed].rules.is_some());
    world.run(12_000);
    let _ = found(&mut world, 2);
    world.run(5000);
    assert_eq!(found(&mut world, 2).len(), 1);
    // Who follows it by its id tells nobody.
    world.follow(3, listed);
    assert_eq!(world.engines[3].store.listing(listed).unwrap(), None);
    // And who was told that it should not be listed, neither.
    list(&mut world, 1, listed, false);
    world.run(12_000);
    let _ = found(&mut world, 2);
    world.run(5000);
    assert_eq!(found(&mut world, 2).len(), 0, "what a peer lists no longer is forgotten");
    assert_eq!(world.disconnects, Vec::<String>::new());
}

#[test]
fn what_was_said_about_listing_outlives_the_index() {
    let mut world = World::new(1);
    let on = world.board(0);
    world.advance_clock();
    let off = world.board(0);
    list(&mut world, 0, on, true);
    list(&mut world, 0, off, true);
    list(&mut world, 0, off, false);
    let empty = EmptyIndex(Arc::new(MemoryIndex::new()));
    assert_eq!(world.ask(0, Local::Rebuild { empty }), Answer::Done);
    let store = &world.engines[0].store;
    assert_eq!(store.listing(on).unwrap(), Some(Listing::On));
    assert_eq!(store.listing(off).unwrap(), Some(Listing::Off));
    assert_eq!(store.listed().unwrap(), [on]);
}

#[test]
fn a_long_list_comes_in_pages_and_each_board_once() {
    let mut world = World::new(2);
    let boards: BTreeSet<SpaceId> = (0..DIRECTORY_BOARDS_MAX * 2 + 5)
        .map(|_| {
            world.advance_clock();
            let board = world.board(0);
            list(&mut world, 0, board, true);
            board
        })
        .collect();
    world.link(0, 1);
    world.run(10_000);
    let found: BTreeSet<SpaceId> = found(&mut world, 1).iter().map(|board| board.charter.space()).collect();
    assert_eq!(found, boards);
}

/// The first engine beside peers that answer questions about boards by `lie`, and all others with nothing.
fn run_beside(world: &mut World, ms: u64, mut lie: impl FnMut(usize, Option<SpaceId>) -> Response) -> Vec<Output> {
    let mut all = Vec::new();
    for _ in 0..ms / TICK_MS {
        world.now.steady_ms += TICK_MS;
        world.now.wall_ms += TICK_MS;
        let mut inputs = VecDeque::from([Input::Tick]);
        while let Some(input) = inputs.pop_front() {
            for output in world.engines[0].handle(vec![input], world.now) {
                let Output::Request { peer, body, token } = &output else {
                    all.push(output);
                    continue;
                };
                let response = match Request::from_bytes(body).unwrap() {
                    Request::Directory { after } => lie(number_of(peer), after),
                    Request::Spaces { .. } => Response::Spaces { headers_first: false, spaces: Vec::new() },
                    _ => Response::NotFollowed,
                };
                inputs.push_back(Input::Answered { token: *token, body: Some(response.to_bytes()) });
            }
        }
    }
    all
}

fn comes(world: &mut World, number: usize, network: &str) {
    let (peer, network) = (peer(number), Some(network.to_owned()));
    let up = Input::PeerUp { peer, address: "somewhere".into(), network, outbound: false };
    let _ = world.engines[0].handle(vec![up], world.now);
}

fn charter(world: &World, number: u64) -> Signed {
    let charter = Charter { work_bits: 0, ..Charter::new("made up".into(), key(8).public()) };
    let words = CharterBody { title: String::new(), description: String::new(), rules: vec![] };
    let draft = world.draft(SpaceId::ZERO, vec![], Kind::Charter(charter), Body::Charter(words));
    world.signed(8, Draft { created_ms: number, ..draft })
}

fn listed(charter: &Signed) -> Listed {
    Listed { charter: EventBytes(charter.bytes().to_vec()), events: u64::MAX, threads: 1, last_day: u32::MAX }
}

#[test]
fn ten_thousand_made_up_boards_neither_grow_the_book_nor_push_others_out() {
    let mut world = World::new(1);
    let honest = charter(&world, 1);
    comes(&mut world, 1, "honest");
    let one = Response::Directory { boards: vec![listed(&honest)], more: false };
    run_beside(&mut world, 3000, |_, _| one.clone());
    // Names of peers cost nothing: the liar comes again and again, under another one each time.
    let mut number = 10;
    let mut made_up = 0;
    while made_up < 10_000 {
        number += 1;
        comes(&mut world, number, "liar");
        let charters: Vec<Signed> = (0..256).map(|place| charter(&world, (number * 1000 + place) as u64)).collect();
        let mut sorted = charters;
        sorted.sort_by_key(Signed::space);
        made_up += sorted.len();
        let lie = |asked: usize, after: Option<SpaceId>| {
            if asked == 1 {
                return one.clone();
            }
            let behind = sorted.iter().filter(|charter| after.is_none_or(|after| charter.space() > after));
            let boards: Vec<Listed> = behind.take(DIRECTORY_BOARDS_MAX).map(listed).collect();
            let more = !boards.is_empty();
            Response::Directory { boards, more }
        };
        let disconnects = run_beside(&mut world, 20_000, lie);
        assert!(
            !disconnects.iter().any(|output| matches!(output, Output::Disconnect { .. })),
            "no opinion costs a peer"
        );
        let _ = world.engines[0].handle(vec![Input::PeerDown { peer: peer(number) }], world.now);
    }
    let boards = found(&mut world, 0);
    assert!(boards.len() <= 2000, "{} boards", boards.len());
    assert!(boards.iter().any(|board| board.charter.id() == honest.id()));
}

#[test]
fn a_directory_out_of_order_of_other_events_or_of_forgeries_sends_its_peer_away() {
    let mut world = World::new(1);
    let board = world.board(0);
    let words = PostBody { title: "t".into(), text: String::new(), link: None };
    let post = world.signed(8, world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words)));
    let (one, two) = (charter(&world, 1), charter(&world, 2));
    let (low, high) = if one.space() < two.space() { (one, two) } else { (two, one) };
    let forged = |number: usize| {
        let charter = charter(&world, 100 + number as u64);
        let mut bytes = charter.bytes().to_vec();
        bytes[charter.bytes_without_body().len() - 20] ^= 1;
        (charter.space(), Listed { charter: EventBytes(bytes), ..listed(&charter) })
    };
    let mut forgeries: Vec<(SpaceId, Listed)> = (0..8).map(forged).collect();
    forgeries.sort_by_key(|(board, _)| *board);
    let forgeries: Vec<Listed> = forgeries.into_iter().map(|(_, listed)| listed).collect();
    for (case, boards) in
        [vec![listed(&high), listed(&low)], vec![listed(&low), listed(&low)], vec![listed(&post)], forgeries]
            .into_iter()
            .enumerate()
    {
        comes(&mut world, 20 + case, "liar");
        let lie = Response::Directory { boards, more: false };
        let outputs = run_beside(&mut world, 5000, |_, _| lie.clone());
        let sent_away = outputs.iter().filter(|output| matches!(output, Output::Disconnect { .. })).count();
        assert!(sent_away >= 1, "case {case}");
        let _ = world.engines[0].handle(vec![Input::PeerDown { peer: peer(20 + case) }], world.now);
        assert!(found(&mut world, 0).is_empty(), "case {case}: nothing of it counts");
    }
    comes(&mut world, 30, "liar");
    let outputs = run_beside(&mut world, 5000, |_, _| Response::NotFollowed);
    assert!(outputs.iter().any(|output| matches!(output, Output::Disconnect { .. })));
}

#[test]
fn a_founder_whom_this_node_denies_is_not_shown_and_costs_the_peer_nothing() {
    let mut world = World::new(1);
    world.engines[0].config.denied_authors.insert(key(8).public());
    let charter = charter(&world, 1);
    comes(&mut world, 1, "a");
    let lie = Response::Directory { boards: vec![listed(&charter)], more: false };
    let outputs = run_beside(&mut world, 5000, |_, _| lie.clone());
    assert!(found(&mut world, 0).is_empty());
    assert!(!outputs.iter().any(|output| matches!(output, Output::Disconnect { .. })));
}
