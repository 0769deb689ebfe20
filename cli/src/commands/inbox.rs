//! `roda inbox`: what speaks to you.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::thread::tree::hidden_words;
use crate::words;
use roda_node::api::dto::{InboxCleared, InboxEntry, InboxUnread};
use roda_protocol::text::Untrusted;
use serde_json::json;

/// What to list.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also what was read
    #[arg(long)]
    all: bool,
    /// Also what your rules hide; each says by which rule
    #[arg(long)]
    hidden: bool,
    /// How many entries at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Go on behind the entry that has this `cursor`
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
    /// Only how much is unread, counted up to 99
    #[arg(long, conflicts_with_all = ["all", "hidden", "limit", "before", "clear"])]
    count: bool,
    /// Mark everything in it as read
    #[arg(long, conflicts_with_all = ["all", "hidden", "limit", "before"])]
    clear: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    if args.clear {
        let cleared: InboxCleared = client.post("/api/v1/inbox/clear", &json!({})).await?;
        let done = words::count(cleared.cleared, "unread entry").replace("entrys", "entries");
        return output.object(&cleared, |look| format!("{} inbox cleared: {done}", look.green("✓")));
    }
    if args.count {
        let count: InboxUnread = client.get("/api/v1/inbox/unread").await?;
        output.object(&count, |_| format!("{}{} unread", count.unread, if count.more { "+" } else { "" }))?;
        tell_of_hidden(count, context, output);
        return Ok(());
    }
    let mut path = format!("/api/v1/inbox?all={}&hidden={}&limit={}", args.all, args.hidden, args.limit);
    if let Some(before) = &args.before {
        path.push_str(&format!("&before={}", encoded(before)));
    }
    let entries: Vec<InboxEntry> = client.get(&path).await?;
    if output.is_json() {
        return output.list(&entries, |_| String::new());
    }
    output.page(&render(&entries, &output.look()))?;
    match entries.first() {
        None if args.all => output.note("nobody has answered or mentioned you yet"),
        None => output.note(&format!("nothing new; what was read: {}", context.command("inbox --all"))),
        Some(first) => {
            let read = context.command(&format!("read {}", words::short_id(&first.id)));
            output.note(&format!("read one: {read}   all read: {}", context.command("inbox --clear")));
        }
    }
    if !args.hidden {
        tell_of_hidden(client.get("/api/v1/inbox/unread").await?, context, output);
    }
    Ok(())
}

/// Nothing is hidden without a word.
fn tell_of_hidden(count: InboxUnread, context: &Context, output: &mut Output) {
    if count.hidden {
        output.note(&format!("your rules hide some that are unread: {}", context.command("inbox --hidden")));
    }
}

fn render(entries: &[InboxEntry], look: &Look) -> String {
    let mut lines = Vec::new();
    for entry in entries {
        let who = words::author_among(&entry.author, entry.name.as_deref(), entry.look_alike);
        let what = match entry.why.as_str() {
            "answer" => "answered you",
            "mention" => "mentioned you",
            _ => "wrote in a thread that you watch",
        };
        let mark = if entry.unread { format!("{} ", look.green("● new")) } else { String::new() };
        let title = words::line(&entry.title);
        let thread = if title.trim().is_empty() { words::short_id(&entry.thread) } else { title };
        let mut facts = vec![
            format!("{mark}{} {what}", look.bold(&who)),
            format!("{thread} in {}", words::board_among(&entry.board, &entry.board_name, entry.board_look_alike)),
            look.ago(entry.created_ms),
            look.cyan(&words::short_id(&entry.id)),
        ];
        let shown_all_the_same = entry.hidden.as_ref().filter(|_| !entry.text.is_empty());
        facts.extend(shown_all_the_same.map(|hidden| look.dim(&hidden_words(hidden))));
        lines.push(facts.join(" · "));
        let why_not = match &entry.hidden {
            Some(hidden) if entry.text.is_empty() => Some(hidden_words(hidden)),
            _ if entry.retracted => Some("[taken back by its author]".to_owned()),
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
    use roda_node::api::dto::Hidden;

    #[test]
    fn an_entry_says_who_did_what_where_and_what_is_hidden_by_whom() {
        let entry = InboxEntry {
            id: "a".repeat(64),
            board: "b".repeat(64),
            board_name: "rust".into(),
            board_look_alike: false,
            thread: "c".repeat(64),
            title: "A title".into(),
            author: format!("@{}", "k".repeat(52)),
            name: Some("ann\u{1b}".into()),
            look_alike: false,
            created_ms: 1_000,
            why: "answer".into(),
            unread: true,
            text: "words\u{1b}[2J".into(),
            retracted: false,
            hidden: None,
            cursor: "7".into(),
        };
        let rule = Some("word:spam".to_owned());
        let hidden = Some(Hidden { by: "you".into(), why: "text".into(), rule });
        let second = InboxEntry { hidden: hidden.clone(), text: String::new(), unread: false, ..entry.clone() };
        let third = InboxEntry { hidden, ..entry.clone() };
        let look = Look { color: false, columns: None, now_ms: 61_000 };
        let text = render(&[entry, second, third], &look);
        assert!(text.starts_with("● new ann"), "{text}");
        assert!(text.contains("@kkkkkkkk answered you · A title in rust · 1 min ago · aaaaaaaa\n│ words"), "{text}");
        assert!(text.contains("│ [hidden by you: word:spam]"), "{text}");
        assert!(text.contains("aaaaaaaa · [hidden by you: word:spam]\n│ words"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
