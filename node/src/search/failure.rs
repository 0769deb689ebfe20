//! Why the index can't be read or written, and what follows from it.

use crate::store::StoreError;
use std::io::{self, ErrorKind};
use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The index is damaged, of another format, or of another log: it is removed and made anew.
    #[error("the index of the words is not usable: {0}")]
    Unusable(String),
    /// The disk refused. What is there stays, and the same is tried again later.
    #[error("{0}")]
    Refused(String),
    /// The store is being put in order: the same is tried again in a moment.
    #[error("the index of the events is being made anew")]
    Later,
}

impl Failure {
    /// What the system says of a file.
    pub(super) fn of_file(action: &str, error: &io::Error) -> Self {
        Self::Refused(format!("can't {action} the index of the words: {error}"))
    }
}

/// Content that is not as it was written is damage; all else is the disk's.
fn of_io(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData => Failure::Unusable(error.to_string()),
        _ => Failure::of_file("read or write", error),
    }
}

impl From<TantivyError> for Failure {
    fn from(error: TantivyError) -> Self {
        match &error {
            TantivyError::IoError(io)
            | TantivyError::LockFailure(LockError::IoError(io), _)
            | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error: io, .. })
            | TantivyError::OpenReadError(OpenReadError::IoError { io_error: io, .. })
            | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error: io, .. }) => of_io(io),
            // The thread that writes says no more than that it ended.
            TantivyError::ErrorInThread(_) | TantivyError::SystemError(_) | TantivyError::LockFailure(..) => {
                Self::Refused(format!("can't write the index of the words: {error}"))
            }
            _ => Self::Unusable(error.to_string()),
        }
    }
}

impl From<OpenDirectoryError> for Failure {
    fn from(error: OpenDirectoryError) -> Self {
        TantivyError::from(error).into()
    }
}

impl From<OpenReadError> for Failure {
    fn from(error: OpenReadError) -> Self {
        TantivyError::from(error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.is_of_index() { Self::Later } else { Self::Refused(error.to_string()) }
    }
}
