//! The shapes of threads that were read of late, so that a page of a thread costs what is on it and not what is in the thread.
//!
//! A shape is made from the rows of its thread's members when it is first asked for, and told of each comment that comes
//! afterwards. The writer only leaves a note; readers of one thread take turns, and wait for nobody else.

use super::events::StoreError;
use super::keys::Number;
use roda_protocol::thread::{Place, Shape, Spot};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of shapes that are kept: 330,000 comments. What was used last stays.
const BYTES_MAX: usize = 16 << 20;

/// What a small thread counts: its entry and its notes.
const THREAD_BYTES: usize = 16 << 10;

/// Comments that have come to one thread since it was read. After more its shape is made anew.
const NOTES_MAX: usize = 128;

const _: () = assert!(NOTES_MAX * size_of::<Note>() + size_of::<Thread>() <= THREAD_BYTES);

/// A post or comment that came, and where its record stands in the log.
pub(super) type Note = (Place, u64);

/// The shape of a thread, and the position of the last of its records.
#[derive(Debug)]
pub(super) struct Shaped {
    pub(super) shape: Shape,
    pub(super) last_position: u64,
}

impl Shaped {
    /// Takes a note in. False if the shape has to be made anew.
    fn take(&mut self, (place, position): &Note) -> bool {
        self.last_position = self.last_position.max(*position);
        self.shape.insert(place)
    }
}

/// The turn of a thread's readers, and the shape once it is made.
type Turn = Arc<Mutex<Option<Shaped>>>;

#[derive(Debug, Default)]
struct Thread {
    turn: Turn,
    notes: Vec<Note>,
    bytes: usize,
    used: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    threads: Mutex<HashMap<Number, Thread>>,
}

impl Shapes {
    fn threads(&self) -> MutexGuard<'_, HashMap<Number, Thread>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A post or comment is in the index from now on.
    pub(super) fn came(&self, root: Number, note: Note) {
        let mut threads = self.threads();
        let Some(thread) = threads.get_mut(&root) else { return };
        if thread.notes.len() < NOTES_MAX {
            thread.notes.push(note);
        } else {
            threads.remove(&root);
        }
    }

    /// Nothing that is kept can be relied on.
    pub(super) fn clear(&self) {
        self.threads().clear();
    }

    /// Looks at the shape of a thread, which is made by `make` if none is kept.
    pub(super) fn look<R>(
        &self,
        root: Number,
        make: impl Fn() -> Result<Shaped, StoreError>,
        look: impl FnOnce(&Shaped) -> R,
    ) -> Result<R, StoreError> {
        let turn = {
            let mut threads = self.threads();
            let newest = threads.values().map(|thread| thread.used).max().unwrap_or(0);
            let thread = threads.entry(root).or_default();
            thread.used = newest + 1;
            Arc::clone(&thread.turn)
        };
        let mut shaped = turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever comes from here on is noted again, and taking it twice does no harm.
        let notes = self.threads().get_mut(&root).filter(|thread| Arc::ptr_eq(&thread.turn, &turn)).map(|thread| {
            thread.bytes = thread.bytes.max(THREAD_BYTES);
            std::mem::take(&mut thread.notes)
        });
        let is_current = shaped.as_mut().is_some_and(|shaped| notes.iter().flatten().all(|note| shaped.take(note)));
        if !is_current || notes.is_none() {
            *shaped = None;
            match make() {
                Ok(made) => *shaped = Some(made),
                Err(error) => {
                    self.threads().remove(&root);
                    return Err(error);
                }
            }
        }
        let Some(shaped) = shaped.as_ref() else { return Err(StoreError::Row) };
        self.keep(root, &turn, THREAD_BYTES + size_of_val::<[Spot]>(shaped.shape.spots()));
        Ok(look(shaped))
    }

    /// Counts a shape, and drops those that were used longest ago while there are too many bytes.
    fn keep(&self, root: Number, turn: &Turn, bytes: usize) {
        let mut threads = self.threads();
        if let Some(thread) = threads.get_mut(&root).filter(|thread| Arc::ptr_eq(&thread.turn, turn)) {
            thread.bytes = bytes;
        }
        let mut total: usize = threads.values().map(|thread| thread.bytes).sum();
        while total > BYTES_MAX
            && let Some(oldest) = threads.iter().min_by_key(|(_, thread)| thread.used).map(|(root, _)| *root)
        {
            total -= threads.remove(&oldest).map_or(0, |thread| thread.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roda_protocol::id::EventId;
    use std::cell::Cell;

    fn place(number: u32) -> Place {
        let id = |number: u32| EventId([number.to_le_bytes(); 8].concat().try_into().unwrap());
        Place { id: id(number), parent: (number > 0).then(|| id(0)), created_ms: u64::from(number) }
    }

    fn shaped(count: u32) -> Shaped {
        Shaped { shape: Shape::of(place(0).id, (0..count).map(place)), last_position: u64::from(count) }
    }

    fn spots(shaped: &Shaped) -> usize {
        shaped.shape.spots().len()
    }

    #[test]
    fn a_shape_is_made_once_and_told_of_what_comes() {
        let (shapes, made) = (Shapes::default(), Cell::new(0));
        let make = || {
            made.set(made.get() + 1);
            Ok(shaped(3))
        };
        shapes.came(7, (place(9), 90));
        assert_eq!(shapes.look(7, make, spots).unwrap(), 3);
        shapes.came(7, (place(9), 90));
        shapes.came(8, (place(10), 91));
        assert_eq!(shapes.look(7, make, |shaped| (spots(shaped), shaped.last_position)).unwrap(), (4, 90));
        assert_eq!(made.get(), 1);
        let lonely = Place { parent: Some(place(99).id), ..place(11) };
        shapes.came(7, (lonely, 92));
        assert_eq!(shapes.look(7, make, spots).unwrap(), 3, "what is not simple is read from the index");
        shapes.clear();
        let _ = shapes.look(7, make, spots).unwrap();
        assert_eq!(made.get(), 3);
    }

    #[test]
    fn what_was_used_longest_ago_goes_when_bytes_run_out_and_notes_are_bounded() {
        let shapes = Shapes::default();
        let count = u32::try_from(BYTES_MAX / size_of::<Spot>() / 4).unwrap();
        for root in 0..8 {
            let _ = shapes.look(root, || Ok(shaped(count)), spots).unwrap();
            assert!(shapes.threads().values().map(|thread| thread.bytes).sum::<usize>() <= BYTES_MAX);
        }
        let kept: std::collections::BTreeSet<u32> = shapes.threads().keys().copied().collect();
        assert_eq!(kept.into_iter().collect::<Vec<_>>(), [5, 6, 7]);
        (0..=NOTES_MAX as u32).for_each(|number| shapes.came(7, (place(number), 1)));
        assert!(!shapes.threads().contains_key(&7));
        let failed = shapes.look(9, || Err(StoreError::Row), spots);
        assert!(failed.is_err() && !shapes.threads().contains_key(&9));
    }
}
