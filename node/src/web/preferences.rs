//! How the reader wants the page to look: language, colours, keys. Kept in the home, not in a browser: it is one person's
//! node.

use super::texts::Language;
use crate::home::{Home, write_private};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

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

/// The reader's choice, and where it is kept.
#[derive(Debug)]
pub(crate) struct Preferences {
    choice: RwLock<Choice>,
    file: PathBuf,
}

impl Preferences {
    /// Reads a home's choice; a file that is none is as good as none.
    pub(crate) fn read(home: &Home) -> Self {
        let file = home.config.join("web.json");
        let choice = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { choice: RwLock::new(choice.unwrap_or_default()), file }
    }

    /// What is chosen now.
    pub(crate) fn choice(&self) -> Choice {
        *self.choice.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses, for good.
    ///
    /// # Errors
    ///
    /// The file can't be written; the choice holds until the node stops.
    pub(crate) fn choose(&self, choice: Choice) -> std::io::Result<()> {
        *self.choice.write().unwrap_or_else(PoisonError::into_inner) = choice;
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
        let preferences = Preferences::read(&home);
        assert_eq!(preferences.choice(), Choice::default());
        let choice = Choice { language: Some(Language::Pt), theme: Theme::Dark, keys: false };
        preferences.choose(choice).unwrap();
        assert_eq!(Preferences::read(&home).choice(), choice);
        std::fs::write(folder.path().join("web.json"), "{").unwrap();
        assert_eq!(Preferences::read(&home).choice(), Choice::default());
    }
}
