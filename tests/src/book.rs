//! The book: pages of prose with commands and what they print, executed. [`run_page`] runs one.
//!
//! A page is Markdown; its ```` ```console ```` blocks are run from top to bottom in one `bash`, in a folder of the page's own.
//! `README.md` of the tests has the format. Nodes that a page leaves running are ended with it, however it ends.

mod page;
mod pattern;
mod shell;

use page::{Page, Step};
use pattern::{Captures, Mismatch};
use shell::Shell;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a page failed: where, what it promises, and what happened.
#[derive(Debug)]
pub struct Failure {
    page: PathBuf,
    line: usize,
    command: String,
    why: String,
    output: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n  $ {}", self.page.display(), self.line, self.why, self.command)?;
        if !self.output.is_empty() {
            f.write_str("\n  all that it printed:")?;
            self.output.lines().try_for_each(|line| write!(f, "\n  | {line}"))?;
        }
        Ok(())
    }
}

/// Runs a page with `binary` as `roda`, and returns how many commands it held.
///
/// # Errors
///
/// The first command that printed or returned something else than the page says.
///
/// # Panics
///
/// The page can't be read, or there is no `bash` on this machine.
pub fn run_page(path: &Path, binary: &Path) -> Result<usize, Failure> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fail = |step: &Step, line, why, output| Failure {
        page: path.into(),
        line,
        command: step.command.clone(),
        why,
        output,
    };
    let page = Page::parse(&text).unwrap_or_else(|(line, why)| panic!("{}:{line}: {why}", path.display()));
    let mut shell = Shell::start(binary);
    let mut captures = Captures::default();
    for step in &page.steps {
        let done = shell.run(&step.command).map_err(|why| fail(step, step.line, why, String::new()))?;
        let before = captures.clone();
        if let Err(Mismatch { line, why }) = pattern::compare(&step.expected, step.line, &done.output, &mut captures) {
            return Err(fail(step, line, why, done.output));
        }
        if done.code != step.code {
            let why = format!("expected exit code {}, got {}", step.code, done.code);
            return Err(fail(step, step.line, why, done.output));
        }
        for (name, value) in captures.new_since(&before) {
            shell.set(name, value).map_err(|why| fail(step, step.line, why, String::new()))?;
        }
    }
    Ok(page.steps.len())
}
