//! The local API: one HTTP/JSON router on a Unix socket that only this user can reach.
//!
//! Owns translation between requests and the engine's questions or the store's reads. Reads go straight to the store, on
//! threads that may block; writes are signed here and go through the engine. The folder of the socket has mode 0700, the
//! socket 0600, and every connection's user is checked.

pub(crate) mod authors;
pub(crate) mod board_log;
pub(crate) mod boards;
mod call;
mod calls;
pub(crate) mod directory;
pub mod dto;
pub(crate) mod error;
pub(crate) mod feed;
pub(crate) mod history;
pub(crate) mod inbox;
pub(crate) mod invites;
pub(crate) mod keeping;
mod moving;
pub(crate) mod names;
mod news;
pub(crate) mod next;
pub(crate) mod node;
mod openapi;
pub(crate) mod page;
pub(crate) mod power;
pub(crate) mod read;
pub(crate) mod reader;
mod reader_moving;
pub(crate) mod resolve;
#[cfg(test)]
mod samples;
pub(crate) mod search;
mod server;
pub(crate) mod tags;
mod waiting;
pub(crate) mod why;
pub(crate) mod write;

pub(crate) use error::not_logged_in;
pub(crate) use news::News;
pub(crate) use server::Server;
pub(crate) use waiting::WaitingMarks;

use crate::runtime::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;
use std::sync::Arc;

/// Bytes of a request's body: a chunk of an import, 128 lines of events, is the largest.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where no call is: the answer says so as an error of the API.
const NO_CALL: &str = "/api/{*other}";

/// A running node, as calls and pages have it.
pub(crate) type Shared = Arc<Context>;

pub(crate) fn router(context: Shared) -> Router {
    routes().with_state(context)
}

fn routes() -> Router<Shared> {
    let routes = calls::all().into_iter().fold(Router::new(), |router, call| router.route(call.path, call.handler));
    let routes = routes.route(NO_CALL, any(error::no_route)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    routes.layer(axum::middleware::from_fn(tags::tagged))
}
