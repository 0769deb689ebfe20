//! `roda search`: posts and comments in which words stand.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::thread::tree::hidden_words;
use crate::words;
use roda_node::api::dto::{Mark, SearchHit, SearchPage};
use roda_protocol::text::{Untrusted, display_width};

/// What to look for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = LANGUAGE)]
pub(crate) struct Args {
    /// Words that all have to be there, in any of their forms
    #[arg(required = true, value_name = "WORDS")]
    words: Vec<String>,
    /// Only in this board: its name here, its id or a prefix of it
    #[arg(long, value_name = "B")]
    board: Option<String>,
    /// Only by this author: the key or a prefix of it, or a name
    #[arg(long, value_name = "A")]
    author: Option<String>,
    /// Only from this day on: 2026-01-31
    #[arg(long, value_name = "DAY")]
    since: Option<String>,
    /// Only up to this day, it included
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// In which order
    #[arg(long, value_name = "S", default_value = "relevance")]
    sort: Sort,
    /// How many at most, up to 100
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Also the words of what your rules hide
    #[arg(long)]
    hidden: bool,
    /// Go on where the page ended that has this `cursor`
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// Orders of what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// What fits best first.
    Relevance,
    /// Newest first.
    New,
}

/// How words are read, for `roda search --help`.
const LANGUAGE: &str = "\
What can stand among the words (put all of it between ' and ', so that the shell leaves it alone):
  frost may          both words, in any form: English and Portuguese endings, capitals and accents make no difference
  '\"frost in may\"'   exactly these words, one behind the other
  'frost -snails'    the second word must not be there
  board:garden author:Ana since:2026-01-31 until:2026-12-31
                     the same as the options
There are no wildcards. Searched is what this node holds, as it stands now: not what was edited away or taken back.";

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let page: SearchPage = Client::new(context).get(&path(args)).await?;
    if output.is_json() {
        return output.object(&page, |_| String::new());
    }
    output.page(&render(&page.hits, &output.look()))?;
    if let Some(problem) = &page.problem {
        output.note(&format!("not all could be searched: {problem}"));
    } else if !page.complete {
        output
            .note(&format!("{} of {} were searched: the rest is being read, try again soon", page.indexed, page.total));
    }
    match (&page.cursor, page.hits.first()) {
        (None, None) => output.note("nothing was found; fewer words find more"),
        (Some(cursor), _) => output.note(&format!("more: {}", context.command(&more(args, cursor)))),
        (None, Some(first)) => {
            output.note(&format!("read one: {}", context.command(&format!("read {}", words::short_id(&first.id)))));
        }
    }
    Ok(())
}

fn path(args: &Args) -> String {
    let mut path = format!("/api/v1/search?words={}&sort={}", encoded(&args.words.join(" ")), word(args.sort));
    path.push_str(&format!("&limit={}&hidden={}", args.limit, args.hidden));
    for (name, value) in filters(args).into_iter().chain([("cursor", &args.cursor)]) {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    path
}

fn filters(args: &Args) -> [(&'static str, &Option<String>); 4] {
    [("board", &args.board), ("author", &args.author), ("since", &args.since), ("until", &args.until)]
}

fn word(sort: Sort) -> &'static str {
    match sort {
        Sort::Relevance => "relevance",
        Sort::New => "new",
    }
}

/// The command that shows the next page.
fn more(args: &Args, cursor: &str) -> String {
    let mut command = format!("search {}", shell_words::quote(&args.words.join(" ")));
    for (name, value) in filters(args) {
        if let Some(value) = value {
            command.push_str(&format!(" --{name} {}", shell_words::quote(value)));
        }
    }
    if args.sort != Sort::Relevance {
        command.push_str(&format!(" --sort {}", word(args.sort)));
    }
    if args.limit != 20 {
        command.push_str(&format!(" --limit {}", args.limit));
    }
    if args.hidden {
        command.push_str(" --hidden");
    }
    format!("{command} --cursor {}", shell_words::quote(cursor))
}

fn render(hits: &[SearchHit], look: &Look) -> String {
    let mut lines = Vec::new();
    for hit in hits {
        let is_withheld = hit.hidden.is_some() && hit.title.is_empty() && hit.excerpt.is_empty();
        let title = pieces(&hit.title, &hit.title_marks);
        let title = match title.iter().all(|(piece, _)| piece.trim().is_empty()) {
            true => look.bold(&words::short_id(&hit.thread)),
            // Hits stand out of a title that is bold already.
            false => title.iter().map(|(piece, is_hit)| painted(look, piece, *is_hit, Look::bold)).collect(),
        };
        let kind = if hit.kind == "post" { "post" } else { "comment" };
        let facts = [
            format!("{title} in {}", words::board_among(&hit.board, &hit.board_name, hit.board_look_alike)),
            format!("{kind} by {}", words::author_among(&hit.author, hit.name.as_deref(), hit.look_alike)),
            look.ago(hit.created_ms),
            look.cyan(&words::short_id(&hit.id)),
        ];
        lines.push(facts.join(" · "));
        let prefix = look.dim("│ ");
        if let Some(hidden) = &hit.hidden {
            lines.push(format!("{prefix}{}", look.dim(&hidden_words(hidden))));
        }
        if !is_withheld && !hit.excerpt.is_empty() {
            let rows = wrapped(&pieces(&hit.excerpt, &hit.marks), look);
            lines.extend(rows.into_iter().map(|row| format!("{prefix}{row}")));
        }
        lines.push(String::new());
    }
    lines.pop();
    lines.join("\n")
}

/// A stranger's text, safe to show, in the pieces that are hits and those between.
fn pieces(text: &str, marks: &[Mark]) -> Vec<(String, bool)> {
    let letters: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut push = |from: usize, to: usize, is_hit: bool| {
        let piece: String = letters.get(from..to.min(letters.len())).unwrap_or_default().iter().collect();
        if !piece.is_empty() {
            pieces.push((Untrusted::new(piece).block().replace('\n', " "), is_hit));
        }
    };
    for mark in marks {
        push(at, mark.start.max(at), false);
        push(mark.start.max(at), mark.end, true);
        at = at.max(mark.start).max(mark.end);
    }
    push(at, letters.len(), false);
    pieces
}

fn painted(look: &Look, piece: &str, is_hit: bool, paint: fn(&Look, &str) -> String) -> String {
    if is_hit { look.yellow(piece) } else { paint(look, piece) }
}

/// Pieces in rows that fit the screen; a word that is partly a hit stays together.
fn wrapped(pieces: &[(String, bool)], look: &Look) -> Vec<String> {
    let columns = look.text_columns().saturating_sub(2);
    let (mut rows, mut row, mut width) = (Vec::new(), String::new(), 0);
    let (mut word, mut word_width) = (String::new(), 0);
    let mut end_word = |word: &mut String, word_width: &mut usize, row: &mut String, width: &mut usize| {
        if *width > 0 && *width + 1 + *word_width > columns {
            rows.push(std::mem::take(row));
            *width = 0;
        }
        if *width > 0 && *word_width > 0 {
            row.push(' ');
            *width += 1;
        }
        row.push_str(word);
        *width += *word_width;
        (*word, *word_width) = (String::new(), 0);
    };
    for (piece, is_hit) in pieces {
        for (at, part) in piece.split(' ').enumerate() {
            if at > 0 {
                end_word(&mut word, &mut word_width, &mut row, &mut width);
            }
            word.push_str(&painted(look, part, *is_hit, |_, part| part.to_owned()));
            word_width += display_width(part);
        }
    }
    end_word(&mut word, &mut word_width, &mut row, &mut width);
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use roda_node::api::dto::Hidden;

    fn hit(excerpt: &str, marks: Vec<Mark>) -> SearchHit {
        SearchHit {
            id: "a".repeat(64),
            thread: "c".repeat(64),
            board: "b".repeat(64),
            board_name: "garden".into(),
            board_look_alike: false,
            kind: "comment".into(),
            title: "Frost\u{1b} in May".into(),
            title_marks: vec![],
            author: format!("@{}", "k".repeat(52)),
            name: Some("ann".into()),
            look_alike: false,
            created_ms: 1_000,
            excerpt: excerpt.into(),
            marks,
            hidden: None,
        }
    }

    #[test]
    fn hits_stand_out_in_clean_rows_that_fit_the_screen() {
        let look = Look { color: true, columns: Some(40), now_ms: 61_000 };
        let text =
            render(&[hit(&format!("é frost {}", "ice\u{202e} ".repeat(30)), vec![Mark { start: 2, end: 7 }])], &look);
        assert!(text.contains("é \u{1b}[33mfrost\u{1b}[0m ice"), "{text:?}");
        assert!(!text.contains('\u{202e}') && !text.contains("Frost\u{1b}"));
        let plain = Look { color: false, ..look };
        let text = render(&[hit(&"word ".repeat(50), vec![])], &plain);
        assert!(
            text.starts_with(
                "Frost\u{fffd} in May in garden · comment by ann @kkkkkkkk · 1 min ago · aaaaaaaa\n│ word"
            )
        );
        assert!(text.lines().skip(1).all(|line| display_width(line) <= 40), "{text}");
    }

    #[test]
    fn what_is_hidden_says_by_whom_and_marks_that_lie_do_no_harm() {
        let look = Look { color: false, columns: None, now_ms: 61_000 };
        let rule = Some("word:spam".to_owned());
        let hidden = Some(Hidden { by: "you".into(), why: "text".into(), rule });
        let withheld = SearchHit { hidden, title: String::new(), ..hit("", vec![]) };
        let text = render(&[withheld], &look);
        assert!(text.starts_with("cccccccc in garden") && text.ends_with("│ [hidden by you: word:spam]"), "{text}");
        let marks = [Mark { start: 5, end: 2 }, Mark { start: 0, end: 99 }, Mark { start: 200, end: 300 }];
        assert_eq!(pieces("frost", &marks).into_iter().map(|(piece, _)| piece).collect::<String>(), "frost");
    }

    #[test]
    fn the_next_page_is_a_command_to_paste() {
        let args = Args {
            words: vec!["frost".into(), "\"in may\"".into()],
            board: Some("my board".into()),
            author: None,
            since: Some("2026-01-31".into()),
            until: None,
            sort: Sort::New,
            limit: 5,
            hidden: true,
            cursor: None,
        };
        let command =
            "search 'frost \"in may\"' --board 'my board' --since 2026-01-31 --sort new --limit 5 --hidden --cursor c";
        assert_eq!(more(&args, "c"), command);
        let asked = "/api/v1/search?words=frost%20%22in%20may%22&sort=new&limit=5&hidden=true&board=my%20board&since=2026-01-31";
        assert_eq!(path(&args), asked);
    }
}
