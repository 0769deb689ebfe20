//! Many attackers at once, at a pace, and what became of each.

use super::link::Link;
use libp2p::Multiaddr;
use roda_protocol::id::{NetworkId, SpaceId};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an attacker that was sent away rests before it comes back under another name.
const REST: Duration = Duration::from_millis(200);

/// How often a pace is kept.
const BEAT: Duration = Duration::from_millis(20);

/// What attackers know, and where they write down what they did. Clones share it.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// Where the node is.
    pub address: Multiaddr,
    /// Its network.
    pub network: NetworkId,
    /// A board that it follows.
    pub board: SpaceId,
    /// When to stop.
    pub end: Instant,
    /// What was done.
    pub tally: Arc<Tally>,
}

/// What attackers did and what became of them.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    links: AtomicU64,
    refused: AtomicU64,
    lives: Mutex<Vec<Duration>>,
    started: Mutex<Option<Instant>>,
    circuits: Mutex<Option<(usize, usize)>>,
}

impl Tally {
    /// Counts messages, frames, requests or connections: what the attack is made of.
    pub fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }

    /// How many were sent.
    pub fn total(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many connections came about.
    pub fn links(&self) -> u64 {
        self.links.load(Ordering::Relaxed)
    }

    /// How many connections did not come about.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// For each connection that the node ended: how long it was attacked over it, ascending.
    pub fn lives(&self) -> Vec<Duration> {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner).clone();
        lives.sort_unstable();
        lives
    }

    /// Notes that the node ended a connection.
    pub fn ended(&self, life: Duration) {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).push(life);
    }

    /// Circuits through the node that were carried at one moment: the most of all together, and of those that one peer had
    /// begun. Nothing if the attack has to do with others.
    pub fn circuits(&self) -> Option<(usize, usize)> {
        *self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that.
    pub fn carried(&self, most: usize, of_one: usize) {
        *self.circuits.lock().unwrap_or_else(PoisonError::into_inner) = Some((most, of_one));
    }

    /// When the first attacker was there.
    pub fn started(&self) -> Option<Instant> {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a connection came about.
    pub fn begun(&self) {
        self.links.fetch_add(1, Ordering::Relaxed);
        self.started.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }
}

impl Crowd {
    /// The topic of the board.
    #[must_use]
    pub fn topic(&self) -> String {
        roda_protocol::gossip::board_topic(&self.network, self.board)
    }

    /// Has so many peers connect and do something, for as long as they are let; whoever is sent away comes back under
    /// another name.
    pub async fn peers<F>(
        &self,
        count: usize,
        act: impl Fn(Self, Arc<Link>, usize) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let peer = |number: usize| {
            let (crowd, act) = (self.clone(), act.clone());
            tokio::spawn(async move {
                while Instant::now() < crowd.end {
                    match Link::to(&crowd.address, crowd.network).await {
                        Ok(link) => crowd.live(link, number, &act).await,
                        Err(_) => drop(crowd.tally.refused.fetch_add(1, Ordering::Relaxed)),
                    }
                    tokio::time::sleep(REST).await;
                }
            })
        };
        for peer in (0..count).map(peer).collect::<Vec<_>>() {
            peer.await.expect("an attacker has no bug");
        }
    }

    async fn live<F: Future<Output = ()> + Send>(
        &self,
        link: Link,
        number: usize,
        act: &(impl Fn(Self, Arc<Link>, usize) -> F + Sync),
    ) {
        self.tally.begun();
        let (link, start) = (Arc::new(link), Instant::now());
        tokio::select! {
            () = act(self.clone(), Arc::clone(&link), number) => {
                // It has said all, or a stream of it was closed: whether the connection lasts is another question.
                tokio::select! {
                    () = link.ended() => self.tally.ended(start.elapsed()),
                    () = tokio::time::sleep_until(self.end.into()) => {}
                }
            }
            () = link.ended() => self.tally.ended(start.elapsed()),
            () = tokio::time::sleep_until(self.end.into()) => {}
        }
    }
}

/// Keeps a rate, as far as whoever is asked to keep it is able to.
#[derive(Debug)]
pub struct Pace {
    per_second: f64,
    start: Instant,
    done: f64,
}

impl Pace {
    /// So many a second from now on.
    #[must_use]
    pub fn new(per_second: f64) -> Self {
        Self { per_second, start: Instant::now(), done: 0.0 }
    }

    /// Waits until it is time for the next. Time that was lost is not made up for beyond a second.
    pub async fn next(&mut self) {
        let due = self.start.elapsed().as_secs_f64() * self.per_second;
        self.done = self.done.max(due - self.per_second);
        while self.start.elapsed().as_secs_f64() * self.per_second < self.done {
            tokio::time::sleep(BEAT).await;
        }
        self.done += 1.0;
    }
}
