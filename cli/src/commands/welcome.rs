//! `roda` without a command: the status of the node that runs, or how to begin.

use super::status;
use crate::args::Context;
use crate::client::Client;
use crate::error::{CliError, Kind};
use crate::output::Output;
use roda_node::api::dto::Status;
use serde::Serialize;

#[derive(Serialize)]
struct Welcome {
    version: &'static str,
    running: bool,
    next: [String; 3],
}

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let status: Result<Status, CliError> = Client::new(context).get("/api/v1/status").await;
    match status {
        Err(error) if error.kind == Kind::NoNode => welcome(context, output),
        Ok(status) => status::show(&status, context, output),
        Err(error) => Err(error),
    }
}

fn welcome(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let next = ["up", "board open lounge", "feed"].map(|command| context.command(command));
    let welcome = Welcome { version: env!("CARGO_PKG_VERSION"), running: false, next };
    output.object(&welcome, |look| {
        let [up, open, feed] = &welcome.next;
        let join = context.command("join INVITE");
        let width = welcome.next.iter().map(|command| command.chars().count()).max().unwrap_or(0);
        format!(
            "{} is a discussion network of peers, with nobody at its head.\nNo node runs here yet. Next:\n\n  {up:width$}  {}\n  {open:width$}  {}\n  {feed:width$}  {}\n\nIf you were invited, one command is enough: {join}\n`roda --help` lists every command.",
            look.bold("Roda"),
            look.dim("run a node; it makes your key at the first start"),
            look.dim("in another terminal: join the open board `lounge`"),
            look.dim("what there is to read"),
        )
    })
}
