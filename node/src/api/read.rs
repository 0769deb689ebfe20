//! Calls that read: thread, outbox. They go to the store on threads that may block, and never wait for the engine.

use super::Shared;
use super::dto::{Completeness, Hidden, MoreBelow, OutboxEntry, ThreadNode, ThreadPage, Votes};
use super::error::{ApiError, done};
use super::feed::Lens;
use super::names::note_look_alikes;
use crate::engine::Local;
use crate::runtime::Context;
use crate::store::{EventRow, Page, root_named_by};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use roda_protocol::event::{Kind, tag};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread::{self, Node, OnPage, PageAsk, Shown};
use roda_protocol::view::policy::Effect;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::IntoParams;

/// Runs work that reads the disk where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    context: Shared,
    work: impl FnOnce(&Context) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(move || work(&context)).await;
    done.unwrap_or_else(|error| Err(ApiError::new("internal", error.to_string(), "please report this as a bug")))
}

/// Waits until the index is whole, if it is being made anew. Whatever is signed, moved or checked has to know all that is held.
async fn whole(context: &Context) -> Result<(), ApiError> {
    if context.store.remade_percent().is_none() {
        return Ok(());
    }
    done(context.handle.ask(Local::Whole).await?)
}

/// Runs work that has to know all that is held, on an index that is whole from its beginning to its end.
pub(super) async fn blocking_whole<T: Send + 'static>(
    context: Shared,
    work: impl FnOnce(&Context) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    whole(&context).await?;
    blocking(context, move |context| {
        let derivation = context.store.derivation();
        let done = work(context)?;
        let is_whole = derivation.is_some() && context.store.derivation() == derivation;
        let made_anew = || ApiError::new("busy", "the index began to be rebuilt meanwhile", "try again in a moment");
        is_whole.then_some(done).ok_or_else(made_anew)
    })
    .await
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

/// Places of a page beside the first, if the asker does not say.
const PAGE_LIMIT_DEFAULT: usize = 200;

/// And at most.
const PAGE_LIMIT_MAX: usize = 1000;

/// The query of a thread. If any of the last four is said a page of it is meant, else all of it.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThreadAsk {
    /// Whether to show the words of what the reader's rules hide, too.
    #[serde(default)]
    pub(crate) hidden: bool,
    /// The node with which the page begins; the post if nothing is said.
    pub(crate) under: Option<String>,
    /// An answer to that node, behind which the page goes on.
    pub(crate) after: Option<String>,
    /// Levels below the first node.
    pub(crate) depth: Option<usize>,
    /// Nodes at most beside the first.
    pub(crate) limit: Option<usize>,
}

impl ThreadAsk {
    /// Which page; none if all is asked for.
    fn page(&self, context: &Context) -> Result<Option<PageAsk>, ApiError> {
        let Self { under, after, depth, limit, .. } = self;
        if under.is_none() && after.is_none() && depth.is_none() && limit.is_none() {
            return Ok(None);
        }
        // A hole has a place and no event: its whole id says which.
        let id_of = |text: &String| text.parse().map_or_else(|_| context.find_event(text), Ok);
        Ok(Some(PageAsk {
            under: under.as_ref().map(id_of).transpose()?,
            after: after.as_ref().map(id_of).transpose()?,
            // A page that shows nothing below its first node would lead nowhere.
            depth: depth.map_or(usize::MAX, |depth| depth.max(1)),
            limit: limit.unwrap_or(PAGE_LIMIT_DEFAULT).clamp(1, PAGE_LIMIT_MAX),
        }))
    }
}

/// The thread of the post or comment that `text` names, or the page of it that is asked for. It is marked as read if all of it
/// is shown; what is missing is asked for.
pub(crate) async fn show_thread(context: &Shared, text: String, ask: ThreadAsk) -> Result<ThreadPage, ApiError> {
    let (page, facts) = blocking(context.clone(), move |context| {
        let asked = context.find_event(&text)?;
        match ask.page(context)? {
            None => read_thread(context, asked, ask.hidden),
            Some(page) => read_page(context, asked, &page, ask.hidden),
        }
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

/// What was read of a thread.
struct Read {
    /// Each node, and of a page its place there.
    nodes: Vec<(Node, Option<OnPage>)>,
    positions: BTreeMap<EventId, u64>,
    held: u64,
    holes: Vec<EventId>,
    /// Up to where the thread counts as read now: 0 if this was only a part of it.
    last_position: u64,
}

fn read_thread(context: &Context, asked: EventId, hidden: bool) -> Result<(ThreadPage, ThreadFacts), ApiError> {
    let root = root_of(context, asked)?;
    let all = PageAsk { under: None, after: None, depth: usize::MAX, limit: usize::MAX };
    let page = context.store.thread_page(&root, &all)?.ok_or_else(|| context.absent(root))?;
    let Page { nodes, positions, held, last_position, .. } = page;
    let holes = nodes.iter().filter(|(node, _)| node.shown == Shown::Missing).map(|(node, _)| node.id);
    let holes: BTreeSet<EventId> = holes.collect();
    let (holes, nodes) = (holes.into_iter().collect(), nodes.into_iter().map(|(node, _)| (node, None)).collect());
    present(context, (asked, root), Read { nodes, positions, held, holes, last_position }, hidden)
}

fn read_page(
    context: &Context,
    asked: EventId,
    ask: &PageAsk,
    hidden: bool,
) -> Result<(ThreadPage, ThreadFacts), ApiError> {
    let root = root_of(context, asked)?;
    let page = context.store.thread_page(&root, ask)?.ok_or_else(|| {
        let message = "the thread has no such place";
        ApiError::invalid(message, "pass an `under` and `after` of a page of this thread, or begin without them")
    })?;
    let is_whole = ask.under.is_none_or(|under| under == root)
        && ask.after.is_none()
        && page.nodes.iter().all(|(_, on_page)| on_page.more.is_none());
    let nodes = page.nodes.into_iter().map(|(node, on_page)| (node, Some(on_page))).collect();
    let last_position = if is_whole { page.last_position } else { 0 };
    let holes = page.holes.into_iter().collect();
    let read = Read { nodes, positions: page.positions, held: page.held, holes, last_position };
    present(context, (asked, root), read, hidden)
}

fn present(
    context: &Context,
    (asked, root): (EventId, EventId),
    read: Read,
    hidden: bool,
) -> Result<(ThreadPage, ThreadFacts), ApiError> {
    let Read { nodes, positions, held, holes, last_position } = read;
    let read_mark = context.store.read_mark(&root)?;
    // Words that never came along are asked for again; not those that this node chose to keep no longer.
    let mut wordless = Vec::new();
    for (node, _) in nodes.iter().filter(|(node, _)| node.shown == Shown::Dropped) {
        wordless.extend(context.store.wants_words(&node.id)?.then_some(node.id));
    }
    // A parent that stands in another thread is a hole here and yet not missing.
    let mut missing = Vec::new();
    for id in holes {
        if !context.store.is_held(&id)? {
            missing.push(id);
        }
    }
    let space = space_of(context, root, &nodes)?;
    let lens = Lens::new(context, hidden)?;
    let rule = match lens.policy.of_thread(&root) {
        Some(Effect::Watch) => Some("watch"),
        Some(Effect::Mute) => Some("mute"),
        _ => None,
    };
    let nodes = nodes.into_iter().map(|(node, on_page)| {
        let position = positions.get(&node.id).copied().filter(|_| node.author.is_some());
        let node = thread_node(context, &lens, node, position.is_some_and(|position| position > read_mark))?;
        Ok::<_, ApiError>(match on_page {
            None => node,
            Some(OnPage { spot, more, .. }) => {
                let more = more.map(|more| MoreBelow { count: more.count, after: more.after.map(|id| id.to_string()) });
                ThreadNode { below: Some(spot.below), more, ..node }
            }
        })
    });
    let board = context.board_of(space)?;
    let page = ThreadPage {
        board: space.to_string(),
        board_name: board.name,
        board_look_alike: board.look_alike,
        root: root.to_string(),
        asked: asked.to_string(),
        nodes: note_look_alikes(context, &lens.policy, nodes.collect::<Result<_, _>>()?)?,
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
    Ok((page, ThreadFacts { space, root, missing, wordless, last_position, read_mark }))
}

/// A post or comment by itself, as it stands, and the post of its thread.
pub(super) fn single(context: &Context, row: &EventRow) -> Result<Option<(EventId, Node)>, ApiError> {
    Ok(context.store.standing(row)?.map(|standing| (standing.root, standing.node)))
}

/// The thread of an event: its own if it is a post, else the one that it, or what it acts on, names.
pub(crate) fn root_of(context: &Context, asked: EventId) -> Result<EventId, ApiError> {
    let Some(stored) = context.store.event(&asked)? else {
        // The post itself may be missing while its comments are here.
        let has_comments = context.store.thread_counts(&asked, &context.me())?.comments > 0;
        return if has_comments { Ok(asked) } else { Err(context.absent(asked)) };
    };
    let targets = match stored.event.kind() {
        Kind::Edit(edit) => vec![edit.target],
        Kind::Vote(vote) => vec![vote.target],
        Kind::Retract(retract) => retract.targets.clone(),
        _ => Vec::new(),
    };
    let mut named = root_named_by(&stored.event);
    for target in targets {
        // Edits name no thread, and are taken back together with what they changed.
        if named.is_none() {
            named = context.store.event(&target)?.and_then(|target| root_named_by(&target.event));
        }
    }
    named.ok_or_else(|| {
        ApiError::invalid(format!("event {asked} belongs to no thread"), "give the id of a post or comment")
    })
}

/// The space of a thread: that of the first of these nodes that is here, or of its post.
fn space_of(context: &Context, root: EventId, nodes: &[(Node, Option<OnPage>)]) -> Result<SpaceId, ApiError> {
    let shown = nodes.iter().filter(|(node, _)| node.author.is_some()).map(|(node, _)| node.id);
    for id in shown.chain([root]) {
        if let Some(stored) = context.store.event(&id)? {
            return Ok(stored.event.space());
        }
    }
    Err(ApiError::new("not_found", "nothing of this thread is on this node", context.or_wait("`roda sync`")))
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
        look_alike: false,
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
        below: None,
        more: None,
    })
}

/// Adds what only the engine knows, tells it of holes, and marks the thread as read.
async fn finish(context: &Shared, mut page: ThreadPage, facts: ThreadFacts) -> Result<ThreadPage, ApiError> {
    let compared = context.handle.completeness(facts.space);
    page.completeness.peers_equal = compared.peers_equal;
    page.completeness.peers_asked = compared.peers_asked;
    page.completeness.checked_ms = compared.checked_ms;
    if context.store.remade_percent().is_some() {
        // What seems to be missing may come in a moment, and a thread of which a part is shown has not been read.
        return Ok(page);
    }
    let ids: Vec<EventId> = facts.missing.into_iter().chain(facts.wordless).collect();
    if !ids.is_empty() {
        let want = Local::Want { space: facts.space, ids };
        // If there is no room for it, the next comparison finds the same.
        let _ = context.handle.tell(want);
    }
    if facts.last_position > facts.read_mark {
        // The next reader sees it. Nobody waits until it is stored.
        let (root, position) = (facts.root, facts.last_position);
        context.store.read_soon(root, position);
        if !context.handle.tell(Local::Read { root, position }) {
            context.store.not_read(&root);
        }
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
