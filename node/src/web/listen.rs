//! The TCP door: where it is, how many may stand in it, how slow they may be.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// The port that is tried first.
const PORT_DEFAULT: u16 = 7717;

/// Ports that are tried from there on: nodes of one machine. After them any free one will do.
const PORTS_TRIED: u16 = 64;

/// Connections at once. A browser opens six for a page.
const CONNECTIONS_MAX: usize = 64;

/// How long a caller may take for the head of its request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long to rest when the process has no more file handles.
const REST: Duration = Duration::from_millis(500);

/// Where to serve the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebAddress {
    /// Nowhere.
    Off,
    /// On 127.0.0.1, port 7717, or the next that is free.
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
        let address: SocketAddr = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse(),
            None => text.parse(),
        }
        .map_err(|_| "expected an address such as 127.0.0.1:7717, or `off`".to_owned())?;
        if !address.ip().is_loopback() {
            let port = address.port();
            return Err(format!(
                "the page writes in your name and is for this machine: only loopback addresses such as 127.0.0.1:{port}. \
                 From another machine: `ssh -L {port}:127.0.0.1:{port} HOST`, and open the link there"
            ));
        }
        Ok(Self::At(address))
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

/// Serves until told to stop; connections under way then end after the answer that they are at.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Who finds every place taken waits in the system's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the web page can't take a connection");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
            () = told(&mut stop) => return,
        };
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, router, stop).await;
            drop(place);
        });
    }
}

/// Resolves when the node stops.
async fn told(stop: &mut watch::Receiver<bool>) {
    // The sender is gone only when the node is.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let service = tower_service(router);
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
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Send {
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let service = TowerToHyperService::new(router.clone());
        hyper::service::Service::call(&service, request.map(Body::new))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_taken_and_the_refusal_says_how_else() {
        assert_eq!("off".parse(), Ok(WebAddress::Off));
        assert_eq!("127.0.0.1:80".parse(), Ok(WebAddress::At(SocketAddr::from(([127, 0, 0, 1], 80)))));
        assert_eq!("localhost:80".parse(), Ok(WebAddress::At(SocketAddr::from(([127, 0, 0, 1], 80)))));
        assert!(matches!("[::1]:80".parse(), Ok(WebAddress::At(_))));
        assert!("0.0.0.0:7717".parse::<WebAddress>().unwrap_err().contains("ssh -L 7717:127.0.0.1:7717"));
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
