//! The judge of Roda: what the tests on real nodes share.

pub mod binary;
pub mod book;
pub mod homes;

pub use binary::roda_binary;
