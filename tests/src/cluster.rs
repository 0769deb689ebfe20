//! Nodes as processes, each with a home of its own, driven by the commands that a person would type.

use crate::binary::roda_binary;
use crate::forge;
use crate::socket::News;
use crate::wait::{DEADLINE, eventually};
use roda_protocol::event::Signed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How long a node may take to stop: what it promises.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// The name of a network that no other test is on.
#[must_use]
pub fn network_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// So many nodes of one network, not connected.
#[must_use]
pub fn nodes(count: usize) -> Vec<TestNode> {
    let network = network_name();
    (0..count).map(|_| TestNode::start(&network)).collect()
}

/// Where a node runs, and how it is told to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The words before `roda`.
    pub prefix: Vec<String>,
    /// The words after `up`, beside the network and whom to dial.
    pub up: Vec<String>,
}

impl Place {
    /// Loopback of this machine, and nothing else.
    #[must_use]
    pub fn loopback() -> Self {
        // Connected as the test says, and not otherwise.
        let up = ["--discover", "off", "--mdns", "off", "--listen", "/ip4/127.0.0.1/tcp/0", "--web", "off"];
        Self { prefix: Vec::new(), up: up.map(str::to_owned).to_vec() }
    }

    /// The same, with a web page on a free port.
    #[must_use]
    pub fn with_page() -> Self {
        let mut place = Self::loopback();
        place.up.pop();
        place.up.push("127.0.0.1:0".to_owned());
        place
    }
}

/// A node. It ends when this is dropped.
#[derive(Debug)]
pub struct TestNode {
    home: TempDir,
    network: String,
    place: Place,
    running: Option<Running>,
    ready: Value,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Kept open, so that the node has somebody to talk to.
    _stdout: BufReader<ChildStdout>,
}

impl TestNode {
    /// Starts a node with a new home.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(network: &str) -> Self {
        Self::start_at(network, Place::loopback(), &[])
    }

    /// Starts a node with a new home somewhere, dialling these.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start_at(network: &str, place: Place, connect: &[&str]) -> Self {
        let mut node = Self::stopped(network, place, &std::env::temp_dir());
        node.launch(connect);
        node
    }

    /// A node that was not started yet, with a new home in a folder.
    ///
    /// # Panics
    ///
    /// If the home can't be made.
    #[must_use]
    pub fn stopped(network: &str, place: Place, folder: &Path) -> Self {
        let home = tempfile::Builder::new().prefix("roda-").tempdir_in(folder).expect("a folder for the home");
        Self { home, network: network.to_owned(), place, running: None, ready: Value::Null }
    }

    /// A node that was not started yet, whose home is a copy of another.
    ///
    /// # Panics
    ///
    /// If it can't be copied.
    #[must_use]
    pub fn of_copy(network: &str, home: &Path) -> Self {
        let node = Self::stopped(network, Place::loopback(), &std::env::temp_dir());
        copy_folder(home, node.home());
        node
    }

    /// Says where, and how, the stopped node runs from its next start on.
    pub fn set_place(&mut self, place: Place) {
        self.place = place;
    }

    /// Starts the stopped node again with its home, dialling these.
    ///
    /// # Panics
    ///
    /// If it runs, or does not start.
    pub fn launch(&mut self, connect: &[&str]) {
        self.try_launch(connect).unwrap_or_else(|said| panic!("{said}"));
    }

    /// The same, and what the node said if it does not start.
    ///
    /// # Errors
    ///
    /// It ended with no line that says that it is ready.
    pub fn try_launch(&mut self, connect: &[&str]) -> Result<(), String> {
        let mut child = self.spawn(connect);
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the node says something");
        match serde_json::from_str(&line) {
            Ok(ready) => self.ready = ready,
            Err(_) => {
                child.wait().expect("it is ours");
                return Err(format!("no ready line but {line:?}: {}", self.log()));
            }
        }
        self.running = Some(Running { child, _stdout: stdout });
        Ok(())
    }

    /// Starts the stopped node and ends it with SIGKILL after so long, wherever it is by then.
    ///
    /// # Panics
    ///
    /// If it runs, or can't be started.
    pub fn launch_and_kill9(&mut self, after: Duration) {
        let mut child = self.spawn(&[]);
        // The point of time is what is random here, not something that is waited for.
        std::thread::sleep(after);
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }

    fn spawn(&self, connect: &[&str]) -> Child {
        assert!(self.running.is_none(), "the node runs already");
        let mut command = self.command_behind(&self.place.prefix);
        command.args(["--json", "up", "--network", &self.network]).args(&self.place.up);
        for address in connect {
            command.args(["--connect", address]);
        }
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a file for the node's log");
        command.stdout(Stdio::piped()).stderr(log).spawn().expect("`roda` starts")
    }

    /// Stops and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        self.launch(&[]);
    }

    /// Ends it in order.
    ///
    /// # Panics
    ///
    /// If it takes longer than it promises, or ends with an error.
    pub fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        terminate(&running.child);
        let status = eventually("the node's end", 2 * STOP_TIME_MAX, || running.child.try_wait().expect("it is ours"));
        assert!(status.success(), "the node ended with {status}: {}", self.log());
    }

    /// Ends it with SIGKILL.
    pub fn kill9(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.child.kill().expect("it is ours");
        running.child.wait().expect("it is ours");
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// What it said when it was ready.
    #[must_use]
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// What a person was told at the start.
    #[must_use]
    pub fn notices(&self) -> String {
        self.ready["notices"].to_string()
    }

    /// Its network.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The address that others dial.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn address(&self) -> String {
        self.ready["listen"][0].as_str().expect("it listens").to_owned()
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The folder of its log's segments.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.home().join("data/log")
    }

    /// The folder of its index.
    #[must_use]
    pub fn index_folder(&self) -> PathBuf {
        self.home().join("data/index")
    }

    /// The process.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.running.as_ref().expect("the node runs").child)
    }

    fn log_file(&self) -> PathBuf {
        self.home().join("stderr.txt")
    }

    /// What it wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The local API's socket.
    ///
    /// # Panics
    ///
    /// If the node was never ready.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.ready["socket"].as_str().expect("the ready line names it").into()
    }

    /// Listens to its news.
    #[must_use]
    pub fn news(&self) -> News {
        News::of(&self.socket())
    }

    /// `roda` with this home.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command_behind(&[])
    }

    fn command_behind(&self, prefix: &[String]) -> Command {
        let mut words = prefix.iter().map(OsString::from).chain([roda_binary().into()]);
        let mut command = Command::new(words.next().expect("`roda` at least"));
        command.args(words).arg("--home").arg(self.home()).env("RODA_LOG", "warn").stdin(Stdio::null());
        command
    }

    /// Runs a command of `roda`, whatever it ends with.
    ///
    /// # Panics
    ///
    /// If it can't be run.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Output {
        self.command().arg("--json").args(args).output().expect("`roda` runs")
    }

    /// Runs a command of `roda` and reads its lines.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(args);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "`roda {}`: {stderr}{}", args.join(" "), self.log());
        stdout.lines().map(|line| serde_json::from_str(line).expect("lines of JSON")).collect()
    }

    /// Runs a command that answers with one object.
    ///
    /// # Panics
    ///
    /// If it fails or answers otherwise.
    pub fn object(&self, args: &[&str]) -> Value {
        let mut lines = self.json(args);
        assert_eq!(lines.len(), 1, "`roda {}` gave {lines:?}", args.join(" "));
        lines.remove(0)
    }

    /// Runs a command that writes, and gives the new event's id.
    pub fn written(&self, args: &[&str]) -> String {
        text(&self.object(args)["id"])
    }

    /// Runs a command that must fail, and gives the error.
    ///
    /// # Panics
    ///
    /// If it succeeds, or fails without a word.
    pub fn refusal(&self, args: &[&str]) -> Value {
        refusal(&self.run(args))
    }

    /// Connects to another node.
    pub fn connect(&self, other: &Self) {
        self.object(&["connect", &other.address()]);
    }

    /// Founds a board whose events need no work, and gives its id.
    pub fn found(&self, name: &str) -> String {
        text(&self.object(&["board", "new", name, "--work", "0"])["board"])
    }

    /// Follows a board.
    pub fn follow(&self, board: &str) {
        self.object(&["follow", board]);
    }

    /// Starts a thread.
    pub fn post(&self, board: &str, title: &str) -> String {
        self.written(&["post", board, "-t", title, "-m", "words"])
    }

    /// Answers.
    pub fn reply(&self, id: &str, words: &str) -> String {
        self.written(&["reply", id, "-m", words])
    }

    /// A thread as this node shows it.
    pub fn read(&self, id: &str) -> Value {
        self.object(&["read", id])
    }

    /// A thread without what is a reader's own: what nodes with the same events agree on to the byte.
    pub fn shared_view(&self, id: &str) -> String {
        let mut thread = self.read(id)["thread"].take();
        forget_the_reader(&mut thread);
        thread.to_string()
    }

    /// Takes events in.
    ///
    /// # Panics
    ///
    /// If one is refused.
    pub fn import(&self, events: &[Signed]) {
        let report = self.import_any(events);
        let taken = report["imported"].as_u64().unwrap_or(0) + report["duplicate"].as_u64().unwrap_or(0);
        assert_eq!(taken, events.len() as u64, "{report}");
    }

    /// Takes events in and says what became of them.
    ///
    /// # Panics
    ///
    /// If the command fails.
    pub fn import_any(&self, events: &[Signed]) -> Value {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(forge::export_lines(events).as_bytes()).expect("there is room");
        self.object(&["import", &file.path().display().to_string()])
    }

    /// Ids of all events that it holds, ascending.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.json(&["export"]).iter().map(|line| text(&line["id"])).collect();
        ids.sort_unstable();
        ids
    }

    /// A number of `roda status`.
    pub fn events(&self) -> u64 {
        self.object(&["status"])["events"].as_u64().unwrap_or(0)
    }

    /// A counter of `roda status`; 0 if it is not there.
    pub fn counter(&self, name: &str) -> u64 {
        self.object(&["status"])["counters"][name].as_u64().unwrap_or(0)
    }

    /// Waits until it holds so many events.
    pub fn holds(&self, count: u64) {
        let what = format!("{count} events at {}", self.home().display());
        eventually(&what, DEADLINE, || (self.events() == count).then_some(()));
    }

    /// Compares boards with connected peers now.
    pub fn sync(&self) -> Vec<Value> {
        self.json(&["sync", "--wait", "30"])
    }

    /// Checks index and log.
    ///
    /// # Panics
    ///
    /// If there are problems.
    pub fn assert_sound(&self) {
        self.soundness().unwrap_or_else(|report| panic!("{report}"));
    }

    /// Checks index and log.
    ///
    /// # Errors
    ///
    /// The problems, with the node's log.
    pub fn soundness(&self) -> Result<(), String> {
        let output = self.run(&["fsck"]);
        let report = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            return Ok(());
        }
        Err(format!("fsck of {}: {report}{}", self.home().display(), self.log()))
    }

    /// A figure of the process in bytes: `VmRSS`, resident now, or `VmHWM`, resident at most so far.
    ///
    /// # Panics
    ///
    /// If the node does not run, or the system does not say.
    #[must_use]
    pub fn memory(&self, figure: &str) -> u64 {
        let pid = self.running.as_ref().expect("the node runs").child.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
        let line = status.lines().find(|line| line.starts_with(figure)).expect("the system says it");
        let kib = line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
        kib.expect("it is a number of KiB") * 1024
    }

    /// Processor time that the process has used so far, seconds, in steps of a hundredth.
    ///
    /// # Panics
    ///
    /// If the node does not run, or the system does not say.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        let pid = self.running.as_ref().expect("the node runs").child.id();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
        // Behind the name, which may hold anything, come fields 3 and on; 14 and 15 are user and system time.
        let behind = stat.rsplit_once(')').expect("the system says it").1;
        let ticks = behind.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().expect("a number"));
        f64::from(ticks.sum::<u32>()) / 100.0
    }

    /// Resident memory.
    #[must_use]
    pub fn rss_bytes(&self) -> u64 {
        self.memory("VmRSS")
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("RODA_TEST_LOG").is_some() {
            eprintln!("log of {}:\n{}", self.home().display(), self.log());
        }
        let Some(mut running) = self.running.take() else { return };
        terminate(&running.child);
        let start = std::time::Instant::now();
        while start.elapsed() < STOP_TIME_MAX && matches!(running.child.try_wait(), Ok(None)) {
            std::thread::yield_now();
        }
        // It may have ended just now; then this does nothing.
        let _ = running.child.kill();
        let _ = running.child.wait();
    }
}

/// Copies a folder with all that is in it but sockets.
///
/// # Panics
///
/// If the disk refuses.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder is there").flatten() {
        let (kind, target) = (entry.file_type().expect("the file is there"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).expect("there is room");
        }
    }
}

fn terminate(child: &Child) {
    // It may have ended already; whoever waits for it sees that.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}

/// The error that a failed command printed.
///
/// # Panics
///
/// If it succeeded, or said nothing.
#[must_use]
pub fn refusal(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(1),
        "expected a refusal: {stderr}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let mut said = stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    said.next_back().unwrap_or_else(|| panic!("no error object in {stderr:?}"))["error"].take()
}

/// A string of an answer.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

/// The nodes of a thread's tree, in reading order.
#[must_use]
pub fn flat(thread: &Value) -> Vec<&Value> {
    let mut found = vec![thread];
    for child in thread["children"].as_array().into_iter().flatten() {
        found.extend(flat(child));
    }
    found
}

fn forget_the_reader(node: &mut Value) {
    for field in ["unread", "mine", "board_name"] {
        if let Some(fields) = node.as_object_mut() {
            fields.remove(field);
        }
    }
    for child in node["children"].as_array_mut().into_iter().flatten() {
        forget_the_reader(child);
    }
}
