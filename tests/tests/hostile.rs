//! A peer that sends anything it likes neither stops honest traffic nor grows a node's memory past its bounds.

use roda_protocol::event::Signed;
use roda_protocol::id::EventId;
use roda_protocol::limits::{EVENT_BYTES_MAX, SYNC_GET_IDS_MAX, SYNC_REQUEST_BYTES_MAX};
use roda_protocol::wire::{EventBytes, Request, Response};
use roda_tests::attacker::{Attacker, Outcome, Wave, framed};
use roda_tests::chance::Chance;
use roda_tests::cluster::{TestNode, nodes, text};
use roda_tests::forge::{Forge, with_broken_signature};
use roda_tests::socket::{self, News};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A node's most resident memory under attack. Its named bounds that an attacker can fill add up to about 100 MiB: 16 of
/// inbox, 17 of gossip for a slow peer, 6 of requests on each of a few connections, the index's cache; a node at rest has
/// 15 in a debug build. Measured here: 22 to 76 MiB, the most with 8,000 honest posts meanwhile.
const MEMORY_MAX: u64 = 128 * 1024 * 1024;

/// In how long an honest peer's post arrives, whatever goes on.
const HONEST_DEADLINE: Duration = Duration::from_secs(10);

/// Comments of parents that nobody has.
const ORPHANS: usize = 10_000;

/// A node under attack, an honest peer of it, and their board.
struct Scene {
    victim: TestNode,
    honest: TestNode,
    news: News,
    board: String,
    attacker: Attacker,
    runtime: tokio::runtime::Runtime,
    honest_posts: u64,
}

impl Scene {
    fn new(forge: impl FnOnce(&mut Forge) -> Vec<Signed>) -> (Self, Vec<Signed>) {
        let mut both = nodes(2);
        let (honest, victim) = (both.remove(1), both.remove(0));
        let mut forge_of = Forge::new(victim.network(), 9);
        let events = forge(&mut forge_of);
        let board = events[0].space();
        for node in [&victim, &honest] {
            node.follow(&board.to_string());
            node.import(&events[..2]);
        }
        honest.connect(&victim);
        let attacker = Attacker::new(&victim.address(), forge_of.network(), board);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let news = victim.news();
        let board = board.to_string();
        (Self { victim, honest, news, board, attacker, runtime, honest_posts: 0 }, events)
    }

    /// Sends a wave, and has the honest peer post meanwhile and afterwards.
    fn attack(&mut self, what: &str, wave: Wave) -> Outcome {
        let (socket, board, news) = (self.honest.socket(), &self.board, &self.news);
        let outcome = std::thread::scope(|scope| {
            let attack = scope.spawn(|| self.runtime.block_on(self.attacker.send(wave)));
            loop {
                let is_over = attack.is_finished();
                let body = json!({ "board": board, "title": format!("honest, during {what}"), "text": "words" });
                let written = socket::post(&socket, "/api/v1/posts", &body).expect("the honest node serves");
                self.honest_posts += 1;
                let arrived = news.admitted(&text(&written["id"]), HONEST_DEADLINE);
                assert!(arrived.is_some(), "an honest post did not arrive during {what}: {}", self.victim.log());
                if is_over {
                    break attack.join().expect("the attacker has no bug");
                }
            }
        });
        assert!(self.victim.is_running(), "the node ended after {what}: {}", self.victim.log());
        let memory = self.victim.memory("VmHWM");
        println!("{what}: {outcome:?}, {} MiB at most", memory >> 20);
        assert!(memory < MEMORY_MAX, "{} MiB after {what}", memory >> 20);
        outcome
    }

    /// Checks that the node is whole.
    fn end(mut self) {
        assert!(self.honest_posts >= 1 && self.victim.is_running());
        self.victim.assert_sound();
        self.victim.stop();
    }
}

#[test]
fn garbage_and_oversize_frames_are_counted_and_stop_nobody() {
    let mut chance = Chance::new("garbage");
    let (mut scene, _) = Scene::new(|forge| forge.thread("garbage", 0));
    let gossip = (0..300)
        .map(|_| {
            let length = 1 + chance.below(20_000);
            chance.bytes(length)
        })
        .collect();
    let outcome = scene.attack("garbage gossip", Wave { gossip, ..Wave::default() });
    assert!(outcome.published > 0);
    assert!(scene.victim.counter("gossip_invalid") > 0, "rejects are counted");

    let gossip = (0..12).map(|_| chance.bytes(1024 * 1024)).collect();
    scene.attack("oversize gossip", Wave { gossip, ..Wave::default() });
    let gossip = (0..40).map(|_| chance.bytes(EVENT_BYTES_MAX + 3000)).collect();
    scene.attack("gossip beyond an event", Wave { gossip, ..Wave::default() });

    // Lengths that lie, one far over the bound, one that promises what never comes.
    let lies = [u32::MAX, 1 << 30, SYNC_REQUEST_BYTES_MAX as u32, 1];
    let requests = lies.iter().cycle().take(64).map(|length| [&length.to_le_bytes()[..], &[7; 100]].concat()).collect();
    scene.attack("lying lengths", Wave { requests, ..Wave::default() });
    let requests = (0..64)
        .map(|_| {
            let length = chance.below(4000);
            framed(&chance.bytes(length))
        })
        .collect();
    let outcome = scene.attack("requests of garbage", Wave { requests, ..Wave::default() });
    assert!(outcome.sent_away && scene.victim.counter("requests_malformed") > 0, "{outcome:?}");
    let requests = (0..64).map(|_| framed(&chance.bytes(SYNC_REQUEST_BYTES_MAX))).collect();
    scene.attack("large requests of garbage", Wave { requests, ..Wave::default() });
    scene.end();
}

#[test]
fn forged_events_are_refused_and_do_not_shadow_the_real_ones() {
    let (mut scene, events) = Scene::new(|forge| forge.thread("forged", 200));
    let broken = |events: &[Signed]| events.iter().map(with_broken_signature).collect::<Vec<_>>();
    let gossip = broken(&events[2..]);
    let outcome = scene.attack("forged gossip", Wave { gossip, ..Wave::default() });
    assert!(outcome.published > 0);
    assert!(scene.victim.counter("gossip_invalid") > 0);

    let space = events[0].space();
    let push = |events: Vec<Vec<u8>>| {
        framed(&Request::Push { space, events: events.into_iter().map(EventBytes).collect() }.to_bytes())
    };
    let requests = events[2..].chunks(7).map(|part| push(broken(part))).collect();
    scene.attack("forged events in comparisons", Wave { requests, ..Wave::default() });
    assert!(scene.victim.counter("sync_invalid") > 0);

    // Now the real ones, by an honest peer: the broken copies came first, and take nothing away.
    let before = scene.victim.events();
    let last = events.last().expect("there are some").id().to_string();
    let held: Vec<_> = scene.victim.ids();
    assert!(!held.contains(&last), "no forged event is held");
    scene.honest.import(&events[2..100]);
    scene.honest.sync();
    scene.victim.holds(before + 98);
    // And by gossip, from an attacker who tells the truth for once.
    let gossip = events[100..].iter().map(|event| event.bytes().to_vec()).collect();
    scene.attack("real gossip", Wave { gossip, ..Wave::default() });
    let ids = scene.victim.ids();
    assert!(events.iter().all(|event| ids.contains(&event.id().to_string())), "every real event is held");
    scene.end();
}

#[test]
fn answers_that_make_no_sense_end_a_comparison_and_nothing_else() {
    let mut chance = Chance::new("answers");
    let (mut scene, events) = Scene::new(|forge| forge.thread("answers", 3));
    let space = events[0].space();
    let ids = |count: usize, chance: &mut Chance| -> Vec<(u64, EventId)> {
        let mut keys: Vec<_> =
            (0..count).map(|_| (chance.draw(), EventId(chance.bytes(32).try_into().expect("32")))).collect();
        keys.sort_unstable();
        keys
    };
    let answer = |response: Response| framed(&response.to_bytes());
    let digest = |index| roda_protocol::wire::SpaceDigest { index, count: 5, digest: [0; 16] };
    let spaces = answer(Response::Spaces(vec![digest(0)]));
    let empty = answer(Response::Events { events: Vec::new(), answered: 0 });
    let waves: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("answers of garbage", vec![framed(&chance.bytes(300))]),
        ("answers with lying lengths", vec![u32::MAX.to_le_bytes().to_vec()]),
        ("answers to other questions", vec![answer(Response::Holding(vec![true; 9])), answer(Response::Busy)]),
        ("places that were not asked for", vec![answer(Response::Spaces(vec![digest(u32::MAX)]))]),
        (
            "pages of events that nobody has",
            vec![spaces.clone(), answer(Response::Page { keys: ids(4096, &mut chance), is_last: false }), empty],
        ),
        ("pages without an end", vec![spaces.clone(), answer(Response::Page { keys: Vec::new(), is_last: false })]),
        ("for ever busy", vec![answer(Response::Busy)]),
        (
            "events that were not asked for",
            vec![
                spaces,
                answer(Response::Page { keys: ids(10, &mut chance), is_last: true }),
                answer(Response::Events { events: vec![EventBytes(chance.bytes(500)); 9], answered: 10 }),
            ],
        ),
    ];
    for (what, answers) in waves {
        let outcome = scene.attack(what, Wave { answers, ..Wave::default() });
        assert!(outcome.asked > 0, "the node compares with whoever follows the board: {what}");
    }
    let ids = vec![EventId([7; 32]); SYNC_GET_IDS_MAX];
    let requests = (0..1000).map(|_| framed(&Request::Get { space, ids: ids.clone() }.to_bytes())).collect();
    scene.attack("a storm of questions", Wave { requests, ..Wave::default() });
    assert!(scene.victim.counter("requests_refused") > 0, "a peer's questions are rationed");
    scene.end();
}

#[test]
fn ten_thousand_comments_of_unknown_parents_are_held_within_bounds() {
    let orphans = |forge: &mut Forge| {
        let mut events = forge.thread("orphans", 0);
        let (board, root) = (events[0].space(), events[1].id());
        for number in 0..ORPHANS {
            let mut parent = [0xee; 32];
            parent[..8].copy_from_slice(&(number as u64).to_le_bytes());
            events.push(forge.comment(board, root, EventId(parent), "an orphan"));
        }
        events
    };
    let (mut scene, events) = Scene::new(orphans);
    let space = events[0].space();
    let gossip = events[2..1002].iter().map(|event| event.bytes().to_vec()).collect();
    let push = |part: &[Signed]| {
        let events = part.iter().map(|event| EventBytes(event.bytes().to_vec())).collect();
        framed(&Request::Push { space, events }.to_bytes())
    };
    let requests = events[2..].chunks(100).map(push).collect();
    scene.attack("orphans", Wave { gossip, requests, ..Wave::default() });
    let (wanted, held) = (scene.victim.counter("wanted"), scene.victim.events());
    println!("{held} events held, {wanted} wanted");
    assert!(wanted <= 2000, "{wanted} parents are wanted");
    assert!(held > ORPHANS as u64, "valid events are held whatever they answer: {held}");
    // The thread can be read, the board be written on, and a new comment's parent be found.
    let page = scene.victim.read(&events[1].id().to_string());
    assert!(page["completeness"]["held"].as_u64() > Some(ORPHANS as u64));
    let reply = scene.honest.reply(&events[1].id().to_string(), "Still here");
    scene.victim.assert_sound();
    assert!(scene.news.admitted(&reply, HONEST_DEADLINE).is_some());
    assert!(scene.victim.memory("VmHWM") < MEMORY_MAX);
    scene.end();
}

#[test]
fn strangers_that_say_nothing_or_nonsense_lock_nobody_out() {
    let mut chance = Chance::new("strangers");
    let (mut scene, _) = Scene::new(|forge| forge.thread("strangers", 0));
    let port = scene.victim.address().split('/').nth(4).and_then(|text| text.parse::<u16>().ok()).expect("its port");
    // Half-open connections are kept until the end of the test: more than may shake hands at once.
    let silent: Vec<_> = (0..100).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    assert_eq!(silent.len(), 100);
    for _ in 0..100 {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("it is a socket");
        let length = 1 + chance.below(5000);
        // The node may hang up at any byte.
        let _ = stream.write_all(&chance.bytes(length));
        let _ = stream.read(&mut [0; 64]);
    }
    scene.attack("strangers on the port", Wave::default());
    let newcomer = TestNode::start(scene.victim.network());
    roda_tests::wait::eventually("a newcomer's connection", Duration::from_secs(30), || {
        newcomer.run(&["connect", &scene.victim.address()]).status.success().then_some(())
    });
    drop(silent);
    scene.end();
}
