//! `roda power`: how concentrated this node's world is.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::{Figures, Loss, Power, PowerOf, Share};
use roda_protocol::text::Untrusted;

/// What to look at.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
TOP 1 and TOP 10 are the shares of the largest holder and of the ten largest. EFFECTIVE says to how many equal holders it is
comparable (1 / sum of squared shares), MAJORITY how few hold more than half, GINI how unequal they are (0: all have the same).
All of it comes from what this node has seen; no one is asked and nothing is told to others. Many keys can belong to one
person: the real concentration may be higher, never lower, than what is shown.")]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it [default: all that are followed]
    board: Option<String>,
    /// Days of authorship to look at
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u64,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let board = args.board.as_deref().map(|board| format!("&board={}", encoded(board))).unwrap_or_default();
    let power: Power = Client::new(context).get(&format!("/api/v1/power?days={}{board}", args.days)).await?;
    if output.is_json() {
        return output.object(&power, |_| String::new());
    }
    let text = render(&power, &output.look());
    output.page(&text)
}

fn render(power: &Power, look: &Look) -> String {
    let mut lines = vec![look.dim(&format!(
        "authorship of the last {} by the authors' dates; deliveries since the node started, {}; {} connected",
        words::count(power.days, "day"),
        look.ago(power.started_ms),
        words::count(power.peers, "peer")
    ))];
    lines.push(String::new());
    lines.push(table(power, look));
    for (heading, shares) in [
        ("most posts and comments", &power.overall.top_authors),
        ("brought most events first", &power.overall.top_peers),
        ("most bytes came from", &power.top_received),
        ("most bytes went to", &power.top_sent),
        ("networks of connected peers", &power.networks),
    ] {
        if !shares.is_empty() {
            lines.push(String::new());
            lines.push(format!("{} {}", look.dim(heading), named(shares)));
        }
    }
    let losses: Vec<String> = power.losses.iter().filter_map(loss).collect();
    if !losses.is_empty() {
        lines.push(String::new());
        lines.push(look.dim("if a peer were gone"));
        lines.extend(losses);
    }
    lines.push(String::new());
    for words in &power.words {
        let wrapped = Untrusted::new(words.clone()).wrapped(look.text_columns().saturating_sub(2), "");
        lines.extend(
            wrapped
                .lines()
                .enumerate()
                .map(|(at, line)| if at == 0 { format!("- {line}") } else { format!("  {line}") }),
        );
    }
    lines.join("\n")
}

/// What would be lost with a peer, if that is much.
fn loss(loss: &Loss) -> Option<String> {
    let mut parts = Vec::new();
    if !loss.only_copy_of.is_empty() {
        let names: Vec<String> = loss.only_copy_of.iter().map(|name| words::line(name)).collect();
        parts.push(format!("the only copy among connected peers of {}", names.join(", ")));
    }
    if loss.first_deliveries > 0.0 {
        parts.push(format!("{} of what came first", percent(loss.first_deliveries)));
    }
    if let Some(network) = &loss.only_of_network {
        parts.push(format!("the only peer of network {}", words::line(network)));
    }
    (!parts.is_empty()).then(|| format!("{}  {}", peer(&loss.peer_id), parts.join("; ")))
}

/// A peer's name, short: its end differs, the beginning hardly does.
fn peer(name: &str) -> String {
    let name = words::line(name);
    format!("…{}", name.get(name.len().saturating_sub(8)..).unwrap_or_default())
}

fn named(shares: &[Share]) -> String {
    let one = |share: &Share| {
        let who = match share.who.starts_with('@') {
            true => words::author(&share.who, share.name.as_deref()),
            false if share.who.starts_with("12D3") => peer(&share.who),
            false => words::line(&share.who),
        };
        format!("{who} {}", percent(share.share))
    };
    shares.iter().take(5).map(one).collect::<Vec<_>>().join(", ")
}

fn table(power: &Power, look: &Look) -> String {
    let columns = [
        ("BOARD", Align::Left),
        ("OF", Align::Left),
        ("TOTAL", Align::Right),
        ("HOLDERS", Align::Right),
        ("TOP 1", Align::Right),
        ("TOP 10", Align::Right),
        ("EFFECTIVE", Align::Right),
        ("MAJORITY", Align::Right),
        ("GINI", Align::Right),
    ];
    let mut table = Table::new(&columns, 0);
    let many = power.boards.len() > 1;
    let wholes = power.boards.iter().map(|board| (name(board), board));
    let all = std::iter::once(("all".to_owned(), &power.overall)).filter(|_| many || power.boards.is_empty());
    for (name, of) in all.chain(wholes) {
        let kinds = [
            ("posts by author", &of.posts),
            ("comments by author", &of.comments),
            ("votes by author", &of.votes),
            ("events by peer", &of.first_deliveries),
        ];
        for (kind, figures) in kinds {
            table.push(row(&name, kind, figures));
        }
    }
    if power.peers > 0 {
        table.push(row("", "peers by network", &power.network_concentration));
    }
    for (kind, figures) in [("bytes received by peer", &power.received), ("bytes served by peer", &power.sent)] {
        if figures.total > 0 {
            table.push(row("", kind, figures));
        }
    }
    table.render(look)
}

fn name(board: &PowerOf) -> String {
    words::board_among(
        board.board.as_deref().unwrap_or_default(),
        board.board_name.as_deref().unwrap_or_default(),
        board.board_look_alike,
    )
}

fn row(board: &str, of: &str, figures: &Figures) -> Vec<words::Cell> {
    let some = |text: String| plain(if figures.total == 0 { "-".to_owned() } else { text });
    vec![
        painted(board, Look::bold),
        plain(of),
        plain(figures.total.to_string()),
        plain(figures.holders.to_string()),
        some(percent(figures.top1)),
        some(percent(figures.top10)),
        some(format!("{:.1}", figures.effective)),
        some(figures.nakamoto.to_string()),
        some(format!("{:.2}", figures.gini)),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}
