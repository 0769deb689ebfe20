//! The local API, asked directly: HTTP/1.0 over the Unix socket, so that an answer is the rest of the stream.

use serde_json::Value;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Posts a body and gives the answer's.
///
/// # Errors
///
/// The connection failed, or the node refused; the answer is then in the error.
pub fn post(socket: &Path, path: &str, body: &Value) -> io::Result<Value> {
    post_text(socket, path, "application/json", &body.to_string())
}

/// Posts lines of JSON and gives the answer's body.
///
/// # Errors
///
/// As [`post`].
pub fn post_lines(socket: &Path, path: &str, lines: &str) -> io::Result<Value> {
    post_text(socket, path, "application/x-ndjson", lines)
}

fn post_text(socket: &Path, path: &str, kind: &str, body: &str) -> io::Result<Value> {
    let head = format!("POST {path} HTTP/1.0\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    answer(socket, &[&head, body].concat())
}

/// Gets an answer's body.
///
/// # Errors
///
/// As [`post`].
pub fn get(socket: &Path, path: &str) -> io::Result<Value> {
    answer(socket, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

/// Gets an answer's body as it came.
///
/// # Errors
///
/// As [`post`].
pub fn get_text(socket: &Path, path: &str) -> io::Result<String> {
    text(socket, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

fn answer(socket: &Path, request: &str) -> io::Result<Value> {
    Ok(serde_json::from_str(&text(socket, request)?)?)
}

fn text(socket: &Path, request: &str) -> io::Result<String> {
    let mut reader = ask(socket, request)?;
    let is_ok = skip_head(&mut reader)?;
    let mut answer = String::new();
    reader.read_to_string(&mut answer)?;
    if is_ok { Ok(answer) } else { Err(io::Error::other(answer)) }
}

fn ask(socket: &Path, request: &str) -> io::Result<BufReader<UnixStream>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(request.as_bytes())?;
    Ok(BufReader::new(stream))
}

/// Reads up to the body; whether the status is one of success.
fn skip_head(reader: &mut BufReader<UnixStream>) -> io::Result<bool> {
    let mut status = String::new();
    reader.read_line(&mut status)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    Ok(status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')))
}

/// What a node does, from the moment of [`News::of`] on, each with the time at which it was heard.
#[derive(Debug)]
pub struct News {
    lines: Receiver<(Instant, Value)>,
}

impl News {
    /// Listens to a node.
    ///
    /// # Panics
    ///
    /// If the node does not answer.
    #[must_use]
    pub fn of(socket: &Path) -> Self {
        let mut reader = ask(socket, "GET /api/v1/events HTTP/1.0\r\n\r\n").expect("the node listens");
        assert!(skip_head(&mut reader).expect("the node answers"), "the node refuses to tell its news");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in reader.lines() {
                let Ok(line) = line else { break };
                let Ok(value) = serde_json::from_str(&line) else { break };
                if sender.send((Instant::now(), value)).is_err() {
                    break;
                }
            }
        });
        Self { lines }
    }

    /// Passes over news until one is picked; `None` after the deadline, or when the node has stopped.
    pub fn until<T>(&self, deadline: Duration, mut pick: impl FnMut(&Value) -> Option<T>) -> Option<(Instant, T)> {
        let end = Instant::now() + deadline;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((time, line)) => {
                    if let Some(picked) = pick(&line) {
                        return Some((time, picked));
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Waits until the node has admitted an event, and says when.
    pub fn admitted(&self, id: &str, deadline: Duration) -> Option<Instant> {
        let is_it = |line: &Value| (line["event"] == "admitted" && line["id"] == id).then_some(());
        self.until(deadline, is_it).map(|(time, ())| time)
    }
}
