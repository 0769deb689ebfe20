//! `roda id`: who writes here.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{Identity, SetName};

/// What about the identity.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the author's key and name
    Show,
    /// Publish a name; anybody can take any name, the key tells authors apart
    Name {
        /// The name, at most 32 characters
        #[arg(value_name = "TEXT", allow_hyphen_values = true)]
        name: String,
    },
}

/// Runs the command.
pub(crate) async fn run(command: Command, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    match command {
        Command::Show => {
            let identity: Identity = client.get("/api/v1/identity").await?;
            output.object(&identity, |look| {
                let name = identity.name.as_deref().map_or_else(|| "none yet".to_owned(), words::line);
                words::facts(look, &[("author", words::line(&identity.author)), ("name", name)])
            })?;
            if identity.name.is_none() {
                output.note(&format!("publish a name: {}", context.command("id name TEXT")));
            }
            Ok(())
        }
        Command::Name { name } => {
            let identity: Identity = client.post("/api/v1/identity", &SetName { name }).await?;
            output.object(&identity, |look| {
                let author = words::author(&identity.author, identity.name.as_deref());
                format!("{} you write as {author}", look.green("✓"))
            })
        }
    }
}
