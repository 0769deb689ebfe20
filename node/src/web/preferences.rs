//! How the reader wants the page to look: language, colours, keys. Kept in the home, not in a browser: it is one person's
//! node.

use super::texts::Language;
use crate::home::{Home, write_private};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Colours of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The word for templates and forms.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// What the reader chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    /// A language; `None`: the browser's.
    pub(crate) language: Option<Language>,
    /// Colours.
    pub(crate) theme: Theme,
    /// Whether single keys do things.
    pub(crate) keys: bool,
}

impl Default for Choice {
    fn default() -> Self {
        Self { language: None, theme: Theme::Auto, keys: true }
    }
}

impl Choice {
    /// The words for language and colours; `auto` for what is the browser's or the system's to say.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        let language = match self.language {
            None => "auto",
            Some(Language::En) => "en",
            Some(Language::Pt) => "pt",
        };
        (language, self.theme.word())
    }

    /// The choice that has these words.
    pub(crate) fn of_words(language: &str, theme: &str, keys: bool) -> Option<Self> {
        let languages = [None, Some(Language::En), Some(Language::Pt)];
        let all = languages
            .into_iter()
            .flat_map(|language| [Theme::Auto, Theme::Light, Theme::Dark].map(|theme| Self { language, theme, keys }));
        all.into_iter().find(|choice| choice.words() == (language, theme))
    }
}

/// Where the reader's choice is kept. The file alone says what it is: pages, calls and the person's editor all change it.
#[derive(Debug)]
pub(crate) struct Preferences {
    file: PathBuf,
}

impl Preferences {
    /// Those of a home.
    pub(crate) fn of(home: &Home) -> Self {
        Self { file: home.config.join("web.json") }
    }

    /// What is chosen now; a file that is none is as good as none.
    pub(crate) fn choice(&self) -> Choice {
        let choice = std::fs::read(&self.file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        choice.unwrap_or_default()
    }

    /// Chooses, for good.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    pub(crate) fn choose(&self, choice: Choice) -> std::io::Result<()> {
        write_private(&self.file, &serde_json::to_vec(&choice)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_outlives_a_restart_and_a_damaged_file_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        let preferences = Preferences::of(&home);
        assert_eq!(preferences.choice(), Choice::default());
        let choice = Choice { language: Some(Language::Pt), theme: Theme::Dark, keys: false };
        preferences.choose(choice).unwrap();
        assert_eq!(Preferences::of(&home).choice(), choice);
        std::fs::write(folder.path().join("web.json"), "{").unwrap();
        assert_eq!(Preferences::of(&home).choice(), Choice::default());
    }
}
