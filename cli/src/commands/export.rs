//! `roda export`: every event of a board, or of all, one a line; the same lines with and without `--json`.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::json;
use crate::output::Output;

/// What to write.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it [default: everything that is held]
    board: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let query = args.board.as_deref().map(|board| format!("?board={}", encoded(board))).unwrap_or_default();
    let mut lines = Client::new(context).lines(&format!("/api/v1/export{query}")).await?;
    let mut number = 0_u64;
    while let Some(line) = lines.next().await? {
        output.line(&json::escaped(&line))?;
        number += 1;
    }
    output.flush()?;
    output.note(&format!("exported {}", words_of(number)));
    Ok(())
}

fn words_of(number: u64) -> String {
    crate::words::count(number, "event")
}
