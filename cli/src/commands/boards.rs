//! `roda boards`: the boards known here.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words::{self, Align, Table, painted, plain};
use roda_node::api::dto::Board;

/// Runs the command.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let boards: Vec<Board> = Client::new(context).get("/api/v1/boards").await?;
    output.list(&boards, |look| render(&boards, look))?;
    if boards.is_empty() {
        output.note(&format!("no board is known yet: {}", context.command("board open lounge")));
    }
    Ok(())
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
        table.push(vec![
            painted(words::short_id(&board.board), Look::cyan),
            painted(words::name(&board.name), Look::bold),
            plain(words::line(&board.kind)),
            plain(board.threads.to_string()),
            plain(board.events.to_string()),
            painted(board.unread.to_string(), unread),
            painted(equal, if is_equal { Look::green } else { Look::yellow }),
            plain(if board.followed { "followed" } else { "not followed" }),
            plain(words::line(board.title.as_deref().unwrap_or_default())),
        ]);
    }
    table.render(look)
}
