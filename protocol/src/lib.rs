//! The rules of Roda, a peer-to-peer discussion network with nobody at the head of the table.
//!
//! Bytes, keys, events, validity, threads, views and the messages between nodes. Every function is a pure function of its
//! arguments: no IO, no clock, no entropy, no async. `protocol/README.md` is the same as a specification that needs no
//! Rust. Modules in reading order:

pub mod limits;

pub mod id;
pub mod time;

pub mod codec;
pub mod keys;
pub mod work;

pub mod event;
pub mod validate;

pub mod text;
pub mod thread;
pub mod view;

pub mod concentration;

pub mod gossip;
pub mod invite;
pub mod reconcile;
pub mod rendezvous;
pub mod wire;
