//! Calls about the web page: how it looks, and the addresses of its feeds. It is served from this home, so how it looks is a
//! matter of the home and not of a browser.

use super::Shared;
use super::dto::{FeedAddress, PagePreferences, SetPagePreferences};
use super::error::ApiError;
use super::feed::Lens;
use super::node::no_page;
use super::read::{blocking, root_of};
use super::reader::shown_title;
use crate::runtime::Context;
use crate::web::{Access, Choice, Preferences};
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::Deserialize;
use std::io;
use utoipa::IntoParams;

pub(super) async fn preferences(State(context): State<Shared>) -> Result<Json<PagePreferences>, ApiError> {
    blocking(context, |context| Ok(Json(words_of(Preferences::of(&context.home).choice())))).await
}

pub(super) async fn set_preferences(
    State(context): State<Shared>,
    body: Result<Json<SetPagePreferences>, JsonRejection>,
) -> Result<Json<PagePreferences>, ApiError> {
    let Json(ask) = body?;
    blocking(context, move |context| {
        let preferences = Preferences::of(&context.home);
        let mut words = words_of(preferences.choice());
        words.language = ask.language.unwrap_or(words.language);
        words.theme = ask.theme.unwrap_or(words.theme);
        words.keys = ask.keys.unwrap_or(words.keys);
        preferences.choose(choice_of(&words)?).map_err(|error| unwritten(&error))?;
        Ok(Json(words))
    })
    .await
}

/// A choice in words.
pub(super) fn words_of(choice: Choice) -> PagePreferences {
    let (language, theme) = choice.words();
    PagePreferences { language: language.to_owned(), theme: theme.to_owned(), keys: choice.keys }
}

/// The choice that words stand for.
pub(super) fn choice_of(words: &PagePreferences) -> Result<Choice, ApiError> {
    Choice::of_words(&words.language, &words.theme, words.keys).ok_or_else(|| {
        let message = format!("the page knows no language {:?} or no colours {:?}", words.language, words.theme);
        ApiError::invalid(message, "languages: auto, en, pt; colours: auto, light, dark")
    })
}

pub(super) fn unwritten(error: &io::Error) -> ApiError {
    ApiError::new("storage", format!("the choice can't be kept: {error}"), "make room or check the disk")
}

/// The query for the addresses of feeds.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedsAsk {
    /// A board, `@` and an author, or a post or comment, which stands for its thread; without, the inbox and every board that is
    /// followed.
    pub(crate) of: Option<String>,
}

pub(super) async fn feeds(
    State(context): State<Shared>,
    query: Result<Query<FeedsAsk>, QueryRejection>,
) -> Result<Json<Vec<FeedAddress>>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| {
        let access = context.web.as_ref().ok_or_else(no_page)?;
        Ok(Json(match &ask.of {
            None => usual_feeds(context, access)?,
            Some(what) => vec![feed_of(context, access, what)?],
        }))
    })
    .await
}

pub(super) async fn renew_feeds(State(context): State<Shared>) -> Result<Json<Vec<FeedAddress>>, ApiError> {
    blocking(context, |context| {
        let access = context.web.as_ref().ok_or_else(no_page)?;
        let failed =
            |error: &dyn std::error::Error| ApiError::new("storage", error.to_string(), "make room or check the disk");
        access.renew_feed_key().map_err(|error| failed(&error))?;
        usual_feeds(context, access).map(Json)
    })
    .await
}

/// The inbox, and every board that is followed.
fn usual_feeds(context: &Context, access: &Access) -> Result<Vec<FeedAddress>, ApiError> {
    let boards = context.boards()?.into_iter().filter(|board| board.row.followed);
    let boards = boards.map(|board| {
        let id = board.space.to_string();
        address(access, "board", &format!("/b/{id}"), id.clone(), board.name)
    });
    let inbox = address(access, "inbox", "/inbox", context.me().to_string(), String::new());
    Ok([inbox].into_iter().chain(boards).collect())
}

fn feed_of(context: &Context, access: &Access, what: &str) -> Result<FeedAddress, ApiError> {
    if what.starts_with('@') {
        let author = context.find_author(what)?;
        let name = context.store.author_name(&author)?.unwrap_or_default();
        return Ok(address(access, "author", &format!("/author/{author}"), author.to_string(), name));
    }
    let not_found = match context.find_board(what) {
        Ok(board) => {
            let id = board.space.to_string();
            return Ok(address(access, "board", &format!("/b/{id}"), id.clone(), board.name));
        }
        Err(error) if error.code == "not_found" => error,
        Err(error) => return Err(error),
    };
    // No name of a board: then the beginning of an event's id, if it looks like one.
    let Ok(event) = context.find_event(what) else { return Err(not_found) };
    let root = root_of(context, event)?;
    let title = shown_title(context, &Lens::new(context, false)?, &root)?;
    Ok(address(access, "thread", &format!("/t/{root}"), root.to_string(), title))
}

fn address(access: &Access, kind: &str, path: &str, id: String, name: String) -> FeedAddress {
    FeedAddress { kind: kind.to_owned(), id, name, url: access.feed_address(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_choice_give_the_same_choice_back() {
        for language in ["auto", "en", "pt"] {
            for theme in ["auto", "light", "dark"] {
                let words = PagePreferences { language: language.into(), theme: theme.into(), keys: theme == "dark" };
                assert_eq!(words_of(choice_of(&words).unwrap()), words);
            }
        }
        let wrong = |language: &str, theme: &str| {
            choice_of(&PagePreferences { language: language.into(), theme: theme.into(), keys: true }).is_err()
        };
        assert!(wrong("de", "auto") && wrong("en", "pink") && wrong("", ""));
    }
}
