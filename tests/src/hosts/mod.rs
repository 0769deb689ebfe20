//! Networks of hosts on one machine: each host a network namespace with a kernel's own routes, sockets and losses.
//!
//! An [`Internet`] routes between hosts with addresses of the world, and cuts, loses and delays what goes through it.
//! Behind a [`Switch`] with a router is a LAN; the router translates addresses in the manner of its [`Nat`]. Nothing
//! leaves the namespaces. All of it is gone when it is dropped, also while a test panics; what a process left that was
//! killed is removed by the next one.
//!
//! It takes root, and the programs `ip` and `nft`; `iptables` for [`Weather`], `libfaketime` for a host that sleeps,
//! `miniupnpd` for a router that forwards ports.
//! [`possible`] says whether this machine has what it takes.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `namespace` | one namespace: made, entered, removed |
//! | `internet` | the router in the middle: links, cuts |
//! | `switch` | a LAN, and the router that joins it to an internet |
//! | `nat` | kinds of address translation, as rules of `nft` |
//! | `host` | one host: its address, its link, nodes on it |
//! | `proxy` | a SOCKS5 proxy on a host |
//! | `seen` | counts what leaves a host, by kind |
//! | `weather`, `queue` | loss and delay of every packet |
//! | `trial` | what is measured: by the tests once, by the program `hosts` in tables |

mod host;
mod internet;
mod namespace;
mod nat;
mod proxy;
mod queue;
mod seen;
mod switch;
pub mod trial;
mod weather;

pub use host::Host;
pub use internet::Internet;
pub use namespace::Namespace;
pub use nat::Nat;
pub use proxy::Proxy;
pub use seen::Seen;
pub use switch::Switch;
pub use weather::{Weather, weather_possible};

use std::io::Write as _;
use std::sync::OnceLock;

/// Why this machine can't have hosts; nothing if it can. Tried out once a process.
///
/// # Errors
///
/// What is missing, in a line.
pub fn possible() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    ANSWER.get_or_init(attempt).clone()
}

/// Whether a test can run. If not it says so in a line that the harness does not keep to itself.
#[must_use]
pub fn can_run(test: &str, possible: Result<(), String>) -> bool {
    let Err(reason) = possible else { return true };
    // Whoever closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
    false
}

fn attempt() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    namespace::sweep();
    let (one, other) = (Namespace::create("try")?, Namespace::create("try")?);
    one.ip(&format!("link add wan type veth peer name far netns {}\nlink add lan type bridge", other.name()))?;
    [Nat::FullCone, Nat::AddressRestricted, Nat::PortRestricted, Nat::Symmetric]
        .into_iter()
        .try_for_each(|kind| one.nft(&kind.rules()).map(drop))
}
