//! Why things are shown as they are, and how concentrated this node's world is.

use crate::api::dto::WhyReport;
use crate::api::why::read_why;
use crate::web::frame::Frame;
use crate::web::{Shared, show};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use roda_protocol::view::FeedSort;

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
    let (t, said) = (frame.t, frame.t.explanations());
    let signature = &report.signature;
    let brought = match report.brought.by.as_str() {
        "here" => t.why_here.to_owned(),
        "peer" => report.brought.peer_id.clone().unwrap_or_default(),
        _ => t.why_not_recorded.to_owned(),
    };
    let facts = vec![
        (t.kind, said.kind(&report.kind).to_owned()),
        (t.board, show::board(&report.board, &report.board_name, report.board_look_alike)),
        (t.why_written, show::machine_time(&report.created_ms)),
        (t.why_received, show::machine_time(&report.received_ms)),
        (t.why_brought, brought),
        (t.why_signature, if signature.valid { t.why_valid } else { t.why_invalid }.to_owned()),
        (t.why_signer, format!("{}: {}", said.signer(&signature.signer), signature.key)),
        (t.work_bits, signature.work_bits.to_string()),
        (t.why_bytes, signature.bytes.to_string()),
        (t.why_stored, said.stored(&report.stored).to_owned()),
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
        sort: t.sort(&rank.sort).0.to_owned(),
        formula: FeedSort::of_word(&rank.sort).map_or(rank.formula.as_str(), |sort| said.formula(sort)).to_owned(),
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
