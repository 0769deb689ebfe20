//! A tape of all that happened to the files of a [`super::disk::Disk`], for tests: what a power cut leaves at each moment, and
//! faults to order.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What happened.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Made(PathBuf),
    Removed(PathBuf),
    /// A file has another one's name, which is gone by that.
    Renamed(PathBuf, PathBuf),
    Written(PathBuf, Vec<u8>, u64),
    Cut(PathBuf, u64),
    Synced(PathBuf),
    SyncedNames(PathBuf),
    /// sled's files were made durable, and a copy of them is kept under this number.
    Copied(usize),
}

/// What a test lets go wrong, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A write stops after so many bytes: the disk is full.
    Write { after_bytes: usize },
    /// A sync fails.
    Sync,
    /// Making a file fails.
    Create,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tape {
    steps: Mutex<Vec<Step>>,
    fault: Mutex<Option<Fault>>,
    /// What the disk says is free, instead of the real one.
    free_bytes: Mutex<Option<u64>>,
    /// A disk that says it has synced, and hasn't.
    is_lying: bool,
    /// Where copies of sled's files are kept, one for each time that they were made durable. sled writes them past us.
    copies: Option<PathBuf>,
}

/// What becomes of changes that were not synced when the power goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unsynced {
    /// All are lost.
    Lost,
    /// All are there, but of the last write only so many eighths.
    Torn { eighths: usize },
    /// Only the last write of each file is there: the disk wrote in another order.
    OnlyTheLast,
    /// Each is there or not, by the bits of this number.
    Some { bits: u64 },
}

impl Tape {
    /// A tape that copies sled's files to below a folder, and whose disk may lie.
    pub(super) fn recording(copies: PathBuf, is_lying: bool) -> Self {
        Self { is_lying, copies: Some(copies), ..Self::default() }
    }

    /// What happened so far.
    pub(super) fn steps(&self) -> Vec<Step> {
        lock(&self.steps).clone()
    }

    /// How much happened so far: the power can go after each step.
    pub(super) fn len(&self) -> usize {
        lock(&self.steps).len()
    }

    pub(super) fn free_bytes(&self) -> Option<u64> {
        *lock(&self.free_bytes)
    }

    pub(super) fn set_free_bytes(&self, bytes: u64) {
        *lock(&self.free_bytes) = Some(bytes);
    }

    pub(super) fn order(&self, fault: Fault) {
        *lock(&self.fault) = Some(fault);
    }

    fn takes(&self, fault: Fault) -> bool {
        let mut ordered = lock(&self.fault);
        let is_ordered = *ordered == Some(fault);
        if is_ordered {
            *ordered = None;
        }
        is_ordered
    }

    fn push(&self, step: Step) {
        lock(&self.steps).push(step);
    }

    pub(super) fn made(&self, path: &Path) -> io::Result<()> {
        if self.takes(Fault::Create) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.push(Step::Made(path.into()));
        Ok(())
    }

    pub(super) fn removed(&self, path: &Path) {
        self.push(Step::Removed(path.into()));
    }

    pub(super) fn renamed(&self, from: &Path, to: &Path) {
        self.push(Step::Renamed(from.into(), to.into()));
    }

    pub(super) fn written(&self, path: &Path, bytes: &[u8], offset: u64) -> Result<(), (usize, io::Error)> {
        let mut ordered = lock(&self.fault);
        if let Some(Fault::Write { after_bytes }) = *ordered {
            *ordered = None;
            let room = after_bytes.min(bytes.len());
            self.push(Step::Written(path.into(), bytes[..room].to_vec(), offset));
            return Err((room, io::ErrorKind::StorageFull.into()));
        }
        self.push(Step::Written(path.into(), bytes.to_vec(), offset));
        Ok(())
    }

    pub(super) fn cut(&self, path: &Path, length: u64) {
        self.push(Step::Cut(path.into(), length));
    }

    pub(super) fn synced(&self, path: &Path) -> io::Result<()> {
        if self.takes(Fault::Sync) {
            return Err(io::Error::other("the disk is gone"));
        }
        if path.file_name().is_some_and(|name| name == "db") {
            self.copy(path.parent().expect("it is in a folder"))?;
        } else if !self.is_lying {
            self.push(Step::Synced(path.into()));
        }
        Ok(())
    }

    fn copy(&self, folder: &Path) -> io::Result<()> {
        let Some(copies) = &self.copies else { return Ok(()) };
        let number = self.len();
        let copy = copies.join(number.to_string());
        fs::create_dir_all(&copy)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // The entries are on the tape.
            if entry.path().is_file() && entry.file_name() != "entries" {
                fs::copy(entry.path(), copy.join(entry.file_name()))?;
            }
        }
        self.push(Step::Copied(number));
        Ok(())
    }

    pub(super) fn synced_names(&self, folder: &Path) -> io::Result<()> {
        if !self.is_lying {
            self.push(Step::SyncedNames(folder.into()));
        }
        Ok(())
    }
}

/// A file as the disk has it, and what is on its way there.
#[derive(Clone, Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    unsynced: Vec<Step>,
    /// Whether its name, and whether its end, outlives a power cut.
    is_named: bool,
    /// The name that it had, and the file that has its name until the names are durable.
    before: Option<(PathBuf, Box<Self>)>,
}

/// The files that these steps leave when the power goes after them, and the number of the last copy that was made durable.
pub(super) fn left_by(steps: &[Step], unsynced: Unsynced) -> (BTreeMap<PathBuf, Vec<u8>>, Option<usize>) {
    let (mut files, mut copy) = (BTreeMap::<PathBuf, Kept>::new(), None);
    for step in steps {
        match step {
            Step::Made(path) => drop(files.insert(path.clone(), Kept::default())),
            // A file that was removed may come back with its old bytes; here its name is gone at once, which is the harder
            // case of the two for what was still needed.
            Step::Removed(path) => drop(files.remove(path)),
            Step::Renamed(from, to) => {
                let mut kept = files.remove(from).unwrap_or_default();
                let older = files.remove(to).unwrap_or_default();
                (kept.is_named, kept.before) = (true, Some((from.clone(), Box::new(older))));
                files.insert(to.clone(), kept);
            }
            Step::Written(path, ..) | Step::Cut(path, _) => {
                files.entry(path.clone()).or_default().unsynced.push(step.clone());
            }
            Step::Synced(path) => {
                let kept = files.entry(path.clone()).or_default();
                let done = std::mem::take(&mut kept.unsynced);
                done.iter().for_each(|step| apply(&mut kept.bytes, step));
            }
            Step::SyncedNames(folder) => {
                let inside = files.iter_mut().filter(|(path, _)| path.parent() == Some(folder));
                inside.for_each(|(_, kept)| (kept.is_named, kept.before) = (true, None));
            }
            Step::Copied(number) => copy = Some(*number),
        }
    }
    let mut left = BTreeMap::new();
    let mut files: Vec<(PathBuf, Kept)> = files.into_iter().collect();
    while let Some((path, mut kept)) = files.pop() {
        if let Some((name, older)) = kept.before.take() {
            // Without the new name there are both, as they were.
            let has_old_name = match unsynced {
                Unsynced::Lost => true,
                Unsynced::Some { bits } => bits & 1 == 1,
                Unsynced::Torn { .. } | Unsynced::OnlyTheLast => false,
            };
            if has_old_name {
                files.extend([(path, *older), (name, kept)]);
                continue;
            }
        }
        if !kept.is_named && unsynced == Unsynced::Lost {
            continue;
        }
        let on_its_way = std::mem::take(&mut kept.unsynced);
        let last = on_its_way.len().saturating_sub(1);
        for (at, step) in on_its_way.iter().enumerate() {
            match unsynced {
                Unsynced::Torn { eighths } if at == last => apply(&mut kept.bytes, &torn(step, eighths)),
                Unsynced::Torn { .. } => apply(&mut kept.bytes, step),
                Unsynced::OnlyTheLast if at == last => apply(&mut kept.bytes, step),
                Unsynced::Some { bits } if (bits >> (at % 64)) & 1 == 1 => apply(&mut kept.bytes, step),
                Unsynced::Lost | Unsynced::OnlyTheLast | Unsynced::Some { .. } => {}
            }
        }
        left.insert(path, kept.bytes);
    }
    (left, copy)
}

fn torn(step: &Step, eighths: usize) -> Step {
    match step {
        Step::Written(path, bytes, offset) => {
            Step::Written(path.clone(), bytes[..bytes.len() * eighths / 8].to_vec(), *offset)
        }
        other => other.clone(),
    }
}

fn apply(file: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Written(_, bytes, offset) => {
            let start = usize::try_from(*offset).unwrap_or(usize::MAX);
            file.resize(file.len().max(start + bytes.len()), 0);
            file[start..start + bytes.len()].copy_from_slice(bytes);
        }
        Step::Cut(_, length) => file.resize(usize::try_from(*length).unwrap_or(usize::MAX), 0),
        _ => {}
    }
}

/// Writes files out below another folder than the one they had.
pub(super) fn write_out(files: &BTreeMap<PathBuf, Vec<u8>>, from: &Path, to: &Path) {
    for (path, bytes) in files {
        let target = to.join(path.strip_prefix(from).expect("it is below"));
        fs::create_dir_all(target.parent().expect("it has one")).expect("a folder");
        fs::write(target, bytes).expect("there is room");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Places that no disk can read, by file. They are not on a tape: readers have none.
pub(super) mod bad_sectors {
    use super::{Mutex, Path, PathBuf, io, lock};
    use std::ops::Range;

    static BAD: Mutex<Vec<(PathBuf, Range<u64>)>> = Mutex::new(Vec::new());

    /// From now on these bytes of the file can't be read.
    pub(in super::super) fn make(path: &Path, bytes: Range<u64>) {
        lock(&BAD).push((path.into(), bytes));
    }

    /// All of the file can be read again.
    pub(in super::super) fn mend(path: &Path) {
        lock(&BAD).retain(|(bad, _)| bad != path);
    }

    pub(in super::super) fn before_read(path: &Path, bytes: Range<u64>) -> io::Result<()> {
        let is_bad =
            |(bad, range): &(PathBuf, Range<u64>)| bad == path && range.start < bytes.end && bytes.start < range.end;
        match lock(&BAD).iter().any(is_bad) {
            true => Err(rustix::io::Errno::IO.into()),
            false => Ok(()),
        }
    }
}
