//! A LAN, and the router that joins it to an internet.

use super::internet::parse;
use super::{Host, Namespace, Nat};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The router's address on the LAN, which is the usual one.
const GATEWAY: &str = "192.168.1.1";

/// A bridge with hosts on it. Without a router nothing leads out of it.
#[derive(Debug)]
pub struct Switch {
    namespace: Arc<Namespace>,
    address: Option<Ipv4Addr>,
    links: AtomicU32,
}

impl Switch {
    /// Makes one without hosts.
    ///
    /// # Panics
    ///
    /// Where hosts are not [`possible`](super::possible).
    #[must_use]
    pub fn new(name: &str) -> Self {
        let namespace = Namespace::create(&format!("lan-{name}")).expect("hosts are possible");
        let lines = format!(
            "link add lan type bridge
            addr add {GATEWAY}/24 dev lan
            link set lan up"
        );
        namespace.ip(&lines).expect("a bridge");
        Self { namespace: Arc::new(namespace), address: None, links: AtomicU32::new(1) }
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(super) fn translate(&mut self, kind: Nat, address: Ipv4Addr) {
        self.namespace.nft(&kind.rules()).expect("rules");
        self.namespace.set("net/ipv4/ip_forward", "1");
        self.address = Some(address);
    }

    /// The router's address on the internet.
    ///
    /// # Panics
    ///
    /// If there is no router.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address.expect("the LAN has a router")
    }

    /// A host on it, with an address of `192.168.1.0/24`.
    ///
    /// # Panics
    ///
    /// If it can't be made.
    #[must_use]
    pub fn host(&self, name: &str, address: &str) -> Host {
        let address = parse(address);
        let host = Namespace::create(name).expect("hosts are possible");
        let link = format!("port{}", self.links.fetch_add(1, Ordering::Relaxed));
        let lines = format!(
            "link add {link} type veth peer name eth0 netns {}
            link set {link} master lan
            link set {link} up",
            host.name()
        );
        self.namespace.ip(&lines).expect("a port of the switch");
        let lines = format!(
            "addr add {address}/24 dev eth0
            link set eth0 up
            route add default via {GATEWAY}"
        );
        host.ip(&lines).expect("a link to the switch");
        Host::new(host, Arc::clone(&self.namespace), link, address, GATEWAY)
    }
}
