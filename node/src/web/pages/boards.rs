//! The list of boards, ways to get further ones, and invites.

use crate::api::boards::read_boards;
use crate::api::dto::NewInvite;
use crate::api::invites::make_invite;
use crate::web::frame::Frame;
use crate::web::{Shared, show};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

/// A board in the list.
struct Board {
    id: String,
    short: String,
    name: String,
    title: String,
    kind: &'static str,
    followed: bool,
    threads: u64,
    events: u64,
    unread: u64,
}

#[derive(Template)]
#[template(path = "boards.html")]
struct BoardsPage {
    frame: Frame,
    boards: Vec<Board>,
}

/// `GET /boards`.
pub(super) async fn list(State(web): State<Shared>, frame: Frame) -> Response {
    let boards = match read_boards(&web.context).await {
        Ok(boards) => boards,
        Err(error) => return frame.failed(error),
    };
    let t = frame.t;
    let board = |board: crate::api::dto::Board| Board {
        short: show::short_id(&board.board),
        name: show::board(&board.board, &board.name, board.look_alike),
        title: board.title.as_deref().map(show::line).unwrap_or_default(),
        kind: if board.kind == "open" { t.kind_open } else { t.kind_charter },
        followed: board.followed,
        threads: board.threads,
        events: board.events,
        unread: board.unread,
        id: board.board,
    };
    let boards = boards.into_iter().map(board).collect();
    Frame::page(&BoardsPage { frame, boards })
}

#[derive(Template)]
#[template(path = "invite.html")]
struct InvitePage {
    frame: Frame,
    board: String,
    name: String,
    invite: String,
    expires: String,
}

/// Makes an invite to a board, and shows it.
pub(super) async fn invite(State(web): State<Shared>, frame: Frame, Path(board): Path<String>) -> Response {
    let ask = NewInvite { board: Some(board), life_ms: None, as_me: false };
    match make_invite(&web.context, ask).await {
        Ok(made) => Frame::page(&InvitePage {
            frame,
            // Whoever hands it on should know which board it is.
            name: show::board(&made.board, &made.name, true),
            board: made.board,
            invite: made.invite,
            expires: show::machine_time(&made.expires_ms),
        }),
        Err(error) => frame.failed(error),
    }
}
