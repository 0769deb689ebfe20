//! The TCP door: where it is, whether TLS is spoken there, how slow callers may be.

use super::access::Access;
use super::places::Places;
use super::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The port that is tried first.
const PORT_DEFAULT: u16 = 7717;

/// Ports that are tried from there on: nodes of one machine. After them any free one will do.
const PORTS_TRIED: u16 = 64;

/// How long a caller may take for the head of its request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a caller may take to agree on TLS: two round trips, on a telephone that wakes up.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// How long to rest when the process has no more file handles.
const REST: Duration = Duration::from_millis(500);

/// The first byte of whoever speaks TLS: a record of the handshake (RFC 8446, 5.1).
const TLS_FIRST_BYTE: u8 = 0x16;

/// What who speaks HTTP gets where TLS is spoken.
const PLAIN_ANSWER: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n\
                            This door speaks TLS: the address begins with https://\n";

/// Bytes of a request without TLS that are read before it is answered: as many as a browser's first one has.
const PLAIN_BYTES_MAX: usize = 8 * 1024;

/// Where to serve the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebAddress {
    /// Nowhere.
    Off,
    /// Where `config.toml` says, else on 127.0.0.1, port 7717, or the next that is free.
    Default,
    /// Here, and nowhere else.
    At(SocketAddr),
}

impl std::str::FromStr for WebAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse(),
            None => text.parse(),
        };
        address.map(Self::At).map_err(|_| "expected an address such as 127.0.0.1:7717, or `off`".to_owned())
    }
}

/// Takes the port.
///
/// # Errors
///
/// It is taken, or not to be had.
pub(crate) async fn bind(wanted: WebAddress) -> io::Result<Option<TcpListener>> {
    match wanted {
        WebAddress::Off => Ok(None),
        WebAddress::At(address) => TcpListener::bind(address).await.map(Some),
        WebAddress::Default => {
            for port in PORT_DEFAULT..PORT_DEFAULT + PORTS_TRIED {
                match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                    result => return result.map(Some),
                }
            }
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map(Some)
        }
    }
}

/// From where and to where a request came: the addresses of its connection. In the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Who calls.
    pub(super) from: IpAddr,
    /// The address of this machine that was called.
    pub(super) at: IpAddr,
}

/// Serves until told to stop; connections under way then end after the answer that they are at.
pub(crate) async fn serve(listener: TcpListener, router: Router, access: Arc<Access>, mut stop: watch::Receiver<bool>) {
    let places = Places::new();
    loop {
        let Some(free) = places.free().await else { return };
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the web page can't take a connection");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
            () = told(&mut stop) => return,
        };
        // Who is one too many of its kind is closed, and so is who has gone already.
        let (Some(place), Ok(at)) = (places.take(free, from.ip()), stream.local_addr()) else { continue };
        let arrival = Arrival { from: from.ip().to_canonical(), at: at.ip().to_canonical() };
        let (router, access, stop) = (router.clone(), Arc::clone(&access), stop.clone());
        tokio::spawn(async move {
            match access.tls() {
                None => connection(stream, arrival, router, stop).await,
                Some(tls) => {
                    let agreed = tokio::time::timeout(HANDSHAKE_TIME_MAX, agree(stream, tls)).await;
                    if let Ok(Some(stream)) = agreed {
                        connection(stream, arrival, router, stop).await;
                    }
                }
            }
            drop(place);
        });
    }
}

/// Agrees on TLS. `None`: with who speaks something else, or fails; who speaks HTTP is told.
async fn agree(mut stream: TcpStream, tls: &Tls) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first == [TLS_FIRST_BYTE] {
        return TlsAcceptor::from(Arc::clone(&tls.config)).accept(stream).await.ok();
    }
    // What was sent is read, or the system takes the answer back with the connection.
    let mut asked = vec![0; PLAIN_BYTES_MAX];
    let _ = stream.read(&mut asked).await;
    let _ = stream.write_all(PLAIN_ANSWER.as_bytes()).await;
    let _ = stream.shutdown().await;
    None
}

/// Resolves when the node stops.
async fn told(stop: &mut watch::Receiver<bool>) {
    // The sender is gone only when the node is.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    arrival: Arrival,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = tower_service(router, arrival);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Errors are the caller's: it went, or did not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = told(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn tower_service(
    router: Router,
    arrival: Arrival,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Send {
    hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(arrival);
        let service = TowerToHyperService::new(router.clone());
        hyper::service::Service::call(&service, request.map(Body::new))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_or_a_word() {
        assert_eq!("off".parse(), Ok(WebAddress::Off));
        assert_eq!("127.0.0.1:80".parse(), Ok(WebAddress::At(SocketAddr::from(([127, 0, 0, 1], 80)))));
        assert_eq!("localhost:80".parse(), Ok(WebAddress::At(SocketAddr::from(([127, 0, 0, 1], 80)))));
        assert!(matches!("[::1]:80".parse(), Ok(WebAddress::At(_))));
        assert!(matches!("0.0.0.0:7717".parse(), Ok(WebAddress::At(_))), "what it takes is looked at by the start");
        assert!("7717".parse::<WebAddress>().is_err());
    }

    #[tokio::test]
    async fn a_taken_port_gives_the_next_one_and_a_chosen_one_is_chosen() {
        let first = bind(WebAddress::Default).await.unwrap().unwrap().local_addr().unwrap();
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let taken = WebAddress::At(holder.local_addr().unwrap());
        assert_eq!(bind(taken).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!((PORT_DEFAULT..PORT_DEFAULT + PORTS_TRIED).contains(&first.port()));
    }
}
