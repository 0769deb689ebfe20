//! Two hosts behind routers, and one node that everybody reaches: an ordinary one, which follows nothing of theirs.

use super::{DEADLINE, agree, id, peers};
use crate::cluster::{Place, TestNode, network_name};
use crate::hosts::{Host, Internet, Nat, Switch};
use crate::wait::eventually;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a relayed connection is given to become a direct one, where theory says that it can't.
const PUNCHING_MAX: Duration = Duration::from_secs(15);

/// The same, where theory says that it can.
const PUNCHED_MAX: Duration = Duration::from_secs(25);

/// How two nodes ended up connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Without anybody in between: also with the public node out of reach.
    Direct,
    /// Through the public node.
    Relayed,
    /// Not at all.
    None,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Meeting {
    /// How they ended up connected.
    pub way: Way,
    /// From the start of the first node until others can dial it, directly or through the public node.
    pub reachable: Duration,
    /// From dialling until they are connected in any way.
    pub connected: Option<Duration>,
    /// From dialling until they are connected directly.
    pub direct: Option<Duration>,
    /// Why they are not connected.
    pub failure: String,
}

impl fmt::Display for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let text = match self.way {
            Way::Direct => format!("direct {}", seconds(self.direct)),
            Way::Relayed => format!("relayed {}", seconds(self.connected)),
            Way::None => format!("failed: {}", self.failure),
        };
        f.pad(&text)
    }
}

/// A public node, and one behind each of two routers that is connected to it.
struct Stage {
    // Nodes end before their hosts, and those before what joins them.
    left: TestNode,
    right: TestNode,
    public: TestNode,
    hosts: [(Host, Option<Switch>); 2],
    public_host: Host,
    internet: Internet,
    reachable: Duration,
}

impl Stage {
    fn set(left: Nat, right: Nat) -> Self {
        let internet = Internet::new();
        let public_host = internet.host("public", "185.12.4.4");
        let network = network_name();
        let mut place = talkative(&public_host);
        // The same port after a restart.
        for listen in ["/ip4/0.0.0.0/tcp/7716", "/ip4/0.0.0.0/udp/7716/quic-v1"] {
            place.up.extend(["--listen".to_owned(), listen.to_owned()]);
        }
        let public = TestNode::start_at(&network, place, &[]);
        let address = public_host.address_of(&public);
        let hosts = [internet.host_behind(left, "left", "5.9.1.1"), internet.host_behind(right, "right", "46.4.2.2")];
        let start = Instant::now();
        let [left, right] =
            hosts.each_ref().map(|(host, _)| TestNode::start_at(&network, talkative(host), &[&address]));
        let mut stage = Self { left, right, public, hosts, public_host, internet, reachable: Duration::ZERO };
        let _ = stage.way_to_left();
        stage.reachable = start.elapsed();
        stage
    }

    /// Where the left node is dialled, as soon as it can be.
    fn way_to_left(&self) -> String {
        let (host, router) = &self.hosts[0];
        if router.is_none() {
            return host.address_of(&self.left);
        }
        eventually("that the node is reached", DEADLINE, || {
            let status = self.left.object(&["status"]);
            if status["reachability"] == "public" {
                return Some(status["confirmed"][0].as_str()?.to_owned());
            }
            // Whoever knows where the public node is can name the way through it, as soon as that has a place.
            let through =
                || format!("{}/p2p-circuit/p2p/{}", self.public_host.address_of(&self.public), id(&self.left));
            self.has_place(&self.left).then(through)
        })
    }

    /// Whether the public node holds a place for another one.
    fn has_place(&self, node: &TestNode) -> bool {
        let relays = node.object(&["status"])["relays"].take();
        relays.as_array().is_some_and(|relays| relays.iter().any(|relay| relay == id(&self.public).as_str()))
    }

    /// Addresses of both sides on the internet.
    fn outside(&self) -> [Ipv4Addr; 2] {
        self.hosts.each_ref().map(|(host, router)| router.as_ref().map_or(host.address(), Switch::address))
    }

    /// Whether either node says that it has a direct connection to the other.
    fn is_direct(&self) -> bool {
        [(&self.left, &self.right), (&self.right, &self.left)].into_iter().any(|(node, other)| {
            let is_direct = |peer: &serde_json::Value| {
                peer["peer_id"] == id(other).as_str()
                    && peer["addr"].as_str().is_some_and(|address| !address.contains("p2p-circuit"))
            };
            node.json(&["peers"]).iter().any(is_direct) || node.log().contains("connected directly, beside the relay")
        })
    }
}

/// How a node is started that tells what happens to its connections.
fn talkative(host: &Host) -> Place {
    let mut place = host.place();
    place.prefix.extend(["env".to_owned(), "RODA_LOG=info,roda_node::network=debug".to_owned()]);
    place
}

/// A node behind one kind of router is dialled by a node behind another. What is said of the way is proven: with the
/// public node cut off, words still pass if it is direct.
///
/// # Panics
///
/// If the node that is dialled is never reachable, or words don't pass although both are connected.
#[must_use]
pub fn meeting(left: Nat, right: Nat) -> Meeting {
    let stage = Stage::set(left, right);
    let board = stage.left.found("meeting");
    stage.right.follow(&board);
    let way = stage.way_to_left();
    let start = Instant::now();
    let mut meeting =
        Meeting { way: Way::None, reachable: stage.reachable, connected: None, direct: None, failure: String::new() };
    let output = stage.right.run(&["connect", &way]);
    if !output.status.success() {
        meeting.failure = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
        return meeting;
    }
    meeting.connected = Some(start.elapsed());
    agree(&[&stage.left, &stage.right], 1);
    let patience = if left.can_be_punched(right) { PUNCHED_MAX } else { PUNCHING_MAX };
    while meeting.direct.is_none() && start.elapsed() < patience {
        meeting.direct = stage.is_direct().then(|| start.elapsed());
    }
    meeting.way = if meeting.direct.is_some() { Way::Direct } else { Way::Relayed };
    if meeting.direct.is_some() {
        stage.internet.part(&[stage.public_host.address()], &stage.outside());
    }
    stage.left.post(&board, "Do you hear me?");
    agree(&[&stage.left, &stage.right], 2);
    meeting
}

/// The public node restarts: until the node behind a router can be dialled through it again; and it is.
///
/// # Panics
///
/// If it never can be.
#[must_use]
pub fn renewal() -> Duration {
    let mut stage = Stage::set(Nat::PortRestricted, Nat::Symmetric);
    let right = id(&stage.right);
    stage.public.restart();
    let start = Instant::now();
    eventually("the end of the old place", DEADLINE, || (!stage.has_place(&stage.left)).then_some(()));
    // Not by dialling: a relay counts attempts, and soon refuses them.
    eventually("a new place at the public node", DEADLINE, || stage.has_place(&stage.left).then_some(()));
    eventually("that the other one is back", DEADLINE, || peers(&stage.public).contains(&right).then_some(()));
    stage.right.object(&["connect", &stage.way_to_left()]);
    start.elapsed()
}
