//! What made a board what it is: its charter, and what that says.

use super::Shared;
use super::dto::{BoardCharter, BoardLog, Person};
use super::error::ApiError;
use super::names::Names;
use super::read::blocking;
use crate::runtime::Context;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use roda_protocol::event::{Body, Kind};
use roda_protocol::id::{AuthorKey, EventId};
use roda_protocol::view::policy::Policy;
use serde::Deserialize;
use utoipa::IntoParams;

/// The query of a board's log.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogAsk {
    /// A full id, a unique prefix, or a local name.
    pub(crate) board: String,
}

pub(super) async fn log(
    State(context): State<Shared>,
    query: Result<Query<LogAsk>, QueryRejection>,
) -> Result<Json<BoardLog>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| read_log(context, &ask.board).map(Json)).await
}

/// What is known of a board's beginning.
pub(crate) fn read_log(context: &Context, board: &str) -> Result<BoardLog, ApiError> {
    let board = context.find_board(board)?;
    let mut log = BoardLog {
        board: board.space.to_string(),
        kind: if board.is_open() { "open" } else { "charter" }.to_owned(),
        followed: board.row.followed,
        name: board.name,
        look_alike: board.look_alike,
        title: board.title.unwrap_or_default(),
        description: String::new(),
        rules: Vec::new(),
        charter: None,
    };
    let Some(stored) = context.store.event(&EventId(board.space.0))? else { return Ok(log) };
    let Kind::Charter(charter) = stored.event.kind() else { return Ok(log) };
    if let Some(Body::Charter(words)) = stored.event.body() {
        log.description = words.description;
        log.rules = words.rules;
    }
    let header = stored.event.header();
    let people: Vec<AuthorKey> = [header.author].into_iter().chain(charter.stewards.iter().copied()).collect();
    let mut people = persons(context, &people)?.into_iter();
    log.charter = people.next().map(|founder| BoardCharter {
        id: stored.event.id().to_string(),
        founder,
        created_ms: header.created_ms,
        language: charter.language.clone(),
        work_bits: charter.work_bits,
        stewards: people.collect(),
    });
    Ok(log)
}

/// Authors with their names, and which of these can be taken for another's.
fn persons(context: &Context, keys: &[AuthorKey]) -> Result<Vec<Person>, ApiError> {
    let mut names = Names::of_reader(context, &Policy::new(context.me(), context.store.rules()?))?;
    let mut people = Vec::with_capacity(keys.len());
    for key in keys {
        let person = Person { author: key.to_string(), name: context.store.author_name(key)?, look_alike: false };
        names.meet(&person.author, person.name.as_deref());
        people.push(person);
    }
    for person in &mut people {
        person.look_alike = names.is_like_another(&person.author, person.name.as_deref());
    }
    Ok(people)
}
