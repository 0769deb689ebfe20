//! People and this page: authors, settings, help.

use super::is_by_reader;
use super::languages::Languages;
use crate::api::authors::{AuthorAsk, read_author};
use crate::api::dto::{AuthorPage as Page, Writing};
use crate::api::error::ApiError;
use crate::api::names::Names;
use crate::runtime::Context;
use crate::web::frame::Frame;
use crate::web::preferences::{Choice, Theme};
use crate::web::texts::Language;
use crate::web::{Shared, markdown, show};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use roda_protocol::id::AuthorKey;
use roda_protocol::view::FeedSort;
use roda_protocol::view::policy::Policy;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Posts and comments of a page of an author.
const ENTRIES: usize = 30;

#[derive(Template)]
#[template(path = "author.html")]
struct AuthorPage {
    frame: Frame,
    author: show::Author,
    entries: Vec<Entry>,
    next: Option<String>,
}

/// Something that the author wrote.
struct Entry {
    id: String,
    short: String,
    title: String,
    has_title: bool,
    language: String,
    is_comment: bool,
    board: String,
    board_name: String,
    created_ms: u64,
    html: String,
    gone: Option<String>,
    /// The reader's rule that hides its words; they are there on demand.
    hidden: Option<String>,
}

/// What an author's address says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Written {
    before: Option<String>,
}

/// `GET /author/KEY`.
pub(super) async fn author(
    State(web): State<Shared>,
    frame: Frame,
    Path(key): Path<String>,
    Query(asked): Query<Written>,
) -> Response {
    let read = web
        .reading(move |context| {
            let key: AuthorKey = key.parse().map_err(|_| {
                ApiError::invalid("that is no author's key", "an author is `@` and 52 letters and digits")
                    .on_page(|t| t.error_no_author)
            })?;
            let ask = AuthorAsk { hidden: false, limit: Some(ENTRIES), before: asked.before };
            let mut page = read_author(context, &key.to_string(), &ask)?;
            show_hidden(context, &mut page, ask)?;
            let policy = Policy::new(context.me(), context.store.rules()?);
            let look_alike = Names::of_reader(context, &policy)?.is_like_another(&page.author, page.name.as_deref());
            let author = show::Author::new(&page.author, page.name.as_deref(), look_alike, key == context.me());
            Ok((page, author, Languages::of(&context.boards()?)))
        })
        .await;
    let (page, author, languages) = match read {
        Ok(read) => read,
        Err(error) => return frame.failed(error),
    };
    let t = frame.t;
    let entry = |written: Writing| Entry {
        short: show::short_id(&written.id),
        has_title: !written.title.trim().is_empty(),
        language: languages.of_board(&written.board),
        title: if written.title.trim().is_empty() { t.no_title.to_owned() } else { show::line(&written.title) },
        is_comment: written.kind == "comment",
        board_name: show::board(&written.board, &written.board_name, written.board_look_alike),
        created_ms: written.created_ms,
        html: markdown::html(&written.text),
        gone: match &written.hidden {
            _ if written.retracted => Some(t.retracted.to_owned()),
            Some(hidden) if !is_by_reader(hidden) => Some(super::thread::hidden_words(t, hidden)),
            _ => None,
        },
        hidden: written
            .hidden
            .as_ref()
            .filter(|hidden| is_by_reader(hidden) && !written.retracted)
            .map(|hidden| super::thread::hidden_words(t, hidden)),
        board: written.board,
        id: written.id,
    };
    let next = page.next.map(|next| format!("/author/{}?before={next}", page.author));
    let entries = page.events.into_iter().map(entry).collect();
    Frame::page(&AuthorPage { author, entries, next, frame })
}

/// Adds the words of what the reader's rules hide. Only there: the title of a hidden post is not to stand above comments that
/// are not.
fn show_hidden(context: &Context, page: &mut Page, ask: AuthorAsk) -> Result<(), ApiError> {
    let is_hidden = |written: &Writing| written.hidden.as_ref().is_some_and(is_by_reader);
    if !page.events.iter().any(is_hidden) {
        return Ok(());
    }
    let shown = read_author(context, &page.author, &AuthorAsk { hidden: true, ..ask })?.events;
    let mut shown: BTreeMap<String, Writing> = shown.into_iter().map(|written| (written.id.clone(), written)).collect();
    for written in page.events.iter_mut().filter(|written| is_hidden(written)) {
        if let Some(whole) = shown.remove(&written.id) {
            *written = whole;
        }
    }
    Ok(())
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

/// Makes the addresses of feeds anew.
pub(super) async fn renew_feeds(State(web): State<Shared>, frame: Frame) -> Response {
    match web.access.renew_feed_key() {
        Ok(()) => Redirect::to("/settings?saved=1").into_response(),
        Err(error) => frame.failed(ApiError::new("storage", error.to_string(), "make room or check the disk")),
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
    let keys: [(&'static [&'static str], &'static str); 16] = [
        (&["j"], t.key_next),
        (&["k"], t.key_previous),
        (&["J"], t.key_sibling_next),
        (&["K"], t.key_sibling_previous),
        (&["n"], t.key_page_next),
        (&["p"], t.key_page_previous),
        (&["t"], t.key_top),
        (&["Enter", "x"], t.key_fold),
        (&["o", "c"], t.key_open),
        (&["r"], t.key_reply),
        (&["e"], t.key_edit),
        (&["a", "z"], t.key_votes),
        (&["u"], t.key_author),
        (&["Space"], t.key_unread),
        (&["/"], t.key_search),
        (&["?"], t.key_help),
    ];
    let keys = keys.into_iter().map(|(keys, what)| Key { keys, what }).collect();
    let sorts = FeedSort::ALL.iter().map(|sort| (t.sort(sort.word()).0, t.explanations().formula(*sort))).collect();
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
