//! Calls that write: each signs one event, stores it durably, and can wait until other nodes hold it.

use super::Shared;
use super::dto::{Identity, NewEdit, NewPost, NewReply, NewRetraction, NewVote, SetName, Wait, Written};
use super::error::{ApiError, refused};
use super::node::unexpected;
use super::read::blocking_whole;
use crate::author::{Pen, WriteError};
use crate::engine::{Answer, Local, Notice, Verdict};
use crate::identity;
use crate::runtime::{Context, wall_ms};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use roda_protocol::event::{EditBody, PostBody, Signed};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::text;
use roda_protocol::thread::{self, Shown};
use roda_protocol::validate::SpaceRules;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Seconds that a write waits for other nodes at most.
const WAIT_S_MAX: u64 = 3600;

/// Seconds if the asker does not say.
const WAIT_S_DEFAULT: u64 = 30;

/// Stamps and signs on a thread that may take its time.
pub(super) async fn signed(
    context: &Shared,
    write: impl FnOnce(&Pen<'_>) -> Result<Signed, WriteError> + Send + 'static,
) -> Result<Signed, ApiError> {
    let salt = identity::random().map_err(|error| ApiError::new("internal", error.to_string(), ""))?;
    // An event names what its author has seen: all of it.
    blocking_whole(context.clone(), move |context| {
        let pen = Pen { store: &context.store, key: &context.key, now_ms: wall_ms(), salt };
        Ok(write(&pen)?)
    })
    .await
}

/// Stores and spreads a signed event, and waits as long as is asked.
async fn store(context: &Shared, signed: Signed, wait: Wait, target: Option<EventId>) -> Result<Written, ApiError> {
    let (id, space) = (signed.id(), signed.space());
    let notices = context.handle.notices();
    match context.handle.ask(Local::Write { bytes: signed.bytes().to_vec() }).await? {
        Answer::Written(Verdict::Admitted(_)) => {}
        Answer::Written(verdict) => return Err(refused(verdict)),
        _ => return Err(unexpected()),
    }
    if wait.peers > 0 {
        let seconds = if wait.timeout_s == 0 { WAIT_S_DEFAULT } else { wait.timeout_s.min(WAIT_S_MAX) };
        // Running out of time is an answer, not an error.
        let _ = tokio::time::timeout(Duration::from_secs(seconds), held_by(context, notices, id, wait.peers)).await;
    }
    let (state, held_by) = delivery(context, id).await?;
    Ok(Written {
        id: id.to_string(),
        board: space.to_string(),
        state: state.to_owned(),
        held_by,
        wait_met: held_by >= wait.peers,
        target: target.map(|target| target.to_string()),
    })
}

async fn held_by(context: &Context, mut notices: tokio::sync::broadcast::Receiver<Notice>, id: EventId, wanted: u32) {
    loop {
        match notices.recv().await {
            Ok(Notice::Delivered { id: of, held_by }) if of == id && held_by >= wanted => return,
            Ok(_) => {}
            // Some news were missed: the state itself tells.
            Err(RecvError::Lagged(_)) => match delivery(context, id).await {
                Ok((_, held_by)) if held_by >= wanted => return,
                _ => {}
            },
            Err(RecvError::Closed) => return,
        }
    }
}

/// How far an own event is.
async fn delivery(context: &Context, id: EventId) -> Result<(&'static str, u32), ApiError> {
    let Answer::Delivery { sent, held_by } = context.handle.ask(Local::Delivery { id }).await? else {
        return Err(unexpected());
    };
    Ok((super::read::state_word(sent, held_by), held_by))
}

pub(super) async fn name(
    State(context): State<Shared>,
    body: Result<Json<SetName>, JsonRejection>,
) -> Result<Json<Identity>, ApiError> {
    Ok(Json(publish_name(&context, body?.0).await?))
}

/// Publishes a profile with this name.
pub(crate) async fn publish_name(context: &Shared, ask: SetName) -> Result<Identity, ApiError> {
    let SetName { name } = ask;
    text::check_name(&name, roda_protocol::limits::NAME_CHARS_MAX)
        .map_err(|error| ApiError::invalid(error.to_string(), "choose another name"))?;
    let profile = {
        let name = name.clone();
        signed(context, move |pen| pen.profile(name)).await?
    };
    store(context, profile, Wait::default(), None).await?;
    Ok(Identity { author: context.me().to_string(), name: Some(name) })
}

pub(super) async fn post(
    State(context): State<Shared>,
    body: Result<Json<NewPost>, JsonRejection>,
) -> Result<Json<Written>, ApiError> {
    Ok(Json(write_post(&context, body?.0).await?))
}

/// Starts a thread.
pub(crate) async fn write_post(context: &Shared, new: NewPost) -> Result<Written, ApiError> {
    let board = new.board.clone();
    let board = blocking_whole(context.clone(), move |context| context.find_board(&board)).await?;
    if !board.row.followed {
        let hint = format!("`roda follow {}` first", board.space);
        return Err(ApiError::new("not_followed", "this node does not follow that board", hint));
    }
    if new.title.trim().is_empty() {
        return Err(ApiError::invalid("a post needs a title", "give one with -t").on_page(|t| t.error_untitled));
    }
    let is_open = board.is_open();
    let words = PostBody { title: new.title, text: new.text, link: new.link.filter(|link| !link.is_empty()) };
    let write = move |pen: &Pen<'_>| {
        let rules = pen.rules(board.space, is_open)?;
        pen.post(board.space, rules, new.tags, words)
    };
    let post = signed(context, write).await?;
    store(context, post, new.wait, None).await
}

/// The rules of the space of an event.
fn rules_at(context: &Context, pen: &Pen<'_>, id: &EventId) -> Result<SpaceRules, WriteError> {
    let space: SpaceId = pen.target(id)?.space();
    let row = context.store.spaces()?.into_iter().find(|(known, _)| *known == space);
    pen.rules(space, row.is_some_and(|(_, row)| row.open_name.is_some()))
}

/// Signs an event about the event that `text` means, and stores it.
async fn about(
    context: &Shared,
    text: String,
    wait: Wait,
    write: impl FnOnce(&Context, &Pen<'_>, &EventId, SpaceRules) -> Result<Signed, WriteError> + Send + 'static,
) -> Result<Written, ApiError> {
    let target = blocking_whole(context.clone(), move |context| context.find_event(&text)).await?;
    let shared = context.clone();
    let event = signed(context, move |pen| {
        let rules = rules_at(&shared, pen, &target)?;
        write(&shared, pen, &target, rules)
    })
    .await?;
    store(context, event, wait, Some(target)).await
}

pub(super) async fn reply(
    State(context): State<Shared>,
    Path(id): Path<String>,
    body: Result<Json<NewReply>, JsonRejection>,
) -> Result<Json<Written>, ApiError> {
    Ok(Json(write_reply(&context, id, body?.0).await?))
}

/// Answers a post or comment.
pub(crate) async fn write_reply(context: &Shared, id: String, new: NewReply) -> Result<Written, ApiError> {
    let NewReply { text, wait } = new;
    if text.trim().is_empty() {
        return Err(
            ApiError::invalid("an answer needs words", "give them with -m, -F or -").on_page(|t| t.error_wordless)
        );
    }
    about(context, id, wait, move |_, pen, target, rules| pen.comment(target, rules, text)).await
}

pub(super) async fn edit(
    State(context): State<Shared>,
    Path(id): Path<String>,
    body: Result<Json<NewEdit>, JsonRejection>,
) -> Result<Json<Written>, ApiError> {
    Ok(Json(write_edit(&context, id, body?.0).await?))
}

/// Changes an own post or comment.
pub(crate) async fn write_edit(context: &Shared, id: String, new: NewEdit) -> Result<Written, ApiError> {
    let NewEdit { title, text, link, wait } = new;
    if title.is_none() && text.is_none() && link.is_none() {
        return Err(
            ApiError::invalid("nothing to change", "give a new title, text or link").on_page(|t| t.error_unchanged)
        );
    }
    about(context, id, wait, move |context, pen, target, rules| {
        // An edit carries the whole content: what is not changed is what is shown now.
        let row = context.store.row(target)?.ok_or(WriteError::NotHere(*target))?;
        let items = context.store.post_items(&row)?;
        let root = pen.target(target)?;
        let root = crate::store::root_named_by(&root).unwrap_or(*target);
        let shown = thread::resolve(root, items).nodes.into_iter().find(|node| node.id == *target);
        let now = match shown.map(|node| node.shown) {
            Some(Shown::Content(content)) => content,
            Some(Shown::Retracted) => return Err(WriteError::WrongKind("it was taken back, for good")),
            _ => thread::Content::default(),
        };
        let is_post = root == *target;
        let link = match link {
            Some(link) => Some(link).filter(|link| !link.is_empty()),
            None => now.link,
        };
        let words = EditBody {
            title: if is_post { Some(title.unwrap_or(now.title)) } else { title },
            text: text.unwrap_or(now.text),
            link,
        };
        pen.edit(target, rules, words)
    })
    .await
}

pub(super) async fn retract(
    State(context): State<Shared>,
    Path(id): Path<String>,
    body: Result<Json<NewRetraction>, JsonRejection>,
) -> Result<Json<Written>, ApiError> {
    Ok(Json(write_retraction(&context, id, body?.0).await?))
}

/// Takes an own event back.
pub(crate) async fn write_retraction(context: &Shared, id: String, new: NewRetraction) -> Result<Written, ApiError> {
    let NewRetraction { wait } = new;
    about(context, id, wait, |_, pen, target, rules| pen.retract(target, rules)).await
}

pub(super) async fn vote(
    State(context): State<Shared>,
    Path(id): Path<String>,
    body: Result<Json<NewVote>, JsonRejection>,
) -> Result<Json<Written>, ApiError> {
    Ok(Json(write_vote(&context, id, body?.0).await?))
}

/// Votes on a post or comment.
pub(crate) async fn write_vote(context: &Shared, id: String, new: NewVote) -> Result<Written, ApiError> {
    let NewVote { value, wait } = new;
    about(context, id, wait, move |_, pen, target, rules| pen.vote(target, rules, value)).await
}
