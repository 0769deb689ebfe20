//! The router in the middle: whoever has an address of the world is one hop from it.

use super::{Host, Namespace, Nat, Switch, Weather};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The router's address on every link. Hosts don't have it, so their nodes don't see it.
const GATEWAY: &str = "169.254.1.1";

/// Where nobody answers, not even to say so.
const VOID: &str = "198.18.0.0/15";

/// Who may not reach whom.
const CUTS: &str = "
    table inet cuts {
        set pairs { type ipv4_addr . ipv4_addr; }
        chain forward {
            type filter hook forward priority filter
            ip saddr . ip daddr @pairs drop
        }
    }";

/// A router with a link to every host. It must outlive them.
#[derive(Debug)]
pub struct Internet {
    core: Arc<Namespace>,
    links: AtomicU32,
}

impl Internet {
    /// Makes one without hosts.
    ///
    /// # Panics
    ///
    /// Where hosts are not [`possible`](super::possible).
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a thing in the system")]
    pub fn new() -> Self {
        let core = Namespace::create("internet").expect("hosts are possible");
        core.set("net/ipv4/ip_forward", "1");
        core.ip(&format!("route add blackhole {VOID}")).expect("a route that leads nowhere");
        core.nft(CUTS).expect("rules");
        Self { core: Arc::new(core), links: AtomicU32::new(1) }
    }

    /// A host with an address of the world.
    ///
    /// # Panics
    ///
    /// If it can't be made.
    #[must_use]
    pub fn host(&self, name: &str, address: &str) -> Host {
        let address = parse(address);
        let namespace = Namespace::create(name).expect("hosts are possible");
        let link = self.join(&namespace, "eth0", address);
        Host::new(namespace, Arc::clone(&self.core), link, address, GATEWAY)
    }

    /// A LAN behind a router with an address of the world.
    ///
    /// # Panics
    ///
    /// If it can't be made, or the kind is none at all.
    #[must_use]
    pub fn router(&self, name: &str, address: &str, kind: Nat) -> Switch {
        assert_ne!(kind, Nat::None, "a host without a router is a host of the internet");
        let address = parse(address);
        let mut switch = Switch::new(name);
        self.join(switch.namespace(), "wan", address);
        switch.translate(kind, address);
        switch
    }

    /// A host behind a router of this kind, or on the internet; with what has to be kept for it.
    ///
    /// # Panics
    ///
    /// If it can't be made.
    #[must_use]
    pub fn host_behind(&self, kind: Nat, name: &str, address: &str) -> (Host, Option<Switch>) {
        if kind == Nat::None {
            return (self.host(name, address), None);
        }
        let switch = self.router(name, address, kind);
        (switch.host(name, "192.168.1.2"), Some(switch))
    }

    /// Lays a link to a namespace and gives the name of its end here.
    fn join(&self, namespace: &Namespace, there: &str, address: Ipv4Addr) -> String {
        let link = format!("link{}", self.links.fetch_add(1, Ordering::Relaxed));
        let name = namespace.name();
        let lines = format!(
            "link add {link} type veth peer name {there} netns {name}
            addr add {GATEWAY}/32 dev {link}
            link set {link} up
            route add {address} dev {link}"
        );
        self.core.ip(&lines).expect("a link from the internet");
        let lines = format!(
            "addr add {address}/32 dev {there}
            link set {there} up
            route add default via {GATEWAY} dev {there} onlink"
        );
        namespace.ip(&lines).expect("a link to the internet");
        link
    }

    /// Drops what goes from one address to the other. The way back stays open.
    ///
    /// # Panics
    ///
    /// If the rule is refused.
    pub fn cut_one_way(&self, from: Ipv4Addr, to: Ipv4Addr) {
        self.core.nft(&format!("add element inet cuts pairs {{ {from} . {to} }}")).expect("a rule");
    }

    /// Drops everything between two groups of addresses, without a word to either.
    ///
    /// # Panics
    ///
    /// If the rules are refused.
    pub fn part(&self, here: &[Ipv4Addr], there: &[Ipv4Addr]) {
        let pairs = here.iter().flat_map(|one| there.iter().map(move |other| (one, other)));
        let pairs: Vec<_> = pairs.map(|(one, other)| format!("{one} . {other}, {other} . {one}")).collect();
        self.core.nft(&format!("add element inet cuts pairs {{ {} }}", pairs.join(", "))).expect("rules");
    }

    /// Ends all cuts.
    ///
    /// # Panics
    ///
    /// If the rules are refused.
    pub fn mend(&self) {
        self.core.nft("flush set inet cuts pairs").expect("the set is there");
    }

    /// Loses and delays every packet from now on, until what this gives is dropped.
    ///
    /// # Panics
    ///
    /// Where this is not [possible](super::weather_possible).
    #[must_use]
    pub fn weather(&self, loss_per_mille: u32, delay_ms: u64, jitter_ms: u64) -> Weather {
        Weather::begin(&self.core, loss_per_mille, delay_ms, jitter_ms).expect("weather is possible")
    }

    /// Bytes that went through it so far, headers included: each counted once.
    ///
    /// # Panics
    ///
    /// If the kernel does not count them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let lines =
            self.core.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev")).expect("the kernel counts");
        let received = |line: &str| {
            let (name, figures) = line.split_once(':')?;
            let is_link = name.trim().starts_with("link");
            is_link.then(|| figures.split_whitespace().next()?.parse::<u64>().ok()).flatten()
        };
        lines.lines().filter_map(received).sum()
    }
}

pub(super) fn parse(address: &str) -> Ipv4Addr {
    address.parse().expect("a test writes addresses that are ones")
}
