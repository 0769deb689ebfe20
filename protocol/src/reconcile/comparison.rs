//! The side that asks: from the epochs of two sets to what each lacks, in few and short messages.
//!
//! Owns the ranges that are still open. Driven by a loop of [`Comparison::next`] (probes to send) and
//! [`Comparison::take`] (findings that came back); what was found comes out as fetches and pushes. It ends by itself:
//! every round answers its ranges or splits them, and rounds and open ranges have limits; what a limit leaves is found by
//! the next comparison.

use super::bound::{Bound, between};
use super::message::{
    Ask, Child, Differs, EpochEntry, FAN_OUT, Finding, LIST_MAX, LIST_OTHER_MAX, LISTED_MAX, PROBES_MAX, Probe,
    SaltedName, ShortBytes, epoch_entries, fingerprint, salted_name, split,
};
use super::sketch::{SKETCH_FROM, SYMBOL_BYTES, Sketch, Symbol, peel};
use super::sketch_size::{SKETCH_FIRST_MAX, ahead, at_most, hidden, longer, symbols_for, symbols_kept, symbols_of};
use super::{Epoch, EpochKey, EpochSet, Sets, Short, Summary};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Rounds of one comparison. A million members that differ in every range take about six.
pub const ROUNDS_MAX: u32 = 64;

/// Open ranges of one comparison: about 8 MiB.
const OPEN_MAX: usize = 65_536;

/// Bytes of probes in one message, and of the findings that they are expected to bring.
const ROUND_BYTES_MAX: usize = 200 * 1024;

/// An epoch that is new here is fetched whole up to this many members; a larger one is split first, so that several peers
/// can bring it.
const WHOLE_MAX: u64 = 4096;

/// Something that the other side has and this one lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// All of a range, in which nothing is known here.
    Range {
        /// The epoch.
        epoch: Epoch,
        /// Where it begins.
        lower: EpochKey,
        /// Where it ends.
        upper: EpochKey,
        /// How many members the other side says it has there.
        count: u64,
    },
    /// Single members.
    Picks {
        /// The epoch.
        epoch: Epoch,
        /// Their names.
        shorts: Vec<Short>,
    },
}

/// Something that this side has and the other lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// All of a range.
    Range {
        /// The epoch.
        epoch: Epoch,
        /// Where it begins.
        lower: EpochKey,
        /// Where it ends.
        upper: EpochKey,
    },
    /// Single members.
    Members {
        /// The epoch.
        epoch: Epoch,
        /// Which, ascending.
        keys: Vec<EpochKey>,
    },
}

/// What a round has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// To be fetched.
    pub fetch: Vec<Fetch>,
    /// To be pushed.
    pub push: Vec<Push>,
}

/// Why a comparison can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareError<E> {
    /// The findings don't fit the probes.
    Malformed,
    /// The set can't be looked at.
    Sets(E),
}

/// A range that is still to be settled.
#[derive(Clone, Debug)]
enum Open {
    Split {
        epoch: Epoch,
        lower: EpochKey,
        upper: EpochKey,
        is_one: bool,
        may_sketch: bool,
    },
    List {
        epoch: Epoch,
        lower: EpochKey,
        upper: EpochKey,
    },
    Exact {
        epoch: Epoch,
        lower: EpochKey,
        upper: EpochKey,
    },
    Sketch {
        epoch: Epoch,
        symbols: Vec<Symbol>,
        to: usize,
        /// By how many members this side has more.
        ahead: i64,
    },
}

/// A probe under way: what it is about, and what of it was sent.
#[derive(Clone, Debug)]
struct Asked {
    open: Open,
    /// Children that were sent: their bounds.
    parts: Vec<(EpochKey, EpochKey)>,
    /// Members that were listed.
    listed: Vec<EpochKey>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Comparison {
    salt_key: [u8; 32],
    open: VecDeque<Open>,
    asked: Vec<Asked>,
    rounds: u32,
    differing: BTreeSet<Epoch>,
    fruitful: BTreeSet<Epoch>,
}

impl Comparison {
    /// A comparison with a set of these epochs (ascending), and what the epochs alone show. Epochs in `exact` are listed
    /// under salted names at once: there an earlier comparison found nothing although digests differ.
    ///
    /// # Errors
    ///
    /// Those of the set.
    pub fn start<S: Sets>(
        sets: &S,
        salt_key: [u8; 32],
        theirs: &[EpochEntry],
        exact: &BTreeSet<Epoch>,
    ) -> Result<(Self, Found), S::Error> {
        let ours: BTreeMap<Epoch, EpochEntry> =
            epoch_entries(sets, &salt_key)?.into_iter().map(|entry| (entry.epoch, entry)).collect();
        let theirs: BTreeMap<Epoch, EpochEntry> = theirs.iter().map(|entry| (entry.epoch, *entry)).collect();
        let epochs: BTreeSet<Epoch> = ours.keys().chain(theirs.keys()).copied().collect();
        let mut comparison = Self {
            salt_key,
            open: VecDeque::new(),
            asked: Vec::new(),
            rounds: 0,
            differing: BTreeSet::new(),
            fruitful: BTreeSet::new(),
        };
        let mut found = Found::default();
        let pairs = epochs.iter().map(|epoch| (*epoch, ours.get(epoch), theirs.get(epoch)));
        let count = |entry: Option<&EpochEntry>| entry.map_or(0, |entry| entry.count);
        let pairs: Vec<_> = pairs.map(|(epoch, a, b)| (epoch, a != b, (count(a), count(b)))).collect();
        let hidden = hidden(pairs.iter().map(|(_, _, counts)| *counts));
        // The newest first: that is what a reader looks for.
        for (epoch, _, counts) in pairs.into_iter().rev().filter(|(_, differs, _)| *differs) {
            comparison.differing.insert(epoch);
            comparison.begin(epoch, counts, exact.contains(&epoch), hidden, &mut found);
        }
        Ok((comparison, found))
    }

    fn begin(&mut self, epoch: Epoch, (ours, theirs): (u64, u64), is_exact: bool, hidden: u64, found: &mut Found) {
        let (lower, upper) = (EpochKey::FIRST, EpochKey::END);
        let (is_small, is_sketched) = (LIST_MAX as u64, SKETCH_FROM as u64);
        let difference = ours.abs_diff(theirs);
        if is_exact {
            self.open(Open::Exact { epoch, lower, upper });
        } else if theirs == 0 {
            self.push(found, Push::Range { epoch, lower, upper });
        } else if ours == 0 && theirs <= WHOLE_MAX {
            self.fetch(found, Fetch::Range { epoch, lower, upper, count: theirs });
        } else if ours > 0 && ours <= is_small && theirs <= LIST_OTHER_MAX {
            self.open(Open::List { epoch, lower, upper });
        } else if ours.min(theirs) >= is_sketched && difference <= SKETCH_FIRST_MAX {
            let to = symbols_of(difference.max(at_most(hidden))).min(symbols_kept(ours.min(theirs)));
            self.open(Open::Sketch { epoch, symbols: Vec::new(), to, ahead: ahead(ours, theirs) });
        } else {
            let is_one = ours == 0 || theirs <= is_small;
            self.open(Open::Split { epoch, lower, upper, is_one, may_sketch: true });
        }
    }

    fn open(&mut self, open: Open) {
        if self.open.len() < OPEN_MAX {
            self.open.push_back(open);
        }
    }

    fn fetch(&mut self, found: &mut Found, fetch: Fetch) {
        let (Fetch::Range { epoch, .. } | Fetch::Picks { epoch, .. }) = &fetch;
        self.fruitful.insert(*epoch);
        found.fetch.push(fetch);
    }

    fn push(&mut self, found: &mut Found, push: Push) {
        let (Push::Range { epoch, .. } | Push::Members { epoch, .. }) = &push;
        self.fruitful.insert(*epoch);
        found.push.push(push);
    }

    /// Epochs that differ and in which nothing was found: their sums or names were forged, if the comparison has ended.
    #[must_use]
    pub fn fruitless(&self) -> BTreeSet<Epoch> {
        self.differing.difference(&self.fruitful).copied().collect()
    }

    /// Rounds so far.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The probes of the next round; `None` when nothing is left to ask.
    ///
    /// # Errors
    ///
    /// Those of the set.
    pub fn next<S: Sets>(&mut self, sets: &S) -> Result<Option<Vec<Probe>>, S::Error> {
        let mut probes = Vec::new();
        let mut bytes = 0;
        self.asked.clear();
        if self.rounds >= ROUNDS_MAX {
            self.open.clear();
        }
        while bytes < ROUND_BYTES_MAX
            && probes.len() < PROBES_MAX
            && let Some(open) = self.open.pop_front()
        {
            let epoch = open.epoch();
            let (probe, asked, rest, size) = sets.with_epoch(epoch, |set| prepare(set, open, &self.salt_key))?;
            bytes += size;
            probes.push(probe);
            self.asked.push(asked);
            if let Some(rest) = rest {
                self.open.push_front(rest);
            }
        }
        if probes.is_empty() {
            return Ok(None);
        }
        self.rounds += 1;
        Ok(Some(probes))
    }

    /// Takes the findings for the probes of the last round.
    ///
    /// # Errors
    ///
    /// [`CompareError`].
    pub fn take<S: Sets>(&mut self, sets: &S, findings: Vec<Finding>) -> Result<Found, CompareError<S::Error>> {
        let asked = std::mem::take(&mut self.asked);
        if asked.len() != findings.len() {
            return Err(CompareError::Malformed);
        }
        let mut found = Found::default();
        for (asked, finding) in asked.into_iter().zip(findings) {
            let epoch = asked.open.epoch();
            let taken = sets
                .with_epoch(epoch, |set| self.take_one(set, asked, finding, &mut found))
                .map_err(CompareError::Sets)?;
            taken.ok_or(CompareError::Malformed)?;
        }
        Ok(found)
    }

    fn take_one(&mut self, set: &EpochSet, asked: Asked, finding: Finding, found: &mut Found) -> Option<()> {
        match (&asked.open, finding) {
            (_, Finding::Later) => self.open(asked.open),
            (Open::Split { epoch, may_sketch, .. }, Finding::Split(differing)) => {
                self.take_split(set, *epoch, *may_sketch, &asked.parts, differing, found)?;
            }
            (Open::Split { epoch, lower, upper, may_sketch, .. }, Finding::Scattered(counts)) => {
                if counts.len() != asked.parts.len() {
                    return None;
                }
                let (to, kept) = (symbols_for(set, &asked.parts, &counts), set.symbols().len());
                // A few less than wanted are often enough.
                if *may_sketch && to <= kept + kept / 8 {
                    let to = to.min(kept);
                    let theirs = counts.iter().copied().fold(0, u64::saturating_add);
                    let ahead = ahead(set.len() as u64, theirs);
                    self.open(Open::Sketch { epoch: *epoch, symbols: Vec::new(), to, ahead });
                } else {
                    // A sketch has failed before, or would: go on with each part.
                    let (epoch, lower, upper) = (*epoch, *lower, *upper);
                    self.open_parts(epoch, &asked.parts, lower, upper);
                }
            }
            (Open::List { epoch, .. } | Open::Exact { epoch, .. }, Finding::List { upto, wants, offers }) => {
                let epoch = *epoch;
                self.take_list(epoch, &asked, upto, &wants, offers, found)?;
            }
            (Open::Sketch { .. }, Finding::Sketch(bytes)) => self.take_sketch(set, asked.open, &bytes, found)?,
            _ => return None,
        }
        Some(())
    }

    fn open_parts(&mut self, epoch: Epoch, parts: &[(EpochKey, EpochKey)], lower: EpochKey, upper: EpochKey) {
        debug_assert!(
            parts.first().is_none_or(|part| part.0 == lower) && parts.last().is_none_or(|part| part.1 == upper)
        );
        for (lower, upper) in parts {
            self.open(Open::Split { epoch, lower: *lower, upper: *upper, is_one: true, may_sketch: false });
        }
    }

    fn take_split(
        &mut self,
        set: &EpochSet,
        epoch: Epoch,
        may_sketch: bool,
        parts: &[(EpochKey, EpochKey)],
        differing: Vec<(u16, Differs)>,
        found: &mut Found,
    ) -> Option<()> {
        if !differing.is_sorted_by(|a, b| a.0 < b.0) {
            return None;
        }
        for (place, differs) in differing {
            let (lower, upper) = *parts.get(usize::from(place))?;
            match differs {
                Differs::Nothing => self.push(found, Push::Range { epoch, lower, upper }),
                Differs::Later => self.open(Open::Split { epoch, lower, upper, is_one: true, may_sketch }),
                Differs::List(members) => self.take_members(set, epoch, (lower, upper), &members, found)?,
                Differs::Split(children) => self.take_children(set, epoch, (lower, upper), &children, found)?,
            }
        }
        Some(())
    }

    fn take_members(
        &mut self,
        set: &EpochSet,
        epoch: Epoch,
        (lower, upper): (EpochKey, EpochKey),
        members: &[ShortBytes],
        found: &mut Found,
    ) -> Option<()> {
        if members.len() > LIST_MAX || !members.is_sorted_by(|a, b| a <= b) {
            return None;
        }
        let theirs: BTreeSet<Short> = members.iter().map(|member| u64::from_be_bytes(*member)).collect();
        let mut lacking = theirs.clone();
        let mut keys = Vec::new();
        for key in set.tree().range(&lower, &upper) {
            if theirs.contains(&key.short()) {
                lacking.remove(&key.short());
            } else {
                keys.push(key);
            }
        }
        self.found_both(epoch, lacking.into_iter().collect(), keys, found);
        Some(())
    }

    fn found_both(&mut self, epoch: Epoch, shorts: Vec<Short>, keys: Vec<EpochKey>, found: &mut Found) {
        if !shorts.is_empty() {
            self.fetch(found, Fetch::Picks { epoch, shorts });
        }
        if !keys.is_empty() {
            self.push(found, Push::Members { epoch, keys });
        }
    }

    fn take_children(
        &mut self,
        set: &EpochSet,
        epoch: Epoch,
        (lower, upper): (EpochKey, EpochKey),
        children: &[Child],
        found: &mut Found,
    ) -> Option<()> {
        if children.is_empty() || children.len() > FAN_OUT {
            return None;
        }
        let mut from = lower;
        for child in children {
            let to = child.upper.key().filter(|to| *to > from && *to <= upper)?;
            let ours = set.tree().summary(&from, &to);
            if ours.count != child.count || fingerprint(&self.salt_key, &ours) != child.fingerprint {
                self.take_child(epoch, (from, to), &ours, child.count, found);
            }
            from = to;
        }
        (from == upper).then_some(())
    }

    fn take_child(
        &mut self,
        epoch: Epoch,
        (lower, upper): (EpochKey, EpochKey),
        ours: &Summary,
        theirs: u64,
        found: &mut Found,
    ) {
        let is_small = LIST_MAX as u64;
        if ours.count == 0 {
            self.fetch(found, Fetch::Range { epoch, lower, upper, count: theirs });
        } else if theirs == 0 {
            self.push(found, Push::Range { epoch, lower, upper });
        } else if ours.count <= is_small && theirs <= LIST_OTHER_MAX {
            self.open(Open::List { epoch, lower, upper });
        } else {
            self.open(Open::Split { epoch, lower, upper, is_one: theirs <= is_small, may_sketch: false });
        }
    }

    fn take_list(
        &mut self,
        epoch: Epoch,
        asked: &Asked,
        upto: Option<Bound>,
        wants: &[u8],
        offers: Vec<ShortBytes>,
        found: &mut Found,
    ) -> Option<()> {
        if wants.len() != asked.listed.len().div_ceil(8) || offers.len() > LISTED_MAX || !offers.is_sorted() {
            return None;
        }
        let (Open::List { lower, upper, .. } | Open::Exact { lower, upper, .. }) = asked.open else { return None };
        let end = match upto {
            Some(bound) => {
                let end = bound.key().filter(|end| *end > lower && *end < upper)?;
                self.open(match asked.open {
                    Open::List { .. } => Open::List { epoch, lower: end, upper },
                    _ => Open::Exact { epoch, lower: end, upper },
                });
                end
            }
            None => upper,
        };
        let is_wanted = |at: usize| wants[at / 8] >> (at % 8) & 1 == 1;
        let wanted = asked.listed.iter().enumerate().filter(|(at, key)| is_wanted(*at) && **key < end);
        let keys = wanted.map(|(_, key)| *key).collect();
        let shorts = offers.into_iter().map(u64::from_be_bytes).collect();
        self.found_both(epoch, shorts, keys, found);
        Some(())
    }

    fn take_sketch(&mut self, set: &EpochSet, open: Open, bytes: &[u8], found: &mut Found) -> Option<()> {
        let Open::Sketch { epoch, mut symbols, to, ahead } = open else { return None };
        let more = Sketch::from_bytes(bytes)?;
        if more.len() > to.saturating_sub(symbols.len()) {
            return None;
        }
        symbols.extend(more);
        let ours = set.symbols();
        let peeled = peel(ours, &symbols);
        if peeled.is_complete {
            let mut keys = Vec::new();
            for short in peeled.ours {
                let (first, end) = super::message::short_range(short);
                keys.extend(set.tree().range(&first, &end));
            }
            self.found_both(epoch, peeled.theirs, keys, found);
        } else if let Some(to) = longer(ours, &symbols, &peeled, (to, ahead)) {
            self.open(Open::Sketch { epoch, symbols, to, ahead });
        } else {
            let (lower, upper) = (EpochKey::FIRST, EpochKey::END);
            self.open(Open::Split { epoch, lower, upper, is_one: false, may_sketch: false });
        }
        Some(())
    }
}

impl Open {
    fn epoch(&self) -> Epoch {
        match self {
            Self::Split { epoch, .. }
            | Self::List { epoch, .. }
            | Self::Exact { epoch, .. }
            | Self::Sketch { epoch, .. } => *epoch,
        }
    }
}

/// Makes the probe of an open range; also what of the range is left, and the bytes of probe and findings.
fn prepare(set: &EpochSet, open: Open, salt_key: &[u8; 32]) -> (Probe, Asked, Option<Open>, usize) {
    let epoch = open.epoch();
    let mut asked = Asked { open: open.clone(), parts: Vec::new(), listed: Vec::new() };
    match open {
        Open::Split { lower, upper, is_one, .. } => {
            let children =
                if is_one { vec![one(set, &lower, &upper, salt_key)] } else { split(set, &lower, &upper, salt_key) };
            let mut from = lower;
            for child in &children {
                let to = child.upper.key().unwrap_or(upper);
                asked.parts.push((from, to));
                from = to;
            }
            let bytes = 40 + children.len() * 20;
            (Probe { epoch, lower: Bound::of(&lower), ask: Ask::Split(children) }, asked, None, bytes)
        }
        Open::List { lower, upper, .. } => {
            let (listed, end, rest) = take_members(set, lower, upper, |lower| Open::List { epoch, lower, upper });
            let members = super::message::shorts(listed.iter().copied());
            asked.open = Open::List { epoch, lower, upper: end };
            let bytes = 24 + listed.len() * 16;
            asked.listed = listed;
            let ask = Ask::List { upper: Bound::of(&end), members: deduplicated(members, &mut asked.listed) };
            (Probe { epoch, lower: Bound::of(&lower), ask }, asked, rest, bytes)
        }
        Open::Exact { lower, upper, .. } => {
            let (listed, end, rest) = take_members(set, lower, upper, |lower| Open::Exact { epoch, lower, upper });
            let members: Vec<SaltedName> = listed.iter().map(|key| salted_name(salt_key, key)).collect();
            asked.open = Open::Exact { epoch, lower, upper: end };
            let bytes = 24 + listed.len() * 16;
            asked.listed = listed;
            (
                Probe { epoch, lower: Bound::of(&lower), ask: Ask::Exact { upper: Bound::of(&end), members } },
                asked,
                rest,
                bytes,
            )
        }
        Open::Sketch { ref symbols, to, .. } => {
            let from = symbols.len();
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let ask = Ask::Sketch { from: place(from), to: place(to) };
            (Probe { epoch, lower: Bound::of(&EpochKey::FIRST), ask }, asked, None, 16 + (to - from) * SYMBOL_BYTES)
        }
    }
}

/// Short names that two members share are listed once: the second can't be told by this list.
fn deduplicated(mut members: Vec<ShortBytes>, listed: &mut Vec<EpochKey>) -> Vec<ShortBytes> {
    listed.dedup_by_key(|key| key.short());
    members.dedup();
    members
}

fn one(set: &EpochSet, lower: &EpochKey, upper: &EpochKey, salt_key: &[u8; 32]) -> Child {
    let summary = set.tree().summary(lower, upper);
    Child { upper: Bound::of(upper), count: summary.count, fingerprint: fingerprint(salt_key, &summary) }
}

/// The first members of a range, as many as one list takes, where they end, and what is left.
fn take_members(
    set: &EpochSet,
    lower: EpochKey,
    upper: EpochKey,
    rest: impl FnOnce(EpochKey) -> Open,
) -> (Vec<EpochKey>, EpochKey, Option<Open>) {
    let mut members: Vec<EpochKey> = set.tree().range(&lower, &upper).take(LISTED_MAX + 1).collect();
    match members.get(LISTED_MAX) {
        Some(next) => {
            let end = between(&members[LISTED_MAX - 1], next);
            members.truncate(LISTED_MAX);
            (members, end, Some(rest(end)))
        }
        None => (members, upper, None),
    }
}
