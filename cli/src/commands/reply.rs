//! `roda reply`: answers a post or a comment.

use super::written::{self, WaitArgs};
use crate::args::Context;
use crate::client::{Client, encoded};
use crate::draft::{self, Draft, TextArgs};
use crate::editor::Buffer;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{NewReply, ThreadNode, ThreadPage, Written};

/// The answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is answered: its id or a prefix of it
    id: String,
    /// Where the text is; without it an editor is opened.
    #[command(flatten)]
    text: TextArgs,
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
    written::report(&written, "replied", &written.id, args.wait, context, output).await
}

async fn send(args: &Args, draft: &Draft, client: &Client) -> Result<Written, CliError> {
    if draft.text.trim().is_empty() {
        return Err(CliError::usage("the text of the reply is empty"));
    }
    let body = NewReply { text: draft.text.clone(), wait: args.wait.to_wait() };
    client.post(&format!("/api/v1/events/{}/reply", encoded(&args.id)), &body).await
}

async fn compose(args: &Args, context: &Context, client: &Client) -> Result<Draft, CliError> {
    if !draft::has_person() {
        return Err(
            CliError::usage("a reply needs a text").with_hint("give it with -m TEXT, -F FILE or - for standard input")
        );
    }
    let page: ThreadPage = client.get(&format!("/api/v1/threads/{}", encoded(&args.id))).await?;
    let parent = page.nodes.iter().find(|node| node.id == page.asked);
    let aside = parent.map(quoted).unwrap_or_default();
    draft::edit(context, &Buffer { title: None, text: String::new(), aside })
}

/// What is answered, for the writer to look at.
fn quoted(parent: &ThreadNode) -> String {
    let author = words::author_among(&parent.author, parent.name.as_deref(), parent.look_alike);
    let text = [&parent.title, &parent.text].into_iter().filter(|text| !text.is_empty());
    let lines: String = text.map(|text| words::block(text)).flat_map(|text| quoted_lines(&text)).collect();
    format!("{author} wrote:\n{lines}")
}

fn quoted_lines(text: &str) -> Vec<String> {
    text.lines().map(|line| format!("> {line}\n")).collect()
}
