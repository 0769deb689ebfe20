//! How concentrated a whole is among its holders: authors and posts, peers and deliveries, networks and peers.
//!
//! Integers only, so that the same counts give the same figures everywhere. Each measure answers another question, and none
//! suffices alone:
//!
//! | measure | question | source |
//! | --- | --- | --- |
//! | top-1, top-10 | what do the largest hold? | - |
//! | effective number | to how many equal holders is it comparable? 1 / sum of squared shares | Herfindahl 1950; Laakso and Taagepera 1979 |
//! | Nakamoto number | how few hold more than half? | Srinivasan and Lee 2017 |
//! | Gini | how unequal are the holders among themselves? 0: all equal | Gini 1912; the formula for sorted values |

/// One million parts of a whole.
pub const WHOLE_PPM: u64 = 1_000_000;

/// The figures of a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concentration {
    /// The whole.
    pub total: u64,
    /// Holders of any of it.
    pub holders: u64,
    /// The largest holder's share, in millionths.
    pub top1_ppm: u64,
    /// The ten largest holders' share, in millionths.
    pub top10_ppm: u64,
    /// The effective number of holders, in thousandths.
    pub effective_milli: u64,
    /// The fewest holders that have more than half.
    pub nakamoto: u64,
    /// The Gini coefficient, in millionths: 0 if all holders have the same.
    pub gini_ppm: u64,
}

impl Concentration {
    /// The figures of these holdings; those of nothing do not count as holders.
    #[must_use]
    pub fn of(holdings: impl IntoIterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = holdings.into_iter().filter(|holding| *holding > 0).collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let total: u128 = sorted.iter().map(|holding| u128::from(*holding)).sum();
        if total == 0 {
            return Self::default();
        }
        let share_ppm = |part: u128| ratio(part, total, WHOLE_PPM);
        let largest = |count: usize| sorted.iter().take(count).map(|holding| u128::from(*holding)).sum::<u128>();
        let squares = sorted.iter().fold(0_u128, |sum, holding| sum.saturating_add(u128::from(*holding).pow(2)));
        Self {
            total: u64::try_from(total).unwrap_or(u64::MAX),
            holders: sorted.len() as u64,
            top1_ppm: share_ppm(largest(1)),
            top10_ppm: share_ppm(largest(10)),
            effective_milli: ratio(total.saturating_mul(total), squares, 1000),
            nakamoto: nakamoto(&sorted, total),
            gini_ppm: gini_ppm(&sorted, total),
        }
    }
}

fn nakamoto(descending: &[u64], total: u128) -> u64 {
    let mut sum = 0;
    for (index, holding) in descending.iter().enumerate() {
        sum += u128::from(*holding);
        if 2 * sum > total {
            return index as u64 + 1;
        }
    }
    descending.len() as u64
}

/// Sum over the holders, smallest first and counted from 1, of (2 i - n - 1) x_i, over n times the total.
fn gini_ppm(descending: &[u64], total: u128) -> u64 {
    let count = descending.len() as i128;
    let weighted = descending.iter().rev().zip(1_i128..).fold(0_i128, |sum, (holding, rank)| {
        sum.saturating_add((2 * rank - count - 1).saturating_mul(i128::from(*holding)))
    });
    // The weights are symmetric and the holdings ascend, so the sum is not negative.
    ratio(weighted.unsigned_abs(), total.saturating_mul(descending.len() as u128), WHOLE_PPM)
}

/// `part / whole` in so many parts, rounded to the nearest.
fn ratio(part: u128, whole: u128, parts: u64) -> u64 {
    let scaled = part.saturating_mul(u128::from(parts)).saturating_add(whole / 2);
    u64::try_from(scaled / whole.max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_holders_are_as_many_as_they_are() {
        let four = Concentration::of([5, 5, 5, 5]);
        let expected = Concentration {
            total: 20,
            holders: 4,
            top1_ppm: 250_000,
            top10_ppm: WHOLE_PPM,
            effective_milli: 4000,
            nakamoto: 3,
            gini_ppm: 0,
        };
        assert_eq!(four, expected);
    }

    #[test]
    fn a_worked_example_of_three_and_one() {
        // Shares 3/4 and 1/4: 1 / (9/16 + 1/16) = 1.6; Gini (1 x 3 - 1 x 1) / (2 x 4) = 0.25.
        let figures = Concentration::of([1, 3]);
        assert_eq!((figures.effective_milli, figures.gini_ppm, figures.nakamoto), (1600, 250_000, 1));
        assert_eq!(figures.top1_ppm, 750_000);
    }

    #[test]
    fn a_worked_example_of_one_to_five() {
        // 225 / 55 = 4.0909; Gini of 1..n is (n - 1) / (3 n) = 4/15; 5 + 4 = 9 of 15 are more than half.
        let figures = Concentration::of(1..=5);
        assert_eq!((figures.effective_milli, figures.gini_ppm, figures.nakamoto), (4091, 266_667, 2));
    }

    #[test]
    fn one_holder_of_all_is_one() {
        let figures = Concentration::of([0, 7, 0]);
        assert_eq!((figures.holders, figures.effective_milli, figures.nakamoto, figures.gini_ppm), (1, 1000, 1, 0));
    }

    #[test]
    fn nothing_has_no_figures_and_no_number_is_too_large() {
        assert_eq!(Concentration::of([0, 0]), Concentration::default());
        let huge = Concentration::of([u64::MAX; 3]);
        assert_eq!((huge.holders, huge.nakamoto, huge.total), (3, 2, u64::MAX));
    }
}
