//! What is written here, and how far it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a write waits for other nodes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Wait {
    /// Distinct peers that must hold the event; 0: don't wait.
    #[serde(default)]
    pub peers: u32,
    /// Seconds to wait for them at most.
    #[serde(default)]
    pub timeout_s: u64,
}

/// Body of `POST /api/v1/posts`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewPost {
    /// Where.
    pub board: String,
    /// One line.
    pub title: String,
    /// The text; may be empty.
    #[serde(default)]
    pub text: String,
    /// What it points to.
    pub link: Option<String>,
    /// Up to eight.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/reply`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewReply {
    /// The text.
    pub text: String,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/edit`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewEdit {
    /// The new title of a post; the old one without.
    pub title: Option<String>,
    /// The new text; the old one without.
    pub text: Option<String>,
    /// The new link; the old one without; an empty text removes it.
    pub link: Option<String>,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/retract`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NewRetraction {
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/vote`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewVote {
    /// 1, -1 or 0.
    pub value: i8,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// What a write came to. It is on this node's disk when the answer arrives.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// The new event.
    pub id: String,
    /// Its board.
    pub board: String,
    /// `queued`: on disk here. `sent`: handed to at least one peer. `held`: at least one other node confirmed that it
    /// holds it.
    pub state: String,
    /// Distinct peers that confirmed it.
    pub held_by: u32,
    /// Whether the number of peers that was waited for was reached; true if none was.
    pub wait_met: bool,
    /// The event that this one changes or answers, if any.
    pub target: Option<String>,
}

/// One of `GET /api/v1/outbox`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutboxEntry {
    /// An own event.
    pub id: String,
    /// Its board.
    pub board: String,
    /// What it is: `post`, `comment`, ...
    pub kind: String,
    /// As in [`Written`].
    pub state: String,
    /// Distinct peers that confirmed it.
    pub held_by: u32,
    /// When it was written.
    pub created_ms: u64,
}
