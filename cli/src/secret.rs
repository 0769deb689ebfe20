//! Reads a secret: typed twice at a terminal that doesn't show it, or one line of standard input.

use crate::error::CliError;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::sync::{Mutex, PoisonError};

/// Bytes of a line that are read: above any secret that is accepted, so that a longer one is seen to be too long.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// How the terminal was before its echo was turned off.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Asks for a secret, and once more at a terminal: nobody sees a typing error.
///
/// # Errors
///
/// Nothing can be read, or the two differ.
pub(crate) fn read(prompt: &str, again: &str) -> Result<String, CliError> {
    if !io::stdin().is_terminal() {
        return line();
    }
    let first = ask(prompt)?;
    if ask(again)? != first {
        return Err(CliError::failed("invalid", "the two differ: nothing was changed").with_hint("try again"));
    }
    Ok(first)
}

fn ask(prompt: &str) -> Result<String, CliError> {
    // The prompt is no result, and nobody may be there to read it.
    let _ = write!(io::stderr(), "{prompt}");
    let _ = io::stderr().flush();
    let silent = Silent::new().map_err(|error| CliError::io("can't turn off the terminal's echo", &error))?;
    let line = line();
    drop(silent);
    // The line's end was not shown either.
    let _ = writeln!(io::stderr());
    line
}

fn line() -> Result<String, CliError> {
    let mut text = String::new();
    let read = io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut text);
    read.map_err(|error| CliError::io("can't read standard input", &error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// While this lives the terminal doesn't show what is typed.
struct Silent;

impl Silent {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        // Made first: a failure below undoes nothing that was done.
        let silent = Self;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(silent)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        restore_echo();
    }
}

/// Lets the terminal show again what is typed, if it was told not to. Also for an end by Ctrl-C, which drops nothing.
pub(crate) fn restore_echo() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // There is nobody to tell of a terminal that has gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}
