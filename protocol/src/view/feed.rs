//! The order of threads in a feed, by integers only, so that equal sets and equal `now` give equal orders everywhere.
//!
//! Each order has a formula that people can read ([`FeedSort::formula`]) and numbers that show how it came to a place
//! ([`Place`]). Votes are raw: one per author, nobody's weighs more, and whoever makes many keys makes many votes.

use crate::id::EventId;
use std::collections::BTreeMap;

/// Each doubling of 1 + |score| is worth so much time in `hot`, milliseconds: four hours, so that a thread with 63 votes stands
/// level with one that is a day younger and has none.
pub const HOT_DOUBLING_MS: i64 = 4 * 60 * 60 * 1000;

/// The unit by which an author's further threads stand back in `balanced`, milliseconds: six hours. The second thread stands
/// back one unit, the next ones 3, 6, 10 and so on: a week's page holds eight threads of whoever floods it.
pub const BALANCE_UNIT_MS: i64 = 6 * 60 * 60 * 1000;

/// What a feed knows of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedStats {
    /// The post.
    pub id: EventId,
    /// Who wrote it: any number, as long as equal authors have equal ones.
    pub author: u32,
    /// The post's claimed time, unix milliseconds.
    pub created_ms: u64,
    /// The greatest claimed time of the post and its comments that is not ahead of the reader's clock.
    pub active_ms: u64,
    /// Votes up less votes down on the post: raw, one per author. A reader's own points count as votes.
    pub score: i64,
}

/// A published order of threads; the first is shown first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FeedSort {
    /// Newest post first.
    #[default]
    New,
    /// Newest comment or post first.
    Active,
    /// Highest score first, newer first among equals.
    Top,
    /// Score and age together.
    Hot,
    /// As hot, and no few authors fill a page.
    Balanced,
}

/// A thread's place; greater keys come first. A total order: ids break ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedKey(i64, u64, EventId);

/// A thread's place, with the numbers that put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the threads that were handed over.
    pub index: usize,
    /// What is compared: greater keys come first.
    pub key: FeedKey,
    /// What the score is worth in `hot`, milliseconds; may be negative.
    pub votes_ms: i64,
    /// In `balanced`: how many threads of the same author stand higher in `hot`.
    pub same_author_above: u32,
    /// In `balanced`: how far it stands back for them, milliseconds.
    pub back_ms: i64,
}

impl FeedSort {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::New, Self::Active, Self::Top, Self::Hot, Self::Balanced];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Top => "top",
            Self::Hot => "hot",
            Self::Balanced => "balanced",
        }
    }

    /// The order with this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.word() == word)
    }

    /// How it is computed, for a reader.
    #[must_use]
    pub fn formula(self) -> &'static str {
        match self {
            Self::New => "the post's time; newest first",
            Self::Active => "the time of the newest comment, or of the post; newest first",
            Self::Top => {
                "score, highest first; among equals the newer first. Score: authors who voted up less those who voted down"
            }
            Self::Hot => {
                "the post's time + 4 hours x log2(1 + |score|), subtracted if the score is below 0; greatest first: each doubling \
                 of 1 + score counts as four hours"
            }
            Self::Balanced => {
                "hot - 6 hours x k(k+1)/2, where k is how many threads of the same author stand higher in hot; greatest first: an \
                 author's second thread stands back 6 hours, the third 18, the fourth 36"
            }
        }
    }

    /// Whether all threads must be known to tell the place of one, or votes count.
    #[must_use]
    pub fn counts_votes(self) -> bool {
        matches!(self, Self::Top | Self::Hot | Self::Balanced)
    }

    /// The threads in this order for a reader whose clock shows `now_ms`. A date ahead of that clock counts as now, so that
    /// nobody stays on top by dating ahead.
    #[must_use]
    pub fn order(self, threads: &[FeedStats], now_ms: u64) -> Vec<Place> {
        let mut places: Vec<Place> =
            threads.iter().enumerate().map(|(index, stats)| self.place(index, stats, now_ms)).collect();
        places.sort_unstable_by_key(|place| std::cmp::Reverse(place.key));
        if self == Self::Balanced {
            stand_back(&mut places, threads);
            places.sort_unstable_by_key(|place| std::cmp::Reverse(place.key));
        }
        places
    }

    /// The place of a thread, regardless of others.
    fn place(self, index: usize, stats: &FeedStats, now_ms: u64) -> Place {
        let created = stats.created_ms.min(now_ms);
        let votes_ms = votes_ms(stats.score);
        let key = match self {
            Self::New => FeedKey(0, created, stats.id),
            Self::Active => FeedKey(0, stats.active_ms.min(now_ms), stats.id),
            Self::Top => FeedKey(stats.score, created, stats.id),
            Self::Hot | Self::Balanced => {
                let created_ms = i64::try_from(created).unwrap_or(i64::MAX);
                FeedKey(created_ms.saturating_add(votes_ms), created, stats.id)
            }
        };
        Place { index, key, votes_ms, same_author_above: 0, back_ms: 0 }
    }
}

/// Moves an author's further threads back. The places are in the order of `hot`.
fn stand_back(places: &mut [Place], threads: &[FeedStats]) {
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    for place in places {
        let above = seen.entry(threads[place.index].author).or_default();
        let k = i64::from(*above);
        place.same_author_above = *above;
        place.back_ms = BALANCE_UNIT_MS.saturating_mul(k * (k + 1) / 2);
        place.key.0 = place.key.0.saturating_sub(place.back_ms);
        *above += 1;
    }
}

/// What a score is worth in `hot`: [`HOT_DOUBLING_MS`] times the binary logarithm of 1 + |score|, with the score's sign.
fn votes_ms(score: i64) -> i64 {
    let logarithm = i64::from(log2_q16(score.unsigned_abs().saturating_add(1)));
    score.signum() * ((HOT_DOUBLING_MS * logarithm) >> 16)
}

/// The binary logarithm in units of 2^-16, rounded down. Of 0 it is 0.
fn log2_q16(number: u64) -> u32 {
    let Some(whole) = number.checked_ilog2() else { return 0 };
    // In [1, 2), with 63 binary places. Squaring doubles the logarithm: each carry is its next binary place.
    let mut mantissa = u128::from(number) << (63 - whole);
    let mut result = whole;
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 63;
        let carry = u32::from(mantissa >> 64 != 0);
        mantissa >>= carry;
        result = result << 1 | carry;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 60 * 60 * 1000;
    const NOW_MS: u64 = 1_000 * HOUR_MS;

    fn thread(number: u8, author: u32, hours_ago: u64, score: i64) -> FeedStats {
        let created_ms = NOW_MS - hours_ago * HOUR_MS;
        FeedStats { id: EventId([number; 32]), author, created_ms, active_ms: created_ms, score }
    }

    fn order(sort: FeedSort, threads: &[FeedStats]) -> Vec<u8> {
        sort.order(threads, NOW_MS).into_iter().map(|place| threads[place.index].id.0[0]).collect()
    }

    #[test]
    fn a_doubling_of_the_score_counts_as_four_hours() {
        let threads = [thread(1, 1, 12, 7), thread(2, 2, 0, 0), thread(3, 3, 11, 7), thread(4, 4, 13, 7)];
        assert_eq!(order(FeedSort::Hot, &threads), [3, 2, 1, 4]);
        assert_eq!(votes_ms(7), 3 * HOT_DOUBLING_MS);
        assert_eq!(votes_ms(-7), -3 * HOT_DOUBLING_MS);
        assert_eq!(votes_ms(0), 0);
    }

    #[test]
    fn the_logarithm_is_exact_to_its_last_place() {
        for number in [1_u64, 2, 3, 5, 7, 10, 100, 12_345, u64::from(u32::MAX), u64::MAX] {
            let exact = (number as f64).log2() * 65536.0;
            let error = exact - f64::from(log2_q16(number));
            assert!((-0.01..1.01).contains(&error), "{number}: {error}");
        }
        assert_eq!(log2_q16(0), 0);
    }

    #[test]
    fn an_author_who_floods_a_board_does_not_fill_a_balanced_page() {
        let mut threads: Vec<FeedStats> = (0..150).map(|number| thread(number, 1, 0, 0)).collect();
        threads.extend((0..24).map(|number| thread(200 + number, 2 + u32::from(number), u64::from(number) * 7 + 1, 0)));
        let of_flood = |sort: FeedSort| {
            let page = sort.order(&threads, NOW_MS).into_iter().take(30);
            page.filter(|place| threads[place.index].author == 1).count()
        };
        assert_eq!(of_flood(FeedSort::Hot), 30);
        assert_eq!(of_flood(FeedSort::Balanced), 7);
    }

    #[test]
    fn what_stands_back_says_for_what() {
        let threads = [thread(1, 1, 1, 0), thread(2, 1, 2, 0), thread(3, 1, 3, 0), thread(4, 2, 4, 0)];
        let places = FeedSort::Balanced.order(&threads, NOW_MS);
        let said: Vec<_> = places.iter().map(|place| (place.index, place.same_author_above, place.back_ms)).collect();
        assert_eq!(said, [(0, 0, 0), (3, 0, 0), (1, 1, BALANCE_UNIT_MS), (2, 2, 3 * BALANCE_UNIT_MS)]);
    }

    #[test]
    fn an_order_does_not_depend_on_how_the_threads_are_handed_over() {
        let threads: Vec<FeedStats> = (0..100)
            .map(|number: u8| thread(number, u32::from(number % 7), u64::from(number % 5), i64::from(number % 3)))
            .collect();
        let mut turned = threads.clone();
        turned.reverse();
        for sort in FeedSort::ALL {
            assert_eq!(order(sort, &threads), order(sort, &turned), "{}", sort.word());
        }
    }

    #[test]
    fn a_date_ahead_of_the_clock_counts_as_now() {
        let mut ahead = thread(1, 1, 0, 0);
        ahead.created_ms = u64::MAX;
        ahead.active_ms = u64::MAX;
        for sort in [FeedSort::New, FeedSort::Active, FeedSort::Top, FeedSort::Hot] {
            assert_eq!(order(sort, &[ahead, thread(2, 2, 0, 0)]), [2, 1], "{}", sort.word());
        }
    }

    #[test]
    fn every_order_is_found_by_its_word_and_says_its_formula() {
        for sort in FeedSort::ALL {
            assert_eq!(FeedSort::of_word(sort.word()), Some(sort));
            assert!(sort.formula().len() > 20);
        }
        assert_eq!(FeedSort::of_word("best"), None);
    }
}
