//! Which words are kept no longer. The events stay known, with their headers: sets never depend on it.
//!
//! Words go for two reasons: a board is kept for so many days or bytes, or the disk's cap is near. The oldest go first, by the
//! author's claim of the time, those of followed authors last, and own ones never. A step is bounded; whoever drives it
//! goes on until a step finds nothing. What was pruned shows as a place without words, is asked from nobody and given to
//! nobody.

use super::events::{BATCH_EVENTS_MAX, EventStore, StoreError};
use super::keys::{self, Number};
use super::rows::{self, BARE_BYTES, EventRow, Keep, Presence};
use super::writing::Writing;
use roda_protocol::event::{Kind, tag};
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::reconcile::{EPOCH_MS, Epoch};
use roda_protocol::view::policy::{Effect, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Events whose words go in one step: a tenth of a second of work at most.
const STEP_EVENTS_MAX: usize = 4096;

/// Events after which a step looks at no further epoch.
const STEP_LOOKED_MAX: usize = 65_536;

/// When the disk's cap is near: at so many hundredths of it. Beyond the cap itself what others write is declined.
const NEAR_PERCENT: u64 = 90;

/// Then, and when a board has too many bytes, words go until so many hundredths are left.
const DOWN_TO_PERCENT: u64 = 85;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What decides about words.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// The clock, unix milliseconds.
    pub now_ms: u64,
    /// Who writes here.
    pub me: AuthorKey,
    /// Bytes on disk at most.
    pub disk_bytes_max: u64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Pruned {
    /// Events whose words are kept no longer.
    pub events: u64,
    /// Whether there may be more to do at once.
    pub goes_on: bool,
}

/// Epochs in which nothing is left to prune but the words of these authors: the bytes that they had then.
#[derive(Debug, Default)]
pub(super) struct Bare {
    spared: BTreeSet<Number>,
    epochs: BTreeMap<(Epoch, Number), u64>,
}

/// A step in the making.
struct Step {
    /// Authors whose words stay for now.
    spared: BTreeSet<Number>,
    victims: Vec<EventRow>,
    looked: usize,
}

impl Step {
    fn is_full(&self) -> bool {
        self.victims.len() >= STEP_EVENTS_MAX || self.looked >= STEP_LOOKED_MAX
    }
}

impl EventStore {
    /// How long the words of a board are kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn keep(&self, space: SpaceId) -> Result<Keep, StoreError> {
        let value = self.index().get(&keys::keep_key(&space))?;
        value.map_or(Ok(Keep::Forever), |value| rows::decode(&value).ok_or(StoreError::Row))
    }

    /// Takes the next words that are to go out of sight. Their room is given back by [`EventStore::compact`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn prune(&self, by: &Retention) -> Result<Pruned, StoreError> {
        let (own, followed) = (self.author_number(&by.me)?, self.followed_authors()?);
        let mut step = Step { spared: own.into_iter().chain(followed).collect(), victims: Vec::new(), looked: 0 };
        {
            let mut bare = self.bare();
            if bare.spared != step.spared {
                *bare = Bare { spared: step.spared.clone(), epochs: BTreeMap::new() };
            }
        }
        let epochs = self.known.by_epoch();
        for (space, keep) in self.keeps()? {
            let of_board = || epochs.iter().filter(move |((_, number), _)| *number == space);
            match keep {
                Keep::Forever => {}
                Keep::Days(days) => {
                    let before_ms = by.now_ms.saturating_sub(u64::from(days) * DAY_MS);
                    let old = of_board().take_while(|((epoch, _), _)| epoch * EPOCH_MS < before_ms);
                    self.choose(old, before_ms, u64::MAX, &mut step)?;
                }
                Keep::Bytes(bytes_max) => {
                    let bytes: u64 = of_board().map(|(_, bytes)| bytes).sum();
                    if bytes > bytes_max {
                        let too_many = bytes - share(bytes_max, DOWN_TO_PERCENT);
                        self.choose_in_order(of_board, too_many, own, &mut step)?;
                    }
                }
            }
        }
        // What is dead in the log already is given back without any words going.
        let live: u64 = self.live.lock().unwrap_or_else(PoisonError::into_inner).values().sum();
        let used = self.index().disk_bytes()? + live;
        if used > share(by.disk_bytes_max, NEAR_PERCENT) {
            let too_many = used - share(by.disk_bytes_max, DOWN_TO_PERCENT);
            self.choose_in_order(|| epochs.iter(), too_many, own, &mut step)?;
        }
        let mut events = 0;
        for batch in step.victims.chunks(BATCH_EVENTS_MAX) {
            events += self.prune_batch(batch)?;
        }
        Ok(Pruned { events, goes_on: step.is_full() })
    }

    fn keeps(&self) -> Result<Vec<(Number, Keep)>, StoreError> {
        let mut keeps = Vec::new();
        self.scan_all(keys::keeps_range(), |key, value| {
            let space = SpaceId(keys::id_in(key).ok_or(StoreError::Row)?);
            if let Some(number) = self.number_of_space(space)? {
                keeps.push((number, rows::decode(value).ok_or(StoreError::Row)?));
            }
            Ok(())
        })?;
        Ok(keeps)
    }

    /// The number of an author, if anything of theirs is here.
    fn author_number(&self, author: &AuthorKey) -> Result<Option<Number>, StoreError> {
        Ok(self.index().get(&keys::author_number_key(author))?.and_then(|value| keys::number_at_end(&value)))
    }

    /// Authors whom the reader follows.
    fn followed_authors(&self) -> Result<Vec<Number>, StoreError> {
        let mut followed = Vec::new();
        for (subject, effect) in self.rules()? {
            if let (Subject::Author(author), Effect::Follow) = (subject, effect) {
                followed.extend(self.author_number(&author)?);
            }
        }
        Ok(followed)
    }

    /// Chooses the oldest words of some epochs, until so many bytes go: those of followed authors only if the others' are not
    /// enough.
    fn choose_in_order<'a, I>(
        &self,
        epochs: impl Fn() -> I,
        bytes: u64,
        own: Option<Number>,
        step: &mut Step,
    ) -> Result<(), StoreError>
    where
        I: Iterator<Item = (&'a (Epoch, Number), &'a u64)>,
    {
        let bytes_left = self.choose(epochs(), u64::MAX, bytes, step)?;
        if bytes_left == 0 || step.is_full() {
            return Ok(());
        }
        let all_spared = std::mem::replace(&mut step.spared, own.into_iter().collect());
        let chosen = self.choose(epochs(), u64::MAX, bytes_left, step);
        step.spared = all_spared;
        chosen.map(|_| ())
    }

    /// Chooses the oldest words of some epochs that are older than `before_ms`, until so many bytes go; returns how many are
    /// left of these.
    fn choose<'a>(
        &self,
        epochs: impl Iterator<Item = (&'a (Epoch, Number), &'a u64)>,
        before_ms: u64,
        bytes: u64,
        step: &mut Step,
    ) -> Result<u64, StoreError> {
        let mut bytes_left = bytes;
        let chosen: BTreeSet<EventId> = step.victims.iter().map(|row| row.id).collect();
        for (place, bytes_of_epoch) in epochs {
            if bytes_left == 0 || step.is_full() {
                return Ok(bytes_left);
            }
            {
                let bare = self.bare();
                if bare.spared == step.spared && bare.epochs.get(place) == Some(bytes_of_epoch) {
                    continue;
                }
            }
            let (epoch, space) = *place;
            let mut rows = Vec::new();
            let numbers = self.known.numbers(space, epoch);
            step.looked += numbers.len();
            for number in numbers {
                rows.extend(self.row_of(number)?.filter(|row| row.presence.is_shown()));
            }
            rows.sort_unstable_by_key(|row| (row.created_ms, row.id));
            let (mut is_bare, before) = (true, step.victims.len());
            let mut gone = chosen.clone();
            for row in rows {
                if chosen.contains(&row.id) || self.is_spared(&row, &step.spared, &gone)? {
                    // An edit goes once what it edits has gone.
                    let waits = row.tag == tag::EDIT && row.presence == Presence::Held;
                    is_bare &= !waits || step.spared.contains(&row.author);
                    continue;
                }
                if row.created_ms >= before_ms || bytes_left == 0 || step.victims.len() >= STEP_EVENTS_MAX {
                    is_bare = false;
                    break;
                }
                bytes_left = bytes_left.saturating_sub(row.size.bytes().saturating_sub(BARE_BYTES));
                gone.insert(row.id);
                step.victims.push(row);
            }
            if is_bare && step.victims.len() == before {
                let mut bare = self.bare();
                if bare.spared == step.spared {
                    bare.epochs.insert(*place, *bytes_of_epoch);
                }
            }
        }
        Ok(bytes_left)
    }

    /// Whether an event keeps its words for now. Own words always do: they were promised to whoever wrote them.
    fn is_spared(
        &self,
        row: &EventRow,
        authors: &BTreeSet<Number>,
        gone: &BTreeSet<EventId>,
    ) -> Result<bool, StoreError> {
        if authors.contains(&row.author) || !matches!(row.tag, tag::POST | tag::COMMENT | tag::EDIT) {
            return Ok(true);
        }
        match row.presence {
            // Words that have not come are not waited for any longer; those that were taken back are gone.
            Presence::BodyDropped => Ok(!self.wants_words(&row.id)?),
            Presence::Held if row.tag == tag::EDIT => {
                let Some(stored) = self.read_row(row)? else { return Ok(true) };
                let Kind::Edit(edit) = stored.event.kind() else { return Ok(true) };
                let is_gone = gone.contains(&edit.target)
                    || self.row(&edit.target)?.is_some_and(|target| target.presence != Presence::Held);
                Ok(!is_gone)
            }
            Presence::Held => Ok(false),
            _ => Ok(true),
        }
    }

    /// Marks events as pruned, unless they have changed since they were chosen.
    fn prune_batch(&self, batch: &[EventRow]) -> Result<u64, StoreError> {
        let mut writing = Writing::begin(self);
        let mut pruned = Vec::new();
        for row in batch {
            if self.row(&row.id)?.as_ref() == Some(row) {
                writing.pruned(row)?;
                pruned.push(row.id);
            }
        }
        let committed = writing.commit();
        self.is_dirty.store(true, Ordering::Release);
        committed?;
        let count = pruned.len() as u64;
        self.give_up(pruned);
        Ok(count)
    }

    fn bare(&self) -> std::sync::MutexGuard<'_, Bare> {
        self.bare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many hundredths.
fn share(bytes: u64, percent: u64) -> u64 {
    bytes / 100 * percent
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
