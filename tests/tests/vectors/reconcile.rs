//! Sets, what is derived from them, and the findings for probes that a comparison of two sets makes.

use super::sync::{bound_json, bytes, epochs_json, id};
use super::{check, hex};
use roda_protocol::codec;
use roda_protocol::id::EventId;
use roda_protocol::reconcile::{
    Ask, Bound, Comparison, EPOCH_MS, EpochKey, Fetch, Finding, Found, LtHash, MemorySets, Probe, Push, Salt, SetKey,
    Sets as _, Short, Sketch, Summary, answer, between, epoch_entries, fingerprint, peel, salted_name, short_range,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SALT: Salt = Salt([0x5a; 16]);

/// Findings of more bytes than this are written as their hash.
const WHOLE_BYTES_MAX: usize = 3000;

/// A set as the vectors write it: numbered members, and single ones.
#[derive(Clone, Default)]
struct Rule {
    first: u32,
    count: u32,
    step_ms: u64,
    more: Vec<SetKey>,
}

impl Rule {
    fn json(&self) -> Value {
        let more: Vec<_> = self.more.iter().map(key_json).collect();
        json!({ "first": self.first, "count": self.count, "step_ms": self.step_ms, "more": more })
    }

    fn sets(&self) -> MemorySets {
        let mut sets = MemorySets::default();
        let key = |number: u32| (u64::from(number) * self.step_ms, id(number));
        for key in (self.first..self.first + self.count).map(key).chain(self.more.iter().copied()) {
            assert!(sets.insert(key));
        }
        sets
    }
}

fn key_json(key: &SetKey) -> Value {
    json!([key.0, hex(key.1.0)])
}

fn place_json(key: &EpochKey) -> Value {
    json!([key.offset_ms, hex(key.id.0)])
}

fn lthashes() -> Vec<Value> {
    let of = |count: u32| {
        let mut hash = LtHash::default();
        (0..count).for_each(|number| hash.add(&id(number)));
        let state = hash.to_bytes();
        json!({
            "members": count,
            "first_lanes": hex(&state[..32]),
            "last_lanes": hex(&state[state.len() - 32..]),
            "state_blake3": hex(blake3::hash(&state).as_bytes()),
        })
    };
    [0, 1, 2, 40].map(of).into()
}

fn digests() -> Vec<Value> {
    let of = |(count, step_ms): (u32, u64)| {
        let rule = Rule { count, step_ms, ..Rule::default() };
        let sets = rule.sets();
        let Ok(epochs) = epoch_entries(&sets, &SALT.key());
        json!({
            "set": rule.json(), "salt": hex(SALT.0), "digest": hex(sets.digest(&SALT.key())),
            "epochs": epochs_json(&epochs),
        })
    };
    [(0, 0), (1, 5), (7, EPOCH_MS / 3), (50, 86_400_000)].map(of).into()
}

fn epochs() -> Vec<Value> {
    let times = [0, 1, EPOCH_MS - 1, EPOCH_MS, 1_800_000_000_000, u64::MAX];
    let of = |(number, time): (u32, u64)| {
        let (epoch, place) = EpochKey::of(&(time, id(number)));
        let (first, end) = short_range(place.short());
        json!({
            "time_ms": time, "id": hex(bytes(number)), "epoch": epoch, "offset_ms": place.offset_ms,
            "short": hex(place.short().to_be_bytes()),
            "first": bound_json(&Bound::of(&first)), "end": bound_json(&Bound::of(&end)),
        })
    };
    (0..).zip(times).map(of).collect()
}

fn key(offset_ms: u32, first: &[u8]) -> EpochKey {
    let mut id = [0; 32];
    id[..first.len()].copy_from_slice(first);
    EpochKey { offset_ms, id: EventId(id) }
}

fn bounds() -> Vec<Value> {
    let pairs = [
        (key(5, &[9, 9, 9]), key(6, &[1, 2, 3])),
        (key(5, &[1, 2, 3]), key(5, &[1, 3, 3])),
        (key(5, &[1, 2, 3]), key(5, &[1, 2, 4])),
        (key(5, &[1]), key(5, &[1, 0, 0, 7])),
        (
            key(5, &[9; 32]),
            EpochKey { offset_ms: 5, id: EventId([[9; 31].as_slice(), &[10]].concat().try_into().expect("32")) },
        ),
        (EpochKey::FIRST, key(0, &[1, 2, 4])),
        (key(1_048_575_999, &[255; 32]), EpochKey::END),
    ];
    let of = |(before, member): &(EpochKey, EpochKey)| {
        let place = Bound::of(&between(before, member));
        let bytes = hex(codec::encode_compact(&place));
        json!({ "before": place_json(before), "member": place_json(member), "between": bound_json(&place), "bytes": bytes })
    };
    pairs.iter().map(of).collect()
}

fn fingerprints() -> Vec<Value> {
    let of = |ids: Vec<EventId>| {
        let mut summary = Summary::default();
        for id in &ids {
            summary.sum.add_id(id);
            summary.count += 1;
        }
        let names: Vec<_> =
            ids.iter().map(|id| hex(salted_name(&SALT.key(), &EpochKey { offset_ms: 0, id: *id }))).collect();
        json!({
            "salt": hex(SALT.0), "ids": ids.iter().map(|id| hex(id.0)).collect::<Vec<_>>(),
            "sum": hex(summary.sum.to_bytes()), "fingerprint": hex(fingerprint(&SALT.key(), &summary)),
            "salted_names": names,
        })
    };
    vec![of(vec![]), of(vec![id(1)]), of((0..5).map(id).collect()), of(vec![EventId([255; 32]), EventId([2; 32])])]
}

fn name(number: u32) -> Short {
    EpochKey { offset_ms: number * 1000, id: id(number) }.short()
}

fn sketch(names: impl Iterator<Item = Short>, symbols: usize) -> Sketch {
    let mut sketch = Sketch::new(symbols);
    names.for_each(|name| sketch.insert(name));
    sketch
}

fn names_json(names: impl IntoIterator<Item = Short>) -> Value {
    names.into_iter().map(|name| hex(name.to_be_bytes())).collect()
}

/// One name, its check, and the symbols that it maps to, of the first 4,096.
fn mappings() -> Vec<Value> {
    let of = |name: Short| {
        let sketch = sketch([name].into_iter(), 4096);
        let indices: Vec<usize> =
            (0..).zip(sketch.symbols()).filter(|(_, symbol)| symbol.count == 1).map(|(at, _)| at).collect();
        json!({ "name": hex(name.to_be_bytes()), "check": sketch.symbols()[0].checks, "indices": indices })
    };
    // The last but one leaves the state of the mapping at zero.
    [0, 1, name(7), name(8), 0x526f_6461_206d_6170, u64::MAX].map(of).into()
}

fn sketches() -> Vec<Value> {
    let of = |count: u32, symbols: usize| {
        let sketch = sketch((0..count).map(name), symbols);
        json!({ "names": names_json((0..count).map(name)), "symbols": hex(Sketch::to_bytes(sketch.symbols())) })
    };
    vec![of(0, 2), of(1, 8), of(10, 24), of(300, 4)]
}

fn peels() -> Vec<Value> {
    let of = |ours: std::ops::Range<u32>, theirs: std::ops::Range<u32>, symbols: usize| {
        let (a, b) = (sketch(ours.map(name), symbols), sketch(theirs.map(name), symbols));
        let peeled = peel(a.symbols(), b.symbols());
        let found =
            peeled.is_complete.then(|| json!({ "ours": names_json(peeled.ours), "theirs": names_json(peeled.theirs) }));
        json!({
            "ours": hex(Sketch::to_bytes(a.symbols())), "theirs": hex(Sketch::to_bytes(b.symbols())), "found": found,
        })
    };
    vec![of(0..40, 0..40, 4), of(0..41, 0..40, 4), of(3..50, 0..45, 24), of(0..100, 50..150, 24)]
}

fn findings_json(bytes: &[u8]) -> Value {
    if bytes.len() <= WHOLE_BYTES_MAX {
        json!(hex(bytes))
    } else {
        json!({ "bytes": bytes.len(), "blake3": hex(blake3::hash(bytes).as_bytes()) })
    }
}

/// What is fetched and pushed, as numbers of events: what the whole comparison comes to.
fn outcome(found: &Found, theirs: &MemorySets) -> Value {
    let (mut picked, mut fetched, mut pushed) = (BTreeSet::new(), Vec::new(), Vec::new());
    for fetch in &found.fetch {
        match fetch {
            Fetch::Range { epoch, lower, upper, count } => {
                fetched.push(json!([epoch, place_json(lower), place_json(upper), count]));
            }
            Fetch::Picks { epoch, shorts } => {
                let members = theirs.iter().filter(|key| EpochKey::of(key).0 == *epoch);
                let shorts: BTreeSet<&Short> = shorts.iter().collect();
                picked.extend(
                    members.filter(|key| shorts.contains(&EpochKey::of(key).1.short())).map(|key| hex(key.1.0)),
                );
            }
        }
    }
    let mut members = BTreeSet::new();
    for push in &found.push {
        match push {
            Push::Range { epoch, lower, upper } => pushed.push(json!([epoch, place_json(lower), place_json(upper)])),
            Push::Members { keys, .. } => members.extend(keys.iter().map(|key| hex(key.id.0))),
        }
    }
    json!({ "picked": picked.len(), "fetched_ranges": fetched, "pushed": members.len(), "pushed_ranges": pushed })
}

/// A comparison of two sets, message by message.
fn comparison(name: &str, ours: Rule, theirs: Rule, is_exact: bool) -> Value {
    let (a, b, salt_key) = (ours.sets(), theirs.sets(), SALT.key());
    let Ok(entries) = epoch_entries(&b, &salt_key);
    let exact: BTreeSet<u64> =
        if is_exact { b.epochs().iter().map(|(epoch, _)| *epoch).collect() } else { BTreeSet::new() };
    let Ok((mut comparison, mut found)) = Comparison::start(&a, salt_key, &entries, &exact);
    let mut rounds = Vec::new();
    loop {
        let Ok(probes) = comparison.next(&a);
        let Some(probes) = probes else { break };
        let findings = answer(&b, &salt_key, &probes).expect("own probes are well-formed").findings;
        rounds.push(round(&probes, &findings));
        let more = comparison.take(&a, findings).expect("own findings fit");
        found.fetch.extend(more.fetch);
        found.push.extend(more.push);
    }
    json!({
        "name": name, "salt": hex(SALT.0), "ours": ours.json(), "theirs": theirs.json(), "rounds": rounds,
        "found": outcome(&found, &b),
    })
}

fn round(probes: &Vec<Probe>, findings: &Vec<Finding>) -> Value {
    json!({ "probes": hex(codec::encode_compact(probes)), "findings": findings_json(&codec::encode_compact(findings)) })
}

/// Single questions that a comparison asks rarely.
fn question(name: &str, theirs: Rule, probe: Probe) -> Value {
    let b = theirs.sets();
    let probes = vec![probe];
    let findings = answer(&b, &SALT.key(), &probes).expect("a probe in due form").findings;
    json!({ "name": name, "salt": hex(SALT.0), "theirs": theirs.json(), "rounds": [round(&probes, &findings)] })
}

fn comparisons() -> Vec<Value> {
    let rule = |first, count, step_ms| Rule { first, count, step_ms, more: Vec::new() };
    let extra = |rule: Rule, from: u32, many: u32| {
        let more = (from..from + many).map(|number| (u64::from(number) * 700_000_001 % EPOCH_MS, id(number)));
        Rule { more: more.collect(), ..rule }
    };
    let forged = |rule: Rule, lasts: &[u8]| {
        let mut id = [7; 32];
        let mut key = |last| {
            id[31] = last;
            (5, EventId(id))
        };
        Rule { more: lasts.iter().map(|last| key(*last)).collect(), ..rule }
    };
    let step = EPOCH_MS / 4000;
    let (first, end) = (Bound::of(&EpochKey::FIRST), Bound::of(&EpochKey::END));
    let probe = |lower: &Bound, ask| Probe { epoch: 0, lower: lower.clone(), ask };
    vec![
        comparison("a few members are listed", rule(0, 10, 1000), rule(3, 12, 1000), false),
        comparison("ranges lead to a gap", rule(0, 300, 1000), rule(0, 500, 1000), false),
        comparison("members of one millisecond are told apart by their ids", rule(0, 60, 0), rule(20, 60, 0), false),
        comparison("several epochs", rule(0, 250, EPOCH_MS / 100), rule(30, 280, EPOCH_MS / 100), false),
        comparison(
            "a sketch tells a few",
            extra(rule(0, 1100, step), 50_000, 3),
            extra(rule(0, 1100, step), 60_000, 2),
            false,
        ),
        comparison(
            "scattered members lead to a sketch",
            rule(0, 1100, step),
            extra(rule(0, 1100, step), 60_000, 60),
            false,
        ),
        comparison("a sketch that is too short, and then ranges", rule(0, 1100, step), rule(550, 1100, step), false),
        comparison(
            "short names that are alike are not told",
            forged(rule(0, 5, 1000), &[1, 3]),
            forged(rule(0, 5, 1000), &[2]),
            false,
        ),
        comparison(
            "and are listed under salted names",
            forged(rule(0, 5, 1000), &[1, 3]),
            forged(rule(0, 5, 1000), &[2]),
            true,
        ),
        question(
            "an empty list of a long range ends early",
            rule(0, 4400, 1),
            probe(&first, Ask::List { upper: end.clone(), members: vec![] }),
        ),
        question(
            "an epoch without members",
            rule(0, 0, 0),
            probe(&first, Ask::List { upper: end, members: vec![[1; 8]; 1] }),
        ),
        question("a sketch of a small epoch", rule(0, 1023, 1), probe(&first, Ask::Sketch { from: 0, to: 20 })),
        question("a sketch behind its end", rule(0, 1024, 1), probe(&first, Ask::Sketch { from: 250, to: 300 })),
    ]
}

#[test]
fn sets_and_what_comparisons_find_are_the_written_ones() {
    check(
        "reconcile.json",
        &json!({
            "lthash": lthashes(),
            "digests": digests(),
            "epochs": epochs(),
            "bounds": bounds(),
            "fingerprints": fingerprints(),
            "mappings": mappings(),
            "sketches": sketches(),
            "peels": peels(),
            "comparisons": comparisons(),
        }),
    );
}
