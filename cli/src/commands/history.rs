//! `roda history`: what a post or comment said before it was edited.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::thread::tree::hidden_words;
use crate::words;
use roda_node::api::dto::Version;
use roda_protocol::text::Untrusted;

/// Whose history.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The post or comment
    id: String,
    /// Also the words of what your rules hide
    #[arg(long)]
    hidden: bool,
    /// How many versions at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Go on behind the version that has this `cursor`
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let Args { id, hidden, limit, before } = args;
    let mut path = format!("/api/v1/events/{}/history?hidden={hidden}&limit={limit}", encoded(id));
    if let Some(before) = before {
        path.push_str(&format!("&before={}", encoded(before)));
    }
    let versions: Vec<Version> = Client::new(context).get(&path).await?;
    if output.is_json() {
        return output.list(&versions, |_| String::new());
    }
    output.page(&render(&versions, &output.look()))?;
    match versions.last() {
        Some(last) if !last.first => {
            let rest =
                format!("history {} --before {}", words::short_id(&last.target), shell_words::quote(&last.cursor));
            output.note(&format!("older ones: {}", context.command(&rest)));
        }
        Some(_) if versions.len() == 1 => output.note("it was never edited, as far as is known here"),
        Some(_) | None => {}
    }
    Ok(())
}

fn render(versions: &[Version], look: &Look) -> String {
    let mut lines = Vec::new();
    for version in versions {
        let what = if version.first { "first written" } else { "edited" };
        let facts = [
            look.bold(&words::author_among(&version.author, version.name.as_deref(), version.look_alike)),
            format!("{what} {}", look.ago(version.created_ms)),
            look.cyan(&words::short_id(&version.id)),
        ];
        lines.push(facts.join(" · "));
        lines.extend(words_of(version, look));
        lines.push(String::new());
    }
    lines.pop();
    lines.join("\n")
}

fn words_of(version: &Version, look: &Look) -> Vec<String> {
    let prefix = "│ ";
    let beside = |text: &str| format!("{}{text}", look.dim(prefix));
    if version.retracted {
        return vec![beside(&look.dim("[taken back by its author]"))];
    }
    let has_words = !version.text.is_empty() || !version.title.is_empty();
    if let Some(hidden) = version.hidden.as_ref().filter(|_| !has_words) {
        return vec![beside(&look.dim(&hidden_words(hidden)))];
    }
    let mut lines = Vec::new();
    if !version.title.is_empty() {
        lines.push(beside(&look.bold(&words::line(&version.title))));
    }
    if let Some(link) = &version.link {
        lines.push(beside(&format!("{} {}", look.dim("link"), words::line(link))));
    }
    if !version.text.trim().is_empty() {
        let wrapped = Untrusted::new(version.text.clone()).wrapped(look.text_columns(), prefix);
        lines.extend(wrapped.lines().map(str::to_owned));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use roda_node::api::dto::Hidden;

    #[test]
    fn a_version_says_when_and_what_and_what_is_hidden_by_whom() {
        let edit = Version {
            id: "a".repeat(64),
            target: "b".repeat(64),
            first: false,
            author: format!("@{}", "k".repeat(52)),
            name: Some("ann\u{1b}".into()),
            look_alike: false,
            created_ms: 1_000,
            title: "Title\u{1b}".into(),
            text: "words\u{1b}[2J".into(),
            link: Some("https://example.org".into()),
            retracted: false,
            hidden: None,
            cursor: "c".into(),
        };
        let rule = Some("word:spam".to_owned());
        let hidden = Some(Hidden { by: "you".into(), why: "text".into(), rule });
        let none = Version { title: String::new(), text: String::new(), link: None, ..edit.clone() };
        let second = Version { hidden, ..none.clone() };
        let third = Version { id: "b".repeat(64), first: true, retracted: true, ..none };
        let look = Look { color: false, columns: None, now_ms: 61_000 };
        let text = render(&[edit, second, third], &look);
        assert!(text.contains("@kkkkkkkk · edited 1 min ago · aaaaaaaa\n│ Title"), "{text}");
        assert!(text.contains("│ link https://example.org\n│ words"), "{text}");
        assert!(text.contains("aaaaaaaa\n│ [hidden by you: word:spam]\n\n"), "{text}");
        assert!(text.ends_with("first written 1 min ago · bbbbbbbb\n│ [taken back by its author]"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
