//! Kinds of address translation, in the words of RFC 3489, as rules of `nft`.
//!
//! A router's side of the internet is `wan`, its LAN is `lan`. What arrives unasked is dropped without a word, as home
//! routers do; were it refused, the refusal would end the attempt that is on its way from the other side.

use std::fmt;

/// How a router translates, and whom it lets in. The port that the host used is kept by all but the symmetric kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// There is no router in between.
    None,
    /// Whoever writes to a port from which the host wrote to anybody gets in.
    FullCone,
    /// Whoever the host wrote to from that port gets in, from any port of theirs.
    AddressRestricted,
    /// Only the address and port that the host wrote to gets in.
    PortRestricted,
    /// The same, and the port outside is another one for every destination, and at random.
    Symmetric,
}

impl Nat {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::None, Self::FullCone, Self::AddressRestricted, Self::PortRestricted, Self::Symmetric];

    /// Whether two hosts behind these can open a direct connection at all: a port that can't be told beforehand is in
    /// the way, unless the other side lets in whatever port it is.
    #[must_use]
    pub fn can_be_punched(self, other: Self) -> bool {
        let lets_in_any_port = |kind| matches!(kind, Self::None | Self::FullCone | Self::AddressRestricted);
        let is_found = |one, by| one != Self::Symmetric || lets_in_any_port(by);
        is_found(self, other) && is_found(other, self)
    }

    /// The rules, as a script.
    pub(super) fn rules(self) -> String {
        let (note, enter) = match self {
            // Which host wrote from a port, and lets everybody in who writes to it.
            Self::FullCone => {
                ("update @open { meta l4proto . th sport : ip saddr }", "dnat to meta l4proto . th dport map @open")
            }
            // The same, by whom it wrote to.
            Self::AddressRestricted => (
                "update @known { meta l4proto . th sport . ip daddr : ip saddr }",
                "dnat to meta l4proto . th dport . ip saddr map @known",
            ),
            _ => ("", ""),
        };
        let note = if note.is_empty() { "" } else { &format!("oifname wan meta l4proto {{ tcp, udp }} {note}") };
        let enter = if enter.is_empty() { "" } else { &format!("iifname wan meta l4proto {{ tcp, udp }} {enter}") };
        let leave = if self == Self::Symmetric { "masquerade random,fully-random" } else { "masquerade" };
        format!(
            "table ip nat {{}}
            flush table ip nat
            table ip nat {{
                map open {{
                    type inet_proto . inet_service : ipv4_addr
                    flags dynamic,timeout; timeout 5m; size 65535
                }}
                map known {{
                    type inet_proto . inet_service . ipv4_addr : ipv4_addr
                    flags dynamic,timeout; timeout 5m; size 65535
                }}
                chain note {{
                    type filter hook postrouting priority mangle
                    {note}
                }}
                chain enter {{
                    type nat hook prerouting priority dstnat
                    {enter}
                }}
                chain leave {{
                    type nat hook postrouting priority srcnat
                    oifname wan {leave}
                }}
                chain router {{
                    type filter hook input priority filter
                    iifname wan ct state new,invalid drop
                }}
                chain host {{
                    type filter hook forward priority filter
                    iifname wan ct state invalid drop
                    iifname wan ct status dnat accept
                    iifname wan ct state new drop
                }}
            }}
            "
        )
    }
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::FullCone => "full cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
        })
    }
}
