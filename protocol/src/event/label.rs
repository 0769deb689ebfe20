//! Labels: signed, reasoned, expiring judgements. Moderation is made of them.

use super::kind::{Fields, Words};
use crate::id::{AuthorKey, EventId};
use crate::limits::{LABEL_TARGETS_MAX, LABEL_VALUE_BYTES_MAX, REASON_BYTES_MAX};
use crate::validate::Invalid;
use serde::{Deserialize, Serialize};

/// What a label judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LabelTarget {
    /// One event.
    Event(EventId),
    /// An author, in the label's space.
    Author(AuthorKey),
}

/// Fields of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// 1 to 400 events or authors, ascending, none twice.
    pub targets: Vec<LabelTarget>,
    /// The judgement: lower-case ASCII letters, digits and `-`, such as `spam` or `off-topic`.
    pub value: String,
    /// The number of the charter's rule that it rests on.
    pub rule: Option<u8>,
    /// When it ends, unix milliseconds; at most 180 days after the event's own time.
    pub expires_ms: u64,
}

impl Fields for Label {
    fn check(&self) -> Result<(), Invalid> {
        let count_ok = (1..=LABEL_TARGETS_MAX).contains(&self.targets.len());
        let value_ok = (1..=LABEL_VALUE_BYTES_MAX).contains(&self.value.len())
            && self.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if count_ok && value_ok && self.targets.is_sorted_by(|a, b| a < b) && self.rule != Some(0) {
            Ok(())
        } else {
            Err(Invalid::KindRule)
        }
    }
}

/// Words of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelBody {
    /// Why.
    pub reason: String,
}

impl Words for LabelBody {
    fn fits(&self) -> bool {
        self.reason.len() <= REASON_BYTES_MAX
    }
}
