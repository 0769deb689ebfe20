//! `roda status`: what the node is doing.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::{self, Look};
use crate::words;
use roda_node::api::dto::Status;

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let status: Status = Client::new(context).get("/api/v1/status").await?;
    show(&status, context, output)
}

/// Prints a status, and what a person may do about it.
///
/// # Errors
///
/// Standard output can't be written.
pub(crate) fn show(status: &Status, context: &Context, output: &mut Output) -> Result<(), CliError> {
    output.object(status, |look| render(status, look))?;
    if status.boards == 0 {
        output.note(&format!("no board is followed yet: {}", context.command("board open lounge")));
    } else if status.peers == 0 {
        output.note(&format!("no peer is connected: {}", context.command("connect MULTIADDR")));
    }
    Ok(())
}

fn render(status: &Status, look: &Look) -> String {
    let mut pairs = vec![
        ("network", words::line(&status.network)),
        ("author", words::line(&status.author)),
        ("peer id", words::line(&status.peer_id)),
        (
            "running for",
            format!(
                "{} (process {}, version {})",
                terminal::span(status.uptime_s),
                status.pid,
                words::line(&status.version)
            ),
        ),
        ("peers", status.peers.to_string()),
        ("boards", status.boards.to_string()),
        ("events", format!("{} in {}", status.events, words::size(status.disk_bytes))),
    ];
    for (index, address) in status.listen.iter().enumerate() {
        pairs.push((if index == 0 { "listens on" } else { "" }, words::line(address)));
    }
    pairs.push(("reachable", reachable(status).to_owned()));
    if let Some(percent) = status.remade_percent {
        pairs.push(("index", format!("being rebuilt: {percent} % of it is there, and shown")));
    }
    if let Some(door) = &status.web {
        pairs.push(("web page", words::line(&door.url)));
        let certificate = door.certificate.iter();
        pairs.extend(certificate.map(|certificate| ("certificate", format!("SHA-256 {}", words::line(certificate)))));
    }
    let notices = status.notices.iter().map(|notice| format!("\n{} {}", look.yellow("!"), words::line(notice)));
    words::facts(look, &pairs) + &notices.collect::<String>()
}

fn reachable(status: &Status) -> &'static str {
    match status.reachability.as_str() {
        "public" => "by others, directly",
        "relayed" => "through peers that relay",
        "unreachable" => "not by others, as far as is known; it reaches them",
        "machine" => "on this machine",
        "hidden" => "hidden behind a proxy",
        _ => "not known yet",
    }
}
