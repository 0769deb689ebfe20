//! `roda peers`: the connected peers, as a table or as a picture.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::{PeerEntry, Status};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How to show them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Draw what this node knows of the mesh, for Graphviz (`dot -Tsvg`) or for Mermaid
    #[arg(long, value_name = "dot|mermaid", num_args = 0..=1, default_missing_value = "dot")]
    graph: Option<Language>,
}

/// A language of graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
}

/// A picture as text.
#[derive(Debug, Serialize)]
struct Graph {
    language: &'static str,
    graph: String,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let peers: Vec<PeerEntry> = client.get("/api/v1/peers").await?;
    if let Some(language) = args.graph {
        let status: Status = client.get("/api/v1/status").await?;
        let graph = draw(language, &status, &peers);
        return output.object(&graph, |_| graph.graph.trim_end().to_owned());
    }
    output.list(&peers, |look| render(&peers, look))?;
    if peers.is_empty() {
        output.note(&format!("no peer is connected: {}", context.command("connect MULTIADDR")));
    }
    Ok(())
}

/// The node in the middle, an arrow for each connection from who dialled, a dashed one through a relay; relays that hold a
/// place for this node are boxes. Of links between others a node knows nothing, so none are drawn.
fn draw(language: Language, status: &Status, peers: &[PeerEntry]) -> Graph {
    let short = |peer: &str| -> String {
        let digits: Vec<char> = peer.chars().filter(char::is_ascii_alphanumeric).collect();
        digits[digits.len().saturating_sub(8)..].iter().collect()
    };
    let me = short(&status.peer_id);
    let relays: BTreeSet<&String> = status.relays.iter().collect();
    let label = |peer: &PeerEntry| {
        let ping = peer.latency_ms.map_or(String::new(), |ms| format!(", {ms} ms"));
        format!("{} ({}{ping})", short(&peer.peer_id), words::count(peer.boards.len() as u64, "shared board"))
    };
    let is_relayed = |peer: &PeerEntry| peer.addr.contains("/p2p-circuit");
    let mut graph = String::new();
    // Writing to a string does not fail.
    let _ = match language {
        Language::Dot => writeln!(graph, "digraph roda {{\n  \"{me}\" [label=\"this node\\n{me}\", style=bold];"),
        Language::Mermaid => writeln!(graph, "graph LR\n  {me}((\"this node {me}\"))"),
    };
    for peer in peers {
        let (name, label) = (short(&peer.peer_id), label(peer));
        let is_relay = relays.contains(&peer.peer_id);
        let (from, to) = if peer.direction == "outbound" { (&me, &name) } else { (&name, &me) };
        let _ = match language {
            Language::Dot => {
                let shape = if is_relay { ", shape=box" } else { "" };
                let style = if is_relayed(peer) { " [style=dashed]" } else { "" };
                writeln!(graph, "  \"{name}\" [label=\"{label}\"{shape}];\n  \"{from}\" -> \"{to}\"{style};")
            }
            Language::Mermaid => {
                let (open, close) = if is_relay { ("[", "]") } else { ("(", ")") };
                let arrow = if is_relayed(peer) { "-.->" } else { "-->" };
                writeln!(graph, "  {name}{open}\"{label}\"{close}\n  {from} {arrow} {to}")
            }
        };
    }
    if language == Language::Dot {
        graph.push_str("}\n");
    }
    Graph { language: if language == Language::Dot { "dot" } else { "mermaid" }, graph }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: &str, direction: &str, addr: &str) -> PeerEntry {
        PeerEntry {
            peer_id: id.to_owned(),
            addr: addr.to_owned(),
            direction: direction.to_owned(),
            since_ms: 0,
            boards: vec!["b".to_owned()],
            latency_ms: Some(3),
        }
    }

    fn status() -> Status {
        serde_json::from_value(serde_json::json!({
            "peer_id": "12D3KooWmyself00", "author": "", "network": "", "uptime_s": 0, "peers": 0, "boards": 0, "events": 0,
            "disk_bytes": 0, "version": "", "pid": 0, "listen": [], "reachability": "relayed", "confirmed": [],
            "relays": ["12D3KooWrelay000"], "notices": [], "counters": {}
        }))
        .unwrap()
    }

    #[test]
    fn an_arrow_goes_from_who_dialled_and_a_relay_is_a_box() {
        let peers = [
            peer("12D3KooWrelay000", "outbound", "/ip4/5.1.0.1/tcp/1/p2p/x"),
            peer("12D3KooWfriend00", "inbound", "/ip4/5.1.0.1/tcp/1/p2p/x/p2p-circuit/p2p/y"),
        ];
        let dot = draw(Language::Dot, &status(), &peers).graph;
        assert!(dot.contains("\"myself00\" -> \"relay000\";"), "{dot}");
        assert!(dot.contains("\"friend00\" -> \"myself00\" [style=dashed];"), "{dot}");
        assert!(dot.contains("shape=box") && dot.ends_with("}\n"), "{dot}");
        let mermaid = draw(Language::Mermaid, &status(), &peers).graph;
        assert!(mermaid.starts_with("graph LR") && mermaid.contains("friend00 -.-> myself00"), "{mermaid}");
    }

    #[test]
    fn a_name_that_is_none_draws_nothing_of_its_own() {
        let peers = [peer("x\"]; evil", "inbound", "a")];
        assert!(!draw(Language::Dot, &status(), &peers).graph.contains("\"]; evil"));
    }
}
