//! Whether a node grows: resident memory, idle and through minutes of traffic.

use super::Options;
use super::holding::{self, Holding};
use super::table::Table;
use roda_tests::cluster::TestNode;
use roda_tests::socket;
use serde_json::json;
use std::time::{Duration, Instant};

/// Events that the node holds before.
const EVENTS: usize = 100_000;

/// Posts: one by each of two nodes, then a page that is read, so often.
const PACE: Duration = Duration::from_millis(100);

/// How long a node is left alone before it counts as idle.
const REST: Duration = Duration::from_secs(70);

/// Rows of the table.
const ROWS: u32 = 6;

/// The workload `memory`.
pub(crate) fn run(options: &Options, _: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let count = options.events.unwrap_or(EVENTS);
    let (mut node, boards) = holding::node(options.seed, count, &mut []);
    // At rest: started with all indexes made, and left alone until it has put by what only writing needs.
    holding::until_words_are_indexed(&node);
    node.stop();
    node.launch(&[]);
    std::thread::sleep(REST);
    let at_rest = node.rss_bytes();
    let other = TestNode::start(node.network());
    boards.iter().for_each(|board| other.follow(board));
    other.connect(&node);
    other.holds(node.events());
    let mib = |node: &TestNode| json!(node.rss_bytes() as f64 / 1_048_576.0);
    let mut table = Table::new(
        format!(
            "Resident memory of a node with {count} events, through {} minutes in which it and a peer write {} posts a second each, and are read",
            options.minutes,
            1.0 / PACE.as_secs_f64() / 2.0
        ),
        &["minute", "posts so far", "MiB", "MiB of the peer that fetched all", "MiB to reach"],
    );
    table.add(vec![json!("at rest"), json!(0), json!(at_rest as f64 / 1_048_576.0), json!(null), json!("100")]);
    table.add(vec![json!(0), json!(0), mib(&node), mib(&other), json!("100")]);
    let started = Instant::now();
    let part = Duration::from_secs(60) * options.minutes / ROWS;
    let mut posts: u32 = 0;
    for row in 1..=ROWS {
        while started.elapsed() < part * row {
            std::thread::sleep((started + PACE * posts).saturating_duration_since(Instant::now()));
            let writer = if posts.is_multiple_of(2) { &node } else { &other };
            let body = json!({
                "board": boards[posts as usize % boards.len()],
                "title": format!("Post {posts}"),
                "text": "words ".repeat(50),
            });
            let answer = socket::post(&writer.socket(), "/api/v1/posts", &body).expect("the node takes a post");
            posts += 1;
            let path = match posts % 20 {
                0 => "/api/v1/feed?limit=50".to_owned(),
                _ => format!("/api/v1/threads/{}", answer["id"].as_str().expect("a post has an id")),
            };
            socket::get(&writer.socket(), &path).expect("it serves");
        }
        let minute = f64::from(options.minutes * row) / f64::from(ROWS);
        table.add(vec![json!(minute), json!(posts), mib(&node), mib(&other), json!("100")]);
    }
    print(&table);
}
