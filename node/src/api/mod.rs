//! The local API.

pub mod dto;
