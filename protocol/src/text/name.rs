//! Names: what a board, an author or a tag may be called, and the name that an open board's id is made from.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_public_assigned;

use crate::limits::NAME_CHARS_MAX;

use super::sanitise::{MARKS_MAX, is_mark};
use super::tables::{self, contains};

/// Characters of a name that is looked at at all before normalising, which can shorten it (spaces) or draw it out
/// (one character can become 18). It only keeps the work on a pasted novel small.
const RAW_NAME_CHARS_MAX: usize = 16 * NAME_CHARS_MAX;

/// Why a name cannot be used. Each message says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing is left of it.
    #[error("a name needs at least one character")]
    Empty,
    /// It is too long.
    #[error("a name has at most {chars_max} characters: shorten it")]
    TooLong {
        /// The most characters that it may have.
        chars_max: usize,
    },
    /// It has a character that cannot be seen, has no agreed look, or disturbs its neighbours.
    #[error("U+{:04X} is invisible or reserved and cannot be in a name: remove it", u32::from(*.0))]
    Hidden(char),
    /// It has a space at an end, two in a row, or a space that is not U+0020.
    #[error("a name has single, ordinary spaces, and none at its ends: remove the others")]
    Spaces,
    /// It has accents without a letter, or too many on one.
    #[error("a name has at most {MARKS_MAX} combining marks on a letter, and none without one: remove the others")]
    Marks,
    /// An open board's name has a character that is neither letter, digit, `-`, `_` nor `.`.
    #[error("'{0}' cannot be in the name of an open board: use letters, digits, '-', '_' and '.'")]
    NotAllowed(char),
    /// An open board's name begins or ends with `-`, `_` or `.`.
    #[error("the name of an open board begins and ends with a letter or a digit")]
    Edge,
}

/// Whether a header field can be a name of at most `chars_max` characters (Unicode scalar values).
///
/// It decides validity, so it rests on pinned tables alone and never changes: see [`check_name`] for the rules.
#[must_use]
pub fn is_clean_name(name: &str, chars_max: usize) -> bool {
    check_name(name, chars_max).is_ok()
}

/// The rules of [`is_clean_name`], for telling an author what to change.
///
/// A name has 1 to `chars_max` characters; single U+0020 spaces, none at its ends; combining marks only on a base, at
/// most four in a row; and nothing that is a control, invisible (the joiners too, also where a script or an emoji
/// uses them: two names that look alike should be alike), private or reserved for no character.
///
/// # Errors
/// The first rule that the name breaks.
pub fn check_name(name: &str, chars_max: usize) -> Result<(), NameError> {
    if name.chars().nth(chars_max).is_some() {
        return Err(NameError::TooLong { chars_max });
    }
    let mut marks = 0;
    let mut previous = ' ';
    for character in name.chars() {
        if is_hidden(character) {
            return Err(NameError::Hidden(character));
        }
        if contains(tables::SPACES, character) && (character != ' ' || previous == ' ') {
            return Err(NameError::Spaces);
        }
        marks = if is_mark(character) { marks + 1 } else { 0 };
        if marks > MARKS_MAX || (marks == 1 && previous == ' ') {
            return Err(NameError::Marks);
        }
        previous = character;
    }
    match (name.is_empty(), previous) {
        (true, _) => Err(NameError::Empty),
        (false, ' ') => Err(NameError::Spaces),
        (false, _) => Ok(()),
    }
}

/// The name that the id of an open board is made from ([`crate::id::SpaceId`]): compatibility-normalised (NFKC), lower case, `-` for spaces.
///
/// `Rust`, `rust` and `ＲＵＳＴ` are one board. This never decides validity (an event carries the id, not the name), so
/// it may use the libraries' Unicode tables; the result only has characters that both of them know, whose
/// normalisation Unicode promises never to change: a library that is behind refuses a name, it does not find another board.
///
/// # Errors
/// What to change, if the result is not 1 to 32 letters, digits, `-`, `_` and `.`, with a letter or digit at each end.
pub fn board_name_normalised(name: &str) -> Result<String, NameError> {
    if name.chars().nth(RAW_NAME_CHARS_MAX).is_some() {
        return Err(NameError::TooLong { chars_max: NAME_CHARS_MAX });
    }
    let folded: String = name.nfkc().flat_map(lower).nfkc().collect();
    let words: Vec<&str> = folded.split(is_space).filter(|word| !word.is_empty()).collect();
    let joined = words.join("-");
    check_name(&joined, NAME_CHARS_MAX)?;
    check_board_characters(&joined)?;
    Ok(joined)
}

/// Letters with their marks, digits, and `-`, `_`, `.` between them.
fn check_board_characters(name: &str) -> Result<(), NameError> {
    let mut previous = '-';
    for character in name.chars() {
        if is_mark(character) {
            if is_separator(previous) {
                return Err(NameError::Marks);
            }
            continue;
        }
        let known = character.is_alphanumeric() && is_public_assigned(character);
        if !known && !is_separator(character) {
            return Err(NameError::NotAllowed(character));
        }
        previous = character;
    }
    let begins_well = !name.starts_with(is_separator);
    if begins_well && !is_separator(previous) { Ok(()) } else { Err(NameError::Edge) }
}

/// Lower case, character by character: the whole-string form looks at neighbours to find a word's last sigma, so a
/// name in capitals and the same name in small letters would part. Both kinds of sigma become the ordinary one.
fn lower(character: char) -> impl Iterator<Item = char> {
    character.to_lowercase().map(|lowered| if lowered == 'ς' { 'σ' } else { lowered })
}

fn is_hidden(character: char) -> bool {
    let tables = [tables::FORBIDDEN, tables::CONTEXTUAL, tables::NAMELESS];
    matches!(character, '\n' | '\t') || tables.iter().any(|table| contains(table, character))
}

fn is_space(character: char) -> bool {
    matches!(character, '\n' | '\t' | '\r') || contains(tables::SPACES, character)
}

fn is_separator(character: char) -> bool {
    matches!(character, '-' | '_' | '.')
}
