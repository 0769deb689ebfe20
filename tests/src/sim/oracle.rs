//! The oracle: a thread as chapters 10 and 11 of the specification read, with no thought of speed. Where the clever
//! resolution and this one differ, one of them is wrong.

use roda_protocol::event::{Body, Kind};
use roda_protocol::id::EventId;
use roda_protocol::thread::{Content, Item, Node, Shown};

/// Replies beyond this depth stand at it.
const DEPTH_MAX: u16 = 255;

/// The nodes of a thread in reading order, from all events that somebody holds, each once.
#[must_use]
pub fn thread(root: EventId, items: &[Item]) -> Vec<Node> {
    let places: Vec<&Item> = items.iter().filter(|item| is_place(root, item)).collect();
    let is_of = |target: EventId, of: &[&Item]| of.iter().any(|item| item.id == target);
    let actions: Vec<&Item> = items
        .iter()
        .filter(|item| match &item.kind {
            Kind::Edit(edit) => is_of(edit.target, &places),
            Kind::Vote(vote) => is_of(vote.target, &places),
            _ => false,
        })
        .collect();
    let retractions: Vec<&Item> = items
        .iter()
        .filter(|item| match &item.kind {
            Kind::Retract(retract) => {
                retract.targets.iter().any(|target| is_of(*target, &places) || is_of(*target, &actions))
            }
            _ => false,
        })
        .collect();
    let thread = Thread { root, places, actions, retractions };
    let mut nodes = Vec::new();
    thread.list(root, None, 0, 0, &mut nodes);
    nodes
}

fn is_place(root: EventId, item: &Item) -> bool {
    match &item.kind {
        Kind::Post(_) => item.id == root,
        Kind::Comment(comment) => comment.root == root,
        _ => false,
    }
}

struct Thread<'a> {
    root: EventId,
    places: Vec<&'a Item>,
    actions: Vec<&'a Item>,
    retractions: Vec<&'a Item>,
}

impl<'a> Thread<'a> {
    fn place(&self, id: EventId) -> Option<&'a Item> {
        self.places.iter().copied().find(|place| place.id == id)
    }

    fn own(&self) -> impl Iterator<Item = &'a Item> + '_ {
        self.places.iter().chain(&self.actions).chain(&self.retractions).copied()
    }

    /// 1 + the greatest depth of those refs that are of the thread.
    fn depth(&self, item: &Item) -> u64 {
        let refs = self.own().filter(|other| item.refs.contains(&other.id));
        1 + refs.map(|other| self.depth(other)).max().unwrap_or(0)
    }

    fn is_retracted(&self, item: &Item) -> bool {
        self.retractions.iter().any(|retraction| match &retraction.kind {
            Kind::Retract(retract) => retraction.author == item.author && retract.targets.contains(&item.id),
            _ => false,
        })
    }

    fn edit_in_force(&self, place: &Item) -> Option<&'a Item> {
        let edits = self.actions.iter().copied().filter(|action| match &action.kind {
            Kind::Edit(edit) => {
                edit.target == place.id
                    && action.author == place.author
                    && !self.is_retracted(action)
                    && matches!(action.body, Some(Body::Edit(_)))
            }
            _ => false,
        });
        edits.max_by_key(|edit| (self.depth(edit), edit.id))
    }

    /// Authors whose vote in force on the place has this value.
    fn votes(&self, place: EventId, value: i8) -> u32 {
        let votes: Vec<(&Item, i8)> = self
            .actions
            .iter()
            .copied()
            .filter(|action| !self.is_retracted(action))
            .filter_map(|action| match &action.kind {
                Kind::Vote(vote) if vote.target == place => Some((action, vote.value)),
                _ => None,
            })
            .collect();
        let is_last = |vote: &Item| {
            let rivals = votes.iter().filter(|(rival, _)| rival.author == vote.author);
            rivals.map(|(rival, _)| (self.depth(rival), rival.id)).max() == Some((self.depth(vote), vote.id))
        };
        let count = votes.iter().filter(|(vote, chosen)| *chosen == value && is_last(vote)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Ids right below a node: comments, and below the root also the holes.
    fn below(&self, id: EventId) -> Vec<EventId> {
        let parent = |place: &Item| match &place.kind {
            Kind::Comment(comment) => Some(comment.parent),
            _ => None,
        };
        let mut ids: Vec<EventId> =
            self.places.iter().filter(|place| parent(place) == Some(id)).map(|place| place.id).collect();
        if id == self.root {
            let parents = self.places.iter().filter_map(|place| parent(place));
            ids.extend(parents.filter(|parent| *parent != self.root && self.place(*parent).is_none()));
            ids.sort_unstable();
            ids.dedup();
        }
        ids
    }

    fn claimed(&self, id: EventId) -> u64 {
        match self.place(id) {
            Some(place) => place.created_ms,
            None if id == self.root => 0,
            None => self.below(id).into_iter().map(|answer| self.claimed(answer)).min().unwrap_or(0),
        }
    }

    fn list(&self, id: EventId, parent: Option<EventId>, depth: u16, not_before: u64, nodes: &mut Vec<Node>) {
        let display_ms = self.claimed(id).max(not_before);
        nodes.push(self.node(id, parent, depth, display_ms));
        let mut answers = self.below(id);
        answers.sort_by_key(|answer| (self.claimed(*answer).max(display_ms), *answer));
        for answer in answers {
            self.list(answer, Some(id), (depth + 1).min(DEPTH_MAX), display_ms, nodes);
        }
    }

    fn node(&self, id: EventId, parent: Option<EventId>, depth: u16, display_ms: u64) -> Node {
        let Some(place) = self.place(id) else {
            return Node {
                id,
                parent: None,
                depth,
                author: None,
                created_ms: 0,
                display_ms,
                edited_ms: None,
                tags: Vec::new(),
                up: 0,
                down: 0,
                shown: Shown::Missing,
            };
        };
        let (shown, edited_ms) = self.shown(place);
        let tags = match &place.kind {
            Kind::Post(post) => post.tags.clone(),
            _ => Vec::new(),
        };
        Node {
            id,
            parent,
            depth,
            author: Some(place.author),
            created_ms: place.created_ms,
            display_ms,
            edited_ms,
            tags,
            up: self.votes(id, 1),
            down: self.votes(id, -1),
            shown,
        }
    }

    fn shown(&self, place: &Item) -> (Shown, Option<u64>) {
        if self.is_retracted(place) {
            return (Shown::Retracted, None);
        }
        let own = match (&place.kind, &place.body) {
            (_, None) => return (Shown::Dropped, None),
            (Kind::Post(_), Some(Body::Post(words))) => {
                Content { title: words.title.clone(), text: words.text.clone(), link: words.link.clone() }
            }
            (Kind::Comment(_), Some(Body::Comment(words))) => {
                Content { title: String::new(), text: words.text.clone(), link: None }
            }
            _ => return (Shown::Unreadable, None),
        };
        let Some(edit) = self.edit_in_force(place) else { return (Shown::Content(own), None) };
        let Some(Body::Edit(words)) = &edit.body else { return (Shown::Content(own), None) };
        let edited = match &place.kind {
            Kind::Post(_) => Content {
                title: words.title.clone().unwrap_or(own.title),
                text: words.text.clone(),
                link: words.link.clone(),
            },
            _ => Content { title: String::new(), text: words.text.clone(), link: None },
        };
        (Shown::Content(edited), Some(edit.created_ms))
    }
}
