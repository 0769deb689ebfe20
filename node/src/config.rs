//! `config.toml`: the node's own appetite. Every key has a default; a file is not needed. Protocol limits are not here.

use crate::network::Proxy;
use crate::web::WebAddress;
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
    /// Where the page is served if the start does not say: an address such as `0.0.0.0:7717`, or `off`. Beyond this machine
    /// only with a password and a certificate.
    pub listen: Option<String>,
    /// Whether this node makes itself a certificate, which nobody else vouches for.
    pub self_signed: bool,
    /// A certificate that the person has, with those that vouch for it (PEM). A relative path begins where this file is.
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// Further names, each with its port as a browser sends it, that the page answers to: of this machine, of a tunnel or of
    /// a proxy on it.
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
        config.web.address().map_err(fail)?;
        config.web.check().map_err(fail)?;
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

impl WebPolicy {
    /// Where the page is served.
    pub(crate) fn address(&self) -> Result<WebAddress, String> {
        let Some(listen) = &self.listen else { return Ok(WebAddress::Default) };
        listen.parse().map_err(|error| format!("web: listen = {listen:?}: {error}"))
    }

    fn check(&self) -> Result<(), String> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err("web: a `certificate` needs its `key`: name that file, too".to_owned()),
            (None, Some(_)) => Err("web: a `key` needs its `certificate`: name that file, too".to_owned()),
            (Some(_), Some(_)) if self.self_signed => {
                Err("web: either `self_signed`, or `certificate` and `key`: remove the one or the others".to_owned())
            }
            _ => Ok(()),
        }
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

    #[test]
    fn what_the_page_is_told_has_to_fit_together() {
        let read = |text: &str| -> Result<WebPolicy, String> {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.toml");
            std::fs::write(&path, format!("[web]\n{text}\n")).unwrap();
            Config::read(&path).map(|config| config.web).map_err(|error| error.to_string())
        };
        assert_eq!(read("").unwrap().address(), Ok(WebAddress::Default));
        assert_eq!(read("listen = \"off\"").unwrap().address(), Ok(WebAddress::Off));
        assert!(matches!(read("listen = \"0.0.0.0:1\"").unwrap().address(), Ok(WebAddress::At(_))));
        for (wrong, said) in [
            ("listen = \"everywhere\"", "everywhere"),
            ("certificate = \"a\"", "needs its `key`"),
            ("key = \"a\"", "needs its `certificate`"),
            ("self_signed = true\ncertificate = \"a\"\nkey = \"b\"", "either"),
        ] {
            assert!(read(wrong).unwrap_err().contains(said), "{wrong}");
        }
    }
}
