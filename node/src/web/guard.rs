//! Who is let through the door: checks of every request before any page or call sees it, and headers of every answer.
//!
//! In this order: the Host must be one of ours (a page elsewhere may have its name point here: DNS rebinding), the rate of
//! such callers (with cookie or token, or without), the caller, and for whatever changes something, that it came from our
//! own page. The first failure answers; nothing else is looked at.

use super::access::Access;
use super::listen::Arrival;
use super::sessions::{SessionUse, form_token};
use super::texts::{Language, Texts};
use super::turns::{Asker, Wish};
use crate::runtime::wall_ms;
use axum::Form;
use axum::body::Body;
use axum::extract::{Extension, FromRequest as _, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Header in which a script of our own page gives its form token.
pub(crate) const FORM_TOKEN_HEADER: &str = "x-roda-form";

/// The field in which a form of our own page gives it.
const FORM_TOKEN_FIELD: &str = "form";

/// Bytes of a form: a text of 48 KiB, each of its bytes written as three, and room for the other fields.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// What a page may do: run our own script, use our own style, talk to us. Nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Who asks. In a request's extensions for whoever is behind the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A browser with a session; the secret of its cookie.
    Browser(String),
    /// A program with the token.
    Program,
}

impl Caller {
    /// The token that this caller's forms carry.
    pub(crate) fn form_token(&self) -> String {
        match self {
            Self::Browser(secret) => form_token(secret),
            Self::Program => String::new(),
        }
    }
}

/// Names of this machine for itself.
const NAMES_HERE: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Seconds for which a browser that has seen this name's certificate comes back by TLS alone: 30 days (RFC 6797, 6.1.1).
const TLS_ONLY: &str = "max-age=2592000";

/// Whether a Host header names this access, called at an address of this machine. An address is no name that somebody else
/// can have lead here, so the one that was called will do.
pub(crate) fn is_our_host(host: &str, at: SocketAddr, is_tls: bool, allowed: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    // Browsers leave out the port that their scheme implies.
    let implied = if is_tls { 443 } else { 80 };
    let name = match host.strip_suffix(&format!(":{}", at.port())) {
        Some(name) => Some(name),
        None if at.port() == implied => Some(host.as_str()),
        None => None,
    };
    let called = match at.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    name.is_some_and(|name| NAMES_HERE.contains(&name) || name == called)
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host))
}

/// Whether a request that changes something came from our own page, as far as the browser says. `None`: it says nothing.
/// The order is that of Go's `CrossOriginProtection`: `Sec-Fetch-Site` cannot be set by scripts, `Origin` is older.
pub(crate) fn is_from_our_page(headers: &HeaderMap) -> Option<bool> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return Some(matches!(site, "same-origin" | "none"));
    }
    let host = text("host")?;
    text("origin").map(|origin| origin == format!("http://{host}") || origin == format!("https://{host}"))
}

/// Checks the Host header and the rate, for everything behind the door, and dresses every answer.
pub(super) async fn entrance(
    State(access): State<Arc<Access>>,
    Extension(arrival): Extension<Arrival>,
    mut request: Request,
    next: Next,
) -> Response {
    let hosts: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
    let at = SocketAddr::new(arrival.at, access.address.port());
    let is_tls = access.tls().is_some();
    let is_ours = match hosts.as_slice() {
        [host] => host.to_str().is_ok_and(|host| is_our_host(host, at, is_tls, &access.allowed_hosts)),
        _ => false,
    };
    let is_asset = request.uri().path().starts_with("/assets/");
    let (caller, longer) = if is_ours { access.caller(request.headers()) } else { (None, None) };
    let has_turn = match &caller {
        _ if !is_ours => false,
        Some(_) => access.take_turn(Asker::Known, wall_ms()),
        None => access.takes_stranger(request.uri().path(), arrival),
    };
    let mut response = if !is_ours {
        line(StatusCode::MISDIRECTED_REQUEST, request.headers(), |t| t.door_other_name)
    } else if !has_turn {
        let mut response = line(StatusCode::TOO_MANY_REQUESTS, request.headers(), |t| t.door_busy);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response
    } else {
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        next.run(request).await
    };
    let headers = response.headers_mut();
    if let Some(cookie) = longer.and_then(|line| HeaderValue::from_str(&line).ok())
        && !headers.contains_key(header::SET_COOKIE)
    {
        headers.insert(header::SET_COOKIE, cookie);
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A browser that is told this of a certificate that nobody vouches for would let no person in any more (RFC 6797, 8.4).
    if access.tls().is_some_and(|tls| !tls.is_self_signed) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ONLY));
    }
    // What is private is not to be found in a browser's cache; the style and the script may stay.
    if !is_asset && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Lets those in who have a session or the token, and changes in only from our own page.
pub(super) async fn caller(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return super::login::refused(&access, request.headers(), request.uri());
    };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read && let Caller::Browser(secret) = &caller {
        // One that says nothing is old: the form's token decides alone.
        if is_from_our_page(request.headers()) == Some(false) {
            return forbidden(request.headers(), |t| t.door_from_elsewhere);
        }
        let token = form_token(secret);
        let in_header = request.headers().get(FORM_TOKEN_HEADER).is_some_and(|given| *given == token);
        if !in_header {
            request = match with_token(request, &token).await {
                Ok(request) => request,
                Err(answer) => return answer,
            };
        }
    }
    next.run(request).await
}

/// The request again, if its body is a form that carries the token.
async fn with_token(request: Request, token: &str) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let too_large = |_| line(StatusCode::PAYLOAD_TOO_LARGE, &parts.headers, |t| t.door_too_long);
    let bytes = axum::body::to_bytes(body, FORM_BYTES_MAX).await.map_err(too_large)?;
    let copy = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let has_token = match Form::<Vec<(String, String)>>::from_request(copy, &()).await {
        Ok(Form(fields)) => fields.iter().any(|(name, value)| name == FORM_TOKEN_FIELD && value == token),
        Err(_) => false,
    };
    if !has_token {
        return Err(forbidden(&parts.headers, |t| t.door_no_token));
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// An answer for what is not allowed.
pub(super) fn forbidden(headers: &HeaderMap, text: fn(&Texts) -> &'static str) -> Response {
    line(StatusCode::FORBIDDEN, headers, text)
}

/// An answer of one line, in the language of the browser: the door knows no reader's choice.
pub(super) fn line(status: StatusCode, headers: &HeaderMap, text: fn(&Texts) -> &'static str) -> Response {
    (status, format!("{}\n", text(Language::of_browser(headers).texts()))).into_response()
}

impl Access {
    /// Whether a request of somebody who is not let in may be answered now. A login link that works always is: whoever asks for
    /// whatever, as often as it likes, does not keep the person out.
    fn takes_stranger(&self, path: &str, arrival: Arrival) -> bool {
        let now_ms = wall_ms();
        let wish = if path.starts_with("/assets/") || path == "/favicon.ico" {
            Wish::Asset
        } else if let Some(ticket) = path.strip_prefix("/login/") {
            if self.sessions().is_ticket(ticket, now_ms) {
                return true;
            }
            Wish::Login
        } else if path == "/login" {
            Wish::Login
        } else {
            Wish::Other
        };
        self.take_turn(Asker::Stranger { wish, is_here: arrival.from.is_loopback() }, now_ms)
    }

    /// Who asks, and the cookie of a session that is good for longer by that.
    fn caller(&self, headers: &HeaderMap) -> (Option<Caller>, Option<String>) {
        if let Some(given) = headers.get(header::AUTHORIZATION) {
            let token = given.to_str().ok().and_then(|given| given.strip_prefix("Bearer "));
            let is_ours = token.is_some_and(|token| self.sessions().is_token(token.trim()));
            return (is_ours.then_some(Caller::Program), None);
        }
        let Some(secret) = self.cookie(headers) else { return (None, None) };
        let password = || self.password().map(|password| password.mark());
        let used = self.sessions().is_session(&secret, wall_ms(), password);
        let longer = match used {
            SessionUse::Unknown => return (None, None),
            SessionUse::Valid => None,
            SessionUse::ValidAndNoted => {
                self.keep_sessions();
                Some(self.session_cookie(&secret))
            }
        };
        (Some(Caller::Browser(secret)), longer)
    }

    /// The value of this node's cookie. Its name contains the node: cookies are shared by all ports of a host.
    pub(super) fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        let named = format!("{}=", self.cookie_name);
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|line| line.split(';'))
            .find_map(|cookie| cookie.trim().strip_prefix(&named).map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_loopback_names_with_our_port_and_configured_names_are_ours() {
        let at = "127.0.0.1:7717".parse().unwrap();
        for host in ["127.0.0.1:7717", "localhost:7717", "LOCALHOST:7717", "[::1]:7717"] {
            assert!(is_our_host(host, at, false, &[]), "{host}");
        }
        for host in ["127.0.0.1", "127.0.0.1:7718", "evil.example:7717", "127.0.0.1:7717.evil.example", "10.0.0.1:7717"]
        {
            assert!(!is_our_host(host, at, false, &[]), "{host}");
        }
        assert!(is_our_host("Tunnel.example", at, false, &["tunnel.example".to_owned()]));
    }

    #[test]
    fn the_address_that_was_called_is_ours_and_an_implied_port_may_be_left_out() {
        let at = |text: &str| text.parse().unwrap();
        assert!(is_our_host("192.0.2.7:7717", at("192.0.2.7:7717"), true, &[]));
        assert!(is_our_host("[2001:db8::7]:7717", at("[2001:db8::7]:7717"), true, &[]));
        assert!(is_our_host("192.0.2.7", at("192.0.2.7:443"), true, &[]));
        assert!(is_our_host("localhost", at("127.0.0.1:80"), false, &[]));
        for (host, called) in [
            ("192.0.2.8:7717", "192.0.2.7:7717"),
            ("192.0.2.7", "192.0.2.7:7717"),
            ("192.0.2.7", "192.0.2.7:80"),
            ("evil.example", "192.0.2.7:443"),
        ] {
            assert!(!is_our_host(host, at(called), true, &[]), "{host} at {called}");
        }
    }

    #[test]
    fn what_the_browser_says_of_the_page_decides_and_silence_is_told_apart() {
        let host = ("host", "127.0.0.1:7717");
        assert_eq!(is_from_our_page(&headers(&[host, ("sec-fetch-site", "same-origin")])), Some(true));
        assert_eq!(is_from_our_page(&headers(&[host, ("sec-fetch-site", "none")])), Some(true));
        for site in ["same-site", "cross-site", "anything"] {
            assert_eq!(is_from_our_page(&headers(&[host, ("sec-fetch-site", site)])), Some(false));
        }
        assert_eq!(is_from_our_page(&headers(&[host, ("origin", "http://127.0.0.1:7717")])), Some(true));
        assert_eq!(is_from_our_page(&headers(&[host, ("origin", "http://127.0.0.1:7718")])), Some(false));
        assert_eq!(is_from_our_page(&headers(&[host, ("origin", "null")])), Some(false));
        assert_eq!(is_from_our_page(&headers(&[host])), None);
    }
}
