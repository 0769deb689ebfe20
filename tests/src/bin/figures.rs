//! Figures of this build on this machine, as one table: `cargo run --release -p roda-tests --bin figures`.

use roda_tests::cluster::{nodes, text};
use roda_tests::forge::Forge;
use roda_tests::socket;
use serde_json::json;
use std::time::{Duration, Instant};

/// Posts whose way to a second node is measured.
const POSTS: usize = 50;

/// Events of the large measurements.
const EVENTS: usize = 10_000;

/// Beyond this a figure is a failure.
const DEADLINE: Duration = Duration::from_secs(300);

fn main() {
    let rows = [delivery(), size()].concat();
    let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{:width$}  {profile} build", "figure");
    for (what, figure) in rows {
        println!("{what:width$}  {figure}");
    }
}

type Rows = Vec<(String, String)>;

fn row(what: &str, figure: String) -> (String, String) {
    (what.to_owned(), figure)
}

/// How long a post takes to a second node.
fn delivery() -> Rows {
    let nodes = nodes(2);
    let board = nodes[0].found("figures");
    nodes[0].connect(&nodes[1]);
    nodes[1].follow(&board);
    nodes[1].holds(1);
    let news = nodes[1].news();
    let socket = nodes[0].socket();
    let arrival = |id: &str, start: Instant| news.admitted(id, DEADLINE).expect("it arrives") - start;
    let (mut by_command, mut by_socket) = (Vec::new(), Vec::new());
    for number in 0..POSTS {
        let start = Instant::now();
        let id = nodes[0].post(&board, &format!("By command {number}"));
        by_command.push(arrival(&id, start));
        let start = Instant::now();
        let body = json!({ "board": board, "title": format!("By socket {number}"), "text": "words" });
        let written = socket::post(&socket, "/api/v1/posts", &body).expect("it serves");
        by_socket.push(arrival(&text(&written["id"]), start));
    }
    let idle = nodes[0].rss_bytes();
    vec![
        row("post, from the start of the command to the second node", middle(by_command)),
        row("post, from the call of the API to the second node", middle(by_socket)),
        row("resident memory of a node with 100 events", mib(idle)),
    ]
}

/// What ten thousand events cost.
fn size() -> Rows {
    let nodes = nodes(2);
    let fresh = nodes[1].rss_bytes();
    let events = Forge::new(nodes[0].network(), 1).thread("figures", EVENTS - 2);
    let bytes: usize = events.iter().map(|event| event.bytes().len()).sum();
    let board = events[0].space().to_string();
    nodes[0].follow(&board);
    let start = Instant::now();
    nodes[0].import(&events);
    let import = start.elapsed();
    nodes[1].follow(&board);
    let start = Instant::now();
    nodes[1].connect(&nodes[0]);
    nodes[1].holds(EVENTS as u64);
    let cold = start.elapsed();
    let disk = nodes[0].object(&["status"])["disk_bytes"].as_u64().unwrap_or(0);
    let mut nodes = nodes;
    nodes[0].restart();
    let per_event = |bytes: u64| bytes as f64 / EVENTS as f64;
    let (own, kept) = (per_event(bytes as u64), per_event(disk));
    vec![
        row("resident memory of a fresh node", mib(fresh)),
        row("the same after import of 10,000 events and a restart", mib(nodes[0].rss_bytes())),
        row("the same after a cold sync of 10,000 events", mib(nodes[1].rss_bytes())),
        row("bytes of an event", format!("{own:.0}")),
        row("bytes on disk for an event, log and index", format!("{kept:.0}, {:.2} times its own", kept / own)),
        row("import of 10,000 events", seconds(import)),
        row("cold sync of 10,000 events to a second node", seconds(cold)),
    ]
}

/// Median and 95th percentile.
fn middle(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1000.0;
    format!("median {:.1} ms, p95 {:.1} ms of {}", at(50), at(95), times.len())
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
