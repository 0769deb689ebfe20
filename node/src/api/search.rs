//! Search: what is asked is read here, what is found is read from the store and judged by the reader's rules.

use super::Shared;
use super::dto::{Mark, SearchHit, SearchPage};
use super::error::ApiError;
use super::feed::Lens;
use super::names::note_look_alikes;
use super::read::blocking;
use super::reader::shown_title;
use super::resolve::KnownBoard;
use super::resolve::shown;
use crate::runtime::Context;
use crate::search::{Excerpt, Failure, Filters, NAMESAKES_MAX, Page, Query as Words, Sort, Unreadable};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::thread::Shown;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Hits of a page, if the asker does not say.
const HITS_DEFAULT: usize = 20;

/// And at most: of each the words are read from the log.
const HITS_MAX: usize = 100;

/// Pages of the index that are read for one answer, should hits turn out to be gone.
const ROUNDS_MAX: usize = 4;

/// The query of a search.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchAsk {
    /// Words that all have to be there in some form; "exact phrases" and -words that must not be; and the filters below as
    /// `board:`, `author:`, `since:` and `until:`.
    pub(crate) words: String,
    /// Only in this board: its name here, its id or a prefix of it.
    pub(crate) board: Option<String>,
    /// Only by this author: `@` and the key or a prefix of it, or a name.
    pub(crate) author: Option<String>,
    /// Only from this day on, by the author's claim and this machine's calendar: `2026-01-31`.
    pub(crate) since: Option<String>,
    /// Only up to this day, it included.
    pub(crate) until: Option<String>,
    /// The order: `relevance` if nothing is said, or `new`.
    pub(crate) sort: Option<String>,
    /// Whether to show the words of what the reader's rules hide, too.
    #[serde(default)]
    pub(crate) hidden: bool,
    /// Hits at most.
    pub(crate) limit: Option<usize>,
    /// Go on where the page ended that gave this cursor.
    pub(crate) cursor: Option<String>,
}

pub(super) async fn search(
    State(context): State<Shared>,
    query: Result<Query<SearchAsk>, QueryRejection>,
) -> Result<Json<SearchPage>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| read_search(context, &ask).map(Json)).await
}

/// A page of what was found.
pub(crate) fn read_search(context: &Context, ask: &SearchAsk) -> Result<SearchPage, ApiError> {
    let words = words_of(ask)?;
    let filters = filters_of(context, &words)?;
    let sort = sort_of(ask.sort.as_deref())?;
    let limit = ask.limit.unwrap_or(HITS_DEFAULT).clamp(1, HITS_MAX);
    // Before the index is asked: what comes in between makes the answer say less, not more.
    let progress = context.search.progress();
    let mut reading =
        Reading { context, lens: Lens::new(context, ask.hidden)?, words: &words, boards: context.boards_by_id()? };
    let mut page = SearchPage {
        complete: progress.is_complete,
        indexed: progress.indexed,
        total: progress.total,
        problem: progress.problem,
        ..SearchPage::default()
    };
    let mut behind = ask.cursor.clone();
    for _ in 0..ROUNDS_MAX {
        let wanted = limit - page.hits.len();
        // One more than is shown tells whether there is another page.
        let asked = Page { sort, cursor: behind.clone(), limit: wanted + 1 };
        let found = context.search.find(&words, &filters, &asked)?.ok_or_else(|| {
            ApiError::invalid("that is no cursor of this order", "pass the `cursor` of the page before, or none")
        })?;
        page.found = found.count;
        let goes_on = found.hits.len() > wanted;
        for hit in found.hits.into_iter().take(wanted) {
            page.hits.extend(reading.hit(hit.id)?);
            behind = Some(hit.cursor);
        }
        page.cursor = behind.clone().filter(|_| goes_on);
        if !goes_on || page.hits.len() == limit {
            break;
        }
    }
    page.hits = note_look_alikes(context, &reading.lens.policy, page.hits)?;
    Ok(page)
}

/// Words and filters, also those that are said apart from the words.
fn words_of(ask: &SearchAsk) -> Result<Words, ApiError> {
    let mut words = Words::read(&ask.words)?;
    let apart = [("board", &ask.board), ("author", &ask.author), ("since", &ask.since), ("until", &ask.until)];
    for (name, value) in apart {
        // A form sends its empty fields, too.
        if let Some(value) = value.as_deref().map(str::trim).filter(|value| !value.is_empty()) {
            words.filter(name, value)?;
        }
    }
    Ok(words)
}

fn filters_of(context: &Context, words: &Words) -> Result<Filters, ApiError> {
    let board = words.board.as_deref().map(|board| context.find_board(board)).transpose()?;
    let authors = words.author.as_deref().map(|author| authors(context, author)).transpose()?;
    let zone = TimeZone::system();
    let since_ms = words.since.as_deref().map(|day| midnight(day, 0, &zone)).transpose()?;
    let before_ms = words.until.as_deref().map(|day| midnight(day, 1, &zone)).transpose()?;
    if since_ms.zip(before_ms).is_some_and(|(since_ms, before_ms)| since_ms >= before_ms) {
        return Err(ApiError::invalid("the last day is before the first", "exchange since and until"));
    }
    Ok(Filters { board: board.map(|board| board.space), authors: authors.unwrap_or_default(), since_ms, before_ms })
}

/// Who is meant by a key, by its beginning, or by a name, which several authors may have.
fn authors(context: &Context, text: &str) -> Result<Vec<AuthorKey>, ApiError> {
    if text.starts_with('@') {
        return Ok(vec![context.find_author(text)?]);
    }
    let named = context.search.authors_named(text)?;
    match named.len() {
        0 => match context.find_author(text) {
            Ok(author) => Ok(vec![author]),
            Err(error) if error.code == "ambiguous" => Err(error),
            Err(_) => {
                let message = format!("nobody known here is called {}", shown(text));
                Err(ApiError::new("not_found", message, "give the key, @ and some of its digits, or another name"))
            }
        },
        NAMESAKES_MAX.. => {
            let message = format!("{NAMESAKES_MAX} authors or more are called {}", shown(text));
            Err(ApiError::new("ambiguous", message, "give the key: @ and some of its digits"))
        }
        _ => Ok(named),
    }
}

/// The first moment of a day, or of one that is so many days later.
fn midnight(day: &str, later: i64, zone: &TimeZone) -> Result<u64, ApiError> {
    let no_day =
        || ApiError::invalid(format!("{} is no day", shown(day)), "write a day as year, month and day: 2026-01-31");
    let is_written_so = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date: Date = day.parse().ok().filter(|_| is_written_so).ok_or_else(no_day)?;
    let date = date.checked_add(jiff::Span::new().days(later)).map_err(|_| no_day())?;
    let moment = date.to_zoned_datetime(zone.clone()).map_err(|_| no_day())?;
    Ok(u64::try_from(moment.timestamp().as_millisecond()).unwrap_or(0))
}

fn sort_of(word: Option<&str>) -> Result<Sort, ApiError> {
    match word {
        None | Some("" | "relevance") => Ok(Sort::Relevance),
        Some("new") => Ok(Sort::New),
        Some(other) => {
            let message = format!("there is no order called {}", shown(other));
            Err(ApiError::invalid(message, "choose relevance or new"))
        }
    }
}

/// What hits are made from.
struct Reading<'a> {
    context: &'a Context,
    lens: Lens,
    words: &'a Words,
    boards: BTreeMap<SpaceId, KnownBoard>,
}

impl Reading<'_> {
    /// A hit as it stands; none if its words have gone, or are others by now.
    fn hit(&mut self, id: EventId) -> Result<Option<SearchHit>, ApiError> {
        let store = &self.context.store;
        let standing = store.row(&id)?.map(|row| store.standing(&row)).transpose()?.flatten();
        let Some(standing) = standing else { return Ok(self.gone(id)) };
        let (node, root) = (standing.node, standing.root);
        let (Shown::Content(content), Some(author)) = (&node.shown, node.author) else { return Ok(self.gone(id)) };
        let is_post = node.id == root;
        let (hidden, is_withheld) = match self.lens.thread_hidden(&root) {
            Some(hidden) => (Some(hidden), !self.lens.shows_hidden),
            None => self.lens.hidden(&node),
        };
        let (mut title, mut excerpt) = (Excerpt::default(), Excerpt::default());
        if !is_withheld {
            excerpt = self.words.around(&content.text);
            title = if is_post { self.words.whole(&content.title) } else { self.title_of(&root)? };
            if excerpt.marks.is_empty() && title.marks.is_empty() {
                return Ok(self.gone(id));
            }
        }
        let board = self.board_of(standing.space)?;
        Ok(Some(SearchHit {
            id: id.to_string(),
            thread: root.to_string(),
            board: standing.space.to_string(),
            board_name: board.name,
            board_look_alike: board.look_alike,
            kind: if is_post { "post" } else { "comment" }.to_owned(),
            title: title.text,
            title_marks: marks(title.marks),
            author: author.to_string(),
            name: store.author_name(&author)?,
            look_alike: false,
            created_ms: node.created_ms,
            excerpt: excerpt.text,
            marks: marks(excerpt.marks),
            hidden,
        }))
    }

    /// Has the index told that it is behind.
    fn gone(&self, id: EventId) -> Option<SearchHit> {
        self.context.search.read_again(id);
        None
    }

    /// The title above a comment, without marks: the comment was found, not the title.
    fn title_of(&self, root: &EventId) -> Result<Excerpt, ApiError> {
        Ok(Excerpt { text: shown_title(self.context, &self.lens, root)?, marks: Vec::new() })
    }

    fn board_of(&mut self, space: SpaceId) -> Result<KnownBoard, ApiError> {
        if let Some(board) = self.boards.get(&space) {
            return Ok(board.clone());
        }
        let board = self.context.board_of(space)?;
        self.boards.insert(space, board.clone());
        Ok(board)
    }
}

fn marks(places: Vec<std::ops::Range<usize>>) -> Vec<Mark> {
    places.into_iter().map(|place| Mark { start: place.start, end: place.end }).collect()
}

impl From<Unreadable> for ApiError {
    fn from(unreadable: Unreadable) -> Self {
        Self::invalid(unreadable.message, unreadable.hint)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        match failure {
            Failure::Refused(_) => Self::new("storage", message, "`roda doctor` says why; all else works meanwhile"),
            Failure::Unusable(_) | Failure::Later => Self::new("busy", message, "it is being mended: try again soon"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lasts_from_its_midnight_to_the_next_in_the_calendar_of_the_machine() {
        let ahead = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(midnight("1970-01-02", 0, &ahead).unwrap(), 22 * 3_600_000);
        assert_eq!(midnight("1970-01-01", 1, &ahead).unwrap(), 22 * 3_600_000);
        assert_eq!(midnight("1960-01-01", 0, &TimeZone::UTC).unwrap(), 0);
        for other in ["", "tomorrow", "2026-02-30", "2026-1-1", "20260101", "2026-01-01T00", "0000000000", "é026-01-0"]
        {
            assert!(midnight(other, 0, &ahead).is_err(), "{other}");
        }
        assert!(midnight("9999-12-31", 1, &ahead).is_err());
    }

    #[test]
    fn filters_may_stand_in_the_words_or_apart_and_empty_fields_mean_nothing() {
        let ask = |words: &str, board: &str| SearchAsk {
            words: words.into(),
            board: Some(board.into()),
            since: Some(" ".into()),
            ..SearchAsk::default()
        };
        assert_eq!(words_of(&ask("frost", "garden")).unwrap().board.as_deref(), Some("garden"));
        assert_eq!(words_of(&ask("frost board:garden", "garden")).unwrap().board.as_deref(), Some("garden"));
        assert!(words_of(&ask("frost board:kitchen", "garden")).is_err());
        assert_eq!(words_of(&ask("frost", "")).unwrap().since, None);
    }
}
