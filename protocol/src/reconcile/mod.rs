//! What two nodes compare to learn what each lacks.
//!
//! Owns the set of a space, *known* (time, id) pairs, cut into epochs, and its digests. Pure: what is stored where is the
//! node's business. [`Comparison`] asks, [`answer()`] answers; the messages between them are in `message.rs`, and `wire`
//! carries them. A sum steers inside an epoch and a sketch finds what is scattered; both could be forged, so only the
//! digest of the epoch decides, and an epoch in which nothing was found is listed under salted names.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `epoch.rs` | epochs, and the place of a member in its epoch |
//! | `lthash.rs` | the digest that decides whether two sets are equal |
//! | `sum.rs` | the sum that steers inside an epoch |
//! | `tree.rs`, `sketch.rs`, `epoch_set.rs` | the members of one epoch, with the summary of any range, and in short |
//! | `sets.rs`, `memory_sets.rs` | what a comparison sees of a set, and a set in memory |
//! | `message.rs`, `bound.rs` | probes and findings |
//! | `comparison.rs`, `answer.rs` | the side that asks and the side that answers |
//! | `sketch_size.rs` | how many symbols the asking side asks for |

mod answer;
mod bound;
mod comparison;
mod epoch;
mod epoch_set;
mod lthash;
mod memory_sets;
mod message;
mod sets;
mod sketch;
mod sketch_size;
mod sum;
mod tree;

pub use answer::{AnswerError, Answered, answer};
pub use bound::{Bound, between};
pub use comparison::{CompareError, Comparison, Fetch, Found, Push, ROUNDS_MAX};
pub use epoch::{EPOCH_MS, Epoch, EpochKey};
pub use epoch_set::EpochSet;
pub use lthash::{Expanded, LtHash};
pub use memory_sets::MemorySets;
pub use message::{
    Ask, Child, Differs, EpochEntry, FAN_OUT, Finding, Fingerprint, LISTED_MAX, PROBES_MAX, Probe, Salt, SaltedName,
    ShortBytes, epoch_entries, fingerprint, of_digest, salted_name, short_range, split,
};
pub use sets::{Digest, SetKey, Sets};
pub use sketch::{Peeled, SYMBOL_BYTES, SYMBOLS_MAX, Short, Sketch, Symbol, peel};
pub use sum::Sum;
pub use tree::{Summary, Tree};

#[cfg(test)]
mod tests;
