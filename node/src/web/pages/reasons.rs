//! Why things are shown as they are, and how concentrated this node's world is.

use crate::api::dto::{Figures, Power, PowerOf, WhyReport};
use crate::api::error::ApiError;
use crate::api::power::{PowerAsk, read_power};
use crate::api::why::read_why;
use crate::web::frame::Frame;
use crate::web::{Shared, show};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

/// A place in an order.
struct Rank {
    sort: String,
    formula: String,
    place: u64,
    of: u64,
    numbers: String,
}

#[derive(Template)]
#[template(path = "why.html")]
struct WhyPage {
    frame: Frame,
    id: String,
    short: String,
    thread: Option<String>,
    facts: Vec<(&'static str, String)>,
    author: show::Author,
    hidden: Option<String>,
    ranks: Vec<Rank>,
}

/// `GET /why/ID`.
pub(super) async fn why(State(web): State<Shared>, frame: Frame, Path(id): Path<String>) -> Response {
    match read_why(&web.context, id).await {
        Ok(report) => Frame::page(&page(frame, report)),
        Err(error) => frame.failed(error),
    }
}

fn page(frame: Frame, report: WhyReport) -> WhyPage {
    let t = frame.t;
    let signature = &report.signature;
    let brought = match report.brought.by.as_str() {
        "here" => t.why_here.to_owned(),
        "peer" => report.brought.peer_id.clone().unwrap_or_default(),
        _ => t.why_not_recorded.to_owned(),
    };
    let facts = vec![
        (t.kind, report.kind.clone()),
        (t.board, show::board(&report.board, &report.board_name)),
        (t.why_written, show::machine_time(&report.created_ms)),
        (t.why_received, show::machine_time(&report.received_ms)),
        (t.why_brought, brought),
        (t.why_signature, if signature.valid { t.why_valid } else { t.why_invalid }.to_owned()),
        (t.why_signer, format!("{}: {}", signature.signer, signature.key)),
        (t.work_bits, signature.work_bits.to_string()),
        (t.why_bytes, signature.bytes.to_string()),
        (t.why_stored, report.stored.clone()),
        (t.why_waits, if report.waits_for.is_empty() { "—".to_owned() } else { report.waits_for.join(", ") }),
        (t.why_points, report.points.to_string()),
    ];
    let rank = |rank: crate::api::dto::Rank| Rank {
        numbers: match rank.sort.as_str() {
            "hot" => format!("{} + {} ms", show::machine_time(&rank.created_ms), rank.votes_ms),
            "balanced" => {
                let created = show::machine_time(&rank.created_ms);
                format!("{created} + {} ms − {} ms ({})", rank.votes_ms, rank.back_ms, rank.same_author_above)
            }
            "top" => rank.score.to_string(),
            "active" => show::machine_time(&rank.active_ms),
            _ => show::machine_time(&rank.created_ms),
        },
        sort: rank.sort,
        formula: rank.formula,
        place: rank.place,
        of: rank.of,
    };
    WhyPage {
        short: show::short_id(&report.id),
        author: show::Author::new(&report.author, report.name.as_deref(), report.look_alike, report.mine),
        hidden: report.hidden.as_ref().map(|hidden| super::thread::hidden_words(t, hidden)),
        ranks: report.ranks.into_iter().map(rank).collect(),
        thread: report.thread,
        id: report.id,
        facts,
        frame,
    }
}

/// A row of figures.
struct Row {
    name: String,
    total: u64,
    holders: u64,
    top1: String,
    top10: String,
    effective: String,
    nakamoto: u64,
}

/// A board's figures.
struct Part {
    name: String,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "power.html")]
struct PowerPage {
    frame: Frame,
    words: Vec<String>,
    since: String,
    parts: Vec<Part>,
    networks: Vec<(String, String)>,
}

/// `GET /power`.
pub(super) async fn power(State(web): State<Shared>, frame: Frame) -> Response {
    let read: Result<Power, ApiError> = read_power(&web.context, PowerAsk { board: None, days: None }).await;
    match read {
        Ok(power) => {
            let t = frame.t;
            let part = |of: &PowerOf| Part {
                name: match &of.board {
                    Some(board) => show::board(board, of.board_name.as_deref().unwrap_or_default()),
                    None => t.power_all.to_owned(),
                },
                rows: vec![
                    row(t.power_posts, &of.posts),
                    row(t.power_comments, &of.comments),
                    row(t.power_votes, &of.votes),
                    row(t.power_deliveries, &of.first_deliveries),
                ],
            };
            let parts = std::iter::once(&power.overall).chain(&power.boards).map(part).collect();
            let networks = power.networks.iter().map(|share| (show::line(&share.who), percent(share.share))).collect();
            Frame::page(&PowerPage {
                words: power.words.iter().map(|line| show::line(line)).collect(),
                since: show::machine_time(&power.since_ms),
                parts,
                networks,
                frame,
            })
        }
        Err(error) => frame.failed(error),
    }
}

fn row(name: &str, figures: &Figures) -> Row {
    Row {
        name: name.to_owned(),
        total: figures.total,
        holders: figures.holders,
        top1: percent(figures.top1),
        top10: percent(figures.top10),
        effective: format!("{:.1}", figures.effective),
        nakamoto: figures.nakamoto,
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
