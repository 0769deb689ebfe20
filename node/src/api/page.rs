//! Calls about the web page: how it looks. It is served from this home, so the choice is one of the home's.

use super::dto::PagePreferences;
use super::error::ApiError;
use crate::web::Choice;
use std::io;

/// A choice in words.
pub(super) fn words_of(choice: Choice) -> PagePreferences {
    let (language, theme) = choice.words();
    PagePreferences { language: language.to_owned(), theme: theme.to_owned(), keys: choice.keys }
}

/// The choice that words stand for.
pub(super) fn choice_of(words: &PagePreferences) -> Result<Choice, ApiError> {
    Choice::of_words(&words.language, &words.theme, words.keys).ok_or_else(|| {
        let message = format!("the page knows no language {:?} or no colours {:?}", words.language, words.theme);
        ApiError::invalid(message, "languages: auto, en, pt; colours: auto, light, dark")
    })
}

pub(super) fn unwritten(error: &io::Error) -> ApiError {
    ApiError::new("storage", format!("the choice can't be kept: {error}"), "make room or check the disk")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_choice_give_the_same_choice_back() {
        for language in ["auto", "en", "pt"] {
            for theme in ["auto", "light", "dark"] {
                let words = PagePreferences { language: language.into(), theme: theme.into(), keys: theme == "dark" };
                assert_eq!(words_of(choice_of(&words).unwrap()), words);
            }
        }
        let wrong = |language: &str, theme: &str| {
            choice_of(&PagePreferences { language: language.into(), theme: theme.into(), keys: true }).is_err()
        };
        assert!(wrong("de", "auto") && wrong("en", "pink") && wrong("", ""));
    }
}
