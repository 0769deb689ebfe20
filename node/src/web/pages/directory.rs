//! Boards that peers list, and whether this node lists one of its own.

use super::languages::tag;
use crate::api::directory::{DirectoryAsk, list_board, read_directory};
use crate::api::dto::{DirectoryEntry, ListingAsk};
use crate::web::frame::{Frame, way_back};
use crate::web::{Shared, show};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use roda_protocol::text::mixes_alphabets;
use serde::Deserialize;

/// Boards of a page.
const LIMIT: usize = 50;

/// A board that can be found.
struct Found {
    id: String,
    short: String,
    name: String,
    title: String,
    description: String,
    language: String,
    /// The language, if it is one.
    tag: String,
    /// Who knows it, in words.
    known_by: String,
    threads: u64,
    events: u64,
    last_active_day: String,
    followed: bool,
    is_mixed: bool,
}

#[derive(Template)]
#[template(path = "directory.html")]
struct DirectoryPage {
    frame: Frame,
    words: String,
    boards: Vec<Found>,
    formula: &'static str,
    /// The board behind which the list goes on.
    next: Option<String>,
}

/// What the address of the page says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    words: String,
    after: Option<String>,
}

/// `GET /directory`.
pub(super) async fn list(State(web): State<Shared>, frame: Frame, Query(asked): Query<Asked>) -> Response {
    let ask = DirectoryAsk { words: Some(asked.words.clone()), limit: Some(LIMIT), after: asked.after };
    let entries = match read_directory(&web.context, ask).await {
        Ok(entries) => entries,
        Err(error) => return frame.failed(error),
    };
    let last = entries.last().filter(|_| entries.len() == LIMIT);
    let next = last.map(|last| last.board.clone());
    let boards = entries.into_iter().map(|entry| found(&frame, entry)).collect();
    let formula = frame.t.explanations().formula_directory;
    Frame::page(&DirectoryPage { frame, words: asked.words, boards, formula, next })
}

fn found(frame: &Frame, entry: DirectoryEntry) -> Found {
    let name = show::board(&entry.board, &entry.name, entry.look_alike);
    Found {
        short: show::short_id(&entry.board),
        is_mixed: entry.look_alike || mixes_alphabets(&name),
        name,
        title: show::line(&entry.title),
        description: show::line(&entry.description),
        tag: tag(&entry.language).to_owned(),
        language: show::line(&entry.language),
        known_by: frame.t.known_by(entry.known_by, entry.networks),
        threads: entry.threads,
        events: entry.events,
        last_active_day: entry.last_active_day.unwrap_or_default(),
        followed: entry.followed,
        id: entry.board,
    }
}

/// A choice about a board.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    listed: String,
    #[serde(default)]
    back: String,
}

/// Says whether peers that ask are told of a board.
pub(super) async fn choose(
    State(web): State<Shared>,
    frame: Frame,
    Path(board): Path<String>,
    Form(choice): Form<Choice>,
) -> Response {
    match list_board(&web.context, ListingAsk { board, listed: choice.listed == "on" }).await {
        Ok(_) => Redirect::to(way_back(&choice.back)).into_response(),
        Err(error) => frame.failed(error),
    }
}
