//! Text that strangers wrote: shown safely, named safely.
//!
//! Owns [`Untrusted`], the type of every string that came from the network, and the rules for names. A terminal obeys
//! escapes, a reader believes their eyes: controls, bidi overrides, invisible characters and towers of accents are
//! replaced by U+FFFD before anyone sees them. Nothing here refuses a *text*: only names can be invalid.
//!
//! Pure, and bounded by the length of its input. What it returns is plain text: a page still escapes it for HTML, and
//! a shell command still quotes it.

mod look;
mod name;
mod sanitise;
mod tables;
#[cfg(test)]
mod tests;
mod wrap;

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

pub use look::{Look, mixes_alphabets};
pub use name::{NameError, board_name_normalised, check_name, is_clean_name};
pub use wrap::display_width;

/// Columns of the text in a `Debug` form: enough to recognise it in a log, too few to fill one.
const DEBUG_COLUMNS: usize = 64;

/// Text that came from the network, as it came.
///
/// It has no `Display` and no `Serialize`: whoever lets it out chooses a form.
///
/// ```
/// println!("{}", roda_protocol::text::Untrusted::new("\u{1b}[2J").line(Some(80)));
/// ```
/// ```compile_fail
/// println!("{}", roda_protocol::text::Untrusted::new("\u{1b}[2J"));
/// ```
/// ```compile_fail
/// fn out(_: impl serde::Serialize) {}
/// out(roda_protocol::text::Untrusted::new("\u{1b}[2J"));
/// ```
///
/// Letters that are written from right to left stay, and a terminal or browser that supports them may reorder what
/// stands beside them on the same line: put such text last in its line, or, on a page, into an element of its own
/// (`<bdi>`, `dir="auto"`).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Marks text as untrusted. Always allowed: text of our own loses nothing by it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Bytes of the text as it came.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all. A text that only *looks* empty is not.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text as it came, **not safe to show**: for hashing, storing, and JSON that only programs read.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// For `#[serde(serialize_with = "Untrusted::serialize_raw")]`: the choice to hand [`Self::raw`] to a program.
    ///
    /// # Errors
    /// What the serializer fails with.
    pub fn serialize_raw<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }

    /// The text on a single line, safe to show: runs of newlines, tabs and spaces become one space, none at the ends.
    ///
    /// With `columns_max` it is at most that wide ([`display_width`]) and ends with `…` where it was cut.
    #[must_use]
    pub fn line(&self, columns_max: Option<usize>) -> String {
        let line = sanitise::line(&self.0);
        match columns_max {
            Some(columns) => wrap::cut(line, columns),
            None => line,
        }
    }

    /// The text with its lines, safe to show: `\n` is the only line end, a tab becomes four spaces.
    ///
    /// For where a line's start needs no protection, such as a page. On a terminal, use [`Self::wrapped`].
    #[must_use]
    pub fn block(&self) -> String {
        sanitise::block(&self.0)
    }

    /// [`Self::block`] wrapped to `columns`, every row beginning with `prefix`; no newline after the last row.
    ///
    /// Rows break at spaces, words wider than a row anywhere between letters. `prefix` is ours: clean, and on one
    /// line. Text gets 8 columns at least, even where the terminal has fewer.
    #[must_use]
    pub fn wrapped(&self, columns: usize, prefix: &str) -> String {
        let block = self.block();
        let room = columns.saturating_sub(display_width(prefix)).max(wrap::TEXT_COLUMNS_MIN);
        let mut rows = Vec::new();
        for line in block.lines() {
            wrap::rows(line, room, |row| rows.push(format!("{prefix}{row}")));
        }
        rows.join("\n")
    }
}

/// Quoted, sanitised, on one line and cut: what a log may show.
impl fmt::Debug for Untrusted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Untrusted").field(&self.line(Some(DEBUG_COLUMNS))).finish()
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
