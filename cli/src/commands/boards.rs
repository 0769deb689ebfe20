//! `roda boards`: the boards known here, or those that peers list.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::{Board, DirectoryEntry};

/// Which boards.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Those that connected peers list, with all of these words in name, title, description or language
    #[arg(long, value_name = "WORDS", num_args = 0..)]
    find: Option<Vec<String>>,
    /// How many of these at most
    #[arg(long, value_name = "N", default_value_t = 50, requires = "find")]
    limit: usize,
    /// Go on behind the board of this id
    #[arg(long, value_name = "BOARD", requires = "find")]
    after: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    if let Some(words) = &args.find {
        return find(words, &args, context, output).await;
    }
    let boards: Vec<Board> = Client::new(context).get("/api/v1/boards").await?;
    output.list(&boards, |look| render(&boards, look))?;
    if boards.is_empty() {
        let (open, find) = (context.command("board open lounge"), context.command("boards --find"));
        output.note(&format!("no board is known yet: {open}   what peers list: {find}"));
    }
    Ok(())
}

async fn find(words: &[String], args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let mut path = format!("/api/v1/directory?words={}&limit={}", encoded(&words.join(" ")), args.limit);
    if let Some(after) = &args.after {
        path.push_str(&format!("&after={}", encoded(after)));
    }
    let boards: Vec<DirectoryEntry> = Client::new(context).get(&path).await?;
    output.list(&boards, |look| render_found(&boards, look))?;
    let quoted: String = words.iter().map(|word| format!(" {}", shell_words::quote(word))).collect();
    match boards.first() {
        None => output.note(&format!(
            "no connected peer lists such a board, as far as they have answered; peers: {}",
            context.command("peers")
        )),
        Some(_) if boards.len() == args.limit => {
            let last = boards.last().map(|board| board.board.as_str()).unwrap_or_default();
            output
                .note(&format!("further ones: {}", context.command(&format!("boards --after {last} --find{quoted}"))));
        }
        Some(first) => output.note(&format!(
            "follow one: {}   names and figures are what others say",
            context.command(&format!("follow {}", words::short_id(&first.board)))
        )),
    }
    Ok(())
}

fn render_found(boards: &[DirectoryEntry], look: &Look) -> String {
    if boards.is_empty() {
        return String::new();
    }
    let columns = [
        ("ID", Align::Left),
        ("NAME", Align::Left),
        ("KNOWN BY", Align::Left),
        ("THREADS", Align::Right),
        ("EVENTS", Align::Right),
        ("ACTIVE", Align::Left),
        ("", Align::Left),
        ("TITLE", Align::Left),
    ];
    let mut table = Table::new(&columns, 7);
    for board in boards {
        let peers = words::count(board.known_by.into(), "peer");
        let known_by = match board.networks {
            0 | 1 => peers,
            networks => format!("{peers}, {networks} networks"),
        };
        table.push(vec![
            painted(words::short_id(&board.board), Look::cyan),
            painted(words::name(&board.name), Look::bold),
            plain(known_by),
            plain(board.threads.to_string()),
            plain(board.events.to_string()),
            plain(words::line(board.last_active_day.as_deref().unwrap_or("-"))),
            plain(if board.followed { "followed" } else { "" }),
            plain(words::line(&board.title)),
        ]);
    }
    table.render(look)
}

fn render(boards: &[Board], look: &Look) -> String {
    if boards.is_empty() {
        return String::new();
    }
    let columns = [
        ("ID", Align::Left),
        ("NAME", Align::Left),
        ("KIND", Align::Left),
        ("THREADS", Align::Right),
        ("EVENTS", Align::Right),
        ("UNREAD", Align::Right),
        ("EQUAL WITH", Align::Left),
        ("", Align::Left),
        ("TITLE", Align::Left),
    ];
    let mut table = Table::new(&columns, 8);
    for board in boards {
        let state = &board.completeness;
        let is_equal = state.peers_asked > 0 && state.peers_equal == state.peers_asked;
        let equal = match state.peers_asked {
            0 => "-".to_owned(),
            asked => format!("{} of {}", state.peers_equal, words::count(asked.into(), "peer")),
        };
        let unread = if board.unread > 0 { Look::green } else { Look::dim };
        let followed = match (board.followed, board.listing.as_str()) {
            (true, "on" | "found") => "followed, listed",
            (true, _) => "followed",
            (false, _) => "not followed",
        };
        table.push(vec![
            painted(words::short_id(&board.board), Look::cyan),
            painted(words::name(&board.name), Look::bold),
            plain(words::line(&board.kind)),
            plain(board.threads.to_string()),
            plain(board.events.to_string()),
            painted(board.unread.to_string(), unread),
            painted(equal, if is_equal { Look::green } else { Look::yellow }),
            plain(followed),
            plain(words::line(board.title.as_deref().unwrap_or_default())),
        ]);
    }
    table.render(look)
}
