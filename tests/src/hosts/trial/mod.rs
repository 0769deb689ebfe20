//! What is measured on hosts, each by a function that makes its own network. They panic where a promise is broken, and
//! give figures where it is kept.

mod delivery;
mod finding;
mod forwarded;
mod heal;
mod household;
mod moving;
mod nat;
mod proxied;
mod six;
mod sleep;

pub use delivery::{Delivery, Scene, delivery};
pub use finding::{Alone, alone, poisoned};
pub use forwarded::{forwarded_port, forwarding_possible};
pub use heal::{Cut, heal};
pub use household::household;
pub use moving::moving;
pub use nat::{Meeting, Way, meeting, renewal};
pub use proxied::{Packets, proxied};
pub use six::{Six, only_six};
pub use sleep::{sleep, sleep_possible};

use crate::cluster::TestNode;
use crate::wait::eventually;
use std::time::{Duration, Instant};

/// In how long anything happens that has to happen.
const DEADLINE: Duration = Duration::from_secs(120);

/// Whether a node holds an event.
fn has(node: &TestNode, id: &str) -> bool {
    node.run(&["read", id]).status.success()
}

/// Waits until a node shows a post.
fn shows(node: &TestNode, id: &str) {
    eventually(&format!("{id} at {}", node.home().display()), DEADLINE, || has(node, id).then_some(()));
}

/// Waits until all hold so many events, and gives the time that it took. Then their ids are the same.
fn agree(nodes: &[&TestNode], events: u64) -> Duration {
    let start = Instant::now();
    for node in nodes {
        let what = format!("{events} events at {}", node.home().display());
        eventually(&what, DEADLINE, || (node.events() == events).then_some(()));
    }
    let took = start.elapsed();
    let ids = nodes[0].ids();
    assert!(nodes.iter().all(|node| node.ids() == ids), "equal numbers of different events");
    took
}

/// The peers of a node, by id.
fn peers(node: &TestNode) -> Vec<String> {
    node.json(&["peers"]).iter().filter_map(|peer| peer["peer_id"].as_str().map(str::to_owned)).collect()
}

/// A node's own id.
fn id(node: &TestNode) -> String {
    node.ready()["peer_id"].as_str().expect("a node has an id").to_owned()
}
