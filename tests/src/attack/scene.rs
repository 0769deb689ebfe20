//! A node under attack between two honest ones that know each other only through it, and a newcomer.

use super::Attack;
use super::crowd::{Crowd, Tally};
use crate::cluster::{Place, TestNode, network_name, text};
use crate::forge::Forge;
use crate::socket::{self, News};
use roda_protocol::id::SpaceId;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// An honest person posts so often, at the quickest. Much quicker than people do; a delay is seen the better for it.
const POST_INTERVAL: Duration = Duration::from_millis(250);

/// A post that has not come in so long after the attack has not come.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long a newcomer tries.
const NEWCOMER_PATIENCE: Duration = Duration::from_secs(60);

/// The nodes.
#[derive(Debug)]
pub struct Scene {
    victim: TestNode,
    poster: TestNode,
    other: TestNode,
    charter: roda_protocol::event::Signed,
    space: SpaceId,
}

/// What an attack did.
#[derive(Debug)]
pub struct Figures {
    /// Posts that were written while it went on.
    pub posted: usize,
    /// How many of them the node and its other peer did not hold in the end.
    pub lacking: [usize; 2],
    /// How long each took until node and other peer had told that they have it, ascending.
    pub delays: Vec<Duration>,
    /// The node's most resident memory, bytes.
    pub memory_bytes: u64,
    /// Processors that the node kept busy on average.
    pub processors: f64,
    /// What attackers did a second.
    pub rate: f64,
    /// Who came and who was sent away.
    pub tally: Arc<Tally>,
    /// How long a newcomer took to be connected and to have an honest post.
    pub newcomer: Option<Duration>,
    /// Of the node's two honest links, those that lasted.
    pub links: usize,
    /// Whether the node still runs.
    pub is_alive: bool,
    /// Lines of the node's log that speak of errors or panics.
    pub errors: usize,
    /// Bytes of the node's log.
    pub log_bytes: usize,
    /// Counters of `roda status` that began at nothing.
    pub counters: BTreeMap<String, u64>,
}

impl Figures {
    /// A delay that so many in a hundred posts kept, if so many came at all.
    #[must_use]
    pub fn delay(&self, percent: usize) -> Option<Duration> {
        let at = (self.posted * percent).div_ceil(100).saturating_sub(1);
        self.delays.get(at).copied()
    }

    /// How long half of those who were sent away had been there, and how many were.
    #[must_use]
    pub fn median_life(&self) -> Option<(Duration, usize)> {
        let lives = self.tally.lives();
        lives.get(lives.len() / 2).map(|life| (*life, lives.len()))
    }
}

/// Which honest posts are where, and since when.
#[derive(Debug, Default)]
struct Seen(Mutex<BTreeMap<String, Instant>>);

impl Seen {
    fn listen(news: News, is_over: Arc<AtomicBool>) -> (Arc<Self>, thread::JoinHandle<()>) {
        let seen = Arc::new(Self::default());
        let kept = Arc::clone(&seen);
        let listener = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let id = |line: &serde_json::Value| (line["event"] == "admitted").then(|| text(&line["id"]));
                if let Some((time, id)) = news.until(Duration::from_millis(100), id) {
                    kept.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, time);
                }
            }
        });
        (seen, listener)
    }

    fn time(&self, id: &str) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// Starts the nodes and lets them follow a board.
    #[must_use]
    pub fn new() -> Self {
        let network = network_name();
        // Only this one looks for others and tells of them: the honest ones know each other through it alone.
        let up = ["--mdns", "off", "--listen", "/ip4/127.0.0.1/tcp/0"].map(str::to_owned).to_vec();
        let victim = TestNode::start_at(&network, Place { prefix: Vec::new(), up }, &[]);
        let [poster, other] = [(); 2].map(|()| TestNode::start(&network));
        let charter = Forge::new(&network, 9).board("attacked");
        let space = charter.space();
        for node in [&victim, &poster, &other] {
            node.follow(&space.to_string());
            node.import(std::slice::from_ref(&charter));
        }
        poster.connect(&victim);
        other.connect(&victim);
        let scene = Self { victim, poster, other, charter, space };
        let first = scene.poster.post(&space.to_string(), "before the attack");
        let is_there = || scene.other.ids().contains(&first).then_some(());
        crate::wait::eventually("a first post", DEADLINE, is_there);
        scene
    }

    /// The node under attack.
    #[must_use]
    pub fn victim(&self) -> &TestNode {
        &self.victim
    }

    /// Attacks for so long, or half of a newcomer's patience longer while it still tries.
    ///
    /// # Panics
    ///
    /// If an honest node fails.
    pub fn endure(&mut self, attack: &Attack, lasts: Duration) -> Figures {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (tally, is_over) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
        let (start, end) = (Instant::now(), Instant::now() + lasts);
        let crowd = Crowd {
            address: self.victim.address().parse().expect("a node's own address"),
            network: roda_protocol::id::NetworkId::of(self.victim.network()),
            board: self.space,
            end,
            tally: Arc::clone(&tally),
        };
        let cpu_before = self.victim.cpu_seconds();
        let links_before = self.links();
        let (at_victim, victim_listener) = Seen::listen(self.victim.news(), Arc::clone(&is_over));
        let (at_other, other_listener) = Seen::listen(self.other.news(), Arc::clone(&is_over));
        let running = runtime.spawn((attack.run)(crowd));
        let (poster, board, charter) = (self.poster.socket(), self.space.to_string(), self.charter.clone());
        let (victim, posted) = (&self.victim, Mutex::new(Vec::new()));
        let newcomer = thread::scope(|scope| {
            let newcomer = scope.spawn(|| {
                thread::sleep(lasts / 3);
                newcomer(victim, &charter, &posted)
            });
            post(&poster, &board, end, &posted);
            let cpu = self.victim.cpu_seconds() - cpu_before;
            let time = start.elapsed();
            (newcomer.join().expect("the newcomer has no bug"), cpu / time.as_secs_f64(), time)
        });
        let (newcomer, processors, time) = newcomer;
        runtime.block_on(running).expect("an attacker has no bug");
        let rate = tally.total() as f64 / time.as_secs_f64();
        let posted = posted.into_inner().unwrap_or_else(PoisonError::into_inner);
        let arrival = |id: &str| Some(at_victim.time(id)?.max(at_other.time(id)?));
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline && posted.iter().any(|(id, _)| arrival(id).is_none()) {
            thread::sleep(Duration::from_millis(50));
        }
        // News of a node in such trouble can be too many for whoever listens; what it holds in the end is another matter.
        let late: Vec<&String> = posted.iter().map(|(id, _)| id).filter(|id| arrival(id).is_none()).collect();
        let lacking = [&self.victim, &self.other].map(|node| {
            let held: BTreeSet<String> =
                if late.is_empty() { BTreeSet::new() } else { node.ids().into_iter().collect() };
            late.iter().filter(|id| !held.contains(**id)).count()
        });
        is_over.store(true, Ordering::Relaxed);
        victim_listener.join().expect("a listener has no bug");
        other_listener.join().expect("a listener has no bug");
        runtime.shutdown_background();
        let mut delays: Vec<Duration> = posted
            .iter()
            .filter_map(|(id, start)| arrival(id).map(|there| there.saturating_duration_since(*start)))
            .collect();
        delays.sort_unstable();
        let (memory_bytes, log) = (self.victim.memory("VmHWM"), self.victim.log());
        let speaks_of_trouble = |line: &&str| line.contains("ERROR") || line.contains("panicked");
        Figures {
            posted: posted.len(),
            lacking,
            delays,
            memory_bytes,
            processors,
            rate,
            tally,
            newcomer,
            links: self.links().intersection(&links_before).count(),
            is_alive: self.victim.is_running(),
            errors: log.lines().filter(speaks_of_trouble).count(),
            log_bytes: log.len(),
            counters: self.counters(),
        }
    }

    /// The honest peers that the node is connected with, and since when.
    fn links(&self) -> BTreeSet<(String, u64)> {
        let honest = [&self.poster, &self.other].map(|node| text(&node.object(&["status"])["peer_id"]));
        let rows = self.victim.json(&["peers"]);
        let rows = rows.iter().map(|row| (text(&row["peer_id"]), row["since_ms"].as_u64().unwrap_or(0)));
        rows.filter(|(peer, _)| honest.contains(peer)).collect()
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let status = self.victim.object(&["status"]);
        let counters = status["counters"].as_object().into_iter().flatten();
        counters.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?))).collect()
    }
}

fn post(socket: &Path, board: &str, end: Instant, posted: &Mutex<Vec<(String, Instant)>>) {
    let mut number = 0;
    while Instant::now() < end {
        number += 1;
        let start = Instant::now();
        let body = json!({ "board": board, "title": format!("honest {number}"), "text": "words of a person" });
        let written = socket::post(socket, "/api/v1/posts", &body).expect("the honest node serves");
        posted.lock().unwrap_or_else(PoisonError::into_inner).push((text(&written["id"]), start));
        thread::sleep(POST_INTERVAL.saturating_sub(start.elapsed()));
    }
}

/// A node that nobody knows joins. How long until it is connected and has an honest post.
fn newcomer(
    victim: &TestNode,
    charter: &roda_protocol::event::Signed,
    posted: &Mutex<Vec<(String, Instant)>>,
) -> Option<Duration> {
    let node = TestNode::start(victim.network());
    node.follow(&charter.space().to_string());
    node.import(std::slice::from_ref(charter));
    let (news, start) = (node.news(), Instant::now());
    let is_in = || node.run(&["connect", &victim.address()]).status.success();
    while !is_in() {
        if start.elapsed() > NEWCOMER_PATIENCE {
            return None;
        }
    }
    let honest = || -> BTreeSet<String> {
        posted.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(id, _)| id.clone()).collect()
    };
    let rest = NEWCOMER_PATIENCE.saturating_sub(start.elapsed());
    let is_honest = |line: &serde_json::Value| {
        (line["event"] == "admitted" && honest().contains(line["id"].as_str().unwrap_or_default())).then_some(())
    };
    news.until(rest, is_honest).map(|(time, ())| time - start)
}
