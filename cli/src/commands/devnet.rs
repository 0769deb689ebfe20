//! `roda devnet`: a test network of several nodes on this machine, each with a home of its own, on loopback only.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::process::{self, ReadyLine};
use crate::words;
use data_encoding::BASE32_NOPAD;
use roda_node::api::dto::{ErrorBody, Status};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Output as Ended, Stdio};
use std::{fs, io};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Nodes of one test network at most: each is a process with sockets and threads of its own.
const NODES_MAX: u16 = 200;

/// What to do with the test network.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Start it: again, if it was stopped
    Up(UpArgs),
    /// What its nodes are doing
    Status(Place),
    /// Stop it
    Down(DownArgs),
}

/// Where it is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// The folder of its homes [default: `devnet` in the home, or in the XDG state folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Its size and shape.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// How many nodes
    #[arg(short = 'n', long = "nodes", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    nodes: u16,
    /// Who is connected with whom at the start
    #[arg(long, default_value = "mesh")]
    topology: Topology,
    /// Where.
    #[command(flatten)]
    place: Place,
}

/// What to do beside stopping.
#[derive(Debug, clap::Args)]
pub(crate) struct DownArgs {
    /// Remove the homes, too
    #[arg(long)]
    purge: bool,
    /// Where.
    #[command(flatten)]
    place: Place,
}

/// Who dials whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Topology {
    /// Everybody with everybody.
    Mesh,
    /// Each with the next, and the last with the first.
    Ring,
    /// Each with the next.
    Line,
}

impl Topology {
    /// The earlier nodes that node `node` of `nodes` dials; nodes count from 1.
    fn dials(self, node: u16, nodes: u16) -> Vec<u16> {
        match self {
            _ if node == 1 => Vec::new(),
            Self::Mesh => (1..node).collect(),
            Self::Ring if node == nodes && nodes > 2 => vec![node - 1, 1],
            Self::Ring | Self::Line => vec![node - 1],
        }
    }
}

/// `devnet.json`: what a later start needs to make the same network again.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    network: String,
    nodes: u16,
    topology: Topology,
}

/// A line of `devnet up`.
#[derive(Debug, Serialize)]
struct Started {
    node: u16,
    home: String,
    network: String,
    peer_id: String,
    author: String,
    listen: Vec<String>,
    socket: String,
    pid: u32,
}

/// A line of `devnet status`.
#[derive(Debug, Serialize)]
struct State {
    node: u16,
    home: String,
    running: bool,
    peers: u64,
    events: u64,
    boards: u64,
    peer_id: Option<String>,
    pid: Option<u32>,
}

/// A line of `devnet down`.
#[derive(Debug, Serialize)]
struct Stopped {
    node: u16,
    home: String,
    stopped: bool,
}

/// Runs the command.
pub(crate) async fn run(command: Command, context: &Context, output: &mut Output) -> Result<(), CliError> {
    match command {
        Command::Up(args) => up(&args, &Folder::new(&args.place, context)?, output).await,
        Command::Status(place) => status(&Folder::new(&place, context)?, output).await,
        Command::Down(args) => down(&args, &Folder::new(&args.place, context)?, output).await,
    }
}

async fn up(args: &UpArgs, folder: &Folder, output: &mut Output) -> Result<(), CliError> {
    for (_, context) in folder.nodes() {
        if Client::new(&context).is_reachable().await {
            return Err(CliError::failed(
                "already_running",
                format!("a test network runs in {}", folder.path.display()),
            )
            .with_hint(format!(
                "look at it: {}\nstop it: {}",
                folder.command("status"),
                folder.command("down")
            )));
        }
    }
    let network = match folder.plan()? {
        Some(plan) => plan.network,
        None => network_name(),
    };
    let plan = Plan { network, nodes: args.nodes, topology: args.topology };
    folder.keep(&plan)?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| CliError::io("can't listen for signals", &error))?;
    let mut started: Vec<Started> = Vec::new();
    for node in 1..=plan.nodes {
        match start(node, &plan, folder, &started, &mut interrupt).await {
            Ok(line) => {
                output.object(&line, |look| {
                    let export = format!("export RODA_HOME={}", shell_words::quote(&line.home));
                    format!("{} node {node}  {export}", look.green("✓"))
                })?;
                started.push(line);
            }
            Err(error) => {
                for line in &started {
                    // The first failure is the one to tell.
                    let _ = process::stop(&Context::at(Path::new(&line.home))?).await;
                }
                return Err(error);
            }
        }
    }
    let (status, down) = (folder.command("status"), folder.command("down"));
    output.note(&format!(
        "network {}; paste one of the lines to be that node\nnext: {status}   stop it: {down}",
        plan.network
    ));
    Ok(())
}

/// Starts one node as `roda up --detach` does, connected to those before it.
async fn start(
    node: u16,
    plan: &Plan,
    folder: &Folder,
    before: &[Started],
    interrupt: &mut Signal,
) -> Result<Started, CliError> {
    let home = folder.home(node);
    let program = std::env::current_exe().map_err(|error| CliError::io("can't find this program", &error))?;
    let mut command = std::process::Command::new(program);
    command.arg("--home").arg(&home).args(["--json", "up", "--detach", "--network", &plan.network]);
    command.args(["--listen", "/ip4/127.0.0.1/tcp/0", "--mdns", "off", "--discover", "off", "--web", "off"]);
    for other in plan.topology.dials(node, plan.nodes) {
        let address = before.iter().find(|started| started.node == other).and_then(|started| started.listen.first());
        command.args(address.into_iter().flat_map(|address| ["--connect", address.as_str()]));
    }
    command.stdin(Stdio::null());
    let mut running = tokio::task::spawn_blocking(move || command.output());
    let ended = tokio::select! {
        ended = &mut running => ended,
        _ = interrupt.recv() => {
            // Either the start was interrupted, too, or there is a node by now that nobody wants.
            let _ = running.await;
            let _ = process::stop(&Context::at(&home)?).await;
            return Err(CliError::interrupted());
        }
    };
    let ended = ended.map_err(io::Error::other).and_then(|ended| ended);
    let ended = ended.map_err(|error| CliError::io("can't start a node", &error))?;
    line(node, &home, &ended)
}

fn line(node: u16, home: &Path, ended: &Ended) -> Result<Started, CliError> {
    let Ok(ready) = serde_json::from_slice::<ReadyLine>(&ended.stdout) else {
        let said = serde_json::from_slice::<ErrorBody>(&ended.stderr).map(|body| CliError::from(body.error));
        let mut error =
            said.unwrap_or_else(|_| CliError::failed("internal", String::from_utf8_lossy(&ended.stderr).trim()));
        error.message = format!("node {node} does not start, so the others were stopped: {}", error.message);
        return Err(error);
    };
    let ReadyLine { network, peer_id, author, listen, socket, pid, .. } = ready;
    Ok(Started { node, home: home.display().to_string(), network, peer_id, author, listen, socket, pid })
}

async fn status(folder: &Folder, output: &mut Output) -> Result<(), CliError> {
    let Some(plan) = folder.plan()? else { return Err(folder.none()) };
    for (node, context) in folder.nodes() {
        let status: Option<Status> = Client::new(&context).get("/api/v1/status").await.ok();
        let number = |field: fn(&Status) -> u64| status.as_ref().map_or(0, field);
        let state = State {
            node,
            home: context.place().display().to_string(),
            running: status.is_some(),
            peers: number(|status| status.peers),
            events: number(|status| status.events),
            boards: number(|status| status.boards),
            peer_id: status.as_ref().map(|status| status.peer_id.clone()),
            pid: status.as_ref().map(|status| status.pid),
        };
        output.object(&state, |look| {
            let (peers, events) = (words::count(state.peers, "peer"), words::count(state.events, "event"));
            let told = if state.running { format!("{peers}, {events}") } else { look.yellow("not running") };
            format!("node {node:<3}  {told:<24}  {}", look.dim(&state.home))
        })?;
    }
    output.note(&format!("network {}", plan.network));
    Ok(())
}

async fn down(args: &DownArgs, folder: &Folder, output: &mut Output) -> Result<(), CliError> {
    if folder.plan()?.is_none() {
        return Err(folder.none());
    }
    let mut stopped_any = false;
    let mut failure = None;
    for (node, context) in folder.nodes() {
        let stopped = match process::stop(&context).await {
            Ok(()) => true,
            Err(error) if error.code == "no_node" => false,
            Err(error) => {
                failure = Some(error);
                continue;
            }
        };
        stopped_any |= stopped;
        let line = Stopped { node, home: context.place().display().to_string(), stopped };
        output.object(&line, |look| {
            let what = if stopped { "has stopped" } else { "was not running" };
            format!("{} node {node} {what}", look.green("✓"))
        })?;
    }
    if let Some(error) = failure {
        return Err(error);
    }
    if args.purge {
        folder.remove()?;
        output.note(&format!("removed {}", folder.path.display()));
        return Ok(());
    }
    if stopped_any { Ok(()) } else { Err(folder.none()) }
}

/// A name that no other test network has by chance: 40 bits of the system's randomness.
fn network_name() -> String {
    let bits = RandomState::new().build_hasher().finish();
    format!("roda-devnet-{}", BASE32_NOPAD.encode(&bits.to_le_bytes()[..5]).to_ascii_lowercase())
}

/// The folder of a test network.
struct Folder {
    path: PathBuf,
    flag: String,
}

impl Folder {
    fn new(place: &Place, context: &Context) -> Result<Self, CliError> {
        let (path, flag) = match (&place.dir, &context.folder) {
            (Some(dir), _) => (dir.clone(), format!(" --dir {}", shell_words::quote(&dir.to_string_lossy()))),
            (None, Some(home)) => {
                (home.join("devnet"), format!(" --dir {}", shell_words::quote(&home.join("devnet").to_string_lossy())))
            }
            (None, None) => (context.home.state.join("devnet"), String::new()),
        };
        let path = std::path::absolute(&path)
            .map_err(|error| CliError::io(&format!("can't use {}", path.display()), &error))?;
        Ok(Self { path, flag })
    }

    fn command(&self, verb: &str) -> String {
        format!("roda devnet {verb}{}", self.flag)
    }

    fn home(&self, node: u16) -> PathBuf {
        self.path.join(format!("node-{node}"))
    }

    /// The nodes whose homes are there, also those of an earlier, larger network.
    fn nodes(&self) -> Vec<(u16, Context)> {
        let homes = (1..=NODES_MAX).map(|node| (node, self.home(node))).filter(|(_, home)| home.is_dir());
        homes.filter_map(|(node, home)| Some((node, Context::at(&home).ok()?))).collect()
    }

    fn plan(&self) -> Result<Option<Plan>, CliError> {
        let path = self.path.join("devnet.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CliError::io(&format!("can't read {}", path.display()), &error)),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            CliError::failed("invalid", format!("{} can't be read: {error}", path.display()))
                .with_hint("remove the folder and start the test network again")
        })
    }

    fn keep(&self, plan: &Plan) -> Result<(), CliError> {
        let path = self.path.join("devnet.json");
        let text =
            serde_json::to_string_pretty(plan).map_err(|error| CliError::failed("internal", error.to_string()))?;
        let kept = fs::create_dir_all(&self.path).and_then(|()| fs::write(&path, text + "\n"));
        kept.map_err(|error| CliError::io(&format!("can't write {}", path.display()), &error))
    }

    /// Removes the homes and the plan, and nothing else that may be in the folder.
    fn remove(&self) -> Result<(), CliError> {
        let homes = (1..=NODES_MAX).map(|node| self.home(node)).filter(|home| home.is_dir());
        for home in homes {
            fs::remove_dir_all(&home)
                .map_err(|error| CliError::io(&format!("can't remove {}", home.display()), &error))?;
        }
        let plan = self.path.join("devnet.json");
        fs::remove_file(&plan).map_err(|error| CliError::io(&format!("can't remove {}", plan.display()), &error))?;
        // Stays if somebody keeps other things there.
        let _ = fs::remove_dir(&self.path);
        Ok(())
    }

    fn none(&self) -> CliError {
        CliError::no_node(format!("no test network runs in {}", self.path.display()))
            .with_hint(format!("start one: {} -n 3", self.command("up")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_dials_what_it_says() {
        let dials =
            |topology: Topology, nodes: u16| (1..=nodes).map(|node| topology.dials(node, nodes)).collect::<Vec<_>>();
        assert_eq!(dials(Topology::Mesh, 4), [vec![], vec![1], vec![1, 2], vec![1, 2, 3]]);
        assert_eq!(dials(Topology::Line, 4), [vec![], vec![1], vec![2], vec![3]]);
        assert_eq!(dials(Topology::Ring, 4), [vec![], vec![1], vec![2], vec![3, 1]]);
        assert_eq!(dials(Topology::Ring, 2), [vec![], vec![1]]);
    }

    #[test]
    fn purging_leaves_what_the_network_did_not_make() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { dir: Some(folder.path().to_owned()) };
        let folder_of_net = Folder::new(&place, &Context::at(folder.path()).unwrap()).unwrap();
        folder_of_net.keep(&Plan { network: network_name(), nodes: 1, topology: Topology::Mesh }).unwrap();
        fs::create_dir_all(folder_of_net.home(1).join("data")).unwrap();
        fs::write(folder.path().join("mine.txt"), "x").unwrap();
        folder_of_net.remove().unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["mine.txt"]);
    }

    #[test]
    fn a_network_keeps_its_name() {
        let name = network_name();
        assert!(name.starts_with("roda-devnet-") && name.len() == 20, "{name}");
    }
}
