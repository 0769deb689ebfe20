//! `roda feed`: the threads of a board, or of all that are followed.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::thread::tree::hidden_words;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::FeedEntry;
use roda_protocol::view::FeedSort;

/// Entries that one request asks for.
const PAGE_ENTRIES: usize = 100;

/// What to list.
#[derive(Debug, clap::Args)]
#[command(after_long_help = formulas())]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it [default: all that are followed]
    board: Option<String>,
    /// In which order
    #[arg(long, value_name = "S", default_value = "new")]
    sort: Sort,
    /// How far `--sort top` goes back [default: all]
    #[arg(long, value_name = "R")]
    range: Option<Range>,
    /// How many threads at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Also the titles of what your rules hide
    #[arg(long)]
    hidden: bool,
    /// Go on behind the entry that has this `cursor`
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
}

/// Orders of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// Newest post first.
    New,
    /// Newest comment first.
    Active,
    /// Most votes first.
    Top,
    /// Votes and age together.
    Hot,
    /// As hot, and no few authors fill a page.
    Balanced,
}

/// How far `top` goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Range {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 365 days.
    Year,
    /// Without end.
    All,
}

/// The formulas, for `roda feed --help`.
fn formulas() -> String {
    let mut text = "Orders. Equal events and an equal clock give an equal order on every node:\n".to_owned();
    for sort in FeedSort::ALL {
        text.push_str(&format!("  {:<9} {}\n", sort.word(), sort.formula()));
    }
    text.push_str(
        "Votes are raw: one for each author, and whoever makes many keys has many. A date ahead of your clock counts as now. Of \
         each board the newest 10,000 threads are put in order.",
    );
    text
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let mut entries: Vec<FeedEntry> = Vec::new();
    let mut before = args.before.clone();
    // The node may give less than was asked for in one answer; an empty one is the end.
    while entries.len() < args.limit {
        let wanted = (args.limit - entries.len()).min(PAGE_ENTRIES);
        let page: Vec<FeedEntry> = client.get(&path(args, wanted, before.as_deref())).await?;
        let Some(cursor) = page.last().map(|entry| entry.cursor.clone()) else { break };
        let is_stuck = before.as_ref() == Some(&cursor);
        entries.extend(page.into_iter().take(wanted));
        if is_stuck {
            break;
        }
        before = Some(cursor);
    }
    if output.is_json() {
        return output.list(&entries, |_| String::new());
    }
    let text = render(&entries, args.board.is_none(), &output.look());
    output.page(&text)?;
    match entries.last() {
        None => output.note(&format!(
            "nothing here yet; write the first post: {}",
            context.command("post BOARD -t TITLE -m TEXT")
        )),
        Some(last) if entries.len() == args.limit => {
            output.note(&format!("older ones: {}", context.command(&older(args, last))));
        }
        Some(first) => {
            let id = entries.first().map_or(&first.id, |entry| &entry.id);
            output.note(&format!("read one: {}", context.command(&format!("read {}", words::short_id(id)))));
        }
    }
    Ok(())
}

fn path(args: &Args, limit: usize, before: Option<&str>) -> String {
    let mut path = format!("/api/v1/feed?sort={}&limit={limit}", word(args.sort));
    if args.hidden {
        path.push_str("&hidden=true");
    }
    let range = args.range.map(word);
    for (key, value) in [("board", args.board.as_deref()), ("range", range.as_deref()), ("before", before)] {
        if let Some(value) = value {
            path.push_str(&format!("&{key}={}", encoded(value)));
        }
    }
    path
}

fn word(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The command that lists what comes behind the last entry.
fn older(args: &Args, last: &FeedEntry) -> String {
    let board = args.board.as_deref().map(|board| format!(" {}", shell_words::quote(board))).unwrap_or_default();
    let sort = if args.sort == Sort::New { String::new() } else { format!(" --sort {}", word(args.sort)) };
    let range = args.range.map(|range| format!(" --range {}", word(range))).unwrap_or_default();
    let hidden = if args.hidden { " --hidden" } else { "" };
    format!("feed{board}{sort}{range}{hidden} --before {}", shell_words::quote(&last.cursor))
}

/// `of_many`: the boards are named, too.
pub(super) fn render(entries: &[FeedEntry], of_many: bool, look: &Look) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut columns = vec![
        ("ID", Align::Left),
        ("TITLE", Align::Left),
        ("AUTHOR", Align::Left),
        ("COMMENTS", Align::Right),
        ("SCORE", Align::Right),
        ("NEW", Align::Right),
        ("WRITTEN", Align::Left),
    ];
    if of_many {
        columns.insert(2, ("BOARD", Align::Left));
    }
    let mut table = Table::new(&columns, 1);
    for entry in entries {
        let title = words::line(&entry.title);
        let title = match () {
            () if entry.hidden.is_some() && title.trim().is_empty() => {
                let why = entry.hidden.as_ref().map(hidden_words).unwrap_or_default();
                painted(why, Look::dim)
            }
            () if entry.retracted => painted("[taken back by its author]", Look::dim),
            () if title.trim().is_empty() => painted("[its words are not here]", Look::dim),
            () => painted(title, Look::bold),
        };
        let unread = if entry.unread > 0 { format!("● {}", entry.unread) } else { String::new() };
        let mut row = vec![
            painted(words::short_id(&entry.id), Look::cyan),
            title,
            plain(words::author_among(&entry.author, entry.name.as_deref(), entry.look_alike)),
            plain(entry.comments.to_string()),
            plain(entry.score.to_string()),
            painted(unread, Look::green),
            plain(look.ago(entry.created_ms)),
        ];
        if of_many {
            row.insert(2, plain(words::board_among(&entry.board, &entry.board_name, entry.board_look_alike)));
        }
        table.push(row);
    }
    table.render(look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr as _;

    fn entry(title: &str) -> FeedEntry {
        FeedEntry {
            id: "a".repeat(64),
            board: "b".repeat(64),
            board_name: "rust".into(),
            board_look_alike: false,
            title: title.into(),
            author: format!("@{}", "k".repeat(52)),
            name: None,
            look_alike: false,
            created_ms: 1_000,
            active_ms: 1_000,
            comments: 3,
            score: -1,
            unread: 2,
            retracted: false,
            hidden: None,
            points: 0,
            watched: false,
            cursor: "c 1".into(),
        }
    }

    #[test]
    fn a_feed_fits_the_screen_and_says_what_is_new() {
        let look = Look { color: false, columns: Some(100), now_ms: 61_000 };
        let text = render(&[entry(&"long words ".repeat(20)), entry("\u{1b}[2J")], true, &look);
        assert!(text.lines().all(|line| line.width() <= 100), "{text}");
        assert!(text.contains("● 2") && text.contains("1 min ago") && text.contains("@kkkkkkkk"));
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn the_next_page_is_a_command_to_paste() {
        let range = Some(Range::Week);
        let args =
            Args { board: Some("my board".into()), sort: Sort::Top, range, limit: 1, hidden: false, before: None };
        assert_eq!(older(&args, &entry("x")), "feed 'my board' --sort top --range week --before 'c 1'");
        let asked = "/api/v1/feed?sort=top&limit=5&board=my%20board&range=week&before=c%201";
        assert_eq!(path(&args, 5, Some("c 1")), asked);
    }
}
