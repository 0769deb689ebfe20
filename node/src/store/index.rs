//! The index as a trait: everything that the journal can be asked quickly.
//!
//! An index may be lost at any moment, and is rebuilt from the journal. It has two parts that change together: rows, an
//! ordered map of bytes to bytes, and entries, which stand under the numbers 0, 1, 2, and so on, each with a name of its
//! own and a value of one size. What keys, names and values mean is for the layer above. Every answer is bounded, no
//! iterator leaves it, and a reader sees a commit entirely or not at all.
//!
//! Two implementations, [`SledIndex`](super::SledIndex) and [`MemoryIndex`](super::MemoryIndex), are
//! held to one conformance suite.

use std::{io, path::PathBuf};

/// The most rows that one commit may have: 512, that is 64 events of up to 8 rows.
///
/// sled keeps what a batch replaced until the whole batch is applied: batches of 256 rows held the
/// process at 338 MiB, batches of 500 to 600 at 305 MiB, batches of 1,024 grew it to 5 GB (measured
/// with sled 0.34.7, 300,000 to 1.5 million events).
pub const BATCH_ROWS_MAX: usize = 512;

/// The most bytes of a key: 256. A key has at least one byte, and the first is not 0: such keys are the index's own.
///
/// sled moves a page of more than 128 KiB into a file of its own, which our flush wouldn't make durable.
/// Together with [`VALUE_BYTES_MAX`] this keeps every page below that: an inner page has at most 256 keys.
pub const KEY_BYTES_MAX: usize = 256;

/// The most bytes of a value: 6 KiB. What is longer belongs into the journal, with its position here.
///
/// A leaf page of sled has at most 16 rows, and 3 more for the moment after a merge.
pub const VALUE_BYTES_MAX: usize = 6 * 1024;

/// Bytes of an entry's name.
pub const ENTRY_NAME_BYTES: usize = 32;

/// Bytes of an entry's value.
pub const ENTRY_VALUE_BYTES: usize = 27;

/// What stands under a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The name. No two entries have the same, and an entry keeps its own for ever.
    pub name: [u8; ENTRY_NAME_BYTES],
    /// The value, once there is one.
    pub value: Option<[u8; ENTRY_VALUE_BYTES]>,
}

/// Puts and deletes that are applied in order, and entries: together or not at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    entries: Vec<(u32, Entry)>,
}

impl Batch {
    /// A batch of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.rows.push((key, Some(value)));
    }

    /// Removes `key`; it is no error when there is none.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.rows.push((key, None));
    }

    /// Sets the entry of `number`: one that is there and has the same name, or the next that is free.
    pub fn enter(&mut self, number: u32, entry: Entry) {
        self.entries.push((number, entry));
    }

    /// How many rows and entries it has, with several for the same key or number counted each.
    pub fn len(&self) -> usize {
        self.rows.len() + self.entries.len()
    }

    /// Whether it has neither rows nor entries.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.entries.is_empty()
    }

    /// The rows in order; a row without a value is a delete.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// The entries with their numbers, in order.
    pub fn entries(&self) -> &[(u32, Entry)] {
        &self.entries
    }

    /// Checks every bound, so that the implementations refuse alike. Returns how many entries there are with the batch
    /// where there were `entries`.
    ///
    /// # Errors
    /// [`IndexError::OutOfBounds`] with the first bound that is exceeded.
    pub(super) fn check(&self, mut entries: u32) -> Result<u32, IndexError> {
        let refuse = |what, count, count_max| Err(IndexError::OutOfBounds { what, count, count_max });
        if self.len() > BATCH_ROWS_MAX {
            return refuse("rows in a batch", self.len(), BATCH_ROWS_MAX);
        }
        for (key, value) in self.rows() {
            let value_bytes = value.map_or(0, <[u8]>::len);
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return refuse("bytes in a key", key.len(), KEY_BYTES_MAX);
            }
            if key[0] == OWN_TABLE {
                return refuse("in the first byte of a key", 0, usize::from(u8::MAX));
            }
            if value_bytes > VALUE_BYTES_MAX {
                return refuse("bytes in a value", value_bytes, VALUE_BYTES_MAX);
            }
        }
        for (number, _) in &self.entries {
            if *number > entries || entries == u32::MAX {
                return refuse("as the number of an entry", *number as usize, entries as usize);
            }
            entries = entries.max(number + 1);
        }
        Ok(entries)
    }
}

/// Which way a scan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the smallest key of the range.
    Ascending,
    /// From the greatest key of the range.
    Descending,
}

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// First byte of the keys that an implementation may use for itself.
pub(super) const OWN_TABLE: u8 = 0;

/// Rows and entries, in which a commit is atomic.
pub trait Index: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError>;

    /// At most `limit` rows with `start <= key < end`, in the direction asked for; without an `end`
    /// the range is open. A range that ends before it starts is empty.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused.
    fn scan(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, IndexError>;

    /// How many keys are in the range, counted up to `limit` and without holding them.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused.
    fn count(&self, start: &[u8], end: Option<&[u8]>, limit: usize) -> Result<usize, IndexError>;

    /// How many entries there are: the next free number.
    fn entry_count(&self) -> u32;

    /// The entry of a number.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused.
    fn entry(&self, number: u32) -> Result<Option<Entry>, IndexError>;

    /// The entries from number `from` on, at most `limit`.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused.
    fn entries(&self, from: u32, limit: usize) -> Result<Vec<Entry>, IndexError>;

    /// The number of the entry with this name.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused.
    fn find(&self, name: &[u8; ENTRY_NAME_BYTES]) -> Result<Option<u32>, IndexError>;

    /// The entries whose names begin with these bytes and that are meant, by name, at most `limit`.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused.
    fn named(
        &self,
        first_bytes: &[u8],
        limit: usize,
        is_meant: &dyn Fn(&Entry) -> bool,
    ) -> Result<Vec<Entry>, IndexError>;

    /// Applies the batch, all or nothing. It is durable after the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// A bound is exceeded and nothing has changed; or the index is damaged, or the disk refused, and
    /// the index must be opened again.
    fn commit(&self, batch: &Batch) -> Result<(), IndexError>;

    /// Makes every commit before the call durable.
    ///
    /// # Errors
    /// The index is damaged, or the disk refused, and the index must be opened again.
    fn flush(&self) -> Result<(), IndexError>;

    /// The bytes that the index takes.
    ///
    /// # Errors
    /// The disk refused.
    fn disk_bytes(&self) -> Result<u64, IndexError>;

    /// Whether the index has turned out damaged since it was opened: it answers nothing more and wants to be replaced.
    fn is_damaged(&self) -> bool {
        false
    }

    /// Whether a write has failed since it was opened: it takes nothing more, answers what it can, and wants to be replaced
    /// when the disk takes writes again.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Why an index couldn't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Its files cannot be understood.
    #[error(
        "the index {} is damaged: {text}. Nothing is lost: set it aside and rebuild it from the log",
        path.display()
    )]
    Damaged {
        /// The index.
        path: PathBuf,
        /// What was seen.
        text: String,
    },
    /// The operating system refused.
    #[error(
        "cannot {action} the index {}: {source}. Check that the disk has space and works, and that \
         the folder belongs to you",
        path.display()
    )]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The index.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An earlier write failed, so what it shows may be half of a commit.
    #[error(
        "the index {} stopped after an error: {text}. It is made anew when the disk has room and works, or by a restart of \
         the node",
        path.display()
    )]
    Stopped {
        /// The index.
        path: PathBuf,
        /// The earlier error.
        text: String,
    },
    /// Another process has it open.
    #[error(
        "the index {} is in use by another process. Stop the other node, or use another home",
        path.display()
    )]
    Locked {
        /// The index.
        path: PathBuf,
    },
    /// A batch exceeds a bound; nothing of it was applied.
    #[error("a batch was refused: {count} {what}, where 1 to {count_max} are allowed. Commit less at once")]
    OutOfBounds {
        /// What was counted.
        what: &'static str,
        /// How many there were.
        count: usize,
        /// How many are allowed.
        count_max: usize,
    },
}

/// The smallest key that is greater than every key with this prefix: the `end` of its scan. `None`
/// when there is no such key, because the prefix is empty or all `0xff`.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// Whether no key can be in the range.
pub(super) fn is_empty_range(start: &[u8], end: Option<&[u8]>) -> bool {
    end.is_some_and(|end| end <= start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_its_successor() {
        assert_eq!(prefix_end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(prefix_end(&[1, 0xff, 0xff]), Some(vec![2]));
    }

    #[test]
    fn a_prefix_without_a_successor_has_no_end() {
        assert_eq!(prefix_end(&[]), None);
        assert_eq!(prefix_end(&[0xff, 0xff]), None);
    }

    #[test]
    fn entries_leave_no_number_out() {
        let with = |numbers: &[u32]| {
            let mut batch = Batch::new();
            numbers.iter().for_each(|number| batch.enter(*number, Entry { name: [1; 32], value: None }));
            batch
        };
        assert_eq!(with(&[7, 8, 3, 8, 9]).check(7).expect("the next and earlier ones"), 10);
        assert!(with(&[8]).check(7).is_err());
        assert!(with(&[u32::MAX]).check(u32::MAX).is_err());
    }

    #[test]
    fn an_oversized_batch_is_refused_with_the_bound_in_the_message() {
        let mut batch = Batch::new();
        for row in 0..=BATCH_ROWS_MAX {
            batch.put(vec![1, row as u8], vec![]);
        }
        let refused = batch.check(0).expect_err("one row too many");
        assert!(refused.to_string().contains("513 rows in a batch"), "{refused}");
    }
}
