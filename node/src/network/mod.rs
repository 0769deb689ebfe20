//! The network: libp2p, and the only place that names it.
//!
//! It translates and decides nothing about events: what a message is worth, whom to reconcile with and what to follow
//! is the engine's to say. It owns connections: their bounds, the address book, dialling and redialling.
//!
//! One task owns the swarm (`task`). It hears [`Command`]s through a bounded channel and tells [`Event`]s to an
//! [`Inbox`] that never makes it wait. When the inbox is full, messages are answered with *ignore* and requests with a
//! refusal, and both are counted; nothing else is lost, and nothing grows: what is known of peers is told as the
//! difference between two bounded tables (`peers`), and commands are left in their channel while answers wait
//! (`outbox`).
//!
//! It fails at the start, with a [`NetworkError`]; afterwards it reports, redials and goes on. A panic in the task, in
//! libp2p or here, is caught and counted, and a new task takes over where the old one listened (`start`).
//!
//! | file | what it owns |
//! | --- | --- |
//! | `interface` | the words: peers, commands, events, failures |
//! | `behaviour`, `gossip`, `codec` | what libp2p is configured to do, with every bound and its reason |
//! | `task`, `translate` | the loop: commands in, swarm events out |
//! | `throttle`, `allowance` | how fast gossip is read, and how much of it one peer may send |
//! | `conduct` | what peers have done, and who is not let in for a while |
//! | `peers`, `outbox` | who is connected, and what of it has been told |
//! | `dialler`, `addresses`, `address_file`, `reach` | whom to dial, and what is remembered about where peers are |
//! | `finding`, `exchange`, `records` | what peers tell each other of peers, signed and rationed |
//! | `discovery`, `providers` | the DHT: who else follows a board |
//! | `places`, `connections`, `doors` | who is let in, who leaves when there are too many, who isn't wanted back |
//! | `transport`, `circuits`, `proxy` | how connections are made, and which never are |
//! | `reachability`, `candidates`, `nat` | whether others reach this node, how that is known, and relays if they don't |
//! | `invited` | addresses as invites carry them |
//! | `sources` | from which own addresses connections leave |
//! | `reason` | failures in words |

mod address_file;
mod addresses;
mod allowance;
mod behaviour;
mod candidates;
mod circuits;
mod clocks;
mod codec;
mod conduct;
mod connections;
mod dialler;
mod discovery;
mod doors;
mod exchange;
mod finding;
mod gossip;
mod interface;
pub mod invited;
mod nat;
mod outbox;
mod peers;
mod places;
mod providers;
mod proxy;
mod reach;
mod reachability;
mod reason;
mod records;
mod sources;
mod start;
mod task;
#[cfg(test)]
mod tests;
mod throttle;
mod translate;
mod transport;

use crate::peer::Peer;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use behaviour::CONNECTIONS_MAX;
pub use codec::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};
pub use gossip::{MESSAGE_BYTES_MAX, TOPIC_BYTES_MAX, TOPIC_PREFIX, TOPICS_PER_PEER_MAX};
pub use interface::{
    Command, Counters, Delivery, Dht, Event, Found, Inbox, NetworkConfig, PublishFailure, Reachability, ReplyToken,
    Report, RequestFailure, Tables,
};
pub use proxy::Proxy;
pub(crate) use reach::group_words;
pub use reachability::Proof;

/// Commands that wait for the network: a few turns of it. Whoever finds it full has outrun the network.
pub const COMMANDS_MAX: usize = 256;

/// How long [`Network::stop`] waits before it stops waiting.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the network didn't start.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// An address of the configuration is not one.
    #[error("{0}")]
    Address(String),
    /// An address can't be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// As it was configured.
        address: String,
        /// In words.
        cause: String,
    },
    /// The multicast socket can't be opened.
    #[error("cannot look for peers on the local network: {cause}; start without mDNS")]
    Multicast {
        /// The system's word.
        cause: io::Error,
    },
    /// The address book can't be read.
    #[error("cannot read the address book {}: {cause}; move it away to start with an empty one", path.display())]
    AddressBook {
        /// Where it is.
        path: PathBuf,
        /// The system's or the parser's word.
        cause: io::Error,
    },
    /// libp2p refuses its configuration: a bug.
    #[error("gossip refuses its configuration: {cause}")]
    Gossip {
        /// libp2p's word.
        cause: String,
    },
    /// libp2p refuses its transports or keys: a bug.
    #[error("the network could not be put together: {cause}")]
    Assembly {
        /// libp2p's word.
        cause: String,
    },
}

/// A running network. When the last handle to its commands is gone, it ends by itself.
#[derive(Debug)]
pub struct Network {
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
    local: Peer,
    addresses: Vec<String>,
    bound: Vec<String>,
    counters: Arc<Counters>,
}

impl Network {
    /// Binds every listener and starts. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`NetworkError`]; a listener's names the address and the cause.
    pub async fn start(config: NetworkConfig, inbox: impl Inbox) -> Result<Self, NetworkError> {
        start::start(config, inbox).await
    }

    /// This node, as others name it.
    #[must_use]
    pub fn local_peer(&self) -> &Peer {
        &self.local
    }

    /// Where this node could be reached when it started, each with `/p2p/PEER`. Later changes are events.
    #[must_use]
    pub fn listen_addresses(&self) -> &[String] {
        &self.addresses
    }

    /// What this node listens on, as it could be configured: with the ports that it got, and wildcards as they were.
    #[must_use]
    pub fn bound(&self) -> &[String] {
        &self.bound
    }

    /// What was given up for lack of room.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// A sender of commands, to be shared. Whoever drains the inbox must only use `try_send` on it: the network
    /// leaves commands waiting while its answers wait for room in the inbox.
    #[must_use]
    pub fn commands(&self) -> mpsc::Sender<Command> {
        self.commands.clone()
    }

    /// Sends a command without waiting.
    ///
    /// # Errors
    /// The command, when the network is behind or has ended.
    pub fn try_send(&self, command: Command) -> Result<(), Command> {
        self.commands.try_send(command).map_err(|error| error.into_inner())
    }

    /// Sends a command and waits for room. Not for whoever drains the inbox; see [`Network::commands`].
    ///
    /// # Errors
    /// The command, when the network has ended.
    pub async fn send(&self, command: Command) -> Result<(), Command> {
        self.commands.send(command).await.map_err(|error| error.0)
    }

    /// Whether the task still runs. That it doesn't without having been stopped is a bug that its panic explains.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }

    /// Says farewell to peers, saves the address book and ends, within two seconds.
    pub async fn stop(mut self) {
        let end = async {
            // An error means that it has ended already.
            drop(self.commands.send(Command::Shutdown).await);
            drop((&mut self.task).await);
        };
        if tokio::time::timeout(STOP_TIMEOUT, end).await.is_err() {
            tracing::warn!("the network did not end in time");
            self.task.abort();
        }
    }
}
