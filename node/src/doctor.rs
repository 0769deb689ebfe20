//! What is wrong with a node, why, and the line that mends it.
//!
//! Pure but for one look at the home's files. It says what is known and how; it guesses nothing: what nobody has shown yet
//! is a note, not a verdict.

use crate::api::dto::{Finding, FindingState};
use crate::engine::PeerInfo;
use crate::home::Home;
use crate::network::{Reachability, Report};
use crate::search::Progress;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Free bytes on the disk under which a node soon can't write: what a busy day brings.
const DISK_FREE_MIN: u64 = 512 * 1024 * 1024;
/// Share of the disk's bound at which it is worth a word, in percent.
const DISK_USED_NOTE_PERCENT: u64 = 90;
/// Failed dials that are shown.
const FAILURES_SHOWN: usize = 3;
/// A clock that is wrong by this much is worth a word; ten minutes in front, and others wait with this node's events.
const CLOCK_NOTE_MS: u64 = 60_000;
/// A clock that is wrong by this much hurts.
const CLOCK_PROBLEM_MS: u64 = 5 * 60_000;

/// What is known of a running node.
pub(crate) struct Facts<'a> {
    pub(crate) report: &'a Report,
    pub(crate) peers: &'a [PeerInfo],
    pub(crate) network: &'a str,
    pub(crate) boards: usize,
    pub(crate) disk_bytes: u64,
    pub(crate) disk_bytes_max: u64,
    pub(crate) storage_problem: Option<String>,
    pub(crate) search: &'a Progress,
    pub(crate) notices: &'a [String],
}

fn finding(check: &str, state: FindingState, message: impl Into<String>, fix: &str) -> Finding {
    let fix = (!fix.is_empty()).then(|| fix.to_owned());
    Finding { check: check.to_owned(), state, message: message.into(), fix }
}

/// Looks at the home's files: who may read the keys, and how much room there is. Needs no running node.
#[must_use]
pub fn of_home(home: &Home) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Of the folder that a person named it is enough that others can't put files into it.
    let paths = [
        (home.config.join("author.key"), 0o077, "600"),
        (home.config.join("network.key"), 0o077, "600"),
        (crate::web::password_file(home), 0o077, "600"),
        (home.config.join(crate::web::OWN_TLS_FILE), 0o077, "600"),
        (home.data.clone(), 0o077, "700"),
        (home.config.clone(), 0o022, "go-w"),
    ];
    for (path, forbidden, wanted) in paths {
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        let found = metadata.permissions().mode() & 0o777;
        if found & forbidden != 0 {
            let message = format!("other users of this machine may use {} (mode {found:o})", path.display());
            let fix = format!("chmod {wanted} {}", path.display());
            findings.push(finding("files", FindingState::Problem, message, &fix));
        }
    }
    if findings.is_empty() {
        findings.push(finding("files", FindingState::Ok, "keys and data are this user's alone", ""));
    }
    findings.extend(room(&home.data));
    findings
}

fn room(folder: &Path) -> Option<Finding> {
    let room = rustix::fs::statvfs(folder).ok()?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let mebibytes = free / (1024 * 1024);
    Some(if free < DISK_FREE_MIN {
        let message = format!("only {mebibytes} MiB are free where {} is", folder.display());
        finding("disk", FindingState::Problem, message, "make room there, or move the home to a larger disk")
    } else {
        finding("disk", FindingState::Ok, format!("{mebibytes} MiB are free"), "")
    })
}

/// Looks at a running node.
pub(crate) fn of_node(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = storage(facts);
    findings.push(search(facts.search));
    findings.push(listening(facts.report));
    findings.push(reachability(facts.report));
    findings.extend(peers(facts));
    findings.push(clock(facts.report.clock_ahead_ms));
    if facts.report.restarts > 0 {
        let message = format!("the network met a bug {} times and was started anew", facts.report.restarts);
        findings.push(finding("network", FindingState::Problem, message, "please report the panic in `roda logs`"));
    }
    let told = facts.notices.iter().map(|notice| finding("notice", FindingState::Note, notice.as_str(), ""));
    findings.extend(told);
    findings
}

fn storage(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(problem) = &facts.storage_problem {
        findings.push(finding("storage", FindingState::Problem, problem.as_str(), "roda fsck"));
    }
    let percent = facts.disk_bytes.saturating_mul(100) / facts.disk_bytes_max.max(1);
    if percent >= DISK_USED_NOTE_PERCENT {
        let full = percent >= 100;
        let message = if full {
            "the bound on disk is reached: events by others are declined".to_owned()
        } else {
            format!("{percent}% of the bound on disk are used")
        };
        let state = if full { FindingState::Problem } else { FindingState::Note };
        findings.push(finding("storage", state, message, "raise disk_bytes_max in config.toml, or unfollow a board"));
    }
    if findings.is_empty() {
        findings.push(finding("storage", FindingState::Ok, "log and index work", ""));
    }
    findings
}

fn search(progress: &Progress) -> Finding {
    match &progress.problem {
        Some(problem) => {
            let fix = "make room or check the disk: it goes on by itself, and all else works meanwhile";
            finding("search", FindingState::Problem, problem.as_str(), fix)
        }
        None if progress.is_complete => finding("search", FindingState::Ok, "all that is held can be searched", ""),
        None => {
            let message = format!("{} of {} posts and comments can be searched yet", progress.indexed, progress.total);
            finding("search", FindingState::Note, message, "")
        }
    }
}

fn listening(report: &Report) -> Finding {
    match (report.listen.len(), report.reachability) {
        (0, Reachability::Hidden) => finding("listening", FindingState::Ok, "nowhere: a proxy is the only way out", ""),
        (0, _) => finding("listening", FindingState::Problem, "on no address", "restart with another --listen"),
        (count, _) => finding("listening", FindingState::Ok, format!("on {count} addresses"), ""),
    }
}

fn reachability(report: &Report) -> Finding {
    let check = "reachability";
    let forward =
        "forward the port of `roda status` at your router, or set `upnp = true` under [network] in config.toml";
    match report.reachability {
        Reachability::Machine => {
            finding(check, FindingState::Ok, "this network is on this machine alone: its nodes reach each other", "")
        }
        Reachability::Hidden => finding(check, FindingState::Ok, "hidden behind a proxy on purpose", ""),
        Reachability::Public => {
            let how = report.confirmed.first().map_or(String::new(), |(address, how)| format!(": {address}, {how}"));
            finding(check, FindingState::Ok, format!("others reach this node{how}"), "")
        }
        Reachability::Relayed => {
            let count = report.relays.len();
            let message = format!("not directly, as far as is known, but through {count} of its peers, who relay");
            finding(check, FindingState::Note, message, forward)
        }
        Reachability::Unreachable => {
            let message = format!("others dialled {} of its addresses in vain; it reaches them", report.refuted);
            finding(check, FindingState::Note, message, forward)
        }
        Reachability::Unknown => {
            finding(check, FindingState::Note, "nobody from elsewhere has tried to dial this node yet", "")
        }
    }
}

fn peers(facts: &Facts<'_>) -> Vec<Finding> {
    let report = facts.report;
    if !facts.peers.is_empty() {
        let useful = facts.peers.iter().filter(|peer| !peer.boards.is_empty()).count();
        let message = format!("{} connected, {useful} of them follow a board of yours", facts.peers.len());
        let lonely = useful == 0 && facts.boards > 0;
        let state = if lonely { FindingState::Note } else { FindingState::Ok };
        return vec![finding("peers", state, message, "")];
    }
    let (message, fix) = if report.known == 0 {
        let lan = if report.mdns {
            ", and none was found on the local network"
        } else {
            "; the local network is not searched"
        };
        (format!("no peer of network {} is known yet{lan}", facts.network), "roda join INVITE")
    } else {
        (format!("none of the {} known peers is connected", report.known), "roda connect MULTIADDR")
    };
    let mut findings = vec![finding("peers", FindingState::Problem, message, fix)];
    for (place, why) in report.failures.iter().rev().take(FAILURES_SHOWN) {
        findings.push(finding("peers", FindingState::Note, format!("{place}: {why}"), ""));
    }
    findings
}

fn clock(ahead_ms: Option<i64>) -> Finding {
    let Some(ahead_ms) = ahead_ms else {
        return finding("clock", FindingState::Note, "no peer has told the time yet", "");
    };
    let (wrong_ms, way) = (ahead_ms.unsigned_abs(), if ahead_ms > 0 { "fast" } else { "slow" });
    let message = format!("{} s {way} by the middle one of its peers' clocks", wrong_ms / 1000);
    let fix = "set the clock: on most systems `sudo timedatectl set-ntp true`";
    match wrong_ms {
        CLOCK_PROBLEM_MS.. => finding("clock", FindingState::Problem, message, fix),
        CLOCK_NOTE_MS.. => finding("clock", FindingState::Note, message, fix),
        _ => finding("clock", FindingState::Ok, "as its peers' clocks", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Dht, Found, Tables};

    static COMPLETE: Progress = Progress { indexed: 0, total: 0, is_complete: true, problem: None };

    fn report(reachability: Reachability) -> Report {
        Report {
            reachability,
            confirmed: Vec::new(),
            refuted: 0,
            relays: Vec::new(),
            listen: vec!["/ip4/5.1.0.1/tcp/1/p2p/X".to_owned()],
            known: 0,
            reached: 0,
            book: Tables::default(),
            found: Found::default(),
            dht: Dht::Asks,
            routing: 0,
            providers: 0,
            failures: Vec::new(),
            mdns: true,
            proxy: None,
            restarts: 0,
            clock_ahead_ms: Some(0),
            inbound: 0,
            outbound: 0,
        }
    }

    fn facts(report: &Report) -> Facts<'_> {
        Facts {
            report,
            peers: &[],
            network: "n",
            boards: 1,
            disk_bytes: 0,
            disk_bytes_max: 100,
            storage_problem: None,
            search: &COMPLETE,
            notices: &[],
        }
    }

    fn problems(facts: &Facts<'_>) -> Vec<String> {
        let findings = of_node(facts).into_iter();
        findings.filter(|finding| finding.state == FindingState::Problem).map(|finding| finding.check).collect()
    }

    #[test]
    fn each_problem_is_named_with_what_mends_it() {
        let mut broken = report(Reachability::Unknown);
        broken.listen.clear();
        broken.restarts = 2;
        broken.clock_ahead_ms = Some(-600_000);
        broken.failures = vec![("/p2p/X".to_owned(), "refused".to_owned())];
        let mut facts = facts(&broken);
        facts.disk_bytes = 100;
        facts.storage_problem = Some("the disk is full".to_owned());
        let waiting = Progress { problem: Some("no room".to_owned()), ..Progress::default() };
        facts.search = &waiting;
        assert_eq!(problems(&facts), ["storage", "storage", "search", "listening", "peers", "clock", "network"]);
        let findings = of_node(&facts);
        assert!(findings.iter().filter(|one| one.state == FindingState::Problem).all(|one| one.fix.is_some()));
        assert!(findings.iter().any(|one| one.message.contains("600 s slow")));
        assert!(findings.iter().any(|one| one.message == "/p2p/X: refused"));
    }

    #[test]
    fn a_node_that_knows_nobody_is_told_so_and_nothing_is_guessed() {
        let report = report(Reachability::Unknown);
        assert_eq!(problems(&facts(&report)), ["peers"]);
        let reach = of_node(&facts(&report)).into_iter().find(|one| one.check == "reachability");
        assert_eq!(reach.map(|one| one.state), Some(FindingState::Note));
    }

    #[test]
    fn keys_that_others_can_read_are_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        let key = home.config.join("network.key");
        std::fs::write(&key, "x").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let findings = of_home(&home);
        let fix = format!("chmod 600 {}", key.display());
        assert!(findings.iter().any(|one| one.state == FindingState::Problem && one.fix.as_ref() == Some(&fix)));
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(of_home(&home).iter().all(|one| one.check != "files" || one.state == FindingState::Ok));
    }
}
