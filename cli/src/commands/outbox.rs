//! `roda outbox`: own events, and how many peers hold them.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::OutboxEntry;

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let entries: Vec<OutboxEntry> = Client::new(context).get("/api/v1/outbox").await?;
    output.list(&entries, |look| render(&entries, look))?;
    if entries.is_empty() {
        output.note("nothing was written here yet");
    }
    Ok(())
}

fn render(entries: &[OutboxEntry], look: &Look) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let columns = [
        ("ID", Align::Left),
        ("KIND", Align::Left),
        ("BOARD", Align::Left),
        ("STATE", Align::Left),
        ("WRITTEN", Align::Left),
    ];
    let mut table = Table::new(&columns, 3);
    for entry in entries {
        let paint = if entry.state == "held" { Look::green } else { Look::yellow };
        table.push(vec![
            painted(words::short_id(&entry.id), Look::cyan),
            plain(words::line(&entry.kind)),
            plain(words::short_id(&entry.board)),
            painted(words::delivery(&entry.state, entry.held_by), paint),
            plain(look.ago(entry.created_ms)),
        ]);
    }
    table.render(look)
}
