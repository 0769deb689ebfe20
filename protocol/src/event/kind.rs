//! The kinds of version 1, from their tag and fields to a typed value and its rules.

use super::{
    Charter, CharterBody, Checkpoint, Comment, CommentBody, Edit, EditBody, Label, LabelBody, Post, PostBody, Profile,
    ProfileBody, RawKind, Retract, Revoke, Steward, Succeed, Vote, Vouch,
};
use crate::codec;
use crate::id::{AuthorKey, SpaceId};
use crate::validate::Invalid;
use serde::{Serialize, de::DeserializeOwned};

/// Tags of the kinds on the wire. New ones are appended; none is reused.
pub mod tag {
    /// [`super::Charter`].
    pub const CHARTER: u16 = 1;
    /// [`super::Post`].
    pub const POST: u16 = 2;
    /// [`super::Comment`].
    pub const COMMENT: u16 = 3;
    /// [`super::Edit`].
    pub const EDIT: u16 = 4;
    /// [`super::Retract`].
    pub const RETRACT: u16 = 5;
    /// [`super::Vote`].
    pub const VOTE: u16 = 6;
    /// [`super::Label`].
    pub const LABEL: u16 = 7;
    /// [`super::Steward`].
    pub const STEWARD: u16 = 8;
    /// [`super::Checkpoint`].
    pub const CHECKPOINT: u16 = 9;
    /// [`super::Vouch`].
    pub const VOUCH: u16 = 10;
    /// [`super::Profile`].
    pub const PROFILE: u16 = 11;
    /// [`super::Revoke`].
    pub const REVOKE: u16 = 12;
    /// [`super::Succeed`].
    pub const SUCCEED: u16 = 13;
}

/// What an event states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Founds a board.
    Charter(Charter),
    /// Starts a thread.
    Post(Post),
    /// Answers a post or a comment.
    Comment(Comment),
    /// New content for an own post or comment.
    Edit(Edit),
    /// Takes own events back, for good.
    Retract(Retract),
    /// An opinion on an event.
    Vote(Vote),
    /// A judgement on events or authors.
    Label(Label),
    /// Gives or takes a steward's rank.
    Steward(Steward),
    /// Fixes the heads of a board's steward log.
    Checkpoint(Checkpoint),
    /// Stands for an author on a board.
    Vouch(Vouch),
    /// An author's name, words and key commitments.
    Profile(Profile),
    /// Ends a device or a root key.
    Revoke(Revoke),
    /// A new root key takes over from an old one.
    Succeed(Succeed),
    /// A kind of a later version: kept, relayed and counted, shown as nothing.
    Unknown {
        /// Its tag.
        tag: u16,
    },
}

/// Rules of a kind that its fields alone decide.
pub(crate) trait Fields: Serialize + DeserializeOwned {
    /// # Errors
    ///
    /// The first rule that the fields break.
    fn check(&self) -> Result<(), Invalid>;
}

fn typed<T: Fields>(raw: &RawKind) -> Result<T, Invalid> {
    let fields: T = codec::decode(&raw.fields).map_err(|_| Invalid::KindFields)?;
    fields.check()?;
    Ok(fields)
}

pub(crate) fn raw<T: Fields>(tag: u16, fields: &T) -> RawKind {
    RawKind { tag, fields: codec::encode(fields) }
}

impl Kind {
    /// # Errors
    ///
    /// [`Invalid::KindFields`] if the fields of a known tag are malformed, or the rule that they break.
    pub(crate) fn of(raw: &RawKind) -> Result<Self, Invalid> {
        Ok(match raw.tag {
            tag::CHARTER => Self::Charter(typed(raw)?),
            tag::POST => Self::Post(typed(raw)?),
            tag::COMMENT => Self::Comment(typed(raw)?),
            tag::EDIT => Self::Edit(typed(raw)?),
            tag::RETRACT => Self::Retract(typed(raw)?),
            tag::VOTE => Self::Vote(typed(raw)?),
            tag::LABEL => Self::Label(typed(raw)?),
            tag::STEWARD => Self::Steward(typed(raw)?),
            tag::CHECKPOINT => Self::Checkpoint(typed(raw)?),
            tag::VOUCH => Self::Vouch(typed(raw)?),
            tag::PROFILE => Self::Profile(typed(raw)?),
            tag::REVOKE => Self::Revoke(typed(raw)?),
            tag::SUCCEED => Self::Succeed(typed(raw)?),
            tag => Self::Unknown { tag },
        })
    }

    /// Its form on the wire. An unknown kind has lost its fields and gives empty ones.
    #[must_use]
    pub fn to_raw(&self) -> RawKind {
        match self {
            Self::Charter(fields) => raw(tag::CHARTER, fields),
            Self::Post(fields) => raw(tag::POST, fields),
            Self::Comment(fields) => raw(tag::COMMENT, fields),
            Self::Edit(fields) => raw(tag::EDIT, fields),
            Self::Retract(fields) => raw(tag::RETRACT, fields),
            Self::Vote(fields) => raw(tag::VOTE, fields),
            Self::Label(fields) => raw(tag::LABEL, fields),
            Self::Steward(fields) => raw(tag::STEWARD, fields),
            Self::Checkpoint(fields) => raw(tag::CHECKPOINT, fields),
            Self::Vouch(fields) => raw(tag::VOUCH, fields),
            Self::Profile(fields) => raw(tag::PROFILE, fields),
            Self::Revoke(fields) => raw(tag::REVOKE, fields),
            Self::Succeed(fields) => raw(tag::SUCCEED, fields),
            Self::Unknown { tag } => RawKind { tag: *tag, fields: Vec::new() },
        }
    }

    /// The kind's word in command output and logs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Charter(_) => "charter",
            Self::Post(_) => "post",
            Self::Comment(_) => "comment",
            Self::Edit(_) => "edit",
            Self::Retract(_) => "retract",
            Self::Vote(_) => "vote",
            Self::Label(_) => "label",
            Self::Steward(_) => "steward",
            Self::Checkpoint(_) => "checkpoint",
            Self::Vouch(_) => "vouch",
            Self::Profile(_) => "profile",
            Self::Revoke(_) => "revoke",
            Self::Succeed(_) => "succeed",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether an event of this kind may stand in `space`, as far as its own bytes tell.
    ///
    /// # Errors
    ///
    /// [`Invalid::Space`].
    pub(crate) fn check_space(&self, space: SpaceId, author: AuthorKey) -> Result<(), Invalid> {
        let right = match self {
            Self::Charter(_) => space == SpaceId::ZERO,
            Self::Profile(_) => space == SpaceId::of_author(author),
            Self::Revoke(revoke) => space == SpaceId::of_author(revoke.root),
            Self::Succeed(succeed) => space == SpaceId::of_author(succeed.old),
            Self::Vouch(vouch) => space == vouch.board && space != SpaceId::ZERO,
            _ => space != SpaceId::ZERO,
        };
        if right { Ok(()) } else { Err(Invalid::Space) }
    }
}

/// The words of an event, decoded.
///
/// A body never decides validity: a copy without its body must be judged like the whole. A body that keeps its
/// commitment and still is no text of its kind is `Unreadable`, and shown as that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Of a charter.
    Charter(CharterBody),
    /// Of a post.
    Post(PostBody),
    /// Of a comment.
    Comment(CommentBody),
    /// Of an edit.
    Edit(EditBody),
    /// Of a label.
    Label(LabelBody),
    /// Of a profile.
    Profile(ProfileBody),
    /// The kind has no words, or the event has an empty body.
    None,
    /// The author signed bytes that are no text of this kind.
    Unreadable,
}

/// A body's own rules.
pub(crate) trait Words: Serialize + DeserializeOwned {
    /// Whether every part keeps its limit.
    fn fits(&self) -> bool;
}

fn words<T: Words>(bytes: &[u8], wrap: fn(T) -> Body) -> Body {
    match codec::decode::<T>(bytes) {
        Ok(words) if words.fits() => wrap(words),
        _ => Body::Unreadable,
    }
}

impl Body {
    /// Reads the bytes of a body of the kind with this tag.
    #[must_use]
    pub(crate) fn of(kind: &Kind, bytes: &[u8]) -> Self {
        match kind {
            Kind::Charter(_) => words(bytes, Self::Charter),
            Kind::Post(_) => words(bytes, Self::Post),
            Kind::Comment(_) => words(bytes, Self::Comment),
            Kind::Edit(_) => words(bytes, Self::Edit),
            Kind::Label(_) => words(bytes, Self::Label),
            Kind::Profile(_) => words(bytes, Self::Profile),
            _ => Self::None,
        }
    }

    /// The bytes of these words; none for [`Body::None`] and [`Body::Unreadable`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Charter(words) => codec::encode(words),
            Self::Post(words) => codec::encode(words),
            Self::Comment(words) => codec::encode(words),
            Self::Edit(words) => codec::encode(words),
            Self::Label(words) => codec::encode(words),
            Self::Profile(words) => codec::encode(words),
            Self::None | Self::Unreadable => Vec::new(),
        }
    }

    /// Whether every part of the words keeps its limit, so that other nodes will read them.
    #[must_use]
    pub fn fits(&self) -> bool {
        match self {
            Self::Charter(words) => words.fits(),
            Self::Post(words) => words.fits(),
            Self::Comment(words) => words.fits(),
            Self::Edit(words) => words.fits(),
            Self::Label(words) => words.fits(),
            Self::Profile(words) => words.fits(),
            Self::None => true,
            Self::Unreadable => false,
        }
    }
}
