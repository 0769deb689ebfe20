//! `roda peers`: the connected peers.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::PeerEntry;

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let peers: Vec<PeerEntry> = Client::new(context).get("/api/v1/peers").await?;
    output.list(&peers, |look| render(&peers, look))?;
    if peers.is_empty() {
        output.note(&format!("no peer is connected: {}", context.command("connect MULTIADDR")));
    }
    Ok(())
}

fn render(peers: &[PeerEntry], look: &Look) -> String {
    if peers.is_empty() {
        return String::new();
    }
    let columns = [
        ("PEER", Align::Left),
        ("ADDRESS", Align::Left),
        ("DIRECTION", Align::Left),
        ("BOARDS", Align::Right),
        ("PING", Align::Right),
        ("CONNECTED", Align::Left),
    ];
    let mut table = Table::new(&columns, 1);
    for peer in peers {
        table.push(vec![
            painted(words::line(&peer.peer_id), Look::cyan),
            plain(words::line(&peer.addr)),
            plain(words::line(&peer.direction)),
            plain(peer.boards.len().to_string()),
            plain(peer.latency_ms.map_or_else(|| "-".to_owned(), |latency_ms| format!("{latency_ms} ms"))),
            plain(look.ago(peer.since_ms)),
        ]);
    }
    table.render(look)
}
