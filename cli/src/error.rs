//! What can go wrong in a command: a kind that decides the exit code, a stable word, and words for a person.

use roda_node::StartError;
use roda_node::api::dto::{ErrorBody, ErrorDetail};
use roda_node::home::HomeError;
use std::io;
use std::process::ExitCode;

/// The classes of failure that a script can tell apart by the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command was understood and failed.
    Failed,
    /// The command makes no sense as it was written.
    Usage,
    /// No node runs in this home.
    NoNode,
    /// A passphrase is needed.
    Locked,
    /// Stored, but fewer peers confirmed it than `--wait` asked for.
    WaitNotMet,
    /// The person pressed Ctrl-C.
    Interrupted,
    /// Whoever read the output has gone: no failure.
    ClosedPipe,
}

impl Kind {
    /// The process's exit code.
    #[must_use]
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoNode => 3,
            Self::Locked => 4,
            Self::WaitNotMet => 5,
            Self::Interrupted => 130,
        }
    }

    /// The kind behind another `roda`'s exit code.
    #[must_use]
    pub(crate) fn of_exit_code(code: i32) -> Self {
        match code {
            2 => Self::Usage,
            3 => Self::NoNode,
            4 => Self::Locked,
            5 => Self::WaitNotMet,
            130 => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

/// Why a command did not do what was asked. The message says what happened and why; the hint what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    /// Decides the exit code.
    pub(crate) kind: Kind,
    /// A stable word for programs.
    pub(crate) code: String,
    /// What happened and why.
    pub(crate) message: String,
    /// What to do next; may be empty.
    pub(crate) hint: String,
}

impl CliError {
    fn new(kind: Kind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), hint: String::new() }
    }

    /// The command failed; `code` is one of the words in the manual.
    #[must_use]
    pub(crate) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, code, message)
    }

    /// The command was written wrongly.
    #[must_use]
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, "usage", message)
    }

    /// No node runs.
    #[must_use]
    pub(crate) fn no_node(message: impl Into<String>) -> Self {
        Self::new(Kind::NoNode, "no_node", message)
    }

    /// Stored, and not confirmed by enough peers in time.
    #[must_use]
    pub(crate) fn wait_not_met(message: impl Into<String>) -> Self {
        Self::new(Kind::WaitNotMet, "wait_not_met", message)
    }

    /// Ctrl-C.
    #[must_use]
    pub(crate) fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted", "interrupted")
    }

    /// A file or stream that can't be used.
    #[must_use]
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self::failed("io", format!("{what}: {error}"))
    }

    /// Standard output can't be written: quiet if its reader has gone.
    #[must_use]
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Kind::ClosedPipe, "closed_pipe", "the reader of the output has gone");
        }
        Self::io("can't write to standard output", error)
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Adds a further line of advice behind the hint that is there.
    #[must_use]
    pub(crate) fn and_hint(mut self, hint: &str) -> Self {
        if !self.hint.is_empty() {
            self.hint.push('\n');
        }
        self.hint.push_str(hint);
        self
    }

    /// The object that `--json` writes to standard error.
    #[must_use]
    pub(crate) fn to_body(&self) -> ErrorBody {
        let (code, message, hint) = (self.code.clone(), self.message.clone(), self.hint.clone());
        ErrorBody { error: ErrorDetail { code, message, hint } }
    }

    /// For `main`.
    #[must_use]
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.exit_code())
    }
}

impl From<ErrorDetail> for CliError {
    fn from(detail: ErrorDetail) -> Self {
        let kind = if detail.code == "locked" { Kind::Locked } else { Kind::Failed };
        Self { kind, code: detail.code, message: detail.message, hint: detail.hint }
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        let kind = if error.code == "locked" { Kind::Locked } else { Kind::Failed };
        Self { kind, code: error.code.to_owned(), message: error.message, hint: error.hint }
    }
}

impl From<HomeError> for CliError {
    fn from(error: HomeError) -> Self {
        let code = match &error {
            HomeError::Locked { .. } => "locked_home",
            HomeError::Io { .. } => "io",
        };
        Self::failed(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_the_exit_code_of_the_manual() {
        let expected = [
            (Kind::ClosedPipe, 0),
            (Kind::Failed, 1),
            (Kind::Usage, 2),
            (Kind::NoNode, 3),
            (Kind::Locked, 4),
            (Kind::WaitNotMet, 5),
            (Kind::Interrupted, 130),
        ];
        for (kind, code) in expected {
            assert_eq!(kind.exit_code(), code);
            if code != 0 {
                assert_eq!(Kind::of_exit_code(code.into()), kind);
            }
        }
    }

    #[test]
    fn an_error_becomes_one_object_with_code_message_and_hint() {
        let error = CliError::no_node("no node is running in /x").with_hint("start one: roda up");
        let json = serde_json::to_value(error.to_body()).unwrap();
        assert_eq!(json["error"]["code"], "no_node");
        assert_eq!(json["error"]["message"], "no node is running in /x");
        assert_eq!(json["error"]["hint"], "start one: roda up");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let gone = CliError::output(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.kind, Kind::ClosedPipe);
        let full = CliError::output(&io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.kind, Kind::Failed);
    }

    #[test]
    fn the_nodes_code_is_kept() {
        let detail = ErrorDetail { code: "ambiguous".into(), message: "two".into(), hint: String::new() };
        assert_eq!(CliError::from(detail).code, "ambiguous");
    }
}
