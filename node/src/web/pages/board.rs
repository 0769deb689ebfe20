//! A board: its head, and its log.

use super::languages::tag;
use crate::api::boards::completeness;
use crate::api::dto::Completeness;
use crate::api::error::ApiError;
use crate::api::names::Names;
use crate::api::resolve::KnownBoard;
use crate::store::Listing;
use crate::web::frame::Frame;
use crate::web::texts::Texts;
use crate::web::{Shared, markdown, show};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use roda_protocol::event::Body;
use roda_protocol::id::EventId;
use roda_protocol::view::policy::Policy;

/// What stands above a board's threads.
#[derive(Clone, Debug)]
pub(super) struct BoardHead {
    pub(super) id: String,
    pub(super) short: String,
    pub(super) name: String,
    pub(super) title: String,
    /// HTML.
    pub(super) description: String,
    pub(super) rules: Vec<String>,
    /// The language of these words; empty if the charter names none.
    pub(super) language: String,
    pub(super) lacks_charter: bool,
    pub(super) kind: &'static str,
    pub(super) followed: bool,
    /// Whether it is this node's to say that others can find it.
    pub(super) can_be_listed: bool,
    pub(super) is_listed: bool,
    pub(super) state: Vec<String>,
}

/// Reads a board's head.
pub(super) async fn head(web: &Shared, frame: &Frame, text: String) -> Result<BoardHead, ApiError> {
    let (board, words, listing) = web
        .reading(move |context| {
            let board = context.find_board(&text)?;
            let charter = context.store.event(&EventId(board.space.0))?;
            let words = match charter.as_ref().and_then(|stored| stored.event.body()) {
                Some(Body::Charter(words)) => Some(words),
                _ => None,
            };
            let listing = context.store.listing(board.space)?;
            Ok((board, words, listing))
        })
        .await?;
    let state = completeness(&web.context, board.space)?;
    let KnownBoard { space, row, name, language, look_alike, .. } = board;
    let is_open = row.open_name.is_some();
    let id = space.to_string();
    Ok(BoardHead {
        short: show::short_id(&id),
        name: show::board(&id, &name, look_alike),
        title: words.as_ref().map(|words| show::line(&words.title)).unwrap_or_default(),
        description: words.as_ref().map(|words| markdown::html(&words.description)).unwrap_or_default(),
        rules: words.iter().flat_map(|words| &words.rules).map(|rule| show::line(rule)).collect(),
        language: tag(&language).to_owned(),
        lacks_charter: !is_open && words.is_none(),
        kind: if is_open { frame.t.kind_open } else { frame.t.kind_charter },
        can_be_listed: row.followed && !is_open,
        is_listed: listing.is_some_and(|listing| listing != Listing::Off),
        followed: row.followed,
        state: completeness_words(frame.t, &state),
        id,
    })
}

/// What may be missing, in sentences. Says no more than was compared.
pub(super) fn completeness_words(t: &Texts, state: &Completeness) -> Vec<String> {
    let mut words = Vec::new();
    words.push(match state.missing.len() {
        0 => t.complete_missing_none.to_owned(),
        missing => t.n(i64::try_from(missing).unwrap_or(i64::MAX), t.complete_missing_one, t.complete_missing_many),
    });
    if state.declined > 0 {
        let declined = i64::try_from(state.declined).unwrap_or(i64::MAX);
        words.push(t.n(declined, t.declined_one, t.declined_many));
    }
    words.push(match state.peers_asked {
        0 => t.complete_none_asked.to_owned(),
        asked => t.complete_equal.replace("%s", &state.peers_equal.to_string()).replace("%n", &asked.to_string()),
    });
    words
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage {
    frame: Frame,
    board: BoardHead,
    charter: Option<Charter>,
}

/// What a charter states, beside its words.
struct Charter {
    id: String,
    founder: show::Author,
    created_ms: u64,
    language: String,
    work_bits: u8,
    stewards: Vec<show::Author>,
}

/// `GET /b/BOARD/log`: what made the board what it is.
pub(super) async fn log(State(web): State<Shared>, frame: Frame, Path(board): Path<String>) -> Response {
    match read_log(&web, &frame, board).await {
        Ok(page) => Frame::page(&page),
        Err(error) => frame.failed(error),
    }
}

async fn read_log(web: &Shared, frame: &Frame, text: String) -> Result<LogPage, ApiError> {
    let board = head(web, frame, text.clone()).await?;
    let charter = web
        .reading(move |context| {
            let space = context.find_board(&text)?.space;
            let Some(stored) = context.store.event(&EventId(space.0))? else { return Ok(None) };
            let roda_protocol::event::Kind::Charter(charter) = stored.event.kind() else { return Ok(None) };
            let me = context.me();
            let mut names = Names::of_reader(context, &Policy::new(me, context.store.rules()?))?;
            for key in charter.stewards.iter().chain([&stored.event.header().author]) {
                names.meet(&key.to_string(), context.store.author_name(key)?.as_deref());
            }
            let author = |key: &roda_protocol::id::AuthorKey| -> Result<show::Author, ApiError> {
                let name = context.store.author_name(key)?;
                let text = key.to_string();
                let look_alike = names.is_like_another(&text, name.as_deref());
                Ok(show::Author::new(&text, name.as_deref(), look_alike, *key == me))
            };
            Ok(Some(Charter {
                id: stored.event.id().to_string(),
                founder: author(&stored.event.header().author)?,
                created_ms: stored.event.header().created_ms,
                language: show::line(&charter.language),
                work_bits: charter.work_bits,
                stewards: charter.stewards.iter().map(author).collect::<Result<_, _>>()?,
            }))
        })
        .await?;
    Ok(LogPage { frame: frame.clone(), board, charter })
}
