//! `roda author`: what an author wrote.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::thread::tree::hidden_words;
use crate::words;
use roda_node::api::dto::{AuthorPage, Writing};
use roda_protocol::text::Untrusted;

/// Whose writing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `@` and a key, or a unique beginning of one
    #[arg(value_name = "@AUTHOR")]
    author: String,
    /// Also the words of what your rules hide
    #[arg(long)]
    hidden: bool,
    /// How many posts and comments at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Go on behind the entry that has this `cursor`
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let mut before = args.before.clone();
    let mut found: Vec<Writing> = Vec::new();
    let author = loop {
        let limit = args.limit - found.len();
        let mut path = format!("/api/v1/authors/{}/events?hidden={}&limit={limit}", encoded(&args.author), args.hidden);
        if let Some(before) = &before {
            path.push_str(&format!("&before={}", encoded(before)));
        }
        let page: AuthorPage = client.get(&path).await?;
        found.extend(page.events);
        before = page.next;
        if before.is_none() || found.len() >= args.limit {
            break page.author;
        }
    };
    if output.is_json() {
        return output.list(&found, |_| String::new());
    }
    output.page(&render(&found, &output.look()))?;
    match (found.first(), &before) {
        (None, _) => output.note("nothing that they wrote is here"),
        (Some(_), Some(before)) => {
            output.note(&format!("older ones: {}", context.command(&format!("author {author} --before {before}"))));
        }
        (Some(first), None) => {
            output.note(&format!("read one: {}", context.command(&format!("read {}", words::short_id(&first.id)))));
        }
    }
    Ok(())
}

fn render(entries: &[Writing], look: &Look) -> String {
    let mut lines = Vec::new();
    for entry in entries {
        let title = words::line(&entry.title);
        let title = if title.trim().is_empty() { words::short_id(&entry.thread) } else { title };
        let what = if entry.kind == "post" { look.bold(&title) } else { format!("answered in {title}") };
        let facts = [
            words::author(&entry.author, entry.name.as_deref()),
            format!("{what} in {}", words::board_among(&entry.board, &entry.board_name, entry.board_look_alike)),
            look.ago(entry.created_ms),
            look.cyan(&words::short_id(&entry.id)),
        ];
        lines.push(facts.join(" · "));
        let why_not = match &entry.hidden {
            _ if entry.retracted => Some("[taken back by its author]".to_owned()),
            Some(hidden) if entry.text.is_empty() => Some(hidden_words(hidden)),
            _ => None,
        };
        let prefix = "│ ";
        match why_not {
            Some(why) => lines.push(format!("{}{}", look.dim(prefix), look.dim(&why))),
            None => {
                let wrapped = Untrusted::new(entry.text.clone()).wrapped(look.text_columns(), prefix);
                lines.extend(wrapped.lines().map(str::to_owned));
            }
        }
        lines.push(String::new());
    }
    lines.pop();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_whose_it_is_and_where_and_does_nothing_to_a_screen() {
        let entry = Writing {
            id: "a".repeat(64),
            kind: "comment".into(),
            board: "b".repeat(64),
            board_name: "rust".into(),
            board_look_alike: false,
            thread: "c".repeat(64),
            title: "A title\u{1b}".into(),
            author: format!("@{}", "k".repeat(52)),
            name: Some("ann\u{1b}".into()),
            created_ms: 1_000,
            edited: None,
            text: "words\u{1b}[2J".into(),
            link: None,
            tags: Vec::new(),
            retracted: false,
            hidden: None,
            cursor: "7".into(),
        };
        let second = Writing { retracted: true, text: String::new(), kind: "post".into(), ..entry.clone() };
        let look = Look { color: false, columns: None, now_ms: 61_000 };
        let text = render(&[entry, second], &look);
        assert!(text.contains("@kkkkkkkk · answered in A title"), "{text}");
        assert!(text.contains(" in rust · 1 min ago · aaaaaaaa\n│ words"), "{text}");
        assert!(text.contains("│ [taken back by its author]"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
