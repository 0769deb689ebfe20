//! Events dated ahead of this node's clock: kept aside, bounded, judged again when they are due.

use super::admit::{Ignored, Verdict};
use roda_protocol::event::Verified;
use roda_protocol::id::EventId;
use roda_protocol::limits::FUTURE_MS_MAX;
use roda_protocol::time::Now;
use std::collections::BTreeMap;

/// Events kept aside at most.
const EVENTS_MAX: usize = 1000;

/// Their bytes together.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Events further ahead than this are not even kept aside: a day.
const AHEAD_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// What waits for its time.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    events: BTreeMap<(u64, EventId), Verified>,
    bytes: usize,
}

impl Deferred {
    /// Keeps an event aside; the one that is due last makes room.
    pub(super) fn keep(&mut self, event: Verified, now: Now) -> Verdict {
        let key = (event.header().created_ms, event.id());
        if key.0 > now.wall_ms.saturating_add(AHEAD_MS_MAX) {
            return Verdict::Ignored(key.1, Ignored::NoRoom);
        }
        if self.events.contains_key(&key) {
            return Verdict::Deferred(key.1);
        }
        self.bytes += event.bytes().len();
        self.events.insert(key, event);
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some((dropped, event)) = self.events.pop_last() else { break };
            self.bytes -= event.bytes().len();
            if dropped == key {
                return Verdict::Ignored(key.1, Ignored::NoRoom);
            }
        }
        Verdict::Deferred(key.1)
    }

    /// Takes an event whose time has come.
    pub(super) fn due(&mut self, now: Now) -> Option<Verified> {
        let entry = self.events.first_entry()?;
        if entry.key().0 > now.wall_ms.saturating_add(FUTURE_MS_MAX) {
            return None;
        }
        let event = entry.remove();
        self.bytes -= event.bytes().len();
        Some(event)
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }
}
