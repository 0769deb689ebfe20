//! `config.toml`: the node's own appetite. Every key has a default; a file is not needed. Protocol limits are not here.

use crate::network::Proxy;
use roda_protocol::id::AuthorKey;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Bytes on disk beyond which events by others are declined, by default: 5 GiB.
const DISK_BYTES_MAX_DEFAULT: u64 = 5 * 1024 * 1024 * 1024;

/// The file, as written. Unknown keys are refused, so that a typing error is not a silent default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What this node stores.
    #[serde(default)]
    pub admission: Admission,
    /// How this node meets others.
    #[serde(default)]
    pub network: NetworkPolicy,
    /// The web page.
    #[serde(default)]
    pub web: WebPolicy,
}

/// The web page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebPolicy {
    /// Further names, each with its port as a browser sends it, that the page answers to: for a tunnel or a proxy on this
    /// machine.
    pub allowed_hosts: Vec<String>,
}

/// How this node meets others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkPolicy {
    /// Whether to look for others who follow the same boards in the DHT, and to serve it when this node can be reached.
    pub dht: bool,
    /// Whether to look for further peers at all: on the local network, through peers and in the DHT.
    pub discover: bool,
    /// Whether to relay for others, in bounds, when this node can be reached.
    pub relay: bool,
    /// Whether to ask the router for a port (UPnP).
    pub upnp: bool,
    /// A SOCKS5 proxy that is the only way out, such as `socks5://127.0.0.1:9050`.
    pub proxy: Option<String>,
    /// Multiaddrs to begin with: dialled while hardly any peers are connected.
    pub bootstrap: Vec<String>,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self { dht: true, discover: true, relay: true, upnp: false, proxy: None, bootstrap: Vec::new() }
    }
}

/// What this node stores of others' events. What it declines stays known, so that sets still agree.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admission {
    /// Leading zero bits of work asked of events by others, where the board asks less. 0 to 64.
    pub work_bits_min: u8,
    /// Bytes on disk beyond which events by others are declined.
    pub disk_bytes_max: u64,
    /// Authors (`@` and 52 digits) whose events are declined.
    pub denied_authors: Vec<String>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { work_bits_min: 0, disk_bytes_max: DISK_BYTES_MAX_DEFAULT, denied_authors: Vec::new() }
    }
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct ConfigError {
    path: PathBuf,
    reason: String,
}

impl Config {
    /// Reads the file; without one, everything has its default.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file and the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let fail = |reason: String| ConfigError { path: path.into(), reason };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(fail(error.to_string())),
        };
        let config: Self = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;
        config.admission.authors().map_err(fail)?;
        config.network.proxy().map_err(fail)?;
        Ok(config)
    }
}

impl Admission {
    /// The denied authors as keys.
    pub(crate) fn authors(&self) -> Result<BTreeSet<AuthorKey>, String> {
        let parse = |text: &String| text.parse().map_err(|error| format!("denied_authors: {text:?}: {error}"));
        self.denied_authors.iter().map(parse).collect()
    }
}

impl NetworkPolicy {
    /// The proxy as an address.
    pub(crate) fn proxy(&self) -> Result<Option<Proxy>, String> {
        self.proxy.as_deref().map(str::parse).transpose().map_err(|error| format!("proxy: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_all_defaults_and_a_typing_error_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        assert_eq!(Config::read(&path).unwrap(), Config::default());
        std::fs::write(&path, "[admission]\nwork_bits_minn = 3\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("work_bits_minn"));
        std::fs::write(&path, "[admission]\ndenied_authors = [\"@nobody\"]\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("@nobody"));
        std::fs::write(&path, "[network]\nproxy = \"socks5://localhost:9050\"\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("localhost"));
    }
}
