//! The sets of known events, in memory: count, sum and digest of every epoch, and the members of some.
//!
//! The set of a space includes what was declined, retracted or lost, so that local choices never make two honest nodes
//! differ. Read from tables `g` and `h` at start, and changed with each batch that the index took; only the writer does.
//! What must be read from the index on demand is asked of [`super::sets`].

use super::keys::Number;
use super::loaded::{LOADED_BYTES_MAX, Loaded};
use super::rows::{DigestRow, EpochRow};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Digest, Epoch, EpochKey, EpochSet, Expanded, LtHash, Sum};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Sets below this size compute their digest when asked, in 30 microseconds at most; larger ones keep a running one of
/// 2 KiB.
pub(super) const RUNNING_DIGEST_FROM: u64 = 64;

/// Members after which a running digest is written to the index anew; the ids of those since stand in the epoch's row.
/// Bytes of index for each of 40,000 events on sled, one event a commit in one board or in 16, and groups of 64 in 16: with
/// every member 2,145, 2,867 and 1,794; with 8 members 1,384, 1,516 and 1,349; with 16 1,398, 1,517 and 1,191; with 32
/// 1,384, 1,713 and 1,165. It is part of the format of the index.
pub(super) const DIGEST_WRITTEN_EVERY: u64 = 16;

// The digest is first written when it is made.
const _: () = assert!(RUNNING_DIGEST_FROM.is_multiple_of(DIGEST_WRITTEN_EVERY));

/// What is known of an epoch without its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EpochState {
    pub(super) count: u64,
    /// How many of them this node declined.
    pub(super) declined: u64,
    pub(super) sum: Sum,
    /// Of all members. There from [`RUNNING_DIGEST_FROM`] members on.
    pub(super) digest: Option<LtHash>,
    /// The members since the digest was written last: none without a digest, and always the same for the same order of
    /// arrival, however it was cut into batches.
    pub(super) pending: Vec<EventId>,
}

impl EpochState {
    /// Adds a member. The digest of an epoch that reaches [`RUNNING_DIGEST_FROM`] with it is the caller's to make.
    pub(super) fn add(&mut self, id: &EventId, expanded: &Expanded) {
        self.count += 1;
        self.sum.add_id(id);
        if let Some(digest) = &mut self.digest {
            digest.add_expanded(expanded);
            match self.count.is_multiple_of(DIGEST_WRITTEN_EVERY) {
                true => self.pending.clear(),
                false => self.pending.push(*id),
            }
        }
    }

    /// Whether it is the same set, in whatever order its members came.
    pub(super) fn is_same_set(&self, other: &Self) -> bool {
        let of = |state: &Self| (state.count, state.declined, state.sum);
        of(self) == of(other) && self.digest == other.digest
    }

    pub(super) fn to_row(&self) -> EpochRow {
        EpochRow { count: self.count, declined: self.declined, sum: self.sum.to_bytes(), pending: self.pending.clone() }
    }

    /// The digest as it is written, if the members that were added last make it due.
    pub(super) fn due_digest(&self) -> Option<DigestRow> {
        let digest = self.digest.as_ref().filter(|_| self.pending.is_empty())?;
        Some(DigestRow { count: self.count, state: digest.to_bytes() })
    }

    /// `None` if these are no rows of ours, or don't belong together.
    pub(super) fn of_rows(row: EpochRow, digest: Option<&DigestRow>) -> Option<Self> {
        let EpochRow { count, declined, sum, pending } = row;
        let is_sound = count > 0 && declined <= count;
        let since = if count < RUNNING_DIGEST_FROM { 0 } else { count % DIGEST_WRITTEN_EVERY };
        if !is_sound || pending.len() as u64 != since {
            return None;
        }
        let digest = match digest {
            None if count < RUNNING_DIGEST_FROM => None,
            Some(written) if count >= RUNNING_DIGEST_FROM && written.count == count - since => {
                let mut digest = LtHash::from_bytes(&written.state)?;
                pending.iter().for_each(|id| digest.add(id));
                Some(digest)
            }
            _ => return None,
        };
        Some(Self { count, declined, sum: Sum::from_bytes(&sum), digest, pending })
    }
}

/// The epochs of all spaces.
pub(super) type Epochs = BTreeMap<(Number, Epoch), EpochState>;

/// What a batch does to an epoch.
#[derive(Debug)]
pub(super) struct EpochChange {
    /// The epoch with the batch.
    pub(super) state: EpochState,
    /// What the batch adds.
    pub(super) members: Vec<(EpochKey, Expanded)>,
}

#[derive(Debug, Default)]
struct SpaceState {
    epochs: BTreeMap<Epoch, EpochState>,
    count: u64,
    declined: u64,
    /// The digest of all epochs; made when it is first asked for.
    running: Option<LtHash>,
}

#[derive(Debug, Default)]
struct States {
    numbers: BTreeMap<SpaceId, Number>,
    spaces: BTreeMap<Number, SpaceState>,
}

impl States {
    fn of(&self, space: SpaceId) -> Option<&SpaceState> {
        self.spaces.get(self.numbers.get(&space)?)
    }
}

/// The sets of all spaces. Readers never wait for more than the bookkeeping of one batch.
#[derive(Debug)]
pub(super) struct KnownSets {
    states: RwLock<States>,
    loaded: Mutex<Loaded>,
    /// The digest of a set without members under the salt for which one was asked last: most authors' spaces have none, and
    /// a greeting names hundreds under one salt.
    empty: Mutex<Option<([u8; 32], Digest)>>,
}

impl Default for KnownSets {
    fn default() -> Self {
        Self { states: RwLock::default(), loaded: Mutex::new(Loaded::new(LOADED_BYTES_MAX)), empty: Mutex::default() }
    }
}

impl KnownSets {
    fn read(&self) -> RwLockReadGuard<'_, States> {
        self.states.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, States> {
        self.states.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loaded epochs. Taken behind the states where both are.
    pub(super) fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts anew with these spaces and epochs.
    pub(super) fn reset(&self, numbers: BTreeMap<SpaceId, Number>, epochs: Epochs) {
        let mut spaces: BTreeMap<Number, SpaceState> = BTreeMap::new();
        for ((number, epoch), state) in epochs {
            let space = spaces.entry(number).or_default();
            space.count += state.count;
            space.declined += state.declined;
            space.epochs.insert(epoch, state);
        }
        let mut states = self.write();
        *states = States { numbers, spaces };
        self.loaded().clear();
    }

    /// Takes over what the index took.
    pub(super) fn publish(&self, numbers: BTreeMap<SpaceId, Number>, changes: BTreeMap<(Number, Epoch), EpochChange>) {
        let mut states = self.write();
        states.numbers.extend(numbers);
        for ((number, epoch), EpochChange { state, members }) in changes {
            let space = states.spaces.entry(number).or_default();
            space.count += members.len() as u64;
            space.declined += state.declined;
            if let Some(before) = space.epochs.insert(epoch, state) {
                space.declined -= before.declined;
            }
            if let Some(running) = &mut space.running {
                members.iter().for_each(|(_, expanded)| running.add_expanded(expanded));
            }
            self.loaded().extend((number, epoch), members.into_iter().map(|(key, _)| key));
        }
    }

    /// The number of a space that has or had known events.
    pub(super) fn number_of(&self, space: SpaceId) -> Option<Number> {
        self.read().numbers.get(&space).copied()
    }

    /// How many events of a space are known.
    pub(super) fn len(&self, space: SpaceId) -> usize {
        self.read().of(space).map_or(0, |space| space.count as usize)
    }

    /// How many events are known in all.
    pub(super) fn total(&self) -> usize {
        self.read().spaces.values().map(|space| space.count as usize).sum()
    }

    /// How many events of a space are declined.
    pub(super) fn declined(&self, space: SpaceId) -> u64 {
        self.read().of(space).map_or(0, |space| space.declined)
    }

    /// The epochs of a space that have members, with how many.
    pub(super) fn epochs(&self, space: SpaceId) -> Vec<(Epoch, u64)> {
        let states = self.read();
        let epochs = states.of(space).into_iter().flat_map(|space| &space.epochs);
        epochs.map(|(epoch, state)| (*epoch, state.count)).collect()
    }

    /// An epoch's state; `None` if it has no members.
    pub(super) fn state(&self, number: Number, epoch: Epoch) -> Option<EpochState> {
        self.read().spaces.get(&number)?.epochs.get(&epoch).cloned()
    }

    /// Every epoch's state.
    pub(super) fn all(&self) -> Epochs {
        let states = self.read();
        let of = |(number, space): (&Number, &SpaceState)| -> Vec<_> {
            space.epochs.iter().map(|(epoch, state)| ((*number, *epoch), state.clone())).collect()
        };
        states.spaces.iter().flat_map(of).collect()
    }

    /// Count and digest of a space, if they are at hand.
    pub(super) fn digest(&self, space: SpaceId, salt: &[u8; 32]) -> Option<(u64, Digest)> {
        let states = self.read();
        match states.of(space) {
            None => Some((0, self.empty_digest(salt))),
            Some(space) => Some((space.count, space.running.as_ref()?.digest(space.count, salt))),
        }
    }

    fn empty_digest(&self, salt: &[u8; 32]) -> Digest {
        let mut last = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((of, digest)) if of == *salt => digest,
            _ => {
                let digest = LtHash::default().digest(0, salt);
                *last = Some((*salt, digest));
                digest
            }
        }
    }

    /// The digest of those epochs of a space that have one, and the other epochs.
    pub(super) fn combined(&self, space: SpaceId) -> (LtHash, Vec<Epoch>) {
        let states = self.read();
        let (mut combined, mut rest) = (LtHash::default(), Vec::new());
        for (epoch, state) in states.of(space).into_iter().flat_map(|space| &space.epochs) {
            match &state.digest {
                Some(digest) => combined.combine(digest),
                None => rest.push(*epoch),
            }
        }
        (combined, rest)
    }

    /// Keeps the digest of a space, which from here on follows its members.
    pub(super) fn keep_running(&self, number: Number, running: LtHash) {
        if let Some(space) = self.write().spaces.get_mut(&number) {
            space.running = Some(running);
        }
    }

    /// The members of an epoch, if they are loaded.
    pub(super) fn members(&self, number: Number, epoch: Epoch) -> Option<Arc<EpochSet>> {
        self.loaded().get((number, epoch))
    }
}
