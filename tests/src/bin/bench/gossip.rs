//! How news spread among many nodes on one machine.

use super::Options;
use super::holding::Holding;
use super::table::Table;
use roda_tests::chance::Chance;
use roda_tests::cluster::{TestNode, network_name};
use roda_tests::socket::{self, News};
use serde_json::json;
use std::time::{Duration, Instant};

/// Nodes, each a process, that dial so many earlier ones each.
const NODES: usize = 20;
const DIALS: usize = 3;

/// Posts, and how long one comes after the other: 20 a second.
const POSTS: usize = 400;
const PACE: Duration = Duration::from_millis(50);

/// How long one post may take to reach everybody.
const SPREADING_MAX: Duration = Duration::from_secs(60);

/// The workload `gossip`.
pub(crate) fn run(options: &Options, _: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let posts = options.events.unwrap_or(POSTS);
    let mut chance = Chance::new(&format!("gossip {}", options.seed));
    let network = network_name();
    let mut nodes: Vec<TestNode> = Vec::new();
    for _ in 0..NODES {
        let node = TestNode::start(&network);
        let mut earlier: Vec<&TestNode> = nodes.iter().collect();
        chance.shuffle(&mut earlier);
        earlier.iter().take(DIALS).for_each(|other| node.connect(other));
        nodes.push(node);
    }
    let board = nodes[0].found("news");
    nodes[1..].iter().for_each(|node| node.follow(&board));
    nodes.iter().for_each(|node| node.holds(1));
    let news: Vec<News> = nodes.iter().map(|node| News::of(&node.socket())).collect();
    let sockets: Vec<_> = nodes.iter().map(TestNode::socket).collect();
    let copies = || nodes.iter().map(|node| node.counter("gossip_copies")).sum::<u64>();
    let cpu = || nodes.iter().map(TestNode::cpu_seconds).sum::<f64>();
    let (copies_before, cpu_before) = (copies(), cpu());
    let started = Instant::now();
    let mut written = Vec::with_capacity(posts);
    for number in 0..posts {
        let due = started + PACE * u32::try_from(number).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let writer = chance.below(NODES);
        let body = json!({ "board": board, "title": format!("Post {number}"), "text": "words" });
        let start = Instant::now();
        let answer = socket::post(&sockets[writer], "/api/v1/posts", &body).expect("the node takes a post");
        written.push((writer, answer["id"].as_str().expect("a post has an id").to_owned(), start));
    }
    let mut latencies: Vec<f64> = Vec::with_capacity(posts * NODES);
    for (reader, news) in news.iter().enumerate() {
        let mut missing: Vec<&(usize, String, Instant)> =
            written.iter().filter(|(writer, ..)| *writer != reader).collect();
        while !missing.is_empty() {
            let came = |line: &serde_json::Value| {
                let is_it = |(_, id, _): &&(usize, String, Instant)| line["event"] == "admitted" && line["id"] == **id;
                missing.iter().position(is_it)
            };
            let Some((time, at)) = news.until(SPREADING_MAX, came) else { break };
            latencies.push(time.saturating_duration_since(missing.swap_remove(at).2).as_secs_f64() * 1e3);
        }
    }
    let wanted = posts * (NODES - 1);
    latencies.sort_by(f64::total_cmp);
    let at = |percent: usize| json!(latencies[(latencies.len() * percent).div_ceil(100).max(1) - 1]);
    let mut table = Table::new(
        format!("Gossip: {NODES} nodes as processes on loopback, {posts} posts, 20 a second"),
        &["delivered", "of", "p50 ms", "p99 ms", "most ms", "copies of a post a node", "ms CPU a delivery"],
    );
    let deliveries = latencies.len().max(1) as f64;
    table.add(vec![
        json!(latencies.len()),
        json!(wanted),
        at(50),
        at(99),
        at(100),
        json!((copies() - copies_before) as f64 / deliveries),
        json!((cpu() - cpu_before) * 1e3 / deliveries),
    ]);
    print(&table);
}
