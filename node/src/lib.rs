//! The machine of Roda: an engine that decides, with store, network and API around it.
//!
//! Dependencies run one way: `api`, `network`, `runtime` -> `engine` -> `store` -> the protocol. Only the engine makes
//! decisions; the others translate.

pub mod api;
pub mod engine;
pub mod home;
pub mod peer;
pub mod store;
