//! Are the sets that are compared with peers those of the events? Count, sum and digest of every epoch are made anew from
//! the entries of events, and compared with what is in memory and with the digests that the index keeps. And are the events
//! that wait for their words those that lack them?

use super::events::{EventStore, StoreError};
use super::fsck::Fsck;
use super::journal::{JournalError, Position};
use super::keys::{self, Number};
use super::known::{EpochState, Epochs, Members, RUNNING_DIGEST_FROM};
use super::rows::{EventRow, Presence};
use roda_protocol::event::tag;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{EPOCH_MS, Epoch, EpochKey, Expanded, LtHash};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

impl EventStore {
    /// Adds a problem for each epoch whose set is not that of its events, and for each event that wrongly waits for its
    /// words, or does not.
    pub(super) fn check_sets(&self, found: &mut Fsck) -> Result<(), StoreError> {
        let is_sound = |problems: Result<Vec<String>, StoreError>| problems.is_ok_and(|problems| problems.is_empty());
        if is_sound(self.wrong_sets()) && is_sound(self.wrong_wordless()) {
            return Ok(());
        }
        // A batch that was written meanwhile makes a difference, and parts an epoch from its digest: once more, with nobody
        // writing.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for problem in self.wrong_sets()?.into_iter().chain(self.wrong_wordless()?) {
            found.problem(problem);
        }
        Ok(())
    }

    fn wrong_wordless(&self) -> Result<Vec<String>, StoreError> {
        let mut waiting = BTreeMap::new();
        self.scan_all(keys::wordless_range(), |key, value| {
            let number = keys::number_at_end(key).ok_or(StoreError::Row)?;
            waiting.insert(EventId(value.try_into().map_err(|_| StoreError::Row)?), number);
            Ok(())
        })?;
        let mut bare = Vec::new();
        self.each_row(|row| {
            if row.presence == Presence::BodyDropped {
                bare.push(row);
            }
            Ok(())
        })?;
        let mut problems = Vec::new();
        for row in bare {
            let is_waiting = waiting.remove(&row.id).is_some();
            if self.lacks_words(&row)?.is_some_and(|lacks_words| lacks_words != is_waiting) {
                let what =
                    if is_waiting { "waits for words that it does not lack" } else { "does not wait for its words" };
                problems.push(format!("event {} {what}", row.id));
            }
        }
        problems.extend(waiting.keys().map(|id| format!("event {id} waits for words, and is not held without them")));
        Ok(problems)
    }

    /// Whether an event without words promises some that its author did not take back; `None` if its record is damaged.
    fn lacks_words(&self, row: &EventRow) -> Result<Option<bool>, StoreError> {
        let record = match self.journal.read(Position(row.position)) {
            Ok(record) => record,
            Err(JournalError::Damaged { .. } | JournalError::Absent { .. }) => return Ok(None),
            Err(other) => return Err(other.into()),
        };
        let Ok(stored) = self.read_payload(&record.payload) else { return Ok(None) };
        let number = self.number_of(&row.id)?.ok_or(StoreError::Row)?;
        let takes_back = |(_, action): &(Number, EventRow)| action.tag == tag::RETRACT && action.author == row.author;
        let is_taken_back = self.actions_of(number)?.iter().any(takes_back);
        Ok(Some(stored.event.header().body.len > 0 && !is_taken_back))
    }

    fn wrong_sets(&self) -> Result<Vec<String>, StoreError> {
        let spaces: BTreeMap<Number, SpaceId> =
            self.space_numbers()?.into_iter().map(|(space, number)| (number, space)).collect();
        let written = self.digest_rows()?;
        let (mut of_events, mut covered, mut members) = (Epochs::new(), Epochs::new(), Members::new());
        self.each_entry(|number, row| {
            let place = (row.space, EpochKey::of(&(row.created_ms, row.id)).0);
            let expanded = Expanded::of(&row.id);
            let add = |epochs: &mut Epochs| {
                let state = epochs.entry(place).or_default();
                state.digest.get_or_insert_with(LtHash::default);
                state.add(&row.id, &expanded);
                state.declined += u64::from(row.presence.is_declined());
                state.bytes += row.size.bytes();
            };
            add(&mut of_events);
            if written.get(&place).is_some_and(|digest| row.position < digest.until) {
                add(&mut covered);
            }
            members.entry(place).or_default().push(number);
            Ok(())
        })?;
        for state in of_events.values_mut().filter(|state| state.count < RUNNING_DIGEST_FROM) {
            state.digest = None;
        }
        let in_memory = self.known.all();
        let places: BTreeSet<(Number, Epoch)> =
            of_events.keys().chain(in_memory.keys()).chain(written.keys()).copied().collect();
        let mut problems = Vec::new();
        for place in places {
            let (number, epoch) = place;
            let name = match spaces.get(&number) {
                Some(space) => format!("space {space}, epoch {epoch} (from unix second {})", epoch * (EPOCH_MS / 1000)),
                None => format!("an unknown space, epoch {epoch}"),
            };
            let (true_state, found) = (of_events.get(&place), in_memory.get(&place));
            if true_state != found {
                problems.push(format!("{name}: {} in memory", difference(true_state, found)));
            }
            let mut numbers = self.known.numbers(number, epoch);
            numbers.sort_unstable();
            if members.get(&place) != Some(&numbers) {
                problems.push(format!("{name}: the list of known events is not that of the events in the index"));
            }
            if let (Some(written), Some(covered)) = (written.get(&place), covered.get(&place)) {
                // A digest of other members says nothing, and is not used.
                let is_used = (written.count, written.sum) == (covered.count, covered.sum.to_bytes());
                if is_used && covered.digest.as_ref().map(LtHash::to_bytes).as_ref() != Some(&written.state) {
                    problems.push(format!("{name}: {DIGEST_IS_WRONG} in the index"));
                }
            }
        }
        Ok(problems)
    }
}

/// What is said of a wrong digest.
const DIGEST_IS_WRONG: &str = "the digest that is compared with peers is not that of the known events";

/// What is wrong with an epoch, for a person.
fn difference(true_state: Option<&EpochState>, found: Option<&EpochState>) -> String {
    let count = |state: Option<&EpochState>| state.map_or(0, |state| state.count);
    let declined = |state: Option<&EpochState>| state.map_or(0, |state| state.declined);
    if count(true_state) != count(found) {
        format!("{} events are known, and {} are counted", count(true_state), count(found))
    } else if declined(true_state) != declined(found) {
        format!("{} events are declined, and {} are counted", declined(true_state), declined(found))
    } else {
        DIGEST_IS_WRONG.into()
    }
}
