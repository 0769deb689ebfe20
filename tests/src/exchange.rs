//! Two sets in memory that compare themselves through the messages of `wire`, as two engines do, and what that costs.

use crate::chance::Chance;
use crate::clock::Laps;
use roda_protocol::id::SpaceId;
use roda_protocol::reconcile::{
    Comparison, Epoch, EpochKey, Fetch, Found, MemorySets, Push, Salt, SetKey, Sets as _, answer, epoch_entries,
    short_range,
};
use roda_protocol::wire::{self, Request, Response, SpaceAsk, SpaceDigest};
use std::collections::BTreeSet;
use std::time::Duration;

/// Comparisons of one session, as in the engine.
const RUNS_MAX: u32 = 5;

const SPACE: SpaceId = SpaceId([7; 32]);

/// What it took the asking side to know the difference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Bytes of requests.
    pub up: usize,
    /// Bytes of responses.
    pub down: usize,
    /// Requests with their responses.
    pub trips: u32,
    /// The asking side's time.
    pub asking: Duration,
    /// The asked side's time.
    pub asked: Duration,
}

/// What the asking side knows at the end.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Whether the digests of the two sets are equal.
    pub is_equal: bool,
    /// What it fetches and pushes.
    pub found: Found,
    /// Epochs that differ, with nothing found.
    pub fruitless: BTreeSet<Epoch>,
}

impl Known {
    /// Names that a request for what is to be fetched has to list.
    #[must_use]
    pub fn picked(&self) -> usize {
        let shorts = |fetch: &Fetch| if let Fetch::Picks { shorts, .. } = fetch { shorts.len() } else { 0 };
        self.found.fetch.iter().map(shorts).sum()
    }
}

/// Greets and compares until the asking side knows the difference. Epochs in `exact` are listed.
///
/// # Panics
///
/// If a message does not read back, or does not fit its question.
#[must_use]
pub fn compare(asking: &MemorySets, asked: &MemorySets, salt: Salt, exact: &BTreeSet<Epoch>) -> (Known, Cost) {
    let mut wire = Wire { asked, cost: Cost::default(), laps: Laps::start() };
    let known = wire.compare(asking, salt, exact);
    wire.cost.asking += wire.laps.lap();
    (known, wire.cost)
}

/// The asked side, behind the encoding of every message.
struct Wire<'a> {
    asked: &'a MemorySets,
    cost: Cost,
    laps: Laps,
}

impl Wire<'_> {
    fn compare(&mut self, asking: &MemorySets, salt: Salt, exact: &BTreeSet<Epoch>) -> Known {
        let salt_key = salt.key();
        let hint = wire::digest_hint(&salt_key, &asking.digest(&salt_key));
        let spaces = vec![SpaceAsk { tag: wire::space_tag(&salt_key, SPACE), hint }];
        let Response::Spaces { spaces, .. } = self.ask(&Request::Spaces { salt, spaces }) else {
            panic!("a greeting is answered by spaces")
        };
        let [space] = &spaces[..] else { panic!("one space was named") };
        if space.digest == asking.digest(&salt_key) {
            return Known { is_equal: true, ..Known::default() };
        }
        let epochs = space.epochs.as_deref().expect("the hint says that the sets differ");
        let Ok((mut comparison, mut found)) = Comparison::start(asking, salt_key, epochs, exact);
        loop {
            let Ok(probes) = comparison.next(asking);
            let Some(probes) = probes else { break };
            let Response::Compared(findings) = self.ask(&Request::Compare { salt, space: SPACE, probes }) else {
                panic!("probes are answered by findings")
            };
            let more = comparison.take(asking, findings).expect("findings fit their probes");
            found.fetch.extend(more.fetch);
            found.push.extend(more.push);
        }
        Known { is_equal: false, found, fruitless: comparison.fruitless() }
    }

    fn ask(&mut self, request: &Request) -> Response {
        let bytes = request.to_bytes();
        self.cost.up += bytes.len();
        self.cost.trips += 1;
        self.cost.asking += self.laps.lap();
        let request = Request::from_bytes(&bytes).expect("a request keeps its bounds");
        let bytes = serve(self.asked, &request).to_bytes();
        self.cost.down += bytes.len();
        self.cost.asked += self.laps.lap();
        Response::from_bytes(&bytes).expect("a response keeps its bounds")
    }
}

fn serve(sets: &MemorySets, request: &Request) -> Response {
    match request {
        Request::Spaces { salt, spaces } => {
            let salt_key = salt.key();
            let [ask] = &spaces[..] else { panic!("one space is named") };
            assert_eq!(ask.tag, wire::space_tag(&salt_key, SPACE));
            let digest = sets.digest(&salt_key);
            let mut epochs = None;
            if ask.hint != wire::digest_hint(&salt_key, &digest) {
                let Ok(entries) = epoch_entries(sets, &salt_key);
                epochs = Some(entries);
            }
            let spaces = vec![SpaceDigest { index: 0, count: sets.len() as u64, digest, epochs }];
            Response::Spaces { headers_first: false, spaces }
        }
        Request::Compare { salt, probes, .. } => {
            let answered = answer(sets, &salt.key(), probes).expect("probes keep their form");
            Response::Compared(answered.findings)
        }
        other => panic!("no part of a comparison: {other:?}"),
    }
}

/// Moves what was found, as transfers do; the number of members that came anywhere new.
pub fn transfer(asking: &mut MemorySets, asked: &mut MemorySets, found: &Found) -> usize {
    let fetched: Vec<SetKey> = found.fetch.iter().flat_map(|fetch| fetched(asked, fetch)).collect();
    let pushed: Vec<SetKey> = found.push.iter().flat_map(|push| pushed(asking, push)).collect();
    let fetched = fetched.into_iter().filter(|key| asking.insert(*key)).count();
    fetched + pushed.into_iter().filter(|key| asked.insert(*key)).count()
}

/// Members of the asked side that this fetch brings.
#[must_use]
pub fn fetched(asked: &MemorySets, fetch: &Fetch) -> Vec<SetKey> {
    match fetch {
        Fetch::Range { epoch, lower, upper, .. } => keys_in(asked, *epoch, lower, upper),
        Fetch::Picks { epoch, shorts } => {
            let named = |short: &u64| {
                let (lower, upper) = short_range(*short);
                keys_in(asked, *epoch, &lower, &upper)
            };
            shorts.iter().flat_map(named).collect()
        }
    }
}

/// Members of the asking side that this push brings.
#[must_use]
pub fn pushed(asking: &MemorySets, push: &Push) -> Vec<SetKey> {
    match push {
        Push::Range { epoch, lower, upper } => keys_in(asking, *epoch, lower, upper),
        Push::Members { epoch, keys } => keys.iter().map(|key| key.at(*epoch)).collect(),
    }
}

fn keys_in(sets: &MemorySets, epoch: Epoch, lower: &EpochKey, upper: &EpochKey) -> Vec<SetKey> {
    let Ok(keys) = sets.with_epoch(epoch, |set| set.tree().range(lower, upper).map(|key| key.at(epoch)).collect());
    keys
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Whether the sets are equal.
    pub is_equal: bool,
    /// Comparisons with something to find.
    pub runs: u32,
    /// Comparisons in which epochs were listed.
    pub listed: u32,
}

/// Compares and exchanges as a session of the engine does: until the sets are equal, or nothing moves, with the epochs
/// listed in which two comparisons in a row found nothing.
pub fn converge(asking: &mut MemorySets, asked: &mut MemorySets, chance: &mut Chance) -> Ended {
    let mut ended = Ended::default();
    let (mut exact, mut suspects) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let (known, _) = compare(asking, asked, salt(chance), &exact);
        if known.is_equal {
            return Ended { is_equal: true, ..ended };
        }
        if ended.runs == RUNS_MAX {
            return ended;
        }
        ended.runs += 1;
        ended.listed += u32::from(!exact.is_empty());
        let has_moved = transfer(asking, asked, &known.found) > 0;
        let was_exact = !exact.is_empty();
        exact = known.fruitless.intersection(&suspects).copied().collect();
        suspects = known.fruitless;
        if !has_moved && (suspects.is_empty() || was_exact) {
            return ended;
        }
    }
}

/// A fresh salt.
pub fn salt(chance: &mut Chance) -> Salt {
    let mut salt = [0; 16];
    salt.copy_from_slice(&chance.bytes(16));
    Salt(salt)
}
