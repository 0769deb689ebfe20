//! Pages of threads: which spots are on one, and the events from which it is resolved.

use super::events::{EventStore, StoreError};
use super::keys::{self, Number};
use super::rows::{self, EventRow, MemberRow};
use super::shapes::Shaped;
use roda_protocol::event::Kind;
use roda_protocol::id::EventId;
use roda_protocol::thread::{self, Item, Node, OnPage, PageAsk, Place, Shape};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Holes of a thread that a page names.
const HOLES_MAX: usize = 100;

/// A part of a thread, and what is to be said of the whole.
#[derive(Debug)]
pub struct Page {
    /// What is shown, in reading order, with what is left out below each.
    pub nodes: Vec<(Node, OnPage)>,
    /// The place of each event on the page in the order of arrival.
    pub positions: BTreeMap<EventId, u64>,
    /// How many places of the thread are here.
    pub held: u64,
    /// Places of the thread that are not, at most 100.
    pub holes: BTreeSet<EventId>,
    /// Position of the last record of the thread's post and comments.
    pub last_position: u64,
}

impl EventStore {
    /// A page of a thread; `None` if nothing of the thread is here, or what the page should begin with is not in it. Nothing
    /// else is read than what it shows, once the thread was read before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn thread_page(&self, root: &EventId, ask: &PageAsk) -> Result<Option<Page>, StoreError> {
        let Some(root_number) = self.number_of(root)? else { return Ok(None) };
        let cut = |shaped: &Shaped| {
            let shape = &shaped.shape;
            (shape.page(ask), shape.held() as u64, shape.holes(HOLES_MAX), shaped.last_position)
        };
        let (spots, held, holes, last_position) =
            self.shapes.look(root_number, || self.shape_of(*root, root_number), cut)?;
        let Some(spots) = spots.filter(|_| held > 0) else { return Ok(None) };
        let (mut items, mut votes) = (Vec::new(), BTreeMap::new());
        // A hole can be an event of another thread, and what was done to that is none of this one's.
        for on_page in spots.iter().filter(|on_page| on_page.spot.is_here) {
            if let Some(number) = self.number_of(&on_page.spot.id)? {
                if let Some(row) = self.row_of(number)? {
                    self.push_item(&row, &mut items)?;
                }
                if let Some(counted) = self.push_uncounted(number, &mut items)? {
                    votes.insert(on_page.spot.id, counted);
                }
            }
        }
        let positions = items.iter().map(|(item, position)| (item.id, *position)).collect();
        let items = self.with_ancestry(*root, items.into_iter().map(|(item, _)| item).collect())?;
        let nodes = thread::resolve_page(*root, &spots, items, votes).into_iter().zip(spots).collect();
        Ok(Some(Page { nodes, positions, held, holes, last_position }))
    }

    /// The shape of a thread, from its members' rows.
    fn shape_of(&self, root: EventId, root_number: Number) -> Result<Shaped, StoreError> {
        let mut members: Vec<(Number, MemberRow)> = Vec::new();
        self.scan_all(keys::members_range(root_number), |key, value| {
            let number = keys::number_at_end(key).ok_or(StoreError::Row)?;
            members.push((number, rows::decode(value).ok_or(StoreError::Row)?));
            Ok(())
        })?;
        let mut ids: HashMap<Number, EventId> = HashMap::with_capacity(members.len());
        let mut here: Vec<(EventRow, Number)> = Vec::with_capacity(members.len());
        for (number, member) in &members {
            let row = self.row_of(*number)?.ok_or(StoreError::Row)?;
            ids.insert(*number, row.id);
            if row.presence.is_shown() {
                here.push((row, member.parent));
            }
        }
        let mut places = Vec::with_capacity(here.len());
        for (row, parent) in here {
            let parent = match ids.get(&parent) {
                _ if row.id == root => None,
                Some(id) => Some(*id),
                None => Some(self.id_of(parent)?),
            };
            places.push(Place { id: row.id, parent, created_ms: row.created_ms });
        }
        let last_position = members.iter().map(|(_, member)| member.position).max().unwrap_or(0);
        Ok(Shaped { shape: Shape::of(root, places), last_position })
    }

    /// Adds what decides which of several edits or votes is the last: all that these build on in the thread.
    fn with_ancestry(&self, root: EventId, mut items: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut open = thread::rivals(&items);
        if open.is_empty() {
            return Ok(items);
        }
        let mut at_hand: BTreeMap<EventId, Item> = items.drain(..).map(|item| (item.id, item)).collect();
        let mut followed = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !followed.insert(id) || !self.bring(&id, &mut at_hand)? {
                continue;
            }
            let (refs, targets) = (at_hand[&id].refs.clone(), targets_of(&at_hand[&id]));
            for target in &targets {
                // Whether an action is of this thread depends on what it acts on, also through a retraction.
                if self.bring(target, &mut at_hand)? {
                    for target in targets_of(&at_hand[target]) {
                        self.bring(&target, &mut at_hand)?;
                    }
                }
            }
            if is_of_thread(root, &id, &at_hand) {
                open.extend(refs);
            }
        }
        Ok(at_hand.into_values().collect())
    }

    /// Whether the event is at hand, if need be because it was read now.
    fn bring(&self, id: &EventId, at_hand: &mut BTreeMap<EventId, Item>) -> Result<bool, StoreError> {
        if !at_hand.contains_key(id)
            && let Some(stored) = self.event(id)?
        {
            at_hand.insert(*id, super::read::item(&stored.event));
        }
        Ok(at_hand.contains_key(id))
    }
}

/// What an event acts on.
fn targets_of(item: &Item) -> Vec<EventId> {
    match &item.kind {
        Kind::Edit(edit) => vec![edit.target],
        Kind::Vote(vote) => vec![vote.target],
        Kind::Retract(retract) => retract.targets.clone(),
        _ => Vec::new(),
    }
}

/// Whether an event, or what it acts on, stands in the thread. What does not makes no difference to it.
fn is_of_thread(root: EventId, id: &EventId, at_hand: &BTreeMap<EventId, Item>) -> bool {
    let is_place = |item: &Item| match &item.kind {
        Kind::Comment(comment) => comment.root == root,
        _ => item.id == root,
    };
    let acts = |item: &Item| targets_of(item).iter().filter_map(|id| at_hand.get(id)).any(is_place);
    at_hand.get(id).is_some_and(|item| {
        is_place(item) || acts(item) || targets_of(item).iter().filter_map(|id| at_hand.get(id)).any(acts)
    })
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
