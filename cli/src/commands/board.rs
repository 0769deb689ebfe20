//! `roda board`: founds a charter board, or opens the open board of a name.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{BoardRef, NewBoard, OpenBoard};

/// Which kind.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Found a board with a charter of its own, and follow it
    New(NewArgs),
    /// Follow the open board of a name: the same name is the same board on every node
    Open {
        /// Its name
        name: String,
    },
}

/// The charter.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// Its name, 1 to 32 characters
    name: String,
    /// A line about it
    #[arg(short = 't', long, value_name = "T", allow_hyphen_values = true)]
    title: Option<String>,
    /// What it is for
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    description: Option<String>,
    /// A rule; may be repeated, they are numbered from 1
    #[arg(long = "rule", value_name = "R", allow_hyphen_values = true)]
    rules: Vec<String>,
    /// Its language, a BCP 47 tag such as `en`
    #[arg(long, value_name = "L")]
    language: Option<String>,
    /// Bits of work that each of its events needs [default: the network's]
    #[arg(long, value_name = "BITS")]
    work: Option<u8>,
}

/// Runs the command.
pub(crate) async fn run(command: Command, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let (board, verb): (BoardRef, _) = match command {
        Command::New(args) => {
            let NewArgs { name, title, description, rules, language, work } = args;
            let body = NewBoard { name, title, description, rules, language, work };
            (client.post("/api/v1/boards", &body).await?, "founded")
        }
        Command::Open { name } => (client.post("/api/v1/boards/open", &OpenBoard { name }).await?, "opened"),
    };
    output.object(&board, |look| {
        format!(
            "{} {verb} {}, and follow it\n  {}",
            look.green("✓"),
            words::name(&board.name),
            look.dim(&words::line(&board.board))
        )
    })?;
    let name = words::board(&board.board, &board.name);
    let post = format!("post {} -t TITLE -m TEXT", shell_words::quote(&name));
    output.note(&format!("next: {}", context.command(&post)));
    Ok(())
}
