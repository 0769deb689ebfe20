//! The only place that prints. Data goes to standard output, words about it to standard error.

use crate::error::{CliError, Kind};
use crate::terminal::{self, ColorChoice, Look};
use crate::{json, words};
use rustix::event::{PollFd, PollFlags};
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal as _, Write};

/// Where a command's results go, as JSON for programs or as text for a person.
pub(crate) struct Output {
    json: bool,
    pager: bool,
    look: Look,
    out: BufWriter<io::Stdout>,
}

impl Output {
    /// Prints as the global flags ask.
    #[must_use]
    pub(crate) fn new(json: bool, color: ColorChoice, pager: bool) -> Self {
        let pager = pager && !json && io::stdout().is_terminal();
        Self { json, pager, look: Look::of_stdout(color), out: BufWriter::new(io::stdout()) }
    }

    /// Whether a program reads.
    #[must_use]
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// How to render for a person.
    #[must_use]
    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// Prints one thing: its JSON, or what `human` makes of it.
    ///
    /// # Errors
    ///
    /// Standard output can't be written.
    pub(crate) fn object<T: Serialize>(
        &mut self,
        value: &T,
        human: impl FnOnce(&Look) -> String,
    ) -> Result<(), CliError> {
        let text = if self.json { json::line(value) } else { human(&self.look) };
        self.line(&text)?;
        self.flush()
    }

    /// Prints a list: JSON Lines, or what `human` makes of it.
    ///
    /// # Errors
    ///
    /// Standard output can't be written.
    pub(crate) fn list<T: Serialize>(
        &mut self,
        values: &[T],
        human: impl FnOnce(&Look) -> String,
    ) -> Result<(), CliError> {
        if self.json {
            for value in values {
                self.line(&json::line(value))?;
            }
        } else {
            let text = human(&self.look);
            if !text.is_empty() {
                self.line(&text)?;
            }
        }
        self.flush()
    }

    /// Prints one line of a stream at once.
    ///
    /// # Errors
    ///
    /// Standard output can't be written.
    pub(crate) fn line_now(&mut self, text: &str) -> Result<(), CliError> {
        self.line(text)?;
        self.flush()
    }

    /// Prints text and a line end.
    ///
    /// # Errors
    ///
    /// Standard output can't be written.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), CliError> {
        writeln!(self.out, "{text}").map_err(|error| CliError::output(&error))
    }

    /// Shows a text that may be long: through the pager if a person is at the screen.
    ///
    /// # Errors
    ///
    /// Standard output can't be written.
    pub(crate) fn page(&mut self, text: &str) -> Result<(), CliError> {
        if text.is_empty() || (self.pager && terminal::page(&format!("{text}\n"))) {
            return Ok(());
        }
        self.line_now(text)
    }

    /// A writer for output that is made piece by piece.
    pub(crate) fn writer(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// Hands everything over to the reader.
    ///
    /// # Errors
    ///
    /// Standard output can't be written.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.out.flush().map_err(|error| CliError::output(&error))
    }

    /// Says something to a person on standard error; a program is not told.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "{}", words::block(text));
        }
    }

    /// Says why the command failed, on standard error.
    pub(crate) fn error(&self, error: &CliError) {
        report(self.json, error);
    }
}

/// Resolves when the reader of standard output has gone, so that a stream with nothing to say ends as well. Never, where
/// there is no reader that could go, as with a file.
pub(crate) async fn reader_gone() -> CliError {
    let (tell, told) = tokio::sync::oneshot::channel();
    // The thread waits as long as the process lives, at most.
    let watch = std::thread::Builder::new().name("reader".into()).spawn(move || {
        let out = io::stdout();
        // No event is asked for: the system then tells only of an end or an error.
        let mut watched = [PollFd::new(&out, PollFlags::empty())];
        loop {
            match rustix::event::poll(&mut watched, None) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return tell.send(()),
                Err(_) => return Ok(()),
            }
        }
    });
    if watch.is_err() || told.await.is_err() {
        return std::future::pending().await;
    }
    CliError::output(&io::Error::from(io::ErrorKind::BrokenPipe))
}

/// Says why a command failed: one object for a program, lines for a person. Never fails, never speaks of a closed pipe.
pub(crate) fn report(as_json: bool, error: &CliError) {
    if error.kind == Kind::ClosedPipe {
        return;
    }
    let mut text = String::new();
    if as_json {
        text = json::line(&error.to_body());
    } else {
        text.push_str(&format!("roda: {}", words::block(&error.message)));
        for line in words::block(&error.hint).lines() {
            text.push_str(&format!("\n  {line}"));
        }
    }
    let _ = writeln!(io::stderr(), "{text}");
}
