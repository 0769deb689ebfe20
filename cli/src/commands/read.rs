//! `roda read`: a thread, whole, with what may be missing.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::thread::{nested, tree};
use roda_node::api::dto::ThreadPage;

/// Which thread.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The post or any of its comments: its id or a prefix of it
    id: String,
    /// Levels of comments to show: 0 is the post alone [default: all]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Also the words of what your rules hide
    #[arg(long)]
    hidden: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let page: ThreadPage =
        Client::new(context).get(&format!("/api/v1/threads/{}?hidden={}", encoded(&args.id), args.hidden)).await?;
    if output.is_json() {
        nested::write(output.writer(), &page, args.depth).map_err(|error| CliError::output(&error))?;
        return output.flush();
    }
    let text = tree::render(&page, args.depth, &output.look());
    output.page(&text)
}
