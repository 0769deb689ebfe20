//! Peers that are no engines: what they say is made up, in due form.

use super::*;
use roda_protocol::wire::{Request, Response, SpaceAsk, SpaceDigest, Taken};

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
    let mut inputs = VecDeque::from([Input::PeerUp { peer: peer(9), address: "somewhere".into(), outbound: true }]);
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
