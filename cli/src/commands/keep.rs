//! `roda keep`: how long this node keeps the words of a board.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{KeepAsk, Keeping};

/// Which board, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A full id; or, if it is known here, a prefix or a name
    board: String,
    /// `forever`, days such as `30d`, or a size such as `2GiB`
    keep: String,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let body = KeepAsk { board: args.board, keep: args.keep };
    let kept: Keeping = Client::new(context).post("/api/v1/keep", &body).await?;
    output.object(&kept, |look| {
        let board = words::board_among(&kept.board, &kept.name, kept.look_alike);
        format!("{} the words of {board} are kept here: {}", look.green("✓"), words::line(&kept.keep))
    })?;
    if kept.keep != "forever" {
        output.note("older words go, but for your own; that there was something stays known. They don't come back");
    }
    Ok(())
}
