//! Where the words of a post, a reply or an edit come from, and the file that keeps them until they are stored.

use crate::args::Context;
use crate::editor::{self, Buffer};
use crate::error::CliError;
use crate::terminal;
use roda_protocol::limits::BODY_BYTES_MAX;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Flags that say where the text is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TextArgs {
    /// The text
    #[arg(short = 'm', long = "message", value_name = "TEXT", allow_hyphen_values = true, conflicts_with_all = ["file", "stdin"])]
    message: Option<String>,
    /// Read the text from a file; `-` is standard input
    #[arg(short = 'F', long = "file", value_name = "FILE", conflicts_with = "stdin")]
    file: Option<PathBuf>,
    /// Read the text from standard input
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true)]
    stdin: Option<String>,
}

/// Words to send, and the file that keeps them meanwhile, if they exist nowhere else.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The title, if the editor was asked for one.
    pub(crate) title: Option<String>,
    /// The words.
    pub(crate) text: String,
    saved: Option<PathBuf>,
}

impl TextArgs {
    /// Whether no flag says where the text is.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.message.is_none() && self.file.is_none() && self.stdin.is_none()
    }

    /// The text that the flags name; none if they name none. Text from standard input is kept in a file: it exists
    /// nowhere else.
    ///
    /// # Errors
    ///
    /// It can't be read, is no UTF-8, or is longer than a body may be.
    pub(crate) fn read(&self, context: &Context) -> Result<Option<Draft>, CliError> {
        if let Some(text) = &self.message {
            return Ok(Some(Draft { title: None, text: text.clone(), saved: None }));
        }
        let is_stdin = self.stdin.is_some() || self.file.as_deref() == Some(Path::new("-"));
        if is_stdin {
            let text = bounded(io::stdin().lock(), "standard input")?;
            let saved = save(context, &text)?;
            return Ok(Some(Draft { title: None, text, saved: Some(saved) }));
        }
        let Some(path) = &self.file else { return Ok(None) };
        let name = path.display().to_string();
        let file = fs::File::open(path).map_err(|error| CliError::io(&format!("can't read {name}"), &error))?;
        Ok(Some(Draft { title: None, text: bounded(file, &name)?, saved: None }))
    }
}

/// Whether a person is there to write in an editor.
#[must_use]
pub(crate) fn has_person() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Lets the person write in an editor.
///
/// # Errors
///
/// There is no editor, or nothing was written.
pub(crate) fn edit(context: &Context, buffer: &Buffer) -> Result<Draft, CliError> {
    let path = save(context, &buffer.to_file())?;
    editor::open(&path).map_err(|error| error.and_hint(&format!("what was written is kept in {}", path.display())))?;
    let file =
        fs::read_to_string(&path).map_err(|error| CliError::io(&format!("can't read {}", path.display()), &error))?;
    let written = Buffer::of_file(&file);
    if written.text.is_empty() && written.title.as_deref().unwrap_or_default().is_empty() {
        discard(&path);
        return Err(CliError::failed("cancelled", "nothing was written, so nothing was sent"));
    }
    // From here on the file is what `-F` can send again.
    write(&path, &written.text)?;
    Ok(Draft { title: written.title, text: written.text, saved: Some(path) })
}

impl Draft {
    /// No words, kept nowhere.
    #[must_use]
    pub(crate) fn empty() -> Self {
        Self { title: None, text: String::new(), saved: None }
    }

    /// Ends the draft: the file goes when the words are stored, and is named when they are not.
    ///
    /// # Errors
    ///
    /// The error that was given.
    pub(crate) fn settle<T>(&self, result: Result<T, CliError>) -> Result<T, CliError> {
        let Some(path) = &self.saved else { return result };
        match result {
            Ok(value) => {
                discard(path);
                Ok(value)
            }
            Err(error) if self.text.is_empty() => {
                discard(path);
                Err(error)
            }
            Err(error) => {
                let path = path.to_string_lossy();
                Err(error.and_hint(&format!("the text is kept: send it again with -F {}", shell_words::quote(&path))))
            }
        }
    }
}

fn bounded(reader: impl Read, name: &str) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    // A line end more than the text itself may have is trimmed below.
    let most = BODY_BYTES_MAX as u64 + 1024;
    reader
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::io(&format!("can't read {name}"), &error))?;
    if bytes.len() as u64 > most {
        return Err(CliError::failed(
            "too_large",
            format!("{name} holds more than the {BODY_BYTES_MAX} bytes that a text may have"),
        )
        .with_hint("link to long texts, or send them in parts"));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        CliError::failed("invalid", format!("{name} is no UTF-8 text")).with_hint("convert it, for instance with iconv")
    })?;
    Ok(text.replace("\r\n", "\n").trim_end_matches('\n').to_owned())
}

/// Keeps a text in the home's `drafts` folder, for this user only.
fn save(context: &Context, text: &str) -> Result<PathBuf, CliError> {
    let folder = context.home.state.join("drafts");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| CliError::io(&format!("can't make {}", folder.display()), &error))?;
    let path = folder.join(format!("{}-{}.md", terminal::now_ms(), std::process::id()));
    write(&path, text)?;
    Ok(path)
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| CliError::io(&format!("can't keep the draft in {}", path.display()), &error))
}

fn discard(path: &Path) {
    // A draft that stays is only untidy.
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_a_file_has_no_line_ends_behind_it() {
        assert_eq!(bounded("a\r\nb\n\n".as_bytes(), "x").unwrap(), "a\nb");
    }

    #[test]
    fn an_endless_input_is_refused_and_not_loaded() {
        let error = bounded(io::repeat(b'a'), "standard input").unwrap_err();
        assert_eq!(error.code, "too_large");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(bounded(&[0xff, 0xfe][..], "x").unwrap_err().code, "invalid");
    }

    #[test]
    fn a_draft_goes_when_it_is_stored_and_is_named_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::at(folder.path()).unwrap();
        let path = save(&context, "words").unwrap();
        let draft = Draft { title: None, text: "words".into(), saved: Some(path.clone()) };
        let error = draft.settle::<()>(Err(CliError::no_node("none"))).unwrap_err();
        assert!(error.hint.contains(&*path.to_string_lossy()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "words");
        draft.settle(Ok(())).unwrap();
        assert!(!path.exists());
    }
}
