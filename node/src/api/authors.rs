//! What an author wrote; and posts and comments by themselves, as lists show them.

use super::Shared;
use super::dto::{AuthorPage, Hidden, Writing};
use super::error::ApiError;
use super::feed::Lens;
use super::read::{blocking, single};
use super::reader::shown_title;
use super::resolve::KnownBoard;
use crate::runtime::Context;
use crate::store::EventRow;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread::{Content, Shown};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Entries of a page, if the asker does not say.
const LIMIT_DEFAULT: usize = 50;

/// And at most.
const LIMIT_MAX: usize = 1000;

/// The query of what an author wrote.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuthorAsk {
    /// Also the words of what the reader's rules hide.
    #[serde(default)]
    pub(crate) hidden: bool,
    /// Entries at most.
    pub(crate) limit: Option<usize>,
    /// Go on behind the entry that has this cursor.
    pub(crate) before: Option<String>,
}

pub(super) async fn events(
    State(context): State<Shared>,
    Path(author): Path<String>,
    query: Result<Query<AuthorAsk>, QueryRejection>,
) -> Result<Json<AuthorPage>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| read_author(context, &author, &ask).map(Json)).await
}

/// A page of what an author wrote, by when it became known here, the last first.
pub(crate) fn read_author(context: &Context, text: &str, ask: &AuthorAsk) -> Result<AuthorPage, ApiError> {
    let author = context.find_author(text)?;
    let limit = ask.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX);
    let before = ask.before.as_deref().map(str::parse).transpose().map_err(|_| {
        ApiError::invalid("that is no cursor", "pass the `next` of the page before, or the `cursor` of an entry")
    })?;
    let written = context.store.written_by(&author, before, limit)?;
    let mut writings = Writings::new(context, ask.hidden)?;
    let events = written.rows.iter().map(|(number, row)| writings.read(row, number.to_string()));
    Ok(AuthorPage {
        author: author.to_string(),
        name: context.store.author_name(&author)?,
        events: events.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        next: written.next.map(|next| next.to_string()),
    })
}

/// Reads posts and comments by themselves, through the reader's rules.
pub(crate) struct Writings<'a> {
    context: &'a Context,
    lens: Lens,
    boards: BTreeMap<SpaceId, KnownBoard>,
    titles: BTreeMap<EventId, String>,
}

impl<'a> Writings<'a> {
    /// `hidden`: whether words that the rules hide are shown all the same.
    pub(crate) fn new(context: &'a Context, hidden: bool) -> Result<Self, ApiError> {
        let boards = context.boards_by_id()?;
        Ok(Self { context, lens: Lens::new(context, hidden)?, boards, titles: BTreeMap::new() })
    }

    /// `None` if it is no post or comment, or turns out not to be here after all.
    pub(crate) fn read(&mut self, row: &EventRow, cursor: String) -> Result<Option<Writing>, ApiError> {
        let Some((root, node)) = single(self.context, row)? else { return Ok(None) };
        let Some(author) = node.author else { return Ok(None) };
        let Some(stored) = self.context.store.event(&row.id)? else { return Ok(None) };
        let space = stored.event.space();
        let because = |by: &str, why: &str| Some(Hidden { by: by.to_owned(), why: why.to_owned(), rule: None });
        let (hidden, is_withheld) = match (&node.shown, self.lens.thread_hidden(&root)) {
            (Shown::Dropped, _) => (because("node", "dropped"), false),
            (Shown::Unreadable, _) => (because("author", "unreadable"), false),
            (_, Some(hidden)) => (Some(hidden), !self.lens.shows_hidden),
            (_, None) => self.lens.hidden(&node),
        };
        let is_post = root == row.id;
        let retracted = node.shown == Shown::Retracted;
        let content = match node.shown {
            Shown::Content(content) if !is_withheld => content,
            _ => Content::default(),
        };
        let title = match is_post {
            true => content.title,
            false if is_withheld => String::new(),
            false => self.title(root)?,
        };
        let board = self.boards.get(&space);
        Ok(Some(Writing {
            id: row.id.to_string(),
            kind: if is_post { "post" } else { "comment" }.to_owned(),
            board: space.to_string(),
            board_name: board.map(|board| board.name.clone()).unwrap_or_default(),
            board_look_alike: board.is_some_and(|board| board.look_alike),
            thread: root.to_string(),
            title,
            author: author.to_string(),
            name: self.context.store.author_name(&author)?,
            created_ms: node.created_ms,
            edited: node.edited_ms,
            text: content.text,
            link: content.link,
            tags: node.tags,
            retracted,
            hidden,
            cursor,
        }))
    }

    /// The title of a thread; empty if a rule of the reader hides its post.
    fn title(&mut self, root: EventId) -> Result<String, ApiError> {
        if let Some(title) = self.titles.get(&root) {
            return Ok(title.clone());
        }
        let title = shown_title(self.context, &self.lens, &root)?;
        self.titles.insert(root, title.clone());
        Ok(title)
    }
}
