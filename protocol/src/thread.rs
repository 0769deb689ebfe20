//! Threads: from a set of events to the tree that a reader sees.
//!
//! A pure function of the thread's own events: the order of arrival, doubles and events of other threads make no
//! difference. Iterative throughout, so neither a deep chain nor a wide thread needs stack. What is not here is shown as
//! a hole, never dropped with what hangs below it.

use crate::event::{Body, Kind};
use crate::id::{AuthorKey, EventId};
use crate::limits::REPLY_DEPTH_MAX;
use crate::view::depths;
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
    /// 0 for the post, at most [`REPLY_DEPTH_MAX`]; deeper replies stay at that depth, behind what they answer.
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
    let registers = Registers::of(&items);
    let tree = Tree::of(root, &items);
    Thread { root, nodes: tree.walk(&items, &registers) }
}

/// Keeps what belongs to the thread. Depth counts refs among these alone; were it to count others, what else a node
/// happens to hold would decide which edit is the last.
fn own_events(root: EventId, items: BTreeMap<EventId, Item>) -> BTreeMap<EventId, Item> {
    let is_place = |id: &EventId, item: &Item| match &item.kind {
        Kind::Post(_) => *id == root,
        Kind::Comment(comment) => comment.root == root && *id != root,
        _ => false,
    };
    let (mut own, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        items.into_iter().partition(|(id, item)| is_place(id, item));
    let acts_on_a_place = |item: &Item| match &item.kind {
        Kind::Edit(edit) => own.contains_key(&edit.target),
        Kind::Vote(vote) => own.contains_key(&vote.target),
        _ => false,
    };
    let (actions, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        others.into_iter().partition(|(_, item)| acts_on_a_place(item));
    own.extend(actions);
    let takes_back = |item: &Item| match &item.kind {
        Kind::Retract(retract) => retract.targets.iter().any(|target| own.contains_key(target)),
        _ => false,
    };
    let retractions: Vec<(EventId, Item)> = others.into_iter().filter(|(_, item)| takes_back(item)).collect();
    own.extend(retractions);
    own
}

/// The last writers: what edits, retractions and votes come to.
struct Registers<'a> {
    retracted: BTreeSet<EventId>,
    edits: BTreeMap<EventId, &'a Item>,
    votes: BTreeMap<EventId, (u32, u32)>,
}

impl<'a> Registers<'a> {
    fn of(items: &'a BTreeMap<EventId, Item>) -> Self {
        let depths = depths(&items.iter().map(|(id, item)| (*id, item.refs.as_slice())).collect());
        let rank = |item: &Item| (depths[&item.id], item.id);
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
                    if rank(item) > rank(last) {
                        *last = item;
                    }
                }
                Kind::Vote(vote) => {
                    let last = last_votes.entry((vote.target, item.author)).or_insert((item, vote.value));
                    if rank(item) > rank(last.0) {
                        *last = (item, vote.value);
                    }
                }
                _ => {}
            }
        }
        let mut votes: BTreeMap<EventId, (u32, u32)> = BTreeMap::new();
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

/// Who answers whom.
struct Tree {
    root: EventId,
    children: BTreeMap<EventId, Vec<EventId>>,
    holes: Vec<EventId>,
}

impl Tree {
    fn of(root: EventId, items: &BTreeMap<EventId, Item>) -> Self {
        let parent_of = |item: &Item| match &item.kind {
            Kind::Comment(comment) if comment.root == root && item.id != root => Some(comment.parent),
            _ => None,
        };
        let mut children: BTreeMap<EventId, Vec<EventId>> = BTreeMap::new();
        let mut holes = BTreeSet::new();
        for item in items.values() {
            let Some(parent) = parent_of(item) else { continue };
            children.entry(parent).or_default().push(item.id);
            let is_member = parent == root || items.get(&parent).is_some_and(|above| parent_of(above).is_some());
            if !is_member {
                holes.insert(parent);
            }
        }
        Self { root, children, holes: holes.into_iter().collect() }
    }

    fn walk(mut self, items: &BTreeMap<EventId, Item>, registers: &Registers<'_>) -> Vec<Node> {
        // A hole's time is that of its first answer: it stands where the lost comment most likely stood.
        let first_answer = |children: &BTreeMap<EventId, Vec<EventId>>, id: &EventId| {
            let answers = children.get(id).into_iter().flatten();
            answers.filter_map(|answer| items.get(answer)).map(|item| item.created_ms).min().unwrap_or(0)
        };
        let time_of: BTreeMap<EventId, u64> =
            self.holes.iter().map(|hole| (*hole, first_answer(&self.children, hole))).collect();
        let claimed = |id: &EventId| items.get(id).filter(|_| !time_of.contains_key(id)).map(|item| item.created_ms);
        let holes: BTreeSet<EventId> = self.holes.iter().copied().collect();
        self.children.entry(self.root).or_default().extend(self.holes.iter().copied());

        let mut nodes = Vec::new();
        let mut stack = vec![(self.root, None, 0_u16, 0_u64)];
        while let Some((id, parent, depth, not_before)) = stack.pop() {
            let time = claimed(&id).or_else(|| time_of.get(&id).copied()).unwrap_or(0);
            let display_ms = time.max(not_before);
            let present = items.get(&id).filter(|_| !holes.contains(&id));
            let present = present.filter(|item| id != self.root || matches!(item.kind, Kind::Post(_)));
            nodes.push(node(id, parent.filter(|_| present.is_some()), depth, display_ms, present, registers));
            let mut answers = self.children.remove(&id).unwrap_or_default();
            let order = |answer: &EventId| {
                let time = claimed(answer).or_else(|| time_of.get(answer).copied()).unwrap_or(0);
                (time.max(display_ms), *answer)
            };
            answers.sort_unstable_by_key(order);
            let below = (depth + 1).min(REPLY_DEPTH_MAX);
            stack.extend(answers.into_iter().rev().map(|answer| (answer, Some(id), below, display_ms)));
        }
        nodes
    }
}

fn node(
    id: EventId,
    parent: Option<EventId>,
    depth: u16,
    display_ms: u64,
    present: Option<&Item>,
    registers: &Registers<'_>,
) -> Node {
    let (up, down) = registers.votes.get(&id).copied().unwrap_or_default();
    let Some(item) = present else {
        return Node {
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
    };
    let (shown, edited_ms) = registers.shown(item);
    let tags = match &item.kind {
        Kind::Post(post) => post.tags.clone(),
        _ => Vec::new(),
    };
    Node {
        id,
        parent,
        depth,
        author: Some(item.author),
        created_ms: item.created_ms,
        display_ms,
        edited_ms,
        tags,
        up,
        down,
        shown,
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
