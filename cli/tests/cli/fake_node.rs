//! A node that is not one: it answers HTTP on the socket of a home as a test says, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path with query, such as `GET /api/v1/status`.
    pub(crate) what: String,
    /// The body.
    pub(crate) body: String,
}

/// How to answer.
pub(crate) enum Answer {
    /// A status and a body.
    Json(u16, String),
    /// Lines of a stream that then stays open.
    Open(String),
    /// Half an answer, and the end of the connection.
    Torn,
}

/// A running fake.
pub(crate) struct FakeNode {
    /// Its home.
    pub(crate) home: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeNode {
    /// Starts one that answers as `answer` says.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let run = home.path().join("run");
        std::fs::create_dir(&run).expect("a folder for the socket");
        let listener = UnixListener::bind(run.join("api.sock")).expect("a socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &heard, &*answer));
            }
        });
        Self { home, asked }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics with the lock").clone()
    }

    /// `roda` with this home and `--json`, with standard input closed.
    pub(crate) fn json(&self, words: &[&str]) -> Output {
        roda(self.home.path(), words).arg("--json").output().expect("roda runs")
    }

    /// `roda` with this home for a person.
    pub(crate) fn human(&self, words: &[&str]) -> Output {
        roda(self.home.path(), words).output().expect("roda runs")
    }
}

/// A command line of `roda` in a home.
pub(crate) fn roda(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roda"));
    command.args(words).env("RODA_HOME", home).env_remove("RODA_LOG").stdin(Stdio::null());
    command
}

fn serve(mut stream: UnixStream, heard: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Answer) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let what = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body");
    let asked = Asked { what, body: String::from_utf8(body).expect("a text") };
    heard.lock().expect("no test panics with the lock").push(asked.clone());
    // A client that goes away early is part of what is tested.
    let _ = match answer(&asked) {
        Answer::Json(status, body) => write!(
            stream,
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
        Answer::Torn => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{"),
        Answer::Open(lines) => {
            let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        }
    };
}

/// Standard output.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("a text")
}

/// Standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("a text")
}

/// The error object on standard error.
pub(crate) fn error(output: &Output) -> serde_json::Value {
    let text = stderr(output);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    value["error"].clone()
}
