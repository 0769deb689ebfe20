//! Who may moderate a board, and who stands for whom.

use super::kind::Fields;
use crate::id::{AuthorKey, EventId, SpaceId};
use crate::limits::HEADS_MAX;
use crate::validate::Invalid;
use serde::{Deserialize, Serialize};

/// Fields of a steward action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steward {
    /// Whose rank changes.
    pub subject: AuthorKey,
    /// The new rank (the charter's stewards have 0; a higher number is a lower rank), or none.
    pub rank: Option<u8>,
}

impl Fields for Steward {
    fn check(&self) -> Result<(), Invalid> {
        if self.rank == Some(0) { Err(Invalid::KindRule) } else { Ok(()) }
    }
}

/// Fields of a checkpoint: actions outside the ancestry of these heads can no longer be added by removed stewards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// 1 to 256 heads of the board's steward log, ascending, none twice.
    pub heads: Vec<EventId>,
}

impl Fields for Checkpoint {
    fn check(&self) -> Result<(), Invalid> {
        let count_ok = (1..=HEADS_MAX).contains(&self.heads.len());
        if count_ok && self.heads.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(Invalid::KindRule) }
    }
}

/// Fields of a vouch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouch {
    /// Who is vouched for.
    pub subject: AuthorKey,
    /// Where; the same as the event's space.
    pub board: SpaceId,
    /// 1, or 0 to take it back.
    pub weight: u8,
}

impl Fields for Vouch {
    fn check(&self) -> Result<(), Invalid> {
        if self.weight <= 1 { Ok(()) } else { Err(Invalid::KindRule) }
    }
}
