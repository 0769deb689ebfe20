//! A peer that sends anything it likes neither stops honest traffic nor grows a node's memory past its bounds.

#[path = "hostile/lies.rs"]
mod lies;
#[path = "hostile/withholding.rs"]
mod withholding;

use roda_protocol::event::Signed;
use roda_protocol::id::{EventId, NetworkId, SpaceId};
use roda_protocol::limits::{EVENT_BYTES_MAX, SYNC_FRAME_BYTES_MAX, SYNC_GET_IDS_MAX, SYNC_REQUEST_BYTES_MAX};
use roda_protocol::reconcile::{Ask, Bound, Child, FAN_OUT, PROBES_MAX, Probe, SYMBOLS_MAX, Salt};
use roda_protocol::wire::{EventBytes, Form, Request, Response};
use roda_tests::attacker::{Attacker, MORE, Outcome, Wave, framed};
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
/// 38 in a debug build, of which 29 are the program itself. Measured here: 45 to 115 MiB under attack, 16 of it for the words that
/// are being indexed, and 124 to 151 after a thread of 10,000 comments was read whole; the design allows 256.
const MEMORY_MAX: u64 = 192 * 1024 * 1024;

/// In how long an honest peer's post arrives, whatever goes on.
const HONEST_DEADLINE: Duration = Duration::from_secs(10);

/// Comments of the board on which answers and questions are judged: above the size from which an epoch has a sketch.
const LONG_THREAD: usize = 1200;

/// Questions that a peer which lies in due form is asked in one wave: a comparison ends after 64 rounds, a session after
/// five comparisons, and an honest post may begin another session.
const QUESTIONS_MAX: usize = 1500;

/// How long the attacker is busy; it would be asked twice a second for a minute.
const BUSY_TIME: Duration = Duration::from_secs(10);

/// How long the attacker lists boards: the node asks for a page every two seconds, and for eight at most.
const LISTING_TIME: Duration = Duration::from_secs(25);

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

    /// Checks that nothing of this has kept the node from its honest peer: what only that one has arrives by comparison.
    fn converges(&mut self, events: &[Signed]) {
        let before = self.victim.events();
        self.honest.import(&events[LONG_THREAD..]);
        self.honest.sync();
        self.victim.holds(before + (events.len() - LONG_THREAD) as u64);
        self.honest.holds(self.victim.events());
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
    let frame = SYNC_FRAME_BYTES_MAX as u32;
    let lies = [u32::MAX, 1 << 30, SYNC_REQUEST_BYTES_MAX as u32, frame, frame | MORE, 1 | MORE, MORE, 1];
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
    // Frames that never end: a message has a bound, however it is cut.
    let full = [&(frame | MORE).to_le_bytes()[..], &vec![7; SYNC_FRAME_BYTES_MAX]].concat();
    let requests = (0..16).map(|_| full.repeat(12)).collect();
    scene.attack("messages without an end", Wave { requests, ..Wave::default() });
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
        let events = events.into_iter().map(EventBytes).collect();
        framed(&Request::Push { space, form: Form::Whole, events }.to_bytes())
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

/// A board whose comments the node has, enough of them that it asks in ranges and keeps a sketch.
fn a_scene_of_a_long_thread(name: &str) -> (Scene, Vec<Signed>) {
    let (scene, events) = Scene::new(|forge| forge.thread(name, LONG_THREAD));
    scene.victim.import(&events[2..LONG_THREAD]);
    (scene, events)
}

#[test]
fn malformed_answers_send_the_peer_away_and_end_nothing_else() {
    let mut chance = Chance::new("answers");
    let (mut scene, events) = a_scene_of_a_long_thread("malformed");
    let answer = |response: Response| framed(&response.to_bytes());
    let short_frame = [&(5 | MORE).to_le_bytes()[..], &[1; 5], &0_u32.to_le_bytes()].concat();
    for (what, answers) in [
        ("answers of garbage", vec![framed(&chance.bytes(300))]),
        ("answers to other questions", vec![answer(Response::Holding(vec![true; 9]))]),
        ("answers with a byte too many", vec![framed(&[Response::Busy.to_bytes(), vec![0]].concat())]),
    ] {
        let outcome = scene.attack(what, Wave { answers, ..Wave::default() });
        assert!(outcome.asked > 0, "the node compares with whoever follows the board: {what}");
        assert!(outcome.sent_away, "{what}: {outcome:?}");
    }
    for (what, bytes) in [("lengths that lie", u32::MAX.to_le_bytes().to_vec()), ("short frames", short_frame)] {
        let outcome = scene.attack(what, Wave { answers: vec![bytes], ..Wave::default() });
        assert!(outcome.asked > 0, "{what}");
    }
    let more = [("a place that is none", lies::no_place as _), ("events that are none", lies::made_up_events as _)];
    for (what, lie) in lies::MALFORMED.into_iter().chain(more) {
        let outcome = scene.attack(what, Wave { lie: Some(lie), ..Wave::default() });
        assert!(outcome.asked > 0 && outcome.sent_away, "{what}: {outcome:?} {}", scene.victim.log());
    }
    assert!(scene.victim.counter("responses_malformed") > lies::MALFORMED.len() as u64);
    assert!(scene.victim.counter("sync_invalid") > 0, "bytes that are no events are counted");
    scene.converges(&events);
    scene.end();
}

#[test]
fn lies_in_due_form_cost_a_bounded_number_of_questions_and_fool_nobody() {
    let (mut scene, events) = a_scene_of_a_long_thread("lies");
    for (what, lie) in lies::IN_DUE_FORM {
        let outcome = scene.attack(what, Wave { lie: Some(lie), ..Wave::default() });
        assert!(outcome.asked > 0 && !outcome.sent_away, "{what}: {outcome:?} {}", scene.victim.log());
        assert!(outcome.asked <= QUESTIONS_MAX, "{what}: {outcome:?}");
    }
    let answers = vec![framed(&Response::Busy.to_bytes())];
    let outcome = scene.attack("for ever busy", Wave { answers, lasts: Some(BUSY_TIME), ..Wave::default() });
    assert!(outcome.asked > 0 && outcome.asked <= QUESTIONS_MAX && !outcome.sent_away, "{outcome:?}");
    assert_eq!(scene.victim.counter("responses_malformed"), 0);
    assert!(scene.victim.counter("fetches_fruitless") > 0);
    scene.converges(&events);
    scene.end();
}

#[test]
fn a_peer_that_lists_boards_without_an_end_neither_grows_the_node_nor_pushes_others_out() {
    let (mut scene, events) = Scene::new(|forge| forge.thread("listed", 0));
    lies::NETWORK.get_or_init(|| NetworkId::of(scene.victim.network()));
    scene.honest.object(&["board", "list", &scene.board, "on"]);
    let finds = |node: &TestNode| -> Vec<String> {
        let found = node.json(&["boards", "--find", "--limit", "1000"]);
        found.iter().map(|board| text(&board["board"])).collect()
    };
    roda_tests::wait::eventually("the honest peer's list", roda_tests::wait::DEADLINE, || {
        (finds(&scene.victim) == [scene.board.clone()]).then_some(())
    });
    for wave in ["boards without an end", "boards without an end, under another name"] {
        let wave_of = Wave { lie: Some(lies::boards), lasts: Some(LISTING_TIME), ..Wave::default() };
        let outcome = scene.attack(wave, wave_of);
        assert!(outcome.asked > 0 && !outcome.sent_away, "{outcome:?}");
    }
    let found = finds(&scene.victim);
    println!("{} boards in the directory, {} refused", found.len(), scene.victim.counter("directory_refused"));
    assert!(found.len() > 32 && found.len() <= 1 + 2 * 256, "{} boards", found.len());
    assert!(found.contains(&scene.board), "the honest peer's board stays");
    for (what, lie) in lies::MALFORMED_BOARDS {
        let outcome = scene.attack(what, Wave { lie: Some(lie), ..Wave::default() });
        assert!(outcome.asked > 0 && outcome.sent_away, "{what}: {outcome:?} {}", scene.victim.log());
    }
    assert!(finds(&scene.victim).contains(&scene.board));
    assert_eq!(events.len(), 2);
    scene.end();
}

#[test]
fn questions_that_make_no_sense_or_cost_much_are_refused() {
    let (mut scene, events) = a_scene_of_a_long_thread("questions");
    let space = events[0].space();
    let (first, end) = (Bound { offset_ms: 0, prefix: Vec::new() }, Bound { offset_ms: u32::MAX, prefix: Vec::new() });
    let no_place = Bound { offset_ms: 5, prefix: vec![1, 0] };
    let range = |lower: &Bound, upper: &Bound| Request::Range {
        space,
        epoch: lies::epoch(),
        lower: lower.clone(),
        upper: upper.clone(),
        form: Form::Whole,
    };
    let part = |upper: &Bound| Child { upper: upper.clone(), count: 3, fingerprint: [7; 8] };
    let compare =
        |lower: &Bound, ask: Ask| compare(space, vec![Probe { epoch: lies::epoch(), lower: lower.clone(), ask }]);
    let members = vec![[2; 8], [1; 8]];
    for (what, request) in [
        ("a range that ends before it begins", range(&end, &first)),
        ("a range without a length", range(&first, &first)),
        ("a range from a place of two forms", range(&no_place, &end)),
        ("a probe from a place of two forms", compare(&no_place, Ask::Split(vec![part(&end)]))),
        ("a probe of no parts", compare(&first, Ask::Split(Vec::new()))),
        ("a probe of too many parts", {
            let places = (1..=17).map(|offset_ms| Bound { offset_ms, prefix: Vec::new() });
            compare(&first, Ask::Split(places.map(|place| part(&place)).collect()))
        }),
        ("a probe of parts that go back", compare(&first, Ask::Split(vec![part(&end), part(&end)]))),
        ("a list out of order", compare(&first, Ask::List { upper: end.clone(), members })),
        ("a list that ends before it begins", compare(&end, Ask::List { upper: first.clone(), members: Vec::new() })),
        ("a sketch that ends before it begins", compare(&first, Ask::Sketch { from: 2, to: 1 })),
        ("a sketch beyond every sketch", compare(&first, Ask::Sketch { from: 0, to: SYMBOLS_MAX as u32 + 1 })),
    ] {
        let before = scene.victim.counter("requests_malformed");
        let outcome = scene.attack(what, Wave { requests: vec![framed(&request.to_bytes())], ..Wave::default() });
        assert!(outcome.sent_away && outcome.answered == 0, "{what}: {outcome:?}");
        assert_eq!(scene.victim.counter("requests_malformed"), before + 1, "{what}");
    }
    let ids = vec![EventId([7; 32]); SYNC_GET_IDS_MAX];
    let requests = (0..1000).map(|_| framed(&Request::Get { space, ids: ids.clone() }.to_bytes())).collect();
    scene.attack("a storm of questions", Wave { requests, ..Wave::default() });
    let refused = scene.victim.counter("requests_refused");
    assert!(refused > 0, "a peer's questions are rationed");
    let requests = (0..100).map(|_| framed(&costly(space).to_bytes())).collect();
    let outcome = scene.attack("a storm of comparisons", Wave { requests, ..Wave::default() });
    assert!(
        !outcome.sent_away && scene.victim.counter("requests_refused") > refused,
        "and what they cost: {outcome:?}"
    );
    scene.converges(&events);
    scene.end();
}

fn compare(space: SpaceId, probes: Vec<Probe>) -> Request {
    Request::Compare { salt: Salt([5; 16]), space, probes }
}

/// As much as one request can ask: parts without members, so that no bound on the answer ends the work.
fn costly(space: SpaceId) -> Request {
    let child = |offset_ms| Child { upper: Bound { offset_ms, prefix: Vec::new() }, count: 1, fingerprint: [7; 8] };
    let children: Vec<Child> = (1..=FAN_OUT as u32).map(child).collect();
    let probe = Probe { epoch: 7, lower: Bound { offset_ms: 0, prefix: Vec::new() }, ask: Ask::Split(children) };
    // About as many as a reader takes: at full width its integers stay below 512 KiB.
    compare(space, vec![probe; PROBES_MAX / 4])
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
        framed(&Request::Push { space, form: Form::Whole, events }.to_bytes())
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
    let memory = scene.victim.memory("VmHWM");
    assert!(memory < MEMORY_MAX, "{} MiB at most", memory >> 20);
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
