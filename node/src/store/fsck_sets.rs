//! Are the sets that are compared with peers those of the events? Count, sum and digest of every epoch are made anew from
//! the rows of events, and compared with what the index keeps and what is in memory.

use super::events::{EventStore, StoreError};
use super::fsck::Fsck;
use super::keys::{self, Number};
use super::known::{EpochState, Epochs, RUNNING_DIGEST_FROM};
use super::rows::Presence;
use roda_protocol::id::SpaceId;
use roda_protocol::reconcile::{EPOCH_MS, Epoch, EpochKey, Expanded, LtHash, Sum};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// Count and sum of the epochs of all spaces.
type Lists = BTreeMap<(Number, Epoch), (u64, Sum)>;

impl EventStore {
    /// Adds a problem for each epoch whose set is not that of its events.
    pub(super) fn check_sets(&self, found: &mut Fsck) -> Result<(), StoreError> {
        if self.wrong_sets().is_ok_and(|problems| problems.is_empty()) {
            return Ok(());
        }
        // A batch that was written meanwhile makes a difference, and parts an epoch from its digest: once more, with nobody
        // writing.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for problem in self.wrong_sets()? {
            found.problem(problem);
        }
        Ok(())
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
