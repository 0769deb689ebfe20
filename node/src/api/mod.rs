//! The local API: one HTTP/JSON router on a Unix socket that only this user can reach.
//!
//! Owns translation between requests and the engine's questions or the store's reads. Reads go straight to the store, on
//! threads that may block; writes are signed here and go through the engine. The folder of the socket has mode 0700, the
//! socket 0600, and every connection's user is checked.

pub(crate) mod boards;
pub mod dto;
pub(crate) mod error;
pub(crate) mod feed;
pub(crate) mod inbox;
pub(crate) mod invites;
pub(crate) mod keeping;
mod moving;
mod news;
pub(crate) mod next;
pub(crate) mod node;
pub(crate) mod power;
pub(crate) mod read;
pub(crate) mod reader;
mod reader_moving;
pub(crate) mod resolve;
mod server;
pub(crate) mod why;
pub(crate) mod write;

pub(crate) use error::not_logged_in;
pub(crate) use news::News;
pub(crate) use server::Server;

use crate::runtime::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use std::sync::Arc;

/// Bytes of a request's body: a chunk of an import, 128 lines of events, is the largest.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A running node, as calls and pages have it.
pub(crate) type Shared = Arc<Context>;

pub(crate) fn router(context: Shared) -> Router {
    Router::new()
        .route("/api/v1/status", get(node::status))
        .route("/api/v1/doctor", get(node::doctor))
        .route("/api/v1/identity", get(node::identity).post(write::name))
        .route("/api/v1/peers", get(node::peers))
        .route("/api/v1/connect", post(node::connect))
        .route("/api/v1/events", get(news::events))
        .route("/api/v1/shutdown", post(node::shutdown))
        .route("/api/v1/boards", get(boards::list).post(boards::found))
        .route("/api/v1/boards/open", post(boards::open))
        .route("/api/v1/follow", post(boards::follow))
        .route("/api/v1/unfollow", post(boards::unfollow))
        .route("/api/v1/keep", post(keeping::keep))
        .route("/api/v1/invites", post(invites::make))
        .route("/api/v1/join", post(invites::join))
        .route("/api/v1/sync", post(boards::sync))
        .route("/api/v1/posts", post(write::post))
        .route("/api/v1/events/{id}/reply", post(write::reply))
        .route("/api/v1/events/{id}/edit", post(write::edit))
        .route("/api/v1/events/{id}/retract", post(write::retract))
        .route("/api/v1/events/{id}/vote", post(write::vote))
        .route("/api/v1/feed", get(feed::feed))
        .route("/api/v1/threads/{id}", get(read::thread))
        .route("/api/v1/outbox", get(read::outbox))
        .route("/api/v1/inbox", get(inbox::inbox))
        .route("/api/v1/inbox/clear", post(inbox::clear))
        .route("/api/v1/events/{id}/why", get(why::why))
        .route("/api/v1/power", get(power::power))
        .route("/api/v1/next", post(next::next))
        .route("/api/v1/catchup", post(next::catch_up))
        .route("/api/v1/reader/rules", get(reader::rules).post(reader::set))
        .route("/api/v1/reader/export", get(reader_moving::export))
        .route("/api/v1/reader/import", post(reader_moving::import))
        .route("/api/v1/export", get(moving::export))
        .route("/api/v1/import", post(moving::import))
        .route("/api/v1/fsck", post(moving::fsck))
        .route("/api/v1/web", post(node::web))
        .route("/api/{*other}", any(error::no_route))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(context)
}
