//! Random numbers from a seed: the same seed makes the same choices. A test on real nodes prints its seed, and `RODA_SEED`
//! sets it.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64: enough for choosing where to break things.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// From `RODA_SEED`, or the clock.
    #[must_use]
    pub fn new(test: &str) -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| u64::from(time.subsec_nanos()));
        let seed = std::env::var("RODA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(clock);
        println!("{test}: RODA_SEED={seed}");
        Self(seed)
    }

    /// From a seed alone.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % end as u64).expect("it is below a usize")
    }

    /// A number from `first` up to and without `end`; `first` if there is none.
    pub fn between(&mut self, first: u64, end: u64) -> u64 {
        first + self.draw().checked_rem(end.saturating_sub(first)).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub fn is(&mut self, permille: u32) -> bool {
        permille > 0 && self.draw() % 1000 < u64::from(permille)
    }

    /// One of these; `None` if there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.below(from.len())) }
    }

    /// Puts these in any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (2..=items.len()).rev() {
            items.swap(end - 1, self.below(end));
        }
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.draw().to_le_bytes());
        words.take(count.div_ceil(8)).flatten().take(count).collect()
    }
}
