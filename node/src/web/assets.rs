//! The style, the script and the icon: part of the binary, kept by browsers until they change.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/roda.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Digits of the version in an asset's address.
const VERSION_DIGITS: usize = 12;

/// A word that changes whenever an asset does.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for text in [STYLE, SCRIPT, ICON] {
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex().as_str().chars().take(VERSION_DIGITS).collect()
});

/// One of them, by name.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "roda.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let cache = "public, max-age=31536000, immutable";
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], text).into_response()
}

/// What browsers ask for by themselves.
pub(super) async fn icon() -> Response {
    asset(Path("icon.svg".to_owned())).await
}
