//! The one sanitiser: text from anywhere in, text that is safe to show out.
//!
//! It is safe for a terminal, a log and a page's text node alike; it does not escape HTML. Nothing is judged by the
//! language it is written in: an invisible character stays where a script or an emoji needs it to look right, and
//! only there. Sanitising twice changes nothing.

use super::tables::{self, contains};

/// What stands where something was taken away: the reader sees that the text had more in it.
const MARK: char = char::REPLACEMENT_CHARACTER;

/// Combining marks in a row on one base. Vietnamese needs 2, Tibetan 3, Hebrew with cantillation 4; text that climbs
/// over its neighbours ("zalgo") needs more.
pub(super) const MARKS_MAX: usize = 4;

/// The columns that a tab becomes.
const TAB: &str = "    ";

/// Sanitises text for a single line: newlines and every kind of space become one space, none at the ends.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut cluster = Cluster::default();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if matches!(character, '\n' | '\r' | '\t') || contains(tables::SPACES, character) {
            cluster = Cluster::default();
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.extend(cluster.admit(character, characters.peek().copied()));
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// Sanitises text of several lines: `\n` stays and is the only line end, a tab becomes four spaces.
pub(super) fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut cluster = Cluster::default();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' => {
                cluster = Cluster::default();
                out.push('\n');
            }
            '\t' => {
                cluster = Cluster::default();
                out.push_str(TAB);
            }
            ' ' => {
                cluster = Cluster::default();
                out.push(' ');
            }
            _ => out.extend(cluster.admit(character, characters.peek().copied())),
        }
    }
    out
}

/// Whether a character is a combining mark, by the pinned table.
pub(super) fn is_mark(character: char) -> bool {
    contains(tables::MARKS, character)
}

/// Whether a character stays on the base before it whatever follows: a mark, a joiner or a selector.
pub(super) fn extends(character: char) -> bool {
    is_mark(character) || contains(tables::CONTEXTUAL, character)
}

/// Whether a character is part of an emoji by itself: a pictograph or a skin tone.
pub(super) fn is_pictograph(character: char) -> bool {
    is_skin_tone(character) || contains(tables::PICTOGRAPHS, character)
}

/// Whether a character colours the pictograph before it.
pub(super) fn is_skin_tone(character: char) -> bool {
    matches!(character, '\u{1F3FB}'..='\u{1F3FF}')
}

/// What the output ends with: a base and what was put on it. Empty at the start of a line and after a space.
///
/// Everything here looks at the *output* so far and at one raw character ahead, and that one is only ever of a kind
/// that is never replaced: this is why a second pass decides as the first did.
#[derive(Default)]
struct Cluster {
    base: Option<char>,
    last: Option<char>,
    marks: usize,
}

impl Cluster {
    /// What to show for the next character, if anything.
    fn admit(&mut self, character: char, next: Option<char>) -> Option<char> {
        if character.is_ascii() && !character.is_ascii_control() {
            return Some(self.restart(character));
        }
        if contains(tables::CONTEXTUAL, character) {
            if !self.has_effect(character, next) {
                return Some(self.restart(MARK));
            }
            self.last = Some(character);
            return Some(character);
        }
        if is_mark(character) {
            return self.admit_mark(character);
        }
        let forbidden = character.is_ascii() || contains(tables::FORBIDDEN, character);
        Some(self.restart(if forbidden { MARK } else { character }))
    }

    /// A mark without a base would sit on whatever is printed before the text; a mark too many climbs out of its
    /// line. The first such is replaced, the rest of its run dropped: a thousand replacements are no better than one.
    fn admit_mark(&mut self, mark: char) -> Option<char> {
        let based = self.base.is_some();
        if based && self.marks < MARKS_MAX {
            self.marks += 1;
            self.last = Some(mark);
            return Some(mark);
        }
        if self.marks > MARKS_MAX {
            return None;
        }
        self.restart(MARK);
        self.marks = MARKS_MAX + 1;
        Some(MARK)
    }

    /// Makes `base` the base of a new cluster.
    fn restart(&mut self, base: char) -> char {
        *self = Self { base: Some(base), last: Some(base), marks: 0 };
        base
    }

    /// Whether an invisible character changes what is seen here.
    ///
    /// After RFC 5892 appendix A (what domain names allow): joiner and non-joiner after a virama; non-joiner between
    /// letters that would join. Added: joiner before a virama (Bengali, Kannada); joiner and presentation inside an
    /// emoji; Mongolian's selectors on its letters. One at a time, so that a run of them cannot hide a message.
    fn has_effect(&self, character: char, next: Option<char>) -> bool {
        let (Some(base), Some(last)) = (self.base, self.last) else {
            return false;
        };
        let after_virama = is_virama(last);
        let stands_alone = last == base && self.marks == 0;
        match character {
            '\u{200C}' => after_virama || (joins(base) && next.is_some_and(joins) && !is_joiner(last)),
            '\u{200D}' => {
                let in_emoji = is_pictograph(base) && (stands_alone || is_presentation(last));
                let before_virama = stands_alone && next.is_some_and(is_virama);
                after_virama || before_virama || (in_emoji && next.is_some_and(is_pictograph))
            }
            '\u{FE0E}' | '\u{FE0F}' => stands_alone && (contains(tables::PICTOGRAPHS, base) || is_keycap(base)),
            '\u{180E}' => is_mongolian(base) && next.is_some_and(is_mongolian) && !is_joiner(last),
            _ => stands_alone && is_mongolian(base),
        }
    }
}

fn joins(character: char) -> bool {
    contains(tables::JOINING, character)
}

/// Whether a character joins or parts its two neighbours: of no use at the end of a line.
pub(super) fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}' | '\u{180E}')
}

fn is_virama(character: char) -> bool {
    contains(tables::VIRAMAS, character)
}

fn is_presentation(character: char) -> bool {
    matches!(character, '\u{FE0E}' | '\u{FE0F}')
}

fn is_keycap(character: char) -> bool {
    matches!(character, '0'..='9' | '#' | '*')
}

fn is_mongolian(character: char) -> bool {
    matches!(character, '\u{1820}'..='\u{18AA}') && joins(character)
}
