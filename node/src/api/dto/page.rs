//! What of the web page programs and the command line can see and change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the reader chose for the web page: answer of `GET` and `POST /api/v1/web/preferences`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PagePreferences {
    /// `en`, `pt`, or `auto`: the browser's.
    pub language: String,
    /// `light`, `dark`, or `auto`: the system's.
    pub theme: String,
    /// Whether single keys do things.
    pub keys: bool,
}

/// Body of `POST /api/v1/web/preferences`: what is not named stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SetPagePreferences {
    /// As in [`PagePreferences`].
    pub language: Option<String>,
    /// As in [`PagePreferences`].
    pub theme: Option<String>,
    /// As in [`PagePreferences`].
    pub keys: Option<bool>,
}

/// One of `GET /api/v1/web/feeds?of=`, and of the answer of `POST /api/v1/web/feeds`: a feed that programs on this machine can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedAddress {
    /// `inbox`, `board`, `thread` or `author`.
    pub kind: String,
    /// The board, the post, the author; of the inbox who writes here.
    pub id: String,
    /// The board's name, the thread's title, the author's name; empty if there is none, or the reader's rules hide it.
    pub name: String,
    /// Its address. It carries a secret that opens all feeds of this node, and nothing else.
    pub url: String,
}
