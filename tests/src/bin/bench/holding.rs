//! A node that holds many events: how it starts, what it takes of memory, how it reads, and how it gets a new index.

use super::table::Table;
use super::{Options, ingest};
use roda_node::store::{Arrival, LocalRecord, SpaceRow};
use roda_protocol::event::{Signed, Verified};
use roda_protocol::id::{EventId, NetworkId};
use roda_tests::cluster::{TestNode, network_name};
use roda_tests::mixture::{BOARDS, Mixture};
use roda_tests::socket;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const EVENTS: usize = 1_000_000;

/// Comments of the threads that are read.
const THREADS: [usize; 2] = [1_000, 100_000];

/// Events that are made and stored at once.
const STEP: usize = 10_000;

/// Reads of one thing at most, and for how long at most.
const READS_MAX: usize = 200;
const READING: Duration = Duration::from_secs(5);

/// A node that holds a mixture of so many events and these threads, and its boards. What it holds was written straight into
/// its log and index, with the store's own code.
pub(crate) fn node(seed: u64, events: usize, threads: &mut [(usize, EventId)]) -> (TestNode, Vec<String>) {
    let mut node = TestNode::start(&network_name());
    node.stop();
    let network = NetworkId::of(node.network());
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let comments: usize = threads.iter().map(|(comments, _)| comments).sum();
    let mut mixture = Mixture::new(network, seed, Mixture::start_for(events + comments, now_ms));
    let folder = node.index_folder().parent().expect("the index is in a folder").to_path_buf();
    let store = ingest::open(&folder, network);
    let put = |events: Vec<Signed>| {
        let arrival = |event: Signed| {
            let received_ms = event.header().created_ms;
            // Just signed: that it holds need not be checked.
            let event = Verified::recall(&network, event.bytes()).expect("a forge keeps the rules");
            Arrival { event, received_ms, is_own: false }
        };
        let arrivals: Vec<Arrival> = events.into_iter().map(arrival).collect();
        store.take_in(&arrivals).expect("there is room");
    };
    put(mixture.take(BOARDS));
    let follows: Vec<LocalRecord> = mixture
        .boards()
        .iter()
        .map(|space| LocalRecord::Space { space: *space, row: SpaceRow { followed: true, open_name: None } })
        .collect();
    store.note(&follows).expect("there is room");
    for (comments, root) in threads {
        let thread = mixture.thread(*comments);
        *root = thread[0].id();
        put(thread);
    }
    let mut left = events.saturating_sub(BOARDS + comments);
    while left > 0 {
        let step = left.min(STEP);
        put(mixture.take(step));
        left -= step;
    }
    store.flush().expect("there is room");
    let boards = mixture.boards().iter().map(ToString::to_string).collect();
    drop(store);
    node.launch(&[]);
    (node, boards)
}

/// The workload `held`.
pub(crate) fn run(options: &Options, print: &mut dyn FnMut(&Table)) {
    let count = options.events.unwrap_or(EVENTS);
    let mut threads: Vec<(usize, EventId)> = THREADS
        .iter()
        .filter(|comments| **comments * 2 <= count)
        .map(|comments| (*comments, EventId([0; 32])))
        .collect();
    let (mut node, _) = node(options.seed, count, &mut threads);
    let mut table = Table::new(format!("A node that holds {count} events"), &["what", "unit", "p50", "p99", "reach"]);
    let mut row = |what: String, unit: &str, p50: Value, p99: Value, reach: &str| {
        table.add(vec![json!(what), json!(unit), p50, p99, json!(reach)]);
    };
    for is_new in [false, true] {
        node.stop();
        if is_new {
            std::fs::remove_dir_all(node.index_folder()).expect("it is there");
        }
        let started = Instant::now();
        node.launch(&[]);
        let status = node.object(&["status"]);
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(status["events"].as_u64(), Some(count as u64 + threads.len() as u64), "{status}");
        let (what, reach) =
            if is_new { ("a start without the index", "60 s") } else { ("start to first answer", "2 s") };
        row(what.to_owned(), "s", json!(seconds), Value::Null, reach);
        row("resident then".to_owned(), "MiB", json!(node.rss_bytes() as f64 / 1048576.0), Value::Null, "100 MiB");
    }
    let socket = node.socket();
    let mut read = |what: String, path: &str, reach: &str| {
        let started = Instant::now();
        let mut times = Vec::new();
        while times.len() < READS_MAX && (times.len() < 3 || started.elapsed() < READING) {
            let start = Instant::now();
            socket::get(&socket, path).expect("it serves");
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| json!(times[(times.len() * percent).div_ceil(100).max(1) - 1]);
        row(what, "ms", at(50), at(99), reach);
    };
    read("the newest 50 posts".to_owned(), "/api/v1/feed?limit=50", "2 ms");
    for (comments, root) in &threads {
        let reach = if *comments > 1000 { "20 ms a page" } else { "10 ms" };
        read(format!("a thread of {comments} comments"), &format!("/api/v1/threads/{root}"), reach);
    }
    print(&table);
}
