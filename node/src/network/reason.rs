//! Failures in words for the person who asked.

use std::error::Error;
use std::io;

use libp2p::core::transport::TransportError;
use libp2p::multiaddr::Multiaddr;
use libp2p::swarm::DialError;

/// The text is not an address.
pub(super) fn not_an_address(text: &str) -> String {
    let shown: String = text.chars().filter(|character| !character.is_control()).take(100).collect();
    format!("`{shown}` is not an address; one looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW...")
}

/// Why a dial has led to no one.
pub(super) fn of_dial(error: &DialError) -> String {
    match error {
        DialError::LocalPeerId { .. } => "this is the node's own address".to_owned(),
        DialError::NoAddresses => "no address is known for this peer".to_owned(),
        DialError::WrongPeerId { obtained, .. } => format!("another peer answers there: {obtained}"),
        DialError::Aborted => "the attempt was given up".to_owned(),
        DialError::DialPeerConditionFalse(_) => "the peer is connected or being dialled already".to_owned(),
        DialError::Denied { .. } => "too many connections are open".to_owned(),
        DialError::Transport(attempts) => match attempts.as_slice() {
            [] => "no address could be tried".to_owned(),
            [(address, error)] => of_attempt(address, error),
            several => {
                let each: Vec<_> = several.iter().map(|(address, error)| of_attempt(address, error)).collect();
                each.join("; ")
            }
        },
    }
}

fn of_attempt(address: &Multiaddr, error: &TransportError<io::Error>) -> String {
    format!("{address}: {}", of_transport(error))
}

/// Why an address can't be dialled or listened on.
pub(super) fn of_transport(error: &TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => {
            "only /ip4|ip6/ADDRESS/tcp/PORT, .../udp/PORT/quic-v1 and relayed ones of these are supported".to_owned()
        }
        TransportError::Other(error) => of_io(error),
    }
}

/// The innermost cause: the layers around it only say that something failed below them.
pub(super) fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => return "the port is in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => return "no interface of this machine has this address".to_owned(),
        io::ErrorKind::PermissionDenied => return "permission denied; ports under 1024 need privileges".to_owned(),
        _ => {}
    }
    let mut innermost: &dyn Error = error;
    // An io::Error shows what it wraps instead of naming it as its source.
    if let Some(inner) = error.get_ref() {
        innermost = inner;
    }
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
