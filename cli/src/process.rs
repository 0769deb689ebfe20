//! Nodes as processes: starting one in the background, and waiting until one is gone.

use crate::args::Context;
use crate::client::Client;
use crate::error::{CliError, Kind};
use roda_node::api::dto::ErrorBody;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long a node may take to stop before the command says that it did not. Twice what it promises.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// How often to look whether another process has let go of a home: the system tells nobody.
const STOP_LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// Bytes of a log after which the next start puts it aside.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Bytes at the end of a log in which the reason of a failed start is looked for.
const LOG_TAIL_BYTES: u64 = 64 * 1024;

/// What a detached node logs if `RODA_LOG` doesn't say: nobody watches it, so it says a little more.
const LOG_FILTER_DETACHED: &str = "warn,roda=info,roda_node=info";

/// What a node says when it serves: the first line of `roda up --json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReadyLine {
    /// Always `ready`.
    pub(crate) event: String,
    /// The network's name.
    pub(crate) network: String,
    /// The node's libp2p name.
    pub(crate) peer_id: String,
    /// Who writes there.
    pub(crate) author: String,
    /// Addresses with `/p2p/`.
    pub(crate) listen: Vec<String>,
    /// The API's socket.
    pub(crate) socket: String,
    /// A one-time login link for the web page, if there is one.
    pub(crate) web: Option<String>,
    /// SHA-256 of the page's certificate, if it is served by TLS.
    #[serde(default)]
    pub(crate) certificate: Option<String>,
    /// The process.
    pub(crate) pid: u32,
    /// Whether the home was empty before.
    pub(crate) is_new: bool,
    /// What a person should know.
    pub(crate) notices: Vec<String>,
}

/// Starts a node that outlives this process and its terminal, and returns its ready object when it serves.
///
/// # Errors
///
/// The node's own error, with its kind, if it does not come up; interrupted if the person does not want to wait.
pub(crate) async fn start_detached(context: &Context, arguments: Vec<OsString>) -> Result<ReadyLine, CliError> {
    context.home.create()?;
    let path = context.home.log_file();
    let (log, log_start) =
        open_log(&path).map_err(|error| CliError::io(&format!("can't write {}", path.display()), &error))?;
    let program = std::env::current_exe().map_err(|error| CliError::io("can't find this program", &error))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0);
    if std::env::var_os("RODA_LOG").is_none() {
        command.env("RODA_LOG", LOG_FILTER_DETACHED);
    }
    let mut interrupts =
        signal(SignalKind::interrupt()).map_err(|error| CliError::io("can't listen for signals", &error))?;
    let mut child = command.spawn().map_err(|error| CliError::io("can't start a node", &error))?;
    let first_line = child.stdout.take().map(|stdout| tokio::task::spawn_blocking(move || first_line(stdout)));
    let line = tokio::select! {
        line = async { match first_line { Some(line) => line.await.unwrap_or_default(), None => String::new() } } => line,
        _ = interrupts.recv() => {
            stop_child(&mut child);
            return Err(CliError::interrupted());
        }
    };
    if let Ok(ready) = serde_json::from_str(&line) {
        return Ok(ready);
    }
    let code = child.wait().ok().and_then(|status| status.code()).unwrap_or(1);
    Err(failure(&path, log_start, code))
}

fn first_line(stdout: ChildStdout) -> String {
    let mut line = String::new();
    // A child that ends without a word leaves it empty.
    let _ = BufReader::new(stdout).read_line(&mut line);
    line
}

fn stop_child(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn open_log(path: &Path) -> std::io::Result<(File, u64)> {
    if fs::metadata(path).is_ok_and(|log| log.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let start = log.metadata()?.len();
    Ok((log, start))
}

/// The error that a child wrote to its log before it ended.
fn failure(log: &Path, start: u64, exit_code: i32) -> CliError {
    let text = log_tail(log, start).unwrap_or_default();
    let said = text.lines().rev().find_map(|line| serde_json::from_str::<ErrorBody>(line).ok());
    let mut error = match said {
        Some(body) => CliError::from(body.error),
        None => CliError::failed("internal", "the node ended before it could serve"),
    };
    error.kind = Kind::of_exit_code(exit_code);
    if error.code == "internal" {
        error = error.and_hint(&format!("its log: {}", log.display()));
    }
    error
}

fn log_tail(log: &Path, start: u64) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(start.max(end.saturating_sub(LOG_TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Asks the node of a home to stop, and waits until it is gone.
///
/// # Errors
///
/// No node runs, or it does not stop in time.
pub(crate) async fn stop(context: &Context) -> Result<(), CliError> {
    let asked: Result<Value, CliError> = Client::new(context).post("/api/v1/shutdown", &serde_json::json!({})).await;
    match asked {
        // A node that stops at once may not finish its answer.
        Ok(_) => {}
        Err(error) if error.code == "connection_lost" => {}
        // It may be on its way down already, or not up yet.
        Err(error) if error.kind == Kind::NoNode && matches!(context.home.holder(), Ok(Some(_))) => {}
        Err(error) => return Err(error),
    }
    let mut looks = tokio::time::interval(STOP_LOOK_INTERVAL);
    let wait = async {
        while matches!(context.home.holder(), Ok(Some(_))) {
            looks.tick().await;
        }
    };
    if tokio::time::timeout(STOP_TIME_MAX, wait).await.is_ok() {
        return Ok(());
    }
    let process = context.home.holder().ok().flatten().map(|pid| format!(" (process {pid})")).unwrap_or_default();
    let message = format!("the node{process} did not stop within {} s", STOP_TIME_MAX.as_secs());
    Err(CliError::failed("busy", message).with_hint("it loses nothing if it is ended by force: kill -9"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failed_start_is_read_from_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("node.log");
        let old = "{\"error\":{\"code\":\"storage\",\"message\":\"old\",\"hint\":\"\"}}\n";
        let new = "a warning\n{\"error\":{\"code\":\"locked_home\",\"message\":\"taken\",\"hint\":\"h\"}}\n";
        fs::write(&log, format!("{old}{new}")).unwrap();
        let error = failure(&log, old.len() as u64, 1);
        assert_eq!((error.code.as_str(), error.message.as_str(), error.kind), ("locked_home", "taken", Kind::Failed));
        assert_eq!(failure(&log, (old.len() + new.len()) as u64, 2).kind, Kind::Usage);
    }

    #[tokio::test]
    async fn stopping_where_nothing_runs_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::at(folder.path()).unwrap();
        assert_eq!(stop(&context).await.unwrap_err().kind, Kind::NoNode);
    }
}
