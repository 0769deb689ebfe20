//! Pairs of sets whose difference is known, made from a seed.

use crate::chance::Chance;
use roda_protocol::id::EventId;
use roda_protocol::reconcile::{MemorySets, SetKey};

/// A year: the time over which events are spread.
pub const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// Where that begins: 2026, as events of a real board would have it.
pub const BEGIN_MS: u64 = 1_767_225_600_000;

/// Where the differences of a pair stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The asking side lacks the newest: it was offline.
    End,
    /// The other side lacks the newest.
    EndThere,
    /// The asking side lacks events from all over the year.
    Scattered,
    /// The asking side lacks events, 90 % of them the newest and the others from all over the year.
    Recent,
    /// Each side lacks half, from all over the year.
    BothSides,
}

/// Two sets, by their members in ascending order.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Members of the side that asks.
    pub asking: Vec<SetKey>,
    /// Members of the side that is asked.
    pub asked: Vec<SetKey>,
}

/// So many members, spread evenly over `span_ms`, ascending.
#[must_use]
pub fn spread(members: usize, span_ms: u64, chance: &mut Chance) -> Vec<SetKey> {
    let salt = chance.draw();
    let member = |number: usize, chance: &mut Chance| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&salt.to_le_bytes());
        hasher.update(&(number as u64).to_le_bytes());
        (BEGIN_MS + chance.draw() % span_ms, EventId(*hasher.finalize().as_bytes()))
    };
    let mut keys: Vec<SetKey> = (0..members).map(|number| member(number, chance)).collect();
    keys.sort_unstable();
    keys
}

/// A pair that has the members of `union` together and differs in `differing` of them.
#[must_use]
pub fn pair(union: &[SetKey], differing: usize, placement: Placement, chance: &mut Chance) -> Pair {
    let count = union.len();
    let mut lacking_asking = vec![false; count];
    let mut lacking_asked = vec![false; count];
    match placement {
        Placement::End => lacking_asking[count - differing..].fill(true),
        Placement::EndThere => lacking_asked[count - differing..].fill(true),
        Placement::Scattered => mark(&mut lacking_asking, differing, chance),
        Placement::Recent => {
            let newest = differing * 9 / 10;
            let (older, newer) = lacking_asking.split_at_mut(count - newest);
            newer.fill(true);
            mark(older, differing - newest, chance);
        }
        Placement::BothSides => {
            let mut differs = vec![false; count];
            mark(&mut differs, differing, chance);
            let mut places: Vec<usize> = (0..count).filter(|at| differs[*at]).collect();
            for at in (1..places.len()).rev() {
                places.swap(at, chance.below(at + 1));
            }
            let (asking, asked) = places.split_at(differing.div_ceil(2));
            asking.iter().for_each(|at| lacking_asking[*at] = true);
            asked.iter().for_each(|at| lacking_asked[*at] = true);
        }
    }
    let without = |lacking: &[bool]| {
        union.iter().zip(lacking).filter(|(_, lacking)| !**lacking).map(|(key, _)| *key).collect::<Vec<_>>()
    };
    Pair { asking: without(&lacking_asking), asked: without(&lacking_asked) }
}

/// Sets so many places that are not set yet. There must be as many.
fn mark(places: &mut [bool], many: usize, chance: &mut Chance) {
    assert!(places.iter().filter(|place| !**place).count() >= many, "more differences than members");
    let mut left = many;
    while left > 0 {
        let at = chance.below(places.len());
        left -= usize::from(!places[at]);
        places[at] = true;
    }
}

/// A set of these members.
#[must_use]
pub fn sets(keys: &[SetKey]) -> MemorySets {
    let mut sets = MemorySets::default();
    for key in keys {
        assert!(sets.insert(*key), "members are unique");
    }
    sets
}
