//! Are the sets that are compared with peers those of the events? Count, sum and digest of every epoch are made anew from
//! the rows of events, and compared with what the index keeps and what is in memory. And are the events that wait for their
//! words those that lack them?

use super::events::{EventStore, StoreError};
use super::fsck::Fsck;
use super::journal::{JournalError, Position};
use super::keys::{self, Number};
use super::known::{EpochState, Epochs, RUNNING_DIGEST_FROM};
use super::rows::{EventRow, Presence};
use roda_protocol::event::tag;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{EPOCH_MS, Epoch, EpochKey, Expanded, LtHash, Sum};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// Count and sum of the epochs of all spaces.
type Lists = BTreeMap<(Number, Epoch), (u64, Sum)>;

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
        let takes_back = |action: &EventRow| action.tag == tag::RETRACT && action.author == row.author;
        let is_taken_back = self.actions_of(number)?.iter().any(takes_back);
        Ok(Some(stored.event.header().body.len > 0 && !is_taken_back))
    }

    fn wrong_sets(&self) -> Result<Vec<String>, StoreError> {
        let spaces: BTreeMap<Number, SpaceId> =
            self.space_numbers()?.into_iter().map(|(space, number)| (number, space)).collect();
        let of_events = self.epochs_of_events()?;
        let (in_index, members, in_memory) = (self.epochs_of_index()?, self.epochs_of_members()?, self.known.all());
        let mut problems = Vec::new();
        let mut check = |(number, epoch): &(Number, Epoch), true_state: Option<&EpochState>| {
            let place = (*number, *epoch);
            let name = match spaces.get(number) {
                Some(space) => format!("space {space}, epoch {epoch} (from unix second {})", epoch * (EPOCH_MS / 1000)),
                None => format!("an unknown space, epoch {epoch}"),
            };
            let is_list_right = members.get(&place).copied() == true_state.map(|state| (state.count, state.sum));
            if !is_list_right {
                problems.push(format!("{name}: the list of known events is not that of the events in the index"));
            }
            if !is_same(true_state, in_index.get(&place)) {
                problems.push(format!("{name}: {} in the index", difference(true_state, in_index.get(&place))));
            }
            if !is_same(true_state, in_memory.get(&place)) {
                problems.push(format!("{name}: {} in memory", difference(true_state, in_memory.get(&place))));
            }
        };
        let all = of_events.keys().chain(in_index.keys()).chain(members.keys()).chain(in_memory.keys());
        let places: BTreeSet<(Number, Epoch)> = all.copied().collect();
        places.iter().for_each(|place| check(place, of_events.get(place)));
        Ok(problems)
    }

    fn epochs_of_events(&self) -> Result<Epochs, StoreError> {
        let mut epochs = Epochs::new();
        self.each_row(|row| {
            let state = epochs.entry((row.space, EpochKey::of(&(row.created_ms, row.id)).0)).or_default();
            state.digest.get_or_insert_with(LtHash::default);
            state.add(&row.id, &Expanded::of(&row.id));
            state.declined += u64::from(row.presence == Presence::Declined);
            Ok(())
        })?;
        for state in epochs.values_mut().filter(|state| state.count < RUNNING_DIGEST_FROM) {
            (state.digest, state.pending) = (None, Vec::new());
        }
        Ok(epochs)
    }

    /// Count and sum of every epoch's rows in table `k`.
    fn epochs_of_members(&self) -> Result<Lists, StoreError> {
        let mut epochs = Lists::new();
        self.scan_all(keys::all_known_range(), |key, value| {
            let space = keys::space_in(key).ok_or(StoreError::Row)?;
            let epoch = keys::time_in(key).ok_or(StoreError::Row)? / EPOCH_MS;
            let (count, sum) = epochs.entry((space, epoch)).or_default();
            *count += 1;
            sum.add(&Sum::from_bytes(value.try_into().map_err(|_| StoreError::Row)?));
            Ok(())
        })?;
        Ok(epochs)
    }
}

/// Whether an epoch is what it should be. The order in which its members came is not that of the rows.
fn is_same(true_state: Option<&EpochState>, found: Option<&EpochState>) -> bool {
    match (true_state, found) {
        (Some(true_state), Some(found)) => true_state.is_same_set(found),
        (true_state, found) => true_state.is_none() && found.is_none(),
    }
}

/// What is wrong with an epoch, for a person.
fn difference(true_state: Option<&EpochState>, found: Option<&EpochState>) -> String {
    let count = |state: Option<&EpochState>| state.map_or(0, |state| state.count);
    let declined = |state: Option<&EpochState>| state.map_or(0, |state| state.declined);
    if count(true_state) != count(found) {
        format!("{} events are known, and {} are counted", count(true_state), count(found))
    } else if declined(true_state) != declined(found) {
        format!("{} events are declined, and {} are counted", declined(true_state), declined(found))
    } else {
        "the digest that is compared with peers is not that of the known events".into()
    }
}
