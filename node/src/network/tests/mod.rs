//! Real nodes on loopback. Every wait has one generous deadline; none is for a fixed time.

mod connections;
mod finding;
mod gossip;
mod requests;

use crate::engine::Judgement;
use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::*;

/// In how long anything happens, on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(60);

const TOPIC: &str = "/roda/1/test";

/// A node and what it has told so far.
struct Node {
    network: Network,
    events: mpsc::Receiver<Event>,
}

/// Each test is a network of its own (a test's thread bears its name): ports are used again, and a test must not meet
/// the nodes of another.
fn config(node: u8) -> NetworkConfig {
    let thread = std::thread::current();
    let test = thread.name().expect("tests have names");
    NetworkConfig {
        key_seed: blake3::derive_key(test, &[node]),
        network_id: blake3::derive_key(test, b"network"),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        mdns: false,
        discover: true,
        proxy: None,
        relay: true,
        dht: true,
        upnp: false,
        address_book: None,
        connect: Vec::new(),
        bootstrap: Vec::new(),
        agent: "test".to_owned(),
    }
}

async fn start(config: NetworkConfig) -> Node {
    let (sender, events) = mpsc::channel(16 * 1024);
    let network = Network::start(config, sender).await.expect("the node starts");
    Node { network, events }
}

/// Starts a node on a certain port, once whoever has it in the meantime has left.
async fn start_at(config: NetworkConfig, address: &str) -> Node {
    within("a free port", async {
        loop {
            let (inbox, events) = mpsc::channel(1024);
            let config = NetworkConfig { listen: vec![address.to_owned()], ..config.clone() };
            match Network::start(config, inbox).await {
                Ok(network) => break Node { network, events },
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

impl Node {
    async fn send(&self, command: Command) {
        self.network.send(command).await.expect("the network runs");
    }

    async fn next(&mut self) -> Event {
        within("an event", self.events.recv()).await.expect("the network runs")
    }

    /// Passes over events until one is picked.
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        within(what, async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        })
        .await
    }

    fn peer(&self) -> Peer {
        self.network.local_peer().clone()
    }

    fn address(&self) -> String {
        self.network.listen_addresses()[0].clone()
    }

    async fn dial(&self, address: &str) -> Result<Peer, String> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Dial { address: address.to_owned(), reply }).await;
        within("the answer to a dial", answer).await.expect("every dial is answered")
    }

    async fn up(&mut self, other: &Peer) {
        let came = |event| matches!(event, Event::PeerUp { peer, .. } if peer == *other).then_some(());
        self.until("a peer's coming", came).await;
    }

    async fn down(&mut self, other: &Peer) {
        let went = |event| matches!(event, Event::PeerDown { peer } if peer == *other).then_some(());
        self.until("a peer's going", went).await;
    }

    async fn subscribe(&self, topic: &str) {
        self.send(Command::Subscribe { topic: topic.to_owned() }).await;
    }

    async fn follows(&mut self, other: &Peer, topic: &str) {
        let follows = |event| {
            matches!(event, Event::Subscribed { peer, topic: followed } if peer == *other && followed == topic)
                .then_some(())
        };
        self.until("a subscription", follows).await;
    }

    async fn publish(&mut self, topic: &str, bytes: Vec<u8>) -> Result<(), PublishFailure> {
        self.send(Command::Publish { topic: topic.to_owned(), bytes, token: 7 }).await;
        let published = |event| match event {
            Event::Published { token: 7, result } => Some(result),
            _ => None,
        };
        self.until("the fate of a message", published).await
    }

    async fn message(&mut self) -> (Vec<u8>, Delivery) {
        let message = |event| match event {
            Event::Message { bytes, delivery, .. } => Some((bytes, delivery)),
            _ => None,
        };
        self.until("a message", message).await
    }

    async fn judge(&self, delivery: Delivery, verdict: Judgement) {
        self.send(Command::Judge { delivery, verdict }).await;
    }

    async fn request(&mut self, peer: &Peer, body: Vec<u8>) -> Result<Vec<u8>, RequestFailure> {
        self.send(Command::Request { peer: peer.clone(), token: 9, body }).await;
        let response = |event| match event {
            Event::Response { token: 9, result } => Some(result),
            _ => None,
        };
        self.until("a response", response).await
    }

    /// Waits for the next request.
    async fn asked(&mut self) -> (Vec<u8>, ReplyToken) {
        let request = |event| match event {
            Event::Request { body, reply, .. } => Some((body, reply)),
            _ => None,
        };
        self.until("a request", request).await
    }

    /// Answers every request with its own bytes, until the network ends.
    fn echo(self) -> JoinHandle<()> {
        let Self { network, mut events } = self;
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Request { body, reply, .. } = event {
                    network.try_send(Command::Respond { reply, body }).expect("there is room");
                }
            }
        })
    }
}

/// Two connected nodes; the first has dialled.
async fn pair() -> (Node, Node) {
    let (mut one, mut two) = (start(config(1)).await, start(config(2)).await);
    let (first, second) = (one.peer(), two.peer());
    assert_eq!(one.dial(&two.address()).await, Ok(second.clone()));
    one.up(&second).await;
    two.up(&first).await;
    (one, two)
}
