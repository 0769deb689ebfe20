//! A network namespace: a machine as far as its network is concerned.

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where `ip netns` keeps namespaces by name.
const FOLDER: &str = "/run/netns";

/// What the names of ours begin with; the process follows, and a number.
const PREFIX: &str = "roda-test-";

/// A namespace. It ends when this is dropped, with whatever runs in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one with only loopback, and without IPv6: whoever waits for its addresses to be checked waits seconds.
    ///
    /// # Errors
    ///
    /// The system's word.
    pub(super) fn create(what: &str) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-{what}", std::process::id());
        output(Command::new("ip").args(["netns", "add", &name]), "")?;
        let namespace = Self { name };
        namespace.set("net/ipv6/conf/all/disable_ipv6", "1");
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its name for `ip netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The words before a command that is to run in it. What runs is the command itself, with no process in between.
    #[must_use]
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// Runs commands of `ip`, one a line, in it.
    ///
    /// # Errors
    ///
    /// The first that fails, in the words of `ip`.
    pub(super) fn ip(&self, lines: &str) -> Result<String, String> {
        output(Command::new("ip").args(["-n", &self.name, "-batch", "-"]), lines)
    }

    /// Runs a script of `nft` in it: all of it or nothing.
    ///
    /// # Errors
    ///
    /// What `nft` says.
    pub(super) fn nft(&self, script: &str) -> Result<String, String> {
        self.run(&["nft", "-f", "-"], script)
    }

    /// Runs a command in it to its end and gives what it wrote.
    ///
    /// # Errors
    ///
    /// What it says when it fails.
    pub(super) fn run(&self, words: &[&str], input: &str) -> Result<String, String> {
        let prefix = self.prefix();
        output(Command::new(&prefix[0]).args(&prefix[1..]).args(words), input)
    }

    /// Does something in it: sockets that are made there stay there.
    ///
    /// # Panics
    ///
    /// If it can't be entered, or what is done panics.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        // A thread that has left its namespace is of no use to anybody else.
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| {
                let door = File::open(self.path()).expect("the namespace is there");
                move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter");
                act()
            });
            entered.join().expect("what is done in a namespace does not panic")
        })
    }

    /// Sets a variable of its kernel, below `/proc/sys`.
    pub(super) fn set(&self, name: &str, value: &str) {
        // A kernel without IPv6 has no variable for it.
        self.enter(|| drop(std::fs::write(Path::new("/proc/sys").join(name), value)));
    }

    /// Lets it have addresses of IPv6, which count at once.
    pub(super) fn allow_six(&self) {
        for interfaces in ["default", "all"] {
            self.set(&format!("net/ipv6/conf/{interfaces}/accept_dad"), "0");
            self.set(&format!("net/ipv6/conf/{interfaces}/disable_ipv6"), "0");
        }
    }

    fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes namespaces of processes that are no more.
pub(super) fn sweep() {
    for entry in std::fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if maker.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            remove(&name);
        }
    }
}

/// Ends what runs in a namespace, then removes it.
fn remove(name: &str) {
    // Whatever fails here fails for a namespace that is gone already.
    let inside = output(Command::new("ip").args(["netns", "pids", name]), "").unwrap_or_default();
    for pid in inside.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let _ = output(Command::new("ip").args(["netns", "del", name]), "");
}

/// Runs a command with words on its standard input, and gives what it wrote.
fn output(command: &mut Command, input: &str) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: io::Error| format!("`{name}` can't be run: {error}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever ends early says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{name}`: {}", said.split_whitespace().collect::<Vec<_>>().join(" ")))
}
