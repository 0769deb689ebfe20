//! From which of this machine's addresses connections leave.
//!
//! When a machine moves to another network its old address goes, and with it every connection that was made from there:
//! nothing tells either side, and pings find out after half a minute or more. So each connection's own end is noted when
//! it opens, and those of an address that is gone are closed at once. A table has a row for each connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};

use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;

use super::reach::{first_hop, host};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<ConnectionId, IpAddr>);

impl Sources {
    /// Notes where a new connection leaves from, if that can be told.
    pub(super) fn opened(&mut self, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let source = match endpoint {
            ConnectedPoint::Listener { local_addr, .. } if !endpoint.is_relayed() => host(local_addr),
            ConnectedPoint::Listener { local_addr, .. } => host(&first_hop(local_addr)).and_then(towards),
            ConnectedPoint::Dialer { address, .. } => host(&first_hop(address)).and_then(towards),
        };
        if let Some(source) = source.filter(|source| !source.is_unspecified()) {
            self.0.insert(connection, source);
        }
    }

    /// The connection has closed.
    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.0.remove(&connection);
    }

    /// The connections that left from an address of this machine which is gone.
    pub(super) fn stranded(&self, gone: IpAddr) -> Vec<ConnectionId> {
        self.0.iter().filter(|(_, source)| **source == gone).map(|(connection, _)| *connection).collect()
    }
}

/// The address from which the system sends to a host. Nothing is sent to find out.
fn towards(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { [0u8; 4].into() } else { [0u8; 16].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Any port: the route depends on the address alone.
    socket.connect((remote, 9)).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;

    #[test]
    fn connections_of_an_address_that_is_gone_are_named() {
        let (mut sources, address) = (Sources::default(), |text: &str| text.parse().expect("a multiaddr"));
        let [dialled, accepted, other] = [1, 2, 3].map(ConnectionId::new_unchecked);
        let (role_override, port_use) = (Endpoint::Dialer, PortUse::New);
        let dialler = ConnectedPoint::Dialer { address: address("/ip4/127.0.0.1/tcp/1"), role_override, port_use };
        sources.opened(dialled, &dialler);
        let listener = |local: &str| ConnectedPoint::Listener {
            local_addr: address(local),
            send_back_addr: address("/ip4/127.0.0.1/tcp/2"),
        };
        sources.opened(accepted, &listener("/ip4/127.0.0.1/udp/1/quic-v1"));
        sources.opened(other, &listener("/ip4/10.0.0.1/tcp/1"));
        let gone = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(sources.stranded(gone), [dialled, accepted]);
        sources.closed(dialled);
        assert_eq!(sources.stranded(gone), [accepted]);
    }
}
