//! What a reader is shown: pure functions of the events held, the reader's policy and the time that is passed in.
//!
//! Events of one author about one target form a *register*; its last writer is the greatest (depth, id). Depth is derived
//! from the refs of the events at hand and never claimed, and the wall clock decides nothing.

mod depth;
mod feed;
mod profile;

pub use depth::depths;
pub use feed::{FeedKey, FeedSort, FeedStats};
pub use profile::{ProfileItem, profile};
