//! One `bash` for a page, in a temporary folder: variables, functions and jobs last from one command to the next.

use crate::homes;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use tempfile::TempDir;

/// How long one command may take before the page fails. Far above what any takes: a hang is to be told, not waited for.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(120);

/// A shell, its folder, and the nodes that are started in it.
pub(super) struct Shell {
    bash: Child,
    stdin: ChildStdin,
    codes: Receiver<String>,
    binary: PathBuf,
    /// The page's own folder, where its commands run.
    folder: TempDir,
    /// Where the runner keeps the commands and their output.
    steps: TempDir,
    number: usize,
}

/// What a command did.
pub(super) struct Done {
    /// Standard output and standard error in the order of writing, as on a terminal.
    pub(super) output: String,
    /// The exit code.
    pub(super) code: i32,
}

impl Shell {
    /// Starts it with `binary` as `roda`, and nothing else of the surroundings but the path.
    pub(super) fn start(binary: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("roda-book-").tempdir().expect("a temporary folder");
        let steps = tempfile::tempdir().expect("a temporary folder");
        let mut path = binary.parent().expect("a binary lies in a folder").as_os_str().to_owned();
        if let Some(more) = std::env::var_os("PATH") {
            path.push(":");
            path.push(more);
        }
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder.path())
            .env_clear()
            .envs([("NO_COLOR", "1"), ("COLUMNS", "120"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")])
            .env("PATH", path)
            .env("HOME", folder.path())
            .env("TMPDIR", steps.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is on this machine");
        let stdin = bash.stdin.take().expect("stdin is piped");
        let stdout = bash.stdout.take().expect("stdout is piped");
        let (sender, codes) = channel();
        std::thread::spawn(move || {
            // Ends with the shell, or with the page.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { bash, stdin, codes, binary: binary.into(), folder, steps, number: 0 }
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// It took too long, or ended the shell.
    pub(super) fn run(&mut self, command: &str) -> Result<Done, String> {
        self.number += 1;
        let file = |kind| self.steps.path().join(format!("{}.{kind}", self.number));
        let (script, output) = (file("sh"), file("out"));
        std::fs::write(&script, format!("{command}\n")).map_err(|error| error.to_string())?;
        let (script, output_word) = (script.display(), output.display());
        // Output goes to a file: a node in the background must not keep a pipe open.
        let line = format!(". {script} >{output_word} 2>&1 </dev/null; printf '%s\\n' \"$?\"\n");
        self.stdin.write_all(line.as_bytes()).map_err(|_| "an earlier command ended the shell".to_owned())?;
        let code = self.codes.recv_timeout(COMMAND_TIME_MAX).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("took longer than {} s", COMMAND_TIME_MAX.as_secs()),
            RecvTimeoutError::Disconnected => "ended the shell".to_owned(),
        })?;
        let code = code.trim().parse().map_err(|_| format!("{code:?} is no exit code"))?;
        let output = std::fs::read(&output).map_err(|error| error.to_string())?;
        Ok(Done { output: String::from_utf8_lossy(&output).into_owned(), code })
    }

    /// Sets a variable for the commands that follow.
    ///
    /// # Errors
    ///
    /// The shell is gone.
    pub(super) fn set(&mut self, name: &str, word: &str) -> Result<(), String> {
        self.run(&format!("{name}={word}")).map(|_| ())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // What the page left in the background, then the shell, then the nodes, which have left it.
        let _ = self.stdin.write_all(b"jobs -p | xargs -r kill 2>/dev/null; exit\n");
        homes::end_nodes_below(self.folder.path(), &self.binary);
        let _ = self.bash.kill();
        let _ = self.bash.wait();
    }
}
