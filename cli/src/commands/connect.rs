//! `roda connect`: dials a peer.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{Connect, Connected};

/// Whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it listens, for instance /ip4/192.0.2.7/tcp/7716
    #[arg(value_name = "MULTIADDR")]
    address: String,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let body = Connect { address: args.address };
    let connected: Connected = Client::new(context).post("/api/v1/connect", &body).await?;
    output.object(&connected, |look| format!("{} connected to {}", look.green("✓"), words::line(&connected.peer_id)))
}
