//! `roda retract`: takes an own post or comment back.

use super::written::{self, WaitArgs};
use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use roda_node::api::dto::{NewRetraction, Written};

/// What is taken back.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An own post or comment: its id or a prefix of it
    id: String,
    /// How long to wait for other nodes.
    #[command(flatten)]
    wait: WaitArgs,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let body = NewRetraction { wait: args.wait.to_wait() };
    let path = format!("/api/v1/events/{}/retract", encoded(&args.id));
    let written: Written = Client::new(context).post(&path, &body).await?;
    let subject = written.target.as_deref().unwrap_or(&args.id);
    written::report(&written, "retracted", subject, args.wait, context, output).await
}
