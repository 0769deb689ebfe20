//! `roda web`: a fresh login link for the web page, once there is one.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use roda_node::api::dto::Status;

/// Runs the command.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let _: Status = Client::new(context).get("/api/v1/status").await?;
    let (feed, read) = (context.command("feed"), context.command("read ID"));
    Err(CliError::failed("not_there_yet", "this node serves no web page yet")
        .with_hint(format!("read here meanwhile: {feed}, {read}")))
}
