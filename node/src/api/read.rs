//! Calls that read: thread, outbox. They go to the store on threads that may block, and never wait for the engine.

use super::Shared;
use super::dto::{Completeness, Hidden, OutboxEntry, ThreadNode, ThreadPage, Votes};
use super::error::ApiError;
use super::feed::Lens;
use super::node::unexpected;
use crate::engine::{Answer, Local};
use crate::runtime::Context;
use crate::store::{EventRow, root_named_by};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use roda_protocol::event::{Kind, tag};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread::{self, Node, Shown};
use roda_protocol::view::policy::Effect;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Runs work that reads the disk where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    context: Shared,
    work: impl FnOnce(&Context) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(move || work(&context)).await;
    done.unwrap_or_else(|error| Err(ApiError::new("internal", error.to_string(), "please report this as a bug")))
}

/// The word for how far an own event is.
pub(crate) fn state_word(sent: bool, held_by: u32) -> &'static str {
    match (sent, held_by) {
        (_, 1..) => "held",
        (true, 0) => "sent",
        (false, 0) => "queued",
    }
}

pub(super) async fn thread(
    State(context): State<Shared>,
    Path(text): Path<String>,
    query: Result<Query<ThreadAsk>, QueryRejection>,
) -> Result<Json<ThreadPage>, ApiError> {
    let Query(ask) = query?;
    Ok(Json(show_thread(&context, text, ask).await?))
}

/// The query of a thread.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct ThreadAsk {
    /// Whether to show the words of what the reader's rules hide, too.
    #[serde(default)]
    pub(crate) hidden: bool,
}

/// The thread of the post or comment that `text` names, which is marked as read by that; what is missing of it is asked for.
pub(crate) async fn show_thread(context: &Shared, text: String, ask: ThreadAsk) -> Result<ThreadPage, ApiError> {
    let (page, facts) = blocking(context.clone(), move |context| {
        let asked = context.find_event(&text)?;
        read_thread(context, asked, ask)
    })
    .await?;
    finish(context, page, facts).await
}

/// What the engine is told and asked after a thread was read.
struct ThreadFacts {
    space: SpaceId,
    root: EventId,
    missing: Vec<EventId>,
    wordless: Vec<EventId>,
    last_position: u64,
    read_mark: u64,
}

fn read_thread(context: &Context, asked: EventId, ask: ThreadAsk) -> Result<(ThreadPage, ThreadFacts), ApiError> {
    let root = root_of(context, asked)?;
    let items = context.store.thread_items(&root)?;
    let positions: BTreeMap<EventId, u64> = items.iter().map(|(item, position)| (item.id, *position)).collect();
    let held = items.iter().filter(|(item, _)| matches!(item.kind, Kind::Post(_) | Kind::Comment(_))).count() as u64;
    let read_mark = context.store.read_mark(&root)?;
    let resolved = thread::resolve(root, items.into_iter().map(|(item, _)| item));
    // Words that never came along are asked for again.
    let wordless = resolved.nodes.iter().filter(|node| node.shown == Shown::Dropped).map(|node| node.id).collect();
    // A parent that stands in another thread is a hole here and yet not missing.
    let mut missing = Vec::new();
    for id in resolved.missing() {
        if !context.store.is_held(&id)? {
            missing.push(id);
        }
    }
    let space = space_of(context, &resolved)?;
    let lens = Lens::new(context, ask.hidden)?;
    let rule = match lens.policy.of_thread(&root) {
        Some(Effect::Watch) => Some("watch"),
        Some(Effect::Mute) => Some("mute"),
        _ => None,
    };
    let nodes = resolved.nodes.into_iter().map(|node| {
        let position = positions.get(&node.id).copied().filter(|_| node.author.is_some());
        thread_node(context, &lens, node, position.is_some_and(|position| position > read_mark))
    });
    let page = ThreadPage {
        board: space.to_string(),
        board_name: context.board_name(space)?,
        root: root.to_string(),
        asked: asked.to_string(),
        nodes: nodes.collect::<Result<_, _>>()?,
        rule: rule.map(str::to_owned),
        completeness: Completeness {
            held,
            declined: context.store.declined(space)?,
            missing: missing.iter().map(ToString::to_string).collect(),
            peers_equal: 0,
            peers_asked: 0,
            checked_ms: 0,
        },
    };
    let last_position = positions.values().max().copied().unwrap_or(0);
    Ok((page, ThreadFacts { space, root, missing, wordless, last_position, read_mark }))
}

/// A post or comment by itself, as it stands, and the post of its thread.
pub(super) fn single(context: &Context, row: &EventRow) -> Result<Option<(EventId, Node)>, ApiError> {
    let Some(stored) = context.store.event(&row.id)? else { return Ok(None) };
    let Some(root) = root_named_by(&stored.event) else { return Ok(None) };
    let resolved = thread::resolve(root, context.store.post_items(row)?);
    Ok(resolved.nodes.into_iter().find(|node| node.id == row.id).map(|node| (root, node)))
}

/// The thread of an event: its own if it is a post, else the one that it, or what it acts on, names.
pub(crate) fn root_of(context: &Context, asked: EventId) -> Result<EventId, ApiError> {
    let not_here =
        || ApiError::new("not_found", format!("event {asked} is not on this node"), "fetch it first: `roda sync`");
    let Some(stored) = context.store.event(&asked)? else {
        // The post itself may be missing while its comments are here.
        let has_comments = context.store.thread_counts(&asked, &context.me())?.comments > 0;
        return if has_comments { Ok(asked) } else { Err(not_here()) };
    };
    let target = match stored.event.kind() {
        Kind::Edit(edit) => Some(edit.target),
        Kind::Vote(vote) => Some(vote.target),
        Kind::Retract(retract) => retract.targets.first().copied(),
        _ => None,
    };
    let named = match target {
        None => root_named_by(&stored.event),
        Some(target) => context.store.event(&target)?.and_then(|target| root_named_by(&target.event)),
    };
    named.ok_or_else(|| {
        ApiError::invalid(format!("event {asked} belongs to no thread"), "give the id of a post or comment")
    })
}

fn space_of(context: &Context, thread: &thread::Thread) -> Result<SpaceId, ApiError> {
    let present = thread.nodes.iter().find(|node| node.author.is_some()).map(|node| node.id);
    let stored = present.map(|id| context.store.event(&id)).transpose()?.flatten();
    stored
        .map(|stored| stored.event.space())
        .ok_or_else(|| ApiError::new("not_found", "nothing of this thread is on this node", "`roda sync`"))
}

/// A place of a thread as it is shown through the reader's rules. `is_new`: it was not read before.
pub(super) fn thread_node(context: &Context, lens: &Lens, node: Node, is_new: bool) -> Result<ThreadNode, ApiError> {
    let name = node.author.map(|author| context.store.author_name(&author)).transpose()?.flatten();
    let is_mine = node.author == Some(context.me());
    let because = |by: &str, why: &str| Some(Hidden { by: by.to_owned(), why: why.to_owned(), rule: None });
    let (hidden, is_withheld) = match node.shown {
        Shown::Dropped => (because("node", "dropped"), false),
        Shown::Unreadable => (because("author", "unreadable"), false),
        _ => lens.hidden(&node),
    };
    let (missing, retracted) = (node.shown == Shown::Missing, node.shown == Shown::Retracted);
    let content = match node.shown {
        Shown::Content(content) if !is_withheld => content,
        _ => thread::Content::default(),
    };
    Ok(ThreadNode {
        id: node.id.to_string(),
        parent: node.parent.map(|parent| parent.to_string()),
        depth: node.depth,
        missing,
        author: node.author.map(|author| author.to_string()).unwrap_or_default(),
        name,
        title: content.title,
        text: content.text,
        link: content.link,
        tags: node.tags,
        created_ms: node.created_ms,
        edited: node.edited_ms,
        retracted,
        hidden,
        votes: Votes { up: node.up, down: node.down },
        unread: !is_mine && is_new,
        mine: is_mine,
    })
}

/// Adds what only the engine knows, tells it of holes, and marks the thread as read.
async fn finish(context: &Shared, mut page: ThreadPage, facts: ThreadFacts) -> Result<ThreadPage, ApiError> {
    let asked = context.handle.ask(Local::Completeness { space: facts.space }).await?;
    let Answer::Completeness(compared) = asked else { return Err(unexpected()) };
    page.completeness.peers_equal = compared.peers_equal;
    page.completeness.peers_asked = compared.peers_asked;
    page.completeness.checked_ms = compared.checked_ms;
    let ids: Vec<EventId> = facts.missing.into_iter().chain(facts.wordless).collect();
    if !ids.is_empty() {
        context.handle.ask(Local::Want { space: facts.space, ids }).await?;
    }
    if facts.last_position > facts.read_mark {
        context.handle.ask(Local::Read { root: facts.root, position: facts.last_position }).await?;
    }
    Ok(page)
}

pub(super) async fn outbox(State(context): State<Shared>) -> Result<Json<Vec<OutboxEntry>>, ApiError> {
    blocking(context, |context| read_outbox(context).map(Json)).await
}

/// Own events and how far they are, oldest first.
pub(crate) fn read_outbox(context: &Context) -> Result<Vec<OutboxEntry>, ApiError> {
    let mut entries = Vec::new();
    for (row, own) in context.store.own_events()? {
        let Some(stored) = context.store.event(&row.id)? else { continue };
        let held_by = u32::try_from(own.holders.len()).unwrap_or(u32::MAX);
        entries.push(OutboxEntry {
            id: row.id.to_string(),
            board: stored.event.space().to_string(),
            kind: stored.event.kind().word().to_owned(),
            state: state_word(own.sent, held_by).to_owned(),
            held_by,
            created_ms: row.created_ms,
        });
    }
    Ok(entries)
}

/// A readable line of what an event says, for exports.
pub(super) fn readable(event: &roda_protocol::event::Verified) -> String {
    use roda_protocol::event::Body;
    match event.body() {
        Some(Body::Post(words)) => format!("{}\n\n{}", words.title, words.text),
        Some(Body::Comment(words)) => words.text,
        Some(Body::Edit(words)) => words.text,
        Some(Body::Charter(words)) => format!("{}\n\n{}", words.title, words.description),
        Some(Body::Profile(words)) => words.name,
        Some(Body::Label(words)) => words.reason,
        None if event.header().kind.tag != tag::RETRACT => "(the words were taken back)".to_owned(),
        _ => String::new(),
    }
}
