//! Columns: how wide sanitised text is on a terminal, where it is cut and where it wraps.
//!
//! Terminals disagree on the width of emoji and of conjoined letters. A line that is wider than we think wraps by
//! itself, and its rest then stands at the start of a row without our prefix: that is how a post would fake a prompt.
//! So every doubtful case counts as the wider reading; a line may come out a little short, never too long.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sanitise::{extends, is_joiner, is_pictograph, is_skin_tone};

/// What a cut text ends with.
const ELLIPSIS: char = '…';

/// Columns that text is given at least, however narrow the terminal and wide the prefix: the widest cluster that
/// cannot be parted (a base of 2 with a skin tone of 2 and four marks of 1) fits.
pub(super) const TEXT_COLUMNS_MIN: usize = 8;

/// The columns that sanitised text takes on a terminal, by the widest of the usual readings.
///
/// For lining up columns around [`super::Untrusted::line`].
#[must_use]
pub fn display_width(text: &str) -> usize {
    Clusters(text).map(width).sum()
}

/// Cuts a sanitised line to at most `columns`, with an ellipsis where something is missing.
pub(super) fn cut(line: String, columns: usize) -> String {
    if display_width(&line) <= columns {
        return line;
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let mut used = 0;
    let kept = Clusters(&line).take_while(|cluster| {
        used += width(cluster);
        used <= room
    });
    let bytes = kept.map(str::len).sum();
    let mut out = trim_end(&line[..bytes]).to_owned();
    out.push(ELLIPSIS);
    out
}

/// Wraps one sanitised line (no newline in it) into rows of at most `columns`, given to `row` in order.
pub(super) fn rows(line: &str, columns: usize, mut row: impl FnMut(&str)) {
    let pieces = pieces(line, columns);
    let mut rest = pieces.as_slice();
    loop {
        let taken = row_length(rest, columns);
        let text: String = rest[..taken].iter().map(|piece| piece.text).collect();
        row(trim_end(&text));
        rest = &rest[taken..];
        let spaces = rest.iter().take_while(|piece| piece.text == " ").count();
        rest = &rest[spaces..];
        if rest.is_empty() {
            return;
        }
    }
}

/// How many pieces go into the next row: up to the last space that leaves a word before it, or as many as fit.
fn row_length(pieces: &[Piece<'_>], columns: usize) -> usize {
    let mut used = 0;
    let mut worded = false;
    let mut after_word = None;
    for (index, piece) in pieces.iter().enumerate() {
        if piece.text == " " {
            if worded {
                after_word = Some(index);
            }
        } else {
            worded = true;
        }
        used += piece.width;
        if used > columns {
            // The first piece always goes in, so that every row makes progress.
            return after_word.unwrap_or(index).max(1);
        }
    }
    pieces.len()
}

/// A cluster with its columns.
struct Piece<'a> {
    text: &'a str,
    width: usize,
}

/// The clusters of a line; one that is wider than a whole row (emoji joined without end) is parted at its joiners.
fn pieces(line: &str, columns: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for text in Clusters(line) {
        let whole = Piece { text, width: width(text) };
        if whole.width <= columns {
            pieces.push(whole);
        } else {
            let parts = text.split('\u{200D}').filter(|part| !part.is_empty());
            pieces.extend(parts.map(|text| Piece { text, width: width(text) }));
        }
    }
    pieces
}

/// Columns of one cluster: the sum over its characters is what a simple terminal shows, its width as a string what a
/// modern one does.
fn width(cluster: &str) -> usize {
    let apart = cluster.chars().map(character_width).sum();
    cluster.width().max(apart)
}

/// Columns of a character that is shown by itself. Only marks and joiners, of which a base has few, may take none:
/// otherwise a row of what a library thinks empty could go on for ever.
fn character_width(character: char) -> usize {
    let known = character.width().unwrap_or(0);
    match character {
        _ if extends(character) => known,
        _ if is_regional(character) => 2,
        _ => known.max(1),
    }
}

/// A row's end: no space, and no joiner whose other side is in the next row.
fn trim_end(row: &str) -> &str {
    row.trim_end_matches(|character| character == ' ' || is_joiner(character))
}

fn is_regional(character: char) -> bool {
    matches!(character, '\u{1F1E6}'..='\u{1F1FF}')
}

/// The parts of sanitised text that must stay together: a base with its marks, an emoji sequence, a flag.
struct Clusters<'a>(&'a str);

impl<'a> Iterator for Clusters<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut characters = self.0.char_indices();
        let (_, mut last) = characters.next()?;
        let mut flag_open = is_regional(last);
        let end = characters.find_map(|(at, character)| {
            let stays = extends(character)
                || (is_skin_tone(character) && is_pictograph(last))
                || (last == '\u{200D}' && is_pictograph(character))
                || (flag_open && is_regional(character) && is_regional(last));
            flag_open = flag_open && !is_regional(character);
            last = character;
            (!stays).then_some(at)
        });
        let (cluster, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        Some(cluster)
    }
}
