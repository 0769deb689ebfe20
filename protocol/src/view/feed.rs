//! The order of threads in a feed, by integers only, so that equal sets and equal `now` give equal orders everywhere.

use crate::id::EventId;

/// What a feed knows of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedStats {
    /// The post.
    pub id: EventId,
    /// The post's claimed time, unix milliseconds.
    pub created_ms: u64,
    /// The greatest claimed time of the post and its comments that is not ahead of the reader's clock.
    pub active_ms: u64,
    /// Votes up less votes down on the post: raw, one per author.
    pub score: i64,
}

/// A published order of threads; the first is shown first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FeedSort {
    /// Newest post first.
    #[default]
    New,
    /// Newest comment or post first.
    Active,
    /// Highest score first, newer first among equals.
    Top,
}

/// A thread's place; greater keys come first. A total order: ids break ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedKey(i64, u64, EventId);

impl FeedSort {
    /// The place of a thread for a reader whose clock shows `now_ms`. A date ahead of that clock counts as now, so that
    /// nobody stays on top by dating ahead.
    #[must_use]
    pub fn key(self, stats: &FeedStats, now_ms: u64) -> FeedKey {
        let created = stats.created_ms.min(now_ms);
        match self {
            Self::New => FeedKey(0, created, stats.id),
            Self::Active => FeedKey(0, stats.active_ms.min(now_ms), stats.id),
            Self::Top => FeedKey(stats.score, created, stats.id),
        }
    }
}
