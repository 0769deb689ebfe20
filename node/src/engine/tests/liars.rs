//! Peers that are no engines: what they say is made up, in due form.

use super::*;
use roda_protocol::reconcile::{Ask, Bound, Differs, EpochEntry, EpochKey, Finding, Probe};
use roda_protocol::wire::{EventBytes, Request, Response, SpaceAsk, SpaceDigest, Taken};

/// A board at the first engine, with so many posts.
fn board_with_posts(world: &mut World, posts: usize) -> SpaceId {
    let board = world.board(0);
    for _ in 0..posts {
        world.advance_clock();
        world.post(0, board, "mine");
    }
    board
}

/// Lets time pass for the first engine while it is connected to a peer that answers by `lie`.
fn run_beside(world: &mut World, ms: u64, mut lie: impl FnMut(Request) -> Response) {
    let mut inputs =
        VecDeque::from([Input::PeerUp { peer: peer(9), address: "somewhere".into(), network: None, outbound: true }]);
    for _ in 0..ms / TICK_MS {
        world.now.steady_ms += TICK_MS;
        world.now.wall_ms += TICK_MS;
        inputs.push_back(Input::Tick);
        while let Some(input) = inputs.pop_front() {
            for output in world.engines[0].handle(vec![input], world.now) {
                if let Output::Request { body, token, .. } = output {
                    let body = lie(Request::from_bytes(&body).unwrap()).to_bytes();
                    inputs.push_back(Input::Answered { token, body: Some(body) });
                }
            }
        }
    }
}

/// Says of each space that was named that it has no event there.
fn nothing_known(asks: &[SpaceAsk]) -> Response {
    let digest = |(index, _)| SpaceDigest { index, count: 0, digest: [9; 16], epochs: Some(Vec::new()) };
    Response::Spaces { headers_first: false, spaces: (0..).zip(asks).map(digest).collect() }
}

#[test]
fn a_peer_that_takes_all_and_holds_nothing_is_given_all_once_a_session_and_then_left_alone() {
    let mut world = World::new(1);
    board_with_posts(&mut world, 600);
    let mut pushed = 0;
    let mut lie = |request: Request| match request {
        Request::Spaces { spaces, .. } => nothing_known(&spaces),
        Request::Push { events, .. } => {
            pushed += events.len();
            Response::Taken(vec![Taken::Held; events.len()])
        }
        Request::Holds { ids, .. } => Response::Holding(vec![true; ids.len()]),
        _ => Response::NotFollowed,
    };
    run_beside(&mut world, 3 * 3_600_000, &mut lie);
    assert!(pushed >= 601, "an honest peer could be as empty");
    assert!(pushed <= 4 * 601, "{pushed} events went to a peer that keeps none");
}

/// Names that no event has, right behind a real one.
const INVENTED: u64 = 40;

/// Offers an event, and a great many that nobody wrote, wherever it is asked about the place where they would stand.
fn promises(probe: &Probe, real: &EpochKey) -> Finding {
    let names = || (0..=INVENTED).map(|number| (real.short() + number).to_be_bytes()).collect();
    let is_here = |lower: &Bound, upper: &Bound| {
        lower.key().is_some_and(|lower| lower <= *real) && upper.key().is_some_and(|upper| *real < upper)
    };
    match &probe.ask {
        Ask::Split(children) => {
            let lowers = std::iter::once(&probe.lower).chain(children.iter().map(|child| &child.upper));
            let parts = (0..).zip(lowers.zip(children));
            let here = parts.filter(|(_, (lower, child))| is_here(lower, &child.upper));
            Finding::Split(here.map(|(place, _)| (place, Differs::List(names()))).collect())
        }
        Ask::List { upper, members } | Ask::Exact { upper, members } => {
            let offers = if is_here(&probe.lower, upper) { names() } else { Vec::new() };
            Finding::List { upto: None, wants: vec![0; members.len().div_ceil(8)].into(), offers }
        }
        Ask::Sketch { .. } => Finding::Sketch(Vec::new().into()),
    }
}

#[test]
fn a_peer_that_gives_one_event_for_many_promises_is_left_alone() {
    let mut world = World::new(1);
    // Few enough that they are listed at once.
    let board = board_with_posts(&mut world, 3);
    let words = |number: usize| PostBody { title: format!("real {number}"), text: String::new(), link: None };
    let mut real = Vec::new();
    for number in 0..1000 {
        world.advance_clock();
        let draft = world.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words(number)));
        let signed = world.signed(5, draft);
        real.push((EpochKey::of(&(world.now.wall_ms, signed.id())), EventBytes(signed.bytes().to_vec())));
    }
    let (mut given, mut asked) = (0, 0);
    let mut lie = |request: Request| {
        let ((epoch, key), event) = &real[given];
        match request {
            Request::Spaces { .. } => {
                let epochs = Some(vec![EpochEntry { epoch: *epoch, count: 60, fingerprint: [7; 8] }]);
                let spaces = vec![SpaceDigest { index: 0, count: 60, digest: [9; 16], epochs }];
                Response::Spaces { headers_first: false, spaces }
            }
            Request::Compare { probes, .. } => {
                Response::Compared(probes.iter().map(|probe| promises(probe, key)).collect())
            }
            Request::Pick { members, .. } => {
                asked += 1;
                let is_named = members.contains(&key.short().to_be_bytes());
                given += usize::from(is_named);
                let events = if is_named { vec![event.clone()] } else { Vec::new() };
                Response::Events { events, answered: u32::try_from(members.len()).unwrap() }
            }
            Request::Range { .. } => Response::Range { events: Vec::new(), next: None },
            Request::Push { events, .. } => Response::Taken(vec![Taken::No; events.len()]),
            Request::Holds { ids, .. } => Response::Holding(vec![false; ids.len()]),
            Request::Get { ids, .. } => {
                Response::Events { events: Vec::new(), answered: u32::try_from(ids.len()).unwrap() }
            }
            Request::Directory { .. } => Response::Directory { boards: Vec::new(), more: false },
        }
    };
    run_beside(&mut world, 3 * 3_600_000, &mut lie);
    assert!(given >= 1, "what it gives is taken");
    assert!(asked <= 12, "asked {asked} times for {given} events");
}
