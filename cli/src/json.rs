//! JSON that means the same to a program and does nothing to a screen.
//!
//! JSON allows every character above U+001F inside a string as it is, also those that move a cursor, turn the direction
//! of a line or hide text. Here they are written as `\uXXXX`.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write as _;

/// One line of JSON, without its line end.
#[must_use]
pub(crate) fn line<T: Serialize + ?Sized>(value: &T) -> String {
    // Failure needs a map with keys that are no strings, or a `Serialize` that gives up: none of ours does.
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    match escaped(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => escaped,
    }
}

/// A JSON text with every character that could act on a terminal written as an escape. In valid JSON such characters
/// occur only inside strings, where an escape has the same meaning.
#[must_use]
pub(crate) fn escaped(json: &str) -> Cow<'_, str> {
    if !json.chars().any(acts_on_a_terminal) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if acts_on_a_terminal(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Controls (C0, DEL, C1), bidirectional controls, characters of no width or no ink, separators of lines, and
/// characters that only carry hidden data.
fn acts_on_a_terminal(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\u{202e}txt\u{2066}\u{200b}\u{feff}\u{2028}\u{7f}\u{e0041}\"\\é😀";

    #[test]
    fn no_character_that_acts_on_a_terminal_is_left() {
        let text = line(&[HOSTILE]);
        assert!(!text.chars().any(acts_on_a_terminal), "{text:?}");
        assert!(text.contains("\\u202e") && text.contains("\\u009b") && text.contains("\\udb40\\udc41"));
    }

    #[test]
    fn a_program_reads_back_the_same_text() {
        let back: Vec<String> = serde_json::from_str(&line(&[HOSTILE])).unwrap();
        assert_eq!(back, [HOSTILE]);
    }

    #[test]
    fn ordinary_letters_of_any_script_stay_as_they_are() {
        assert_eq!(line("Ação 日本 😀"), "\"Ação 日本 😀\"");
    }
}
