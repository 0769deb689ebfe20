//! What two nodes compare to learn what each lacks.
//!
//! Owns the set of a space, *known* (time, id) pairs, cut into epochs, and its digests. Pure: what is stored where is the
//! node's business. Which events are missing is found by paging through ids; range reconciliation will stand behind the
//! same messages of `wire`.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `epoch.rs` | epochs, and the place of a member in its epoch |
//! | `lthash.rs` | the digest that decides whether two sets are equal |
//! | `sum.rs` | the sum that steers inside an epoch |
//! | `tree.rs`, `epoch_set.rs` | the members of one epoch, with the summary of any range |
//! | `set.rs` | a whole set in memory |

mod epoch;
mod epoch_set;
mod lthash;
mod set;
mod sum;
mod tree;

pub use epoch::{EPOCH_MS, Epoch, EpochKey};
pub use epoch_set::EpochSet;
pub use lthash::{Expanded, LtHash};
pub use set::{Digest, KnownSet, SetKey};
pub use sum::Sum;
pub use tree::{Summary, Tree};
