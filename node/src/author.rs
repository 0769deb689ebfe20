//! Writing: from what a person wants to say to a signed event. Reads the store for what the author has seen.

use crate::store::{EventStore, StoreError, root_named_by};
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Comment, CommentBody, Draft, Edit, EditBody, Kind, Post, PostBody, Profile,
    ProfileBody, Retract, Signed, Verified, Vote, tag,
};
use roda_protocol::id::{AuthorKey, EventId, KeyCommitment, NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;
use roda_protocol::limits::{REFS_MAX, RETRACT_TARGETS_MAX, SALT_BYTES};
use roda_protocol::validate::{Invalid, SpaceRules};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target is not here.
    #[error("event {0} is not on this node")]
    NotHere(EventId),
    /// The target is of a kind to which this can't be done.
    #[error("{0}")]
    WrongKind(&'static str),
    /// The target is another author's.
    #[error("only its author can change event {0}, and that is not you")]
    NotYours(EventId),
    /// The board's charter is not here.
    #[error("the charter of this board has not arrived yet, so nothing can be written there")]
    NoCharter,
    /// The words break a limit.
    #[error("{}", explain(*.0))]
    Invalid(Invalid),
}

fn explain(invalid: Invalid) -> String {
    match invalid {
        Invalid::BodyLength => {
            "the text or one of its parts is too long: a title has at most 300 bytes, a link 2,048, a body 48 KiB, \
             and a board can allow less"
                .into()
        }
        Invalid::KindRule => {
            "a field breaks a rule: names have 1 to 32 printable characters, tags at most 8 of 32 bytes, languages are \
             tags such as pt-BR"
                .into()
        }
        other => other.to_string(),
    }
}

/// A pen: whose, where, when.
pub(crate) struct Pen<'a> {
    pub(crate) store: &'a EventStore,
    pub(crate) key: &'a SecretKey,
    pub(crate) now_ms: u64,
    pub(crate) salt: [u8; SALT_BYTES],
}

impl Pen<'_> {
    fn me(&self) -> AuthorKey {
        self.key.public()
    }

    fn network(&self) -> NetworkId {
        self.store.network()
    }

    /// The rules of a space: of its charter, or the open ones. `is_open` says that the space has no charter.
    pub(crate) fn rules(&self, space: SpaceId, is_open: bool) -> Result<SpaceRules, WriteError> {
        if is_open || space == SpaceId::of_author(self.me()) {
            return Ok(SpaceRules::OPEN);
        }
        let charter = self.store.event(&EventId(space.0))?;
        match charter.as_ref().map(|stored| stored.event.kind()) {
            Some(Kind::Charter(charter)) => Ok(SpaceRules::of(charter)),
            _ => Err(WriteError::NoCharter),
        }
    }

    fn sign(
        &self,
        space: SpaceId,
        refs: Vec<EventId>,
        kind: Kind,
        body: Body,
        rules: SpaceRules,
    ) -> Result<Signed, WriteError> {
        if body.to_bytes().len() > rules.body_bytes_max as usize {
            return Err(WriteError::Invalid(Invalid::BodyLength));
        }
        // Never dated before what it builds on: readers would see an answer before the question.
        let mut created_ms = self.now_ms;
        for seen in &refs {
            if let Some(row) = self.store.row(seen)? {
                created_ms = created_ms.max(row.created_ms.min(self.now_ms.saturating_add(60_000)));
            }
        }
        let draft = Draft { space, created_ms, refs, kind, body, salt: self.salt };
        draft.sign(&Author::Root(self.key), &self.network(), rules.work_bits).map_err(WriteError::Invalid)
    }

    pub(crate) fn charter(&self, charter: Charter, words: CharterBody) -> Result<Signed, WriteError> {
        let rules = SpaceRules::of(&charter);
        self.sign(SpaceId::ZERO, vec![], Kind::Charter(charter), Body::Charter(words), rules)
    }

    pub(crate) fn profile(&self, name: String) -> Result<Signed, WriteError> {
        let mine = self.store.profile_items(&self.me())?;
        let before = roda_protocol::view::profile(&mine);
        let (about, links) =
            before.as_ref().map(|(_, words)| (words.about.clone(), words.links.clone())).unwrap_or_default();
        let refs = mine.iter().rev().take(REFS_MAX).map(|item| item.id).chain(before.map(|(id, _)| id)).take(REFS_MAX);
        let none = KeyCommitment([0; 32]);
        let kind = Kind::Profile(Profile { next_root: none, revocation: none });
        let words = Body::Profile(ProfileBody { name, about, links });
        self.sign(SpaceId::of_author(self.me()), refs.collect(), kind, words, SpaceRules::OPEN)
    }

    pub(crate) fn post(
        &self,
        board: SpaceId,
        rules: SpaceRules,
        mut tags: Vec<String>,
        words: PostBody,
    ) -> Result<Signed, WriteError> {
        tags.sort();
        tags.dedup();
        self.sign(board, vec![], Kind::Post(Post { tags }), Body::Post(words), rules)
    }

    pub(crate) fn target(&self, id: &EventId) -> Result<Verified, WriteError> {
        self.store.event(id)?.map(|stored| stored.event.clone()).ok_or(WriteError::NotHere(*id))
    }

    fn own_target(&self, id: &EventId) -> Result<Verified, WriteError> {
        let target = self.target(id)?;
        if target.header().author == self.me() { Ok(target) } else { Err(WriteError::NotYours(*id)) }
    }

    /// The target, and what of the author's own it was answered with already: the newest come first into the refs.
    fn seen(&self, target: &EventId) -> Result<Vec<EventId>, WriteError> {
        let mut refs = self.store.own_actions(target, &self.me())?;
        refs.reverse();
        refs.truncate(REFS_MAX - 1);
        refs.push(*target);
        Ok(refs)
    }

    pub(crate) fn comment(&self, parent: &EventId, rules: SpaceRules, text: String) -> Result<Signed, WriteError> {
        let target = self.target(parent)?;
        let Some(root) = root_named_by(&target) else {
            return Err(WriteError::WrongKind("only posts and comments can be answered"));
        };
        let kind = Kind::Comment(Comment { root, parent: *parent });
        self.sign(target.space(), vec![*parent], kind, Body::Comment(CommentBody { text }), rules)
    }

    pub(crate) fn edit(&self, id: &EventId, rules: SpaceRules, words: EditBody) -> Result<Signed, WriteError> {
        let target = self.own_target(id)?;
        let is_post = match target.kind() {
            Kind::Post(_) => true,
            Kind::Comment(_) => false,
            _ => return Err(WriteError::WrongKind("only posts and comments can be edited")),
        };
        if !is_post && (words.title.is_some() || words.link.is_some()) {
            return Err(WriteError::WrongKind("a comment has no title and no link"));
        }
        let kind = Kind::Edit(Edit { target: *id });
        self.sign(target.space(), self.seen(id)?, kind, Body::Edit(words), rules)
    }

    /// Own edits of an event, the newest first.
    fn own_edits(&self, id: &EventId) -> Result<Vec<EventId>, WriteError> {
        let mut edits = Vec::new();
        for action in self.store.own_actions(id, &self.me())?.into_iter().rev() {
            if self.store.row(&action)?.is_some_and(|row| row.tag == tag::EDIT) {
                edits.push(action);
            }
        }
        Ok(edits)
    }

    pub(crate) fn retract(&self, id: &EventId, rules: SpaceRules) -> Result<Signed, WriteError> {
        let target = self.own_target(id)?;
        if matches!(target.kind(), Kind::Charter(_) | Kind::Retract(_)) {
            return Err(WriteError::WrongKind("charters and retractions can't be taken back"));
        }
        // The words of its edits go, too.
        let mut targets = self.own_edits(id)?;
        targets.truncate(RETRACT_TARGETS_MAX - 1);
        targets.push(*id);
        targets.sort_unstable();
        let kind = Kind::Retract(Retract { targets });
        self.sign(target.space(), self.seen(id)?, kind, Body::None, rules)
    }

    pub(crate) fn vote(&self, id: &EventId, rules: SpaceRules, value: i8) -> Result<Signed, WriteError> {
        let target = self.target(id)?;
        if !matches!(target.kind(), Kind::Post(_) | Kind::Comment(_)) {
            return Err(WriteError::WrongKind("only posts and comments can be voted on"));
        }
        let kind = Kind::Vote(Vote { target: *id, value });
        self.sign(target.space(), self.seen(id)?, kind, Body::None, rules)
    }
}
