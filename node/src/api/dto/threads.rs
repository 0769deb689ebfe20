//! Lists of threads, and threads: what is shown of a post and its comments.

use super::{Completeness, Hidden};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One of `GET /api/v1/feed?board=&sort=&range=&hidden=&limit=&before=`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedEntry {
    /// The post.
    pub id: String,
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// The title; empty if the post was retracted or its words are not here.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// Whether the name can be taken for another author's: of somebody on the same page, of somebody whom the reader follows, or
    /// the reader's own.
    #[serde(default)]
    pub look_alike: bool,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// The newest comment's time, or the post's.
    pub active_ms: u64,
    /// Comments held.
    pub comments: u64,
    /// Votes up less votes down, one per author, raw.
    pub score: i64,
    /// Comments of others (and the post itself) that were not read here; 0 in a thread that the reader has muted.
    pub unread: u64,
    /// Whether its author took it back.
    pub retracted: bool,
    /// By whom and why it is hidden; null if it is not. Its title is empty then, unless hidden ones were asked for.
    #[serde(default)]
    pub hidden: Option<Hidden>,
    /// What the reader's own rules add to the score, in orders that count votes.
    #[serde(default)]
    pub points: i32,
    /// Whether the reader watches it.
    #[serde(default)]
    pub watched: bool,
    /// What to pass as `before` to go on behind this entry.
    pub cursor: String,
}

/// `GET /api/v1/threads/{id}?hidden=`: the thread of a post or of any comment in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ThreadPage {
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// The post.
    pub root: String,
    /// The event that was asked for.
    pub asked: String,
    /// In reading order: each before its answers. The first is the post or the hole in its place.
    pub nodes: Vec<ThreadNode>,
    /// `watch` or `mute`, if the reader has a rule about the thread.
    #[serde(default)]
    pub rule: Option<String>,
    /// What may be missing.
    pub completeness: Completeness,
}

/// A place of a thread.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ThreadNode {
    /// The post or comment.
    pub id: String,
    /// What it answers.
    pub parent: Option<String>,
    /// 0 for the post.
    pub depth: u16,
    /// True for a hole: the event is not here, its answers are below.
    pub missing: bool,
    /// Empty for a hole.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// Whether the name can be taken for another author's: of somebody on the same page, of somebody whom the reader follows, or
    /// the reader's own.
    #[serde(default)]
    pub look_alike: bool,
    /// The post's title.
    pub title: String,
    /// The text as it stands.
    pub text: String,
    /// The post's link.
    pub link: Option<String>,
    /// The post's tags.
    pub tags: Vec<String>,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// The time of the edit that is shown; null if none.
    pub edited: Option<u64>,
    /// Whether its author took it back.
    pub retracted: bool,
    /// Why the words are not shown, if not for a retraction: null, or who and why.
    pub hidden: Option<Hidden>,
    /// Votes, one per author, raw.
    pub votes: Votes,
    /// Whether it arrived since the thread was read here last.
    pub unread: bool,
    /// Whether this node's author wrote it.
    pub mine: bool,
    /// How many places of the thread stand below it, at any depth. Only where a page was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<u32>,
    /// What the page leaves out directly below it; only where a page was asked for and leaves something out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<MoreBelow>,
}

/// What a page of a thread leaves out below a node, and how it is asked for: `under` this node, `after` that answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MoreBelow {
    /// How many places, at any depth; what is left out below answers that are on the page is counted there.
    pub count: u32,
    /// The last answer to the node that was given, on this page or before; null if none was.
    pub after: Option<String>,
}

/// Raw votes, one per author.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Votes {
    /// Up.
    pub up: u32,
    /// Down.
    pub down: u32,
}

/// One of `GET /api/v1/events/{id}/history?hidden=&limit=&before=`: what a post or comment said at a time, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// The edit, or the post or comment itself.
    pub id: String,
    /// The post or comment.
    pub target: String,
    /// Whether it is what was written first.
    pub first: bool,
    /// Who wrote it.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// Whether the name can be taken for another author's, as in [`FeedEntry`].
    #[serde(default)]
    pub look_alike: bool,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// The post's title; empty if the edit names none.
    pub title: String,
    /// The text; empty if it is hidden, was taken back or is not here.
    pub text: String,
    /// The post's link.
    pub link: Option<String>,
    /// Whether its author took this edit back.
    pub retracted: bool,
    /// By whom and why the words are hidden; null if they are not.
    pub hidden: Option<Hidden>,
    /// What to pass as `before` to go on behind this version.
    pub cursor: String,
}
