//! How news spread over links that lose and delay.

use super::agree;
use crate::chance::Chance;
use crate::cluster::{TestNode, network_name};
use crate::hosts::{Host, Internet};
use crate::socket::{self, News};
use serde_json::json;
use std::fmt;
use std::time::{Duration, Instant};

/// How long one post may take to reach everybody.
const SPREADING_MAX: Duration = Duration::from_secs(60);

/// A network and its weather.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// Nodes, each on a host of its own.
    pub nodes: usize,
    /// Earlier nodes that each one dials.
    pub dials: usize,
    /// Posts, one after the other, each by a node drawn at random.
    pub posts: usize,
    /// Packets lost of a thousand, on the way from one host to another.
    pub loss_per_mille: u32,
    /// What each packet needs at least.
    pub delay_ms: u64,
    /// What it may need beyond that.
    pub jitter_ms: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Delivery {
    /// From the call that posts until another node has it: ascending, one for each post and other node.
    pub latencies: Vec<Duration>,
    /// Bytes that hosts received while posts spread, by post and receiving node, headers and all.
    pub bytes: u64,
    /// Copies of posts that nodes received, where they count them.
    pub copies: Option<u64>,
    /// Packets lost, of a thousand.
    pub lost_per_mille: u64,
}

impl Delivery {
    /// Copies of a post that a node received.
    #[must_use]
    pub fn copies(&self) -> Option<f64> {
        let deliveries = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX);
        self.copies.map(|copies| f64::from(u32::try_from(copies).unwrap_or(u32::MAX)) / f64::from(deliveries.max(1)))
    }

    /// A percentile of the latencies.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() * percent / 100).min(self.latencies.len() - 1)]
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, most] = [50, 99, 100].map(|percent| self.percentile(percent).as_millis());
        let copies = self.copies().map_or("not counted".to_owned(), |copies| format!("{copies:.2}"));
        write!(
            f,
            "{} deliveries: p50 {p50} ms, p99 {p99} ms, most {most} ms; copies received of a post {copies}, bytes {}; \
             {} of 1,000 packets lost",
            self.latencies.len(),
            self.bytes,
            self.lost_per_mille
        )
    }
}

/// Nodes that each dial a few earlier ones write in turn, in this weather.
///
/// # Panics
///
/// If a post does not reach everybody.
#[must_use]
pub fn delivery(scene: Scene) -> Delivery {
    let internet = Internet::new();
    let hosts: Vec<Host> = (0..scene.nodes)
        .map(|number| internet.host(&format!("host{number}"), &format!("5.{}.1.1", number + 1)))
        .collect();
    let network = network_name();
    let mut chance = Chance::new("delivery");
    let mut nodes: Vec<TestNode> = Vec::new();
    let mut addresses: Vec<String> = Vec::new();
    for host in &hosts {
        let mut earlier: Vec<&str> = addresses.iter().map(String::as_str).collect();
        chance.shuffle(&mut earlier);
        let node = host.node(&network, &earlier[..earlier.len().min(scene.dials)]);
        addresses.push(host.address_of(&node));
        nodes.push(node);
    }
    let board = nodes[0].found("weather");
    nodes[1..].iter().for_each(|node| node.follow(&board));
    let all: Vec<&TestNode> = nodes.iter().collect();
    agree(&all, 1);
    let news: Vec<News> = nodes.iter().map(|node| News::of(&node.socket())).collect();

    let weather = internet.weather(scene.loss_per_mille, scene.delay_ms, scene.jitter_ms);
    let copies = |nodes: &[TestNode]| nodes.iter().map(|node| node.counter("gossip_copies")).sum::<u64>();
    let (bytes_before, copies_before) = (internet.bytes(), copies(&nodes));
    let mut latencies = Vec::new();
    for number in 0..scene.posts {
        let writer = chance.below(nodes.len());
        let body = json!({ "board": board, "title": format!("Post {number}"), "text": "words" });
        let start = Instant::now();
        let answer = socket::post(&nodes[writer].socket(), "/api/v1/posts", &body).expect("the node takes a post");
        let id = answer["id"].as_str().expect("a post has an id");
        for (_, news) in news.iter().enumerate().filter(|(other, _)| *other != writer) {
            let admitted = news.admitted(id, SPREADING_MAX).expect("every post reaches every node");
            latencies.push(admitted.saturating_duration_since(start));
        }
    }
    latencies.sort_unstable();
    let deliveries = latencies.len().max(1) as u64;
    let received = copies(&nodes) - copies_before;
    let (passed, lost) = weather.packets();
    Delivery {
        latencies,
        bytes: (internet.bytes() - bytes_before) / deliveries,
        copies: (received > 0).then_some(received),
        lost_per_mille: lost * 1000 / (passed + lost).max(1),
    }
}
