//! `roda next` and `roda catchup`: reading one thing after the other, and skipping the rest.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::thread::tree;
use crate::words;
use roda_node::api::dto::{BoardRef, CatchUpAsk, Next, NextAsk};

/// Where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it [default: all that are followed]
    board: Option<String>,
}

/// Shows what is next.
pub(crate) async fn next(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let next: Next = Client::new(context).post("/api/v1/next", &NextAsk { board: args.board }).await?;
    if output.is_json() {
        return output.object(&next, |_| String::new());
    }
    if next.passed_over > 0 {
        let count = words::count(next.passed_over, "item");
        output.note(&format!("passed over {count} that your rules hide: {}", context.command("rules")));
    }
    let Some(item) = &next.item else {
        output.note(&format!("nothing unread; what is new elsewhere: {}", context.command("boards")));
        return Ok(());
    };
    output.page(&render(&next, &output.look()))?;
    let answer = context.command(&format!("reply {}", words::short_id(&item.node.id)));
    output.note(&format!("answer: {answer}   go on: {}", context.command("next")));
    Ok(())
}

fn render(next: &Next, look: &Look) -> String {
    let Some(item) = &next.item else { return String::new() };
    let mut lines = Vec::new();
    let title = words::line(&item.title);
    if !title.trim().is_empty() {
        lines.push(look.bold(&title));
    }
    let mut place = format!("in {}", words::board_among(&item.board, &item.board_name, item.board_look_alike));
    if next.unread_left > 0 {
        place.push_str(&format!(" · {} more unread in this thread", next.unread_left));
    }
    lines.push(look.dim(&place));
    lines.push(String::new());
    if let Some(answers) = &item.answers {
        tree::alone(answers, "> ", look, &mut lines);
        lines.push(String::new());
    }
    tree::alone(&item.node, "", look, &mut lines);
    lines.join("\n")
}

/// Marks all as read.
pub(crate) async fn catch_up(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let ask = CatchUpAsk { board: args.board };
    let boards: Vec<BoardRef> = Client::new(context).post("/api/v1/catchup", &ask).await?;
    let names = |look: &Look| {
        let names: Vec<String> =
            boards.iter().map(|board| words::board_among(&board.board, &board.name, board.look_alike)).collect();
        match names.is_empty() {
            true => String::new(),
            false => format!("{} all read in {}", look.green("✓"), names.join(", ")),
        }
    };
    output.list(&boards, names)?;
    if boards.is_empty() {
        output.note("no board is followed");
    }
    Ok(())
}
