//! A router that forwards a port when it is asked to (UPnP): the one that many home routers have in them, `miniupnpd`.

use super::{DEADLINE, has, id, peers};
use crate::cluster::network_name;
use crate::hosts::{Internet, Nat, Switch};
use crate::wait::eventually;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program, where Debian and Ubuntu have it.
const PROGRAM: &str = "/usr/sbin/miniupnpd";

/// Chains that the program puts its rules into.
const CHAINS: &str = "
    table inet upnp {
        chain miniupnpd { }
        chain prerouting_miniupnpd { }
        chain postrouting_miniupnpd { }
        chain enter { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
        chain leave { type nat hook postrouting priority srcnat; jump postrouting_miniupnpd; }
    }";

/// Why this machine can't have such a router; nothing if it can.
///
/// # Errors
///
/// What is missing, in a line.
pub fn forwarding_possible() -> Result<(), String> {
    super::super::possible()?;
    if !Path::new(PROGRAM).is_file() {
        return Err(format!("{PROGRAM} is not there (on Debian: miniupnpd-nftables)"));
    }
    let linked = Command::new("ldd").arg(PROGRAM).output().map_err(|error| format!("`ldd` can't be run: {error}"))?;
    let is_ours = String::from_utf8_lossy(&linked.stdout).contains("libnftnl");
    is_ours.then_some(()).ok_or_else(|| format!("{PROGRAM} is not the one for nftables (miniupnpd-nftables)"))
}

/// The program, running in a router. It ends when this is dropped.
struct Daemon(Child, tempfile::TempDir);

impl Daemon {
    fn start(router: &Switch) -> Self {
        router.namespace().nft(CHAINS).expect("rules");
        let folder = tempfile::Builder::new().prefix("roda-").tempdir().expect("a temporary folder");
        let config = "ext_ifname=wan
            listening_ip=lan
            enable_upnp=yes
            enable_natpmp=no
            secure_mode=yes
            upnp_table_name=upnp
            upnp_nat_table_name=upnp
            upnp_forward_chain=miniupnpd
            upnp_nat_chain=prerouting_miniupnpd
            upnp_nat_postrouting_chain=postrouting_miniupnpd
            allow 1024-65535 192.168.1.0/24 1024-65535
            deny 0-65535 0.0.0.0/0 0-65535
            ";
        let path = folder.path().join("config");
        let lines: Vec<&str> = config.lines().map(str::trim).collect();
        fs::write(&path, lines.join("\n")).expect("there is room");
        let prefix = router.namespace().prefix();
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let child = Command::new(&prefix[0])
            .args(&prefix[1..])
            .args([PROGRAM, "-d", "-f"])
            .arg(path)
            .arg("-P")
            .arg(folder.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        Self(child, folder)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.1.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended already was waited for by nobody.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Ports that the router forwards.
fn forwarded(router: &Switch) -> usize {
    let rules = router.namespace().run(&["nft", "list", "chain", "inet", "upnp", "prerouting_miniupnpd"], "");
    rules.expect("the chain is there").matches("dnat").count()
}

/// Two nodes behind such a router: one that is told to use it is public by it, and others connect to it; of the one that
/// isn't told the router never hears. From the start of the first until it is public.
///
/// # Panics
///
/// If it is not so.
#[must_use]
pub fn forwarded_port() -> Duration {
    let internet = Internet::new();
    let stranger = internet.host("stranger", "5.9.1.1");
    let router = internet.router("home", "46.4.2.2", Nat::PortRestricted);
    let [asks, quiet] = [("asks", "192.168.1.2"), ("quiet", "192.168.1.3")].map(|(name, at)| router.host(name, at));
    let daemon = Daemon::start(&router);
    let network = network_name();
    let silent = quiet.node(&network, &[]);

    let start = Instant::now();
    let mut open = asks.node(&network, &[]);
    open.stop();
    fs::write(open.home().join("config.toml"), "[network]\nupnp = true\n").expect("there is room");
    open.launch(&[]);
    let way = eventually("that the router's port makes the node public", DEADLINE, || {
        let status = open.object(&["status"]);
        let way = status["confirmed"][0].as_str()?.to_owned();
        (status["reachability"] == "public").then_some(way)
    });
    let took = start.elapsed();
    assert!(way.starts_with("/ip4/46.4.2.2/"), "{way}");
    assert!((1..=2).contains(&forwarded(&router)), "TCP and QUIC at most: {}", daemon.log());
    assert_ne!(silent.object(&["status"])["reachability"], "public");

    let board = open.found("door");
    let post = open.post(&board, "Come in");
    let visitor = stranger.node(&network, &[&way]);
    visitor.follow(&board);
    eventually("that a stranger is let in", DEADLINE, || peers(&visitor).contains(&id(&open)).then_some(()));
    eventually("the post", DEADLINE, || has(&visitor, &post).then_some(()));
    assert!(!daemon.log().contains("192.168.1.3"), "who is not told to ask doesn't ask: {}", daemon.log());
    took
}
