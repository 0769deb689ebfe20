//! `roda web`: a fresh login link for the web page.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use roda_node::api::dto::WebLink;

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let link: WebLink = Client::new(context).post("/api/v1/web", &serde_json::json!({})).await?;
    output.object(&link, |look| look.cyan(&link.url))?;
    output.note("it logs one browser in, once, within a minute");
    Ok(())
}
