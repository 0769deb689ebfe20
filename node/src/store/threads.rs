//! What makes up a thread, or stands below one event: posts and comments, and what was done to them.

use super::events::{EventStore, StoreError};
use super::keys::{self, Number};
use super::read::item;
use super::rows::{EventRow, Presence, VoteRow};
use roda_protocol::event::tag;
use roda_protocol::id::{AuthorKey, EventId};
use roda_protocol::thread::Item;

impl EventStore {
    /// Everything that makes up a thread: post, comments, and what was done to them; with each, its place in the order of
    /// arrival.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn thread_items(&self, root: &EventId) -> Result<Vec<(Item, u64)>, StoreError> {
        let Some(root_number) = self.number_of(root)? else { return Ok(Vec::new()) };
        let mut members = vec![root_number];
        self.scan_all(keys::members_range(root_number), |key, _| {
            let number = keys::number_at_end(key).ok_or(StoreError::Row)?;
            // A post that came behind its first comments has a greater number than they.
            members.extend((number != root_number).then_some(number));
            Ok(())
        })?;
        let mut items = Vec::new();
        for number in members {
            if let Some(row) = self.row_of(number)? {
                self.push_item(&row, &mut items)?;
            }
            self.push_actions(number, &mut items)?;
        }
        Ok(items)
    }

    /// A post and what was done to it, without its comments: what a feed needs.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn post_items(&self, row: &EventRow) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        self.push_item(row, &mut items)?;
        if let Some(number) = self.number_of(&row.id)? {
            self.push_actions(number, &mut items)?;
        }
        Ok(items.into_iter().map(|(item, _)| item).collect())
    }

    pub(super) fn push_item(&self, row: &EventRow, items: &mut Vec<(Item, u64)>) -> Result<(), StoreError> {
        if let Some(stored) = self.read_row(row)? {
            items.push((item(&stored.event), row.position));
        }
        Ok(())
    }

    /// Adds what was done to an event, and every retraction of that.
    pub(super) fn push_actions(&self, target: Number, items: &mut Vec<(Item, u64)>) -> Result<(), StoreError> {
        self.push_all(self.actions_of(target)?, |_| true, items)
    }

    /// Adds what was done to an event, but for its votes if they can be counted: then how many are up, and how many down.
    /// Strangers' retractions are left out, too: they change nothing, but for the depth of who builds on them.
    pub(super) fn push_uncounted(
        &self,
        target: Number,
        items: &mut Vec<(Item, u64)>,
    ) -> Result<Option<(u32, u32)>, StoreError> {
        let (mut votes, mut others, mut voters) = ((0, 0), Vec::new(), Vec::new());
        let mut numbers = Vec::new();
        self.scan_all(keys::actions_range(target), |key, value| {
            let number = keys::number_at_end(key).ok_or(StoreError::Row)?;
            numbers.push(number);
            match VoteRow::of_row(value) {
                Some(vote) => {
                    voters.push(vote.author);
                    votes.0 += u32::from(vote.value > 0);
                    votes.1 += u32::from(vote.value < 0);
                }
                None => others.push(number),
            }
            Ok(())
        })?;
        voters.sort_unstable();
        // Which vote of an author counts is told by what each builds on.
        let is_counted = voters.windows(2).all(|pair| pair[0] != pair[1]);
        let looked_at = if is_counted { others } else { numbers };
        let mut actions = Vec::with_capacity(looked_at.len());
        for number in looked_at {
            actions.extend(self.row_of(number)?.map(|row| (number, row)));
        }
        // A vote that was taken back and one that was not may be of one author.
        let is_taken_back = |row: &EventRow| row.presence != Presence::Held;
        let has_votes = actions.iter().any(|(_, row)| row.tag == tag::VOTE);
        if is_counted && has_votes {
            self.push_all(self.actions_of(target)?, is_taken_back, items)?;
            return Ok(None);
        }
        self.push_all(actions, is_taken_back, items)?;
        Ok(is_counted.then_some(votes))
    }

    /// Adds these, and retractions of those edits and votes that may have been taken back.
    fn push_all(
        &self,
        actions: Vec<(Number, EventRow)>,
        may_be_taken_back: impl Fn(&EventRow) -> bool,
        items: &mut Vec<(Item, u64)>,
    ) -> Result<(), StoreError> {
        for (number, action) in actions {
            self.push_item(&action, items)?;
            if action.tag != tag::RETRACT && may_be_taken_back(&action) {
                for (_, retraction) in self.actions_of(number)? {
                    self.push_item(&retraction, items)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn actions_of(&self, target: Number) -> Result<Vec<(Number, EventRow)>, StoreError> {
        let mut actions = Vec::new();
        self.scan_all(keys::actions_range(target), |key, _| {
            let number = keys::number_at_end(key).ok_or(StoreError::Row)?;
            actions.extend(self.row_of(number)?.map(|row| (number, row)));
            Ok(())
        })?;
        Ok(actions)
    }

    /// Ids of an author's actions on an event, to be named as seen by the next one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn own_actions(&self, target: &EventId, author: &AuthorKey) -> Result<Vec<EventId>, StoreError> {
        let Some(number) = self.number_of(target)? else { return Ok(Vec::new()) };
        let mine = self.index().get(&keys::author_number_key(author))?.and_then(|value| keys::number_at_end(&value));
        let actions = self.actions_of(number)?.into_iter().filter(|(_, row)| Some(row.author) == mine);
        Ok(actions.map(|(_, row)| row.id).collect())
    }
}
