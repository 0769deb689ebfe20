//! Two sets in memory are compared through real messages, and what was found is held against plain set difference.

use super::*;
use crate::codec;
use crate::id::EventId;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn event(number: u64) -> EventId {
    EventId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// A key at a time that is spread over `span_ms`.
fn spread(number: u64, span_ms: u64) -> SetKey {
    let id = event(number);
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(&id.0).as_bytes();
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]) % span_ms, id)
}

fn sets(keys: impl IntoIterator<Item = SetKey>) -> MemorySets {
    let mut sets = MemorySets::default();
    keys.into_iter().for_each(|key| assert!(sets.insert(key)));
    sets
}

/// What an exchange took.
#[derive(Debug, Default)]
struct Cost {
    bytes: usize,
    rounds: u32,
    comparisons: u32,
    exact: u32,
}

fn count<T: serde::Serialize + serde::de::DeserializeOwned>(value: T, cost: &mut Cost) -> T {
    let bytes = codec::encode_compact(&value);
    cost.bytes += bytes.len();
    codec::decode_compact(&bytes).expect("what was written reads back")
}

/// Moves what was found, as transfers do.
fn exchange(a: &mut MemorySets, b: &mut MemorySets, found: Found) {
    for fetch in found.fetch {
        let keys: Vec<SetKey> = match fetch {
            Fetch::Range { epoch, lower, upper, .. } => keys_in(b, epoch, &lower, &upper),
            Fetch::Picks { epoch, shorts } => {
                let range = |short| {
                    let (lower, upper) = short_range(short);
                    keys_in(b, epoch, &lower, &upper)
                };
                shorts.into_iter().flat_map(range).collect()
            }
        };
        assert!(!keys.is_empty(), "nothing is promised that is not there");
        for key in keys {
            a.insert(key);
        }
    }
    for push in found.push {
        let keys: Vec<SetKey> = match push {
            Push::Range { epoch, lower, upper } => keys_in(a, epoch, &lower, &upper),
            Push::Members { epoch, keys } => keys.iter().map(|key| key.at(epoch)).collect(),
        };
        for key in keys {
            b.insert(key);
        }
    }
}

fn keys_in(sets: &MemorySets, epoch: Epoch, lower: &EpochKey, upper: &EpochKey) -> Vec<SetKey> {
    let keys = sets.with_epoch(epoch, |set| set.tree().range(lower, upper).map(|key| key.at(epoch)).collect());
    keys.unwrap_or_else(|never| match never {})
}

/// Compares and exchanges until the digests agree; panics if that takes more comparisons than a session makes.
fn reconcile(a: &mut MemorySets, b: &mut MemorySets) -> Cost {
    let mut cost = Cost::default();
    let mut exact = BTreeSet::new();
    while cost.comparisons < 4 {
        let salt_key = Salt([u8::try_from(cost.comparisons).unwrap(); 16]).key();
        if a.digest(&salt_key) == b.digest(&salt_key) {
            return cost;
        }
        cost.comparisons += 1;
        cost.exact += u32::from(!exact.is_empty());
        let Ok(theirs) = epoch_entries(b, &salt_key);
        let theirs = count(theirs, &mut cost);
        let Ok((mut comparison, mut found)) = Comparison::start(a, salt_key, &theirs, &exact);
        loop {
            let Ok(probes) = comparison.next(a);
            let Some(probes) = probes else { break };
            let probes = count(probes, &mut cost);
            let findings = answer(b, &salt_key, &probes).expect("own probes are well-formed").findings;
            let more = comparison.take(a, count(findings, &mut cost)).expect("own findings are well-formed");
            found.fetch.extend(more.fetch);
            found.push.extend(more.push);
            cost.rounds += 1;
        }
        exact = comparison.fruitless();
        exchange(a, b, found);
    }
    panic!("still different after {cost:?}");
}

fn check(mut a: MemorySets, mut b: MemorySets) -> Cost {
    let union: BTreeSet<SetKey> = a.iter().chain(b.iter()).collect();
    let cost = reconcile(&mut a, &mut b);
    assert!(a.iter().eq(union.iter().copied()));
    assert!(b.iter().eq(union.iter().copied()));
    cost
}

const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

#[test]
fn equal_sets_exchange_nothing() {
    let a = sets((0..5000).map(|number| spread(number, YEAR_MS)));
    assert_eq!(check(a.clone(), a).bytes, 0);
}

#[test]
fn an_empty_set_gets_all_and_gives_nothing() {
    let b = sets((0..20_000).map(|number| spread(number, YEAR_MS)));
    check(MemorySets::default(), b.clone());
    let cost = check(b, MemorySets::default());
    assert_eq!(cost.rounds, 0, "the epochs alone tell");
}

#[test]
fn few_scattered_differences_of_many_events_cost_little() {
    for (ours, theirs) in [(0, 100), (100, 0), (50, 50)] {
        let common = (0..100_000).map(|number| spread(number, YEAR_MS));
        let a = sets(common.clone().chain((200_000..200_000 + ours).map(|number| spread(number, YEAR_MS))));
        let b = sets(common.chain((300_000..300_000 + theirs).map(|number| spread(number, YEAR_MS))));
        let cost = check(a, b);
        assert_eq!(cost.comparisons, 1, "{cost:?}");
        assert!(cost.bytes <= 10_000 && cost.rounds <= 6, "{cost:?}");
    }
}

#[test]
fn a_gap_costs_no_more_for_many_events_than_for_few() {
    let key = |number: u64| (YEAR_MS / 100_000 * number, event(number));
    for gap in [100, 10_000] {
        let cost = check(sets((0..100_000 - gap).map(key)), sets((0..100_000).map(key)));
        assert!(cost.bytes <= 1200 && cost.rounds <= 2, "{cost:?}");
    }
}

#[test]
fn more_differences_than_a_sketch_tells_are_found_by_ranges() {
    let span = EPOCH_MS;
    let a = sets((0..20_000).map(|number| spread(number, span)));
    let b = sets((10_000..30_000).map(|number| spread(number, span)));
    check(a, b);
}

#[test]
fn events_of_one_millisecond_are_told_apart() {
    let a = sets((0..3000).map(|number| (77, event(number))));
    let b = sets((1000..4000).map(|number| (77, event(number))));
    check(a, b);
}

#[test]
fn sets_whose_short_names_were_forged_converge() {
    let forged = |last: u8| {
        let mut id = [7; 32];
        id[31] = last;
        (5, EventId(id))
    };
    for common in [0_u64, 10, 5000] {
        let members = (0..common).map(|number| spread(number, EPOCH_MS)).collect::<Vec<_>>();
        let a = sets(members.iter().copied().chain([forged(1), forged(3)]));
        let b = sets(members.iter().copied().chain([forged(2)]));
        assert!(check(a, b).exact <= 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_two_sets_converge(
        common in 0_u64..3000, ours in 0_u64..200, theirs in 0_u64..200, span in prop_oneof![
            Just(1_u64), Just(50), Just(EPOCH_MS), Just(YEAR_MS)
        ],
    ) {
        let keys = |from: u64, many: u64| (from..from + many).map(move |number| spread(number, span));
        check(sets(keys(0, common).chain(keys(10_000, ours))), sets(keys(0, common).chain(keys(20_000, theirs))));
    }

    #[test]
    fn any_findings_are_refused_or_taken(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // No answer of a stranger makes the asking side panic, or look at more than its own ranges.
        let Ok(findings) = codec::decode_compact::<Vec<Finding>>(&bytes) else { return Ok(()) };
        let a = sets((0..2000).map(|number| spread(number, EPOCH_MS)));
        let entry = EpochEntry { epoch: 0, count: 2500, fingerprint: [0; 8] };
        let Ok((mut comparison, _)) = Comparison::start(&a, [1; 32], &[entry], &BTreeSet::new());
        let Ok(_) = comparison.next(&a);
        let _ = comparison.take(&a, findings);
    }
}

#[test]
fn a_liar_ends() {
    // It calls every range different and splits it in two, for ever.
    let a = sets((0..5000).map(|number| spread(number, EPOCH_MS)));
    let entry = EpochEntry { epoch: 0, count: 9999, fingerprint: [0; 8] };
    let Ok((mut comparison, _)) = Comparison::start(&a, [1; 32], &[entry], &BTreeSet::new());
    let mut asked = 0_usize;
    loop {
        let Ok(probes) = comparison.next(&a);
        let Some(probes) = probes else { break };
        asked += probes.len();
        let lie = |probe: &Probe| match &probe.ask {
            Ask::Split(children) => {
                let part = |place: usize| {
                    let child = &children[place];
                    (u16::try_from(place).unwrap(), Differs::Split(vec![Child { count: 5000, ..child.clone() }]))
                };
                Finding::Split((0..children.len()).map(part).collect())
            }
            _ => Finding::Later,
        };
        comparison.take(&a, probes.iter().map(lie).collect()).expect("a lie in due form");
    }
    assert!(comparison.rounds() <= ROUNDS_MAX && asked < 1_000_000);
}
