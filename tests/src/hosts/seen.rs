//! What leaves a host, counted by the kernel at its door: no program can send past it.

use super::Host;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;

/// Kinds of packets that are counted beside those to the allowed place.
const KINDS: [&str; 5] = ["names", "multicast", "datagrams", "streams", "rest"];

/// Counters at the door of a host. They begin at nothing.
#[derive(Debug)]
pub struct Seen<'host> {
    host: &'host Host,
}

impl<'host> Seen<'host> {
    /// Counts from now on what leaves a host on its way to anywhere but itself; TCP to one place apart from the rest.
    ///
    /// # Panics
    ///
    /// If the rules are refused.
    #[must_use]
    pub fn begin(host: &'host Host, allowed: SocketAddrV4) -> Self {
        let (address, port) = (allowed.ip(), allowed.port());
        let counters: String = KINDS.iter().map(|kind| format!("counter {kind} {{ }}\n")).collect();
        let rules = format!(
            "table inet seen {{
                counter allowed {{ }}
                {counters}
                chain output {{
                    type filter hook output priority filter
                    oifname lo accept
                    ip daddr {address} tcp dport {port} counter name allowed accept
                    meta l4proto {{ tcp, udp }} th dport 53 counter name names accept
                    ip daddr 224.0.0.0/4 counter name multicast accept
                    ip6 daddr ff00::/8 counter name multicast accept
                    meta l4proto udp counter name datagrams accept
                    meta l4proto tcp counter name streams accept
                    counter name rest
                }}
            }}"
        );
        host.namespace().nft(&rules).expect("rules");
        Self { host }
    }

    /// Packets so far, by kind; those that are none are left out.
    ///
    /// # Panics
    ///
    /// If the kernel does not tell.
    #[must_use]
    pub fn packets(&self) -> BTreeMap<String, u64> {
        let told = self.host.namespace().run(&["nft", "-j", "list", "counters"], "").expect("the kernel counts");
        let told: Value = serde_json::from_str(&told).expect("`nft` speaks JSON");
        let rows = told["nftables"].as_array().into_iter().flatten().filter_map(|row| row.get("counter"));
        let figure = |row: &Value| Some((row["name"].as_str()?.to_owned(), row["packets"].as_u64()?));
        rows.filter_map(figure).filter(|(_, packets)| *packets > 0).collect()
    }
}
