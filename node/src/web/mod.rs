//! The web page and the TCP door of the API, for the person who runs the node.
//!
//! Owns the door (`access`, `attempts`, `guard`, `listen`, `login`, `password`, `places`, `sessions`, `tls`, `turns`) and the
//! pages behind it and the feeds beside them (`atom`), which are made on this side of the wire from the same calls as the API's answers: without scripts
//! everything works, the script adds keys, news, and answers written in place.
//! Never decides about events, never loads anything from elsewhere, never puts a stranger's text anywhere but through
//! `askama`'s escapes or [`markdown`].

mod access;
mod assets;
mod atom;
mod attempts;
mod frame;
mod guard;
mod hosts;
mod listen;
mod login;
mod markdown;
mod pages;
mod password;
mod places;
mod preferences;
mod sessions;
mod show;
pub(crate) mod texts;
mod tls;
mod turns;

pub(crate) use access::Access;
pub(crate) use guard::FORM_TOKEN_HEADER;
pub use listen::WebAddress;
pub(crate) use listen::{bind, serve};
pub use password::{PASSWORD_CHARS_MIN, PasswordError, password_file, remove_password, set_password};
pub(crate) use preferences::{Choice, Preferences};
pub(crate) use tls::{DoorError, OWN_TLS_FILE, Tls, protection};

use crate::runtime::Context;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use texts::Language;

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
    let preferences = Preferences::of(&context.home);
    let web = Arc::new(Web { context: Arc::clone(&context), access: Arc::clone(&access), preferences });
    let pages = pages::router().layer(from_fn(in_time)).with_state(Arc::clone(&web));
    let private =
        pages.merge(crate::api::router(context)).layer(from_fn_with_state(Arc::clone(&access), guard::caller));
    let mut public = Router::new().route("/login/{ticket}", get(login::log_in));
    if access.tls().is_some() {
        let form = get(login::show).post(login::submit);
        let form = form.layer(DefaultBodyLimit::max(login::FORM_BYTES_MAX)).layer(from_fn(login::in_time));
        public = public.route("/login", form);
    }
    public
        .with_state(Arc::clone(&access))
        .route("/assets/{name}", get(assets::asset))
        .route("/favicon.ico", get(assets::icon))
        .merge(atom::router(web).layer(from_fn(in_time)))
        .merge(private)
        .layer(DefaultBodyLimit::max(crate::api::BODY_BYTES_MAX))
        .layer(from_fn_with_state(access, guard::entrance))
}

async fn in_time(request: Request, next: Next) -> Response {
    within(PAGE_TIME_MAX, request, next).await
}

/// An answer, or after a while the news that there is none.
async fn within(time_max: Duration, request: Request, next: Next) -> Response {
    let t = Language::of_browser(request.headers()).texts();
    match tokio::time::timeout(time_max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, format!("{}\n", t.door_slow)).into_response(),
    }
}
