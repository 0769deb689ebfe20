//! Expected output against what was printed: `[..]` is any text of a line, a line `...` is any lines, `[NAME]` is a word that
//! is remembered, and must be the same from then on.

use std::collections::BTreeMap;

/// What the names of a page stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Captures(BTreeMap<String, String>);

impl Captures {
    /// Those that `before` did not have.
    pub(super) fn new_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let new = self.0.iter().filter(|(name, _)| !before.0.contains_key(*name));
        new.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The first line of a page that does not hold.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// Its number in the page.
    pub(super) line: usize,
    /// What was expected and what came.
    pub(super) why: String,
}

/// Compares all lines. `end` is the line to name if the output goes on behind the last expected line.
///
/// # Errors
///
/// [`Mismatch`] at the furthest line that could not be matched.
pub(super) fn compare(
    expected: &[(usize, String)],
    end: usize,
    output: &str,
    captures: &mut Captures,
) -> Result<(), Mismatch> {
    let got: Vec<&str> = output.lines().map(str::trim_end).collect();
    let mut furthest = Furthest::default();
    match lines(expected, &got, captures, (0, 0), &mut furthest) {
        Some(found) => {
            *captures = found;
            Ok(())
        }
        None => {
            let name = |text: Option<&str>| text.map_or("the end of the output".to_owned(), |text| format!("{text:?}"));
            let at = expected.get(furthest.expected);
            let line = at.or(expected.last()).map_or(end, |(line, _)| *line);
            let wanted = name(at.map(|(_, text)| text.as_str()));
            let why = format!("expected {wanted}\n  got      {}", name(got.get(furthest.got).copied()));
            Err(Mismatch { line, why })
        }
    }
}

#[derive(Default)]
struct Furthest {
    expected: usize,
    got: usize,
}

fn lines(
    expected: &[(usize, String)],
    got: &[&str],
    captures: &Captures,
    at: (usize, usize),
    furthest: &mut Furthest,
) -> Option<Captures> {
    if at >= (furthest.expected, furthest.got) {
        (furthest.expected, furthest.got) = at;
    }
    let Some(((_, pattern), rest)) = expected.split_first() else {
        return got.is_empty().then(|| captures.clone());
    };
    if pattern == "..." {
        return (0..=got.len())
            .find_map(|skipped| lines(rest, &got[skipped..], captures, (at.0 + 1, at.1 + skipped), furthest));
    }
    let (first, others) = got.split_first()?;
    let captures = line(pattern, first, captures)?;
    lines(rest, others, &captures, (at.0 + 1, at.1 + 1), furthest)
}

/// Matches one line, and returns the names with those that it binds.
fn line(pattern: &str, text: &str, captures: &Captures) -> Option<Captures> {
    let Some((literal, token, rest)) = next_token(pattern) else {
        return (pattern == text).then(|| captures.clone());
    };
    let text = text.strip_prefix(literal)?;
    match token {
        Token::Any => text
            .char_indices()
            .map(|(index, _)| index)
            .chain([text.len()])
            .find_map(|index| line(rest, &text[index..], captures)),
        Token::Name(name) => match captures.0.get(name) {
            Some(value) => line(rest, text.strip_prefix(value.as_str())?, captures),
            None => {
                let word = text.find(|c: char| !is_of_word(c)).unwrap_or(text.len());
                // The longest word first; its characters are all of one byte.
                (1..=word).rev().find_map(|length| {
                    let mut bound = captures.clone();
                    bound.0.insert(name.to_owned(), text[..length].to_owned());
                    line(rest, &text[length..], &bound)
                })
            }
        },
    }
}

/// What ids, keys, numbers and addresses are made of: nothing that means something to a shell.
fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '@' | '/' | '.' | '_' | '-')
}

enum Token<'a> {
    Any,
    Name(&'a str),
}

/// The text before the first token, the token, and what follows.
fn next_token(pattern: &str) -> Option<(&str, Token<'_>, &str)> {
    for (start, _) in pattern.match_indices('[') {
        let Some(length) = pattern[start..].find(']') else { continue };
        let (inner, rest) = (&pattern[start + 1..start + length], &pattern[start + length + 1..]);
        let is_name = !inner.is_empty() && inner.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        match inner {
            ".." => return Some((&pattern[..start], Token::Any, rest)),
            name if is_name => return Some((&pattern[..start], Token::Name(name), rest)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(expected: &[&str], output: &str) -> Result<Captures, Mismatch> {
        let expected: Vec<_> = (1..).zip(expected.iter().map(|line| (*line).to_owned())).collect();
        let mut captures = Captures::default();
        compare(&expected, 0, output, &mut captures).map(|()| captures)
    }

    #[test]
    fn wildcards_stand_for_any_text_and_any_lines() {
        assert!(compared(&["a[..]c[..]", "...", "z"], "abc\nd\ne\nz\n").is_ok());
        assert!(compared(&["...", "z"], "z").is_ok());
        assert!(compared(&["[x] a[]"], "[x] a[]").is_ok());
        assert!(compared(&["[..]ü"], "äöü").is_ok());
        assert!(compared(&[], "").is_ok());
    }

    #[test]
    fn a_name_is_a_word_and_the_same_word_from_then_on() {
        let captures = compared(&["posted [ID]: here", "[ID] by @[WHO]"], "posted ab12: here\nab12 by @kq\n").unwrap();
        let before = Captures::default();
        assert_eq!(captures.new_since(&before).collect::<Vec<_>>(), [("ID", "ab12"), ("WHO", "kq")]);
        assert!(compared(&["[ID]", "[ID]"], "ab\nac").is_err());
        assert!(compared(&["[ID]"], "two words").is_err());
        assert!(compared(&["[ID]"], "$(rm)").is_err());
    }

    #[test]
    fn a_mismatch_names_the_line_and_both_sides() {
        let mismatch = compared(&["a", "...", "b", "c"], "a\nx\nb\nd\n").unwrap_err();
        assert_eq!(mismatch.line, 4);
        assert!(mismatch.why.contains("\"c\"") && mismatch.why.contains("\"d\""), "{}", mismatch.why);
        let mismatch = compared(&["a"], "a\nb\n").unwrap_err();
        assert!(mismatch.why.contains("the end of the output") && mismatch.why.contains("\"b\""), "{}", mismatch.why);
    }
}
