//! How fast a node that holds many events answers readers, alone and while it takes events in.

use super::Options;
use super::holding::{Holding, Large};
use super::table::Table;
use roda_protocol::id::NetworkId;
use roda_tests::mixture::{BOARDS, Mixture};
use roda_tests::socket;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads of one thing at most, and for how long at most.
const READS_MAX: usize = 200;
const READING: Duration = Duration::from_secs(5);

/// Events of one import beside the readers.
const AT_ONCE: usize = 2_000;

/// Nodes of a page.
const PAGE: usize = 200;

/// What is read, and how long it may take.
pub(crate) struct Reading {
    pub(crate) what: String,
    pub(crate) paths: Vec<String>,
    pub(crate) reach: &'static str,
}

/// The workload `read`.
pub(crate) fn run(options: &Options, holding: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let Large { node, threads, events } = holding.large(options);
    let socket = node.socket();
    let mut readings = vec![Reading {
        what: "the newest 50 posts".to_owned(),
        paths: vec!["/api/v1/feed?limit=50".to_owned()],
        reach: "2 ms",
    }];
    for (comments, root) in threads.iter() {
        let whole = format!("/api/v1/threads/{root}");
        let reach = if *comments > 1000 { "" } else { "10 ms" };
        readings.push(Reading {
            what: format!("a thread of {comments} comments, whole"),
            paths: vec![whole.clone()],
            reach,
        });
        readings.push(Reading {
            what: format!("the same, the first page of {PAGE}"),
            paths: vec![format!("{whole}?limit={PAGE}")],
            reach: "20 ms",
        });
        readings.push(Reading {
            what: "the same, pages from all over it".to_owned(),
            paths: pages(&socket, &whole),
            reach: "20 ms",
        });
    }
    let columns = ["what", "ms, the first", "p50", "p99", "reach"];
    let mut table = Table::new(format!("Reading of {events} events, through the API"), &columns);
    let get = |path: &str| drop(socket::get_text(&socket, path).expect("it serves"));
    readings.iter().for_each(|reading| table.add(measured(reading, Duration::ZERO, get)));
    print(&table);

    let columns = ["what", "ms, the first", "p50", "p99", "reach", "events/s taken in meanwhile"];
    let mut table = Table::new("The same while the node takes events in".to_owned(), &columns);
    let network = NetworkId::of(node.network());
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let mut mixture = Mixture::new(network, options.seed + 1, Mixture::start_for(1_000_000, now_ms));
    node.import(&mixture.take(BOARDS));
    mixture.boards().iter().for_each(|board| node.follow(&board.to_string()));
    for reading in &readings {
        let (is_over, mut written) = (AtomicBool::new(false), 0_u64);
        let started = Instant::now();
        let row = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    node.import(&mixture.take(AT_ONCE));
                    written += AT_ONCE as u64;
                }
            });
            let row = measured(reading, Duration::ZERO, get);
            is_over.store(true, Ordering::Relaxed);
            writer.join().expect("it takes them");
            row
        });
        let pace = written as f64 / started.elapsed().as_secs_f64();
        table.add(row.into_iter().chain([json!(pace.round() as u64)]).collect());
    }
    print(&table);
}

/// Calls for pages that stand far from each other in the thread.
fn pages(socket: &Path, whole: &str) -> Vec<String> {
    let mut after = String::new();
    let mut paths = Vec::new();
    // Every step passes over a page of 1,000 answers to the post.
    for _ in 0..20 {
        let step = socket::get(socket, &format!("{whole}?depth=1&limit=1000{after}")).expect("it serves");
        let Some(last) = step["nodes"][0]["more"]["after"].as_str() else { break };
        after = format!("&after={last}");
        paths.push(format!("{whole}?limit={PAGE}{after}"));
    }
    if paths.is_empty() { vec![format!("{whole}?limit={PAGE}&depth=1")] } else { paths }
}

/// A row of what is read so often, with a pause before each time: its first time, and the percentiles.
pub(crate) fn measured(reading: &Reading, pause: Duration, get: impl Fn(&str)) -> Vec<Value> {
    let started = Instant::now();
    let mut times = Vec::new();
    while times.len() < READS_MAX && (times.len() < 3 || started.elapsed() < READING) {
        std::thread::sleep(pause);
        let start = Instant::now();
        get(&reading.paths[times.len() % reading.paths.len()]);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let first = times[0];
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| json!(times[(times.len() * percent).div_ceil(100).max(1) - 1]);
    vec![json!(reading.what), json!(first), at(50), at(99), json!(reading.reach)]
}
