//! The side that is asked: findings for probes. Keeps nothing between two messages.

use super::bound::{Bound, between};
use super::message::{
    Ask, Child, Differs, FAN_OUT, FINDINGS_BYTES_MAX, Finding, LIST_MAX, LISTED_MAX, Probe, SCATTERED_FROM, SaltedName,
    ShortBytes, fingerprint, salted_name, shorts, split,
};
use super::sketch::{SYMBOL_BYTES, SYMBOLS_MAX, Sketch};
use super::{EpochKey, EpochSet, Sets};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;

/// Members that one probe makes the asked side walk at most.
const WALKED_MAX: usize = 65_536;

/// What reading an epoch in costs, in units of work: one is about a fingerprint.
const COLD_WORK: u64 = 5000;

/// About the bytes of a child on the wire, for the budget of an answer.
const CHILD_BYTES: usize = 20;

/// Findings, and what they cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// One for each probe, in their order.
    pub findings: Vec<Finding>,
    /// Units of work: 1 a fingerprint or a salted name, 1 for 64 members walked, 1 for 8 symbols, 5,000 for an epoch that had
    /// to be read in.
    pub work: u64,
}

/// Why there are no findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError<E> {
    /// The probes break their form.
    Malformed,
    /// The set can't be looked at.
    Sets(E),
}

/// Answers probes from a set.
///
/// # Errors
///
/// [`AnswerError`].
pub fn answer<S: Sets>(sets: &S, salt_key: &[u8; 32], probes: &[Probe]) -> Result<Answered, AnswerError<S::Error>> {
    let mut answering = Answering { salt_key, work: 0, bytes: 0 };
    let mut findings = Vec::with_capacity(probes.len());
    for probe in probes {
        if answering.is_full() {
            findings.push(Finding::Later);
            continue;
        }
        if sets.is_cold(probe.epoch) {
            answering.work += COLD_WORK;
        }
        let found = sets.with_epoch(probe.epoch, |set| answering.probe(set, probe)).map_err(AnswerError::Sets)?;
        findings.push(found.ok_or(AnswerError::Malformed)?);
    }
    Ok(Answered { findings, work: answering.work })
}

struct Answering<'a> {
    salt_key: &'a [u8; 32],
    work: u64,
    bytes: usize,
}

impl Answering<'_> {
    fn is_full(&self) -> bool {
        self.bytes >= FINDINGS_BYTES_MAX
    }

    fn probe(&mut self, set: &EpochSet, probe: &Probe) -> Option<Finding> {
        let lower = probe.lower.key()?;
        match &probe.ask {
            Ask::Split(children) => self.split(set, lower, children),
            Ask::List { upper, members } => {
                let upper = upper.key()?;
                if members.len() > LISTED_MAX || !members.is_sorted_by(|a, b| a < b) || upper < lower {
                    return None;
                }
                Some(self.list(set, lower, upper, members, |key| key.short().to_be_bytes()))
            }
            Ask::Exact { upper, members } => {
                let upper = upper.key()?;
                if members.len() > LISTED_MAX || upper < lower {
                    return None;
                }
                let salt_key = *self.salt_key;
                // A salted name is a hash, of each member that is walked.
                let walked = set.tree().summary(&lower, &upper).count.min(WALKED_MAX as u64);
                self.work += walked + members.len() as u64 / 8;
                Some(self.list(set, lower, upper, members, move |key| salted_name(&salt_key, key)))
            }
            Ask::Sketch { from, to } => {
                let (from, to) = (usize::try_from(*from).ok()?, usize::try_from(*to).ok()?);
                if to < from || to > SYMBOLS_MAX {
                    return None;
                }
                let symbols = set.symbols();
                let part = &symbols[from.min(symbols.len())..to.min(symbols.len())];
                self.work += part.len() as u64 / 8 + 1;
                self.bytes += part.len() * SYMBOL_BYTES;
                Some(Finding::Sketch(ByteBuf::from(Sketch::to_bytes(part))))
            }
        }
    }

    fn split(&mut self, set: &EpochSet, lower: EpochKey, children: &[Child]) -> Option<Finding> {
        if children.is_empty() || children.len() > FAN_OUT {
            return None;
        }
        self.work += children.len() as u64;
        let mut from = lower;
        let mut differing = Vec::new();
        let mut counts = Vec::new();
        for (place, child) in children.iter().enumerate() {
            let to = child.upper.key().filter(|to| *to > from)?;
            let mine = set.tree().summary(&from, &to);
            if mine.count != child.count || fingerprint(self.salt_key, &mine) != child.fingerprint {
                differing.push((place, from, to, mine.count));
            }
            counts.push(mine.count);
            from = to;
        }
        let is_whole = lower == EpochKey::FIRST && from == EpochKey::END && children.len() == FAN_OUT;
        // Parts in which one side has nothing are a gap, which ranges tell in fewer bytes.
        let scattered =
            differing.iter().filter(|(place, _, _, count)| *count > 0 && children[*place].count > 0).count();
        if is_whole && scattered >= SCATTERED_FROM && !set.symbols().is_empty() {
            self.bytes += counts.len() * 4;
            return Some(Finding::Scattered(counts));
        }
        let mut findings = Vec::with_capacity(differing.len());
        for (place, from, to, count) in differing {
            findings.push((u16::try_from(place).ok()?, self.differs(set, &from, &to, count)));
        }
        Some(Finding::Split(findings))
    }

    fn differs(&mut self, set: &EpochSet, from: &EpochKey, to: &EpochKey, count: u64) -> Differs {
        if count == 0 {
            self.bytes += 4;
            return Differs::Nothing;
        }
        if self.is_full() {
            return Differs::Later;
        }
        if count <= LIST_MAX as u64 {
            let members = shorts(set.tree().range(from, to));
            self.bytes += members.len() * 8;
            self.work += 1;
            return Differs::List(members);
        }
        let children = split(set, from, to, self.salt_key);
        self.work += children.len() as u64;
        self.bytes += children.len() * CHILD_BYTES;
        Differs::Split(children)
    }

    /// Compares a list with the members of a range. `name` is what the list calls a member.
    fn list(
        &mut self,
        set: &EpochSet,
        lower: EpochKey,
        upper: EpochKey,
        listed: &[[u8; 8]],
        name: impl Fn(&EpochKey) -> SaltedName,
    ) -> Finding {
        let theirs: BTreeSet<&[u8; 8]> = listed.iter().collect();
        let mut lacking: BTreeSet<&[u8; 8]> = theirs.clone();
        let mut offers: Vec<ShortBytes> = Vec::new();
        let mut upto = None;
        let mut walked = 0_usize;
        let mut before = lower;
        for key in set.tree().range(&lower, &upper) {
            let name = name(&key);
            let is_listed = theirs.contains(&name);
            if walked >= WALKED_MAX || (!is_listed && offers.len() >= LISTED_MAX) {
                upto = Some(Bound::of(&between(&before, &key)));
                break;
            }
            walked += 1;
            before = key;
            if is_listed {
                lacking.remove(&name);
            } else {
                offers.push(key.short().to_be_bytes());
            }
        }
        // Two members of one short name are fetched by that name together.
        offers.dedup();
        self.work += walked as u64 / 64 + 1;
        self.bytes += offers.len() * 8 + listed.len() / 8;
        Finding::List { upto, wants: bits(listed.iter().map(|member| lacking.contains(member))), offers }
    }
}

/// Bits, the first in the lowest bit of the first byte.
fn bits(bits: impl ExactSizeIterator<Item = bool>) -> ByteBuf {
    let mut bytes = vec![0_u8; bits.len().div_ceil(8)];
    for (at, bit) in bits.enumerate() {
        bytes[at / 8] |= u8::from(bit) << (at % 8);
    }
    ByteBuf::from(bytes)
}
