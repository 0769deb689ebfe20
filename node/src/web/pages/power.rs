//! How concentrated this node's world is: figures, and the shares behind them as plots and tables.

use crate::api::dto::{Figures, Loss, Power, PowerOf, Share};
use crate::api::power::{DAYS_DEFAULT, NEARBY, OTHERS, PowerAsk, read_power};
use crate::web::frame::Frame;
use crate::web::texts::Texts;
use crate::web::{Shared, show};
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;

/// Times to look at that are offered, in days.
const DAYS: [u64; 5] = [1, 7, 30, 365, 36_500];

/// The width of a plot in its own units.
const PLOT_WIDTH: f64 = 1000.0;

/// One row of figures.
struct Row {
    name: String,
    total: String,
    holders: u64,
    top1: String,
    top10: String,
    effective: String,
    nakamoto: u64,
    gini: String,
}

/// A table of figures: a board's, or that of peers.
struct Part {
    name: String,
    /// Where a board's own page of power is.
    link: Option<String>,
    rows: Vec<Row>,
}

/// A piece of a plot, in its units.
struct Bar {
    x: String,
    width: String,
    shade: usize,
}

/// The largest shares of a whole, drawn as one bar in pieces, and as a table.
struct Plot {
    name: &'static str,
    /// What it shows, in words.
    words: String,
    bars: Vec<Bar>,
    rows: Vec<PlotRow>,
}

struct PlotRow {
    who: String,
    link: Option<String>,
    count: String,
    share: String,
    shade: usize,
}

struct LossRow {
    who: String,
    copies: String,
    first: String,
    received: String,
    network: String,
}

#[derive(Template)]
#[template(path = "power.html")]
struct PowerPage {
    frame: Frame,
    words: Vec<String>,
    since: String,
    started: String,
    board: String,
    days: Vec<(u64, bool)>,
    parts: Vec<Part>,
    plots: Vec<Plot>,
    losses: Vec<LossRow>,
}

/// `GET /power?days=&board=`.
pub(super) async fn power(
    State(web): State<Shared>,
    frame: Frame,
    query: Result<Query<PowerAsk>, QueryRejection>,
) -> Response {
    let ask = match query {
        Ok(Query(ask)) => PowerAsk { board: ask.board.filter(|board| !board.is_empty()), ..ask },
        Err(error) => return frame.failed(error.into()),
    };
    let (days, board) = (ask.days.unwrap_or(DAYS_DEFAULT), ask.board.clone().unwrap_or_default());
    match read_power(&web.context, ask, frame.t.explanations()).await {
        Ok(power) => Frame::page(&page(frame, &power, days, board)),
        Err(error) => frame.failed(error),
    }
}

fn page(frame: Frame, power: &Power, days: u64, board: String) -> PowerPage {
    let t = frame.t;
    let peers = Part {
        name: t.power_peers.to_owned(),
        link: None,
        rows: vec![
            row(t.power_received, &power.received, bytes),
            row(t.power_sent, &power.sent, bytes),
            row(t.power_networks, &power.network_concentration, number),
        ],
    };
    let boards = std::iter::once(&power.overall).filter(|_| power.boards.len() != 1).chain(&power.boards);
    let plots = [
        plot(t, t.power_authors, &power.overall.top_authors, number),
        plot(t, t.power_deliveries, &power.overall.top_peers, number),
        plot(t, t.power_received, &power.top_received, bytes),
        plot(t, t.power_sent, &power.top_sent, bytes),
        plot(t, t.power_networks, &power.networks, number),
    ];
    PowerPage {
        words: power.words.iter().map(|line| show::line(line)).collect(),
        since: show::machine_time(&power.since_ms),
        started: show::machine_time(&power.started_ms),
        days: DAYS.iter().map(|offered| (*offered, *offered == days)).collect(),
        parts: boards.map(|of| part(t, of)).chain([peers]).collect(),
        plots: plots.into_iter().flatten().collect(),
        losses: power.losses.iter().map(|lost| loss(t, lost)).collect(),
        board,
        frame,
    }
}

fn part(t: &Texts, of: &PowerOf) -> Part {
    Part {
        name: match &of.board {
            Some(board) => show::board(board, of.board_name.as_deref().unwrap_or_default(), of.board_look_alike),
            None => t.power_all.to_owned(),
        },
        link: of.board.as_ref().map(|board| format!("/power?board={board}")),
        rows: vec![
            row(t.power_posts, &of.posts, number),
            row(t.power_comments, &of.comments, number),
            row(t.power_votes, &of.votes, number),
            row(t.power_deliveries, &of.first_deliveries, number),
        ],
    }
}

fn row(name: &str, figures: &Figures, words: fn(u64) -> String) -> Row {
    Row {
        name: name.to_owned(),
        total: words(figures.total),
        holders: figures.holders,
        top1: percent(figures.top1),
        top10: percent(figures.top10),
        effective: format!("{:.1}", figures.effective),
        nakamoto: figures.nakamoto,
        gini: format!("{:.2}", figures.gini),
    }
}

/// A plot of shares, the largest first; none if there are none.
fn plot(t: &Texts, name: &'static str, shares: &[Share], words: fn(u64) -> String) -> Option<Plot> {
    let largest = shares.first().filter(|largest| largest.count > 0)?;
    let mut at = 0.0;
    let (mut bars, mut rows) = (Vec::new(), Vec::new());
    for (shade, share) in shares.iter().filter(|share| share.count > 0).enumerate() {
        let width = share.share.clamp(0.0, 1.0) * PLOT_WIDTH;
        bars.push(Bar { x: format!("{at:.1}"), width: format!("{width:.1}"), shade });
        at += width;
        let is_author = share.who.starts_with('@');
        rows.push(PlotRow {
            who: holder(t, share),
            link: is_author.then(|| format!("/author/{}", show::in_address(&share.who))),
            count: words(share.count),
            share: percent(share.share),
            shade,
        });
    }
    let words = format!("{name}: {} {}, {}", t.power_top1, percent(largest.share), holder(t, largest));
    Some(Plot { name, words, bars, rows })
}

fn holder(t: &Texts, share: &Share) -> String {
    match &share.name {
        Some(name) => format!("{} {}", show::name(name), peer(t, &share.who)),
        None => peer(t, &share.who),
    }
}

/// A key or a peer's name, short enough for a table. The end of a peer's name differs, the beginning hardly does.
fn peer(t: &Texts, who: &str) -> String {
    let line = show::line(who);
    match who {
        NEARBY => t.explanations().power_nearby.to_owned(),
        OTHERS => t.explanations().power_others.to_owned(),
        _ if who.starts_with('@') => line.chars().take(9).collect(),
        _ if who.starts_with("12D3") => format!("…{}", line.get(line.len().saturating_sub(8)..).unwrap_or_default()),
        _ => line,
    }
}

fn loss(t: &Texts, loss: &Loss) -> LossRow {
    let copies: Vec<String> = loss.only_copy_of.iter().map(|name| show::line(name)).collect();
    let or_none = |text: String| if text.is_empty() { "—".to_owned() } else { text };
    LossRow {
        who: peer(t, &loss.peer_id),
        copies: or_none(copies.join(", ")),
        first: percent(loss.first_deliveries),
        received: percent(loss.received),
        network: or_none(loss.only_of_network.as_deref().map(|network| peer(t, network)).unwrap_or_default()),
    }
}

fn number(count: u64) -> String {
    count.to_string()
}

fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
