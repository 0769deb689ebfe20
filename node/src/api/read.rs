//! Calls that read: feed, thread, outbox. They go to the store on threads that may block, and never wait for the engine.

use super::Shared;
use super::dto::{Completeness, FeedEntry, Hidden, OutboxEntry, ThreadNode, ThreadPage, Votes};
use super::error::ApiError;
use super::node::unexpected;
use super::resolve::KnownBoard;
use crate::engine::{Answer, Local};
use crate::runtime::{Context, wall_ms};
use crate::store::{EventRow, FeedPlace, root_named_by};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use roda_protocol::event::{Kind, tag};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread::{self, Node, Shown};
use roda_protocol::view::{FeedSort, FeedStats};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Entries of a page of a feed, if the asker does not say.
const FEED_LIMIT_DEFAULT: usize = 50;

/// And at most.
const FEED_LIMIT_MAX: usize = 1000;

/// Threads of a board that are put in order: the newest. Orders other than by date need all of them at once.
const RANKED_MAX: usize = 10_000;

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

/// The query of a feed.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct FeedAsk {
    pub(crate) board: Option<String>,
    pub(crate) sort: Option<String>,
    pub(crate) limit: Option<usize>,
    pub(crate) before: Option<String>,
}

pub(super) async fn feed(
    State(context): State<Shared>,
    query: Result<Query<FeedAsk>, QueryRejection>,
) -> Result<Json<Vec<FeedEntry>>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| read_feed(context, &ask).map(Json)).await
}

/// A page of a feed.
pub(crate) fn read_feed(context: &Context, ask: &FeedAsk) -> Result<Vec<FeedEntry>, ApiError> {
    let limit = ask.limit.unwrap_or(FEED_LIMIT_DEFAULT).min(FEED_LIMIT_MAX);
    let sort = match ask.sort.as_deref() {
        None | Some("new") => FeedSort::New,
        Some("active") => FeedSort::Active,
        Some("top") => FeedSort::Top,
        Some(other) => {
            let message = format!("there is no order called {other:?}");
            return Err(ApiError::invalid(message, "choose new, active or top"));
        }
    };
    let boards = match &ask.board {
        Some(text) => vec![context.find_board(text)?],
        None => context.boards()?.into_iter().filter(|board| board.row.followed).collect(),
    };
    match sort {
        FeedSort::New => newest(context, &boards, ask.before.as_deref(), limit),
        FeedSort::Active | FeedSort::Top => ranked(context, &boards, sort, ask.before.as_deref(), limit),
    }
}

/// Newest posts of some boards. The cursor is a post's time and id.
fn newest(
    context: &Context,
    boards: &[KnownBoard],
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<FeedEntry>, ApiError> {
    let before = before.map(|cursor| time_cursor(context, cursor)).transpose()?;
    let mut posts: Vec<(FeedPlace, EventRow, &KnownBoard)> = Vec::new();
    for board in boards {
        let page = context.store.posts(board.space, before, limit)?;
        posts.extend(page.into_iter().map(|(place, row)| (place, row, board)));
    }
    posts.sort_by_key(|(place, _, _)| std::cmp::Reverse(*place));
    posts.truncate(limit);
    let entry = |(place, row, board): (FeedPlace, EventRow, &KnownBoard)| {
        let cursor = format!("{}.{}", place.created_ms, row.id);
        entry(context, board, &row, cursor)
    };
    posts.into_iter().map(entry).filter_map(Result::transpose).collect()
}

fn bad_cursor() -> ApiError {
    ApiError::invalid("that is no cursor", "pass the `cursor` of the last entry that you have seen")
}

fn time_cursor(context: &Context, cursor: &str) -> Result<FeedPlace, ApiError> {
    let (time, id) = cursor.split_once('.').ok_or_else(bad_cursor)?;
    let created_ms = time.parse().map_err(|_| bad_cursor())?;
    let id: EventId = id.parse().map_err(|_| bad_cursor())?;
    context.store.feed_place(&id, created_ms)?.ok_or_else(bad_cursor)
}

/// Threads by activity or score. The cursor is the last entry's id: what stands behind it now comes next.
fn ranked(
    context: &Context,
    boards: &[KnownBoard],
    sort: FeedSort,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<FeedEntry>, ApiError> {
    let now_ms = wall_ms();
    let mut threads = Vec::new();
    for board in boards {
        for (_, row) in context.store.posts(board.space, None, RANKED_MAX)? {
            let counts = context.store.thread_counts(&row.id, &context.me())?;
            let score = if sort == FeedSort::Top { score(context, &row)? } else { 0 };
            let active_ms = counts.active_ms.max(row.created_ms);
            let stats = FeedStats { id: row.id, created_ms: row.created_ms, active_ms, score };
            threads.push((sort.key(&stats, now_ms), row, board));
        }
    }
    threads.sort_by_key(|(key, _, _)| std::cmp::Reverse(*key));
    let skip = match before {
        None => 0,
        Some(cursor) => {
            let id: EventId = cursor.parse().map_err(|_| bad_cursor())?;
            1 + threads.iter().position(|(_, row, _)| row.id == id).ok_or_else(bad_cursor)?
        }
    };
    let page = threads.into_iter().skip(skip).take(limit);
    page.map(|(_, row, board)| entry(context, board, &row, row.id.to_string())).filter_map(Result::transpose).collect()
}

fn score(context: &Context, row: &EventRow) -> Result<i64, ApiError> {
    let node = root_node(context, row)?;
    Ok(node.map_or(0, |node| i64::from(node.up) - i64::from(node.down)))
}

fn root_node(context: &Context, row: &EventRow) -> Result<Option<Node>, ApiError> {
    let thread = thread::resolve(row.id, context.store.post_items(row)?);
    Ok(thread.nodes.into_iter().next())
}

/// `None` if the post turns out not to be here after all.
fn entry(context: &Context, board: &KnownBoard, row: &EventRow, cursor: String) -> Result<Option<FeedEntry>, ApiError> {
    let Some(node) = root_node(context, row)? else { return Ok(None) };
    let Some(author) = node.author else { return Ok(None) };
    let counts = context.store.thread_counts(&row.id, &context.me())?;
    let title = match &node.shown {
        Shown::Content(content) => content.title.clone(),
        _ => String::new(),
    };
    Ok(Some(FeedEntry {
        id: row.id.to_string(),
        board: board.space.to_string(),
        board_name: board.name.clone(),
        title,
        author: author.to_string(),
        name: context.store.author_name(&author)?,
        created_ms: row.created_ms,
        active_ms: counts.active_ms.max(row.created_ms),
        comments: counts.comments,
        score: i64::from(node.up) - i64::from(node.down),
        unread: counts.unread,
        retracted: node.shown == Shown::Retracted,
        cursor,
    }))
}

pub(super) async fn thread(
    State(context): State<Shared>,
    Path(text): Path<String>,
) -> Result<Json<ThreadPage>, ApiError> {
    Ok(Json(show_thread(&context, text).await?))
}

/// The thread of the post or comment that `text` names, which is marked as read by that; what is missing of it is asked for.
pub(crate) async fn show_thread(context: &Shared, text: String) -> Result<ThreadPage, ApiError> {
    let (page, facts) = blocking(context.clone(), move |context| {
        let asked = context.find_event(&text)?;
        read_thread(context, asked)
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

fn read_thread(context: &Context, asked: EventId) -> Result<(ThreadPage, ThreadFacts), ApiError> {
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
    let nodes = resolved.nodes.into_iter().map(|node| thread_node(context, node, &positions, read_mark));
    let page = ThreadPage {
        board: space.to_string(),
        board_name: context.board_name(space)?,
        root: root.to_string(),
        asked: asked.to_string(),
        nodes: nodes.collect::<Result<_, _>>()?,
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

fn thread_node(
    context: &Context,
    node: Node,
    positions: &BTreeMap<EventId, u64>,
    read_mark: u64,
) -> Result<ThreadNode, ApiError> {
    let name = node.author.map(|author| context.store.author_name(&author)).transpose()?.flatten();
    let is_mine = node.author == Some(context.me());
    let position = positions.get(&node.id).copied().filter(|_| node.author.is_some());
    let hidden = match node.shown {
        Shown::Dropped => Some("dropped"),
        Shown::Unreadable => Some("unreadable"),
        _ => None,
    };
    let (missing, retracted) = (node.shown == Shown::Missing, node.shown == Shown::Retracted);
    let content = match node.shown {
        Shown::Content(content) => content,
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
        hidden: hidden.map(|why| Hidden { why: why.to_owned() }),
        votes: Votes { up: node.up, down: node.down },
        unread: !is_mine && position.is_some_and(|position| position > read_mark),
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
