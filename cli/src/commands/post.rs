//! `roda post`: starts a thread.

use super::written::{self, WaitArgs};
use crate::args::Context;
use crate::client::Client;
use crate::draft::{self, Draft, TextArgs};
use crate::editor::Buffer;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{NewPost, Status, Written};

/// The post.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it
    board: String,
    /// The title, one line; without it an editor is opened
    #[arg(short = 't', long, allow_hyphen_values = true)]
    title: Option<String>,
    /// Where the text is; without it an editor is opened.
    #[command(flatten)]
    text: TextArgs,
    /// What the post is about
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// A tag; up to eight
    #[arg(long = "tag", value_name = "T")]
    tags: Vec<String>,
    /// How long to wait for other nodes.
    #[command(flatten)]
    wait: WaitArgs,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let draft = match args.text.read(context)? {
        Some(draft) => draft,
        None => compose(&args, context, &client).await?,
    };
    let sent = send(&args, &draft, &client).await;
    let written = draft.settle(sent)?;
    let result = written::report(&written, "posted", &written.id, args.wait, context, output).await;
    output.note(&format!("read it: {}", context.command(&format!("read {}", words::short_id(&written.id)))));
    result
}

async fn send(args: &Args, draft: &Draft, client: &Client) -> Result<Written, CliError> {
    let title = draft.title.clone().or_else(|| args.title.clone()).unwrap_or_default();
    if title.trim().is_empty() {
        return Err(CliError::usage("a post needs a title").with_hint("give it with -t TITLE"));
    }
    let body = NewPost {
        board: args.board.clone(),
        title,
        text: draft.text.clone(),
        link: args.link.clone(),
        tags: args.tags.clone(),
        wait: args.wait.to_wait(),
    };
    client.post("/api/v1/posts", &body).await
}

/// No flag names a text: a person writes it; a script that gave a title, or a link, means a post without text.
async fn compose(args: &Args, context: &Context, client: &Client) -> Result<Draft, CliError> {
    if !draft::has_person() {
        if args.title.is_some() {
            return Ok(Draft::empty());
        }
        return Err(CliError::usage("a post needs a title and a text")
            .with_hint("give them with -t TITLE and -m TEXT, -F FILE or - for standard input"));
    }
    // Nobody should write a long text to learn then that no node runs.
    let _: Status = client.get("/api/v1/status").await?;
    let title = Some(args.title.clone().unwrap_or_default());
    let aside = format!("A post in {}. The first line is its title.", words::line(&args.board));
    draft::edit(context, &Buffer { title, text: String::new(), aside })
}
