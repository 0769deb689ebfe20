//! The writer's editor, and the form of the text that it is given: a header, an empty line, the words, a scissors line.

use crate::error::CliError;
use crate::interrupt;
use std::env;
use std::path::Path;
use std::process::Command;

/// Below this line nothing is read.
const SCISSORS: &str = "------------------------ >8 ------------------------";

/// The header of a title.
const TITLE: &str = "Title:";

/// What the editor shows at first and holds in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buffer {
    /// The title, if this kind of text has one.
    pub(crate) title: Option<String>,
    /// The words.
    pub(crate) text: String,
    /// What the writer may want to see; it is never sent.
    pub(crate) aside: String,
}

impl Buffer {
    /// The file that the editor opens.
    #[must_use]
    pub(crate) fn to_file(&self) -> String {
        let title = self.title.as_ref().map(|title| format!("{TITLE} {title}\n\n")).unwrap_or_default();
        let aside: String = self.aside.lines().map(|line| format!("{line}\n")).collect();
        format!(
            "{title}{}\n\n{SCISSORS}\nNothing from the line above on is sent. An empty text sends nothing.\n{aside}",
            self.text
        )
    }

    /// Reads a file back. The aside is left out.
    #[must_use]
    pub(crate) fn of_file(file: &str) -> Self {
        let end = file.find(SCISSORS).unwrap_or(file.len());
        let file = file[..end].trim_start_matches(['\n', '\r', '\u{feff}']);
        let (title, text) = match file.strip_prefix(TITLE) {
            Some(rest) => {
                let (title, text) = rest.split_once('\n').unwrap_or((rest, ""));
                (Some(title.trim().to_owned()), text)
            }
            None => (None, file),
        };
        Self { title, text: text.trim_matches(['\n', '\r', ' ', '\t']).to_owned(), aside: String::new() }
    }
}

/// Opens a file in the writer's editor and waits until it is closed.
///
/// # Errors
///
/// There is no editor, or it ends with a failure.
pub(crate) fn open(file: &Path) -> Result<(), CliError> {
    let words = chosen(|name| env::var(name).ok()).or_else(installed).ok_or_else(|| {
        CliError::usage("no editor is known").with_hint("give the text with -m, -F FILE or -, or set EDITOR")
    })?;
    let (program, arguments) = words.split_first().ok_or_else(|| CliError::usage("the editor's name is empty"))?;
    let _held = interrupt::hold();
    let status = Command::new(program).args(arguments).arg(file).status();
    let status = status.map_err(|error| CliError::io(&format!("can't start the editor {program}"), &error))?;
    if status.success() {
        return Ok(());
    }
    Err(CliError::failed("cancelled", format!("the editor {program} ended with a failure; nothing was sent")))
}

/// `RODA_EDITOR`, `VISUAL`, `EDITOR`: the first that says something, split as a shell splits words.
fn chosen(variable: impl Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let line = ["RODA_EDITOR", "VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| variable(name).filter(|text| !text.trim().is_empty()))?;
    shell_words::split(&line).ok().filter(|words| !words.is_empty())
}

fn installed() -> Option<Vec<String>> {
    let folders: Vec<_> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let name = ["nano", "vi"].into_iter().find(|name| folders.iter().any(|folder| folder.join(name).is_file()))?;
    Some(vec![name.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_above_the_scissors_comes_back() {
        let buffer =
            Buffer { title: Some("T".into()), text: "a\n\n# b\n\n    c".into(), aside: "> Title: parent".into() };
        let back = Buffer::of_file(&buffer.to_file());
        assert_eq!(back, Buffer { aside: String::new(), ..buffer });
    }

    #[test]
    fn a_text_without_a_header_is_only_text() {
        let buffer = Buffer { text: "hello".into(), ..Buffer::default() };
        assert_eq!(Buffer::of_file(&buffer.to_file()), buffer);
        assert_eq!(Buffer::of_file("").text, "");
    }

    #[test]
    fn an_untouched_buffer_says_nothing() {
        let file = Buffer { title: Some(String::new()), text: String::new(), aside: "in rust".into() }.to_file();
        let back = Buffer::of_file(&file);
        assert_eq!((back.title.as_deref(), back.text.as_str()), (Some(""), ""));
    }

    #[test]
    fn an_editor_may_have_arguments() {
        let words = chosen(|name| (name == "VISUAL").then(|| "code --wait 'a b'".to_owned()));
        assert_eq!(words, Some(vec!["code".into(), "--wait".into(), "a b".into()]));
        assert_eq!(chosen(|_| Some(" ".into())), None);
    }
}
