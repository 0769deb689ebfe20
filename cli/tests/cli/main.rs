//! The `roda` binary against a fake node: what it is asked, what it prints, how it ends.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod client;
mod fake_node;
mod schemas;
mod validator;
