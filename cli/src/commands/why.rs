//! `roda why`: how an event came to be shown as it is.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::thread::tree::hidden_words;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::{Rank, WhyReport};

/// Which event.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Any event: its id or a prefix of it
    id: String,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let report: WhyReport = Client::new(context).get(&format!("/api/v1/events/{}/why", encoded(&args.id))).await?;
    if output.is_json() {
        return output.object(&report, |_| String::new());
    }
    let text = render(&report, &output.look());
    output.page(&text)
}

fn render(report: &WhyReport, look: &Look) -> String {
    let mut facts = vec![
        ("what", format!("{} {}", words::line(&report.kind), report.id)),
        ("board", words::board_among(&report.board, &report.board_name, report.board_look_alike)),
        ("author", words::author_among(&report.author, report.name.as_deref(), report.look_alike)),
        ("key", words::line(&report.author)),
        ("signature", signature(report, look)),
        ("dated", format!("{} (the author's claim)", look.ago(report.created_ms))),
        ("arrived", format!("{} {}", look.ago(report.received_ms), brought(report))),
        ("stored", stored(report)),
    ];
    if !report.waits_for.is_empty() {
        let ids: Vec<String> = report.waits_for.iter().map(|id| words::short_id(id)).collect();
        facts.push(("waits for", format!("{}: named and not here", ids.join(", "))));
    }
    if let Some(votes) = report.votes {
        facts.push(("votes", format!("+{} -{}, raw: one for each author", votes.up, votes.down)));
    }
    for rule in &report.rules {
        let points = rule.points.map(|points| format!(" {points:+}")).unwrap_or_default();
        facts.push(("your rule", format!("{}{points} {}", words::line(&rule.effect), words::line(&rule.what))));
    }
    facts.push((
        "hidden",
        match &report.hidden {
            Some(hidden) => hidden_words(hidden).trim_matches(['[', ']']).to_owned(),
            None => "by nobody".to_owned(),
        },
    ));
    let mut text = words::facts(look, &facts);
    if !report.ranks.is_empty() {
        text.push_str("\n\n");
        text.push_str(&ranks(&report.ranks, look));
    }
    text
}

fn signature(report: &WhyReport, look: &Look) -> String {
    let signature = &report.signature;
    let holds = if signature.valid { look.green("holds") } else { look.yellow("does not hold") };
    let by = match signature.signer.as_str() {
        "device" => format!("by the device {} that the author has certified", words::short_id(&signature.key)),
        _ => "by the author's own key".to_owned(),
    };
    format!("{holds}, checked now; {by}; {} bits of work; {} bytes", signature.work_bits, signature.bytes)
}

fn brought(report: &WhyReport) -> String {
    match (report.brought.by.as_str(), &report.brought.peer_id) {
        ("here", _) => "(written here)".to_owned(),
        ("peer", Some(peer)) => format!("first from the peer {}", words::line(peer)),
        ("peer", None) => "first from a peer".to_owned(),
        _ => "(from whom is not recorded: it came before the node started, by an import, or long ago)".to_owned(),
    }
}

fn stored(report: &WhyReport) -> String {
    match report.stored.as_str() {
        "held" => "whole".to_owned(),
        "words_missing" => "without its words, which are asked for".to_owned(),
        "taken_back" => "without its words: its author took it back".to_owned(),
        other => words::line(other),
    }
}

/// The thread's place in every order, with the numbers that put it there.
fn ranks(ranks: &[Rank], look: &Look) -> String {
    let columns = [("ORDER", Align::Left), ("PLACE", Align::Right), ("BECAUSE", Align::Left)];
    let mut table = Table::new(&columns, 2);
    for rank in ranks {
        let because = match rank.sort.as_str() {
            "active" => format!("last active {}", look.ago(rank.active_ms)),
            "top" => format!("score {}", rank.score),
            "hot" => {
                format!("written {}, score {} is worth {}", look.ago(rank.created_ms), rank.score, hours(rank.votes_ms))
            }
            "balanced" => format!(
                "as hot, and {} back: {} of the same author higher up",
                hours(rank.back_ms),
                words::count(rank.same_author_above.into(), "thread")
            ),
            _ => format!("written {}", look.ago(rank.created_ms)),
        };
        let place = format!("{} of {}", rank.place, rank.of);
        table.push(vec![painted(words::line(&rank.sort), Look::bold), plain(place), plain(because)]);
    }
    table.render(look)
}

/// Milliseconds as hours with one decimal.
fn hours(ms: i64) -> String {
    let tenths = ms / 360_000;
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{} h", tenths.abs() / 10, tenths.abs() % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_hours() {
        assert_eq!(hours(4 * 3_600_000), "4.0 h");
        assert_eq!(hours(-5_400_000), "-1.5 h");
        assert_eq!(hours(0), "0.0 h");
    }
}
