//! TCP through a SOCKS5 proxy (RFC 1928), such as Tor's: the only way out of a node that is told to use one.
//!
//! It fails closed. A connection is made through the proxy or not at all; names and hidden services are handed to the
//! proxy as they are, so that nothing is looked up here. Connections are accepted on loopback alone.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::tcp::tokio::TcpStream;
use libp2p::{Multiaddr, tcp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reach;

/// Where the proxy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy(SocketAddr);

impl std::str::FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.strip_prefix("socks5://").unwrap_or(text);
        place.parse().map(Self).map_err(|_| {
            format!("`{text}` is not a proxy; one looks like socks5://127.0.0.1:9050, with an IP address and a port")
        })
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "socks5://{}", self.0)
    }
}

/// What the proxy is asked to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Address(SocketAddr),
    Name(String, u16),
}

impl Target {
    fn of(address: &Multiaddr) -> Option<Self> {
        let (address, _) = reach::split(address.clone());
        let mut parts = address.iter();
        let first = parts.next()?;
        let target = match first {
            Protocol::Onion3(onion) => {
                let name = data_encoding::BASE32_NOPAD.encode(onion.hash()).to_lowercase();
                Self::Name(format!("{name}.onion"), onion.port())
            }
            host => {
                let Protocol::Tcp(port @ 1..) = parts.next()? else { return None };
                match host {
                    Protocol::Ip4(host) => Self::Address((IpAddr::from(host), port).into()),
                    Protocol::Ip6(host) => Self::Address((IpAddr::from(host), port).into()),
                    Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                        Self::Name(name.into_owned(), port)
                    }
                    _ => return None,
                }
            }
        };
        parts.next().is_none().then_some(target)
    }

    /// The request CONNECT for it; none if its name is too long for one.
    fn request(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![5, 1, 0];
        let port = match self {
            Self::Address(SocketAddr::V4(address)) => {
                bytes.push(1);
                bytes.extend(address.ip().octets());
                address.port()
            }
            Self::Address(SocketAddr::V6(address)) => {
                bytes.push(4);
                bytes.extend(address.ip().octets());
                address.port()
            }
            Self::Name(name, port) => {
                bytes.extend([3, u8::try_from(name.len()).ok()?]);
                bytes.extend(name.as_bytes());
                *port
            }
        };
        bytes.extend(port.to_be_bytes());
        Some(bytes)
    }
}

/// Connects through the proxy.
async fn connect(proxy: SocketAddr, target: Target) -> io::Result<TcpStream> {
    let no_proxy = |error: io::Error| io::Error::new(error.kind(), format!("the proxy at {proxy}: {error}"));
    let mut stream = tokio::net::TcpStream::connect(proxy).await.map_err(no_proxy)?;
    stream.set_nodelay(true)?;
    let request =
        target.request().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the name is too long"))?;
    // Version 5, one method: no authentication.
    stream.write_all(&[5, 1, 0]).await?;
    let mut method = [0; 2];
    stream.read_exact(&mut method).await.map_err(no_proxy)?;
    if method != [5, 0] {
        return Err(io::Error::other(format!("the proxy at {proxy} is no SOCKS5 proxy without a password")));
    }
    stream.write_all(&request).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(no_proxy)?;
    if head[..2] != [5, 0] {
        return Err(io::Error::other(format!("the proxy at {proxy} {}", refusal(head[1]))));
    }
    // The address that the proxy connects from: of no use here, but it has to be read.
    let rest = match head[3] {
        1 => 4 + 2,
        4 => 16 + 2,
        3 => usize::from(stream.read_u8().await?) + 2,
        _ => return Err(io::Error::other(format!("the proxy at {proxy} answers in an unknown way"))),
    };
    stream.read_exact(&mut [0; 257][..rest]).await?;
    Ok(TcpStream(stream))
}

fn refusal(code: u8) -> &'static str {
    match code {
        2 => "does not allow it",
        3 => "finds no way to that network",
        4 => "finds no way to that host",
        5 => "was refused by the host",
        6 => "waited in vain",
        8 => "does not know this kind of address",
        _ => "failed",
    }
}

/// Dials through the proxy, listens on loopback.
pub(super) struct Proxied {
    proxy: Proxy,
    listeners: tcp::tokio::Transport,
}

impl Proxied {
    pub(super) fn new(proxy: Proxy) -> Self {
        Self { proxy, listeners: tcp::tokio::Transport::new(tcp::Config::default().nodelay(true)) }
    }
}

impl libp2p::Transport for Proxied {
    type Output = TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = <tcp::tokio::Transport as libp2p::Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<TcpStream>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        if reach::host(&address).is_none_or(|host| !host.is_loopback()) {
            let cause = "with a proxy only loopback addresses are listened on";
            return Err(TransportError::Other(io::Error::new(io::ErrorKind::InvalidInput, cause)));
        }
        self.listeners.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.listeners.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<Self::Error>> {
        let Some(target) = Target::of(&address) else { return Err(TransportError::MultiaddrNotSupported(address)) };
        Ok(connect(self.proxy.0, target).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.listeners).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Option<Target> {
        Target::of(&text.parse().expect("a multiaddr"))
    }

    #[test]
    fn addresses_names_and_hidden_services_are_asked_for_as_they_are() {
        assert_eq!(
            target("/ip4/192.0.2.1/tcp/80").and_then(|target| target.request()),
            Some(vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
        );
        assert_eq!(target("/dns4/a.example/tcp/1"), Some(Target::Name("a.example".to_owned(), 1)));
        let onion = "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd";
        assert_eq!(target(&format!("/onion3/{onion}:1234")), Some(Target::Name(format!("{onion}.onion"), 1234)));
    }

    #[test]
    fn nothing_that_is_not_tcp_is_dialled() {
        for text in ["/ip4/192.0.2.1/udp/1/quic-v1", "/ip4/192.0.2.1/tcp/0", "/ip4/192.0.2.1/tcp/1/ws", "/memory/1"] {
            assert_eq!(target(text), None, "{text}");
        }
    }

    #[test]
    fn a_proxy_is_an_ip_address_and_a_port() {
        assert_eq!(
            "socks5://127.0.0.1:9050".parse::<Proxy>().map(|proxy| proxy.to_string()),
            Ok("socks5://127.0.0.1:9050".to_owned())
        );
        // A name would have to be looked up, outside the proxy.
        assert!("socks5://localhost:9050".parse::<Proxy>().is_err());
    }
}
