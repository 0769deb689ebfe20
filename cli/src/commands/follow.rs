//! `roda follow` and `roda unfollow`.

use super::rules;
use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{BoardRef, BoardSelector};

/// Which board, or author.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A board: a full id; or, if it is known here, a prefix or a name. Or an author: `@` and a key
    #[arg(value_name = "BOARD|@AUTHOR")]
    board: String,
}

/// Follows.
pub(crate) async fn follow(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    if args.board.starts_with('@') {
        return rules::follow(args.board, context, output).await;
    }
    let body = BoardSelector { board: args.board };
    let board: BoardRef = Client::new(context).post("/api/v1/follow", &body).await?;
    output.object(&board, |look| {
        format!("{} you follow {}", look.green("✓"), words::board_among(&board.board, &board.name, board.look_alike))
    })?;
    let shown = words::short_id(&board.board);
    output.note(&format!(
        "its events come from peers that follow it, too; read: {}",
        context.command(&format!("feed {shown}"))
    ));
    Ok(())
}

/// Stops following.
pub(crate) async fn unfollow(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    if args.board.starts_with('@') {
        return rules::remove(args.board, context, output).await;
    }
    let body = BoardSelector { board: args.board };
    let board: BoardRef = Client::new(context).post("/api/v1/unfollow", &body).await?;
    output.object(&board, |look| {
        format!(
            "{} you no longer follow {}",
            look.green("✓"),
            words::board_among(&board.board, &board.name, board.look_alike)
        )
    })
}
