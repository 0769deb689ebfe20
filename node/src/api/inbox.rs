//! The inbox: answers to what was written here, mentions, and what is new in threads that are watched. What the reader's own
//! rules hide is neither listed nor counted, unless it is asked for.

mod finding;

use self::finding::{Ask, Bounds, Finding, Found, Search};
use super::Shared;
use super::dto::{InboxCleared, InboxEntry, InboxUnread};
use super::error::ApiError;
use super::feed::Lens;
use super::names::note_look_alikes;
use super::read::{blocking, single};
use super::reader::{note, shown_title};
use super::resolve::KnownBoard;
use crate::runtime::Context;
use crate::store::LocalRecord;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use roda_protocol::id::SpaceId;
use roda_protocol::thread::Shown;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Entries of a page, if the asker does not say.
const INBOX_LIMIT_DEFAULT: usize = 50;

/// And at most.
const INBOX_LIMIT_MAX: usize = 1000;

/// Unread entries that are counted: beyond that a number says no more than many.
const COUNT_MAX: usize = 99;

/// The query of an inbox.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxAsk {
    /// Also what was read.
    #[serde(default)]
    pub(crate) all: bool,
    /// Also what the reader's rules hide, with its words; each says by which rule.
    #[serde(default)]
    pub(crate) hidden: bool,
    /// Entries at most.
    pub(crate) limit: Option<usize>,
    /// Go on behind the entry that has this cursor.
    pub(crate) before: Option<String>,
}

pub(super) async fn inbox(
    State(context): State<Shared>,
    query: Result<Query<InboxAsk>, QueryRejection>,
) -> Result<Json<Vec<InboxEntry>>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| read_inbox(context, &ask).map(Json)).await
}

/// A page of the inbox, newest first by arrival.
pub(crate) fn read_inbox(context: &Context, ask: &InboxAsk) -> Result<Vec<InboxEntry>, ApiError> {
    let limit = ask.limit.unwrap_or(INBOX_LIMIT_DEFAULT).min(INBOX_LIMIT_MAX);
    let before = ask.before.as_deref().map(str::parse).transpose().map_err(|_| {
        ApiError::invalid("that is no cursor", "pass the `cursor` of the last entry that you have seen")
    })?;
    let lens = Lens::new(context, ask.hidden)?;
    let mut search = Search::new(&context.store, context.me(), &lens, Bounds::OF_LIST)?;
    let page = search.find(&Ask { before, all: ask.all, limit })?.page(limit);
    let boards = context.boards_by_id()?;
    let entries = page.into_iter().map(|found| entry(context, &lens, found, &boards));
    note_look_alikes(context, &lens.policy, entries.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

pub(super) async fn unread(State(context): State<Shared>) -> Result<Json<InboxUnread>, ApiError> {
    blocking(context, |context| unread_count(context).map(Json)).await
}

/// How many entries of the inbox are unread, as far as they are counted. Every page asks.
pub(crate) fn unread_count(context: &Context) -> Result<InboxUnread, ApiError> {
    let lens = Lens::new(context, false)?;
    let mut search = Search::new(&context.store, context.me(), &lens, Bounds::OF_COUNT)?;
    let finding = search.find(&Ask { before: None, all: false, limit: COUNT_MAX + 1 })?;
    Ok(counted(&finding))
}

fn counted(finding: &Finding) -> InboxUnread {
    let found = finding.found.len();
    let more = found > COUNT_MAX || finding.end.is_some();
    InboxUnread { unread: found.min(COUNT_MAX) as u64, more, hidden: finding.has_hidden }
}

pub(super) async fn clear(State(context): State<Shared>) -> Result<Json<InboxCleared>, ApiError> {
    Ok(Json(clear_inbox(&context).await?))
}

/// Marks everything in the inbox as read, what is hidden, too.
pub(crate) async fn clear_inbox(context: &Shared) -> Result<InboxCleared, ApiError> {
    let (cleared, position) = blocking(context.clone(), |context| {
        // Read before the entries: what arrives meanwhile stays unread.
        let position = context.store.end_position();
        let lens = Lens::new(context, false)?;
        let mut search = Search::new(&context.store, context.me(), &lens, Bounds::OF_LIST)?;
        let finding = search.find(&Ask { before: None, all: false, limit: INBOX_LIMIT_MAX })?;
        Ok((finding.found.len(), position))
    })
    .await?;
    note(context, vec![LocalRecord::ReadInbox { position }]).await?;
    Ok(InboxCleared { cleared: cleared as u64 })
}

fn entry(
    context: &Context,
    lens: &Lens,
    Found { place, is_unread }: Found,
    boards: &BTreeMap<SpaceId, KnownBoard>,
) -> Result<Option<InboxEntry>, ApiError> {
    let Some((root, node)) = single(context, &place.row)? else { return Ok(None) };
    let Some(author) = node.author else { return Ok(None) };
    let Some(stored) = context.store.event(&place.row.id)? else { return Ok(None) };
    let space = stored.event.space();
    let (hidden, is_withheld) = match lens.thread_hidden(&root) {
        Some(hidden) => (Some(hidden), !lens.shows_hidden),
        None => lens.hidden(&node),
    };
    let text = match &node.shown {
        Shown::Content(content) if !is_withheld => content.text.clone(),
        _ => String::new(),
    };
    let board = boards.get(&space);
    Ok(Some(InboxEntry {
        id: node.id.to_string(),
        board: space.to_string(),
        board_name: board.map(|board| board.name.clone()).unwrap_or_default(),
        board_look_alike: board.is_some_and(|board| board.look_alike),
        thread: root.to_string(),
        title: shown_title(context, lens, &root)?,
        author: author.to_string(),
        name: context.store.author_name(&author)?,
        look_alike: false,
        created_ms: node.created_ms,
        why: place.why.word().to_owned(),
        unread: is_unread,
        text,
        retracted: node.shown == Shown::Retracted,
        hidden,
        cursor: place.position.to_string(),
    }))
}

#[cfg(test)]
mod tests;
