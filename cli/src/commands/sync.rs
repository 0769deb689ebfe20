//! `roda sync`: compares boards with the connected peers now.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::{SyncAsk, SyncReport};

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it [default: all that are followed]
    board: Option<String>,
    /// Seconds to wait for the comparisons to end at most
    #[arg(long, value_name = "S")]
    wait: Option<u64>,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let body = SyncAsk { board: args.board, wait_s: args.wait };
    let reports: Vec<SyncReport> = Client::new(context).post("/api/v1/sync", &body).await?;
    output.list(&reports, |look| render(&reports, look))?;
    if reports.is_empty() {
        output.note(&format!("no board is followed yet: {}", context.command("board open lounge")));
    } else if reports.iter().all(|report| report.peers_asked == 0) {
        output.note("no connected peer follows any of these boards, so nothing was compared");
    }
    Ok(())
}

fn render(reports: &[SyncReport], look: &Look) -> String {
    if reports.is_empty() {
        return String::new();
    }
    let columns = [
        ("BOARD", Align::Left),
        ("EQUAL WITH", Align::Left),
        ("EVENTS", Align::Right),
        ("RECEIVED", Align::Right),
        ("SENT", Align::Right),
        ("ROUNDS", Align::Right),
        ("TRAFFIC", Align::Right),
    ];
    let mut table = Table::new(&columns, 0);
    for report in reports {
        let is_equal = report.peers_asked > 0 && report.peers_equal == report.peers_asked;
        let equal = format!("{} of {}", report.peers_equal, words::count(report.peers_asked.into(), "peer"));
        table.push(vec![
            painted(words::short_id(&report.board), Look::cyan),
            painted(equal, if is_equal { Look::green } else { Look::yellow }),
            plain(report.events.to_string()),
            plain(report.received.to_string()),
            plain(report.sent.to_string()),
            plain(report.rounds.to_string()),
            plain(words::size(report.bytes)),
        ]);
    }
    table.render(look)
}
