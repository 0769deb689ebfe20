//! Where in a text the words are that were looked for, and a piece of it around them.

use super::query::Needle;
use super::words::{Form, forms};
use std::ops::Range;

/// Characters of an excerpt, at most, without the marks of what is left out: three lines or so.
const EXCERPT_CHARS_MAX: usize = 280;

/// Characters before the first hit that an excerpt shows, at most.
const BEFORE_CHARS: usize = 80;

/// Places of one text that are marked, at most.
const MARKS_MAX: usize = 64;

/// A piece of a text, in one line, and the places of hits in it, in characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) text: String,
    pub(crate) marks: Vec<Range<usize>>,
}

impl Excerpt {
    /// A short text, whole.
    pub(super) fn whole(text: &str, needles: &[Needle]) -> Self {
        let text = in_one_line(text);
        let marks = places(&text, needles);
        let marks = in_characters(&text, 0, &marks);
        Self { text, marks }
    }

    /// The part of a text with the first hit in it; its beginning, if there is none.
    pub(super) fn around(text: &str, needles: &[Needle]) -> Self {
        let text = in_one_line(text);
        let places = places(&text, needles);
        let first = places.first().map_or(0, |place| place.start);
        let start = match text[..first].char_indices().rev().nth(BEFORE_CHARS) {
            None => 0,
            Some((far, _)) => {
                let near = &text[far..first];
                // At a word's beginning, if one is near.
                far + near.find(' ').map_or_else(|| near.chars().next().map_or(0, char::len_utf8), |space| space + 1)
            }
        };
        let rest = &text[start..];
        let end = match rest.char_indices().nth(EXCERPT_CHARS_MAX) {
            None => text.len(),
            Some((far, _)) => {
                let last = rest[..far].rfind(' ').filter(|last| start + last > first);
                start + last.unwrap_or(far)
            }
        };
        let (before, behind) = (if start > 0 { "… " } else { "" }, if end < text.len() { " …" } else { "" });
        let shown: Vec<Range<usize>> = places
            .into_iter()
            .filter(|place| place.start >= start && place.start < end)
            .map(|place| place.start - start..place.end.min(end) - start)
            .collect();
        let piece = &text[start..end];
        let marks = in_characters(piece, before.chars().count(), &shown);
        Self { text: format!("{before}{piece}{behind}"), marks }
    }
}

/// A text with one space in place of every gap.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bytes at which needles stand, ascending, none over another.
fn places(text: &str, needles: &[Needle]) -> Vec<Range<usize>> {
    let words = forms(text);
    let mut places: Vec<Range<usize>> = Vec::new();
    for at in 0..words.len() {
        let found = needles.iter().filter_map(|needle| hit(&words[at..], needle)).max_by_key(|place| place.end);
        let Some(found) = found else { continue };
        if let Some(last) = places.last_mut().filter(|last| found.start <= last.end) {
            last.end = last.end.max(found.end);
        } else if places.len() < MARKS_MAX {
            places.push(found);
        } else {
            break;
        }
    }
    places
}

/// The bytes of a needle with which these words begin.
fn hit(words: &[Form], needle: &Needle) -> Option<Range<usize>> {
    let first = words.first()?;
    match needle {
        Needle::Word(asked) => {
            let has_stem = || asked.english == first.english || asked.portuguese == first.portuguese;
            let is_it = asked.plain == first.plain || (asked.has_stems() && first.has_stems() && has_stem());
            is_it.then(|| first.place.clone())
        }
        Needle::Phrase(asked) => {
            let words = words.get(..asked.len())?;
            let is_it = words.iter().zip(asked).all(|(word, asked)| word.plain == asked.plain);
            is_it.then(|| first.place.start..words.last().map_or(first.place.end, |last| last.place.end))
        }
    }
}

/// The same places counted in characters, and so many further on.
fn in_characters(text: &str, further: usize, places: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut bytes, mut characters) = (0, further);
    let mut count_to = |byte: usize| {
        characters += text[bytes..byte].chars().count();
        bytes = byte;
        characters
    };
    places.iter().map(|place| count_to(place.start)..count_to(place.end)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::query::Query;
    use super::*;
    use proptest::prelude::*;

    fn needles(text: &str) -> Vec<Needle> {
        Query::read(text).unwrap().wanted
    }

    /// An excerpt with its hits in brackets.
    fn marked(excerpt: &Excerpt) -> String {
        let mut out = String::new();
        for (at, letter) in excerpt.text.chars().enumerate() {
            if excerpt.marks.iter().any(|mark| mark.start == at) {
                out.push('[');
            }
            out.push(letter);
            if excerpt.marks.iter().any(|mark| mark.end == at + 1) {
                out.push(']');
            }
        }
        out
    }

    #[test]
    fn relatives_accents_and_phrases_are_marked_where_they_stand() {
        let text = "Muitas discussões\n\nsobre a AÇÃO e run, running: em  baixo do pé";
        let excerpt = Excerpt::around(text, &needles("discussão acao run \"em baixo\""));
        assert_eq!(marked(&excerpt), "Muitas [discussões] sobre a [AÇÃO] e [run], [running]: [em baixo] do pé");
        let quoted = Excerpt::whole("run, running", &needles("\"run\""));
        assert_eq!(marked(&quoted), "[run], running", "a quoted word is meant exactly so");
        assert_eq!(marked(&Excerpt::whole("私は東京にいる", &needles("東京"))), "私は[東京]にいる");
    }

    #[test]
    fn a_long_text_is_cut_around_its_first_hit_at_the_ends_of_words() {
        let text = format!("{} frost {}", "lorem ipsum ".repeat(50), "dolor sit ".repeat(80));
        let excerpt = Excerpt::around(&text, &needles("frost"));
        let shown = marked(&excerpt);
        assert!(shown.starts_with("… ") && shown.ends_with(" …"), "{shown}");
        assert!(shown.contains(" [frost] dolor sit "), "{shown}");
        assert!(excerpt.text.chars().count() <= EXCERPT_CHARS_MAX + 4);
        let none = Excerpt::around(&text, &needles("elsewhere"));
        assert!(none.text.starts_with("lorem ipsum") && none.marks.is_empty());
    }

    proptest! {
        #[test]
        fn marks_are_of_the_excerpt_whatever_the_text(
            text in "(frost|ação|東京|\\PC| |\\n){0,400}",
            asked in prop::sample::select(vec!["frost", "acao", "東京", "\"frost frost\""]),
        ) {
            let excerpt = Excerpt::around(&text, &needles(asked));
            let length = excerpt.text.chars().count();
            prop_assert!(length <= EXCERPT_CHARS_MAX + 4);
            let mut end = 0;
            for mark in &excerpt.marks {
                prop_assert!(mark.start >= end && mark.end > mark.start && mark.end <= length);
                end = mark.end;
            }
        }
    }
}
