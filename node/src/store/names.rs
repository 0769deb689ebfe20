//! From a name to its number, in memory: 12 bytes an entry, some slack, and 96 KiB.
//!
//! Only the first eight bytes of a name are kept. Whoever asks compares the whole name; two that begin alike are rare, and
//! making them costs 2^32 hashes a pair.

use std::hash::{BuildHasher, RandomState};

/// The first bytes of a name, and its number: in this order they sort by name.
type Item = [u8; 12];

/// Bytes of a name that are kept.
const KEPT_BYTES: usize = 8;

/// A name's bucket comes from a hash with a secret of this process, so nobody can fill one on purpose. An insert moves half
/// a bucket: 1.5 KB with a million names.
const BUCKETS: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(super) struct Names {
    secret: RandomState,
    buckets: Vec<Vec<Item>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { secret: RandomState::new(), buckets: vec![Vec::new(); BUCKETS] }
    }
}

impl Names {
    fn bucket_of(&self, name: &[u8; 32]) -> usize {
        self.secret.hash_one(first_of(name)) as usize % BUCKETS
    }

    /// Adds a name in its place.
    pub(super) fn insert(&mut self, name: &[u8; 32], number: u32) {
        let bucket = self.bucket_of(name);
        let bucket = &mut self.buckets[bucket];
        make_room(bucket);
        let item = item_of(name, number);
        let at = bucket.partition_point(|other| *other < item);
        bucket.insert(at, item);
    }

    /// Adds a name out of order: nothing is asked before [`Names::sort`].
    pub(super) fn push(&mut self, name: &[u8; 32], number: u32) {
        let bucket = self.bucket_of(name);
        make_room(&mut self.buckets[bucket]);
        self.buckets[bucket].push(item_of(name, number));
    }

    /// Puts all names in order.
    pub(super) fn sort(&mut self) {
        self.buckets.iter_mut().for_each(|bucket| bucket.sort_unstable());
    }

    /// The numbers of names that begin as this one does, ascending.
    pub(super) fn like(&self, name: &[u8; 32]) -> impl Iterator<Item = u32> {
        let bucket = &self.buckets[self.bucket_of(name)];
        let first = first_of(name);
        let at = bucket.partition_point(|other| other[..KEPT_BYTES] < first[..]);
        bucket[at..].iter().take_while(move |other| other[..KEPT_BYTES] == first).map(number_in)
    }

    /// The numbers of names whose kept bytes begin with these, in groups of those that have the same, by those bytes. Looks
    /// at every name: for people's questions.
    pub(super) fn beginning_with(&self, first_bytes: &[u8]) -> Vec<Vec<u32>> {
        let first_bytes = &first_bytes[..first_bytes.len().min(KEPT_BYTES)];
        let all = self.buckets.iter().flatten();
        let mut found: Vec<Item> = all.filter(|item| item.starts_with(first_bytes)).copied().collect();
        found.sort_unstable();
        let groups = found.chunk_by(|one, other| one[..KEPT_BYTES] == other[..KEPT_BYTES]);
        groups.map(|group| group.iter().map(number_in).collect()).collect()
    }
}

/// Grows a bucket by an eighth, so that no more than that is slack.
fn make_room(bucket: &mut Vec<Item>) {
    if bucket.len() == bucket.capacity() {
        bucket.reserve_exact(bucket.len() / 8 + 4);
    }
}

fn first_of(name: &[u8; 32]) -> [u8; KEPT_BYTES] {
    let [a, b, c, d, e, f, g, h, ..] = *name;
    [a, b, c, d, e, f, g, h]
}

fn item_of(name: &[u8; 32], number: u32) -> Item {
    let mut item = [0; 12];
    item[..KEPT_BYTES].copy_from_slice(&first_of(name));
    item[KEPT_BYTES..].copy_from_slice(&number.to_be_bytes());
    item
}

fn number_in(item: &Item) -> u32 {
    u32::from_be_bytes([item[8], item[9], item[10], item[11]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(first: u8, last: u8) -> [u8; 32] {
        let mut name = [first; 32];
        name[31] = last;
        name
    }

    #[test]
    fn names_that_begin_alike_are_all_found_whichever_way_they_came() {
        let (mut one_by_one, mut at_once) = (Names::default(), Names::default());
        for number in 0..3000_u32 {
            let name = name((number % 250) as u8, (number / 250) as u8);
            one_by_one.insert(&name, number);
            at_once.push(&name, number);
        }
        at_once.sort();
        for names in [one_by_one, at_once] {
            let alike: Vec<u32> = names.like(&name(7, 200)).collect();
            assert_eq!(alike, (0..12).map(|round| round * 250 + 7).collect::<Vec<_>>());
            assert_eq!(names.like(&name(251, 0)).count(), 0);
            assert_eq!(names.beginning_with(&[7; 3])[..], std::slice::from_ref(&alike)[..]);
            assert_eq!(names.beginning_with(&[7; 20]), [alike]);
            assert_eq!(names.beginning_with(&[]).iter().map(Vec::len).collect::<Vec<_>>(), [12; 250]);
        }
    }
}
