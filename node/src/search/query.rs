//! What a person types to search, read: words, "phrases", -words, and filters.
//!
//! Pure: knows neither the index nor the boards and authors that filters name. A text that can't be read is refused with what
//! is wrong with it; none is too strange to be read or refused.

use super::words::{Form, forms};

/// Bytes of what is asked for, at most: several lines of a screen.
pub(crate) const QUERY_BYTES_MAX: usize = 1024;

/// Words of it at most, those of phrases included: each is looked up in four fields.
pub(crate) const QUERY_WORDS_MAX: usize = 32;

/// What a person asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// What has to be there, all of it.
    pub(super) wanted: Vec<Needle>,
    /// What must not be there.
    pub(super) unwanted: Vec<Needle>,
    /// Where, as it was typed.
    pub(crate) board: Option<String>,
    /// Who wrote it, as it was typed.
    pub(crate) author: Option<String>,
    /// The first day, as it was typed.
    pub(crate) since: Option<String>,
    /// The last day, as it was typed.
    pub(crate) until: Option<String>,
}

/// Something that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Needle {
    /// A word in any of its forms.
    Word(Form),
    /// These words one behind the other, exactly so; one alone: the very word, not its relatives.
    Phrase(Vec<Form>),
}

/// Why it can't be read: for a person, with what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) hint: String,
}

const HINT: &str = "write words, \"a phrase\", -not, board:NAME, author:NAME, since:2026-01-31, until:2026-12-31";

fn unreadable(message: impl Into<String>) -> Unreadable {
    Unreadable { message: message.into(), hint: HINT.into() }
}

impl Query {
    /// Reads what a person typed.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(Unreadable {
                message: format!("that is {} bytes to look for, and {QUERY_BYTES_MAX} are the most", text.len()),
                hint: "ask for fewer words".into(),
            });
        }
        let mut query = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            rest = query.read_part(rest)?.trim_start();
        }
        query.check()?;
        Ok(query)
    }

    /// Reads the first part of a text that does not begin with a space; returns what is behind it.
    fn read_part<'a>(&mut self, text: &'a str) -> Result<&'a str, Unreadable> {
        let (is_unwanted, text) = match text.strip_prefix(['-', '−']) {
            // A dash that stands alone, or in front of another, is no more than a dash.
            Some(behind) if behind.starts_with(|next: char| is_quote(next) || next.is_alphanumeric()) => (true, behind),
            _ => (false, text),
        };
        if let Some(behind) = text.strip_prefix(is_quote) {
            let (phrase, rest) = quoted(behind)?;
            self.add(phrase, true, is_unwanted);
            return Ok(rest);
        }
        if let Some((name, value)) = filter_in(text) {
            if is_unwanted {
                return Err(unreadable(format!("{name}: can't be asked for with a minus")));
            }
            let (value, rest) = match value.strip_prefix(is_quote) {
                Some(behind) => quoted(behind)?,
                None => split_word(value),
            };
            self.filter(name, value)?;
            return Ok(rest);
        }
        let (word, rest) = split_word(text);
        if word.starts_with('*') || word.ends_with('*') {
            return Err(Unreadable {
                message: "there are no wildcards".into(),
                hint: "leave the * out: forms of a word are found anyway, as runs and running are by run".into(),
            });
        }
        self.add(word, false, is_unwanted);
        Ok(rest)
    }

    fn add(&mut self, text: &str, is_phrase: bool, is_unwanted: bool) {
        let words = forms(text);
        let needle = match <[Form; 1]>::try_from(words) {
            Ok([word]) if !is_phrase => Needle::Word(word),
            Ok(word) => Needle::Phrase(word.into()),
            Err(none) if none.is_empty() => return,
            Err(several) => Needle::Phrase(several),
        };
        let needles = if is_unwanted { &mut self.unwanted } else { &mut self.wanted };
        if !needles.contains(&needle) {
            needles.push(needle);
        }
    }

    /// Takes a filter in.
    ///
    /// # Errors
    ///
    /// [`Unreadable`]: it is empty, or there is one already.
    pub(crate) fn filter(&mut self, name: &str, value: &str) -> Result<(), Unreadable> {
        let place = match name {
            "board" => &mut self.board,
            "author" => &mut self.author,
            "since" => &mut self.since,
            _ => &mut self.until,
        };
        if value.trim().is_empty() {
            return Err(unreadable(format!("{name}: has nothing behind it")));
        }
        match place {
            Some(before) if before != value => Err(unreadable(format!("{name}: is said twice"))),
            _ => {
                *place = Some(value.to_owned());
                Ok(())
            }
        }
    }

    fn check(&self) -> Result<(), Unreadable> {
        let words = |needles: &[Needle]| {
            let count = |needle: &Needle| match needle {
                Needle::Word(_) => 1,
                Needle::Phrase(words) => words.len(),
            };
            needles.iter().map(count).sum::<usize>()
        };
        let count = words(&self.wanted) + words(&self.unwanted);
        if count > QUERY_WORDS_MAX {
            return Err(Unreadable {
                message: format!("those are {count} words, and {QUERY_WORDS_MAX} are the most"),
                hint: "ask for fewer words; of scripts without spaces each character counts".into(),
            });
        }
        if self.wanted.is_empty() {
            return Err(unreadable("there is no word to look for"));
        }
        Ok(())
    }
}

/// Phones write marks of their own.
fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '“' | '”' | '„' | '«' | '»')
}

/// What stands before the closing mark, and what behind it.
fn quoted(text: &str) -> Result<(&str, &str), Unreadable> {
    let (phrase, rest) = text.split_once(is_quote).ok_or_else(|| unreadable("a quotation mark has no second one"))?;
    Ok((phrase, rest))
}

fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| letter.is_whitespace() || is_quote(letter)).unwrap_or(text.len());
    text.split_at(end)
}

/// The filter with which a text begins, and what is behind its colon.
fn filter_in(text: &str) -> Option<(&'static str, &str)> {
    ["board", "author", "since", "until"].into_iter().find_map(|name| {
        let behind = text.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name))?;
        Some((name, text[behind.len()..].strip_prefix(':')?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(needles: &[Needle]) -> Vec<String> {
        let show = |needle: &Needle| match needle {
            Needle::Word(word) => word.plain.clone(),
            Needle::Phrase(words) => {
                let words: Vec<&str> = words.iter().map(|word| word.plain.as_str()).collect();
                format!("\"{}\"", words.join(" "))
            }
        };
        needles.iter().map(show).collect()
    }

    #[test]
    fn words_phrases_and_what_is_not_wanted_are_told_apart() {
        let query =
            Query::read(" Frost \"in  May\" -snails -\"slow worm\" foo-bar “smart quotes” \"one\" 東京 - ").unwrap();
        assert_eq!(
            shown(&query.wanted),
            ["frost", "\"in may\"", "\"foo bar\"", "\"smart quotes\"", "\"one\"", "\"東 京\""]
        );
        assert_eq!(shown(&query.unwanted), ["snails", "\"slow worm\""]);
    }

    #[test]
    fn filters_are_taken_out_of_the_words_and_other_colons_are_not() {
        let query =
            Query::read("beans board:garden AUTHOR:\"Ana Maria\" since:2026-01-02 until:2026-02-03 re:beans").unwrap();
        assert_eq!(shown(&query.wanted), ["beans", "\"re beans\""]);
        assert_eq!((query.board.as_deref(), query.author.as_deref()), (Some("garden"), Some("Ana Maria")));
        assert_eq!((query.since.as_deref(), query.until.as_deref()), (Some("2026-01-02"), Some("2026-02-03")));
    }

    #[test]
    fn what_can_not_be_read_says_why() {
        let why = |text: &str| Query::read(text).unwrap_err().message;
        assert_eq!(why("\"open"), "a quotation mark has no second one");
        assert_eq!(why(""), "there is no word to look for");
        assert_eq!(why("-only board:b"), "there is no word to look for");
        assert_eq!(why("… !"), "there is no word to look for");
        assert_eq!(why("x board:"), "board: has nothing behind it");
        assert_eq!(why("x board:a board:b"), "board: is said twice");
        assert_eq!(why("x -author:a"), "author: can't be asked for with a minus");
        assert_eq!(why("*ing"), "there are no wildcards");
        assert_eq!(why("runn*"), "there are no wildcards");
        assert_eq!(why(&"語".repeat(33)), "those are 33 words, and 32 are the most");
        assert_eq!(why(&"x".repeat(1025)), "that is 1025 bytes to look for, and 1024 are the most");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_within_bounds(text in "(\\PC|[-\"“:* \\t\\n]|board:|since:|author:){0,80}") {
            if let Ok(query) = Query::read(&text) {
                let count = shown(&query.wanted).len();
                prop_assert!((1..=QUERY_WORDS_MAX).contains(&count));
            }
        }
    }
}
