//! Nodes that a test left running: found by the locks of their homes, and ended.

use roda_node::home::Home;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How deep below a folder homes are looked for: `devnet/node-1` of a home is at 3.
const DEPTH_MAX: usize = 4;

/// Ends every node whose home is below a folder: by `roda down`, and by the signal that nothing refuses where that fails.
pub fn end_nodes_below(folder: &Path, binary: &Path) {
    let mut homes = Vec::new();
    find(folder, DEPTH_MAX, &mut homes);
    for home in homes {
        if holder(&home).is_none() {
            continue;
        }
        // The lock decides, not what the command says.
        let _ = Command::new(binary).arg("--home").arg(&home).arg("down").stderr(Stdio::null()).output();
        if let Some(pid) = holder(&home) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The process that holds a home, if it can be told.
#[must_use]
pub fn holder(home: &Path) -> Option<u32> {
    // A process that can't be told is 0, and that is no process to end.
    Home::at(home).holder().ok().flatten().filter(|pid| *pid != 0)
}

fn find(folder: &Path, depth: usize, homes: &mut Vec<PathBuf>) {
    if folder.join("data").join("lock").is_file() {
        homes.push(folder.into());
    }
    if depth == 0 {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find(&entry.path(), depth - 1, homes);
        }
    }
}
