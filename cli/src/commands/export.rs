//! `roda export`: every event of a board, or of all, or a reader's state, one a line; the same lines with and without `--json`.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::json;
use crate::output::Output;
use crate::words;

/// What to write.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it [default: everything that is held]
    board: Option<String>,
    /// Instead of events your own state as a reader: boards, rules, how the page looks, and what you have read
    #[arg(long, conflicts_with = "board")]
    reader: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    if args.reader {
        let number = write_lines("/api/v1/reader/export", context, output).await?;
        output.note(&format!("exported {} of a reader's state", words::count(number, "line")));
        return Ok(());
    }
    let query = args.board.as_deref().map(|board| format!("?board={}", encoded(board))).unwrap_or_default();
    let number = write_lines(&format!("/api/v1/export{query}"), context, output).await?;
    output.note(&format!("exported {}", words::count(number, "event")));
    Ok(())
}

async fn write_lines(path: &str, context: &Context, output: &mut Output) -> Result<u64, CliError> {
    let mut lines = Client::new(context).lines(path).await?;
    let mut number = 0_u64;
    while let Some(line) = lines.next().await? {
        output.line(&json::escaped(&line))?;
        number += 1;
    }
    output.flush()?;
    Ok(number)
}
