//! Does the index say what the log says? Nothing is changed here, but that events whose records are damaged are marked lost,
//! and an index that lacks rows is marked damaged.

use super::events::{EventStore, StoreError};
use super::journal::{Damage, JournalError, Position, Record, RecordKind};
use super::keys::{self, Number};
use super::rows::{self, EventRow, LocalRecord, Presence};
use roda_protocol::event::{Kind, Verified, tag};
use roda_protocol::validate::{self, SpaceRules};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of log that one step reads.
const STEP_BYTES: usize = 1024 * 1024;

/// Problems that are reported one by one; further ones are counted.
const PROBLEMS_MAX: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fsck {
    /// Events that were read and checked.
    pub events: u64,
    /// One line for each thing that is wrong.
    pub problems: Vec<String>,
    /// Damaged places of the log that nobody has been told of yet.
    pub damaged: Vec<Damage>,
}

/// What [`EventStore::find_damage`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct FoundDamage {
    /// Damaged places of the log that nobody has been told of yet.
    pub places: u64,
    /// Whether rows of events are missing from the index, which [`EventStore::has_damaged_index`] tells from here on.
    pub lacks_rows: bool,
}

impl Fsck {
    pub(super) fn problem(&mut self, text: String) {
        match self.problems.len() {
            PROBLEMS_MAX => self.problems.push("there are more problems like these".into()),
            len if len < PROBLEMS_MAX => self.problems.push(text),
            _ => {}
        }
    }
}

impl EventStore {
    /// Reads the whole log and compares: every record whole, every signature right, every event where the index says it
    /// is, every row backed by a record, every known set equal to the rows.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: something can't even be read.
    pub fn fsck(&self) -> Result<Fsck, StoreError> {
        let mut found = Fsck::default();
        let mut rows = BTreeMap::new();
        let end = self.journal.end();
        self.each_row(|row| {
            rows.insert(row.id, row);
            Ok(())
        })?;
        let mut rules = BTreeMap::new();
        let mut repaired = BTreeSet::new();
        let mut from = self.journal.start();
        loop {
            let replay = self.journal.replay(from, STEP_BYTES)?;
            found.damaged.extend(replay.damaged);
            for record in &replay.records {
                if record.kind == RecordKind::Local {
                    note_repair(record, &mut repaired);
                    continue;
                }
                found.events += 1;
                match self.read_payload(&record.payload) {
                    Ok(stored) => {
                        if let Kind::Charter(charter) = stored.event.kind() {
                            rules.insert(stored.event.space(), SpaceRules::of(charter));
                        }
                        let floor = rules.get(&stored.event.space()).copied();
                        // The node goes on writing: what came since has its row by now, or in a moment.
                        let id = stored.event.id();
                        if let Entry::Vacant(place) = rows.entry(id) {
                            match self.row(&id)? {
                                Some(row) => drop(place.insert(row)),
                                None if record.position >= end => continue,
                                None => {}
                            }
                        }
                        check(&stored.event, record.position, floor, &mut rows, &mut found);
                    }
                    Err(_) => found.problem(format!("the record at {} is no event", record.position)),
                }
            }
            if replay.next == from {
                break;
            }
            from = replay.next;
        }
        found.damaged.retain(|damage| !repaired.contains(&(damage.start.0, damage.bytes)));
        for damage in found.damaged.clone() {
            found.problem(format!("{} damaged bytes in the log at {}", damage.bytes, damage.start));
        }
        for row in rows.into_values() {
            match row.presence {
                Presence::Declined if self.has_old_record(&row)? => {}
                Presence::Lost => found.problem(format!("event {} is lost: it is asked from peers", row.id)),
                Presence::Held | Presence::BodyDropped | Presence::Declined | Presence::Pruned => {
                    found.problem(format!("event {} has no whole record in the log", row.id));
                    self.mark_lost(&row)?;
                }
            }
        }
        if self.lacks_rows()? {
            found.problem("the index lacks rows of events that it has: the node rebuilds it".into());
        }
        self.check_sets(&mut found)?;
        Ok(found)
    }

    /// Whether posts, comments, profiles or actions are in the index and not in the lists that lead to them: sled can lose
    /// rows without a word. The index is a damaged one then.
    fn lacks_rows(&self) -> Result<bool, StoreError> {
        let index = self.index();
        let mut listed = Listed::default();
        self.each_entry(|number, row| {
            if row.presence.is_shown() {
                listed.expect(number, row.tag);
            }
            Ok(())
        })?;
        for list in [keys::FEEDS, keys::MEMBERS, keys::ACTIONS, keys::PROFILES] {
            self.scan_all(keys::table(list), |key, _| {
                listed.found(list, keys::number_at_end(key).ok_or(StoreError::Row)?);
                Ok(())
            })?;
        }
        // Another index that came meanwhile is whole.
        let lacks_rows = listed.lacks_some() && Arc::ptr_eq(&index, &self.index());
        if lacks_rows {
            tracing::warn!("the index lacks rows of events that it has");
            self.is_incomplete.store(true, Ordering::Relaxed);
        }
        Ok(lacks_rows)
    }

    /// Whether an event was declined by a version that kept no header of it.
    fn has_old_record(&self, row: &EventRow) -> Result<bool, StoreError> {
        match self.journal.read(Position(row.position)) {
            Ok(record) => Ok(record.kind == RecordKind::Local),
            Err(JournalError::Damaged { .. } | JournalError::Absent { .. }) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// Reads the whole log for damage and marks the events in damaged places as lost; counts the index's events. Cheaper
    /// than [`EventStore::fsck`]: checksums only.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn find_damage(&self) -> Result<FoundDamage, StoreError> {
        let lacks_rows = self.lacks_rows()?;
        let mut damaged = Vec::new();
        let mut repaired = BTreeSet::new();
        let mut from = self.journal.start();
        loop {
            let replay = self.journal.replay(from, STEP_BYTES)?;
            damaged.extend(replay.damaged);
            replay.records.iter().for_each(|record| note_repair(record, &mut repaired));
            if replay.next == from {
                break;
            }
            from = replay.next;
        }
        damaged.retain(|damage| !repaired.contains(&(damage.start.0, damage.bytes)));
        if damaged.is_empty() {
            return Ok(FoundDamage { places: 0, lacks_rows });
        }
        let mut hit: Vec<EventRow> = Vec::new();
        self.each_row(|row| {
            let is_inside = |start: Position, bytes: u64| row.position >= start.0 && row.position < start.0 + bytes;
            if row.presence != Presence::Lost && damaged.iter().any(|damage| is_inside(damage.start, damage.bytes)) {
                hit.push(row);
            }
            Ok(())
        })?;
        hit.iter().try_for_each(|row| self.mark_lost(row))?;
        Ok(FoundDamage { places: damaged.len() as u64, lacks_rows })
    }
}

/// Which lists should have an event, and have not been found to: bits by number.
#[derive(Default)]
struct Listed(Vec<u8>);

impl Listed {
    /// The bit of a list.
    fn bit(list: u8) -> u8 {
        match list {
            keys::FEEDS => 1,
            keys::MEMBERS => 2,
            keys::ACTIONS => 4,
            _ => 8,
        }
    }

    fn expect(&mut self, number: Number, kind: u16) {
        let lists: &[u8] = match kind {
            tag::POST => &[keys::FEEDS, keys::MEMBERS],
            tag::COMMENT => &[keys::MEMBERS],
            tag::EDIT | tag::VOTE | tag::RETRACT => &[keys::ACTIONS],
            tag::PROFILE => &[keys::PROFILES],
            _ => &[],
        };
        self.0.resize(number as usize + 1, 0);
        self.0[number as usize] = lists.iter().fold(0, |bits, list| bits | Self::bit(*list));
    }

    fn found(&mut self, list: u8, number: Number) {
        if let Some(bits) = self.0.get_mut(number as usize) {
            *bits &= !Self::bit(list);
        }
    }

    fn lacks_some(&self) -> bool {
        self.0.iter().any(|bits| *bits != 0)
    }
}

/// Remembers that a damaged place is known already.
fn note_repair(record: &Record, repaired: &mut BTreeSet<(u64, u64)>) {
    if record.kind == RecordKind::Local
        && let Some(LocalRecord::Damage { start, bytes }) = rows::decode(&record.payload)
    {
        repaired.insert((start, bytes));
    }
}

fn check(
    event: &Verified,
    position: Position,
    rules: Option<SpaceRules>,
    rows: &mut BTreeMap<roda_protocol::id::EventId, EventRow>,
    found: &mut Fsck,
) {
    let id = event.id();
    // Without the charter at hand the floor is unknown; the signature is checked all the same.
    let rules = rules.unwrap_or(SpaceRules { work_bits: 0, ..SpaceRules::OPEN });
    if let Err(invalid) = validate::validate(event.clone().into_signed(), &rules) {
        found.problem(format!("event {id} is not valid: {invalid}"));
    }
    match rows.get(&id) {
        None => found.problem(format!("event {id} is in the log and not in the index")),
        Some(row) if row.position != position.0 => {
            // An event that was lost and fetched again has two records; the newer one counts.
            if row.position < position.0 {
                found.problem(format!("the index has an older place of event {id}"));
            }
        }
        Some(row) => {
            if row.created_ms != event.header().created_ms || row.tag != event.header().kind.tag {
                found.problem(format!("the index has other facts of event {id}"));
            }
            rows.remove(&id);
        }
    }
}
