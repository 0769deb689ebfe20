//! Coming in and going out: the one-time link, and what those see who have no session.

use super::Shared;
use super::access::Access;
use super::guard::Caller;
use axum::extract::{Extension, Path, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;

/// Opens a session with a ticket and goes to the first page.
pub(super) async fn log_in(State(access): State<Arc<Access>>, Path(ticket): Path<String>) -> Response {
    match access.log_in(&ticket) {
        Some(cookie) => with_cookie(Redirect::to("/"), &cookie),
        None => (
            StatusCode::FORBIDDEN,
            "This login link was used, or is too old. Get a new one with the command `roda web`.\n",
        )
            .into_response(),
    }
}

/// Ends the session.
pub(super) async fn log_out(State(web): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let Caller::Browser(secret) = caller else { return StatusCode::NO_CONTENT.into_response() };
    let mut response =
        with_cookie("You are logged out. `roda web` gives a new login link.\n", &web.access.log_out(&secret));
    let clear = (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"storage\""));
    response.headers_mut().insert(clear.0, clear.1);
    response
}

fn with_cookie(response: impl IntoResponse, cookie: &str) -> Response {
    let mut response = response.into_response();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// What who has no session gets: programs an error as they know it, people a line that says what to do.
pub(super) fn refused(headers: &HeaderMap, path: &str) -> Response {
    if path.starts_with("/api/") || headers.contains_key(header::AUTHORIZATION) {
        return crate::api::not_logged_in();
    }
    let text = "This page is for the person who runs this node.\n\nOpen the link that the command `roda web` prints: it logs \
                this browser in.\n";
    (StatusCode::UNAUTHORIZED, text).into_response()
}
