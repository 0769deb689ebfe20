//! What a board began with.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/boards/log?board=`: what made a board what it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BoardLog {
    /// Its id.
    pub board: String,
    /// Its name here; empty while its charter has not arrived.
    pub name: String,
    /// Whether its name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub look_alike: bool,
    /// `charter` or `open`.
    pub kind: String,
    /// Whether this node follows it.
    pub followed: bool,
    /// The charter's title; empty if there is none.
    pub title: String,
    /// What it is for; empty if nothing is said.
    pub description: String,
    /// Its rules, the first is number 1.
    pub rules: Vec<String>,
    /// The charter; null of open boards, and while it has not arrived.
    pub charter: Option<BoardCharter>,
}

/// What a charter states beside its words.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BoardCharter {
    /// The event, whose id is the board's.
    pub id: String,
    /// Who signed it.
    pub founder: Person,
    /// The founder's claim of the time.
    pub created_ms: u64,
    /// BCP 47 tag; may be empty.
    pub language: String,
    /// Bits of work that each event of the board needs.
    pub work_bits: u8,
    /// Its stewards.
    pub stewards: Vec<Person>,
}

/// An author where nothing else is told of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The key.
    pub author: String,
    /// The name that it gave itself.
    pub name: Option<String>,
    /// Whether the name can be taken for another's, as in [`FeedEntry`](super::FeedEntry).
    pub look_alike: bool,
}
