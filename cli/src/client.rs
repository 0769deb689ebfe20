//! The client of a node's local API: HTTP/1 over its Unix socket, one connection for each request.

use crate::args::Context;
use crate::error::CliError;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use roda_node::api::dto::ErrorBody;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::PathBuf;
use tokio::net::UnixStream;

/// Bytes of one line of a stream at most: far above the longest event in base64, far below what hurts.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A way to ask the node of one home.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    socket: PathBuf,
    place: String,
    up: String,
}

impl Client {
    /// A client for the node of this home, which may not run.
    #[must_use]
    pub(crate) fn new(context: &Context) -> Self {
        let place = context.place().display().to_string();
        Self { socket: context.home.socket(), place, up: context.command("up") }
    }

    /// Whether a node answers.
    pub(crate) async fn is_reachable(&self) -> bool {
        self.connect().await.is_ok()
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// No node, or what the node answers.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        decoded(self.request(Method::GET, path, Bytes::new(), "application/json").await?).await
    }

    /// Sends an object and reads one.
    ///
    /// # Errors
    ///
    /// No node, or what the node answers.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CliError> {
        let body = serde_json::to_vec(body).map_err(|error| CliError::failed("internal", error.to_string()))?;
        decoded(self.request(Method::POST, path, body.into(), "application/json").await?).await
    }

    /// Sends lines of JSON and reads an object.
    ///
    /// # Errors
    ///
    /// No node, or what the node answers.
    pub(crate) async fn post_lines<T: DeserializeOwned>(&self, path: &str, lines: Vec<u8>) -> Result<T, CliError> {
        decoded(self.request(Method::POST, path, lines.into(), "application/x-ndjson").await?).await
    }

    /// Reads lines of JSON as they come.
    ///
    /// # Errors
    ///
    /// No node, or what the node answers.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, CliError> {
        let response = self.request(Method::GET, path, Bytes::new(), "application/json").await?;
        Ok(Lines { body: response.into_body(), buffer: Vec::new(), start: 0, has_ended: false })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        content_type: &str,
    ) -> Result<Response<Incoming>, CliError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        // Its failure also ends the request or the body, which is where it is told.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "roda.local")
            .header("content-type", content_type)
            .body(Full::new(body))
            .map_err(|error| CliError::failed("internal", error.to_string()))?;
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(refusal(response).await);
        }
        Ok(response)
    }

    async fn connect(&self) -> Result<UnixStream, CliError> {
        UnixStream::connect(&self.socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
                let message = format!("no node is running in {}", self.place);
                CliError::no_node(message).with_hint(format!("start one: {}", self.up))
            }
            _ => CliError::io(&format!("can't reach the node at {}", self.socket.display()), &error),
        })
    }
}

/// Lines of JSON that arrive one by one.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
    has_ended: bool,
}

impl Lines {
    /// The next line that is not empty, without its end; none when the node has said all.
    ///
    /// # Errors
    ///
    /// The node went away in the middle, or a line is longer than any event.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, CliError> {
        loop {
            while let Some(line) = self.buffered()? {
                if !line.trim().is_empty() {
                    return Ok(Some(line));
                }
            }
            if self.has_ended {
                return Ok(None);
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(CliError::failed("internal", "the node sent a line longer than any event"));
            }
            match self.body.frame().await {
                None => self.has_ended = true,
                Some(frame) => {
                    let frame = frame.map_err(|error| lost(&error))?;
                    self.buffer.extend_from_slice(frame.data_ref().map_or(&[][..], |data| &data[..]));
                }
            }
        }
    }

    /// A line that is here whole. When there is none, the buffer is left with the beginning of the next one alone.
    fn buffered(&mut self) -> Result<Option<String>, CliError> {
        let rest = &self.buffer[self.start..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        if let Some(end) = end {
            self.start += end + 1;
            return text(&rest[..end]).map(Some);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.has_ended && !self.buffer.is_empty() {
            return text(&std::mem::take(&mut self.buffer)).map(Some);
        }
        Ok(None)
    }
}

fn text(line: &[u8]) -> Result<String, CliError> {
    let text =
        std::str::from_utf8(line).map_err(|_| CliError::failed("internal", "the node sent a line that is no text"))?;
    Ok(text.trim_end_matches('\r').to_owned())
}

async fn decoded<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, CliError> {
    let body = response.into_body().collect().await.map_err(|error| lost(&error))?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| {
        CliError::failed("internal", format!("the node's answer can't be read: {error}"))
            .with_hint("the node may be of another version: `roda down`, then `roda up`")
    })
}

async fn refusal(response: Response<Incoming>) -> CliError {
    let status = response.status();
    let body = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(body) => body.error.into(),
        Err(_) if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => {
            CliError::failed("not_there_yet", "this node does not know the request")
                .with_hint("it may be of another version: `roda down`, then `roda up`")
        }
        Err(_) => CliError::failed("internal", format!("the node answered with HTTP status {}", status.as_u16())),
    }
}

fn lost(error: &hyper::Error) -> CliError {
    CliError::failed("connection_lost", format!("the node went away before it had answered ({error})"))
        .with_hint("see whether it runs: roda status")
}

/// A text as one segment of a path or one value of a query.
#[must_use]
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_person_types_changes_the_path() {
        assert_eq!(encoded("ab12-F_~"), "ab12-F_~");
        assert_eq!(encoded("../x?y=1&ü\n"), "%2E%2E%2Fx%3Fy%3D1%26%C3%BC%0A");
    }
}
