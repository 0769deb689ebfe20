//! `roda events`: what the node does, as it happens, until it is interrupted or the node stops.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::json;
use crate::output::{Output, reader_gone};
use crate::terminal::Look;
use crate::words;
use roda_node::api::dto::NodeEvent;

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let mut lines = Client::new(context).lines("/api/v1/events").await?;
    output.note("watching the node; Ctrl-C ends");
    let gone = reader_gone();
    tokio::pin!(gone);
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            gone = &mut gone => return Err(gone),
        };
        let Some(line) = line else { break };
        let text = if output.is_json() {
            json::escaped(&line).into_owned()
        } else {
            match serde_json::from_str(&line) {
                Ok(event) => sentence(&event, &output.look()),
                // A newer node may have more to tell than this client knows.
                Err(_) => words::line(&line),
            }
        };
        output.line_now(&text)?;
    }
    output.note("the node has stopped");
    Ok(())
}

fn sentence(event: &NodeEvent, look: &Look) -> String {
    let id = |id: &str| look.cyan(&words::short_id(id));
    match event {
        NodeEvent::Admitted { id: event, board, kind } => {
            format!("{} {} {} in {}", look.green("admitted"), words::line(kind), id(event), id(board))
        }
        NodeEvent::Declined { id: event, board, kind, why } => {
            let (kind, why) = (words::line(kind), words::line(why));
            format!("{} {kind} {} in {}: {why}", look.yellow("declined"), id(event), id(board))
        }
        NodeEvent::Connected { peer_id, addr } => {
            format!("{} {} at {}", look.green("connected"), words::line(peer_id), words::line(addr))
        }
        NodeEvent::Disconnected { peer_id } => format!("{} {}", look.yellow("disconnected"), words::line(peer_id)),
        NodeEvent::Lagged { missed } => {
            format!("{} {missed} not shown: this reader was too slow", look.yellow("missed"))
        }
    }
}
