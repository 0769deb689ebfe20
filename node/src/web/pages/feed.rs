//! Lists of threads: the home page, over all followed boards, and a board's own page.

use super::board::{BoardHead, head};
use super::languages::Languages;
use crate::api::error::ApiError;
use crate::api::feed::{FeedAsk, read_feed};
use crate::web::frame::Frame;
use crate::web::texts::Texts;
use crate::web::{Shared, show};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use roda_protocol::view::FeedSort;
use serde::Deserialize;

/// Entries of a page.
const ENTRIES: usize = 40;

/// What a list's address says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    sort: Option<String>,
    range: Option<String>,
    before: Option<String>,
}

/// An order that can be chosen.
struct Choice {
    word: &'static str,
    name: &'static str,
    why: &'static str,
    formula: &'static str,
    is_chosen: bool,
}

/// A thread in a list.
pub(super) struct Entry {
    id: String,
    short: String,
    title: String,
    language: String,
    retracted: bool,
    hidden: Option<String>,
    unread: u64,
    comments: u64,
    score: i64,
    board: String,
    board_name: String,
    author: show::Author,
    created_ms: u64,
}

#[derive(Template)]
#[template(path = "feed.html")]
struct FeedPage {
    frame: Frame,
    heading: String,
    compose: String,
    board: Option<BoardHead>,
    base: String,
    sorts: Vec<Choice>,
    ranges: Vec<Choice>,
    entries: Vec<Entry>,
    follows_none: bool,
    next: Option<String>,
}

fn sorts(t: &'static Texts, chosen: &str) -> Vec<Choice> {
    let all = [FeedSort::New, FeedSort::Active, FeedSort::Hot, FeedSort::Balanced, FeedSort::Top];
    let choice = |sort: FeedSort| {
        let word = sort.word();
        let (name, why) = t.sort(word);
        Choice { word, name, why, formula: t.explanations().formula(sort), is_chosen: word == chosen }
    };
    all.into_iter().map(choice).collect()
}

/// How far back the most voted are looked for; only they have a choice.
fn ranges(t: &'static Texts, sort: &str, chosen: Option<&str>) -> Vec<Choice> {
    if sort != "top" {
        return Vec::new();
    }
    let all = [
        ("day", t.range_day),
        ("week", t.range_week),
        ("month", t.range_month),
        ("year", t.range_year),
        ("all", t.range_all),
    ];
    let chosen = chosen.unwrap_or("all");
    all.into_iter().map(|(word, name)| Choice { word, name, why: "", formula: "", is_chosen: word == chosen }).collect()
}

/// `GET /`.
pub(super) async fn home(State(web): State<Shared>, frame: Frame, Query(ask): Query<Ask>) -> Response {
    match list(&web, &frame, ask, None).await {
        Ok(page) => Frame::page(&page),
        Err(error) => frame.failed(error),
    }
}

/// `GET /b/BOARD`.
pub(super) async fn of_board(
    State(web): State<Shared>,
    frame: Frame,
    Path(board): Path<String>,
    Query(ask): Query<Ask>,
) -> Response {
    match list(&web, &frame, ask, Some(board)).await {
        Ok(page) => Frame::page(&page),
        Err(error) => frame.failed(error),
    }
}

async fn list(web: &Shared, frame: &Frame, ask: Ask, board: Option<String>) -> Result<FeedPage, ApiError> {
    let board = match board {
        Some(text) => Some(head(web, frame, text).await?),
        None => None,
    };
    let sort = ask.sort.clone().unwrap_or_else(|| "new".to_owned());
    let asked = FeedAsk {
        board: board.as_ref().map(|board| board.id.clone()),
        sort: Some(sort.clone()),
        limit: Some(ENTRIES + 1),
        before: ask.before,
        range: ask.range.clone().filter(|_| sort == "top"),
        // Behind a line that says why, for whoever wants to see them.
        hidden: true,
    };
    let me = web.context.me().to_string();
    let (mut found, follows_none, languages) = web
        .reading(move |context| {
            let found = read_feed(context, &asked)?;
            let boards = context.boards()?;
            let follows_none = !boards.iter().any(|board| board.row.followed);
            Ok((found, follows_none, Languages::of(&boards)))
        })
        .await?;
    let base = board.as_ref().map_or_else(|| "/".to_owned(), |board| format!("/b/{}", board.id));
    let has_more = found.len() > ENTRIES;
    found.truncate(ENTRIES);
    let next = found.last().filter(|_| has_more).map(|last| {
        let range = ask.range.as_deref().filter(|range| range.bytes().all(|byte| byte.is_ascii_lowercase()));
        let range = range.map(|range| format!("&range={range}")).unwrap_or_default();
        format!("{base}?sort={sort}{range}&before={}", last.cursor)
    });
    let entries = found
        .into_iter()
        .map(|entry| Entry {
            short: show::short_id(&entry.id),
            hidden: entry.hidden.as_ref().map(|hidden| super::thread::hidden_words(frame.t, hidden)),
            title: show::line(&entry.title),
            language: languages.of_board(&entry.board),
            retracted: entry.retracted,
            unread: entry.unread,
            comments: entry.comments,
            score: entry.score,
            board_name: show::board(&entry.board, &entry.board_name, entry.board_look_alike),
            board: entry.board,
            author: show::Author::new(&entry.author, entry.name.as_deref(), entry.look_alike, entry.author == me),
            created_ms: entry.created_ms,
            id: entry.id,
        })
        .collect();
    Ok(FeedPage {
        heading: board.as_ref().map_or_else(|| frame.t.feed.to_owned(), |board| board.name.clone()),
        compose: board.as_ref().map_or_else(|| "/post".to_owned(), |board| format!("/post?board={}", board.id)),
        board,
        base,
        sorts: sorts(frame.t, &sort),
        ranges: ranges(frame.t, &sort, ask.range.as_deref()),
        entries,
        follows_none,
        next,
        frame: frame.clone(),
    })
}
