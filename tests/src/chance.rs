//! Random numbers from a seed. The seed is printed, and `RODA_SEED` sets it: the same seed makes the same choices.

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

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.draw().to_le_bytes());
        words.take(count.div_ceil(8)).flatten().take(count).collect()
    }
}
