//! The web page, asked as a browser asks: HTTP over TCP with cookies and the headers that browsers send. It runs no script,
//! loads no picture, and can lie about where a request comes from. Where the page speaks TLS it takes the one certificate whose
//! fingerprint it was told (`tls`).

#[path = "page/outside.rs"]
pub mod outside;
#[path = "page/tls.rs"]
mod tls;

use crate::cluster::TestNode;
use serde_json::Value;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its text.
    pub body: String,
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

/// A browser at a node's page.
#[derive(Clone, Debug)]
pub struct Browser {
    address: SocketAddr,
    /// The fingerprint of the certificate that it takes; `None`: it speaks no TLS.
    certificate: Option<String>,
    /// `name=value`, once logged in.
    cookie: Option<String>,
}

impl Browser {
    /// A browser that nobody knows.
    ///
    /// # Panics
    ///
    /// The link is none.
    #[must_use]
    pub fn at(link: &str) -> Self {
        let rest = link.strip_prefix("http://").expect("a link of this machine");
        let (address, _) = rest.split_once('/').expect("a path");
        Self { address: address.parse().expect("an address"), certificate: None, cookie: None }
    }

    /// A browser that nobody knows, at a page that speaks TLS with the certificate of this fingerprint.
    ///
    /// # Panics
    ///
    /// The link is none.
    #[must_use]
    pub fn secured_at(link: &str, certificate: &str) -> Self {
        let plain = link.replacen("https://", "http://", 1);
        Self { certificate: Some(certificate.to_owned()), ..Self::at(&plain) }
    }

    /// This browser, but calling the page at another address of this machine.
    #[must_use]
    pub fn calling(&self, ip: std::net::IpAddr) -> Self {
        Self { address: SocketAddr::new(ip, self.address.port()), ..self.clone() }
    }

    /// Where it calls.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A browser that is logged in by a fresh link of a node.
    ///
    /// # Panics
    ///
    /// It is not let in.
    #[must_use]
    pub fn of(node: &TestNode) -> Self {
        let said = node.object(&["web"]);
        let link = said["url"].as_str().expect("a link");
        let mut browser = match said["certificate"].as_str() {
            Some(certificate) => Self::secured_at(link, certificate),
            None => Self::at(link),
        };
        let answer = browser.get(&link[link.find("/login").expect("a login link")..]);
        assert_eq!(answer.status, 303, "{answer:?}");
        browser.take_cookie(&answer);
        browser
    }

    /// This browser with another's cookie.
    #[must_use]
    pub fn with_cookie_of(self, other: &Self) -> Self {
        Self { cookie: other.cookie.clone(), ..self }
    }

    /// Keeps the cookie of an answer.
    pub fn take_cookie(&mut self, answer: &Answer) {
        let cookie = answer.header("set-cookie").and_then(|line| line.split(';').next());
        self.cookie = cookie.map(str::to_owned);
    }

    /// Gets a page.
    ///
    /// # Panics
    ///
    /// The connection fails.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("sec-fetch-site", "none")], "")
    }

    /// Sends a form as the page itself would: with its token, and as the browser says, from the same origin.
    ///
    /// # Panics
    ///
    /// The connection fails.
    #[must_use]
    pub fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.form_token();
        let fields = [&[("form", token.as_str())], fields].concat();
        self.ask("POST", path, &[("sec-fetch-site", "same-origin"), FORM], &encoded(&fields))
    }

    /// The token that the pages' forms hold.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    pub fn form_token(&self) -> String {
        let page = self.get("/settings").body;
        let start = page.find("name=\"form\" value=\"").expect("a form") + 19;
        page[start..].split('"').next().expect("its end").to_owned()
    }

    /// Asks with these headers beside Host and Cookie; a Host among them replaces the right one.
    ///
    /// # Panics
    ///
    /// The connection fails.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.try_ask(method, path, headers, body).expect("the page answers")
    }

    /// Listens to a stream of server-sent events, from behind the one with this id.
    ///
    /// # Panics
    ///
    /// The stream does not begin.
    #[must_use]
    pub fn listen(&self, path: &str, last_id: Option<&str>) -> Events {
        let mut stream = self.connect().expect("the page answers");
        let cookie = self.cookie.as_deref().unwrap_or_default();
        let last = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let address = self.address;
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\naccept: text/event-stream\r\n{last}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the page takes the request");
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).expect("a status");
        assert!(line.contains(" 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line).expect("a header");
        }
        Events { lines }
    }

    /// A connection, and TLS on it where the page speaks it.
    ///
    /// # Errors
    ///
    /// The page does not answer, or has another certificate.
    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        match &self.certificate {
            None => Ok(Box::new(stream)),
            Some(certificate) => Ok(Box::new(tls::agree(stream, certificate)?)),
        }
    }

    /// The same as [`Self::ask`], and why it fails.
    ///
    /// # Errors
    ///
    /// The connection fails, or what answers speaks no HTTP.
    pub fn try_ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        if let Some(cookie) = &self.cookie {
            head.push_str(&format!("cookie: {cookie}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        // A door that refuses a large body does not read it to its end.
        let _ = stream.write_all(body.as_bytes());
        let mut text = Vec::new();
        let read = stream.read_to_end(&mut text);
        if text.is_empty() {
            read?;
        }
        parsed(&String::from_utf8_lossy(&text)).ok_or_else(|| io::Error::other("no HTTP"))
    }
}

/// A connection, with TLS or without.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A stream of server-sent events.
pub struct Events {
    lines: BufReader<Box<dyn Stream>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Events")
    }
}

impl Events {
    /// The next event: its id, its name, its data.
    ///
    /// # Panics
    ///
    /// None comes in time.
    pub fn next_event(&mut self) -> (String, String, Value) {
        let (mut id, mut name) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("news in time") > 0, "the stream ended");
            // The sizes of chunks and empty lines stand in between.
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = value.to_owned(),
                Some(("event", value)) => name = value.to_owned(),
                Some(("data", value)) => return (id, name, serde_json::from_str(value).expect("JSON")),
                _ => {}
            }
        }
    }
}

/// The type of a form's body.
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn parsed(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Answer { status, headers: lines.filter_map(header).collect(), body: body.to_owned() })
}

/// Fields as a form sends them.
#[must_use]
pub fn encoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(byte).collect::<String>()
    };
    let field = |(name, value): &(&str, &str)| format!("{}={}", escape(name), escape(value));
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}
