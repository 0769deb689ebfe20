//! The one path of every event, wherever it came from: decode, known?, whose rules?, valid?, wanted?, store.
//!
//! Cheap checks come before dear ones, and nothing is kept, counted or charged in anybody's name before the signature has
//! held: whoever forges an event could otherwise use up what is its victim's. Before this, the network has passed over what it
//! has seen before, and reads no peer faster than its share.
//!
//! Gather, decide, apply. The three questions never mix: validity looks at bytes and charter, admission at this node's
//! appetite, and what is shown is nobody's business here.

use super::{Engine, WORDLESS_MAX};
use crate::engine::io::Judgement;
use crate::peer::Peer;
use crate::store::{Arrival, Presence, StoreError};
use roda_protocol::event::{Authentic, Kind, Signed, Verified};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::keys::Verifier;
use roda_protocol::reconcile::SetKey;
use roda_protocol::time::Now;
use roda_protocol::validate::{self, Invalid, SpaceRules};

/// What became of an event. Never a bool, never silence.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// New, and stored when the turn ends.
    Admitted(EventId),
    /// Known before.
    Duplicate(EventId),
    /// New, known from now on, and not stored by this node's choice.
    Declined(EventId, Declined),
    /// Dated ahead of this node's clock; it is kept aside and judged again when it is due.
    Deferred(EventId),
    /// Neither known nor stored: not this node's concern, or not yet to be judged.
    Ignored(EventId, Ignored),
    /// No event at all.
    Invalid(Invalid),
    /// The disk failed; nothing was acknowledged.
    Failed,
}

/// This node's own choice not to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// The disk quota is used up.
    Quota,
    /// Less work than this node asks of strangers.
    Work,
    /// The author is on this node's deny list.
    Author,
}

impl Declined {
    /// The word in command output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Work => "work",
            Self::Author => "author",
        }
    }
}

/// Why an event is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Its space is not followed here.
    NotFollowed,
    /// Its board's charter is not here, so nobody here can judge it.
    NoCharter,
    /// Too many are kept aside already.
    NoRoom,
}

/// What news say of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The event.
    pub id: EventId,
    /// Its space.
    pub space: SpaceId,
    /// The word of its kind.
    pub kind: &'static str,
}

impl Admitted {
    fn of(event: &Signed) -> Self {
        Self { id: event.id(), space: event.space(), kind: event.kind().word() }
    }
}

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// This node's author wrote it here: never declined.
    Own,
    /// A file, given by this node's own people.
    Import,
    /// A peer; of an event that was kept aside it is not known any more.
    Peer(Option<&'a Peer>),
}

impl Source<'_> {
    fn is_peer(self) -> bool {
        matches!(self, Self::Peer(_))
    }
}

impl Verdict {
    /// What gossip is told. A node-local opinion never costs a peer anything.
    #[must_use]
    pub fn judgement(self) -> Judgement {
        match self {
            Self::Admitted(_) => Judgement::Accept,
            // A later version is no forgery; it is not relayed either.
            Self::Invalid(Invalid::Version) => Judgement::Ignore,
            Self::Invalid(_) => Judgement::Reject,
            _ => Judgement::Ignore,
        }
    }
}

/// An event on its way.
enum Candidate {
    Read(Signed),
    /// Its signature was checked ahead.
    Authentic(Authentic),
}

impl Candidate {
    fn validate(self, rules: &SpaceRules, verifier: &mut Verifier) -> Result<Verified, Invalid> {
        match self {
            Self::Read(signed) => validate::validate_with(signed, rules, verifier),
            Self::Authentic(authentic) => validate::validate_authentic(authentic, rules),
        }
    }
}

impl std::ops::Deref for Candidate {
    type Target = Signed;

    fn deref(&self) -> &Signed {
        match self {
            Self::Read(signed) => signed,
            Self::Authentic(authentic) => authentic,
        }
    }
}

impl Engine {
    /// Judges bytes and, if they are wanted, stages the event: it is stored when the turn commits.
    pub(super) fn admit(&mut self, bytes: &[u8], source: Source<'_>, now: Now) -> Verdict {
        let verdict = match self.weigh(bytes, source, now) {
            Ok(event) => self.stage(event, source, now),
            Err(verdict) => verdict,
        };
        self.count_verdict(verdict);
        verdict
    }

    /// Judges an event of which the peer sent the header alone because this node may not want the words. An event that is
    /// wanted is not staged: its key comes back, and its words are to be asked for.
    pub(super) fn admit_header(&mut self, peer: &Peer, bytes: &[u8], now: Now) -> Result<Verdict, SetKey> {
        let source = Source::Peer(Some(peer));
        let verdict = match self.weigh(bytes, source, now) {
            Ok(event) if event.has_body() || event.header().body.len == 0 => self.stage(event, source, now),
            Ok(event) => return Err((event.header().created_ms, event.id())),
            Err(verdict) => verdict,
        };
        self.count_verdict(verdict);
        Ok(verdict)
    }

    fn count_verdict(&mut self, verdict: Verdict) {
        self.count(match verdict {
            Verdict::Admitted(_) => "events_admitted",
            Verdict::Duplicate(_) => "events_duplicate",
            Verdict::Declined(..) => "events_declined",
            Verdict::Deferred(_) => "events_deferred",
            Verdict::Ignored(..) => "events_ignored",
            Verdict::Invalid(_) => "events_invalid",
            Verdict::Failed => "events_failed",
        });
    }

    /// The event, if it is valid, new and wanted; otherwise what became of it.
    fn weigh(&mut self, bytes: &[u8], source: Source<'_>, now: Now) -> Result<Verified, Verdict> {
        let signed = match self.foreseen.remove(bytes) {
            Some(authentic) => Candidate::Authentic(authentic),
            None => Candidate::Read(Signed::decode(&self.network, bytes).map_err(Verdict::Invalid)?),
        };
        let id = signed.id();
        match self.is_known(&signed) {
            Ok(false) => {}
            Ok(true) => return Err(Verdict::Duplicate(id)),
            Err(error) => return Err(self.failed(&error)),
        }
        let rules = self.rules_of(&signed, source).map_err(|ignored| Verdict::Ignored(id, ignored))?;
        let is_future = now.is_future(signed.header().created_ms);
        let event = signed.validate(&rules, &mut self.verifier).map_err(Verdict::Invalid)?;
        if is_future {
            // Only now, so that only real events take room among the deferred.
            return Err(self.deferred.keep(event, now));
        }
        if source.is_peer()
            && let Some(why) = self.appetite(&event)
        {
            return Err(self.decline(&event, why, now));
        }
        Ok(event)
    }

    /// Whether there is nothing to learn from this copy. A whole copy of an event whose words are missing here is news,
    /// unless its author took them back: otherwise a peer could silence an author by sending bare headers first.
    fn is_known(&self, event: &Signed) -> Result<bool, StoreError> {
        let id = event.id();
        if self.staged.iter().any(|arrival| arrival.event.id() == id) {
            return Ok(true);
        }
        Ok(match self.store.row(&id)?.map(|row| row.presence) {
            None | Some(Presence::Lost) => false,
            Some(Presence::Held | Presence::Declined | Presence::Pruned) => true,
            Some(Presence::BodyDropped) => {
                let brings_words = event.header().body.len > 0 && event.has_body();
                !brings_words || self.store.is_taken_back(&id, &event.header().author)?
            }
        })
    }

    /// The rules by which the event is judged, if its space is this node's concern.
    fn rules_of(&self, event: &Signed, source: Source<'_>) -> Result<SpaceRules, Ignored> {
        let space = event.space();
        if matches!(event.kind(), Kind::Charter(_)) {
            let is_asked = !source.is_peer() || self.follows.contains_key(&space);
            // A charter brings its own rules; these are not looked at.
            return if is_asked { Ok(SpaceRules::OPEN) } else { Err(Ignored::NotFollowed) };
        }
        if let Some(follow) = self.follows.get(&space) {
            return follow.rules.ok_or(Ignored::NoCharter);
        }
        if self.author_spaces.contains_key(&space) || source == Source::Own {
            return Ok(SpaceRules::OPEN);
        }
        Err(Ignored::NotFollowed)
    }

    /// Why this node does not want to store a valid event.
    fn appetite(&self, event: &Verified) -> Option<Declined> {
        let author = event.header().author;
        if matches!(event.kind(), Kind::Charter(_)) || author == self.me {
            return None;
        }
        if self.config.denied_authors.contains(&author) {
            return Some(Declined::Author);
        }
        if event.work_bits() < self.config.work_bits_min {
            return Some(Declined::Work);
        }
        (self.disk_bytes >= self.config.disk_bytes_max).then_some(Declined::Quota)
    }

    fn decline(&mut self, event: &Verified, why: Declined, now: Now) -> Verdict {
        if let Err(error) = self.store.decline(event, now.wall_ms) {
            return self.failed(&error);
        }
        self.sync_found(event.space(), event.header().created_ms, event.id());
        let verdict = Verdict::Declined(event.id(), why);
        self.emit_judged(Admitted::of(event), verdict);
        verdict
    }

    fn stage(&mut self, event: Verified, source: Source<'_>, now: Now) -> Verdict {
        let id = event.id();
        if let Kind::Charter(charter) = event.kind() {
            let rules = SpaceRules::of(charter);
            if let Some(follow) = self.follows.get_mut(&event.space()) {
                follow.rules = Some(rules);
            }
        }
        self.staged_by_own |= !source.is_peer();
        self.staged.push(Arrival { event, received_ms: now.wall_ms, is_own: source == Source::Own });
        self.senders.push(match source {
            Source::Peer(peer) => peer.cloned(),
            Source::Own | Source::Import => None,
        });
        Verdict::Admitted(id)
    }

    /// Stores what was staged: one group. It is durable when this returns if own people gave any of it; otherwise within
    /// [`super::FLUSH_MS`], and peers have the rest. On failure nothing of it is acknowledged.
    pub(super) fn commit(&mut self) -> bool {
        let staged = std::mem::take(&mut self.staged);
        let senders = std::mem::take(&mut self.senders);
        if staged.is_empty() {
            return true;
        }
        let is_of_own_people = std::mem::take(&mut self.staged_by_own);
        let stored = match is_of_own_people {
            true => self.store.admit(&staged),
            false => self.store.take_in(&staged),
        };
        if let Err(error) = stored {
            let _ = self.failed(&error);
            return false;
        }
        // The disk takes what it is given.
        self.storage_problem = None;
        for (arrival, sender) in staged.iter().zip(senders) {
            self.after_commit(arrival, sender);
        }
        true
    }

    fn after_commit(&mut self, arrival: &Arrival, sender: Option<Peer>) {
        let event = &arrival.event;
        let id = event.id();
        // Of what was imported or kept aside nobody knows any more who brought it.
        if sender.is_some() || arrival.is_own {
            self.arrivals.add(event.space(), &id, event.bytes().len(), sender.as_ref());
        }
        self.sync_found(event.space(), event.header().created_ms, id);
        if self.lost.remove(&(event.space(), id)) {
            self.lost_changed.insert(event.space());
        }
        if event.has_body() || !matches!(self.store.is_taken_back(&id, &event.header().author), Ok(false)) {
            self.wants.found(&id);
            self.wordless.remove(&(event.space(), id));
        } else {
            if self.wordless.len() < WORDLESS_MAX {
                self.wordless.insert((event.space(), id));
            }
            self.wants.add(event.space(), id, sender.clone());
        }
        self.know_author(event.header().author);
        if let Kind::Comment(comment) = event.kind() {
            for wanted in [comment.parent, comment.root] {
                if matches!(self.store.is_held(&wanted), Ok(false)) {
                    self.wants.add(event.space(), wanted, sender.clone());
                    // Where one is missing there may be more.
                    self.syncs.suspect();
                }
            }
        }
        self.emit_judged(Admitted::of(event), Verdict::Admitted(id));
    }

    fn emit_judged(&mut self, event: Admitted, verdict: Verdict) {
        self.emit(crate::engine::io::Notice::Judged { event, verdict });
    }

    pub(super) fn failed(&mut self, error: &StoreError) -> Verdict {
        let text = error.to_string();
        // A disk that is full stays so for a while, and whatever comes in meanwhile would add a line to the node's log.
        if self.storage_problem.as_ref() != Some(&text) {
            tracing::error!(%error, "the store failed");
        }
        if error.is_of_index() {
            self.wants_index = true;
        } else {
            self.storage_problem = Some(text);
        }
        Verdict::Failed
    }
}
