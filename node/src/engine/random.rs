//! Random numbers from a seed: the engine draws none from the system, so a run can be replayed.

/// A stream of random bytes.
#[derive(Debug)]
pub(super) struct Random {
    key: [u8; 32],
    counter: u64,
}

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { key: seed, counter: 0 }
    }

    /// 32 bytes that nobody without the seed can foresee.
    pub(super) fn bytes(&mut self) -> [u8; 32] {
        self.counter += 1;
        *blake3::keyed_hash(&self.key, &self.counter.to_le_bytes()).as_bytes()
    }

    /// A number below `bound`; 0 if the bound is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h]).checked_rem(bound).unwrap_or(0)
    }
}
