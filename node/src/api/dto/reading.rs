//! What a reader sees beside feeds and threads: the inbox, what is next, own rules, and why things are as they are.

use super::ThreadNode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One of `GET /api/v1/inbox?all=&hidden=&limit=&before=`, newest first. What the reader's rules hide is left out unless `hidden`
/// asks for it. Without that an entry is hidden only if so many before it were that the call ended there: go on at its cursor.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InboxEntry {
    /// The post or comment.
    pub id: String,
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// The post of its thread.
    pub thread: String,
    /// The thread's title; empty if the post is not here.
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
    /// `answer` (to an own post or comment), `mention`, or `watched` (it stands in a thread that is watched).
    pub why: String,
    /// Whether it was neither cleared nor read with its thread.
    pub unread: bool,
    /// The words as they stand; empty if they are hidden, taken back or not here.
    pub text: String,
    /// Whether its author took it back.
    pub retracted: bool,
    /// By whom and why the words are hidden; null if they are not.
    pub hidden: Option<Hidden>,
    /// What to pass as `before` to go on behind this entry.
    pub cursor: String,
}

/// Answer of `GET /api/v1/inbox/unread`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InboxUnread {
    /// Unread entries that the reader's rules don't hide, counted up to 99.
    pub unread: u64,
    /// Whether there are more, or may be: not everything was looked at.
    pub more: bool,
    /// Whether the reader's rules hide some, of those that were looked at.
    pub hidden: bool,
}

/// Answer of `POST /api/v1/inbox/clear`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct InboxCleared {
    /// Entries that were unread, counted up to 1000, without those that the reader's rules hide.
    pub cleared: u64,
}

/// Body of `POST /api/v1/next`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NextAsk {
    /// One board, or all that are followed.
    pub board: Option<String>,
}

/// Answer of `POST /api/v1/next`: the next unread post or comment, which is marked as read by that.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Next {
    /// What is next; null if nothing is unread.
    pub item: Option<NextItem>,
    /// What is still unread in the same thread.
    pub unread_left: u64,
    /// Unread items that were passed over because the reader's rules hide them.
    pub passed_over: u64,
}

/// The next unread post or comment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NextItem {
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// The post of its thread.
    pub thread: String,
    /// The thread's title.
    pub title: String,
    /// What it is and says.
    pub node: ThreadNode,
    /// What it answers, if that is here and not hidden.
    pub answers: Option<Box<ThreadNode>>,
}

/// Body of `POST /api/v1/catchup`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CatchUpAsk {
    /// One board, or all that are followed.
    pub board: Option<String>,
}

/// A rule of the reader: one of `GET /api/v1/reader/rules`, and the answer of `POST /api/v1/reader/rules`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// What it is about: a post's id, `@` and an author's key, `word:` and words, or `older:` and a number of days with `d`.
    pub what: String,
    /// `watch`, `follow`, `mute`, `points`; `none`: there is no rule about it.
    pub effect: String,
    /// Points, if the effect is that.
    pub points: Option<i32>,
    /// The thread's title or the author's name, if it is known.
    pub name: Option<String>,
}

/// Body of `POST /api/v1/reader/rules`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SetRule {
    /// As in [`Rule`]; of ids and authors unique prefixes will do. Any comment stands for its thread.
    pub what: String,
    /// As in [`Rule`]; `none` removes the rule.
    pub effect: String,
    /// Points, if the effect is that.
    pub points: Option<i32>,
}

/// One line of `GET /api/v1/reader/export`, and of the body of `POST /api/v1/reader/import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "reader", rename_all = "snake_case")]
pub enum ReaderLine {
    /// In which format the lines behind it are; 1 where nothing is said.
    Format {
        /// Lines of a later one than this node knows are refused.
        version: u32,
    },
    /// A board is followed.
    Follow {
        /// Its id.
        board: String,
        /// The name of an open board.
        open_name: Option<String>,
    },
    /// How long the words of a board are kept, if it is not for ever.
    Keep {
        /// Its id.
        board: String,
        /// As in [`Board`](super::Board).
        keep: String,
    },
    /// What the reader said about telling others of a board.
    Listing {
        /// Its id.
        board: String,
        /// `on` or `off`.
        listing: String,
    },
    /// How the web page looks, as in [`PagePreferences`](super::PagePreferences).
    Page {
        /// Its language.
        language: String,
        /// Its colours.
        theme: String,
        /// Whether single keys do things.
        keys: bool,
    },
    /// A rule.
    Rule {
        /// As in [`Rule`].
        what: String,
        /// As in [`Rule`].
        effect: String,
        /// As in [`Rule`].
        points: Option<i32>,
    },
    /// A thread was read up to an event, in the order of arrival.
    Read {
        /// Its post.
        thread: String,
        /// The last event that was read.
        last: String,
    },
    /// The inbox was read up to an event.
    Inbox {
        /// The last event that was read.
        last: String,
    },
}

/// Answer of `POST /api/v1/reader/import`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ReaderImported {
    /// Lines that count from now on.
    pub imported: u64,
    /// Marks that say less than those here, or for which there was no room.
    pub skipped: u64,
    /// Marks of events that are not here: each counts once its event comes.
    #[serde(default)]
    pub waiting: u64,
    /// Lines that make no sense.
    pub rejected: u64,
    /// The first few reasons.
    pub reasons: Vec<String>,
}

/// Answer of `GET /api/v1/authors/{id}/events?hidden=&limit=&before=`: what an author wrote, as far as it is here.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthorPage {
    /// The author.
    pub author: String,
    /// The name in the author's profile.
    pub name: Option<String>,
    /// Posts and comments, the last that came first.
    pub events: Vec<Writing>,
    /// What to pass as `before` to go on; null if that was all. There may be more even if `events` has few, or none: one call
    /// looks at so many events and no more.
    pub next: Option<String>,
}

/// A post or comment by itself, as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Writing {
    /// The post or comment.
    pub id: String,
    /// `post` or `comment`.
    pub kind: String,
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// The post of its thread.
    pub thread: String,
    /// The thread's title; empty if it is hidden, was taken back, or is not here.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// The time of the edit that is shown; null if none.
    pub edited: Option<u64>,
    /// The words; empty if they are hidden, taken back or not here.
    pub text: String,
    /// The post's link.
    pub link: Option<String>,
    /// The post's tags.
    pub tags: Vec<String>,
    /// Whether its author took it back.
    pub retracted: bool,
    /// By whom and why the words are hidden; null if they are not.
    pub hidden: Option<Hidden>,
    /// What to pass as `before` to go on behind this one.
    pub cursor: String,
}

/// By whom and why words are not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hidden {
    /// `you` (the reader's own rules), `node`, or `author`.
    #[serde(default)]
    pub by: String,
    /// `dropped` (the words are not on this node); `unreadable` (the author signed bytes that are no text); of the reader's
    /// rules `author`, `thread`, `text` or `points`.
    pub why: String,
    /// The reader's rule that hides it, as in [`Rule`]; of `points` their sum.
    #[serde(default)]
    pub rule: Option<String>,
}
