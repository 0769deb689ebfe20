//! How many symbols of a sketch to ask for, from what counts and symbols tell of the size of a difference.
//!
//! Choices of the side that asks: too few cost a round trip, too many cost bytes, and neither changes what is found.

use super::sketch::{Peeled, SYMBOLS_MAX, Sketch, Symbol, estimate};
use super::{EpochKey, EpochSet};

/// Epochs whose counts differ by no more than this are sketched at once; a greater gap is more often in one place, which
/// ranges find in fewer bytes.
pub(super) const SKETCH_FIRST_MAX: u64 = 32;

/// Symbols that are asked beside those for the known difference: enough for a few on both sides.
const SYMBOLS_SPARE: u64 = 12;

/// So many differences take two symbols each, more take 1.4: the fewer there are, the more depends on luck. Measured: with
/// these and the spare ones 98 % of small sketches and 99.7 % of large ones tell all.
const UNLUCKY_MAX: u64 = 32;

/// Further symbols of a large sketch, for which another round trip costs more than they do.
const LARGE_SPARE: u64 = 20;

/// A sketch that told too little is asked for up to so many times its symbols: then the estimate that they give is
/// better, too.
const GROWTH_MAX: usize = 8;

/// Symbols from which on an estimate is good enough to give a sketch up.
const TRUSTED_FROM: usize = 64;

/// Symbols that tell so many differences, as a rule.
pub(super) fn symbols_of(differences: u64) -> usize {
    let few = differences.min(UNLUCKY_MAX);
    let more = differences - few;
    let spare = SYMBOLS_SPARE + LARGE_SPARE.min(more / 2);
    let symbols = (spare + 2 * few).saturating_add(more.saturating_mul(7) / 5);
    usize::try_from(symbols).unwrap_or(usize::MAX)
}

/// By how many of two counts the first is greater, as far as a sketch cares.
pub(super) fn ahead(ours: u64, theirs: u64) -> i64 {
    let difference = i64::from(u32::try_from(ours.abs_diff(theirs)).unwrap_or(u32::MAX));
    if ours < theirs { -difference } else { difference }
}

/// What a number of events is seldom above if so many are expected.
pub(super) fn at_most(expected: u64) -> u64 {
    expected + 2 * expected.isqrt()
}

/// Symbols that a set of so many members keeps.
pub(super) fn symbols_kept(members: u64) -> usize {
    usize::try_from(members).map_or(SYMBOLS_MAX, Sketch::symbols_for)
}

/// Differences that a pair of counts of the same time is expected to hide. If both sides lack something, the difference
/// of two counts goes up and down like a walk, and the square of it is about the number of its steps.
pub(super) fn hidden(counts: impl Iterator<Item = (u64, u64)>) -> u64 {
    let (mut ahead, mut behind, mut squares, mut many) = (false, false, 0_u64, 0_u64);
    for (ours, theirs) in counts {
        let difference = ours.abs_diff(theirs);
        ahead |= ours > theirs;
        behind |= ours < theirs;
        if difference <= SKETCH_FIRST_MAX {
            squares += difference * difference;
            many += 1;
        }
    }
    if ahead && behind { squares / many.max(1) } else { 0 }
}

/// Symbols that tell the difference of which every part's counts are known.
pub(super) fn symbols_for(set: &EpochSet, parts: &[(EpochKey, EpochKey)], theirs: &[u64]) -> usize {
    let counts =
        |((lower, upper), theirs): (&(EpochKey, EpochKey), &u64)| (set.tree().summary(lower, upper).count, *theirs);
    let counts: Vec<(u64, u64)> = parts.iter().zip(theirs).map(counts).collect();
    let hidden = hidden(counts.iter().copied());
    let differences = counts.iter().map(|(ours, theirs)| ours.abs_diff(*theirs).max(hidden).max(1));
    symbols_of(differences.fold(0, u64::saturating_add))
}

/// How many symbols to ask for after those of the other side told too little; none if a sketch won't tell.
pub(super) fn longer(
    ours: &[Symbol],
    theirs: &[Symbol],
    peeled: &Peeled,
    (asked, ahead): (usize, i64),
) -> Option<usize> {
    let is_all = theirs.len() < asked || theirs.len() >= ours.len();
    if is_all {
        return None;
    }
    let told = (peeled.ours.len() + peeled.theirs.len()) as u64;
    let estimate = estimate(ours, theirs, ahead);
    let wanted = symbols_of(estimate.saturating_add(estimate / 8).max(told));
    if theirs.len() >= TRUSTED_FROM && wanted > 2 * ours.len() {
        return None;
    }
    let least = theirs.len() + (theirs.len() / 4).max(8);
    Some(wanted.clamp(least, (theirs.len() * GROWTH_MAX).max(least)).min(ours.len()))
}
