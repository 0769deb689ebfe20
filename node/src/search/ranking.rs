//! The best so many documents behind a place, in one of two orders.
//!
//! A place is what decides the order: score, time and id, or time and id. It is a cursor as well: the next page is what stands
//! strictly behind the last place of this one.

use super::fields::{CREATED, TIE};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// What fits best first: BM25, a word of the title and a word that stands there as asked count more.
    #[default]
    Relevance,
    /// Newest first.
    New,
}

/// A place in an order: the greatest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The bits of a score, which is no less than zero: they have its order. 0 where none counts.
    score: u32,
    created_ms: u64,
    tie: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:08x}-{:016x}-{:016x}", self.score, self.created_ms, self.tie)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits);
            part.filter(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit())).ok_or(())
        };
        let score = u32::from_str_radix(part(8)?, 16).map_err(|_| ())?;
        let created_ms = u64::from_str_radix(part(16)?, 16).map_err(|_| ())?;
        let tie = u64::from_str_radix(part(16)?, 16).map_err(|_| ())?;
        if parts.next().is_some() { Err(()) } else { Ok(Self { score, created_ms, tie }) }
    }
}

/// Collects the best.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    pub(super) sort: Sort,
    /// Only what stands behind it.
    pub(super) behind: Option<Place>,
    pub(super) limit: usize,
}

/// The best of it, best first, and how many documents there are in all, also those before the place.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    pub(super) best: Vec<(Place, DocAddress)>,
    pub(super) found: u64,
}

/// The best of a segment.
pub(super) struct BestOfSegment {
    by: Best,
    segment: SegmentOrdinal,
    created: Column<u64>,
    tie: Column<u64>,
    /// The least of the best on top.
    heap: BinaryHeap<Reverse<(Place, DocId)>>,
    found: u64,
}

impl Collector for Best {
    type Fruit = Ranked;
    type Child = BestOfSegment;

    fn for_segment(&self, segment: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<BestOfSegment> {
        let fields = reader.fast_fields();
        let (created, tie) = (fields.u64(CREATED)?, fields.u64(TIE)?);
        Ok(BestOfSegment { by: *self, segment, created, tie, heap: BinaryHeap::new(), found: 0 })
    }

    fn requires_scoring(&self) -> bool {
        self.sort == Sort::Relevance
    }

    fn merge_fruits(&self, segments: Vec<Ranked>) -> tantivy::Result<Ranked> {
        let mut all = Ranked::default();
        for segment in segments {
            all.found += segment.found;
            all.best.extend(segment.best);
        }
        all.best.sort_unstable_by_key(|(place, address)| (Reverse(*place), *address));
        all.best.truncate(self.limit);
        Ok(all)
    }
}

impl SegmentCollector for BestOfSegment {
    type Fruit = Ranked;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.found += 1;
        let score = match self.by.sort {
            Sort::Relevance => score.max(0.0).to_bits(),
            Sort::New => 0,
        };
        let first = |column: &Column<u64>| column.first(doc).unwrap_or(0);
        let place = Place { score, created_ms: first(&self.created), tie: first(&self.tie) };
        if self.by.behind.is_some_and(|behind| place >= behind) {
            return;
        }
        if self.heap.len() < self.by.limit {
            self.heap.push(Reverse((place, doc)));
        } else if let Some(mut least) = self.heap.peek_mut()
            && least.0.0 < place
        {
            *least = Reverse((place, doc));
        }
    }

    fn harvest(self) -> Ranked {
        let address = |doc| DocAddress::new(self.segment, doc);
        let best = self.heap.into_iter().map(|Reverse((place, doc))| (place, address(doc))).collect();
        Ranked { best, found: self.found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_as_it_was_written_and_nothing_else_is_one() {
        let place = Place { score: 1.5_f32.to_bits(), created_ms: 7, tie: u64::MAX };
        assert_eq!(place.to_string().parse(), Ok(place));
        for other in ["", "1-2-3", "00000000-0000000000000000-000000000000000g", "é", &format!("{place}-1")] {
            assert_eq!(other.parse::<Place>(), Err(()), "{other}");
        }
    }

    #[test]
    fn a_greater_score_a_later_time_and_a_greater_id_come_first() {
        let place = |score: f32, created_ms, tie| Place { score: score.to_bits(), created_ms, tie };
        assert!(place(2.0, 0, 0) > place(1.5, 9, 9));
        assert!(place(1.0, 2, 0) > place(1.0, 1, 9));
        assert!(place(1.0, 1, 2) > place(1.0, 1, 1));
    }
}
