//! `roda board`: founds a charter board, opens the open board of a name, or says whether others are told of one.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{BoardRef, ListingAsk, ListingState, NewBoard, OpenBoard};

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
    /// Tell peers that ask of a charter board, so that others can find it; or tell them no longer
    List {
        /// A full id; or, if it is known here, a prefix or a name
        board: String,
        /// Whether
        state: State,
    },
}

/// Whether a board is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum State {
    /// Whoever asks is told.
    On,
    /// Nobody is told.
    Off,
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
    /// Let others find it: tell peers that ask
    #[arg(long)]
    listed: bool,
}

/// Runs the command.
pub(crate) async fn run(command: Command, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let (board, verb): (BoardRef, _) = match command {
        Command::New(args) => {
            let NewArgs { name, title, description, rules, language, work, listed } = args;
            let body = NewBoard { name, title, description, rules, language, work, listed };
            (client.post("/api/v1/boards", &body).await?, "founded")
        }
        Command::List { board, state } => return list(board, state, &client, output).await,
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

async fn list(board: String, state: State, client: &Client, output: &mut Output) -> Result<(), CliError> {
    let body = ListingAsk { board, listed: state == State::On };
    let said: ListingState = client.post("/api/v1/listing", &body).await?;
    output.object(&said, |look| {
        let board = words::board(&said.board, &said.name);
        match state {
            State::On => format!("{} peers that ask are told of {board}", look.green("✓")),
            State::Off => format!("{} nobody is told of {board} by this node", look.green("✓")),
        }
    })?;
    if state == State::Off {
        output.note("who was told of it knows it; and others who found it may tell of it, too");
    }
    Ok(())
}
