//! A node that knows nothing fetches everything from another: two processes on loopback.

use super::Options;
use super::holding::{self, Holding};
use super::ingest;
use super::table::Table;
use roda_tests::cluster::TestNode;
use roda_tests::socket;
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const SIZES: [usize; 2] = [10_000, 100_000];

/// Beyond this a figure is a failure.
const DEADLINE: Duration = Duration::from_secs(600);

/// How often the fetching node is asked how far it is: seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(20);

/// The workload `sync`.
pub(crate) fn run(options: &Options, _: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let mut table = Table::new(
        "Cold sync: two nodes on loopback, from the connection until all is held".to_owned(),
        &[
            "events",
            "seconds",
            "events/s",
            "of ingest, same run",
            "reach",
            "µs CPU an event, fetching",
            "giving",
            "of both cores",
            "bytes on the wire an event",
            "reach",
            "seconds until words are found, too",
        ],
    );
    for count in options.events.map_or(SIZES.to_vec(), |events| vec![events]) {
        let taken_in = ingest::pace(options.seed, count);
        let (giving, boards) = holding::node(options.seed, count, &mut []);
        holding::until_words_are_indexed(&giving);
        let fetching = TestNode::start(giving.network());
        boards.iter().for_each(|board| fetching.follow(board));
        let (total, cpu) = (giving.events(), (fetching.cpu_seconds(), giving.cpu_seconds()));
        let started = Instant::now();
        fetching.connect(&giving);
        let socket = fetching.socket();
        let held = || socket::get(&socket, "/api/v1/status").expect("it serves")["events"].as_u64().unwrap_or(0);
        while held() < total {
            assert!(started.elapsed() < DEADLINE, "the events come");
            std::thread::sleep(LOOK);
        }
        let seconds = started.elapsed().as_secs_f64();
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let bytes = received(&fetching);
        let (fetching_cpu, giving_cpu) = (fetching.cpu_seconds() - cpu.0, giving.cpu_seconds() - cpu.1);
        holding::until_words_are_indexed(&fetching);
        let worded = started.elapsed().as_secs_f64();
        let an_event = |seconds: f64| json!(seconds * 1e6 / count as f64);
        table.add(vec![
            json!(count),
            json!(seconds),
            json!((count as f64 / seconds).round() as u64),
            json!(count as f64 / seconds / taken_in),
            json!("0.9"),
            an_event(fetching_cpu),
            an_event(giving_cpu),
            json!((fetching_cpu + giving_cpu) / seconds / cores),
            bytes.map_or(Value::Null, |bytes| json!(bytes / count as f64)),
            json!("600"),
            json!(worded),
        ]);
        fetching.assert_sound();
    }
    print(&table);
}

/// Bytes that a node has received and sent by TCP on connections that are open, without the kernel's headers, as `ss` says;
/// `None` where there is no `ss`.
fn received(node: &TestNode) -> Option<f64> {
    let output = Command::new("ss").args(["-tniHp"]).output().ok()?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let pid = format!("pid={},", node.pid().as_raw_nonzero());
    let mut sum = 0;
    // A line for each connection, and one with its figures behind it.
    for (_, figures) in lines.lines().zip(lines.lines().skip(1)).filter(|(line, _)| line.contains(&pid)) {
        let of = |name: &str| -> Option<u64> {
            figures.split_whitespace().find_map(|word| word.strip_prefix(name))?.parse().ok()
        };
        sum += of("bytes_received:").unwrap_or(0) + of("bytes_acked:").unwrap_or(0);
    }
    (sum > 0).then_some(sum as f64)
}
