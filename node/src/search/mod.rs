//! Full-text search over what is held: an index of its own beside the store's, in `data/search`.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `query.rs` | what a person types, read |
//! | `words.rs` | from text to words: folding, stems, scripts without spaces |
//! | `excerpt.rs` | where hits stand in a text, and the piece around them |
//! | `fields.rs`, `terms.rs` | the fields of the index, and how they are asked |
//! | `ranking.rs`, `reader.rs` | orders, cursors, pages |
//! | `writer.rs`, `keeper.rs` | from the log to the index, on a thread of its own |
//! | `failure.rs` | why the index can't be read or written, and what follows |
//!
//! The index is derived from the store and may be lost at any moment: it is made anew while the node serves. It keeps no text
//! and decides nothing about what is shown: hits are ids, whose words are read from the store as they stand, and judged by
//! the reader's rules like everywhere. tantivy is named in this folder only.

mod excerpt;
mod failure;
mod fields;
mod keeper;
mod query;
mod ranking;
mod reader;
mod terms;
mod words;
mod writer;

pub(crate) use excerpt::Excerpt;
pub(crate) use failure::Failure;
pub(crate) use keeper::Progress;
pub(crate) use query::{Query, Unreadable};
pub(crate) use ranking::Sort;
pub(crate) use reader::{Found, NAMESAKES_MAX, Page};
pub(crate) use terms::Filters;

use crate::store::EventStore;
use keeper::{Keeper, Shared};
use roda_protocol::id::{AuthorKey, EventId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// How much the thread that indexes steps back: a tenth of a processor where others want all of it. With less it could be
/// set aside for long while it holds a lock that a reader waits for.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// The index, as it is asked. Clones are of the same.
#[derive(Clone)]
pub(crate) struct Search(Arc<Shared>);

impl Search {
    /// Starts the thread that keeps the index of a folder. `tell` says something to the person who runs the node.
    ///
    /// # Errors
    ///
    /// The system gave no thread.
    pub(crate) fn start(
        store: Arc<EventStore>,
        folder: &Path,
        tell: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let shared = Arc::new(Shared::default());
        let keeper = Keeper::new(Arc::clone(&shared), store, folder, Box::new(tell));
        let thread = std::thread::Builder::new().name("search".into()).spawn(move || {
            stand_back();
            keeper.run();
        })?;
        Ok((Self(shared), thread))
    }

    /// Something may have been stored: look.
    pub(crate) fn ring(&self) {
        self.0.ring();
    }

    /// Ends the thread after its step.
    pub(crate) fn end(&self) {
        self.0.end();
    }

    /// How far the index is.
    pub(crate) fn progress(&self) -> Progress {
        self.0.progress()
    }

    /// A page of what fits; none if the cursor is none. Nothing is found while there is no index: [`Search::progress`] says
    /// so.
    ///
    /// # Errors
    ///
    /// [`Failure`]: the index is looked at, and made anew if need be.
    pub(crate) fn find(&self, query: &Query, filters: &Filters, page: &Page) -> Result<Option<Found>, Failure> {
        let words = (query.wanted.as_slice(), query.unwanted.as_slice());
        self.asked(|reader| reader.find(words, filters, page)).unwrap_or(Ok(Some(Found::default())))
    }

    /// Authors who call themselves so, at most [`NAMESAKES_MAX`].
    ///
    /// # Errors
    ///
    /// As [`Search::find`].
    pub(crate) fn authors_named(&self, name: &str) -> Result<Vec<AuthorKey>, Failure> {
        self.asked(|reader| reader.named(name)).unwrap_or_else(|| Ok(Vec::new()))
    }

    /// An event that was found has other words by now, or none.
    pub(crate) fn read_again(&self, id: EventId) {
        self.0.read_again(id);
    }

    /// Asks the index, if there is one. What panics is no answer: files of it may have changed under its feet.
    fn asked<T>(&self, ask: impl FnOnce(&reader::Reader) -> Result<T, Failure>) -> Option<Result<T, Failure>> {
        let reader = self.0.reader()?;
        let answer = catch_unwind(AssertUnwindSafe(|| ask(&reader)));
        let answer = answer.unwrap_or_else(|_| Err(Failure::Unusable("what reads it met a bug".into())));
        if matches!(answer, Err(Failure::Unusable(_))) {
            self.0.suspect();
        }
        Some(answer)
    }
}

impl Query {
    /// The part of a text with the first hit in it.
    pub(crate) fn around(&self, text: &str) -> Excerpt {
        Excerpt::around(text, &self.wanted)
    }

    /// A short text, whole, with its hits.
    pub(crate) fn whole(&self, text: &str) -> Excerpt {
        Excerpt::whole(text, &self.wanted)
    }
}

/// Leaves the processors to whoever answers people and peers: events that come in are verified and stored first, and their words
/// are indexed with what is left. tantivy's threads are made by this one, and inherit it.
fn stand_back() {
    // Elsewhere niceness is the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "the index of the words has no lower priority");
    }
}

#[cfg(test)]
mod tests;
