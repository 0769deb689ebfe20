//! The thread that keeps the index: opens it, or makes it anew, and follows the log.
//!
//! Nobody waits for it, and it never stops the node. What it can't do it says, and tries again later: a full or read-only disk
//! leaves search where it was. An index that can't be used, for whatever reason, is removed and made anew meanwhile.

use super::failure::Failure;
use super::reader::Reader;
use super::writer::{Step, Writer};
use crate::store::EventStore;
use roda_protocol::id::EventId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How often an idle keeper looks, should nobody have rung: pruned words are found by it.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The least time between two commits: an own post is found after a second or so, and a busy node does not write all the time.
const COMMIT_PAUSE: Duration = Duration::from_secs(1);

/// While so many bytes of log come in within [`FLOOD_LOOK`], 8,000 events a second, their words wait: checking and storing wants
/// both processors.
const FLOOD_BYTES: u64 = 1 << 20;

/// How long is looked for a flood.
const FLOOD_LOOK: Duration = Duration::from_millis(250);

/// The longest that words wait for the end of one.
const FLOOD_WAIT_MAX: Duration = Duration::from_secs(10);

/// After so long without anything new the memory for writing is given back.
const IDLE_AFTER: Duration = Duration::from_secs(60);

/// The pause after which something is tried again that did not work.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Hits with words that turned out changed, which are to be read again: more are found again later.
const AGAIN_MAX: usize = 1024;

/// How far the index is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Posts and comments that can be found.
    pub(crate) indexed: u64,
    /// Those that there are, about, while some can't be found yet.
    pub(crate) total: u64,
    /// Whether all that is stored can be found.
    pub(crate) is_complete: bool,
    /// Why it does not get further, for a person.
    pub(crate) problem: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// Something has come.
    is_rung: bool,
    is_over: bool,
    /// A reader met something that can't be: the index is looked at again, from its opening on.
    is_suspect: bool,
    again: Vec<EventId>,
    progress: Progress,
}

/// What the thread shares with those who ask.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    bell: Condvar,
    reader: RwLock<Option<Reader>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reader(&self) -> Option<Reader> {
        self.reader.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_reader(&self, reader: Option<Reader>) {
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    pub(super) fn ring(&self) {
        self.state().is_rung = true;
        self.bell.notify_all();
    }

    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.bell.notify_all();
    }

    pub(super) fn suspect(&self) {
        self.state().is_suspect = true;
        self.bell.notify_all();
    }

    pub(super) fn read_again(&self, id: EventId) {
        let mut state = self.state();
        if state.again.len() < AGAIN_MAX && !state.again.contains(&id) {
            state.again.push(id);
            state.is_rung = true;
            self.bell.notify_all();
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let state = self.state();
        let is_complete = state.progress.is_complete && !state.is_rung && !state.is_suspect;
        Progress { is_complete, ..state.progress.clone() }
    }

    /// Waits for the end, and so long at most; false at the end.
    fn rest(&self, at_most: Duration) -> bool {
        let waited = self.bell.wait_timeout_while(self.state(), at_most, |state| !state.is_over);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// Waits for a ring, and so long at most; false at the end.
    fn wait(&self, at_most: Duration) -> bool {
        let is_idle = |state: &mut State| !state.is_rung && !state.is_over && !state.is_suspect;
        let waited = self.bell.wait_timeout_while(self.state(), at_most, is_idle);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_over
    }
}

/// Whether much comes in, told by how the log grows.
struct Flood {
    since: Instant,
    end: u64,
}

impl Flood {
    fn begin(store: &EventStore) -> Self {
        Self { since: Instant::now(), end: store.end_position() }
    }

    /// Whether one has come since this was asked last.
    fn has_come(&mut self, store: &EventStore) -> bool {
        if self.since.elapsed() < FLOOD_LOOK {
            return false;
        }
        let before = std::mem::replace(self, Self::begin(store));
        let looks = before.since.elapsed().as_millis() as u64 / FLOOD_LOOK.as_millis() as u64;
        self.end - before.end >= FLOOD_BYTES * looks.max(1)
    }
}

/// See the module.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    store: Arc<EventStore>,
    folder: PathBuf,
    writer: Option<Writer>,
    /// Whether words have waited for the end of a flood as long as they may: it is not waited for again before it is over.
    has_waited: bool,
    /// When an index was removed last: one that is never usable is not made all the time.
    removed: Option<Instant>,
    /// Says something to the person who runs the node.
    tell: Box<dyn Fn(String) + Send>,
}

impl Keeper {
    pub(super) fn new(
        shared: Arc<Shared>,
        store: Arc<EventStore>,
        folder: &Path,
        tell: Box<dyn Fn(String) + Send>,
    ) -> Self {
        Self { shared, store, folder: folder.to_owned(), writer: None, has_waited: false, removed: None, tell }
    }

    /// Keeps the index until the end.
    pub(super) fn run(mut self) {
        loop {
            let kept = catch_unwind(AssertUnwindSafe(|| self.keep()));
            let outcome = kept.unwrap_or_else(|_| Err(Failure::Unusable("what reads it met a bug".into())));
            let goes_on = match outcome {
                Ok(()) => {
                    self.put_by();
                    self.shared.rest(COMMIT_PAUSE) && self.shared.wait(LOOK_EVERY) && self.wait_out_flood()
                }
                Err(failure) => {
                    let pause = self.fail(failure);
                    self.shared.rest(pause)
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Waits until no more comes in than can be indexed beside it; false at the end.
    fn wait_out_flood(&mut self) -> bool {
        let began = Instant::now();
        let mut end = self.store.end_position();
        while self.shared.state().is_rung && !self.has_waited {
            if !self.shared.rest(FLOOD_LOOK) {
                return false;
            }
            let before = std::mem::replace(&mut end, self.store.end_position());
            if end - before < FLOOD_BYTES {
                break;
            }
            self.has_waited = began.elapsed() >= FLOOD_WAIT_MAX;
        }
        true
    }

    /// Lets go of what only writing needs, if nothing was written for long.
    fn put_by(&mut self) {
        if let Some(writer) = self.writer.as_mut().filter(|writer| writer.is_idle_for(IDLE_AFTER)) {
            writer.put_by();
        }
    }

    /// Brings the index to where the log is.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.shared.state().is_suspect) {
            self.close();
        }
        if self.writer.is_none() {
            self.open()?;
        }
        let mut flood = Flood::begin(&self.store);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let again = {
            let mut state = self.shared.state();
            state.is_rung = false;
            std::mem::take(&mut state.again)
        };
        writer.read_again(&self.store, again)?;
        writer.forget(&self.store, self.store.take_given_up())?;
        let mut is_behind = false;
        loop {
            let Step { goes_on, is_due } = writer.step(&self.store)?;
            if self.shared.state().is_over {
                // What was read since the last commit is read again.
                return Ok(());
            }
            if !goes_on || is_due {
                writer.commit()?;
            }
            if !goes_on {
                self.has_waited = false;
                break;
            }
            if !self.has_waited && flood.has_come(&self.store) {
                // What was read so far is committed with what comes after the flood.
                self.shared.state().is_rung = true;
                return Ok(());
            }
            if !is_behind && (writer.is_fresh() || is_due) {
                is_behind = true;
                let (indexed, total) = (writer.reader().worded()?, self.store.worded()?);
                let mut state = self.shared.state();
                state.progress = Progress { indexed, total: total.max(indexed), is_complete: false, problem: None };
            } else if is_due {
                let indexed = writer.reader().worded()?;
                let mut state = self.shared.state();
                state.progress.indexed = indexed;
                state.progress.total = state.progress.total.max(indexed);
            }
        }
        let indexed = writer.reader().worded()?;
        self.shared.state().progress = Progress { indexed, total: indexed, is_complete: true, problem: None };
        Ok(())
    }

    fn open(&mut self) -> Result<(), Failure> {
        self.shared.state().progress.is_complete = false;
        let writer = Writer::open(&self.folder, &self.store)?;
        self.shared.set_reader(Some(writer.reader().clone()));
        self.writer = Some(writer);
        Ok(())
    }

    /// Lets go of all files. Searches that are under way keep theirs.
    fn close(&mut self) {
        self.shared.set_reader(None);
        self.writer = None;
    }

    /// Takes the consequences; returns how long to wait before the next try.
    pub(super) fn fail(&mut self, failure: Failure) -> Duration {
        match failure {
            Failure::Later => {
                let rolled_back = self.writer.as_mut().map_or(Ok(()), Writer::roll_back);
                if rolled_back.is_err() {
                    self.writer = None;
                }
                self.shared.state().progress.is_complete = false;
                COMMIT_PAUSE
            }
            Failure::Refused(problem) => {
                // What was committed can still be asked.
                self.writer = None;
                self.refused(problem)
            }
            Failure::Unusable(why) => {
                self.close();
                tracing::warn!(why, "the index of the words is made anew");
                let is_again = self.removed.is_some_and(|before| before.elapsed() < RETRY_AFTER);
                if let Err(error) = std::fs::remove_dir_all(&self.folder)
                    && self.folder.exists()
                {
                    return self.refused(format!("the index of the words ({why}) can't be removed: {error}"));
                }
                self.removed = Some(Instant::now());
                (self.tell)("the index of the words was not usable and was made anew".to_owned());
                if is_again { RETRY_AFTER } else { Duration::ZERO }
            }
        }
    }

    fn refused(&self, problem: String) -> Duration {
        tracing::warn!(problem, "search waits");
        let mut state = self.shared.state();
        state.progress.is_complete = false;
        state.progress.problem = Some(problem);
        RETRY_AFTER
    }
}
