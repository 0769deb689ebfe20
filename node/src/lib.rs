//! The machine of Roda: an engine that decides, with store, network and API around it.
//!
//! Dependencies run one way: `web` -> `api`; `api`, `network`, `runtime` -> `engine` -> `store` -> the protocol; `search` stands
//! beside the engine, on the store. Only the engine makes
//! decisions; the others translate.

pub mod api;
mod author;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod home;
mod identity;
pub mod network;
pub mod peer;
mod runtime;
mod search;
pub mod store;
mod web;

pub use runtime::{Checkers, Node, Ready, Settings, StartError};
pub use web::{PASSWORD_CHARS_MIN, PasswordError, WebAddress, password_file, remove_password, set_password};
