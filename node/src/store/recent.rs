//! Events that were read of late, decoded: what many readers or peers ask for is read from the log and decoded once.
//!
//! A bounded copy of what the log says, never more: an event whose words are scrubbed from the log leaves with them.

use super::events::Stored;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of decoded events that are kept: some 5,000 of an ordinary size, which is more than a thread that is read or a
/// batch that is served has.
pub(super) const RECENT_BYTES_MAX: usize = 4 << 20;

/// What an event takes decoded, beside twice its bytes: measured with comments, rounded up.
const ENTRY_BYTES: usize = 512;

/// The events, by the position of their records. In two generations: an older one that is not read again is dropped whole.
#[derive(Debug)]
pub(super) struct Recent {
    young: HashMap<u64, Arc<Stored>>,
    old: HashMap<u64, Arc<Stored>>,
    young_bytes: usize,
    bytes_max: usize,
    /// Records that were scrubbed so far: what was read from the log before one was is not kept after it.
    scrubs: u64,
}

impl Recent {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, bytes_max, scrubs: 0 }
    }

    /// The event whose record starts here, if it is at hand.
    pub(super) fn get(&mut self, position: u64) -> Option<Arc<Stored>> {
        if let Some(stored) = self.young.get(&position) {
            return Some(Arc::clone(stored));
        }
        let stored = self.old.remove(&position)?;
        self.insert(position, Arc::clone(&stored));
        Some(stored)
    }

    /// To be asked before a record is read, and handed to [`Recent::put`] with what was read.
    pub(super) fn scrubs(&self) -> u64 {
        self.scrubs
    }

    /// Keeps an event that was read from the log.
    pub(super) fn put(&mut self, position: u64, stored: Arc<Stored>, scrubs: u64) {
        if scrubs == self.scrubs {
            self.insert(position, stored);
        }
    }

    /// The record at this position has changed.
    pub(super) fn scrubbed(&mut self, position: u64) {
        self.scrubs += 1;
        self.old.remove(&position);
        if let Some(stored) = self.young.remove(&position) {
            self.young_bytes -= bytes_of(&stored);
        }
    }

    fn insert(&mut self, position: u64, stored: Arc<Stored>) {
        self.young_bytes += bytes_of(&stored);
        if let Some(before) = self.young.insert(position, stored) {
            self.young_bytes -= bytes_of(&before);
        }
        if self.young_bytes > self.bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

fn bytes_of(stored: &Stored) -> usize {
    ENTRY_BYTES + 2 * stored.event.bytes().len()
}

#[cfg(test)]
mod tests {
    use super::super::samples::charter;
    use super::*;

    fn stored() -> Arc<Stored> {
        Arc::new(Stored { event: charter().event, received_ms: 1 })
    }

    #[test]
    fn what_is_read_again_stays_and_the_rest_goes_when_bytes_run_out() {
        let stored = stored();
        let mut recent = Recent::new(8 * bytes_of(&stored));
        for position in 0..100 {
            recent.put(position, Arc::clone(&stored), 0);
            assert!(recent.get(0).is_some());
            assert!(recent.young.len() + recent.old.len() <= 10);
        }
        assert!(recent.get(50).is_none());
    }

    #[test]
    fn a_scrubbed_record_is_forgotten_and_what_was_read_before_is_not_kept() {
        let mut recent = Recent::new(usize::MAX);
        let before = recent.scrubs();
        recent.put(1, stored(), before);
        recent.scrubbed(1);
        assert!(recent.get(1).is_none());
        recent.put(1, stored(), before);
        assert!(recent.get(1).is_none());
        recent.put(1, stored(), recent.scrubs());
        assert!(recent.get(1).is_some());
        assert_eq!(recent.young_bytes, bytes_of(&stored()));
    }
}
