//! The index as it is written: from the log, a page at a time, in commits that know how far they are.
//!
//! One thread writes. What an event leads to is read from the store as it stands: edits, retractions and words that are kept no
//! longer come to the same, the document of a post or comment is removed and, if there are words, made anew. A commit that did
//! not take place is done again from the place of the one before.

use super::failure::Failure;
use super::fields::{FORMAT, Fields};
use super::reader::Reader;
use super::words;
use crate::store::{EventStore, GivenUp};
use roda_protocol::event::{Kind, Verified, tag};
use roda_protocol::id::{AuthorKey, EventId};
use roda_protocol::view;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::TantivyDocument;
use tantivy::{Index, IndexSettings, IndexWriter};

/// Memory in which words are gathered before they are written, in bytes. tantivy takes no less than 15,000,000; more makes fewer
/// and larger segments while a large index is made, and nothing else.
const WRITER_BYTES: usize = 16 << 20;

/// Bytes of the log that one step reads.
const STEP_BYTES: usize = 1 << 20;

/// Steps after which a commit follows, also if there is more: what a crash costs in time.
const STEPS_PER_COMMIT: usize = 64;

/// Bytes that stay free on the disk: the log stops at 16 MiB, and an index must not be what takes its room.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// A segment is written anew when so many of its documents are gone, so that the words of what was taken back leave the
/// disk.
const GONE_SHARE_MAX: f32 = 0.1;

/// What a commit remembers of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// [`FORMAT`].
    format: u32,
    /// Position of the log from which on nothing was read.
    next: u64,
    /// What stands before it was not in the index when that was new: nothing has to be removed before it is added.
    fresh_until: u64,
    /// The last event that was read, with its position: whether this is its log.
    last: Option<(u64, String)>,
}

/// See the module.
pub(super) struct Writer {
    folder: PathBuf,
    fields: Fields,
    index: Index,
    /// None while there is nothing to write: it takes memory.
    writer: Option<IndexWriter>,
    /// When something was written last.
    wrote: Instant,
    reader: Reader,
    committed: Mark,
    mark: Mark,
    /// Whether there is something to commit beside the mark.
    is_dirty: bool,
    steps: usize,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Step {
    /// Whether there is more to read at once.
    pub(super) goes_on: bool,
    /// Whether a commit is due.
    pub(super) is_due: bool,
}

impl Writer {
    /// Opens the index in a folder, and makes an empty one if there is none.
    pub(super) fn open(folder: &Path, store: &EventStore) -> Result<Self, Failure> {
        check_room(folder)?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| Failure::of_file("make a folder for", &error))?;
        let fields = Fields::new();
        let directory = MmapDirectory::open(folder)?;
        let index = match Index::exists(&directory)? {
            true => Index::open(directory)?,
            false => Index::create(directory, fields.schema.clone(), IndexSettings::default())?,
        };
        if index.schema() != fields.schema {
            return Err(Failure::Unusable("it has other fields".into()));
        }
        words::register(index.tokenizers());
        let metas = index.load_metas()?;
        let mark = match &metas.payload {
            Some(payload) => known_mark(payload, store)?,
            None if metas.segments.is_empty() => {
                Mark { format: FORMAT, next: store.start_position(), fresh_until: store.durable_position(), last: None }
            }
            None => return Err(Failure::Unusable("it does not say how far it is".into())),
        };
        let writer = open_writer(&index)?;
        // Behind the lock, which a disk that takes no writes refuses: the whole index is read for it.
        let damaged = index.validate_checksum()?;
        if !damaged.is_empty() {
            return Err(Failure::Unusable(format!("{} of its files are damaged", damaged.len())));
        }
        let reader = Reader::open(&index, &fields)?;
        let (folder, committed) = (folder.to_owned(), mark.clone());
        let (writer, wrote) = (Some(writer), Instant::now());
        Ok(Self { folder, fields, index, writer, wrote, reader, committed, mark, is_dirty: false, steps: 0 })
    }

    /// What writes, which is opened if it was put by.
    fn writer(&mut self) -> Result<&mut IndexWriter, Failure> {
        self.wrote = Instant::now();
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => open_writer(&self.index)?,
        };
        Ok(self.writer.insert(writer))
    }

    /// Whether nothing was written for so long.
    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        self.writer.is_some() && !self.is_dirty && self.wrote.elapsed() >= time
    }

    /// Gives back the memory for writing, until something is written again.
    pub(super) fn put_by(&mut self) {
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.wait_merging_threads()
        {
            // What was committed stays as it is. The next merge does the same work.
            tracing::warn!(%error, "a merge of the index of the words failed");
        }
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Whether the index is being made from the beginning.
    pub(super) fn is_fresh(&self) -> bool {
        self.mark.next < self.mark.fresh_until
    }

    /// Reads the next page of the log.
    pub(super) fn step(&mut self, store: &EventStore) -> Result<Step, Failure> {
        let derivation = store.derivation().ok_or(Failure::Later)?;
        let page = store.follow(self.mark.next, STEP_BYTES)?;
        let mut touched = Touched::default();
        for (position, event) in &page.events {
            self.read(store, *position, event, &mut touched)?;
            self.mark.last = Some((*position, event.id().to_string()));
        }
        self.write_anew(store, touched)?;
        if store.derivation() != Some(derivation) {
            // What was not found may be there: the caller rolls back.
            return Err(Failure::Later);
        }
        let goes_on = page.next > self.mark.next;
        self.mark.next = page.next;
        self.steps += 1;
        Ok(Step { goes_on, is_due: self.steps >= STEPS_PER_COMMIT })
    }

    /// Takes an event in, or notes what it touches.
    fn read(
        &mut self,
        store: &EventStore,
        position: u64,
        event: &Verified,
        touched: &mut Touched,
    ) -> Result<(), Failure> {
        let is_fresh = position < self.mark.fresh_until;
        match event.kind() {
            Kind::Post(_) | Kind::Comment(_) if is_fresh => {
                // One that was stored again is met again.
                if let Some(row) = store.row(&event.id())?.filter(|row| row.position == position)
                    && let Some(document) = store.standing(&row)?.and_then(|standing| self.fields.of_words(&standing))
                {
                    self.add(document)?;
                }
            }
            Kind::Profile(_) => {
                touched.authors.insert(event.header().author);
            }
            // When an index is new the words are read as they stand, with all of these.
            _ if is_fresh => {}
            Kind::Post(_) | Kind::Comment(_) => {
                touched.events.insert(event.id());
            }
            Kind::Edit(edit) => {
                touched.events.insert(edit.target);
            }
            Kind::Retract(retract) => {
                for target in &retract.targets {
                    touched.events.insert(*target);
                    if let Some(row) = store.row(target)?.filter(|row| matches!(row.tag, tag::EDIT | tag::PROFILE)) {
                        match store.event(&row.id)?.as_ref().map(|stored| stored.event.kind()) {
                            Some(Kind::Edit(edit)) => touched.events.insert(edit.target),
                            _ => touched.authors.insert(event.header().author),
                        };
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Removes the documents of these, and makes those anew that have words.
    fn write_anew(&mut self, store: &EventStore, touched: Touched) -> Result<(), Failure> {
        for id in touched.events {
            self.remove(&id.0)?;
            let Some(row) = store.row(&id)? else { continue };
            if let Some(document) = store.standing(&row)?.and_then(|standing| self.fields.of_words(&standing)) {
                self.add(document)?;
            }
        }
        for author in touched.authors {
            self.remove(&author.0)?;
            let profile = view::profile(&store.profile_items(&author)?);
            if let Some(document) = profile.and_then(|(_, words)| self.fields.of_name(&author, &words.name)) {
                self.add(document)?;
            }
        }
        Ok(())
    }

    /// Reads these once more: what became of their words is not in the log, or was found to have changed.
    pub(super) fn read_again(&mut self, store: &EventStore, ids: Vec<EventId>) -> Result<(), Failure> {
        let derivation = store.derivation().ok_or(Failure::Later)?;
        self.write_anew(store, Touched { events: ids.into_iter().collect(), authors: BTreeSet::new() })?;
        if store.derivation() == Some(derivation) { Ok(()) } else { Err(Failure::Later) }
    }

    /// Takes words out that are kept no longer.
    pub(super) fn forget(&mut self, store: &EventStore, given_up: GivenUp) -> Result<(), Failure> {
        self.read_again(store, given_up.ids)?;
        if given_up.has_more {
            let mut gone = Vec::new();
            self.reader.each_id(|id| {
                let row = store.row(&EventId(id))?;
                gone.extend(row.filter(|row| !row.presence.is_shown() || row.presence.is_declined()).map(|row| row.id));
                Ok(())
            })?;
            self.read_again(store, gone)?;
        }
        Ok(())
    }

    fn add(&mut self, document: TantivyDocument) -> Result<(), Failure> {
        self.is_dirty = true;
        self.writer()?.add_document(document)?;
        Ok(())
    }

    fn remove(&mut self, id: &[u8; 32]) -> Result<(), Failure> {
        self.is_dirty = true;
        let term = self.fields.id_term(id);
        self.writer()?.delete_term(term);
        Ok(())
    }

    /// Makes durable and findable what was written. Where no words came the mark is as good as it was for a while: what it
    /// costs is to read the same votes again at the next start.
    pub(super) fn commit(&mut self) -> Result<(), Failure> {
        let is_far = self.steps >= STEPS_PER_COMMIT && self.mark != self.committed;
        if !self.is_dirty && !is_far {
            return Ok(());
        }
        check_room(&self.folder)?;
        let payload = serde_json::to_string(&self.mark).map_err(|error| Failure::Refused(error.to_string()))?;
        let mut commit = self.writer()?.prepare_commit()?;
        commit.set_payload(&payload);
        commit.commit()?;
        (self.is_dirty, self.steps) = (false, 0);
        self.committed = self.mark.clone();
        self.reader.reload()
    }

    /// Takes back what was written since the last commit.
    pub(super) fn roll_back(&mut self) -> Result<(), Failure> {
        if let Some(writer) = &mut self.writer {
            writer.rollback()?;
            writer.set_merge_policy(Box::new(merge_policy()));
        }
        self.mark = self.committed.clone();
        self.is_dirty = false;
        Ok(())
    }
}

fn open_writer(index: &Index) -> Result<IndexWriter, Failure> {
    let options = IndexWriterOptions::builder().num_worker_threads(1).num_merge_threads(1);
    let writer: IndexWriter = index.writer_with_options(options.memory_budget_per_thread(WRITER_BYTES).build())?;
    writer.set_merge_policy(Box::new(merge_policy()));
    Ok(writer)
}

fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_del_docs_ratio_before_merge(GONE_SHARE_MAX);
    policy
}

/// What events of a page change.
#[derive(Debug, Default)]
struct Touched {
    events: BTreeSet<EventId>,
    authors: BTreeSet<AuthorKey>,
}

/// How far a commit is, if it is one of this format and of this log.
fn known_mark(payload: &str, store: &EventStore) -> Result<Mark, Failure> {
    let mark: Mark = serde_json::from_str(payload).map_err(|error| Failure::Unusable(error.to_string()))?;
    if mark.format != FORMAT {
        return Err(Failure::Unusable(format!("it has format {}, and this version knows {FORMAT}", mark.format)));
    }
    let is_behind = mark.next <= store.durable_position();
    let is_of_log = match &mark.last {
        None => true,
        Some((position, id)) => {
            let id: EventId = id.parse().map_err(|_| Failure::Unusable("it names no event".into()))?;
            store.row(&id)?.is_some_and(|row| row.position == *position)
        }
    };
    if is_behind && is_of_log { Ok(mark) } else { Err(Failure::Unusable("it is of another log".into())) }
}

/// Refuses where there is hardly any room. What can't be told is no reason to stop.
fn check_room(folder: &Path) -> Result<(), Failure> {
    let place = folder.ancestors().find(|place| place.exists());
    let free = place.and_then(|place| rustix::fs::statvfs(place).ok());
    match free.map(|free| free.f_bavail.saturating_mul(free.f_frsize)) {
        Some(free) if free < FREE_BYTES_MIN => Err(Failure::Refused(format!(
            "less than {} MiB are free where {} is: new words are found once there is room",
            FREE_BYTES_MIN >> 20,
            folder.display()
        ))),
        _ => Ok(()),
    }
}
