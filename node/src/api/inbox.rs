//! The inbox: answers to what was written here, mentions, and what is new in threads that are watched.

use super::Shared;
use super::dto::{InboxCleared, InboxEntry};
use super::error::ApiError;
use super::feed::Lens;
use super::names::note_look_alikes;
use super::read::{blocking, single};
use super::reader::{note, shown_title};
use crate::runtime::Context;
use crate::store::{InboxPlace, LocalRecord, Why};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread::Shown;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::IntoParams;

/// Entries of a page, if the asker does not say.
const INBOX_LIMIT_DEFAULT: usize = 50;

/// And at most.
const INBOX_LIMIT_MAX: usize = 1000;

/// Rows of the inbox that one step reads.
const STEP_ROWS: usize = 256;

/// What is new in one watched thread, the newest of it: a thread that grows faster is better read as a whole.
const WATCHED_MAX: usize = 100;

/// The query of an inbox.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxAsk {
    /// Also what was read.
    #[serde(default)]
    pub(crate) all: bool,
    /// Also the words of what the reader's rules hide.
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
    let mut inbox = Inbox::new(context)?;
    let places = inbox.places(&lens, before, ask.all, limit)?;
    let boards: BTreeMap<SpaceId, String> =
        context.boards()?.into_iter().map(|board| (board.space, board.name)).collect();
    let entries = places.into_iter().map(|found| inbox.entry(&lens, found, &boards));
    note_look_alikes(context, &lens.policy, entries.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// How many entries of the inbox are unread, counted up to so many. Every page asks: no words are read for it.
pub(crate) fn unread_count(context: &Context, count_max: usize) -> Result<usize, ApiError> {
    let mut inbox = Inbox::new(context)?;
    Ok(inbox.places(&Lens::new(context, false)?, None, false, count_max)?.len())
}

pub(super) async fn clear(State(context): State<Shared>) -> Result<Json<InboxCleared>, ApiError> {
    Ok(Json(clear_inbox(&context).await?))
}

/// Marks everything in the inbox as read.
pub(crate) async fn clear_inbox(context: &Shared) -> Result<InboxCleared, ApiError> {
    let (cleared, position) = blocking(context.clone(), |context| {
        // Read before the entries: what arrives meanwhile stays unread.
        let position = context.store.end_position();
        Ok((unread_count(context, INBOX_LIMIT_MAX)?, position))
    })
    .await?;
    note(context, vec![LocalRecord::ReadInbox { position }]).await?;
    Ok(InboxCleared { cleared: cleared as u64 })
}

/// An entry in the making.
struct Found {
    place: InboxPlace,
    is_unread: bool,
}

struct Inbox<'a> {
    context: &'a Context,
    mark: u64,
    /// Of threads that were met: up to where they were read.
    roots: BTreeMap<EventId, u64>,
}

impl<'a> Inbox<'a> {
    fn new(context: &'a Context) -> Result<Self, ApiError> {
        Ok(Self { context, mark: context.store.inbox_mark()?, roots: BTreeMap::new() })
    }

    /// What belongs on the page, newest first.
    fn places(&mut self, lens: &Lens, before: Option<u64>, all: bool, limit: usize) -> Result<Vec<Found>, ApiError> {
        let mut found = self.rows(before, all, limit)?;
        let mut seen: BTreeSet<EventId> = found.iter().map(|found| found.place.row.id).collect();
        for root in lens.policy.watched() {
            let read = self.read_mark(*root)?;
            let from = if all { 0 } else { read.max(self.mark) };
            let members = self.context.store.members_behind(root, from, &self.context.me())?;
            let fitting =
                members.into_iter().rev().filter(|member| before.is_none_or(|before| member.position < before));
            for member in fitting.take(WATCHED_MAX.min(limit)) {
                if member.row.id != *root && seen.insert(member.row.id) {
                    let is_unread = member.position > read.max(self.mark);
                    let place = InboxPlace { position: member.position, row: member.row, why: Why::Watched };
                    found.push(Found { place, is_unread });
                }
            }
        }
        found.sort_by_key(|found| std::cmp::Reverse(found.place.position));
        found.truncate(limit);
        Ok(found)
    }

    /// Answers and mentions.
    fn rows(&mut self, mut before: Option<u64>, all: bool, limit: usize) -> Result<Vec<Found>, ApiError> {
        let mut found = Vec::new();
        loop {
            let step = self.context.store.inbox(before, STEP_ROWS)?;
            let Some(last) = step.last() else { return Ok(found) };
            before = Some(last.position);
            for place in step {
                if place.position <= self.mark && !all {
                    return Ok(found);
                }
                let Some(root) = self.root_of(&place)? else { continue };
                let is_unread = place.position > self.read_mark(root)?.max(self.mark);
                if is_unread || all {
                    found.push(Found { place, is_unread });
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
        }
    }

    fn root_of(&self, place: &InboxPlace) -> Result<Option<EventId>, ApiError> {
        let stored = self.context.store.event(&place.row.id)?;
        Ok(stored.and_then(|stored| crate::store::root_named_by(&stored.event)))
    }

    fn read_mark(&mut self, root: EventId) -> Result<u64, ApiError> {
        if let Some(mark) = self.roots.get(&root) {
            return Ok(*mark);
        }
        let mark = self.context.store.read_mark(&root)?;
        self.roots.insert(root, mark);
        Ok(mark)
    }

    fn entry(
        &self,
        lens: &Lens,
        Found { place, is_unread }: Found,
        boards: &BTreeMap<SpaceId, String>,
    ) -> Result<Option<InboxEntry>, ApiError> {
        let Some((root, node)) = single(self.context, &place.row)? else { return Ok(None) };
        let Some(author) = node.author else { return Ok(None) };
        let Some(stored) = self.context.store.event(&place.row.id)? else { return Ok(None) };
        let space = stored.event.space();
        let (hidden, is_withheld) = match lens.thread_hidden(&root) {
            Some(hidden) => (Some(hidden), !lens.shows_hidden()),
            None => lens.hidden(&node),
        };
        let text = match &node.shown {
            Shown::Content(content) if !is_withheld => content.text.clone(),
            _ => String::new(),
        };
        Ok(Some(InboxEntry {
            id: node.id.to_string(),
            board: space.to_string(),
            board_name: boards.get(&space).cloned().unwrap_or_default(),
            thread: root.to_string(),
            title: shown_title(self.context, lens, &root)?,
            author: author.to_string(),
            name: self.context.store.author_name(&author)?,
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
}
