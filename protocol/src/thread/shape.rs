//! The shape of a thread: who stands where, without words, votes or edits. Pages are cut from it.
//!
//! It depends on the headers of the post and the comments alone, so it is far smaller than the thread and changes only when
//! a comment comes. Its spots stand in reading order, each with the number of those below it: whoever looks for the next
//! answer beside one skips what is below.

use crate::id::EventId;
use crate::limits::REPLY_DEPTH_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// The post of a thread, or a comment in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: EventId,
    /// What it answers; of the post nothing.
    pub parent: Option<EventId>,
    /// The author's claim of the time, unix milliseconds.
    pub created_ms: u64,
}

/// A place, or a hole, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The post or comment.
    pub id: EventId,
    /// Never before the parent's: the greater of both claims.
    pub display_ms: u64,
    /// How many stand below it, at any depth.
    pub below: u32,
    /// 0 for the post, at most [`REPLY_DEPTH_MAX`].
    pub depth: u16,
    /// False for a hole.
    pub is_here: bool,
}

/// A spot on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnPage {
    /// The spot.
    pub spot: Spot,
    /// What it answers; `None` for the post and for a hole.
    pub parent: Option<EventId>,
    /// How many below it the page leaves out that follow the last answer on the page, and which answer that is.
    pub more: Option<More>,
}

/// What a page leaves out below a spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct More {
    /// How many, at any depth, less those below answers that are on the page: these have a `more` of their own.
    pub count: u32,
    /// The last answer that is on the page or on one before; `None` if there is none.
    pub after: Option<EventId>,
}

/// Which part of a thread is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageAsk {
    /// Where the page starts: this spot comes first, then what is below it. `None`: the post.
    pub under: Option<EventId>,
    /// The answers to that spot start behind this one.
    pub after: Option<EventId>,
    /// Levels below the first spot.
    pub depth: usize,
    /// Spots at most beside the first.
    pub limit: usize,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    spots: Vec<Spot>,
}

impl Shape {
    /// The shape of the thread of `root`, from its places in any order, without doubles. The post is there if one of them
    /// is `root`.
    #[must_use]
    pub fn of(root: EventId, places: impl IntoIterator<Item = Place>) -> Self {
        let mut times: BTreeMap<EventId, u64> = BTreeMap::new();
        let mut children: BTreeMap<EventId, Vec<EventId>> = BTreeMap::new();
        for place in places {
            times.insert(place.id, place.created_ms);
            if let Some(parent) = place.parent.filter(|_| place.id != root) {
                children.entry(parent).or_default().push(place.id);
            }
        }
        // A hole's time is that of its first answer: it stands where the lost comment most likely stood.
        let is_hole = |id: &EventId| *id != root && !times.contains_key(id);
        let first_answer = |answers: &[EventId]| answers.iter().map(|id| times[id]).min().unwrap_or(0);
        let holes: BTreeMap<EventId, u64> = children
            .iter()
            .filter(|(parent, _)| is_hole(parent))
            .map(|(hole, answers)| (*hole, first_answer(answers)))
            .collect();
        children.entry(root).or_default().extend(holes.keys().copied());
        let time_of = |id: &EventId| times.get(id).or_else(|| holes.get(id)).copied().unwrap_or(0);

        let mut spots: Vec<Spot> = Vec::with_capacity(times.len() + holes.len() + 1);
        let mut stack = vec![(root, 0_u16, 0_u64)];
        let mut parents: Vec<u32> = Vec::with_capacity(times.len() + holes.len() + 1);
        let mut answered_by = vec![0_u32];
        while let Some((id, depth, not_before)) = stack.pop() {
            let number = u32::try_from(spots.len()).unwrap_or(u32::MAX);
            parents.push(answered_by.pop().unwrap_or(0));
            let display_ms = time_of(&id).max(not_before);
            spots.push(Spot { id, display_ms, below: 0, depth, is_here: times.contains_key(&id) });
            let mut answers = children.remove(&id).unwrap_or_default();
            answers.sort_unstable_by_key(|answer| (time_of(answer).max(display_ms), *answer));
            let deeper = (depth + 1).min(REPLY_DEPTH_MAX);
            answered_by.extend(std::iter::repeat_n(number, answers.len()));
            stack.extend(answers.into_iter().rev().map(|answer| (answer, deeper, display_ms)));
        }
        for number in (1..spots.len()).rev() {
            let below = spots[number].below + 1;
            spots[parents[number] as usize].below += below;
        }
        Self { spots }
    }

    /// The spots in reading order: each before its answers, answers by display time and id. At least one: the post or the
    /// hole where it belongs.
    #[must_use]
    pub fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// How many of the spots are the post or comments that are here.
    #[must_use]
    pub fn held(&self) -> usize {
        self.spots.iter().filter(|spot| spot.is_here).count()
    }

    /// The holes, ascending, at most `limit`.
    #[must_use]
    pub fn holes(&self, limit: usize) -> BTreeSet<EventId> {
        self.spots.iter().filter(|spot| !spot.is_here).take(limit).map(|spot| spot.id).collect()
    }

    /// Adds a comment, and tells whether that was simple. If not (nothing is here that it answers, or something here answers
    /// it) nothing has changed, and the shape is to be made anew.
    #[must_use]
    pub fn insert(&mut self, place: &Place) -> bool {
        let Some(parent) = place.parent.and_then(|parent| self.number_of(&parent)) else { return false };
        let root = self.spots[0].id;
        // Below a hole the new comment may be the first answer, which moves the hole.
        if place.id == root || (!self.spots[parent].is_here && parent != 0) {
            return false;
        }
        let not_before = self.spots[parent].display_ms;
        let display_ms = place.created_ms.max(not_before);
        let end = parent + 1 + self.spots[parent].below as usize;
        let mut at = end;
        let mut number = parent + 1;
        while number < end {
            let other = &self.spots[number];
            if other.id == place.id {
                return other.is_here;
            }
            if at == end && (other.display_ms, other.id) > (display_ms, place.id) {
                at = number;
            }
            number += 1 + other.below as usize;
        }
        // Holes hang below the post: one of this id is there.
        if parent != 0 && self.answers(0).any(|(_, spot)| spot.id == place.id) {
            return false;
        }
        let depth = (self.spots[parent].depth + 1).min(REPLY_DEPTH_MAX);
        for number in self.path_to(parent) {
            self.spots[number].below += 1;
        }
        self.spots.insert(at, Spot { id: place.id, display_ms, below: 0, depth, is_here: true });
        true
    }

    /// The spots of a page, in reading order; `None` if there is no spot, or no answer to it, of the ids that were asked for.
    #[must_use]
    pub fn page(&self, ask: &PageAsk) -> Option<Vec<OnPage>> {
        let first = match ask.under {
            None => 0,
            Some(id) => self.number_of(&id)?,
        };
        let start = match ask.after {
            None => first + 1,
            Some(id) => {
                let (number, spot) = self.answers(first).find(|(_, spot)| spot.id == id)?;
                number + 1 + spot.below as usize
            }
        };
        let above = self.path_to(first).into_iter().rev().nth(1).map(|number| self.spots[number].id);
        let spot = self.spots[first];
        let mut page = vec![OnPage { spot, parent: above.filter(|_| spot.is_here), more: None }];
        // Whose answers are being walked: its place on the page, where they end, and the last one that is on the page.
        let mut open = vec![(0_usize, first + 1 + spot.below as usize, ask.after)];
        let mut number = start;
        while let Some((place, end, last)) = open.pop() {
            if number >= end {
                continue;
            }
            let is_full = page.len() > ask.limit || open.len() >= ask.depth;
            if is_full {
                let count = u32::try_from(end - number).unwrap_or(u32::MAX);
                page[place].more = Some(More { count, after: last });
                number = end;
                continue;
            }
            let spot = self.spots[number];
            let answered = page[place].spot.id;
            page.push(OnPage { spot, parent: Some(answered).filter(|_| spot.is_here), more: None });
            open.push((place, end, Some(spot.id)));
            number += 1;
            open.push((page.len() - 1, number + spot.below as usize, None));
        }
        Some(page)
    }

    fn number_of(&self, id: &EventId) -> Option<usize> {
        self.spots.iter().position(|spot| spot.id == *id)
    }

    /// The answers to the spot of a number, with theirs.
    fn answers(&self, number: usize) -> impl Iterator<Item = (usize, &Spot)> {
        let end = number + 1 + self.spots[number].below as usize;
        let mut next = number + 1;
        std::iter::from_fn(move || {
            let (number, spot) = (next, self.spots.get(next).filter(|_| next < end)?);
            next += 1 + spot.below as usize;
            Some((number, spot))
        })
    }

    /// The numbers from the first spot down to this one.
    fn path_to(&self, number: usize) -> Vec<usize> {
        let mut path = vec![0];
        let mut at = 0;
        while at != number {
            let holds = |(answer, spot): &(usize, &Spot)| (*answer..=answer + spot.below as usize).contains(&number);
            match self.answers(at).find(holds) {
                Some((answer, _)) => at = answer,
                None => break,
            }
            path.push(at);
        }
        path
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
