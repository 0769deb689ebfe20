//! Disks that a test has for itself: ext4 on a loop device, whose backing file is in memory, in a file system of a chosen size.
//!
//! A copy of the backing file is what the device has received by then: what a power cut leaves on the most generous disk, one
//! without a cache of its own. A disk whose backing file finds no room fails as a broken one does. It takes root, loop devices
//! and the programs `mount`, `umount`, `losetup` and `mkfs.ext4`; [`possible`] says whether this machine has them. What a
//! killed run left mounted is removed by the next one.

use rustix::process::{Pid, test_kill_process};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The folders of disks are named so, with the process that made them.
const PREFIX: &str = "roda-disk-";

/// How often a picture is taken again because the device was written to meanwhile.
const PICTURE_TRIES_MAX: usize = 50;

/// See the module. It is unmounted when this is dropped.
#[derive(Debug)]
pub struct LoopDisk {
    /// Holds the folders `back`, where the backing file is, and `disk`, where it is mounted.
    folder: PathBuf,
    device: String,
}

/// Why this machine can't have such disks; nothing if it can. Tried out once a process.
///
/// # Errors
///
/// What is missing, in a line.
pub fn possible() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    let attempt = || {
        if !rustix::process::geteuid().is_root() {
            return Err("loop devices and mounts need root".to_owned());
        }
        sweep();
        LoopDisk::new(16 << 20, 16 << 20).map(drop)
    };
    ANSWER.get_or_init(attempt).clone()
}

impl LoopDisk {
    /// A new file system of so many bytes, in a backing file that finds room for only so many.
    ///
    /// # Errors
    ///
    /// What the machine refused.
    pub fn new(bytes: u64, room_bytes: u64) -> Result<Self, String> {
        Self::make(room_bytes, |image| {
            let file = fs::File::create(image).map_err(|error| error.to_string())?;
            file.set_len(bytes).map_err(|error| error.to_string())?;
            // Nothing is kept for root, who runs the tests.
            run("mkfs.ext4", &["-q", "-F", "-m", "0", &image.display().to_string()])
        })
    }

    /// The file system of a picture, mounted as after a power cut.
    ///
    /// # Errors
    ///
    /// What the machine refused.
    pub fn of_picture(picture: &Path) -> Result<Self, String> {
        let bytes = fs::metadata(picture).map_err(|error| error.to_string())?.len();
        Self::make(2 * bytes, |image| copy_sparse(picture, image).map_err(|error| error.to_string()))
    }

    fn make(room_bytes: u64, fill: impl FnOnce(&Path) -> Result<(), String>) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir();
        let folder = folder.map_err(|error| error.to_string())?.keep();
        let mut made = Self { folder, device: String::new() };
        for name in ["back", "disk"] {
            fs::create_dir(made.folder.join(name)).map_err(|error| error.to_string())?;
        }
        let (back, disk) = (made.folder.join("back").display().to_string(), made.path().display().to_string());
        run("mount", &["-t", "tmpfs", "-o", &format!("size={room_bytes}"), "tmpfs", &back])?;
        let image = made.image();
        fill(&image)?;
        run("mount", &["-t", "ext4", "-o", "loop,errors=remount-ro", &image.display().to_string(), &disk])?;
        let listed = answer("losetup", &["-n", "-O", "NAME", "-j", &image.display().to_string()])?;
        made.device = listed.trim().trim_start_matches("/dev/").to_owned();
        Ok(made)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("disk")
    }

    fn image(&self) -> PathBuf {
        self.folder.join("back").join("image")
    }

    /// Copies what the device has received. The writers must be stopped; what the kernel writes meanwhile is waited for.
    ///
    /// # Errors
    ///
    /// The device is never at rest, or there is no room.
    pub fn picture(&self, to: &Path) -> Result<(), String> {
        for _ in 0..PICTURE_TRIES_MAX {
            let before = self.traffic()?;
            copy_sparse(&self.image(), to).map_err(|error| error.to_string())?;
            if self.traffic()? == before {
                return Ok(());
            }
        }
        Err(format!("{} is written to all the time", self.device))
    }

    /// How much the device was asked for so far.
    fn traffic(&self) -> Result<String, String> {
        fs::read_to_string(format!("/sys/block/{}/stat", self.device)).map_err(|error| error.to_string())
    }

    /// Makes the file system meet an error, after which it lets nobody write.
    ///
    /// # Errors
    ///
    /// The kernel has no such switch.
    pub fn make_read_only(&self) -> Result<(), String> {
        let switch = format!("/sys/fs/ext4/{}/trigger_fs_error", self.device);
        fs::write(&switch, "of a test").map_err(|error| format!("{switch}: {error}"))
    }

    /// Takes away all room but so many bytes, until the file that is given is removed.
    ///
    /// # Errors
    ///
    /// The disk refused.
    pub fn fill(&self, free_bytes: u64) -> io::Result<PathBuf> {
        let ballast = self.path().join("ballast");
        let file = fs::File::create(&ballast)?;
        let mut length = 0;
        // The file system needs some of the room for its own lists, so it is asked for less and less.
        for step in [1 << 20, 64 << 10, 4 << 10] {
            let free = || rustix::fs::statvfs(self.path()).map_or(0, |room| room.f_bavail * room.f_frsize);
            let none = rustix::fs::FallocateFlags::empty();
            while free() >= free_bytes + step && rustix::fs::fallocate(&file, none, length, step).is_ok() {
                length += step;
            }
        }
        Ok(ballast)
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Copies a file without its holes.
fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let status = Command::new("cp").args(["--sparse=always"]).args([from, to]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("cp failed")) }
}

/// Removes disks whose process is gone.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok()).and_then(Pid::from_raw);
        if pid.is_some_and(|pid| test_kill_process(pid).is_err()) {
            remove(&entry.path());
        }
    }
}

/// Unmounts and removes the folder of a disk. Each step may find nothing to do.
fn remove(folder: &Path) {
    for name in ["disk", "back"] {
        let mut command = Command::new("umount");
        // Lazily: a process that was killed may not be quite gone.
        let _ = command.arg("-l").arg(folder.join(name)).stderr(Stdio::null()).status();
    }
    let _ = fs::remove_dir_all(folder);
}

fn run(program: &str, words: &[&str]) -> Result<(), String> {
    answer(program, words).map(drop)
}

fn answer(program: &str, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program} {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
