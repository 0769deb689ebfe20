//! Events on their way in and out of a node, and checks of what is stored.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One line of `GET /api/v1/export?board=`, and of the body of `POST /api/v1/import`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportLine {
    /// The event.
    pub id: String,
    /// Its space.
    pub board: String,
    /// What it is.
    pub kind: String,
    /// Who wrote it.
    pub author: String,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// A readable rendering, for people and `grep`; import reads only `bytes`.
    pub text: String,
    /// The event's exact bytes, base64.
    pub bytes: String,
}

/// Answer of `POST /api/v1/import`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// New here.
    pub imported: u64,
    /// Known before.
    pub duplicate: u64,
    /// Neither: damaged, invalid, or of a board that can't be judged without its charter.
    pub rejected: u64,
    /// The first few reasons.
    pub reasons: Vec<String>,
}

/// Body of `POST /api/v1/fsck`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct FsckAsk {
    /// Rebuild the index from the log.
    #[serde(default)]
    pub repair: bool,
}

/// Answer of `POST /api/v1/fsck`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FsckReport {
    /// Events that were read and checked.
    pub events: u64,
    /// One line for each thing that is wrong.
    pub problems: Vec<String>,
    /// Whether the index was rebuilt.
    pub repaired: bool,
}
