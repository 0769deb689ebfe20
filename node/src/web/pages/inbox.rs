//! What came for the reader: answers, mentions, watched threads; and what is next.

use super::deeds::Back;
use super::is_by_reader;
use super::languages::Languages;
use crate::api::dto::{CatchUpAsk, InboxEntry, NextAsk};
use crate::api::error::ApiError;
use crate::api::inbox::{InboxAsk, clear_inbox, read_inbox};
use crate::api::next::{mark_read, read_next};
use crate::web::frame::{Frame, way_back};
use crate::web::{Shared, markdown, show};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

/// Entries of a page.
const ENTRIES: usize = 30;

/// Something that came.
struct Entry {
    id: String,
    short: String,
    title: String,
    has_title: bool,
    language: String,
    board: String,
    board_name: String,
    author: show::Author,
    created_ms: u64,
    why: &'static str,
    unread: bool,
    html: String,
    gone: Option<String>,
    /// Which own rule hides it: then its words are shown on demand.
    hidden: Option<String>,
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    frame: Frame,
    entries: Vec<Entry>,
    has_unread: bool,
    /// Whether what the reader's rules hide is listed, too.
    with_hidden: bool,
    next: Option<String>,
}

/// What the inbox's address says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    before: Option<String>,
    /// Anything: what the reader's rules hide, too.
    hidden: Option<String>,
}

/// `GET /inbox`.
pub(super) async fn list(State(web): State<Shared>, frame: Frame, Query(ask): Query<Ask>) -> Response {
    match read(&web, &frame, ask).await {
        Ok(page) => Frame::page(&page),
        Err(error) => frame.failed(error),
    }
}

async fn read(web: &Shared, frame: &Frame, ask: Ask) -> Result<InboxPage, ApiError> {
    let with_hidden = ask.hidden.is_some();
    let asked = InboxAsk { all: true, hidden: with_hidden, limit: Some(ENTRIES + 1), before: ask.before };
    let (mut found, languages) =
        web.reading(move |context| Ok((read_inbox(context, &asked)?, Languages::of(&context.boards()?)))).await?;
    let has_more = found.len() > ENTRIES;
    found.truncate(ENTRIES);
    let next = found.last().filter(|_| has_more).map(|last| {
        let hidden = if with_hidden { "&hidden=yes" } else { "" };
        format!("/inbox?before={}{hidden}", last.cursor)
    });
    let t = frame.t;
    let entry = |entry: InboxEntry| Entry {
        short: show::short_id(&entry.id),
        has_title: !entry.title.trim().is_empty(),
        language: languages.of_board(&entry.board),
        title: if entry.title.trim().is_empty() { t.no_title.to_owned() } else { show::line(&entry.title) },
        board_name: show::board(&entry.board, &entry.board_name, entry.board_look_alike),
        author: show::Author::new(&entry.author, entry.name.as_deref(), entry.look_alike, false),
        created_ms: entry.created_ms,
        why: match entry.why.as_str() {
            "answer" => t.inbox_answer,
            "mention" => t.inbox_mention,
            _ => t.inbox_watched,
        },
        unread: entry.unread,
        html: markdown::html(&entry.text),
        gone: match &entry.hidden {
            _ if entry.retracted => Some(t.retracted.to_owned()),
            Some(hidden) if !is_by_reader(hidden) => Some(super::thread::hidden_words(t, hidden)),
            _ => None,
        },
        hidden: entry
            .hidden
            .as_ref()
            .filter(|hidden| is_by_reader(hidden) && !entry.retracted)
            .map(|hidden| super::thread::hidden_words(t, hidden)),
        board: entry.board,
        id: entry.id,
    };
    let has_unread = found.iter().any(|entry| entry.unread);
    Ok(InboxPage {
        entries: found.into_iter().map(entry).collect(),
        has_unread,
        with_hidden,
        next,
        frame: frame.clone(),
    })
}

/// Marks everything that came as seen.
pub(super) async fn clear(State(web): State<Shared>, frame: Frame) -> Response {
    match clear_inbox(&web.context).await {
        Ok(_) => Redirect::to("/inbox").into_response(),
        Err(error) => frame.failed(error),
    }
}

/// Marks all boards as read.
pub(super) async fn catch_up(State(web): State<Shared>, frame: Frame, Form(back): Form<Back>) -> Response {
    match mark_read(&web.context, CatchUpAsk { board: None }).await {
        Ok(_) => Redirect::to(way_back(&back.back)).into_response(),
        Err(error) => frame.failed(error),
    }
}

/// Goes to the next thing that was not read.
pub(super) async fn next(State(web): State<Shared>, frame: Frame) -> Response {
    match read_next(&web.context, NextAsk { board: None }).await {
        Ok(next) => match next.item {
            Some(item) => {
                Redirect::to(&format!("/t/{}#e-{}", item.thread, show::short_id(&item.node.id))).into_response()
            }
            None => Redirect::to("/?sort=active").into_response(),
        },
        Err(error) => frame.failed(error),
    }
}
