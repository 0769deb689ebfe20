//! In which language a board's words are: what its charter asks for. Browsers and readers of the screen choose letters and a
//! voice by it; nobody checks that its authors keep to it.

use crate::api::resolve::KnownBoard;
use std::collections::BTreeMap;

/// Letters of the first part of a language tag: ISO 639.
const LANGUAGE_LETTERS: std::ops::RangeInclusive<usize> = 2..=3;

/// Letters and digits of each further part (BCP 47).
const SUBTAG_CHARS_MAX: usize = 8;

/// The languages of boards, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Languages(BTreeMap<String, String>);

impl Languages {
    pub(super) fn of(boards: &[KnownBoard]) -> Self {
        Self::of_charters(boards.iter().map(|board| (board.space.to_string(), board.language.as_str())))
    }

    /// From ids and what charters say.
    fn of_charters<'a>(charters: impl Iterator<Item = (String, &'a str)>) -> Self {
        let charters = charters.map(|(id, language)| (id, tag(language).to_owned()));
        Self(charters.filter(|(_, tag)| !tag.is_empty()).collect())
    }

    /// The tag of a board's language for `lang`; empty if it has none.
    pub(super) fn of_board(&self, board: &str) -> String {
        self.0.get(board).cloned().unwrap_or_default()
    }
}

/// A stranger's language tag if it has the form of one, else nothing.
pub(super) fn tag(given: &str) -> &str {
    let mut parts = given.split('-');
    let is_language = parts.next().is_some_and(|first| {
        LANGUAGE_LETTERS.contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    let is_subtag = |part: &str| {
        (1..=SUBTAG_CHARS_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if is_language && parts.all(is_subtag) { given } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_the_form_of_a_language_is_none() {
        for language in ["pt", "pt-BR", "zh-Hant-TW", "gsw"] {
            assert_eq!(tag(language), language);
        }
        for other in
            ["", "p", "1t", "portuguese", "pt-", "-pt", "pt--BR", "pt-BR\" onclick=\"x", "pt BR", "pt-123456789"]
        {
            assert_eq!(tag(other), "", "{other:?}");
        }
    }

    #[test]
    fn a_board_has_the_language_of_its_charter_or_none() {
        let said = [("horta", "pt"), ("garden", ""), ("strange", "<b>")];
        let languages = Languages::of_charters(said.into_iter().map(|(id, language)| (id.to_owned(), language)));
        assert_eq!(["horta", "garden", "strange", "unknown"].map(|id| languages.of_board(id)), ["pt", "", "", ""]);
    }
}
