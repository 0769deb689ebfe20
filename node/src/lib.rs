//! The machine of Roda.

pub mod api;
pub mod home;

use home::Home;
use std::path::PathBuf;

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folders.
    pub home: Home,
    /// The network's name.
    pub network: String,
    /// Multiaddrs to listen on; empty: every interface, a free port.
    pub listen: Vec<String>,
    /// Multiaddrs that are dialled at start and kept.
    pub connect: Vec<String>,
    /// Whether to look for nodes on the local network.
    pub mdns: bool,
}

/// A node that serves.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The network's name.
    pub network: String,
    /// The node's libp2p name.
    pub peer_id: String,
    /// Who writes here.
    pub author: String,
    /// Addresses with `/p2p/`.
    pub listen: Vec<String>,
    /// The API's socket.
    pub socket: PathBuf,
    /// Whether the home was empty before.
    pub is_new: bool,
    /// What a person should know, such as an index that was rebuilt.
    pub notices: Vec<String>,
}

/// A running node.
#[derive(Debug)]
pub struct Node {}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    /// A stable word: `locked_home`, `format`, `address`, `storage`, `config`, `internal`.
    pub code: &'static str,
    /// What happened and why.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Node {
    /// Starts a node.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(_settings: Settings) -> Result<Self, StartError> {
        Ok(Self {})
    }
    /// Facts for the first line of output.
    pub fn ready(&self) -> Ready {
        unimplemented!()
    }
    /// Resolves when somebody asked the node to stop through its API, or when it failed (with the reason).
    pub async fn stop_asked(&mut self) -> Result<(), String> {
        Ok(())
    }
    /// Stops within five seconds.
    pub async fn shutdown(self) {}
}
