//! The machine of Roda: an engine that decides, with adapters around it.

pub mod network;
