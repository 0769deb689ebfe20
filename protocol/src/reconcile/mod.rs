//! What two nodes compare to learn what each lacks.
//!
//! Owns the set of a space, *known* (time, id) pairs, and its digest. Which events are missing is found by paging
//! through ids; range reconciliation will stand behind the same messages of `wire`.

mod lthash;
mod set;

pub use lthash::LtHash;
pub use set::{Digest, KnownSet, SetKey};
