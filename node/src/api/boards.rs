//! Calls about boards: found, open, follow, leave, list, compare.

use super::Shared;
use super::dto::{Board, BoardRef, BoardSelector, Completeness, NewBoard, OpenBoard, SyncAsk, SyncReport};
use super::error::{ApiError, done, refused};
use super::feed::Lens;
use super::node::unexpected;
use super::read::blocking;
use super::resolve::{KnownBoard, PREFIX_DIGITS_MIN, ambiguous};
use crate::engine::{Answer, Local, Verdict};
use crate::runtime::Context;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use roda_protocol::event::{Charter, CharterBody};
use roda_protocol::id::SpaceId;
use roda_protocol::text;

/// Seconds that a comparison is waited for, if the asker does not say.
const SYNC_WAIT_S_DEFAULT: u64 = 30;

/// And at most.
const SYNC_WAIT_S_MAX: u64 = 3600;

/// Posts whose unread comments are counted for a board: a list of boards should not read years of them.
const UNREAD_POSTS_MAX: usize = 200;

pub(super) async fn list(State(context): State<Shared>) -> Result<Json<Vec<Board>>, ApiError> {
    Ok(Json(read_boards(&context).await?))
}

/// Every board that is or was followed, by name.
pub(crate) async fn read_boards(context: &Shared) -> Result<Vec<Board>, ApiError> {
    blocking(context.clone(), |context| {
        let boards = context.boards()?.into_iter();
        let lens = Lens::new(context, false)?;
        boards.map(|board| summary(context, &lens, board)).collect()
    })
    .await
}

/// One board, or all that are followed.
pub(super) fn followed_boards(context: &Context, board: Option<&str>) -> Result<Vec<KnownBoard>, ApiError> {
    match board {
        Some(text) => Ok(vec![context.find_board(text)?]),
        None => Ok(context.boards()?.into_iter().filter(|board| board.row.followed).collect()),
    }
}

/// What of a board may be missing.
pub(crate) fn completeness(context: &Context, space: SpaceId) -> Result<Completeness, ApiError> {
    let said = context.handle.completeness(space);
    let declined = context.store.declined(space)?;
    let known = context.store.known().len(space) as u64;
    Ok(Completeness {
        held: known.saturating_sub(declined).saturating_sub(said.lost),
        declined,
        missing: said.missing.iter().map(ToString::to_string).collect(),
        peers_equal: said.peers_equal,
        peers_asked: said.peers_asked,
        checked_ms: said.checked_ms,
    })
}

fn summary(context: &Context, lens: &Lens, board: KnownBoard) -> Result<Board, ApiError> {
    let store = &context.store;
    let mut unread = 0;
    for (_, row) in store.posts(board.space, None, UNREAD_POSTS_MAX)? {
        if lens.thread_hidden(&row.id).is_none() {
            unread += store.thread_counts(&row.id, &context.me())?.unread;
        }
    }
    Ok(Board {
        board: board.space.to_string(),
        kind: if board.is_open() { "open" } else { "charter" }.to_owned(),
        followed: board.row.followed,
        events: store.known().len(board.space) as u64,
        threads: store.post_count(board.space, usize::MAX)?,
        unread,
        title: board.title,
        name: board.name,
        look_alike: board.look_alike,
        keep: super::keeping::word(store.keep(board.space)?),
        listing: super::directory::word(store.listing(board.space)?).to_owned(),
        completeness: completeness(context, board.space)?,
    })
}

pub(super) async fn found(
    State(context): State<Shared>,
    body: Result<Json<NewBoard>, JsonRejection>,
) -> Result<Json<BoardRef>, ApiError> {
    Ok(Json(found_board(&context, body?.0).await?))
}

/// Founds a charter board and follows it.
pub(crate) async fn found_board(context: &Shared, new: NewBoard) -> Result<BoardRef, ApiError> {
    text::check_name(&new.name, roda_protocol::limits::NAME_CHARS_MAX)
        .map_err(|error| ApiError::invalid(error.to_string(), "choose another name"))?;
    let charter = Charter {
        language: new.language.unwrap_or_default(),
        work_bits: new.work.unwrap_or(roda_protocol::limits::WORK_BITS_DEFAULT),
        ..Charter::new(new.name.clone(), context.me())
    };
    let words = CharterBody {
        title: new.title.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        rules: new.rules,
    };
    let signed = super::write::signed(context, move |pen| pen.charter(charter, words)).await?;
    let board = SpaceId::of_charter(signed.id());
    // Followed first: the node takes in only what it follows, its own charters too after a restart.
    follow_space(context, board, None).await?;
    match context.handle.ask(Local::Write { bytes: signed.bytes().to_vec() }).await? {
        Answer::Written(Verdict::Admitted(_)) => {
            if new.listed {
                super::directory::list_space(context, board, true).await?;
            }
            said(context, board, Some(new.name)).await
        }
        Answer::Written(verdict) => {
            // A board that was not founded is not followed either.
            done(context.handle.ask(Local::Unfollow { space: board }).await?)?;
            Err(refused(verdict))
        }
        _ => Err(unexpected()),
    }
}

pub(super) async fn open(
    State(context): State<Shared>,
    body: Result<Json<OpenBoard>, JsonRejection>,
) -> Result<Json<BoardRef>, ApiError> {
    Ok(Json(open_board(&context, body?.0).await?))
}

/// Follows the open board of a name.
pub(crate) async fn open_board(context: &Shared, ask: OpenBoard) -> Result<BoardRef, ApiError> {
    let OpenBoard { name } = ask;
    let name = text::board_name_normalised(&name)
        .map_err(|error| ApiError::invalid(error.to_string(), "choose another name"))?;
    let board = SpaceId::of_open_board(&name);
    follow_space(context, board, Some(name.clone())).await?;
    said(context, board, Some(name)).await
}

pub(super) async fn follow(
    State(context): State<Shared>,
    body: Result<Json<BoardSelector>, JsonRejection>,
) -> Result<Json<BoardRef>, ApiError> {
    Ok(Json(follow_board(&context, body?.0).await?))
}

/// Follows a board that is known here, one that peers list, or any by its full id.
pub(crate) async fn follow_board(context: &Shared, ask: BoardSelector) -> Result<BoardRef, ApiError> {
    let BoardSelector { board: text } = ask;
    let found = {
        let text = text.clone();
        blocking(context.clone(), move |context| Ok(context.find_board(&text))).await?
    };
    let (space, open_name, name) = match (found, text.parse::<SpaceId>()) {
        (Ok(board), _) => (board.space, board.row.open_name, board.name),
        // A full id that is not known here: its charter comes from the directory, or from whoever follows it.
        (Err(_), Ok(space)) => (space, None, String::new()),
        (Err(error), Err(_)) => (listed_by_peers(context, &text).await?.ok_or(error)?, None, String::new()),
    };
    follow_space(context, space, open_name).await?;
    said(context, space, Some(name).filter(|name| !name.is_empty())).await
}

/// A board of which something became, under the name that is known already, if one is.
async fn said(context: &Shared, space: SpaceId, name: Option<String>) -> Result<BoardRef, ApiError> {
    let board = blocking(context.clone(), move |context| context.board_of(space)).await?;
    let said = BoardRef::from(board);
    Ok(BoardRef { name: name.unwrap_or(said.name), ..said })
}

impl From<KnownBoard> for BoardRef {
    fn from(board: KnownBoard) -> Self {
        Self { board: board.space.to_string(), name: board.name, look_alike: board.look_alike }
    }
}

/// The one board in the directory whose id begins so. Names say nothing there: everybody can give any.
async fn listed_by_peers(context: &Shared, text: &str) -> Result<Option<SpaceId>, ApiError> {
    let is_prefix = text.len() >= PREFIX_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_prefix {
        return Ok(None);
    }
    let digits = text.to_ascii_lowercase();
    let found = super::directory::found_boards(context).await?.into_iter().map(|board| board.charter.space());
    let matches: Vec<SpaceId> = found.filter(|board| board.to_string().starts_with(&digits)).collect();
    match matches.as_slice() {
        [] => Ok(None),
        [board] => Ok(Some(*board)),
        several => Err(ambiguous(text, several.iter().map(ToString::to_string))),
    }
}

pub(super) async fn follow_space(context: &Context, space: SpaceId, open_name: Option<String>) -> Result<(), ApiError> {
    done(context.handle.ask(Local::Follow { space, open_name }).await?)
}

pub(super) async fn unfollow(
    State(context): State<Shared>,
    body: Result<Json<BoardSelector>, JsonRejection>,
) -> Result<Json<BoardRef>, ApiError> {
    Ok(Json(leave_board(&context, body?.0).await?))
}

/// Follows a board no longer.
pub(crate) async fn leave_board(context: &Shared, ask: BoardSelector) -> Result<BoardRef, ApiError> {
    let BoardSelector { board } = ask;
    let board = blocking(context.clone(), move |context| context.find_board(&board)).await?;
    done(context.handle.ask(Local::Unfollow { space: board.space }).await?)?;
    Ok(board.into())
}

pub(super) async fn sync(
    State(context): State<Shared>,
    body: Result<Json<SyncAsk>, JsonRejection>,
) -> Result<Json<Vec<SyncReport>>, ApiError> {
    Ok(Json(sync_boards(&context, body?.0).await?))
}

/// Compares with every connected follower now.
pub(crate) async fn sync_boards(context: &Shared, ask: SyncAsk) -> Result<Vec<SyncReport>, ApiError> {
    let SyncAsk { board, wait_s } = ask;
    let space = match board {
        None => None,
        Some(text) => {
            let board = blocking(context.clone(), move |context| context.find_board(&text)).await?;
            if !board.row.followed {
                let message = "this node does not follow that board";
                return Err(ApiError::new("not_followed", message, "`roda follow` it first"));
            }
            Some(board.space)
        }
    };
    let wait_ms = wait_s.unwrap_or(SYNC_WAIT_S_DEFAULT).min(SYNC_WAIT_S_MAX) * 1000;
    let Answer::Synced(sums) = context.handle.ask(Local::Sync { space, wait_ms }).await? else {
        return Err(unexpected());
    };
    let mut reports = Vec::with_capacity(sums.len());
    for sum in sums {
        let Some(space) = sum.space else { continue };
        let state = completeness(context, space)?;
        reports.push(SyncReport {
            board: space.to_string(),
            events: context.store.known().len(space) as u64,
            peers_asked: sum.peers_asked,
            peers_equal: sum.peers_equal,
            received: sum.received,
            sent: sum.sent,
            rounds: sum.rounds,
            bytes: sum.bytes,
            held: state.held,
            declined: state.declined,
            missing: state.missing,
            checked_ms: state.checked_ms,
        });
    }
    Ok(reports)
}
