//! `roda edit`: changes an own post or comment.

use super::written::{self, WaitArgs};
use crate::args::Context;
use crate::client::{Client, encoded};
use crate::draft::{self, Draft, TextArgs};
use crate::editor::Buffer;
use crate::error::CliError;
use crate::output::Output;
use roda_node::api::dto::{NewEdit, ThreadPage, Written};

/// What changes; what is not named stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An own post or comment: its id or a prefix of it
    id: String,
    /// A new title for a post
    #[arg(short = 't', long, allow_hyphen_values = true)]
    title: Option<String>,
    /// Where the new text is; without any flag an editor is opened.
    #[command(flatten)]
    text: TextArgs,
    /// A new link for a post; an empty one removes it
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// How long to wait for other nodes.
    #[command(flatten)]
    wait: WaitArgs,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let changes_only_facts = args.text.is_empty() && (args.title.is_some() || args.link.is_some());
    let draft = match args.text.read(context)? {
        Some(draft) => Some(draft),
        None if changes_only_facts => None,
        None => Some(compose(&args, context, &client).await?),
    };
    let sent = send(&args, draft.as_ref(), &client).await;
    let written = match &draft {
        Some(draft) => draft.settle(sent)?,
        None => sent?,
    };
    let subject = written.target.as_deref().unwrap_or(&args.id);
    written::report(&written, "edited", subject, args.wait, context, output).await
}

async fn send(args: &Args, draft: Option<&Draft>, client: &Client) -> Result<Written, CliError> {
    let body = NewEdit {
        title: args.title.clone().or_else(|| draft.and_then(|draft| draft.title.clone())),
        text: draft.map(|draft| draft.text.clone()),
        link: args.link.clone(),
        wait: args.wait.to_wait(),
    };
    client.post(&format!("/api/v1/events/{}/edit", encoded(&args.id)), &body).await
}

/// Opens the words as they stand.
async fn compose(args: &Args, context: &Context, client: &Client) -> Result<Draft, CliError> {
    if !draft::has_person() {
        return Err(CliError::usage("nothing to change is named")
            .with_hint("give it with -t TITLE, --link URL, -m TEXT, -F FILE or - for standard input"));
    }
    let page: ThreadPage = client.get(&format!("/api/v1/threads/{}", encoded(&args.id))).await?;
    let node = page.nodes.iter().find(|node| node.id == page.asked && !node.missing);
    let node = node.ok_or_else(|| CliError::failed("not_found", "its words are not on this node"))?;
    let title = (node.depth == 0).then(|| node.title.clone());
    draft::edit(context, &Buffer { title, text: node.text.clone(), aside: String::new() })
}
