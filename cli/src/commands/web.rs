//! `roda web`: a fresh login link for the web page, and the password for browsers on other machines.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::secret;
use crate::words;
use roda_node::api::dto::WebLink;
use roda_node::{PASSWORD_CHARS_MIN, PasswordError};
use serde::Serialize;

/// What about the page.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What else than a link.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Set the password of the page for browsers on other machines: asked for, or a line of standard input
    Password {
        /// Take the password away; browsers that it let in are out
        #[arg(long)]
        remove: bool,
    },
}

/// What became of the password.
#[derive(Debug, Serialize)]
struct PasswordState {
    /// Whether there is one now.
    set: bool,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    match args.command {
        None => link(context, output).await,
        Some(Command::Password { remove: false }) => set(context, output),
        Some(Command::Password { remove: true }) => remove(context, output),
    }
}

async fn link(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let link: WebLink = Client::new(context).post("/api/v1/web", &serde_json::json!({})).await?;
    output.object(&link, |look| look.cyan(&link.url))?;
    output.note("it logs one browser in, once, within a minute");
    if let Some(certificate) = &link.certificate {
        output.note(&compare(certificate));
    }
    Ok(())
}

/// What to do about a certificate that a browser doesn't know.
fn compare(certificate: &str) -> String {
    format!(
        "if the browser warns of the certificate, go on only if its SHA-256 fingerprint is\n{}",
        words::line(certificate)
    )
}

fn set(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let prompt = format!("New password, at least {PASSWORD_CHARS_MIN} characters: ");
    let password = secret::read(&prompt, "The same again: ")?;
    // A home can have a password before its first start.
    context.home.create()?;
    roda_node::set_password(&context.home, &password).map_err(|error| failed(&error))?;
    output.object(&PasswordState { set: true }, |look| {
        format!("{} the page has a password; browsers that an older one let in are out", look.green("✓"))
    })?;
    let config = context.home.config.join("config.toml");
    output.note(&format!(
        "to serve the page to other machines, write into {}:\n[web]\nlisten = \"0.0.0.0:7717\"\nself_signed = true",
        config.display()
    ));
    Ok(())
}

fn remove(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let was_there = roda_node::remove_password(&context.home).map_err(|error| failed(&error))?;
    output.object(&PasswordState { set: false }, |look| {
        let text = if was_there { "the page has no password any more" } else { "the page had no password" };
        format!("{} {text}", look.green("✓"))
    })
}

fn failed(error: &PasswordError) -> CliError {
    let code = match error {
        PasswordError::Short(_) | PasswordError::Long => "invalid",
        PasswordError::Io { .. } => "io",
        _ => "internal",
    };
    CliError::failed(code, error.to_string())
}
