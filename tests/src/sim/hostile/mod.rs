//! Hostile nodes, as code.
//!
//! A hostile node has a real engine inside and decides what becomes of its words: whatever it is asked, whatever it hears,
//! relays, asks and, each second, sends on its own account passes through [`Hostile`]. Bodies of requests and answers are
//! opaque here; `wire.rs` reads and crafts them. A further behaviour implements the same trait and gets a name in
//! [`Behaviour`].

mod blunt;
mod wire;
mod writers;

use crate::chance::Chance;
use crate::forge::Forge;
use roda_protocol::event::Signed;
use roda_protocol::id::{EventId, SpaceId};

/// What becomes of a request that a hostile node was asked.
#[derive(Debug)]
pub enum Answering {
    /// Nothing: the asker waits in vain.
    Silence,
    /// These bytes, so many milliseconds later than need be.
    Send {
        /// The answer.
        bytes: Vec<u8>,
        /// Its delay.
        after_ms: u64,
    },
}

impl Answering {
    /// At once.
    #[must_use]
    pub fn now(bytes: Vec<u8>) -> Self {
        Self::Send { bytes, after_ms: 0 }
    }
}

/// What a hostile node does on its own account.
#[derive(Debug)]
pub enum Act {
    /// Sends a message of gossip to one peer.
    Gossip {
        /// Whom.
        to: usize,
        /// Of which board's topic.
        board: SpaceId,
        /// All its bytes.
        bytes: Vec<u8>,
    },
    /// Asks a peer something.
    Ask {
        /// Whom.
        to: usize,
        /// The bytes of the request.
        body: Vec<u8>,
    },
}

/// What a behaviour works with.
#[derive(Debug)]
pub struct Hand<'a> {
    /// The node's clock, unix milliseconds.
    pub wall_ms: u64,
    /// Everything random.
    pub chance: &'a mut Chance,
    /// Signs in the name of the node's own author. What it signs must be told by [`Hand::sign`].
    pub forge: &'a mut Forge,
    /// The boards that all follow.
    pub boards: &'a [SpaceId],
    /// Posts and comments that anyone wrote: board, root, id.
    pub places: &'a [(SpaceId, EventId, EventId)],
    /// Who is connected.
    pub neighbours: &'a [usize],
    /// Whether all writing has ended: valid new events would keep honest nodes from ever being equal.
    pub is_quiet: bool,
    pub(super) acts: Vec<Act>,
    pub(super) signed: Vec<Signed>,
}

impl Hand<'_> {
    /// Does something on the node's own account.
    pub fn act(&mut self, act: Act) {
        self.acts.push(act);
    }

    /// Tells that an event was really signed: it is no forgery when others hold it.
    pub fn sign(&mut self, event: &Signed) {
        self.signed.push(event.clone());
    }

    /// Sends the same message of gossip to everyone who is connected.
    pub fn shout(&mut self, board: SpaceId, bytes: &[u8]) {
        for to in self.neighbours {
            self.acts.push(Act::Gossip { to: *to, board, bytes: bytes.to_vec() });
        }
    }
}

/// How a hostile node behaves. Each method has the honest way as default.
pub trait Hostile {
    /// It was asked `request` by node `asker`, and the engine inside would answer `honest`.
    fn answers(&mut self, _asker: usize, _request: &[u8], honest: &[u8], _hand: &mut Hand<'_>) -> Answering {
        Answering::now(honest.to_vec())
    }

    /// A message of gossip came. Returns whether the engine inside hears of it.
    fn hears(&mut self, _topic: &str, _bytes: &[u8], _hand: &mut Hand<'_>) -> bool {
        true
    }

    /// The node is about to send a message of gossip to node `to`. Returns what it sends instead, if anything.
    fn relays(&mut self, _to: usize, bytes: &[u8], _hand: &mut Hand<'_>) -> Option<Vec<u8>> {
        Some(bytes.to_vec())
    }

    /// The engine inside asks node `to` something. Returns what is asked instead, if anything.
    fn asks(&mut self, _to: usize, body: Vec<u8>, _hand: &mut Hand<'_>) -> Option<Vec<u8>> {
        Some(body)
    }

    /// A second has passed.
    fn ticks(&mut self, _hand: &mut Hand<'_>) {}
}

/// The behaviours by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Relays and answers nothing.
    Silent,
    /// Answers and relays every other time.
    Drops,
    /// Answers when the asker has almost, or just, lost patience.
    Delays,
    /// Answers random bytes, and asks random bytes.
    Garbles,
    /// Answers with a few bits of the honest answer flipped, or its end cut off.
    Flips,
    /// Answers with what it answered to another request before.
    Replays,
    /// Lets its engine hear nothing more after a while: its set stays behind.
    Stale,
    /// Fills gossip with random bytes and with copies of what it heard.
    Floods,
    /// Sends a copy with a broken signature of everything that it hears before the real one.
    BreaksSignatures,
    /// Sends each event without its words first.
    StripsWords,
    /// Writes events of the far future and the far past.
    Misdates,
    /// Tells each peer another edit of the same event.
    Equivocates,
    /// Writes answers to posts that never were.
    InventsParents,
    /// Names digests and epochs that are not its own: inflated, of the far past, or none.
    LiesAboutSets,
    /// Finds a difference in all that it is asked to compare, and never comes to an end.
    DiffersForEver,
    /// Offers events that nobody wrote, and has none of them when it is asked.
    PromisesOnly,
    /// Says what it has, and has no time for anything else.
    BusyForEver,
    /// Asks everyone for everything, all the time, in the largest requests that are allowed.
    AsksTooMuch,
    /// Leaves the words out of every event that it hands on, however it was asked.
    StripsAnswers,
    /// Says that it holds all that it is sent, and never has any of it.
    ClaimsToHold,
    /// Lists boards without an end, each founded for the answer, and says of each that it is the largest of all.
    LiesAboutBoards,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Silent,
        Self::Drops,
        Self::Delays,
        Self::Garbles,
        Self::Flips,
        Self::Replays,
        Self::Stale,
        Self::Floods,
        Self::BreaksSignatures,
        Self::StripsWords,
        Self::Misdates,
        Self::Equivocates,
        Self::InventsParents,
        Self::LiesAboutSets,
        Self::DiffersForEver,
        Self::PromisesOnly,
        Self::BusyForEver,
        Self::AsksTooMuch,
        Self::StripsAnswers,
        Self::ClaimsToHold,
        Self::LiesAboutBoards,
    ];

    pub(super) fn make(self) -> Box<dyn Hostile> {
        match self {
            Self::Silent => Box::new(blunt::Silent),
            Self::Drops => Box::new(blunt::Drops),
            Self::Delays => Box::new(blunt::Delays),
            Self::Garbles => Box::new(blunt::Garbles),
            Self::Flips => Box::new(blunt::Flips),
            Self::Replays => Box::new(blunt::Replays::default()),
            Self::Stale => Box::new(blunt::Stale::default()),
            Self::Floods => Box::new(writers::Floods::default()),
            Self::BreaksSignatures => Box::new(writers::BreaksSignatures),
            Self::StripsWords => Box::new(writers::StripsWords),
            Self::Misdates => Box::new(writers::Misdates),
            Self::Equivocates => Box::new(writers::Equivocates),
            Self::InventsParents => Box::new(writers::InventsParents),
            Self::LiesAboutSets => Box::new(wire::LiesAboutSets),
            Self::DiffersForEver => Box::new(wire::DiffersForEver),
            Self::PromisesOnly => Box::new(wire::PromisesOnly),
            Self::BusyForEver => Box::new(wire::BusyForEver),
            Self::AsksTooMuch => Box::new(wire::AsksTooMuch),
            Self::StripsAnswers => Box::new(wire::StripsAnswers),
            Self::ClaimsToHold => Box::new(wire::ClaimsToHold),
            Self::LiesAboutBoards => Box::new(wire::LiesAboutBoards),
        }
    }
}
