//! `roda down`: stops the node of this home and returns when it is gone.

use crate::args::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::process;
use serde::Serialize;

#[derive(Serialize)]
struct Stopped {
    stopped: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    process::stop(context).await?;
    output.object(&Stopped { stopped: true }, |look| format!("{} the node has stopped", look.green("✓")))
}
