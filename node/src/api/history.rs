//! What a post or comment said before it was edited.

use super::Shared;
use super::dto::{Hidden, Version};
use super::error::ApiError;
use super::feed::Lens;
use super::names::note_look_alikes;
use super::read::blocking;
use super::reader::hidden_by;
use crate::runtime::Context;
use crate::store::{EventStore, StoreError, root_named_by};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use roda_protocol::event::{Body, Kind};
use roda_protocol::id::{AuthorKey, EventId};
use roda_protocol::view::policy::Item;
use serde::Deserialize;
use utoipa::IntoParams;

/// Versions of a page, if the asker does not say.
const VERSIONS_DEFAULT: usize = 50;

/// And at most.
const VERSIONS_MAX: usize = 1000;

/// The query of a history.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryAsk {
    /// Also the words of what the reader's rules hide.
    #[serde(default)]
    pub(crate) hidden: bool,
    /// Versions at most.
    pub(crate) limit: Option<usize>,
    /// Go on behind the version that has this cursor.
    pub(crate) before: Option<String>,
}

pub(super) async fn history(
    State(context): State<Shared>,
    Path(id): Path<String>,
    query: Result<Query<HistoryAsk>, QueryRejection>,
) -> Result<Json<Vec<Version>>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| read_history(context, &id, &ask).map(Json)).await
}

/// A page of the versions of a post or comment, the newest first by the author's claim of the time, what was written first last.
pub(crate) fn read_history(context: &Context, text: &str, ask: &HistoryAsk) -> Result<Vec<Version>, ApiError> {
    let limit = ask.limit.unwrap_or(VERSIONS_DEFAULT).min(VERSIONS_MAX);
    let id = context.find_event(text)?;
    let stored = context.store.event(&id)?.ok_or_else(|| context.absent(id))?;
    let Some(root) = root_named_by(&stored.event) else {
        return Err(ApiError::invalid("only posts and comments have a history", "give the id of one"));
    };
    let author = stored.event.header().author;
    if context.store.is_taken_back(&id, &author)? {
        let message = "its author has taken it back, with what it said before";
        return Err(ApiError::new("not_found", message, "read the rest of the thread"));
    }
    let lens = Lens::new(context, ask.hidden)?;
    let all = versions(&context.store, id, &author)?;
    let bad_cursor =
        || ApiError::invalid("that is no cursor", "pass the `cursor` of the last version that you have seen");
    let skip = match &ask.before {
        None => 0,
        Some(cursor) => 1 + all.iter().position(|id| id.to_string() == *cursor).ok_or_else(bad_cursor)?,
    };
    let page = all.into_iter().skip(skip).take(limit);
    let page = page.map(|of| version(context, &lens, of, (id, root))).filter_map(Result::transpose);
    note_look_alikes(context, &lens.policy, page.collect::<Result<_, _>>()?)
}

/// The events that the versions come from: edits, newest first, and then what was edited.
fn versions(store: &EventStore, id: EventId, author: &AuthorKey) -> Result<Vec<EventId>, StoreError> {
    let mut edits = Vec::new();
    for action in store.own_actions(&id, author)? {
        if let Some(stored) = store.event(&action)?
            && matches!(stored.event.kind(), Kind::Edit(_))
        {
            edits.push((stored.event.header().created_ms, action));
        }
    }
    edits.sort_unstable();
    Ok(edits.into_iter().rev().map(|(_, edit)| edit).chain([id]).collect())
}

/// `None` if the event turns out not to be here after all.
fn version(
    context: &Context,
    lens: &Lens,
    of: EventId,
    (target, root): (EventId, EventId),
) -> Result<Option<Version>, ApiError> {
    let Some(stored) = context.store.event(&of)? else { return Ok(None) };
    let (author, created_ms) = (stored.event.header().author, stored.event.header().created_ms);
    let retracted = of != target && context.store.is_taken_back(&of, &author)?;
    let words = words_of(stored.event.body());
    let lacks_words = words.is_none() && !retracted;
    let (title, text, link) = words.unwrap_or_default();
    let item = Item { author, created_ms, title: &title, text: &text };
    let by_rule =
        lens.thread_hidden(&root).or_else(|| lens.policy.judge(&item, lens.now_ms).hidden.map(|by| hidden_by(&by)));
    let is_withheld = by_rule.is_some() && !lens.shows_hidden;
    let hidden = match lacks_words {
        true => Some(Hidden { by: "node".to_owned(), why: "dropped".to_owned(), rule: None }),
        false => by_rule,
    };
    let (title, text, link) = if is_withheld { Default::default() } else { (title, text, link) };
    Ok(Some(Version {
        id: of.to_string(),
        target: target.to_string(),
        first: of == target,
        author: author.to_string(),
        name: context.store.author_name(&author)?,
        look_alike: false,
        created_ms,
        title,
        text,
        link,
        retracted,
        hidden,
        cursor: of.to_string(),
    }))
}

/// Title, text and link.
fn words_of(body: Option<Body>) -> Option<(String, String, Option<String>)> {
    Some(match body? {
        Body::Post(words) => (words.title, words.text, words.link),
        Body::Comment(words) => (String::new(), words.text, None),
        Body::Edit(words) => (words.title.unwrap_or_default(), words.text, words.link),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{author, edit, post, store};
    use super::*;

    #[test]
    fn versions_go_from_the_newest_edit_to_what_was_written_first_in_any_order_of_arrival() {
        let first = post(2, 100, "first");
        // The clock of who wrote may have gone back.
        let (second, third, before) =
            (edit(2, 101, &first, "second"), edit(2, 102, &first, "third"), edit(2, 9, &first, "x"));
        let by_another = edit(3, 103, &first, "not theirs to change");
        let expected = [&third, &second, &before, &first].map(|arrival| arrival.event.id());
        for order in [[&first, &second, &third, &before, &by_another], [&by_another, &before, &third, &second, &first]]
        {
            let store = store();
            order.into_iter().for_each(|arrival| store.admit(std::slice::from_ref(arrival)).unwrap());
            assert_eq!(versions(&store, first.event.id(), &author(2)).unwrap(), expected);
        }
    }
}
