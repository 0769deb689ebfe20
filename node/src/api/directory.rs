//! Calls about boards that can be found: those that peers list, and which of its own this node lists.

use super::Shared;
use super::dto::{DirectoryEntry, ListingAsk, ListingState};
use super::error::{ApiError, done};
use super::names::Names;
use super::node::unexpected;
use super::read::blocking;
use crate::engine::{Answer, FoundBoard, Local};
use crate::runtime::{Context, wall_ms};
use crate::store::Listing;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use roda_protocol::event::{Body, CharterBody, Kind};
use roda_protocol::id::SpaceId;
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use utoipa::IntoParams;

/// Boards of a page, if the asker does not say.
const LIMIT_DEFAULT: usize = 50;

/// And at most.
const LIMIT_MAX: usize = 1000;

const DAY_S: i64 = 24 * 60 * 60;

/// The query of the directory.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DirectoryAsk {
    /// Only boards that have each of these words in name, title, description or language.
    pub(crate) words: Option<String>,
    /// Boards at most.
    pub(crate) limit: Option<usize>,
    /// Go on behind the board of this id.
    pub(crate) after: Option<String>,
}

pub(super) async fn directory(
    State(context): State<Shared>,
    query: Result<Query<DirectoryAsk>, QueryRejection>,
) -> Result<Json<Vec<DirectoryEntry>>, ApiError> {
    Ok(Json(read_directory(&context, query?.0).await?))
}

/// A page of the boards that peers list, and peers are asked anew. Known in more networks first, then by more peers, then by
/// activity: nobody is put first by choice.
pub(crate) async fn read_directory(context: &Shared, ask: DirectoryAsk) -> Result<Vec<DirectoryEntry>, ApiError> {
    let found = found_boards(context).await?;
    blocking(context.clone(), move |context| page(context, found, &ask)).await
}

pub(super) async fn found_boards(context: &Context) -> Result<Vec<FoundBoard>, ApiError> {
    match context.handle.ask(Local::Directory).await? {
        Answer::Directory(found) => Ok(found),
        _ => Err(unexpected()),
    }
}

fn page(context: &Context, mut found: Vec<FoundBoard>, ask: &DirectoryAsk) -> Result<Vec<DirectoryEntry>, ApiError> {
    let today = u32::try_from(wall_ms() / 1000 / DAY_S.unsigned_abs()).unwrap_or(u32::MAX);
    // A day that has not come says no more than today.
    found.iter_mut().for_each(|board| board.figures.last_day = board.figures.last_day.min(today));
    found.sort_by_key(|board| {
        let FoundBoard { charter, known_by, networks, figures } = board;
        (Reverse((*networks, *known_by, figures.last_day, figures.events)), charter.space())
    });
    let boards = context.boards()?;
    let mut names = Names::default();
    boards.iter().for_each(|board| names.meet(&board.space.to_string(), Some(&board.name)));
    let followed: BTreeSet<SpaceId> =
        boards.into_iter().filter(|board| board.row.followed).map(|board| board.space).collect();
    let words: Vec<String> = ask.words.iter().flat_map(|text| text.split_whitespace()).map(str::to_lowercase).collect();
    let skip = match &ask.after {
        None => 0,
        Some(after) => {
            let place = found.iter().position(|board| board.charter.space().to_string() == *after);
            1 + place.ok_or_else(|| {
                let message = "the directory has no such board";
                ApiError::invalid(message, "pass the id of the last board that you have seen, or begin without it")
            })?
        }
    };
    let entries =
        found.iter().skip(skip).filter_map(|board| entry(board, &followed)).filter(|entry| fits(entry, &words));
    let mut page: Vec<DirectoryEntry> = entries.take(ask.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX)).collect();
    page.iter().for_each(|entry| names.meet(&entry.board, Some(&entry.name)));
    for entry in &mut page {
        entry.look_alike = names.is_like_another(&entry.board, Some(&entry.name));
    }
    Ok(page)
}

fn fits(entry: &DirectoryEntry, words: &[String]) -> bool {
    let text =
        [&entry.name, &entry.title, &entry.description, &entry.language].map(|part| part.to_lowercase()).join("\n");
    words.iter().all(|word| text.contains(word))
}

/// `None` if it is no charter: none of these stand in the directory.
fn entry(found: &FoundBoard, followed: &BTreeSet<SpaceId>) -> Option<DirectoryEntry> {
    let event = &found.charter;
    let Kind::Charter(charter) = event.kind() else { return None };
    let (title, description) = match event.body() {
        Some(Body::Charter(CharterBody { title, description, .. })) => (title, description),
        _ => (String::new(), String::new()),
    };
    Some(DirectoryEntry {
        board: event.space().to_string(),
        name: charter.name.clone(),
        look_alike: false,
        title,
        description,
        language: charter.language.clone(),
        stewards: charter.stewards.iter().map(ToString::to_string).collect(),
        known_by: found.known_by,
        networks: found.networks,
        events: found.figures.events,
        threads: found.figures.threads,
        last_active_day: day(found.figures.last_day),
        followed: followed.contains(&event.space()),
    })
}

/// A day since 1970-01-01 as people write it; none for the first, which stands for no event at all.
fn day(number: u32) -> Option<String> {
    let start = jiff::Timestamp::from_second(i64::from(number) * DAY_S).ok()?;
    (number > 0).then(|| start.strftime("%Y-%m-%d").to_string())
}

pub(super) async fn list(
    State(context): State<Shared>,
    body: Result<Json<ListingAsk>, JsonRejection>,
) -> Result<Json<ListingState>, ApiError> {
    Ok(Json(list_board(&context, body?.0).await?))
}

/// Says whether peers that ask are told of a board.
pub(crate) async fn list_board(context: &Shared, ask: ListingAsk) -> Result<ListingState, ApiError> {
    let text = ask.board;
    let board = blocking(context.clone(), move |context| context.find_board(&text)).await?;
    if ask.listed && board.is_open() {
        let hint = "its name is all that others need: tell them, or found a board with a charter";
        return Err(ApiError::invalid("an open board has no charter to list", hint));
    }
    if ask.listed && !board.row.followed {
        return Err(ApiError::new("not_followed", "this node does not follow that board", "`roda follow` it first"));
    }
    list_space(context, board.space, ask.listed).await?;
    let listing = if ask.listed { Listing::On } else { Listing::Off };
    Ok(ListingState {
        board: board.space.to_string(),
        name: board.name,
        look_alike: board.look_alike,
        listing: word(Some(listing)).to_owned(),
    })
}

pub(super) async fn list_space(context: &Context, space: SpaceId, is_on: bool) -> Result<(), ApiError> {
    done(context.handle.ask(Local::List { space, is_on }).await?)
}

/// The word for what was said about listing a board.
pub(super) fn word(listing: Option<Listing>) -> &'static str {
    match listing {
        None | Some(Listing::Off) => "off",
        Some(Listing::On) => "on",
        Some(Listing::Found) => "found",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_said_as_people_write_it() {
        assert_eq!(day(0), None);
        assert_eq!(day(20_787).as_deref(), Some("2026-11-30"));
        assert!(day(u32::MAX).is_none(), "no calendar has it");
    }
}
