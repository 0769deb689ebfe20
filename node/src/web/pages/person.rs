//! People and this page: authors, settings, help.

use crate::api::error::ApiError;
use crate::api::names::Names;
use crate::web::frame::Frame;
use crate::web::preferences::{Choice, Theme};
use crate::web::texts::Language;
use crate::web::{Shared, show};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use roda_protocol::id::AuthorKey;
use roda_protocol::view::FeedSort;
use roda_protocol::view::policy::Policy;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "author.html")]
struct AuthorPage {
    frame: Frame,
    author: show::Author,
}

/// `GET /author/KEY`.
pub(super) async fn author(State(web): State<Shared>, frame: Frame, Path(key): Path<String>) -> Response {
    let read = web
        .reading(move |context| {
            let key: AuthorKey = key.parse().map_err(|_| {
                ApiError::invalid("that is no author's key", "an author is `@` and 52 letters and digits")
            })?;
            let name = context.store.author_name(&key)?;
            let text = key.to_string();
            let policy = Policy::new(context.me(), context.store.rules()?);
            let look_alike = Names::of_reader(context, &policy)?.is_like_another(&text, name.as_deref());
            Ok(show::Author::new(&text, name.as_deref(), look_alike, key == context.me()))
        })
        .await;
    match read {
        Ok(author) => Frame::page(&AuthorPage { frame, author }),
        Err(error) => frame.failed(error),
    }
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    language: &'static str,
    saved: bool,
}

/// What the address of the settings says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Saved {
    saved: Option<String>,
}

/// `GET /settings`.
pub(super) async fn settings(frame: Frame, Query(saved): Query<Saved>) -> Response {
    let language = match frame.choice.language {
        None => "auto",
        Some(Language::En) => "en",
        Some(Language::Pt) => "pt",
    };
    Frame::page(&SettingsPage { frame, language, saved: saved.saved.is_some() })
}

/// The settings' form.
#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    language: String,
    #[serde(default)]
    theme: String,
    keys: Option<String>,
}

/// `POST /settings`.
pub(super) async fn choose(State(web): State<Shared>, frame: Frame, Form(chosen): Form<Chosen>) -> Response {
    let choice = Choice {
        language: match chosen.language.as_str() {
            "en" => Some(Language::En),
            "pt" => Some(Language::Pt),
            _ => None,
        },
        theme: match chosen.theme.as_str() {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::Auto,
        },
        keys: chosen.keys.is_some(),
    };
    match web.preferences.choose(choice) {
        Ok(()) => Redirect::to("/settings?saved=1").into_response(),
        Err(error) => {
            let message = format!("the settings can't be kept: {error}");
            frame.failed(ApiError::new("storage", message, "make room or check the disk"))
        }
    }
}

/// A key and what it does.
struct Key {
    keys: &'static [&'static str],
    what: &'static str,
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage {
    frame: Frame,
    keys: Vec<Key>,
    sorts: Vec<(&'static str, &'static str)>,
}

/// `GET /help`.
pub(super) async fn help(frame: Frame) -> Response {
    let t = frame.t;
    let keys: [(&'static [&'static str], &'static str); 14] = [
        (&["j"], t.key_next),
        (&["k"], t.key_previous),
        (&["J"], t.key_sibling_next),
        (&["K"], t.key_sibling_previous),
        (&["p"], t.key_parent),
        (&["t"], t.key_top),
        (&["Enter", "x"], t.key_fold),
        (&["o"], t.key_open),
        (&["r"], t.key_reply),
        (&["e"], t.key_edit),
        (&["a", "z"], t.key_votes),
        (&["u"], t.key_author),
        (&["Space"], t.key_unread),
        (&["?"], t.key_help),
    ];
    let keys = keys.into_iter().map(|(keys, what)| Key { keys, what }).collect();
    let sorts = FeedSort::ALL.iter().map(|sort| (sort.word(), sort.formula())).collect();
    Frame::page(&HelpPage { frame, keys, sorts })
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundPage {
    frame: Frame,
}

/// Whatever has no page.
pub(super) async fn not_found(frame: Frame) -> Response {
    (StatusCode::NOT_FOUND, Frame::page(&NotFoundPage { frame })).into_response()
}
