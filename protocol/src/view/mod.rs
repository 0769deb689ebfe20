//! What a reader is shown: pure functions of the events held, the reader's policy and the time that is passed in.
//!
//! Events of one author about one target form a *register*; its last writer is the greatest (depth, id). Depth is derived
//! from the refs of the events at hand and never claimed, and the wall clock decides nothing.

mod depth;
mod feed;
mod mention;
pub mod policy;
mod profile;

pub use depth::depths;
pub use feed::{BALANCE_UNIT_MS, FeedKey, FeedSort, FeedStats, HOT_DOUBLING_MS, Place};
pub use mention::{MENTION_DIGITS_MIN, mentions};
pub use profile::{ProfileItem, profile};
