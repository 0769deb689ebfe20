//! What is wrong with a node, why, and the line that mends it.
//!
//! Pure but for one look at the home's files. It says what is known and how, in the language that it is asked for; it guesses
//! nothing: what nobody has shown yet is a note, not a verdict.

use crate::api::dto::{Finding, FindingState};
use crate::engine::PeerInfo;
use crate::home::Home;
use crate::network::{Proof, Reachability, Report};
use crate::search::Progress;
use crate::web::texts::{ENGLISH, Explanations, filled};
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

/// Something that was looked at: a [`Finding`] in a language.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub(crate) check: &'static str,
    pub(crate) state: FindingState,
    pub(crate) message: String,
    /// Whether the message is in English whatever was asked for: words of the system, of a library, of a peer.
    pub(crate) is_english: bool,
    pub(crate) fix: Option<String>,
}

impl From<Observation> for Finding {
    fn from(seen: Observation) -> Self {
        Self { check: seen.check.to_owned(), state: seen.state, message: seen.message, fix: seen.fix }
    }
}

fn finding(check: &'static str, state: FindingState, message: impl Into<String>, fix: &str) -> Observation {
    let fix = (!fix.is_empty()).then(|| fix.to_owned());
    Observation { check, state, message: message.into(), is_english: false, fix }
}

/// A finding whose words come from elsewhere.
fn reported(check: &'static str, state: FindingState, message: impl Into<String>, fix: &str) -> Observation {
    Observation { is_english: true, ..finding(check, state, message, fix) }
}

/// Looks at the home's files: who may read the keys, and how much room there is. Needs no running node.
#[must_use]
pub fn of_home(home: &Home) -> Vec<Finding> {
    look_at_home(home, ENGLISH).into_iter().map(Finding::from).collect()
}

/// The same in a language.
pub(crate) fn look_at_home(home: &Home, t: &Explanations) -> Vec<Observation> {
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
            let message = filled(t.files_open, format!("{found:o}"), &path.display().to_string());
            let fix = format!("chmod {wanted} {}", path.display());
            findings.push(finding("files", FindingState::Problem, message, &fix));
        }
    }
    if findings.is_empty() {
        findings.push(finding("files", FindingState::Ok, t.files_ok, ""));
    }
    findings.extend(room(&home.data, t));
    findings
}

fn room(folder: &Path, t: &Explanations) -> Option<Observation> {
    let room = rustix::fs::statvfs(folder).ok()?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let mebibytes = free / (1024 * 1024);
    Some(if free < DISK_FREE_MIN {
        let message = filled(t.disk_short, mebibytes, &folder.display().to_string());
        finding("disk", FindingState::Problem, message, t.disk_short_fix)
    } else {
        finding("disk", FindingState::Ok, filled(t.disk_ok, mebibytes, ""), "")
    })
}

/// Looks at a running node.
pub(crate) fn of_node(facts: &Facts<'_>, t: &Explanations) -> Vec<Observation> {
    let mut findings = storage(facts, t);
    findings.push(search(facts.search, t));
    findings.push(listening(facts.report, t));
    findings.push(reachability(facts.report, t));
    findings.extend(peers(facts, t));
    findings.push(clock(facts.report.clock_ahead_ms, t));
    if facts.report.restarts > 0 {
        let message = filled(t.restarts, facts.report.restarts, "");
        findings.push(finding("network", FindingState::Problem, message, t.restarts_fix));
    }
    let told = facts.notices.iter().map(|notice| reported("notice", FindingState::Note, notice.as_str(), ""));
    findings.extend(told);
    findings
}

fn storage(facts: &Facts<'_>, t: &Explanations) -> Vec<Observation> {
    let mut findings = Vec::new();
    if let Some(problem) = &facts.storage_problem {
        findings.push(reported("storage", FindingState::Problem, problem.as_str(), "roda fsck"));
    }
    let percent = facts.disk_bytes.saturating_mul(100) / facts.disk_bytes_max.max(1);
    if percent >= DISK_USED_NOTE_PERCENT {
        let (state, message) = match percent {
            100.. => (FindingState::Problem, t.bound_reached.to_owned()),
            _ => (FindingState::Note, filled(t.bound_near, percent, "")),
        };
        findings.push(finding("storage", state, message, t.bound_fix));
    }
    if findings.is_empty() {
        findings.push(finding("storage", FindingState::Ok, t.storage_ok, ""));
    }
    findings
}

fn search(progress: &Progress, t: &Explanations) -> Observation {
    match &progress.problem {
        Some(problem) => reported("search", FindingState::Problem, problem.as_str(), t.search_fix),
        None if progress.is_complete => finding("search", FindingState::Ok, t.search_ok, ""),
        None => {
            let message = filled(t.search_behind, progress.indexed, &progress.total.to_string());
            finding("search", FindingState::Note, message, "")
        }
    }
}

fn listening(report: &Report, t: &Explanations) -> Observation {
    let check = "listening";
    match (report.listen.len(), report.reachability) {
        (0, Reachability::Hidden) => finding(check, FindingState::Ok, t.listening_hidden, ""),
        (0, _) => finding(check, FindingState::Problem, t.listening_nowhere, t.listening_nowhere_fix),
        (count, _) => finding(check, FindingState::Ok, filled(t.listening_ok, count, ""), ""),
    }
}

fn reachability(report: &Report, t: &Explanations) -> Observation {
    let check = "reachability";
    match report.reachability {
        Reachability::Machine => finding(check, FindingState::Ok, t.reach_machine, ""),
        Reachability::Hidden => finding(check, FindingState::Ok, t.reach_hidden, ""),
        Reachability::Public => {
            let how = |(address, proof): &(String, Proof)| format!(": {address}, {}", proof_words(*proof, t));
            let how = report.confirmed.first().map_or(String::new(), how);
            finding(check, FindingState::Ok, format!("{}{how}", t.reach_public), "")
        }
        Reachability::Relayed => {
            finding(check, FindingState::Note, filled(t.reach_relayed, report.relays.len(), ""), t.reach_fix)
        }
        Reachability::Unreachable => {
            finding(check, FindingState::Note, filled(t.reach_refuted, report.refuted, ""), t.reach_fix)
        }
        Reachability::Unknown => finding(check, FindingState::Note, t.reach_unknown, ""),
    }
}

/// How it is known that an address leads here.
fn proof_words(proof: Proof, t: &Explanations) -> &'static str {
    match proof {
        Proof::DialledByPeer => t.proof_by_peer,
        Proof::DialledOnRequest => t.proof_on_request,
        Proof::DialledThroughRouter => t.proof_through_router,
        Proof::Forwarded => t.proof_forwarded,
    }
}

fn peers(facts: &Facts<'_>, t: &Explanations) -> Vec<Observation> {
    let report = facts.report;
    if !facts.peers.is_empty() {
        let useful = facts.peers.iter().filter(|peer| !peer.boards.is_empty()).count();
        let message = filled(t.peers_connected, facts.peers.len(), &useful.to_string());
        let lonely = useful == 0 && facts.boards > 0;
        let state = if lonely { FindingState::Note } else { FindingState::Ok };
        return vec![finding("peers", state, message, "")];
    }
    let (message, fix) = match (report.known, report.mdns) {
        (0, true) => (filled(t.peers_none_known_local, "", facts.network), "roda join INVITE"),
        (0, false) => (filled(t.peers_none_known, "", facts.network), "roda join INVITE"),
        (known, _) => (filled(t.peers_none_connected, known, ""), "roda connect MULTIADDR"),
    };
    let mut findings = vec![finding("peers", FindingState::Problem, message, fix)];
    for (place, why) in report.failures.iter().rev().take(FAILURES_SHOWN) {
        findings.push(reported("peers", FindingState::Note, format!("{place}: {why}"), ""));
    }
    findings
}

fn clock(ahead_ms: Option<i64>, t: &Explanations) -> Observation {
    let Some(ahead_ms) = ahead_ms else {
        return finding("clock", FindingState::Note, t.clock_untold, "");
    };
    let wrong_ms = ahead_ms.unsigned_abs();
    let message = filled(if ahead_ms > 0 { t.clock_fast } else { t.clock_slow }, wrong_ms / 1000, "");
    match wrong_ms {
        CLOCK_PROBLEM_MS.. => finding("clock", FindingState::Problem, message, t.clock_fix),
        CLOCK_NOTE_MS.. => finding("clock", FindingState::Note, message, t.clock_fix),
        _ => finding("clock", FindingState::Ok, t.clock_ok, ""),
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

    fn problems(facts: &Facts<'_>) -> Vec<&'static str> {
        let findings = of_node(facts, ENGLISH).into_iter();
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
        let findings = of_node(&facts, ENGLISH);
        assert!(findings.iter().filter(|one| one.state == FindingState::Problem).all(|one| one.fix.is_some()));
        assert!(findings.iter().any(|one| one.message.contains("600 s slow")));
        assert!(findings.iter().any(|one| one.message == "/p2p/X: refused"));
    }

    #[test]
    fn findings_are_told_in_the_language_that_is_asked_for_and_words_from_elsewhere_are_marked() {
        let mut broken = report(Reachability::Public);
        broken.confirmed = vec![("/ip4/5.1.0.1/tcp/1".to_owned(), Proof::Forwarded)];
        broken.failures = vec![("/p2p/X".to_owned(), "refused".to_owned())];
        let mut facts = facts(&broken);
        facts.storage_problem = Some("the disk is full".to_owned());
        let portuguese = crate::web::texts::Language::Pt.texts().explanations();
        let findings = of_node(&facts, portuguese);
        let reach = findings.iter().find(|one| one.check == "reachability").unwrap();
        assert_eq!(reach.message, "outros chegam a este nó: /ip4/5.1.0.1/tcp/1, o router diz que o encaminha");
        let english: Vec<_> = findings.iter().filter(|one| one.is_english).map(|one| one.message.as_str()).collect();
        assert_eq!(english, ["the disk is full", "/p2p/X: refused"]);
    }

    #[test]
    fn a_node_that_knows_nobody_is_told_so_and_nothing_is_guessed() {
        let report = report(Reachability::Unknown);
        assert_eq!(problems(&facts(&report)), ["peers"]);
        let reach = of_node(&facts(&report), ENGLISH).into_iter().find(|one| one.check == "reachability");
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
