//! Signed events in any number, made without a node, and broken ones.

use data_encoding::BASE64;
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Comment, CommentBody, Draft, Edit, EditBody, Kind, Post, PostBody, Profile,
    ProfileBody, Retract, Signed, Vote,
};
use roda_protocol::id::{AuthorKey, EventId, KeyCommitment, NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;
use roda_protocol::limits::{SALT_BYTES, WORK_BITS_DEFAULT};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// How long before now a forge's first event is dated: room for an hour of milliseconds, none of them in the future.
const START_BEFORE_NOW_MS: u64 = 3_600_000;

/// An author without a node. Each event is dated a millisecond after the one before.
#[derive(Debug)]
pub struct Forge {
    network: NetworkId,
    key: SecretKey,
    clock_ms: u64,
    next_salt: u64,
}

impl Forge {
    /// An author of a network, the same for the same number.
    #[must_use]
    pub fn new(network: &str, number: u8) -> Self {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        let key = SecretKey::from_seed(&[number; 32]);
        Self::starting_at(NetworkId::of(network), key, now_ms.saturating_sub(START_BEFORE_NOW_MS))
    }

    /// The author of this key, whose first event is dated right after `start_ms`, unix milliseconds.
    #[must_use]
    pub fn starting_at(network: NetworkId, key: SecretKey, start_ms: u64) -> Self {
        Self { network, key, clock_ms: start_ms, next_salt: 0 }
    }

    /// Sets the clock: the next event is dated right after `clock_ms`, unix milliseconds.
    pub fn set_clock(&mut self, clock_ms: u64) {
        self.clock_ms = clock_ms;
    }

    /// The author's key.
    #[must_use]
    pub fn author(&self) -> AuthorKey {
        self.key.public()
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Founds a board whose events need no work.
    pub fn board(&mut self, name: &str) -> Signed {
        let charter = Charter { work_bits: 0, ..Charter::new(name.to_owned(), self.key.public()) };
        let words = CharterBody { title: name.to_owned(), description: String::new(), rules: Vec::new() };
        self.sign(SpaceId::ZERO, Vec::new(), Kind::Charter(charter), Body::Charter(words))
    }

    /// Starts a thread.
    pub fn post(&mut self, board: SpaceId, title: &str, text: &str) -> Signed {
        let words = PostBody { title: title.to_owned(), text: text.to_owned(), link: None };
        self.sign(board, Vec::new(), Kind::Post(Post::default()), Body::Post(words))
    }

    /// Starts a thread about a link.
    pub fn linked(&mut self, board: SpaceId, title: &str, link: &str) -> Signed {
        let words = PostBody { title: title.to_owned(), text: String::new(), link: Some(link.to_owned()) };
        self.sign(board, Vec::new(), Kind::Post(Post::default()), Body::Post(words))
    }

    /// Takes a name. Nodes take it in once they know something else that this author wrote.
    pub fn profile(&mut self, name: &str) -> Signed {
        let none = KeyCommitment([0; 32]);
        let words = ProfileBody { name: name.to_owned(), about: String::new(), links: Vec::new() };
        let kind = Kind::Profile(Profile { next_root: none, revocation: none });
        self.worked(SpaceId::of_author(self.author()), Vec::new(), kind, Body::Profile(words), WORK_BITS_DEFAULT)
    }

    /// Answers an event of a thread.
    pub fn comment(&mut self, board: SpaceId, root: EventId, parent: EventId, text: &str) -> Signed {
        let words = CommentBody { text: text.to_owned() };
        self.sign(board, vec![parent], Kind::Comment(Comment { root, parent }), Body::Comment(words))
    }

    /// Rewrites an event.
    pub fn edit(&mut self, board: SpaceId, target: EventId, refs: Vec<EventId>, text: &str) -> Signed {
        let words = EditBody { title: None, text: text.to_owned(), link: None };
        self.sign(board, refs, Kind::Edit(Edit { target }), Body::Edit(words))
    }

    /// Votes on an event.
    pub fn vote(&mut self, board: SpaceId, target: EventId, refs: Vec<EventId>, value: i8) -> Signed {
        self.sign(board, refs, Kind::Vote(Vote { target, value }), Body::None)
    }

    /// Takes an event back.
    pub fn retract(&mut self, board: SpaceId, target: EventId) -> Signed {
        self.sign(board, vec![target], Kind::Retract(Retract { targets: vec![target] }), Body::None)
    }

    /// A board, a post, and so many comments below it, about every third of them an answer to another comment.
    pub fn thread(&mut self, name: &str, comments: usize) -> Vec<Signed> {
        let charter = self.board(name);
        let board = charter.space();
        let post = self.post(board, "A long thread", "It begins here.");
        let root = post.id();
        let mut events = vec![charter, post];
        for number in 0..comments {
            let parent = if number % 3 == 2 { events[events.len() / 2 + 1].id() } else { root };
            let text = format!("Comment {number}: a sentence or two of about the usual length, as people write.");
            events.push(self.comment(board, root, parent, &text));
        }
        events
    }

    fn sign(&mut self, space: SpaceId, refs: Vec<EventId>, kind: Kind, body: Body) -> Signed {
        self.worked(space, refs, kind, body, 0)
    }

    fn worked(&mut self, space: SpaceId, refs: Vec<EventId>, kind: Kind, body: Body, work_bits: u8) -> Signed {
        self.clock_ms = self.clock_ms.saturating_add(1);
        self.next_salt += 1;
        let mut salt = [0; SALT_BYTES];
        salt[..8].copy_from_slice(&self.clock_ms.to_le_bytes());
        salt[8..].copy_from_slice(&self.next_salt.to_le_bytes());
        let draft = Draft { space, created_ms: self.clock_ms, refs, kind, body, salt };
        draft.sign(&Author::Root(&self.key), &self.network, work_bits).expect("a forge keeps the rules")
    }
}

/// The same event with a signature that does not hold. Its id is that of the real one.
#[must_use]
pub fn with_broken_signature(event: &Signed) -> Vec<u8> {
    let mut bytes = event.bytes().to_vec();
    // The signature's scalar is the last of what stands before the words.
    bytes[event.bytes_without_body().len() - 20] ^= 1;
    bytes
}

/// Events as `roda import` reads them.
#[must_use]
pub fn export_lines(events: &[Signed]) -> String {
    let line = |event: &Signed| {
        let line = json!({
            "id": event.id().to_string(),
            "board": event.space().to_string(),
            "kind": event.kind().word(),
            "author": event.header().author.to_string(),
            "created_ms": event.header().created_ms,
            "text": "",
            "bytes": BASE64.encode(event.bytes()),
        });
        format!("{line}\n")
    };
    events.iter().map(line).collect()
}
