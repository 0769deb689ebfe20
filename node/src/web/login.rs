//! Coming in and going out: the one-time link, the password, and what those see who have no session.

use super::access::{Access, Tried};
use super::frame::{Frame, here, way_back};
use super::guard::{Caller, forbidden, is_from_our_page, line};
use super::listen::Arrival;
use super::texts::{Language, Texts};
use super::{Shared, assets};
use askama::Template;
use axum::Form;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{HeaderName, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Bytes of the form: a password of 1,024, each written as three, and where to go.
pub(super) const FORM_BYTES_MAX: usize = 8 * 1024;

/// How long the form may take to come and to be answered: it may wait for fifty others on a slow machine.
const FORM_TIME_MAX: Duration = Duration::from_secs(30);

/// Keeps the form within its time.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    super::within(FORM_TIME_MAX, request, next).await
}

/// Opens a session with a ticket and goes to the first page.
pub(super) async fn log_in(
    State(access): State<Arc<Access>>,
    headers: HeaderMap,
    Path(ticket): Path<String>,
) -> Response {
    match access.log_in(&ticket) {
        Some(cookie) => with_cookie(Redirect::to("/"), &cookie),
        None => forbidden(&headers, |t| t.door_used_link),
    }
}

/// Ends the session.
pub(super) async fn log_out(State(web): State<Shared>, frame: Frame, Extension(caller): Extension<Caller>) -> Response {
    let Caller::Browser(secret) = caller else { return StatusCode::NO_CONTENT.into_response() };
    let mut response = with_cookie(format!("{}\n", frame.t.door_logged_out), &web.access.log_out(&secret));
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

/// What who has no session gets: programs an error as they know it, people a page or a line that says what to do.
pub(super) fn refused(access: &Access, headers: &HeaderMap, uri: &Uri) -> Response {
    if uri.path().starts_with("/api/") || headers.contains_key(header::AUTHORIZATION) {
        return crate::api::not_logged_in();
    }
    if access.tls().is_some() {
        return (StatusCode::UNAUTHORIZED, page(headers, here(uri), None)).into_response();
    }
    line(StatusCode::UNAUTHORIZED, headers, |t| t.door_private)
}

/// The form for the password. It exists where TLS is spoken alone: elsewhere the password would be there to be read.
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    t: &'static Texts,
    version: &'static str,
    /// Where to go then.
    to: String,
    problem: Option<String>,
}

fn page(headers: &HeaderMap, to: String, problem: Option<String>) -> Response {
    let t = Language::of_browser(headers).texts();
    Frame::page(&LoginPage { t, version: assets::VERSION.as_str(), to, problem })
}

/// Where to go after the form.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    to: String,
}

/// `GET /login`.
pub(super) async fn show(headers: HeaderMap, Query(ask): Query<Ask>) -> Response {
    page(&headers, way_back(&ask.to).to_owned(), None)
}

/// The form's fields.
#[derive(Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    password: String,
    #[serde(default)]
    to: String,
}

/// `POST /login`.
pub(super) async fn submit(
    State(access): State<Arc<Access>>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    // Another page in this browser must not use up this address' tries.
    if is_from_our_page(&headers) == Some(false) {
        return forbidden(&headers, |t| t.door_from_elsewhere);
    }
    let to = way_back(&given.to).to_owned();
    let t = Language::of_browser(&headers).texts();
    let (status, problem, wait) = match access.try_password(arrival.from, Zeroizing::new(given.password)).await {
        Tried::Right(cookie) => return with_cookie(Redirect::to(&to), &cookie),
        Tried::Wrong => (StatusCode::FORBIDDEN, t.login_wrong.to_owned(), None),
        Tried::Closed => (StatusCode::FORBIDDEN, t.login_closed.to_owned(), None),
        Tried::Wait(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, t.login_wait.replace("%n", &seconds.to_string()), Some(seconds))
        }
    };
    let mut response = (status, page(&headers, to, Some(problem))).into_response();
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
