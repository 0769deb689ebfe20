//! Tags of answers (RFC 9110, 8.8.3): a program that asks again says what it has, and gets no second copy of that.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The tag of an answer: its words' hash.
pub(crate) fn tag_of(words: &[u8]) -> String {
    format!("\"{}\"", &blake3::hash(words).to_hex()[..32])
}

/// Whether whoever asks has the answer with this tag.
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|line| line.split(',')).any(|named| {
        let named = named.trim();
        named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag
    })
}

/// Gives every answer of JSON to `GET` its tag, and no body where that is known. Streams and lines have none.
pub(super) async fn tagged(request: Request, next: Next) -> Response {
    let asked = (request.method() == Method::GET).then(|| request.headers().clone());
    let response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let Some(headers) = asked.filter(|_| is_json && response.status() == StatusCode::OK) else { return response };
    let (mut parts, body) = response.into_parts();
    // An answer of JSON is in memory already.
    let Ok(words) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = tag_of(&words);
    let is_known = is_known(&headers, &tag);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    if is_known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_the_answer_says_so_by_its_tag() {
        let headers = |text: &'static str| HeaderMap::from_iter([(header::IF_NONE_MATCH, text.parse().unwrap())]);
        for known in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(is_known(&headers(known), "\"a\""), "{known}");
        }
        assert!(!is_known(&headers("\"b\", a"), "\"a\"") && !is_known(&HeaderMap::new(), "\"a\""));
    }
}
