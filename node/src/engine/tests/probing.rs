//! Who lacks what others bring loses points, and nobody else.

use super::*;

const MINUTE_MS: u64 = 60_000;

/// Four that bring what a fifth one writes to node 0, node 5 that is looked at, and node 0, which looks. All follow one board
/// but those in `elsewhere`.
struct Scene {
    world: World,
    board: SpaceId,
}

impl Scene {
    fn new(elsewhere: &[usize]) -> Self {
        let mut world = World::new(6);
        let board = world.board(0);
        for node in (1..6).filter(|node| !elsewhere.contains(node)) {
            world.follow(node, board);
        }
        world.links((1..6).map(|node| (0, node)));
        world.run(5000);
        // What is written from now on is brought by hand: each copy is one that a test has decided on.
        world.gossip = false;
        Self { world, board }
    }

    /// One more post comes by gossip from node 1, and copies of it from the other bringers.
    fn brought(&mut self, title: &str, by: &[usize]) -> EventId {
        let words = PostBody { title: title.into(), text: String::new(), link: None };
        let draft = self.world.draft(self.board, vec![], Kind::Post(Post::default()), Body::Post(words));
        let signed = self.world.signed(1, draft);
        let topic = gossip::board_topic(&self.world.network, self.board);
        let bytes = signed.bytes().to_vec();
        let copies = by.iter().map(|by| (peer(*by), gossip::message_id(&bytes))).collect();
        self.world.queue.push_back((0, Input::Gossip { peer: peer(by[0]), topic, bytes, delivery: 0 }));
        self.world.queue.push_back((0, Input::Copies { copies }));
        self.world.settle();
        signed.id()
    }

    /// Minutes pass, in each of which so many posts are brought by nodes 1 to 4; node 0 is told who is in its mesh.
    fn minutes(&mut self, minutes: u64, posts: u64, by: &[usize]) {
        for minute in 0..minutes {
            for post in 0..posts {
                let title = format!("{} {minute} {post}", self.world.now.wall_ms);
                self.brought(&title, by);
            }
            let mesh = (1..6).map(peer).collect();
            self.world.queue.push_back((0, Input::Mesh { peers: mesh }));
            self.world.run(MINUTE_MS);
        }
    }

    fn counter(&self, name: &str) -> u64 {
        self.world.engines[0].all_counters().get(name).copied().unwrap_or(0)
    }
}

const BRINGERS: [usize; 4] = [1, 2, 3, 4];

/// Node 5 answers nothing from now on, and takes nothing in.
fn silence(world: &mut World) {
    world.mute = Some(5);
}

#[test]
fn honest_peers_keep_their_points_also_those_that_bring_nothing() {
    let mut scene = Scene::new(&[]);
    scene.minutes(60, 2, &BRINGERS);
    assert!(scene.counter("probes") >= 30, "{} probes", scene.counter("probes"));
    assert_eq!(scene.world.marks, []);
    assert_eq!(scene.counter("probes_lacking"), 0);
}

#[test]
fn a_peer_that_takes_everything_and_shows_nothing_loses_points_and_has_them_back_when_it_does() {
    let mut scene = Scene::new(&[]);
    silence(&mut scene.world);
    scene.minutes(40, 2, &BRINGERS);
    assert_eq!(scene.world.marks, [(0, 5, true)]);
    scene.world.mute = None;
    scene.minutes(15, 2, &BRINGERS);
    assert_eq!(scene.world.marks, [(0, 5, true), (0, 5, false)]);
}

#[test]
fn points_come_back_after_an_hour_also_when_the_peer_has_gone() {
    let mut scene = Scene::new(&[]);
    silence(&mut scene.world);
    scene.minutes(40, 2, &BRINGERS);
    scene.world.unlink(0, 5);
    assert_eq!(scene.world.marks, [(0, 5, true)], "they don't come back by leaving");
    scene.world.run(61 * MINUTE_MS);
    assert_eq!(scene.world.marks, [(0, 5, true), (0, 5, false)]);
    assert_eq!(scene.counter("marked"), 0);
}

#[test]
fn who_joins_now_is_not_asked_for_what_came_before() {
    let mut scene = Scene::new(&[5]);
    silence(&mut scene.world);
    scene.minutes(40, 2, &BRINGERS);
    assert_eq!(scene.world.marks, [], "it follows another board");
    let topic = gossip::board_topic(&scene.world.network, scene.board);
    scene.world.queue.push_back((0, Input::Subscribed { peer: peer(5), topic }));
    scene.minutes(9, 0, &BRINGERS);
    assert_eq!(scene.world.marks, [], "it has joined just now");
    scene.minutes(30, 2, &BRINGERS);
    assert_eq!(scene.world.marks, [(0, 5, true)]);
}

#[test]
fn on_a_quiet_board_nobody_loses_points() {
    let mut scene = Scene::new(&[]);
    silence(&mut scene.world);
    for _ in 0..12 {
        scene.minutes(10, 0, &BRINGERS);
        scene.minutes(1, 1, &BRINGERS);
    }
    assert_eq!(scene.world.marks, []);
    assert_eq!(scene.counter("probes"), 0);
}

#[test]
fn what_two_peers_say_is_not_held_against_a_third() {
    let mut scene = Scene::new(&[]);
    silence(&mut scene.world);
    scene.minutes(40, 2, &BRINGERS[..2]);
    assert_eq!(scene.world.marks, []);
}

#[test]
fn what_a_peer_declined_by_its_own_taste_it_has() {
    let mut scene = Scene::new(&[]);
    scene.world.engines[5].config.denied_authors.insert(key(1).public());
    scene.minutes(60, 2, &BRINGERS);
    assert!(scene.world.known(5, scene.board) > 100);
    assert_eq!(scene.world.engines[5].all_counters().get("events_admitted"), Some(&1), "its charter");
    assert_eq!(scene.world.marks, []);
}

#[test]
fn a_peer_that_missed_it_is_offered_it_and_loses_nothing() {
    let mut scene = Scene::new(&[]);
    // What node 0 heard doesn't get any further: nobody answers anybody's questions for a while.
    scene.world.is_deaf = true;
    scene.minutes(12, 4, &BRINGERS);
    assert_eq!(scene.world.known(5, scene.board), 1, "the charter");
    scene.world.is_deaf = false;
    scene.minutes(30, 2, &BRINGERS);
    assert_eq!(scene.world.marks, []);
}

#[test]
fn a_peer_that_hides_every_second_event_loses_points() {
    let mut scene = Scene::new(&[]);
    scene.world.stingy = Some(5);
    scene.minutes(40, 2, &BRINGERS);
    assert_eq!(scene.world.marks, [(0, 5, true)]);
}

#[test]
fn what_is_remembered_of_peers_that_lost_points_is_bounded() {
    let mut scene = Scene::new(&[]);
    let engine = &mut scene.world.engines[0];
    for number in 0..1000 {
        engine.mark_until(&peer(10 + number), 1_000_000 + number as u64);
    }
    let marks = |lacks| move |output: &&Output| matches!(output, Output::Mark { lacks: is, .. } if *is == lacks);
    let (lost, back) = (engine.out.iter().filter(marks(true)).count(), engine.out.iter().filter(marks(false)).count());
    assert_eq!((lost, back, engine.probes.marked()), (1000, 744, 256));
}
