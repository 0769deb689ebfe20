//! The founding event of a board.

use super::kind::{Fields, Words};
use crate::id::{AuthorKey, SpaceId};
use crate::limits::{
    BODY_BYTES_MAX, LANGUAGE_BYTES_MAX, NAME_CHARS_MAX, RULE_BYTES_MAX, RULES_MAX, STEWARDS_MAX, TITLE_BYTES_MAX,
    WORK_BITS_DEFAULT, WORK_BITS_MAX,
};
use crate::text::is_clean_name;
use crate::validate::Invalid;
use serde::{Deserialize, Serialize};

/// Fields of a charter. The board's id is the charter's id, so none of this can ever change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// The board's name for people, 1 to 32 characters; ids, not names, tell boards apart.
    pub name: String,
    /// The language tag (BCP 47) that its authors are asked to write in, or empty.
    pub language: String,
    /// Authors who may moderate by default, ascending, none twice. Empty: a board without stewards.
    pub stewards: Vec<AuthorKey>,
    /// How many stewards of the highest rank a root decision needs: 1 to their number; 0 without stewards.
    pub threshold: u8,
    /// Leading zero bits of work that every event of the board needs, the charter itself included.
    pub work_bits: u8,
    /// Bytes that a body on this board may have, at most the network's own limit.
    pub body_bytes_max: u32,
    /// The board whose history this one goes on with under other stewards.
    pub forked_from: Option<SpaceId>,
}

impl Charter {
    /// A charter of this name with the network's defaults and one steward.
    #[must_use]
    pub fn new(name: String, steward: AuthorKey) -> Self {
        Self {
            name,
            language: String::new(),
            stewards: vec![steward],
            threshold: 1,
            work_bits: WORK_BITS_DEFAULT,
            body_bytes_max: u32::try_from(BODY_BYTES_MAX).unwrap_or(u32::MAX),
            forked_from: None,
        }
    }
}

impl Fields for Charter {
    fn check(&self) -> Result<(), Invalid> {
        let language_ok = self.language.len() <= LANGUAGE_BYTES_MAX
            && self.language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let stewards_ok = self.stewards.len() <= STEWARDS_MAX && self.stewards.is_sorted_by(|a, b| a < b);
        let threshold = usize::from(self.threshold);
        let threshold_ok = threshold <= self.stewards.len() && (threshold > 0 || self.stewards.is_empty());
        let numbers_ok = self.work_bits <= WORK_BITS_MAX
            && usize::try_from(self.body_bytes_max).is_ok_and(|bytes| bytes <= BODY_BYTES_MAX);
        if is_clean_name(&self.name, NAME_CHARS_MAX) && language_ok && stewards_ok && threshold_ok && numbers_ok {
            Ok(())
        } else {
            Err(Invalid::KindRule)
        }
    }
}

/// Words of a charter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterBody {
    /// A line that says what the board is.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Its rules, numbered from 1; labels refer to them.
    pub rules: Vec<String>,
}

impl Words for CharterBody {
    fn fits(&self) -> bool {
        self.title.len() <= TITLE_BYTES_MAX
            && self.rules.len() <= RULES_MAX
            && self.rules.iter().all(|rule| rule.len() <= RULE_BYTES_MAX)
    }
}
