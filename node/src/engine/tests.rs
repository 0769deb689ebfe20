use super::*;
use crate::store::{MemoryIndex, MemoryJournal};
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Comment, CommentBody, Draft, Post, PostBody, Profile, ProfileBody, Retract,
    Signed,
};
use roda_protocol::id::KeyCommitment;
use roda_protocol::keys::SecretKey;
use roda_protocol::thread;
use std::collections::VecDeque;

/// Some engines on one clock, joined by perfect links; gossip can be cut, so that comparison has to do the work.
struct World {
    network: NetworkId,
    engines: Vec<Engine>,
    links: BTreeSet<(usize, usize)>,
    gossip: bool,
    subscriptions: Vec<BTreeSet<String>>,
    answers: Vec<(usize, ReplyTo, Answer)>,
    judgements: Vec<Judgement>,
    disconnects: Vec<String>,
    now: Now,
    queue: VecDeque<(usize, Input)>,
    /// Requests on their way: (asker, token) by the reply name that the responder was given.
    asked: BTreeMap<ReplyTo, (usize, Token)>,
    next_reply: ReplyTo,
}

fn key(number: usize) -> SecretKey {
    SecretKey::from_seed(&[u8::try_from(number + 1).unwrap(); 32])
}

fn peer(number: usize) -> Peer {
    Peer::new(&format!("peer-number-{number}"))
}

fn number_of(peer: &Peer) -> usize {
    peer.as_str().rsplit('-').next().unwrap().parse().unwrap()
}

impl World {
    fn new(count: usize) -> Self {
        let network = NetworkId::of("engine-tests");
        let mut world = Self {
            network,
            engines: Vec::new(),
            links: BTreeSet::new(),
            gossip: true,
            subscriptions: vec![BTreeSet::new(); count],
            answers: Vec::new(),
            judgements: Vec::new(),
            disconnects: Vec::new(),
            now: Now { wall_ms: 1_000_000_000, steady_ms: 0 },
            queue: VecDeque::new(),
            asked: BTreeMap::new(),
            next_reply: 1,
        };
        for number in 0..count {
            let (store, _) =
                EventStore::open(Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()), network).unwrap();
            let config = Config {
                work_bits_min: 0,
                disk_bytes_max: u64::MAX,
                denied_authors: BTreeSet::new(),
                seed: [u8::try_from(number).unwrap(); 32],
            };
            let (engine, outputs) = Engine::new(Arc::new(store), key(number).public(), config).unwrap();
            world.engines.push(engine);
            world.outputs(number, outputs);
        }
        world
    }

    fn link(&mut self, from: usize, to: usize) {
        self.links.insert((from, to));
        self.links.insert((to, from));
        for (at, other, outbound) in [(from, to, true), (to, from, false)] {
            self.queue.push_back((at, Input::PeerUp { peer: peer(other), address: "somewhere".into(), outbound }));
            for topic in self.subscriptions[other].clone() {
                self.queue.push_back((at, Input::Subscribed { peer: peer(other), topic }));
            }
        }
        self.settle();
    }

    fn outputs(&mut self, from: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Subscribe { topic } => {
                    self.subscriptions[from].insert(topic.clone());
                    for to in self.neighbours(from) {
                        self.queue.push_back((to, Input::Subscribed { peer: peer(from), topic: topic.clone() }));
                    }
                }
                Output::Unsubscribe { topic } => {
                    self.subscriptions[from].remove(&topic);
                }
                Output::Publish { topic, bytes, token } => {
                    let to: Vec<usize> = self.neighbours(from).filter(|_| self.gossip).collect();
                    let outcome = if to.is_empty() { Publication::NoPeers } else { Publication::Sent };
                    self.queue.push_back((from, Input::Published { token, outcome }));
                    for to in to.into_iter().filter(|to| self.subscriptions[*to].contains(&topic)) {
                        let (topic, bytes) = (topic.clone(), bytes.clone());
                        self.queue.push_back((to, Input::Gossip { peer: peer(from), topic, bytes, delivery: 0 }));
                    }
                }
                Output::Request { peer: to, body, token } => {
                    let to = number_of(&to);
                    self.next_reply += 1;
                    self.asked.insert(self.next_reply, (from, token));
                    if self.links.contains(&(from, to)) {
                        let reply = self.next_reply;
                        self.queue.push_back((to, Input::Asked { peer: peer(from), body, reply }));
                    } else {
                        self.queue.push_back((from, Input::Answered { token, body: None }));
                    }
                }
                Output::Respond { reply, body } => {
                    let (asker, token) = self.asked.remove(&reply).unwrap();
                    self.queue.push_back((asker, Input::Answered { token, body: Some(body) }));
                }
                Output::Reply { reply, answer } => self.answers.push((from, reply, answer)),
                Output::Judge { judgement, .. } => self.judgements.push(judgement),
                Output::Disconnect { reason, .. } => self.disconnects.push(reason),
                Output::Emit(_) | Output::ReplaceIndex => {}
            }
        }
    }

    fn neighbours(&self, from: usize) -> impl Iterator<Item = usize> + use<> {
        let links: Vec<usize> = self.links.iter().filter(|(at, _)| *at == from).map(|(_, to)| *to).collect();
        links.into_iter()
    }

    fn settle(&mut self) {
        while let Some((to, input)) = self.queue.pop_front() {
            let outputs = self.engines[to].handle(vec![input], self.now);
            self.outputs(to, outputs);
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / TICK_MS {
            self.now.steady_ms += TICK_MS;
            self.now.wall_ms += TICK_MS;
            for at in 0..self.engines.len() {
                self.queue.push_back((at, Input::Tick));
            }
            self.settle();
        }
    }

    fn ask(&mut self, at: usize, ask: Local) -> Answer {
        self.next_reply += 1;
        let reply = self.next_reply;
        self.queue.push_back((at, Input::Local { ask, reply }));
        self.settle();
        let found = self.answers.iter().position(|(_, name, _)| *name == reply).unwrap();
        self.answers.remove(found).2
    }

    fn draft(&self, space: SpaceId, refs: Vec<EventId>, kind: Kind, body: Body) -> Draft {
        Draft { space, created_ms: self.now.wall_ms, refs, kind, body, salt: [5; 16] }
    }

    fn signed(&self, by: usize, draft: Draft) -> Signed {
        draft.sign(&Author::Root(&key(by)), &self.network, 0).unwrap()
    }

    fn write(&mut self, at: usize, draft: Draft) -> EventId {
        let signed = self.signed(at, draft);
        let answer = self.ask(at, Local::Write { bytes: signed.bytes().to_vec() });
        assert_eq!(answer, Answer::Written(Verdict::Admitted(signed.id())));
        signed.id()
    }

    fn board(&mut self, at: usize) -> SpaceId {
        let charter = Charter { work_bits: 0, ..Charter::new("test".into(), key(at).public()) };
        let words = CharterBody { title: "A test".into(), description: String::new(), rules: vec![] };
        let draft = self.draft(SpaceId::ZERO, vec![], Kind::Charter(charter), Body::Charter(words));
        let board = SpaceId::of_charter(self.write(at, draft));
        self.follow(at, board);
        board
    }

    fn follow(&mut self, at: usize, space: SpaceId) {
        assert_eq!(self.ask(at, Local::Follow { space, open_name: None }), Answer::Done);
    }

    fn post(&mut self, at: usize, board: SpaceId, title: &str) -> EventId {
        let words = PostBody { title: title.into(), text: String::new(), link: None };
        let draft = self.draft(board, vec![], Kind::Post(Post::default()), Body::Post(words));
        self.write(at, draft)
    }

    fn comment(&self, board: SpaceId, root: EventId, parent: EventId, text: &str) -> Draft {
        let words = CommentBody { text: text.into() };
        self.draft(board, vec![parent], Kind::Comment(Comment { root, parent }), Body::Comment(words))
    }

    fn known(&self, at: usize, board: SpaceId) -> usize {
        self.engines[at].store.known().len(board)
    }

    fn thread(&self, at: usize, root: EventId) -> thread::Thread {
        let items = self.engines[at].store.thread_items(&root).unwrap();
        thread::resolve(root, items.into_iter().map(|(item, _)| item))
    }

    fn advance_clock(&mut self) {
        self.now.wall_ms += 1;
    }
}

#[test]
fn a_post_reaches_a_follower_by_gossip() {
    let mut world = World::new(2);
    let board = world.board(0);
    world.link(0, 1);
    world.follow(1, board);
    world.run(3000);
    let post = world.post(0, board, "hello");
    assert!(world.engines[1].store.is_held(&post).unwrap());
    world.run(2000);
    assert_eq!(world.ask(0, Local::Delivery { id: post }), Answer::Delivery { sent: true, held_by: 1 });
}

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
    match world.ask(0, Local::Completeness { space: board }) {
        Answer::Completeness(compared) => assert_eq!((compared.peers_asked, compared.peers_equal), (1, 1)),
        other => panic!("{other:?}"),
    }
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
    world.gossip = false;
    let post = world.post(0, board, "first");
    let draft = world.comment(board, post, post, "second");
    world.gossip = true;
    let comment = world.write(0, draft);
    assert_eq!(world.thread(1, post).missing(), [post], "a hole where the post belongs");
    assert!(world.engines[1].store.is_held(&comment).unwrap());
    world.run(3000);
    assert_eq!(world.thread(1, post).missing(), []);
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
fn a_peer_of_malformed_requests_is_disconnected() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.queue.push_back((0, Input::Asked { peer: peer(1), body: vec![9; 50], reply: 77 }));
    world.settle();
    assert_eq!(world.disconnects, ["sent a malformed request"]);
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
