//! Marks of what was read on another node, of events that are not here yet. Each is kept until its event comes, and counts
//! from then on.
//!
//! A mark is a place in the order of arrival, and an event that is not here has none. So these marks are no rows: they live in
//! a small file of the home, [`WAITING_MAX`] at most. A task looks whenever an event comes that one of them names.

use super::Shared;
use super::dto::{NodeEvent, ReaderLine};
use super::error::ApiError;
use super::read::blocking;
use super::reader::note;
use crate::home::{Home, write_private};
use crate::runtime::Context;
use crate::store::{EventStore, LocalRecord, StoreError};
use roda_protocol::id::EventId;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Marks that are kept: years of reading, and 1.8 MB of file. Those beyond are not.
const WAITING_MAX: usize = 10_000;

/// How long further events are waited for once one has come that is named: they come in hundreds.
const GATHERING: Duration = Duration::from_secs(1);

/// How often it is looked although no news has named an event: what a new index brings back is no news.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What was read up to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Read {
    Inbox,
    Thread(EventId),
}

impl Read {
    /// The line that says so.
    pub(super) fn line(self, last: EventId) -> ReaderLine {
        let last = last.to_string();
        match self {
            Self::Inbox => ReaderLine::Inbox { last },
            Self::Thread(root) => ReaderLine::Read { thread: root.to_string(), last },
        }
    }

    /// What is stored once the place of that event is known; nothing, if as much was read here already.
    pub(super) fn record(self, store: &EventStore, position: u64) -> Result<Option<LocalRecord>, StoreError> {
        Ok(match self {
            Self::Inbox if position > store.inbox_mark()? => Some(LocalRecord::ReadInbox { position }),
            Self::Thread(root) if position > store.read_mark(&root)? => Some(LocalRecord::Read { root, position }),
            Self::Inbox | Self::Thread(_) => None,
        })
    }
}

/// Up to which event each was read.
type Marks = BTreeMap<Read, EventId>;

/// The marks that wait, in memory as in the file.
#[derive(Debug)]
pub(crate) struct WaitingMarks {
    file: PathBuf,
    marks: Mutex<Marks>,
}

impl WaitingMarks {
    /// Reads a home's marks. Lines that are none are left out.
    pub(crate) fn read(home: &Home) -> Self {
        let file = home.data.join("waiting-marks.jsonl");
        let text = std::fs::read(&file).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let marks = lines.filter_map(|line| mark_of(&line)).take(WAITING_MAX).collect();
        Self { file, marks: Mutex::new(marks) }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines of an export that say the same.
    pub(super) fn lines(&self) -> Vec<ReaderLine> {
        self.marks().iter().map(|(read, last)| read.line(*last)).collect()
    }

    /// Keeps marks, each in the place of an earlier one about the same; returns for how many there was no room.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    pub(super) fn keep(&self, new: &[(Read, EventId)]) -> io::Result<usize> {
        if new.is_empty() {
            return Ok(0);
        }
        let mut marks = self.marks();
        let mut left_out = 0;
        for (read, last) in new {
            if marks.len() < WAITING_MAX || marks.contains_key(read) {
                marks.insert(*read, *last);
            } else {
                left_out += 1;
            }
        }
        self.write(&marks)?;
        Ok(left_out)
    }

    /// Forgets marks that count by now.
    fn drop_those(&self, done: &[(Read, EventId)]) -> io::Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let mut marks = self.marks();
        for (read, last) in done {
            // Another may have taken its place meanwhile.
            if marks.get(read) == Some(last) {
                marks.remove(read);
            }
        }
        self.write(&marks)
    }

    fn write(&self, marks: &Marks) -> io::Result<()> {
        let mut text = Vec::new();
        for (read, last) in marks {
            serde_json::to_writer(&mut text, &read.line(*last))?;
            text.push(b'\n');
        }
        write_private(&self.file, &text)
    }

    /// Those whose events are here, with the places of these.
    fn found(&self, store: &EventStore) -> Result<Vec<(Read, EventId, u64)>, StoreError> {
        let marks = self.marks().clone();
        let mut found = Vec::new();
        for (read, last) in marks {
            if let Some(row) = store.row(&last)? {
                found.push((read, last, row.position));
            }
        }
        Ok(found)
    }
}

fn mark_of(line: &ReaderLine) -> Option<(Read, EventId)> {
    match line {
        ReaderLine::Read { thread, last } => Some((Read::Thread(thread.parse().ok()?), last.parse().ok()?)),
        ReaderLine::Inbox { last } => Some((Read::Inbox, last.parse().ok()?)),
        _ => None,
    }
}

/// Applies marks as their events come, until the node ends.
pub(super) fn start(context: &Shared) {
    let mut news = context.news.listen();
    let weak = Arc::downgrade(context);
    tokio::spawn(async move {
        loop {
            let Some(context) = weak.upgrade() else { return };
            if let Err(error) = settle(&context).await {
                tracing::warn!(reason = error.message, "marks of what was read wait on");
            }
            drop(context);
            let again = tokio::time::sleep(LOOK_AGAIN);
            tokio::pin!(again);
            loop {
                let said = tokio::select! {
                    said = news.recv() => said,
                    () = &mut again => break,
                };
                match said {
                    Ok((_, said)) => {
                        let Some(context) = weak.upgrade() else { return };
                        if is_awaited(&context, &said) {
                            break;
                        }
                    }
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                }
            }
            tokio::time::sleep(GATHERING).await;
        }
    });
}

fn is_awaited(context: &Context, said: &NodeEvent) -> bool {
    let NodeEvent::Admitted { id, .. } = said else { return false };
    let marks = context.waiting.marks();
    // Without any, as nearly always, nothing is taken apart.
    !marks.is_empty() && id.parse().is_ok_and(|id: EventId| marks.values().any(|last| *last == id))
}

/// Applies the marks whose events are here.
async fn settle(context: &Shared) -> Result<(), ApiError> {
    if context.waiting.marks().is_empty() {
        return Ok(());
    }
    let (records, done) = blocking(context.clone(), |context| {
        let found = context.waiting.found(&context.store)?;
        let mut records = Vec::new();
        for (read, _, position) in &found {
            records.extend(read.record(&context.store, *position)?);
        }
        Ok((records, found.into_iter().map(|(read, last, _)| (read, last)).collect::<Vec<_>>()))
    })
    .await?;
    if !records.is_empty() {
        note(context, records).await?;
    }
    blocking(context.clone(), move |context| context.waiting.drop_those(&done).map_err(|error| unwritten(&error))).await
}

/// The file can't be written.
pub(super) fn unwritten(error: &io::Error) -> ApiError {
    ApiError::new("storage", format!("marks can't be kept: {error}"), "make room or check the disk")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ME, comment, post, store};
    use super::*;

    fn id(number: u64) -> EventId {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        EventId(bytes)
    }

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        (folder, home)
    }

    #[test]
    fn marks_outlive_a_restart_the_last_about_a_thread_counts_and_there_is_an_end_to_them() {
        let (_folder, home) = home();
        let waiting = WaitingMarks::read(&home);
        let first = [(Read::Thread(id(1)), id(2)), (Read::Inbox, id(3))];
        assert_eq!(waiting.keep(&first).unwrap(), 0);
        assert_eq!(waiting.keep(&[(Read::Thread(id(1)), id(4))]).unwrap(), 0);
        let expected = [Read::Inbox.line(id(3)), Read::Thread(id(1)).line(id(4))];
        assert_eq!(waiting.lines(), expected);
        assert_eq!(WaitingMarks::read(&home).lines(), expected);
        let many: Vec<_> = (10..10 + WAITING_MAX as u64).map(|number| (Read::Thread(id(number)), id(5))).collect();
        assert_eq!(waiting.keep(&many).unwrap(), 2);
        assert_eq!(WaitingMarks::read(&home).lines().len(), WAITING_MAX);
        std::fs::write(&waiting.file, "{\n").unwrap();
        assert_eq!(WaitingMarks::read(&home).lines(), []);
    }

    #[test]
    fn a_mark_counts_once_its_event_is_here_and_never_goes_back() {
        let (_folder, home) = home();
        let (waiting, store) = (WaitingMarks::read(&home), store());
        let mine = post(ME, 1, "mine");
        let (first, second) = (comment(2, 2, &mine, "first"), comment(2, 3, &mine, "second"));
        let root = Read::Thread(mine.event.id());
        waiting.keep(&[(root, first.event.id()), (Read::Inbox, id(9))]).unwrap();
        assert_eq!(waiting.found(&store).unwrap(), []);
        store.admit(&[mine.clone(), first.clone(), second.clone()]).unwrap();
        let found = waiting.found(&store).unwrap();
        let position = store.row(&first.event.id()).unwrap().unwrap().position;
        assert_eq!(found, [(root, first.event.id(), position)]);
        let record = LocalRecord::Read { root: mine.event.id(), position };
        assert_eq!(root.record(&store, position).unwrap(), Some(record.clone()));
        store.note(&[record]).unwrap();
        assert_eq!(store.last_read(&mine.event.id()).unwrap(), Some(first.event.id()));
        assert_eq!(root.record(&store, position).unwrap(), None, "it is there already");
        waiting.drop_those(&[(root, second.event.id())]).unwrap();
        assert_eq!(waiting.lines().len(), 2, "another mark is there by now");
        waiting.drop_those(&[(root, first.event.id())]).unwrap();
        assert_eq!(WaitingMarks::read(&home).lines(), [Read::Inbox.line(id(9))]);
    }
}
