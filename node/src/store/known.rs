//! The sets of known events, in memory: count, sum, digest and the members' numbers of every epoch, and some epochs whole.
//!
//! The set of a space includes what was declined, retracted or lost, so that local choices never make two honest nodes
//! differ. Made from the entries of the index and the digests in table `h` at the start, and changed with each batch that
//! the index took; only the writer does. What must be read from the index on demand is asked of [`super::sets`].

use super::keys::Number;
use super::loaded::{LOADED_BYTES_MAX, Loaded};
use super::rows::DigestRow;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Digest, Epoch, EpochKey, EpochSet, Expanded, LtHash, Sum};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Sets below this size compute their digest when asked, in 30 microseconds at most; larger ones keep a running one of
/// 2 KiB.
pub(super) const RUNNING_DIGEST_FROM: u64 = 64;

/// Members after which a running digest is written to the index anew: 2 KiB for so many events. A start adds the members
/// since, 1.3 microseconds each.
pub(super) const DIGEST_WRITTEN_EVERY: u64 = 128;

// Only a running digest is written.
const _: () = assert!(RUNNING_DIGEST_FROM <= DIGEST_WRITTEN_EVERY);

/// What is known of an epoch without its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EpochState {
    pub(super) count: u64,
    /// How many of them this node declined.
    pub(super) declined: u64,
    /// Bytes of the log that they take, about.
    pub(super) bytes: u64,
    pub(super) sum: Sum,
    /// Of all members. There from [`RUNNING_DIGEST_FROM`] members on.
    pub(super) digest: Option<LtHash>,
}

impl EpochState {
    /// Adds a member. The digest of an epoch that reaches [`RUNNING_DIGEST_FROM`] with it is the caller's to make.
    pub(super) fn add(&mut self, id: &EventId, expanded: &Expanded) {
        self.count += 1;
        self.sum.add_id(id);
        if let Some(digest) = &mut self.digest {
            digest.add_expanded(expanded);
        }
    }

    /// The digest to be written when the member whose record stands at this position was added, if it is due.
    pub(super) fn due_digest(&self, position: u64) -> Option<DigestRow> {
        let digest = self.digest.as_ref().filter(|_| self.count.is_multiple_of(DIGEST_WRITTEN_EVERY))?;
        let (count, sum) = (self.count, self.sum.to_bytes());
        Some(DigestRow { until: position + 1, count, sum, state: digest.to_bytes() })
    }
}

/// The epochs of all spaces.
pub(super) type Epochs = BTreeMap<(Number, Epoch), EpochState>;

/// The numbers of the members of each epoch of all spaces.
pub(super) type Members = BTreeMap<(Number, Epoch), Vec<Number>>;

/// What a batch does to an epoch.
#[derive(Debug)]
pub(super) struct EpochChange {
    /// The epoch with the batch.
    pub(super) state: EpochState,
    /// What the batch adds.
    pub(super) members: Vec<NewMember>,
}

/// What a batch adds to an epoch.
#[derive(Debug)]
pub(super) struct NewMember {
    pub(super) number: Number,
    pub(super) key: EpochKey,
    pub(super) expanded: Expanded,
}

#[derive(Debug, Default)]
struct SpaceState {
    epochs: BTreeMap<Epoch, EpochState>,
    numbers: BTreeMap<Epoch, Vec<Number>>,
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
    pub(super) fn reset(&self, numbers: BTreeMap<SpaceId, Number>, epochs: Epochs, members: Members) {
        let mut spaces: BTreeMap<Number, SpaceState> = BTreeMap::new();
        for ((number, epoch), mut members) in members {
            members.shrink_to_fit();
            spaces.entry(number).or_default().numbers.insert(epoch, members);
        }
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
                members.iter().for_each(|member| running.add_expanded(&member.expanded));
            }
            space.numbers.entry(epoch).or_default().extend(members.iter().map(|member| member.number));
            self.loaded().extend((number, epoch), members.into_iter().map(|member| member.key));
        }
    }

    /// The number of a space that has or had known events.
    pub(super) fn number_of(&self, space: SpaceId) -> Option<Number> {
        self.read().numbers.get(&space).copied()
    }

    /// Every epoch of the spaces, with the space's number: the first moment first.
    pub(super) fn by_epoch(&self) -> BTreeMap<(Epoch, Number), u64> {
        let states = self.read();
        let of_space = |(number, space): (&Number, &SpaceState)| {
            let number = *number;
            space.epochs.iter().map(move |(epoch, state)| ((*epoch, number), state.bytes)).collect::<Vec<_>>()
        };
        states.spaces.iter().flat_map(of_space).collect()
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

    /// The numbers of an epoch's members.
    pub(super) fn numbers(&self, number: Number, epoch: Epoch) -> Vec<Number> {
        let states = self.read();
        states.spaces.get(&number).and_then(|space| space.numbers.get(&epoch)).cloned().unwrap_or_default()
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
