//! What people write and do in a thread: posts, comments, edits, retractions, votes.

use super::kind::{Fields, Words};
use crate::id::EventId;
use crate::limits::{LINK_BYTES_MAX, RETRACT_TARGETS_MAX, TAG_BYTES_MAX, TAGS_MAX, TITLE_BYTES_MAX};
use crate::text::is_clean_name;
use crate::validate::Invalid;
use serde::{Deserialize, Serialize};

/// Fields of a post, which starts a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Up to eight short words, ascending, none twice.
    pub tags: Vec<String>,
}

impl Fields for Post {
    fn check(&self) -> Result<(), Invalid> {
        let each_ok = self.tags.iter().all(|tag| tag.len() <= TAG_BYTES_MAX && is_clean_name(tag, TAG_BYTES_MAX));
        if self.tags.len() <= TAGS_MAX && self.tags.is_sorted_by(|a, b| a < b) && each_ok {
            Ok(())
        } else {
            Err(Invalid::KindRule)
        }
    }
}

/// Words of a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostBody {
    /// One line, 1 to 300 bytes.
    pub title: String,
    /// The text, CommonMark; may be empty.
    pub text: String,
    /// What the post points to.
    pub link: Option<String>,
}

impl Words for PostBody {
    fn fits(&self) -> bool {
        let link_ok = self.link.as_ref().is_none_or(|link| link.len() <= LINK_BYTES_MAX);
        !self.title.is_empty() && self.title.len() <= TITLE_BYTES_MAX && link_ok
    }
}

/// Fields of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// The post that started the thread.
    pub root: EventId,
    /// What is answered: the post or a comment of the thread.
    pub parent: EventId,
}

impl Fields for Comment {
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }
}

/// Words of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentBody {
    /// The text, CommonMark.
    pub text: String,
}

impl Words for CommentBody {
    fn fits(&self) -> bool {
        !self.text.is_empty()
    }
}

/// Fields of an edit. Counts only if its author wrote the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The post or comment with new words.
    pub target: EventId,
}

impl Fields for Edit {
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }
}

/// Words of an edit: the whole new content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditBody {
    /// The new title of a post; a comment has none.
    pub title: Option<String>,
    /// The new text.
    pub text: String,
    /// The new link of a post.
    pub link: Option<String>,
}

impl Words for EditBody {
    fn fits(&self) -> bool {
        let title_ok = self.title.as_ref().is_none_or(|title| !title.is_empty() && title.len() <= TITLE_BYTES_MAX);
        let link_ok = self.link.as_ref().is_none_or(|link| link.len() <= LINK_BYTES_MAX);
        title_ok && link_ok
    }
}

/// Fields of a retraction. Counts for those targets that its author wrote; final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retract {
    /// What is taken back: 1 to 256 events, ascending, none twice.
    pub targets: Vec<EventId>,
}

impl Fields for Retract {
    fn check(&self) -> Result<(), Invalid> {
        let count_ok = (1..=RETRACT_TARGETS_MAX).contains(&self.targets.len());
        if count_ok && self.targets.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(Invalid::KindRule) }
    }
}

/// Fields of a vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The post or comment that is voted on.
    pub target: EventId,
    /// +1, -1, or 0 to take an earlier vote back.
    pub value: i8,
}

impl Fields for Vote {
    fn check(&self) -> Result<(), Invalid> {
        if (-1..=1).contains(&self.value) { Ok(()) } else { Err(Invalid::KindRule) }
    }
}
