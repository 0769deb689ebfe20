//! Threads: from a set of events to the tree that a reader sees.
//!
//! A pure function of the thread's own events: the order of arrival, doubles and events of other threads make no
//! difference. Iterative throughout, so neither a deep chain nor a wide thread needs stack. What is not here is shown as
//! a hole, never dropped with what hangs below it.

mod shape;

pub use shape::{More, OnPage, PageAsk, Place, Shape, Spot};

use crate::event::{Body, Kind};
use crate::id::{AuthorKey, EventId};
use crate::view::depths;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

/// An event as far as threads are concerned.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its id.
    pub id: EventId,
    /// Who wrote it.
    pub author: AuthorKey,
    /// The author's claim of the time, unix milliseconds.
    pub created_ms: u64,
    /// What it builds on.
    pub refs: Vec<EventId>,
    /// What it states; kinds other than post, comment, edit, retract and vote are ignored.
    pub kind: Kind,
    /// Its words; `None` if they were dropped.
    pub body: Option<Body>,
}

/// The words of a post or comment as they stand after edits.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Content {
    /// A post's title; empty for comments.
    pub title: String,
    /// The text.
    pub text: String,
    /// A post's link.
    pub link: Option<String>,
}

/// What is shown at a place of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The event is not here; what answers it hangs below.
    Missing,
    /// Its author took it back.
    Retracted,
    /// The words were dropped by this node or never came along.
    Dropped,
    /// The author signed bytes that are no text.
    Unreadable,
    /// The words.
    Content(Content),
}

/// A place of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The post or comment.
    pub id: EventId,
    /// What it answers; `None` for the post, and for a hole, whose own parent nobody here knows.
    pub parent: Option<EventId>,
    /// 0 for the post, at most [`crate::limits::REPLY_DEPTH_MAX`]; deeper replies stay at that depth, behind what they answer.
    pub depth: u16,
    /// Who wrote it; `None` for a hole.
    pub author: Option<AuthorKey>,
    /// The author's claim of the time, unix milliseconds; 0 for a hole.
    pub created_ms: u64,
    /// Never before the parent's: the greater of both claims.
    pub display_ms: u64,
    /// The time claimed by the edit that is shown.
    pub edited_ms: Option<u64>,
    /// Tags of the post.
    pub tags: Vec<String>,
    /// Authors whose last vote is up.
    pub up: u32,
    /// Authors whose last vote is down.
    pub down: u32,
    /// What is shown.
    pub shown: Shown,
}

/// A thread, its nodes in reading order: each before its answers, answers by display time and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The post that starts it.
    pub root: EventId,
    /// At least one: the post or the hole where it belongs.
    pub nodes: Vec<Node>,
}

impl Thread {
    /// The events that are named by others and not here, ascending.
    #[must_use]
    pub fn missing(&self) -> Vec<EventId> {
        let holes = self.nodes.iter().filter(|node| node.shown == Shown::Missing);
        holes.map(|node| node.id).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Resolves the thread of a post from events in any order, doubles included. Events of other threads do no harm: only
/// the thread's own count, also for depth. Those are the post, the comments that name it as their root, the edits and
/// votes on these, and the retractions of any of these.
#[must_use]
pub fn resolve(root: EventId, items: impl IntoIterator<Item = Item>) -> Thread {
    let items = own_events(root, items.into_iter().map(|item| (item.id, item)).collect());
    let shape = Shape::of(root, items.values().filter_map(|item| place_of(root, item)));
    let all = PageAsk { under: None, after: None, depth: usize::MAX, limit: usize::MAX };
    let spots = shape.page(&all).unwrap_or_default();
    Thread { root, nodes: nodes(&items, &spots, BTreeMap::new()) }
}

/// The nodes of a page of the thread of a post, from the events that [`resolve`] would take, less those that make no
/// difference to the page: the places on it, what was done to them, what was done to that; and if several of these could be
/// the last, as [`rivals`] says, all that they build on. `counted`: votes up and down on places whose votes need not be among the
/// events, because no author has two there and none was taken back.
#[must_use]
pub fn resolve_page(
    root: EventId,
    page: &[OnPage],
    items: impl IntoIterator<Item = Item>,
    counted: BTreeMap<EventId, (u32, u32)>,
) -> Vec<Node> {
    nodes(&own_events(root, items.into_iter().map(|item| (item.id, item)).collect()), page, counted)
}

/// Edits and votes of which depth decides: an author has several on one event.
#[must_use]
pub fn rivals<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<EventId> {
    let mut of_one: BTreeMap<(EventId, AuthorKey, bool), BTreeSet<EventId>> = BTreeMap::new();
    for item in items {
        let (target, is_edit) = match &item.kind {
            Kind::Edit(edit) => (edit.target, true),
            Kind::Vote(vote) => (vote.target, false),
            _ => continue,
        };
        of_one.entry((target, item.author, is_edit)).or_default().insert(item.id);
    }
    of_one.into_values().filter(|ids| ids.len() > 1).flatten().collect()
}

/// Where an event of the thread stands, if it is the post or a comment.
fn place_of(root: EventId, item: &Item) -> Option<Place> {
    let parent = match &item.kind {
        Kind::Comment(comment) => Some(comment.parent),
        Kind::Post(_) if item.id == root => None,
        _ => return None,
    };
    Some(Place { id: item.id, parent, created_ms: item.created_ms })
}

fn nodes(items: &BTreeMap<EventId, Item>, page: &[OnPage], counted: BTreeMap<EventId, (u32, u32)>) -> Vec<Node> {
    let registers = Registers::of(items, counted);
    let present = |on_page: &OnPage| items.get(&on_page.spot.id).filter(|_| on_page.spot.is_here);
    page.iter().map(|on_page| node(on_page, present(on_page), &registers)).collect()
}

/// Keeps what belongs to the thread. Depth counts refs among these alone; were it to count others, what else a node
/// happens to hold would decide which edit is the last.
fn own_events(root: EventId, mut items: BTreeMap<EventId, Item>) -> BTreeMap<EventId, Item> {
    let is_place = |item: &Item| match &item.kind {
        Kind::Post(_) => item.id == root,
        Kind::Comment(comment) => comment.root == root && item.id != root,
        _ => false,
    };
    let ids_of = |picked: &dyn Fn(&Item) -> bool| -> BTreeSet<EventId> {
        items.values().filter(|item| picked(item)).map(|item| item.id).collect()
    };
    let places = ids_of(&is_place);
    let actions = ids_of(&|item| match &item.kind {
        Kind::Edit(edit) => places.contains(&edit.target),
        Kind::Vote(vote) => places.contains(&vote.target),
        _ => false,
    });
    let is_own = |id: &EventId| places.contains(id) || actions.contains(id);
    let retractions = ids_of(&|item| match &item.kind {
        Kind::Retract(retract) => retract.targets.iter().any(is_own),
        _ => false,
    });
    items.retain(|id, _| places.contains(id) || actions.contains(id) || retractions.contains(id));
    items
}

/// The last writers: what edits, retractions and votes come to.
struct Registers<'a> {
    retracted: BTreeSet<EventId>,
    edits: BTreeMap<EventId, &'a Item>,
    votes: BTreeMap<EventId, (u32, u32)>,
}

impl<'a> Registers<'a> {
    fn of(items: &'a BTreeMap<EventId, Item>, counted: BTreeMap<EventId, (u32, u32)>) -> Self {
        // Most threads have nobody who votes twice on one thing, or edits one twice: nothing has a rank there.
        let depths = LazyCell::new(|| depths(&items.iter().map(|(id, item)| (*id, item.refs.as_slice())).collect()));
        let rank = |item: &Item| (depths[&item.id], item.id);
        let is_later = |item: &Item, last: &Item| item.id != last.id && rank(item) > rank(last);
        let own = |target: &EventId, author: AuthorKey| items.get(target).is_some_and(|item| item.author == author);

        let mut retracted = BTreeSet::new();
        for item in items.values() {
            if let Kind::Retract(retract) = &item.kind {
                retracted.extend(retract.targets.iter().filter(|target| own(target, item.author)));
            }
        }
        let mut edits: BTreeMap<EventId, &Item> = BTreeMap::new();
        let mut last_votes: BTreeMap<(EventId, AuthorKey), (&Item, i8)> = BTreeMap::new();
        for item in items.values().filter(|item| !retracted.contains(&item.id)) {
            match &item.kind {
                Kind::Edit(edit) if own(&edit.target, item.author) && matches!(item.body, Some(Body::Edit(_))) => {
                    let last = edits.entry(edit.target).or_insert(item);
                    if is_later(item, last) {
                        *last = item;
                    }
                }
                Kind::Vote(vote) if !counted.contains_key(&vote.target) => {
                    let last = last_votes.entry((vote.target, item.author)).or_insert((item, vote.value));
                    if is_later(item, last.0) {
                        *last = (item, vote.value);
                    }
                }
                _ => {}
            }
        }
        let mut votes = counted;
        for ((target, _), (_, value)) in last_votes {
            let (up, down) = votes.entry(target).or_default();
            *up += u32::from(value > 0);
            *down += u32::from(value < 0);
        }
        Self { retracted, edits, votes }
    }

    fn shown(&self, item: &Item) -> (Shown, Option<u64>) {
        if self.retracted.contains(&item.id) {
            return (Shown::Retracted, None);
        }
        let content = match &item.body {
            Some(Body::Post(words)) => {
                Content { title: words.title.clone(), text: words.text.clone(), link: words.link.clone() }
            }
            Some(Body::Comment(words)) => Content { text: words.text.clone(), ..Content::default() },
            Some(_) => return (Shown::Unreadable, None),
            None => return (Shown::Dropped, None),
        };
        let Some(edit) = self.edits.get(&item.id) else { return (Shown::Content(content), None) };
        let Some(Body::Edit(words)) = &edit.body else { return (Shown::Content(content), None) };
        let is_post = matches!(item.kind, Kind::Post(_));
        let edited = Content {
            title: words.title.clone().filter(|_| is_post).unwrap_or(content.title),
            text: words.text.clone(),
            link: words.link.clone().filter(|_| is_post),
        };
        (Shown::Content(edited), Some(edit.created_ms))
    }
}

fn node(on_page: &OnPage, present: Option<&Item>, registers: &Registers<'_>) -> Node {
    let OnPage { spot: Spot { id, display_ms, depth, .. }, parent, .. } = *on_page;
    let (up, down) = registers.votes.get(&id).copied().unwrap_or_default();
    let hole = Node {
        id,
        parent: None,
        depth,
        author: None,
        created_ms: 0,
        display_ms,
        edited_ms: None,
        tags: Vec::new(),
        up,
        down,
        shown: Shown::Missing,
    };
    let Some(item) = present else { return hole };
    let (shown, edited_ms) = registers.shown(item);
    let tags = match &item.kind {
        Kind::Post(post) => post.tags.clone(),
        _ => Vec::new(),
    };
    Node { parent, author: Some(item.author), created_ms: item.created_ms, edited_ms, tags, shown, ..hole }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
