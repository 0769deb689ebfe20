//! The `negentropy` crate on the same sets: an oracle, and what to compare with. Its storage is a sorted vector, and its
//! frames have no limit.

use crate::clock::Laps;
use crate::exchange::Cost;
use ::negentropy::{Id, Item, Negentropy, NegentropyStorageVector};
use roda_protocol::id::EventId;
use roda_protocol::reconcile::SetKey;
use std::collections::BTreeSet;

/// Bytes of memory that a member takes.
pub const MEMBER_BYTES: usize = size_of::<Item>();

/// What the asking side knows at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Members that the other side lacks.
    pub have: BTreeSet<EventId>,
    /// Members that this side lacks.
    pub need: BTreeSet<EventId>,
}

/// The storage of these members.
///
/// # Panics
///
/// Never: a fresh storage takes members until it is sealed.
#[must_use]
pub fn storage(keys: &[SetKey]) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::with_capacity(keys.len());
    for (created_ms, id) in keys {
        storage.insert(*created_ms, Id::from_byte_array(id.0)).expect("it is not sealed");
    }
    storage.seal().expect("it is sealed once");
    storage
}

/// Compares until the asking side knows the difference.
///
/// # Panics
///
/// If the crate refuses its own messages.
#[must_use]
pub fn compare(asking: &NegentropyStorageVector, asked: &NegentropyStorageVector) -> (Difference, Cost) {
    let mut cost = Cost::default();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let mut laps = Laps::start();
    let mut client = Negentropy::borrowed(asking, 0).expect("no limit is a limit");
    let mut server = Negentropy::borrowed(asked, 0).expect("no limit is a limit");
    let mut next = Some(client.initiate().expect("it was not initiated"));
    while let Some(query) = next {
        cost.up += query.len();
        cost.trips += 1;
        cost.asking += laps.lap();
        let answer = server.reconcile(&query).expect("its own query");
        cost.down += answer.len();
        cost.asked += laps.lap();
        next = client.reconcile_with_ids(&answer, &mut have, &mut need).expect("its own answer");
    }
    cost.asking += laps.lap();
    let ids = |ids: Vec<Id>| ids.into_iter().map(|id| EventId(id.to_bytes())).collect();
    (Difference { have: ids(have), need: ids(need) }, cost)
}
