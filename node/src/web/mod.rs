//! The web page and the TCP door of the API, for the person who runs the node.
//!
//! Owns the door (`access`, `guard`, `listen`, `login`, `sessions`), the pages behind it and the feeds beside them (`atom`), which are made on this side of
//! the wire from the same calls as the API's answers: without scripts everything works, the script adds keys and news.
//! Never decides about events, never loads anything from elsewhere, never puts a stranger's text anywhere but through
//! `askama`'s escapes or [`markdown`].

mod access;
mod assets;
mod atom;
mod frame;
mod guard;
mod listen;
mod login;
mod markdown;
mod pages;
mod preferences;
mod sessions;
mod show;
mod texts;

pub(crate) use access::Access;
pub(crate) use guard::FORM_TOKEN_HEADER;
pub use listen::WebAddress;
pub(crate) use listen::{bind, serve};

use crate::runtime::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use preferences::Preferences;
use std::sync::Arc;
use std::time::Duration;

/// What pages are made from.
pub(crate) struct Web {
    pub(crate) context: Arc<Context>,
    pub(crate) access: Arc<Access>,
    pub(crate) preferences: Preferences,
}

type Shared = Arc<Web>;

/// How long a page may take. Comparing with peers is the slowest thing that a page waits for.
const PAGE_TIME_MAX: Duration = Duration::from_secs(60);

/// Everything behind the door.
pub(crate) fn router(context: Arc<Context>, access: Arc<Access>) -> Router {
    let preferences = Preferences::read(&context.home);
    let web = Arc::new(Web { context: Arc::clone(&context), access: Arc::clone(&access), preferences });
    let pages = pages::router().layer(from_fn(in_time)).with_state(Arc::clone(&web));
    let private =
        pages.merge(crate::api::router(context)).layer(from_fn_with_state(Arc::clone(&access), guard::caller));
    Router::new()
        .route("/login/{ticket}", get(login::log_in))
        .with_state(Arc::clone(&access))
        .route("/assets/{name}", get(assets::asset))
        .route("/favicon.ico", get(assets::icon))
        .merge(atom::router(web).layer(from_fn(in_time)))
        .merge(private)
        .layer(DefaultBodyLimit::max(crate::api::BODY_BYTES_MAX))
        .layer(from_fn_with_state(access, guard::entrance))
}

async fn in_time(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    match tokio::time::timeout(PAGE_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            (axum::http::StatusCode::GATEWAY_TIMEOUT, "The node took too long. Load the page again.\n").into_response()
        }
    }
}
