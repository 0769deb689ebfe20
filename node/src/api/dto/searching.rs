//! Objects of search.

use super::Hidden;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/search?words=&board=&author=&since=&until=&sort=&hidden=&limit=&cursor=`: a page of what was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SearchPage {
    /// Best first, or newest first.
    pub hits: Vec<SearchHit>,
    /// How many there are in all, about: the index may lag behind by a second.
    pub found: u64,
    /// What to pass as `cursor` for the next page; null at the end.
    pub cursor: Option<String>,
    /// Whether all that is held was searched. If not, there may be more than was found.
    pub complete: bool,
    /// Posts and comments that were searched.
    pub indexed: u64,
    /// Posts and comments that there are, about.
    pub total: u64,
    /// What keeps the index from being complete, if it is not only a matter of time.
    pub problem: Option<String>,
}

/// A post or comment that was found, as it stands now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SearchHit {
    /// The post or comment.
    pub id: String,
    /// The post of its thread.
    pub thread: String,
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// `post` or `comment`.
    pub kind: String,
    /// The title of the thread; empty if that is not here or hidden.
    pub title: String,
    /// Where in the title hits are; of posts only.
    pub title_marks: Vec<Mark>,
    /// Who wrote it.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// Whether the name can be taken for another author's, as in [`FeedEntry`](super::FeedEntry).
    #[serde(default)]
    pub look_alike: bool,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// The part of the text that has the first hit, in one line.
    pub excerpt: String,
    /// Where in the excerpt hits are.
    pub marks: Vec<Mark>,
    /// By whom and why it is hidden; null if it is not. Title and excerpt are empty then, unless hidden ones were asked for.
    pub hidden: Option<Hidden>,
}

/// A part of a text, in characters (Unicode scalar values): from `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// The first.
    pub start: usize,
    /// The one behind the last.
    pub end: usize,
}
