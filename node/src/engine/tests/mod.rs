//! Some engines in one world, and what they do together.

mod admission;
mod catching_up;
mod finding_boards;
mod liars;
mod probing;
mod remaking;

use super::*;
use crate::store::{MemoryIndex, MemoryJournal};
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Comment, CommentBody, Draft, Post, PostBody, Profile, ProfileBody, Retract,
    Signed,
};
use roda_protocol::id::KeyCommitment;
use roda_protocol::keys::SecretKey;
use roda_protocol::thread;
use roda_protocol::wire::Response;
use std::collections::VecDeque;

/// Some engines on one clock, joined by perfect links; gossip can be cut, so that comparison has to do the work.
struct World {
    network: NetworkId,
    engines: Vec<Engine>,
    links: BTreeSet<(usize, usize)>,
    gossip: bool,
    subscriptions: Vec<BTreeSet<String>>,
    answers: Vec<(usize, ReplyTo, Answer)>,
    /// What each said last of how complete a space is.
    statements: BTreeMap<(usize, SpaceId), Completeness>,
    judgements: Vec<Judgement>,
    disconnects: Vec<String>,
    /// Who took points from whom, or gave them back.
    marks: Vec<(usize, usize, bool)>,
    now: Now,
    queue: VecDeque<(usize, Input)>,
    /// Requests on their way: (asker, token) by the reply name that the responder was given.
    asked: BTreeMap<ReplyTo, (usize, Token)>,
    next_reply: ReplyTo,
    /// Requests get no answer.
    is_deaf: bool,
    /// Requests to this node get no answer, and it hears nothing of them.
    mute: Option<usize>,
    /// This node leaves every second event, by its id, out of its answers to requests for them.
    stingy: Option<usize>,
    /// The request after so many gets none.
    lost_after: Option<usize>,
    /// Every request and response: to whom, and its bytes.
    messages: Vec<(usize, Vec<u8>)>,
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

fn config(number: usize) -> Config {
    Config {
        work_bits_min: 0,
        disk_bytes_max: u64::MAX,
        denied_authors: BTreeSet::new(),
        seed: [u8::try_from(number).unwrap(); 32],
    }
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
            statements: BTreeMap::new(),
            judgements: Vec::new(),
            disconnects: Vec::new(),
            marks: Vec::new(),
            now: Now { wall_ms: 1_000_000_000, steady_ms: 0 },
            queue: VecDeque::new(),
            asked: BTreeMap::new(),
            next_reply: 1,
            is_deaf: false,
            mute: None,
            stingy: None,
            lost_after: None,
            messages: Vec::new(),
        };
        for number in 0..count {
            let (store, _) =
                EventStore::open(Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()), network).unwrap();
            let (engine, outputs) = Engine::new(Arc::new(store), key(number).public(), config(number)).unwrap();
            world.engines.push(engine);
            world.outputs(number, outputs);
        }
        world
    }

    /// What a node says of how complete a space is.
    fn completeness(&self, at: usize, space: SpaceId) -> Completeness {
        self.statements.get(&(at, space)).cloned().unwrap_or_default()
    }

    fn link(&mut self, from: usize, to: usize) {
        self.links([(from, to)]);
    }

    /// Connects all these at the same moment.
    fn links(&mut self, links: impl IntoIterator<Item = (usize, usize)>) {
        for (from, to) in links {
            self.links.insert((from, to));
            self.links.insert((to, from));
            for (at, other, outbound) in [(from, to, true), (to, from, false)] {
                self.queue.push_back((
                    at,
                    Input::PeerUp { peer: peer(other), address: "somewhere".into(), network: None, outbound },
                ));
                for topic in self.subscriptions[other].clone() {
                    self.queue.push_back((at, Input::Subscribed { peer: peer(other), topic }));
                }
            }
        }
        self.settle();
    }

    fn unlink(&mut self, from: usize, to: usize) {
        for (at, other) in [(from, to), (to, from)] {
            self.links.remove(&(at, other));
            self.queue.push_back((at, Input::PeerDown { peer: peer(other) }));
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
                    let is_lost = self.lost_after == Some(0);
                    self.lost_after = self.lost_after.and_then(|after| after.checked_sub(1));
                    if self.links.contains(&(from, to)) && !self.is_deaf && self.mute != Some(to) && !is_lost {
                        self.messages.push((to, body.clone()));
                        let reply = self.next_reply;
                        self.queue.push_back((to, Input::Asked { peer: peer(from), body, reply }));
                    } else {
                        self.queue.push_back((from, Input::Answered { token, body: None }));
                    }
                }
                Output::Respond { reply, mut body } => {
                    if self.stingy == Some(from)
                        && let Ok(Response::Events { mut events, answered }) = Response::from_bytes(&body)
                    {
                        let is_given = |event: &Signed| event.id().0[31].is_multiple_of(2);
                        events.retain(|event| {
                            Signed::decode(&self.network, &event.0).is_ok_and(|event| is_given(&event))
                        });
                        body = Response::Events { events, answered }.to_bytes();
                    }
                    let (asker, token) = self.asked.remove(&reply).unwrap();
                    self.messages.push((asker, body.clone()));
                    self.queue.push_back((asker, Input::Answered { token, body: Some(body) }));
                }
                Output::Reply { reply, answer } => self.answers.push((from, reply, answer)),
                Output::Judge { judgement, .. } => self.judgements.push(judgement),
                Output::Disconnect { reason, .. } => self.disconnects.push(reason),
                Output::Mark { peer, lacks } => self.marks.push((from, number_of(&peer), lacks)),
                Output::Completeness { space, said } => drop(self.statements.insert((from, space), said)),
                Output::Emit(_) | Output::ReplaceIndex | Output::Remade { .. } => {}
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

    /// Events that a node has sent in answers.
    fn served(&self, at: usize) -> u64 {
        self.engines[at].all_counters().get("events_served").copied().unwrap_or(0)
    }
}
