//! `roda vote`: votes on a post or comment, or takes the vote back.

use super::written::{self, WaitArgs};
use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use roda_node::api::dto::{NewVote, Written};

/// The vote.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The post or comment: its id or a prefix of it
    id: String,
    /// Which way
    value: Value,
    /// How long to wait for other nodes.
    #[command(flatten)]
    wait: WaitArgs,
}

/// Which way a vote goes.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Value {
    /// For it.
    Up,
    /// Against it.
    Down,
    /// Neither: takes an earlier vote back.
    None,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let (value, done) = match args.value {
        Value::Up => (1, "voted up"),
        Value::Down => (-1, "voted down"),
        Value::None => (0, "took back the vote on"),
    };
    let body = NewVote { value, wait: args.wait.to_wait() };
    let path = format!("/api/v1/events/{}/vote", encoded(&args.id));
    let written: Written = Client::new(context).post(&path, &body).await?;
    let subject = written.target.as_deref().unwrap_or(&args.id);
    written::report(&written, done, subject, args.wait, context, output).await
}
