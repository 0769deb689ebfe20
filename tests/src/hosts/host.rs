//! One host.

use super::Namespace;
use super::internet::parse;
use crate::cluster::{Place, TestNode};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The internet's own address of IPv6 on every link.
const GATEWAY_SIX: &str = "fe80::1";

/// A machine with one link and one address. Its nodes must end before it.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    /// Whose other end of the link it is.
    far: Arc<Namespace>,
    /// The link's name over there.
    link: String,
    address: Ipv4Addr,
    gateway: &'static str,
}

impl Host {
    pub(super) fn new(
        namespace: Namespace,
        far: Arc<Namespace>,
        link: String,
        address: Ipv4Addr,
        gateway: &'static str,
    ) -> Self {
        Self { namespace, far, link, address, gateway }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// How a node is started here: as a person would, on every interface and a free port, not looking for neighbours.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { prefix: self.namespace.prefix(), up: vec!["--mdns".into(), "off".into()] }
    }

    /// Starts a node here.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn node(&self, network: &str, connect: &[&str]) -> TestNode {
        TestNode::start_at(network, self.place(), connect)
    }

    /// Gives it an address of IPv6 on the internet, beside the one that it has.
    ///
    /// # Panics
    ///
    /// If it can't be.
    pub fn give_six(&self, address: &str) {
        let address: Ipv6Addr = address.parse().expect("a test writes addresses that are ones");
        self.namespace.allow_six();
        self.far.allow_six();
        self.far.set("net/ipv6/conf/all/forwarding", "1");
        let link = &self.link;
        let lines = format!("addr replace {GATEWAY_SIX}/64 dev {link} nodad\nroute add {address}/128 dev {link}");
        self.far.ip(&lines).expect("a link of IPv6");
        let lines =
            format!("addr add {address}/128 dev eth0 nodad\nroute add default via {GATEWAY_SIX} dev eth0 onlink");
        self.namespace.ip(&lines).expect("a link of IPv6");
    }

    /// Takes its address of IPv4 from it.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn take_four(&self) {
        self.namespace.ip(&format!("route del default\naddr del {}/32 dev eth0", self.address)).expect("it has one");
        self.far.ip(&format!("route del {}/32", self.address)).expect("it had one");
    }

    /// Where others reach a node of this host, by TCP.
    ///
    /// # Panics
    ///
    /// If it doesn't say so.
    #[must_use]
    pub fn address_of(&self, node: &TestNode) -> String {
        let status = node.object(&["status"]);
        let start = format!("/ip4/{}/tcp/", self.address);
        let mut listen = status["listen"].as_array().expect("a list").iter().filter_map(|address| address.as_str());
        listen.find(|address| address.starts_with(&start)).expect("the node listens on the host's address").to_owned()
    }

    /// Unplugs the cable.
    ///
    /// # Panics
    ///
    /// If it can't be.
    pub fn unplug(&self) {
        self.far.ip(&format!("link set {} down", self.link)).expect("the link is there");
    }

    /// Plugs it in again.
    ///
    /// # Panics
    ///
    /// If it can't be.
    pub fn plug(&self) {
        let Self { link, address, gateway, .. } = self;
        self.far.ip(&format!("link set {link} up")).expect("the link is there");
        if gateway.starts_with("169.254") {
            // A route goes with its link.
            self.far.ip(&format!("route replace {address} dev {link}")).expect("the link is up");
        }
    }

    /// Gives it another address on the internet. The old one is gone.
    ///
    /// # Panics
    ///
    /// If it can't be.
    pub fn move_to(&mut self, address: &str) {
        let (old, new) = (self.address, parse(address));
        let Self { link, gateway, .. } = self;
        let lines = format!(
            "addr del {old}/32 dev eth0
            addr add {new}/32 dev eth0
            route replace default via {gateway} dev eth0 onlink"
        );
        self.namespace.ip(&lines).expect("it has the old address");
        self.far.ip(&format!("route del {old}\nroute add {new} dev {link}")).expect("it had the old address");
        self.address = new;
    }

    /// Ends every connection with an address as soon as this host sends something on it; nothing else gets there.
    ///
    /// # Panics
    ///
    /// If the rules are refused.
    pub fn refuse(&self, address: Ipv4Addr) {
        let rules = format!(
            "table inet refusals {{
                chain output {{
                    type filter hook output priority filter
                    ip daddr {address} meta l4proto tcp reject with tcp reset
                    ip daddr {address} drop
                }}
            }}"
        );
        self.namespace.nft(&rules).expect("rules");
    }

    /// Ends that.
    ///
    /// # Panics
    ///
    /// If nobody is refused.
    pub fn refuse_nobody(&self) {
        self.namespace.nft("delete table inet refusals").expect("somebody is refused");
    }
}
