//! One unread thing after the other, as newsreaders do with their space key, and marking all of it as read.

use super::Shared;
use super::boards::followed_boards;
use super::dto::{BoardRef, CatchUpAsk, Next, NextAsk, NextItem};
use super::error::{ApiError, done};
use super::feed::Lens;
use super::names::note_look_alikes;
use super::node::unexpected;
use super::read::{blocking, single, thread_node};
use super::reader::note;
use super::reader::shown_title;
use super::resolve::KnownBoard;
use crate::engine::Local;
use crate::runtime::Context;
use crate::store::{EventRow, LocalRecord};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use roda_protocol::id::EventId;
use roda_protocol::view::policy::Effect;

/// Posts of a board whose threads are looked through for something unread: the newest.
const NEXT_POSTS_MAX: usize = 500;

pub(super) async fn next(
    State(context): State<Shared>,
    body: Result<Json<NextAsk>, JsonRejection>,
) -> Result<Json<Next>, ApiError> {
    Ok(Json(read_next(&context, body?.0).await?))
}

/// The next unread post or comment, which is marked as read by that: of watched threads first, then of the newest thread that
/// has one; within a thread in the order of arrival.
pub(crate) async fn read_next(context: &Shared, ask: NextAsk) -> Result<Next, ApiError> {
    let (next, marks) = blocking(context.clone(), move |context| find_next(context, ask.board.as_deref())).await?;
    for (root, position) in marks {
        done(context.handle.ask(Local::Read { root, position }).await?)?;
    }
    Ok(next)
}

/// Threads and the positions up to which they are read.
type Marks = Vec<(EventId, u64)>;

fn find_next(context: &Context, board: Option<&str>) -> Result<(Next, Marks), ApiError> {
    let boards = followed_boards(context, board)?;
    let lens = Lens::new(context, false)?;
    let mut threads: Vec<(bool, u64, EventRow, &KnownBoard)> = Vec::new();
    for board in &boards {
        for (place, row) in context.store.posts(board.space, None, NEXT_POSTS_MAX)? {
            let rule = lens.policy.of_thread(&row.id);
            if rule != Some(Effect::Mute) {
                threads.push((rule == Some(Effect::Watch), place.created_ms, row, board));
            }
        }
    }
    threads.sort_by_key(|(is_watched, created_ms, row, _)| std::cmp::Reverse((*is_watched, *created_ms, row.id)));
    let (mut marks, mut passed_over) = (Vec::new(), 0);
    for (_, _, row, board) in threads {
        let members = context.store.members_behind(&row.id, context.store.read_mark(&row.id)?, &context.me())?;
        let mut left = members.len() as u64;
        for member in members {
            left -= 1;
            let Some((root, node)) = single(context, &member.row)? else { continue };
            if lens.judge(&node).hidden.is_some() {
                passed_over += 1;
                // What comes behind it in this thread moves the mark on; if nothing does, it moves here.
                marks.retain(|(marked, _)| *marked != root);
                marks.push((root, member.position));
                continue;
            }
            marks.retain(|(marked, _)| *marked != root);
            marks.push((root, member.position));
            let item = item(context, &lens, board, root, node)?;
            return Ok((Next { item: Some(item), unread_left: left, passed_over }, marks));
        }
    }
    Ok((Next { item: None, unread_left: 0, passed_over }, marks))
}

fn item(
    context: &Context,
    lens: &Lens,
    board: &KnownBoard,
    root: EventId,
    node: roda_protocol::thread::Node,
) -> Result<NextItem, ApiError> {
    let answered = match node.parent.map(|parent| context.store.row(&parent)).transpose()?.flatten() {
        Some(row) => single(context, &row)?,
        None => None,
    };
    let title = Some(shown_title(context, lens, &root)?).filter(|title| !title.is_empty());
    let answers = match answered.filter(|(_, answered)| lens.judge(answered).hidden.is_none()) {
        Some((_, answered)) => Some(thread_node(context, lens, answered, false)?),
        None => None,
    };
    let mut shown = vec![thread_node(context, lens, node, true)?];
    shown.extend(answers);
    let mut shown = note_look_alikes(context, &lens.policy, shown)?.into_iter();
    let node = shown.next().ok_or_else(unexpected)?;
    Ok(NextItem {
        board: board.space.to_string(),
        board_name: board.name.clone(),
        board_look_alike: board.look_alike,
        thread: root.to_string(),
        title: title.unwrap_or_default(),
        node,
        answers: shown.next().map(Box::new),
    })
}

pub(super) async fn catch_up(
    State(context): State<Shared>,
    body: Result<Json<CatchUpAsk>, JsonRejection>,
) -> Result<Json<Vec<BoardRef>>, ApiError> {
    Ok(Json(mark_read(&context, body?.0).await?))
}

/// Marks everything of a board, or of all that are followed, as read.
pub(crate) async fn mark_read(context: &Shared, ask: CatchUpAsk) -> Result<Vec<BoardRef>, ApiError> {
    let (boards, position) = blocking(context.clone(), move |context| {
        Ok((followed_boards(context, ask.board.as_deref())?, context.store.end_position()))
    })
    .await?;
    let records = boards.iter().map(|board| LocalRecord::ReadSpace { space: board.space, position });
    note(context, records.collect()).await?;
    Ok(boards.into_iter().map(BoardRef::from).collect())
}
