//! Two sets are compared through real messages, and what they find is held against plain set difference and against the
//! `negentropy` crate; also where sums were forged, which that crate does not see.

use roda_protocol::id::EventId;
use roda_protocol::reconcile::{EPOCH_MS, EpochKey, MemorySets, SetKey, Sets as _, Sum};
use roda_tests::chance::Chance;
use roda_tests::exchange::{Ended, compare, converge, fetched, pushed, salt};
use roda_tests::negentropy;
use roda_tests::pairs::{BEGIN_MS, Pair, Placement, YEAR_MS, pair, sets, spread};
use std::collections::BTreeSet;

/// Pairs that are compared.
const PAIRS: usize = 150;

/// Members of the largest.
const MEMBERS_MAX: usize = 5000;

const PLACEMENTS: [Placement; 5] =
    [Placement::End, Placement::EndThere, Placement::Scattered, Placement::Recent, Placement::BothSides];

/// From all in one millisecond to many epochs.
const SPANS_MS: [u64; 5] = [1, 1000, EPOCH_MS, 4 * EPOCH_MS, YEAR_MS];

fn any_pair(chance: &mut Chance) -> Pair {
    let span_ms = SPANS_MS[chance.below(SPANS_MS.len())];
    let most = [20, 300, MEMBERS_MAX][chance.below(3)];
    // Of many in one millisecond two could have one short name, which one comparison does not tell apart.
    let most = if span_ms == 1 { most.min(300) } else { most };
    let members = chance.below(most + 1);
    let union = spread(members, span_ms, chance);
    let few = [members, 3, 40, 400][chance.below(4)].min(members);
    let differing = chance.below(few + 1);
    pair(&union, differing, PLACEMENTS[chance.below(PLACEMENTS.len())], chance)
}

fn ids<'a>(keys: impl IntoIterator<Item = &'a SetKey>) -> BTreeSet<EventId> {
    keys.into_iter().map(|(_, id)| *id).collect()
}

#[test]
fn what_a_comparison_finds_is_the_set_difference_and_what_negentropy_finds() {
    let mut chance = Chance::new("oracle");
    for _ in 0..PAIRS {
        let pair = any_pair(&mut chance);
        let (asking, asked) = (sets(&pair.asking), sets(&pair.asked));
        let (known, _) = compare(&asking, &asked, salt(&mut chance), &BTreeSet::new());
        let need = ids(&known.found.fetch.iter().flat_map(|fetch| fetched(&asked, fetch)).collect::<Vec<_>>());
        let have = ids(&known.found.push.iter().flat_map(|push| pushed(&asking, push)).collect::<Vec<_>>());
        assert_eq!(known.is_equal, pair.asking == pair.asked);
        let (ours, theirs) = (ids(&pair.asking), ids(&pair.asked));
        assert_eq!(need, theirs.difference(&ours).copied().collect());
        assert_eq!(have, ours.difference(&theirs).copied().collect());
        let by_other = negentropy::compare(&negentropy::storage(&pair.asking), &negentropy::storage(&pair.asked)).0;
        assert_eq!((need, have), (by_other.need, by_other.have));
    }
}

#[test]
fn two_sets_converge_in_one_comparison() {
    let mut chance = Chance::new("oracle");
    for _ in 0..PAIRS {
        let pair = any_pair(&mut chance);
        let ended = check(&pair, &mut chance);
        assert!(ended.runs <= 1, "{ended:?}");
    }
}

/// Brings two sets to agree; fails if both are not their union then.
fn check(pair: &Pair, chance: &mut Chance) -> Ended {
    let union: BTreeSet<SetKey> = pair.asking.iter().chain(&pair.asked).copied().collect();
    let (mut asking, mut asked) = (sets(&pair.asking), sets(&pair.asked));
    let ended = converge(&mut asking, &mut asked, chance);
    assert!(ended.is_equal, "{ended:?}");
    assert!(asking.iter().eq(union.iter().copied()) && asked.iter().eq(union.iter().copied()));
    ended
}

/// The place of the forged ids: one millisecond.
const FORGED_MS: u64 = 1_700 * EPOCH_MS;

/// Two sets of ids of one sum, as `tests/data/README.md` says.
fn forged() -> Pair {
    let bytes = include_bytes!("../data/wagner.bin");
    let (mut asking, mut asked) = (Vec::new(), Vec::new());
    for (list, number) in (0_u32..).zip(bytes.as_chunks::<3>().0) {
        let [low, middle, high] = *number;
        let number = u32::from_le_bytes([low, middle, high, 0]);
        let hash = blake3::hash(&[&list.to_le_bytes()[..], &number.to_le_bytes(), b"evnonce!"].concat());
        let side = if list % 2 == 0 { &mut asking } else { &mut asked };
        side.push((FORGED_MS, EventId(*hash.as_bytes())));
    }
    asking.sort_unstable();
    asked.sort_unstable();
    Pair { asking, asked }
}

/// The forged sets, each with these beside them.
fn forged_beside(common: &[SetKey]) -> Pair {
    let Pair { mut asking, mut asked } = forged();
    for side in [&mut asking, &mut asked] {
        side.extend(common);
        side.sort_unstable();
    }
    Pair { asking, asked }
}

/// The sum of the forged ids' epoch, and how many it has.
fn summary(sets: &MemorySets) -> (u64, Sum) {
    let (epoch, _) = EpochKey::of(&(FORGED_MS, EventId([0; 32])));
    let Ok(total) = sets.with_epoch(epoch, |set| set.tree().total());
    (total.count, total.sum)
}

/// Whether sums and counts are equal although no id is, and whether that is all that negentropy sees.
fn check_forgery(pair: &Pair) {
    assert_eq!(summary(&sets(&pair.asking)), summary(&sets(&pair.asked)), "the sum is forged");
    let (difference, _) = negentropy::compare(&negentropy::storage(&pair.asking), &negentropy::storage(&pair.asked));
    assert_eq!(difference, negentropy::Difference::default(), "negentropy is fooled");
}

#[test]
fn forged_sums_alone_and_beside_many_events_do_not_hide_a_difference() {
    let mut chance = Chance::new("oracle");
    let forged = forged();
    assert!(ids(&forged.asking).is_disjoint(&ids(&forged.asked)));
    assert_eq!((forged.asking.len(), forged.asked.len()), (16_384, 16_384));
    assert_eq!(summary(&sets(&forged.asking)), summary(&sets(&forged.asked)), "the sum is forged");
    check(&forged, &mut chance);
    let beside = forged_beside(&spread_from(FORGED_MS, 100_000, YEAR_MS, &mut chance));
    check(&beside, &mut chance);
}

#[test]
fn forged_sums_that_fit_one_part_of_a_split_are_listed() {
    // So many events in the epoch that its first part holds all of the forged: no sum that is sent tells.
    let mut chance = Chance::new("oracle");
    let pair = forged_beside(&spread_from(FORGED_MS + 1, 300_000, EPOCH_MS - 1, &mut chance));
    check_forgery(&pair);
    let ended = check(&pair, &mut chance);
    assert_eq!(ended.listed, 1, "{ended:?}");
}

/// Members from this time on.
fn spread_from(begin_ms: u64, members: usize, span_ms: u64, chance: &mut Chance) -> Vec<SetKey> {
    let moved = |(created_ms, id): SetKey| (begin_ms + (created_ms - BEGIN_MS), id);
    spread(members, span_ms, chance).into_iter().map(moved).collect()
}
