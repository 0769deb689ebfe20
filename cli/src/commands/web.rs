//! `roda web`: a fresh login link for the web page, the password for browsers on other machines, how the page looks, and the
//! addresses of its feeds.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::secret;
use crate::words;
use roda_node::api::dto::{FeedAddress, PagePreferences, SetPagePreferences, WebLink};
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
    /// How the page looks, in every browser; what is named is changed
    Preferences {
        /// Its language: `en`, `pt`, or `auto` for the browser's
        #[arg(long, value_name = "L")]
        language: Option<String>,
        /// Its colours: `light`, `dark`, or `auto` for the system's
        #[arg(long, value_name = "T")]
        theme: Option<String>,
        /// Whether single keys do things
        #[arg(long, value_name = "on|off")]
        keys: Option<Keys>,
    },
    /// Addresses of Atom feeds, for a feed reader on this machine
    Feeds {
        /// A board, `@` and an author, or a post or comment for its thread [default: the inbox, and boards that are followed]
        of: Option<String>,
        /// Make all addresses anew: those that were given away open nothing any more
        #[arg(long, conflicts_with = "of")]
        renew: bool,
    },
}

/// Whether single keys do things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Keys {
    /// They do.
    On,
    /// They don't.
    Off,
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
        Some(Command::Preferences { language, theme, keys }) => {
            let keys = keys.map(|keys| keys == Keys::On);
            preferences(SetPagePreferences { language, theme, keys }, context, output).await
        }
        Some(Command::Feeds { of, renew }) => feeds(of.as_deref(), renew, context, output).await,
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

async fn preferences(ask: SetPagePreferences, context: &Context, output: &mut Output) -> Result<(), CliError> {
    const PATH: &str = "/api/v1/web/preferences";
    let client = Client::new(context);
    let is_change = ask.language.is_some() || ask.theme.is_some() || ask.keys.is_some();
    let now: PagePreferences = if is_change { client.post(PATH, &ask).await? } else { client.get(PATH).await? };
    output.object(&now, |look| {
        let keys = if now.keys { "on" } else { "off" };
        let facts =
            [("language", words::line(&now.language)), ("theme", words::line(&now.theme)), ("keys", keys.to_owned())];
        words::facts(look, &facts)
    })
}

async fn feeds(of: Option<&str>, renew: bool, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let query = of.map(|of| format!("?of={}", encoded(of))).unwrap_or_default();
    let feeds: Vec<FeedAddress> = match renew {
        true => client.post("/api/v1/web/feeds", &serde_json::json!({})).await?,
        false => client.get(&format!("/api/v1/web/feeds{query}")).await?,
    };
    output.list(&feeds, |look| {
        let named = |feed: &FeedAddress| {
            let name = words::name(&feed.name);
            let name = if name.trim().is_empty() { words::short_id(&feed.id) } else { name };
            let what =
                if feed.kind == "inbox" { "inbox".to_owned() } else { format!("{} {name}", words::line(&feed.kind)) };
            format!("{}\n  {}", look.bold(&what), words::line(&feed.url))
        };
        feeds.iter().map(named).collect::<Vec<_>>().join("\n")
    })?;
    output.note("whoever has such an address can read all feeds of this node, and do nothing else");
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
