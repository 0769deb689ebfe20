//! What the small forms of pages do. Each ends with a way back to a page; the checks of who may do it are the guard's.

use crate::api::boards::{follow_board, found_board, leave_board, open_board, sync_boards};
use crate::api::dto::{
    BoardRef, BoardSelector, Connect, Join, NewBoard, NewRetraction, NewVote, OpenBoard, SetName, SyncAsk, Wait,
};
use crate::api::error::ApiError;
use crate::api::invites::join_by_invite;
use crate::api::node::dial;
use crate::api::write::{publish_name, write_retraction, write_vote};
use crate::web::Shared;
use crate::web::frame::{Frame, way_back};
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

/// Where a form came from.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    pub(super) back: String,
}

fn done<T>(frame: &Frame, result: Result<T, ApiError>, place: &str) -> Response {
    match result {
        Ok(_) => Redirect::to(way_back(place)).into_response(),
        Err(error) => frame.failed(error),
    }
}

fn to_board(frame: &Frame, result: Result<BoardRef, ApiError>) -> Response {
    match result {
        Ok(board) => Redirect::to(&format!("/b/{}", board.board)).into_response(),
        Err(error) => frame.failed(error),
    }
}

/// A vote.
#[derive(Debug, Deserialize)]
pub(super) struct Vote {
    value: i8,
    #[serde(default)]
    back: String,
}

/// Votes; the same vote once more withdraws it.
pub(super) async fn vote(
    State(web): State<Shared>,
    frame: Frame,
    Path(id): Path<String>,
    Form(vote): Form<Vote>,
) -> Response {
    let wait = Wait::default();
    let place = {
        let short: String = id.chars().take(8).collect();
        let page = vote.back.split('#').next().unwrap_or_default();
        format!("{page}#e-{short}")
    };
    let now = {
        let id = id.clone();
        web.reading(move |context| super::thread::vote_of(context, &context.find_event(&id)?, &context.me())).await
    };
    let value = match now {
        Ok(now) if now == vote.value => 0,
        Ok(_) => vote.value,
        Err(error) => return frame.failed(error),
    };
    let result = write_vote(&web.context, id, NewVote { value, wait }).await;
    done(&frame, result, &place)
}

/// Takes back, after the question.
pub(super) async fn retract(State(web): State<Shared>, frame: Frame, Path(id): Path<String>) -> Response {
    let place = format!("/t/{id}");
    let result = write_retraction(&web.context, id, NewRetraction { wait: Wait::default() }).await;
    done(&frame, result, &place)
}

/// Follows a board that is known here.
pub(super) async fn follow(State(web): State<Shared>, frame: Frame, Path(board): Path<String>) -> Response {
    to_board(&frame, follow_board(&web.context, BoardSelector { board }).await)
}

/// Leaves a board.
pub(super) async fn unfollow(State(web): State<Shared>, frame: Frame, Path(board): Path<String>) -> Response {
    done(&frame, leave_board(&web.context, BoardSelector { board }).await, "/boards")
}

/// A board by id.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    board: String,
}

/// Follows a board by its id.
pub(super) async fn follow_named(State(web): State<Shared>, frame: Frame, Form(named): Form<Named>) -> Response {
    to_board(&frame, follow_board(&web.context, BoardSelector { board: named.board.trim().to_owned() }).await)
}

/// The name of an open board.
#[derive(Debug, Deserialize)]
pub(super) struct Open {
    name: String,
}

/// Opens a board.
pub(super) async fn open(State(web): State<Shared>, frame: Frame, Form(open): Form<Open>) -> Response {
    to_board(&frame, open_board(&web.context, OpenBoard { name: open.name.trim().to_owned() }).await)
}

/// A charter's words.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    rules: String,
    #[serde(default)]
    language: String,
    /// Ticked: others can find it.
    listed: Option<String>,
}

/// Founds a board.
pub(super) async fn found(State(web): State<Shared>, frame: Frame, Form(found): Form<Found>) -> Response {
    let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let board = NewBoard {
        name: found.name.trim().to_owned(),
        title: given(found.title),
        description: given(found.description.replace("\r\n", "\n")),
        rules: found.rules.lines().map(str::trim).filter(|rule| !rule.is_empty()).map(str::to_owned).collect(),
        language: given(found.language),
        work: None,
        listed: found.listed.is_some(),
    };
    to_board(&frame, found_board(&web.context, board).await)
}

/// An invite's text.
#[derive(Debug, Deserialize)]
pub(super) struct Invite {
    invite: String,
}

/// Joins by an invite.
pub(super) async fn join(State(web): State<Shared>, frame: Frame, Form(invite): Form<Invite>) -> Response {
    match join_by_invite(&web.context, Join { invite: invite.invite.trim().to_owned() }).await {
        Ok(joined) => Redirect::to(&format!("/b/{}", joined.board)).into_response(),
        Err(error) => frame.failed(error),
    }
}

/// A name.
#[derive(Debug, Deserialize)]
pub(super) struct Name {
    name: String,
}

/// Publishes a profile with this name.
pub(super) async fn name(State(web): State<Shared>, frame: Frame, Form(name): Form<Name>) -> Response {
    let result = publish_name(&web.context, SetName { name: name.name.trim().to_owned() }).await;
    done(&frame, result, "/settings?saved=1")
}

/// Compares all boards with all peers. Waits as long as a person likes to.
pub(super) async fn sync(State(web): State<Shared>, frame: Frame, Form(back): Form<Back>) -> Response {
    let result = sync_boards(&web.context, SyncAsk { board: None, wait_s: Some(10) }).await;
    done(&frame, result, &back.back)
}

/// An address.
#[derive(Debug, Deserialize)]
pub(super) struct Address {
    address: String,
}

/// Connects to a peer.
pub(super) async fn connect(State(web): State<Shared>, frame: Frame, Form(address): Form<Address>) -> Response {
    let result = dial(&web.context, Connect { address: address.address.trim().to_owned() }).await;
    done(&frame, result, "/node")
}
