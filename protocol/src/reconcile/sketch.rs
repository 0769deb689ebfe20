//! A rateless sketch of a set: its first symbols tell two sets apart as soon as there are about 1.4 of them a difference.
//!
//! Coded symbols as in "Practical Rateless Set Reconciliation" (Yang, Gilad, Alizadeh, SIGCOMM 2024), over 64-bit short
//! names. The mapping is public, so one sketch serves every peer and is kept up to date at each insertion; whoever grinds
//! names can make it useless, never wrong: an epoch's digest decides, and ranges find what a sketch did not. All
//! arithmetic is on integers, so that every implementation computes the same symbols.

/// A member by its time within an epoch and the first bits of its id: see [`super::EpochKey::short`].
pub type Short = u64;

/// Bytes of a symbol on the wire: names 8, checks 4, count 1.
pub const SYMBOL_BYTES: usize = 13;

/// Most symbols that a node keeps of an epoch: about 3,000 differences. Beyond that ranges and lists are as good.
pub const SYMBOLS_MAX: usize = 4096;

/// Epochs below this many members have no sketch: their lists are as short.
pub(super) const SKETCH_FROM: usize = 128;

/// Symbols of the smallest sketch: 2 KiB, as much as an epoch's digest takes.
const SYMBOLS_MIN: usize = 128;

/// A coded symbol: the members that map to it, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// Short names, by exclusive or.
    pub names: u64,
    /// Their checks, by exclusive or.
    pub checks: u32,
    /// How many, modulo 256.
    pub count: u8,
}

impl Symbol {
    fn toggle(&mut self, name: Short, check: u32, by: u8) {
        self.names ^= name;
        self.checks ^= check;
        self.count = self.count.wrapping_add(by);
    }

    /// The one member that is left in a difference, and whether it is on the side that was not subtracted.
    fn single(&self) -> Option<(Short, bool)> {
        let is_first = match self.count {
            1 => true,
            255 => false,
            _ => return None,
        };
        (check(self.names) == self.checks).then_some((self.names, is_first))
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A checksum that no sum of names has by accident (1 in 2^32).
fn check(name: Short) -> u32 {
    (mix(name ^ 0x526f_6461_2063_6b73) >> 32) as u32
}

/// The symbols to which a name maps: the first, and then ever sparser.
struct Mapping {
    state: u64,
    index: u64,
}

impl Mapping {
    fn of(name: Short) -> Self {
        Self { state: mix(name ^ 0x526f_6461_206d_6170), index: 0 }
    }

    /// Steps to the next symbol. A name maps to symbol `i` with probability 1 / (1 + i / 2).
    fn step(&mut self) {
        self.state = self.state.wrapping_mul(0xda94_2042_e4dd_58b5);
        // Between 1 and 2^32: the root of a uniform number decides how far the next one is.
        let root = root(self.state).max(1);
        let ahead = (2 * self.index + 3).saturating_mul((1 << 32) - root) / (2 * root) + 1;
        self.index = self.index.saturating_add(ahead);
    }
}

/// The integer square root. A float is the guess that integers put right, which is three times as fast as integers alone.
fn root(square: u64) -> u64 {
    let mut root = ((square as f64).sqrt() as u64).min(u64::from(u32::MAX));
    while root * root > square {
        root -= 1;
    }
    while root < u64::from(u32::MAX) && (root + 1) * (root + 1) <= square {
        root += 1;
    }
    root
}

/// The first symbols of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch(Vec<Symbol>);

impl Sketch {
    /// The sketch of the empty set, of so many symbols.
    #[must_use]
    pub fn new(symbols: usize) -> Self {
        Self(vec![Symbol::default(); symbols])
    }

    /// How many symbols a set of so many members keeps: one for four members, a power of two within bounds, so that a
    /// growing set is sketched anew only when it has doubled.
    #[must_use]
    pub fn symbols_for(members: usize) -> usize {
        if members < SKETCH_FROM {
            return 0;
        }
        (members / 4).next_power_of_two().clamp(SYMBOLS_MIN, SYMBOLS_MAX)
    }

    /// Adds a member, which must be new.
    pub fn insert(&mut self, name: Short) {
        toggle(&mut self.0, name, 1);
    }

    /// The symbols.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.0
    }

    /// Symbols as they travel.
    #[must_use]
    pub fn to_bytes(symbols: &[Symbol]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(symbols.len() * SYMBOL_BYTES);
        for symbol in symbols {
            bytes.extend_from_slice(&symbol.names.to_le_bytes());
            bytes.extend_from_slice(&symbol.checks.to_le_bytes());
            bytes.push(symbol.count);
        }
        bytes
    }

    /// Symbols that travelled; `None` if the bytes are not a whole number of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Vec<Symbol>> {
        let symbols = bytes.chunks_exact(SYMBOL_BYTES);
        if !symbols.remainder().is_empty() {
            return None;
        }
        let read = |bytes: &[u8]| {
            let (names, rest) = bytes.split_first_chunk::<8>()?;
            let (checks, rest) = rest.split_first_chunk::<4>()?;
            let count = *rest.first()?;
            Some(Symbol { names: u64::from_le_bytes(*names), checks: u32::from_le_bytes(*checks), count })
        };
        symbols.map(read).collect()
    }
}

fn toggle(symbols: &mut [Symbol], name: Short, by: u8) {
    let check = check(name);
    let mut mapping = Mapping::of(name);
    while let Some(symbol) = usize::try_from(mapping.index).ok().and_then(|index| symbols.get_mut(index)) {
        symbol.toggle(name, check, by);
        mapping.step();
    }
}

/// What two prefixes of sketches tell of the difference of their sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peeled {
    /// Members of the first set alone, ascending.
    pub ours: Vec<Short>,
    /// Members of the second set alone, ascending.
    pub theirs: Vec<Short>,
    /// Whether nothing is left: these are all differences, up to what was forged.
    pub is_complete: bool,
}

/// Subtracts two sketches symbol by symbol, as far as both go, and takes the difference apart.
#[must_use]
pub fn peel(ours: &[Symbol], theirs: &[Symbol]) -> Peeled {
    let mut left: Vec<Symbol> = ours.iter().zip(theirs).map(|(ours, theirs)| subtract(*ours, *theirs)).collect();
    let mut peeled = Peeled::default();
    let mut ready: Vec<usize> = (0..left.len()).collect();
    // Each member that is taken out leaves the symbols with one less, so more steps than symbols are a forgery's.
    let mut steps = 2 * left.len();
    while let Some(at) = ready.pop() {
        let Some((name, is_ours)) = left[at].single() else { continue };
        if steps == 0 {
            break;
        }
        steps -= 1;
        let check = check(name);
        let mut mapping = Mapping::of(name);
        while let Some(index) = usize::try_from(mapping.index).ok().filter(|index| *index < left.len()) {
            left[index].toggle(name, check, if is_ours { 255 } else { 1 });
            ready.push(index);
            mapping.step();
        }
        if is_ours { &mut peeled.ours } else { &mut peeled.theirs }.push(name);
    }
    peeled.is_complete = !left.is_empty() && left.iter().all(Symbol::is_empty);
    for side in [&mut peeled.ours, &mut peeled.theirs] {
        side.sort_unstable();
        side.dedup();
    }
    peeled
}

/// About how many differences there are, by the counts of symbols that did not tell them; about 15 % off with a hundred
/// symbols. `ahead` is by how many members the first set is larger. In symbol `i` each difference is with probability
/// `p = 2 / (2 + i)` and adds or takes one away, so its count has the mean `p * ahead` and for each the variance
/// `p (1 - p)`.
pub(super) fn estimate(ours: &[Symbol], theirs: &[Symbol], ahead: i64) -> u64 {
    let symbols = ours.len().min(theirs.len());
    // Without the first, which are so dense that their counts may have gone round.
    let later = (symbols / 4).max(1)..symbols;
    let measure = |at: usize| {
        let count = i64::from(subtract(ours[at], theirs[at]).count.cast_signed());
        let off = (count * (2 + at as i64)).abs_diff(2 * ahead);
        off.saturating_mul(off) / (2 * at as u64)
    };
    later.clone().map(measure).fold(0, u64::saturating_add) / (later.len() as u64).max(1)
}

fn subtract(ours: Symbol, theirs: Symbol) -> Symbol {
    Symbol {
        names: ours.names ^ theirs.names,
        checks: ours.checks ^ theirs.checks,
        count: ours.count.wrapping_sub(theirs.count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn sketch(names: impl IntoIterator<Item = u64>, symbols: usize) -> Sketch {
        let mut sketch = Sketch::new(symbols);
        names.into_iter().for_each(|name| sketch.insert(mix(name)));
        sketch
    }

    #[test]
    fn differences_on_both_sides_are_told_by_few_symbols() {
        for (seed, ours, theirs) in [(1, 0, 1), (2, 1, 0), (3, 30, 20), (4, 500, 300), (5, 0, 0)] {
            let common = seed * 1_000_000..seed * 1_000_000 + 20_000;
            let only =
                |side: u64, count: u64| seed * 1_000_000 + side * 100_000..seed * 1_000_000 + side * 100_000 + count;
            let symbols = usize::try_from((ours + theirs) * 2 + 16).expect("small");
            let a = sketch(common.clone().chain(only(1, ours)), symbols);
            let b = sketch(common.chain(only(2, theirs)), symbols);
            let peeled = peel(a.symbols(), b.symbols());
            let expected =
                |side, count| only(side, count).map(mix).collect::<BTreeSet<u64>>().into_iter().collect::<Vec<_>>();
            assert!(peeled.is_complete, "{ours} and {theirs}");
            assert_eq!((peeled.ours, peeled.theirs), (expected(1, ours), expected(2, theirs)));
        }
    }

    #[test]
    fn a_longer_sketch_begins_with_the_shorter_one() {
        let (long, short) = (sketch(0..5000, 1024), sketch(0..5000, 100));
        assert_eq!(long.symbols()[..100], *short.symbols());
    }

    #[test]
    fn too_few_symbols_are_incomplete_and_what_they_tell_is_true() {
        let (a, b) = (sketch(0..3000, 64), sketch(1000..4000, 64));
        let peeled = peel(a.symbols(), b.symbols());
        assert!(!peeled.is_complete);
        assert!(peeled.ours.iter().all(|name| (0..1000).map(mix).any(|expected| expected == *name)));
        assert!(peeled.theirs.iter().all(|name| (3000..4000).map(mix).any(|expected| expected == *name)));
    }

    #[test]
    fn symbols_that_do_not_tell_differences_tell_their_number() {
        for (ours, theirs) in [(1000, 0), (0, 1000), (500, 500), (900, 200), (3000, 3000)] {
            let common = 0..5000;
            let a = sketch(common.clone().chain(10_000..10_000 + ours), 512);
            let b = sketch(common.chain(20_000..20_000 + theirs), 512);
            let (differences, ahead) = (ours + theirs, ours.cast_signed() - theirs.cast_signed());
            let estimate = estimate(a.symbols(), b.symbols(), ahead);
            assert!(estimate.abs_diff(differences) < differences / 4, "{estimate} for {differences}");
        }
        assert_eq!(estimate(&[], &[], 0), 0);
    }

    #[test]
    fn made_up_symbols_end() {
        let forged: Vec<Symbol> = (0..4096_u64)
            .map(|at| {
                let names = mix(at);
                Symbol { names, checks: check(names), count: 1 }
            })
            .collect();
        assert!(!peel(&forged, &[Symbol::default(); 4096]).is_complete);
        assert!(!peel(&forged, &[]).is_complete);
    }

    #[test]
    fn symbols_read_back() {
        let symbols = sketch(0..100, 50).0;
        let bytes = Sketch::to_bytes(&symbols);
        assert_eq!(bytes.len(), 50 * SYMBOL_BYTES);
        assert_eq!(Sketch::from_bytes(&bytes), Some(symbols));
        assert_eq!(Sketch::from_bytes(&bytes[1..]), None);
    }

    #[test]
    fn a_root_is_the_one_of_integers() {
        let largest = u64::from(u32::MAX);
        let near_squares = [0, 1, 2, 3, 1 << 26, 94_906_265, 94_906_267, 1 << 31, largest - 1, largest]
            .into_iter()
            .flat_map(|root: u64| [(root * root).saturating_sub(1), root * root, (root * root).saturating_add(1)]);
        let drawn = (0..100_000).map(mix);
        let drawn_squares =
            (0..100_000).map(|number| (mix(number) >> 32).pow(2)).flat_map(|at| [at.saturating_sub(1), at]);
        for square in near_squares.chain(drawn).chain(drawn_squares).chain([u64::MAX]) {
            assert_eq!(root(square), square.isqrt(), "{square}");
        }
    }

    #[test]
    fn the_mapping_is_as_dense_as_the_theory_asks() {
        // Symbol i holds 1 / (1 + i / 2) of the members; a wrong density needs far more symbols a difference.
        let mut hits = [0_u32; 64];
        for name in 0..20_000 {
            let mut mapping = Mapping::of(mix(name));
            while let Some(hit) = usize::try_from(mapping.index).ok().and_then(|index| hits.get_mut(index)) {
                *hit += 1;
                mapping.step();
            }
        }
        for (index, hits) in hits.iter().enumerate() {
            let expected = 20_000.0 / (1.0 + index as f64 / 2.0);
            assert!((f64::from(*hits) - expected).abs() < 0.15 * expected + 60.0, "{index}: {hits} for {expected}");
        }
    }
}
