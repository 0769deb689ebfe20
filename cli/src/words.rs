//! Small pieces of human output: short ids, authors, counts, sizes, states, aligned tables.
//!
//! Text of strangers passes [`Untrusted`] here, on its way to a screen.

use crate::terminal::Look;
use roda_protocol::text::{Untrusted, mixes_alphabets};
use unicode_width::UnicodeWidthStr as _;

/// Characters of a short id. With 32 bits two of 1,000 events share one in one case of 8,600; the node then lists them.
const SHORT_ID_CHARS: usize = 8;

/// Columns that a name of a stranger may take in a line that has other things to say.
pub(crate) const NAME_COLUMNS_MAX: usize = 32;

/// Columns of a table's flexible column at least.
const FLEXIBLE_COLUMNS_MIN: usize = 16;

/// One line of a stranger's text, whole.
#[must_use]
pub(crate) fn line(text: &str) -> String {
    Untrusted::new(text.to_owned()).line(None)
}

/// Lines of a text that may hold a stranger's words.
#[must_use]
pub(crate) fn block(text: &str) -> String {
    Untrusted::new(text.to_owned()).block()
}

/// A stranger's name.
#[must_use]
pub(crate) fn name(text: &str) -> String {
    Untrusted::new(text.to_owned()).line(Some(NAME_COLUMNS_MAX))
}

/// The first digits of an id.
#[must_use]
pub(crate) fn short_id(id: &str) -> String {
    line(id).chars().take(SHORT_ID_CHARS).collect()
}

/// Stands behind an author whose name mixes alphabets or can be taken for another's: look at the key.
const DOUBT: &str = "⚠";

/// An author: the name it gave itself, and always a part of its key, since anybody can take any name.
#[must_use]
pub(crate) fn author(key: &str, given: Option<&str>) -> String {
    author_among(key, given, false)
}

/// An author of a page, on which, or among those whom the reader follows, another may have a name that looks the same.
#[must_use]
pub(crate) fn author_among(key: &str, given: Option<&str>, look_alike: bool) -> String {
    let short: String = line(key).chars().take(1 + SHORT_ID_CHARS).collect();
    match given.map(name).filter(|given| !given.trim().is_empty()) {
        Some(given) if look_alike || mixes_alphabets(&given) => format!("{given} {short} {DOUBT}"),
        Some(given) => format!("{given} {short}"),
        None => short,
    }
}

/// A board: its name here, or its short id. A name that mixes alphabets has both.
#[must_use]
pub(crate) fn board(id: &str, given: &str) -> String {
    board_among(id, given, false)
}

/// A board among others that are known here, of which one may have a name that looks the same: then the short id stands beside it.
#[must_use]
pub(crate) fn board_among(id: &str, given: &str, look_alike: bool) -> String {
    let given = name(given);
    match given.trim() {
        "" => short_id(id),
        _ if look_alike || mixes_alphabets(&given) => format!("{given} {}", short_id(id)),
        _ => given,
    }
}

/// `1 comment`, `2 comments`.
#[must_use]
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A size in bytes with three digits or so.
#[must_use]
pub(crate) fn size(bytes: u64) -> String {
    let (mut whole, mut tenths, mut unit) = (bytes, 0, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if whole < 1024 {
            break;
        }
        (whole, tenths, unit) = (whole / 1024, whole % 1024 * 10 / 1024, next);
    }
    if unit == "B" || whole >= 100 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}

/// What became of an own event.
#[must_use]
pub(crate) fn delivery(state: &str, held_by: u32) -> String {
    match state {
        "held" => format!("held by {}", count(held_by.into(), "peer")),
        "sent" => "sent, not confirmed yet".to_owned(),
        "queued" => "stored here, not sent yet".to_owned(),
        other => line(other),
    }
}

/// On which side the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// How a cell is painted.
type Paint = fn(&Look, &str) -> String;

/// A cell: a text that is safe to show, and its paint.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

/// A cell in plain paint.
#[must_use]
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), paint: |_, text| text.to_owned() }
}

/// A cell with a paint.
#[must_use]
pub(crate) fn painted(text: impl Into<String>, paint: Paint) -> Cell {
    Cell { text: text.into(), paint }
}

/// Rows in aligned columns under a heading. On a screen that is too narrow the flexible column is cut; elsewhere nothing.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    flexible: usize,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows. `flexible` is the index of the column that may be cut.
    #[must_use]
    pub(crate) fn new(columns: &[(&'static str, Align)], flexible: usize) -> Self {
        Self { columns: columns.to_vec(), flexible, rows: Vec::new() }
    }

    /// Adds a row with as many cells as there are columns.
    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// The lines, without a line end after the last.
    #[must_use]
    pub(crate) fn render(&self, look: &Look) -> String {
        let widths = self.widths(look);
        let headings: Vec<Cell> = self.columns.iter().map(|(heading, _)| painted(*heading, Look::dim)).collect();
        let rows = std::iter::once(&headings).chain(&self.rows);
        rows.map(|row| self.render_row(row, &widths, look)).collect::<Vec<_>>().join("\n")
    }

    fn widths(&self, look: &Look) -> Vec<usize> {
        let width_of = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.width());
            cells.chain([self.columns[index].0.width()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(width_of).collect();
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        if let Some(flexible) = widths.get_mut(self.flexible) {
            let excess = total.saturating_sub(look.columns.unwrap_or(usize::MAX));
            *flexible = (*flexible).min(flexible.saturating_sub(excess).max(FLEXIBLE_COLUMNS_MIN));
        }
        widths
    }

    fn render_row(&self, row: &[Cell], widths: &[usize], look: &Look) -> String {
        let mut out = String::new();
        for (index, (cell, (_, align))) in row.iter().zip(&self.columns).enumerate() {
            let text = shortened(&cell.text, widths[index]);
            let gap = " ".repeat(widths[index].saturating_sub(text.width()));
            let shown = (cell.paint)(look, &text);
            let between = if index == 0 { "" } else { "  " };
            match align {
                Align::Left => out.extend([between, &shown, &gap]),
                Align::Right => out.extend([between, &gap, &shown]),
            }
        }
        out.truncate(out.trim_end().len());
        out
    }
}

/// A text that takes no more than `columns`, with a mark where something was cut.
fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if out.width() >= columns {
            out.pop();
            break;
        }
    }
    out.push('…');
    out
}

/// Labels and values in two columns: what one thing is.
#[must_use]
pub(crate) fn facts(look: &Look, pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(label, _)| label.width()).max().unwrap_or(0);
    let row = |(label, value): &(&str, String)| {
        let gap = " ".repeat(width - label.width());
        format!("{}{gap}  {value}", look.dim(label)).trim_end().to_owned()
    };
    pairs.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Look = Look { color: false, columns: None, now_ms: 0 };

    #[test]
    fn an_author_is_never_shown_by_the_name_alone() {
        assert_eq!(author("@abcdefghijkl", Some("ann")), "ann @abcdefgh");
        assert_eq!(author("@abcdefghijkl", None), "@abcdefgh");
        assert_eq!(author("@abcdefghijkl", Some(" ")), "@abcdefgh");
    }

    #[test]
    fn a_name_that_deceives_the_eye_is_marked_and_a_boards_has_its_id() {
        assert_eq!(author("@abcdefghijkl", Some("pаypal")), "pаypal @abcdefgh ⚠", "one letter is Cyrillic");
        assert_eq!(author_among("@abcdefghijkl", Some("paypal"), true), "paypal @abcdefgh ⚠");
        assert_eq!(author_among("@abcdefghijkl", None, true), "@abcdefgh");
        assert_eq!((board("0123456789", "lounge"), board("0123456789", "")), ("lounge".into(), "01234567".into()));
        assert_eq!(board("0123456789", "lоunge"), "lоunge 01234567");
        assert_eq!(board_among("0123456789", "lounge", true), "lounge 01234567");
        assert_eq!(board_among("0123456789", "", true), "01234567");
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(300 * 1024 * 1024), "300 MiB");
    }

    fn table() -> Table {
        let mut table = Table::new(&[("ID", Align::Left), ("TITLE", Align::Left), ("N", Align::Right)], 1);
        table.push(vec![plain("1"), plain("a title that is rather long for a narrow screen"), plain("7")]);
        table.push(vec![plain("22"), plain("日本語"), plain("100")]);
        table
    }

    #[test]
    fn columns_are_aligned_and_nothing_is_cut_in_a_pipe() {
        let text = table().render(&PIPE);
        let widths: Vec<usize> = text.lines().map(unicode_width::UnicodeWidthStr::width).collect();
        assert_eq!(widths, [widths[0]; 3]);
        assert!(text.contains("narrow screen"));
    }

    #[test]
    fn a_narrow_screen_cuts_the_flexible_column_and_says_so() {
        let text = table().render(&Look { columns: Some(40), ..PIPE });
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        assert!(text.contains('…'));
    }
}
