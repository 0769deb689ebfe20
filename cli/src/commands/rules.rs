//! The reader's own rules: `roda watch`, `mute`, `score`, `rules`, and `roda follow` of an author.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::{Rule, SetRule};

/// A thread.
#[derive(Debug, clap::Args)]
pub(crate) struct Thread {
    /// The post or any comment of the thread: its id or a prefix of it
    id: String,
}

/// Anything that can be muted.
#[derive(Debug, clap::Args)]
pub(crate) struct What {
    /// A thread by an id, `@` and an author's key, or `word:TEXT`: whole words in any case, with `*` at an end parts of words
    #[arg(value_name = "ID|@AUTHOR|word:TEXT")]
    what: String,
}

/// Anything that can have points.
#[derive(Debug, clap::Args)]
pub(crate) struct Scored {
    /// `@` and an author's key, `word:TEXT`, or an age such as `older:30d`
    #[arg(value_name = "@AUTHOR|word:TEXT|older:DAYS")]
    what: String,
}

/// About points.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Score {
    /// Give points to an author, to words or to an age: as many votes more or fewer; at -10 and below it is hidden
    Add {
        /// To what.
        #[command(flatten)]
        scored: Scored,
        /// How many, such as 5 or -5
        #[arg(allow_negative_numbers = true)]
        points: i32,
    },
    /// Take the points away again
    Remove(Scored),
    /// List them
    List,
}

/// `roda watch`.
pub(crate) async fn watch(args: Thread, context: &Context, output: &mut Output) -> Result<(), CliError> {
    set(args.id, "watch", None, context, output).await
}

/// `roda mute`.
pub(crate) async fn mute(args: What, context: &Context, output: &mut Output) -> Result<(), CliError> {
    set(args.what, "mute", None, context, output).await
}

/// `roda unwatch` and `roda unmute`: the rule goes.
pub(crate) async fn remove(what: String, context: &Context, output: &mut Output) -> Result<(), CliError> {
    set(what, "none", None, context, output).await
}

impl Thread {
    /// What is meant.
    pub(crate) fn into_what(self) -> String {
        self.id
    }
}

impl What {
    /// What is meant.
    pub(crate) fn into_what(self) -> String {
        self.what
    }
}

/// `roda follow @AUTHOR`.
pub(crate) async fn follow(author: String, context: &Context, output: &mut Output) -> Result<(), CliError> {
    set(author, "follow", None, context, output).await
}

/// `roda score`.
pub(crate) async fn score(command: Score, context: &Context, output: &mut Output) -> Result<(), CliError> {
    match command {
        Score::Add { scored, points } => set(scored.what, "points", Some(points), context, output).await,
        Score::Remove(scored) => set(scored.what, "none", None, context, output).await,
        Score::List => list(true, context, output).await,
    }
}

/// `roda rules`.
pub(crate) async fn rules(context: &Context, output: &mut Output) -> Result<(), CliError> {
    list(false, context, output).await
}

async fn set(
    what: String,
    effect: &str,
    points: Option<i32>,
    context: &Context,
    output: &mut Output,
) -> Result<(), CliError> {
    let ask = SetRule { what, effect: effect.to_owned(), points };
    let rule: Rule = Client::new(context).post("/api/v1/reader/rules", &ask).await?;
    output.object(&rule, |look| {
        let done = match rule.effect.as_str() {
            "watch" => "you watch".to_owned(),
            "follow" => "you follow".to_owned(),
            "mute" => "muted".to_owned(),
            "points" => format!("{:+} for", rule.points.unwrap_or_default()),
            _ => "no rule any more about".to_owned(),
        };
        format!("{} {done} {}", look.green("✓"), subject(&rule))
    })
}

async fn list(only_points: bool, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let mut rules: Vec<Rule> = Client::new(context).get("/api/v1/reader/rules").await?;
    rules.retain(|rule| !only_points || rule.effect == "points");
    output.list(&rules, |look| render(&rules, look))?;
    if rules.is_empty() {
        output.note("no rules; see `roda mute --help` and `roda score add --help`");
    }
    Ok(())
}

fn subject(rule: &Rule) -> String {
    match rule.what.strip_prefix('@') {
        Some(_) => words::author(&rule.what, rule.name.as_deref()),
        None if rule.what.contains(':') => words::line(&rule.what),
        None => {
            let title = words::line(rule.name.as_deref().unwrap_or_default());
            format!("{title} {}", words::short_id(&rule.what)).trim().to_owned()
        }
    }
}

fn render(rules: &[Rule], look: &Look) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[("RULE", Align::Left), ("POINTS", Align::Right), ("ABOUT", Align::Left)], 2);
    for rule in rules {
        let points = rule.points.map(|points| format!("{points:+}")).unwrap_or_default();
        table.push(vec![painted(words::line(&rule.effect), Look::bold), plain(points), plain(subject(rule))]);
    }
    table.render(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_listed_by_what_they_do_and_about_what() {
        let rule = |what: &str, effect: &str, points, name: Option<&str>| Rule {
            what: what.into(),
            effect: effect.into(),
            points,
            name: name.map(str::to_owned),
        };
        let key = format!("@{}", "k".repeat(52));
        let rules = [
            rule(&"a".repeat(64), "watch", None, Some("A title")),
            rule(&key, "mute", None, Some("ann")),
            rule("word:crypto", "points", Some(-5), None),
        ];
        let text = render(&rules, &Look { color: false, columns: None, now_ms: 0 });
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines[1], "watch           A title aaaaaaaa");
        assert_eq!(lines[2], "mute            ann @kkkkkkkk");
        assert_eq!(lines[3], "points      -5  word:crypto");
    }
}
