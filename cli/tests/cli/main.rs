//! The `roda` binary against a fake node: what it is asked, what it prints, how it ends.

mod client;
mod fake_node;
mod schemas;
