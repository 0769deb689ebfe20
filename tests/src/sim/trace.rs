//! The trace: a hash over everything that was delivered, and on demand a line for each.

/// Same seed, same hash: whatever differs between two runs differs here first.
pub(super) struct Trace {
    hasher: blake3::Hasher,
    deliveries: u64,
    prints: bool,
}

impl Trace {
    pub(super) fn new(prints: bool) -> Self {
        Self { hasher: blake3::Hasher::new(), deliveries: 0, prints }
    }

    /// Takes in one delivery: what, from whom, to whom, and its bytes.
    pub(super) fn note(&mut self, at_ms: u64, what: &str, from: usize, to: usize, bytes: &[u8]) {
        self.deliveries += 1;
        self.hasher.update(&at_ms.to_le_bytes());
        self.hasher.update(what.as_bytes());
        self.hasher.update(&(from as u64).to_le_bytes());
        self.hasher.update(&(to as u64).to_le_bytes());
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
        if self.prints {
            let hash = blake3::hash(bytes).to_hex();
            println!("{at_ms:>9} {what:<12} {from:>3} -> {to:<3} {:>6} B {}", bytes.len(), &hash[..8]);
        }
    }

    /// A line for a person; no part of the hash.
    pub(super) fn say(&self, at_ms: u64, words: impl FnOnce() -> String) {
        if self.prints {
            println!("{at_ms:>9} {}", words());
        }
    }

    pub(super) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    pub(super) fn hash(&self) -> String {
        self.hasher.finalize().to_hex()[..16].to_owned()
    }
}
