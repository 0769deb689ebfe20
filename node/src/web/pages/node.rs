//! The node: who it is connected to, what it holds, what is on its way, what is wrong.

use crate::api::boards::read_boards;
use crate::api::dto::FindingState;
use crate::api::error::ApiError;
use crate::api::node::{diagnose, read_peers, read_status};
use crate::api::read::read_outbox;
use crate::doctor::Observation;
use crate::web::frame::Frame;
use crate::web::texts::Texts;
use crate::web::{Shared, show};
use askama::Template;
use axum::extract::State;
use axum::response::Response;

/// Own events that are listed: those that are not held by anybody yet, newest first.
const OUTBOX_MAX: usize = 50;

/// A peer in the list.
struct Peer {
    short: String,
    id: String,
    address: String,
    direction: &'static str,
    since_ms: u64,
    boards: usize,
    latency: String,
}

/// How complete a followed board is.
struct BoardState {
    id: String,
    name: String,
    held: u64,
    /// Peers with the same set, of those that were compared with.
    equal: String,
    missing: usize,
    checked_ms: u64,
}

/// An own event on its way.
struct Waiting {
    id: String,
    short: String,
    kind: String,
    is_in_thread: bool,
    created_ms: u64,
    delivery: String,
}

/// Something that was looked at.
struct Found {
    state: &'static str,
    class: &'static str,
    message: String,
    is_english: bool,
    fix: String,
}

#[derive(Template)]
#[template(path = "node_page.html")]
struct NodePage {
    frame: Frame,
    facts: Vec<(&'static str, String)>,
    notices: Vec<String>,
    findings: Vec<Found>,
    peers: Vec<Peer>,
    boards: Vec<BoardState>,
    waiting: Vec<Waiting>,
}

/// `GET /node`.
pub(super) async fn show(State(web): State<Shared>, frame: Frame) -> Response {
    match read(&web, &frame).await {
        Ok(page) => Frame::page(&page),
        Err(error) => frame.failed(error),
    }
}

async fn read(web: &Shared, frame: &Frame) -> Result<NodePage, ApiError> {
    let t = frame.t;
    let status = read_status(&web.context).await?;
    let peers = read_peers(&web.context).await?;
    let findings = diagnose(&web.context, t.explanations()).await?;
    let outbox = web.reading(read_outbox).await?;
    let boards = read_boards(&web.context).await?;
    let facts = vec![
        (t.network, show::line(&status.network)),
        (t.reachability, reach(t, &status.reachability)),
        (t.events, status.events.to_string()),
        (t.disk, format!("{} MiB", status.disk_bytes.div_ceil(1024 * 1024))),
        (t.uptime, format!("{} min", status.uptime_s / 60)),
        (t.version, status.version.clone()),
    ];
    let found = |finding: Observation| {
        let (class, state) = match finding.state {
            FindingState::Ok => ("ok", t.finding_ok),
            FindingState::Note => ("note", t.finding_note),
            FindingState::Problem => ("problem", t.finding_problem),
        };
        Found {
            state,
            class,
            message: show::line(&finding.message),
            is_english: finding.is_english,
            fix: finding.fix.as_deref().map(show::line).unwrap_or_default(),
        }
    };
    let peer = |peer: crate::api::dto::PeerEntry| Peer {
        // The beginning is the same for all.
        short: peer.peer_id.chars().skip(peer.peer_id.chars().count().saturating_sub(8)).collect(),
        address: show::line(&peer.addr),
        direction: if peer.direction == "outbound" { t.outbound } else { t.inbound },
        since_ms: peer.since_ms,
        boards: peer.boards.len(),
        latency: peer.latency_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
        id: peer.peer_id,
    };
    let waiting = |entry: crate::api::dto::OutboxEntry| Waiting {
        short: show::short_id(&entry.id),
        delivery: t.delivery(&entry.state, entry.held_by),
        kind: t.explanations().kind(&entry.kind).to_owned(),
        is_in_thread: matches!(entry.kind.as_str(), "post" | "comment"),
        created_ms: entry.created_ms,
        id: entry.id,
    };
    let board = |board: crate::api::dto::Board| BoardState {
        name: show::board(&board.board, &board.name, board.look_alike),
        held: board.completeness.held,
        equal: match board.completeness.peers_asked {
            0 => "—".to_owned(),
            asked => format!("{}/{asked}", board.completeness.peers_equal),
        },
        missing: board.completeness.missing.len(),
        checked_ms: board.completeness.checked_ms,
        id: board.board,
    };
    Ok(NodePage {
        boards: boards.into_iter().filter(|board| board.followed).map(board).collect(),
        facts,
        notices: status.notices.iter().map(|notice| show::line(notice)).collect(),
        findings: findings.into_iter().map(found).collect(),
        peers: peers.into_iter().map(peer).collect(),
        waiting: outbox.into_iter().rev().filter(|entry| entry.held_by == 0).take(OUTBOX_MAX).map(waiting).collect(),
        frame: frame.clone(),
    })
}

/// Whether others reach the node, in words.
fn reach(t: &Texts, word: &str) -> String {
    let words = match word {
        "machine" => t.reach_machine,
        "hidden" => t.reach_hidden,
        "public" => t.reach_public,
        "relayed" => t.reach_relayed,
        "unreachable" => t.reach_none,
        _ => t.reach_unknown,
    };
    words.to_owned()
}
