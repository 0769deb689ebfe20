//! Strangers' words on their way to a page: lines, names, authors, boards.

use crate::api::dto::Mark;
use roda_protocol::text::{Untrusted, mixes_alphabets};

/// Columns that a name may take in a line that has other things to say.
const NAME_COLUMNS_MAX: usize = 32;

/// Characters of a key that stand beside every name, after the `@`.
const KEY_CHARS: usize = 8;

/// Digits of a short id.
const ID_DIGITS: usize = 8;

/// A stranger's text as one line, without marks that turn the reading direction.
pub(crate) fn line(text: &str) -> String {
    Untrusted::new(text.to_owned()).line(None)
}

/// A name, kept short.
pub(crate) fn name(text: &str) -> String {
    Untrusted::new(text.to_owned()).line(Some(NAME_COLUMNS_MAX))
}

/// The first digits of an id.
pub(crate) fn short_id(id: &str) -> String {
    id.chars().take(ID_DIGITS).collect()
}

/// A board's name, or its short id while the name has not come. One that mixes alphabets, or can be taken for another board's
/// as far as the API has seen, has both.
pub(crate) fn board(id: &str, given: &str, look_alike: bool) -> String {
    let given = name(given);
    match given.trim() {
        "" => short_id(id),
        _ if look_alike || mixes_alphabets(&given) => format!("{given} {}", short_id(id)),
        _ => given,
    }
}

/// An author as pages show it: the name that it gave itself, and always a part of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    /// The whole key.
    pub(crate) key: String,
    /// Its beginning.
    pub(crate) short: String,
    /// The name; empty if there is none.
    pub(crate) name: String,
    /// Whether the name mixes alphabets or can be taken for another author's.
    pub(crate) is_doubtful: bool,
    /// Whether it is the person who reads.
    pub(crate) is_me: bool,
}

impl Author {
    /// `look_alike`: the name can be taken for another author's, as far as the API has seen.
    pub(crate) fn new(key: &str, given: Option<&str>, look_alike: bool, is_me: bool) -> Self {
        let name = given.map(name).unwrap_or_default();
        let short = key.chars().take(1 + KEY_CHARS).collect();
        Self { key: key.to_owned(), short, is_doubtful: look_alike || mixes_alphabets(&name), name, is_me }
    }
}

/// A piece of a stranger's text, safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    /// Whether it is what was looked for.
    pub(crate) is_hit: bool,
}

/// A text of one line in the pieces that are hits and those between them.
pub(crate) fn pieces(text: &str, marks: &[Mark]) -> Vec<Piece> {
    let letters: Vec<char> = text.chars().collect();
    let piece = |from: usize, to: usize, is_hit| {
        let text: String = letters.get(from..to.min(letters.len())).unwrap_or_default().iter().collect();
        // Each by itself: no mark of one reaches into the next.
        let text = Untrusted::new(text).block().replace('\n', " ");
        (!text.is_empty()).then_some(Piece { text, is_hit })
    };
    let (mut pieces, mut at) = (Vec::new(), 0);
    for mark in marks {
        pieces.extend(piece(at, mark.start.max(at), false));
        pieces.extend(piece(mark.start.max(at), mark.end, true));
        at = at.max(mark.start).max(mark.end);
    }
    pieces.extend(piece(at, letters.len(), false));
    pieces
}

/// A value of a query, as it stands in an address.
pub(crate) fn in_address(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A time for machines: RFC 3339, to the second.
pub(crate) fn machine_time(unix_ms: &u64) -> String {
    let seconds = i64::try_from(*unix_ms / 1000).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_always_shows_a_part_of_the_key() {
        let author = Author::new("@abcdefghijklmnop", Some("Ana\u{202e}"), false, false);
        assert_eq!(author.short, "@abcdefgh");
        assert!(!author.name.contains('\u{202e}'));
        assert_eq!(Author::new("@abcdefghijklmnop", None, false, false).name, "");
    }

    #[test]
    fn a_name_that_mixes_alphabets_or_looks_like_another_is_marked_and_a_boards_has_its_id() {
        let is_doubtful = |name: &str, look_alike| Author::new("@a", Some(name), look_alike, false).is_doubtful;
        assert!(is_doubtful("pаypal", false) && is_doubtful("paypal", true) && !is_doubtful("paypal", false));
        assert_eq!(board("0123456789", "lounge", false), "lounge");
        assert_eq!(board("0123456789", "lounge", true), "lounge 01234567");
        assert_eq!(board("0123456789", "lоunge", false), "lоunge 01234567");
        assert_eq!(board("0123456789", "", true), "01234567");
    }

    #[test]
    fn hits_are_pieces_of_their_own_and_no_control_is_left_in_any() {
        let marks = [Mark { start: 2, end: 5 }, Mark { start: 5, end: 6 }];
        let shown = pieces("é ice\u{202e} x", &marks);
        let shown: Vec<(&str, bool)> = shown.iter().map(|piece| (piece.text.as_str(), piece.is_hit)).collect();
        assert_eq!(shown, [("é ", false), ("ice", true), ("\u{fffd}", true), (" x", false)]);
        assert_eq!(pieces("", &[Mark { start: 3, end: 1 }]), []);
    }

    #[test]
    fn times_are_said_to_machines_in_utc() {
        assert_eq!(machine_time(&1_700_000_000_999), "2023-11-14T22:13:20Z");
    }
}
