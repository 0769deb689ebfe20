//! Loss and delay: every packet that an internet routes waits for its word.
//!
//! The kernel's own means for this (`netem`) is often not built in. Here packets go to a queue, and a thread lets each
//! one go on when its time has come, or never. Those from one host to another keep their order, as on most paths of the
//! internet. The kernels of the hosts see real losses: TCP repeats, and datagrams are gone.

use super::Namespace;
use super::queue::{NUMBER, Queue};
use crate::chance::Chance;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How soon the thread hears that it is to end.
const PATIENCE: Duration = Duration::from_millis(50);

/// What happens to a packet.
#[derive(Debug, Clone, Copy)]
struct Climate {
    loss_per_mille: u32,
    delay: Duration,
    jitter_us: u64,
}

#[derive(Debug, Default)]
struct Shared {
    ends: AtomicBool,
    passed: AtomicU64,
    lost: AtomicU64,
}

/// Bad weather, until it is dropped.
#[derive(Debug)]
pub struct Weather {
    core: Arc<Namespace>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Why this machine can't have weather; nothing if it can. Tried out once a process.
///
/// # Errors
///
/// What is missing, in a line.
pub fn weather_possible() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    let attempt = || {
        super::possible()?;
        let core = Arc::new(Namespace::create("try")?);
        Weather::begin(&core, 0, 0, 0).map(drop)
    };
    ANSWER.get_or_init(attempt).clone()
}

impl Weather {
    pub(super) fn begin(
        core: &Arc<Namespace>,
        loss_per_mille: u32,
        delay_ms: u64,
        jitter_ms: u64,
    ) -> Result<Self, String> {
        let queue = core.enter(Queue::open).map_err(|error| format!("no queue of packets: {error}"))?;
        queue_forwarded(core, true)?;
        let shared = Arc::new(Shared::default());
        let climate = Climate { loss_per_mille, delay: Duration::from_millis(delay_ms), jitter_us: jitter_ms * 1000 };
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || run(queue, climate, &for_thread));
        Ok(Self { core: Arc::clone(core), shared, thread: Some(thread) })
    }

    /// Packets that went on, and packets that did not.
    #[must_use]
    pub fn packets(&self) -> (u64, u64) {
        (self.shared.passed.load(Ordering::Relaxed), self.shared.lost.load(Ordering::Relaxed))
    }
}

impl Drop for Weather {
    fn drop(&mut self) {
        // Fails only where the namespace is gone.
        let _ = queue_forwarded(&self.core, false);
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it panicked with was printed.
            let _ = thread.join();
        }
    }
}

/// Sends what is routed to the queue, or no more. The words of `iptables`: some kernels have its queue and not nft's.
fn queue_forwarded(core: &Namespace, begins: bool) -> Result<(), String> {
    let (change, number) = (if begins { "-A" } else { "-D" }, NUMBER.to_string());
    core.run(&["iptables", "-w", change, "FORWARD", "-j", "NFQUEUE", "--queue-num", &number], "").map(drop)
}

fn run(mut queue: Queue, climate: Climate, shared: &Shared) {
    let mut chance = Chance::new("weather");
    let mut last: BTreeMap<[u8; 8], Instant> = BTreeMap::new();
    let mut waiting: BTreeMap<Instant, VecDeque<u32>> = BTreeMap::new();
    while !shared.ends.load(Ordering::Relaxed) {
        let now = Instant::now();
        let next = waiting.keys().next().map_or(PATIENCE, |due| due.saturating_duration_since(now).min(PATIENCE));
        let packets = queue.wait(next).expect("the kernel tells of packets");
        let now = Instant::now();
        for packet in packets {
            if chance.is(climate.loss_per_mille) {
                decide(&queue, packet.id, false);
                shared.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let due = now + climate.delay + Duration::from_micros(chance.between(0, climate.jitter_us));
            let last = last.entry(packet.flow).or_insert(due);
            *last = due.max(*last);
            waiting.entry(*last).or_default().push_back(packet.id);
            shared.passed.fetch_add(1, Ordering::Relaxed);
        }
        while let Some(due) = waiting.first_entry().filter(|due| *due.key() <= now) {
            due.remove().into_iter().for_each(|id| decide(&queue, id, true));
        }
    }
    waiting.into_values().flatten().for_each(|id| decide(&queue, id, true));
}

fn decide(queue: &Queue, id: u32, goes_on: bool) {
    // A packet whose namespace or interface went away meanwhile is gone with it.
    let _ = queue.decide(id, goes_on);
}
