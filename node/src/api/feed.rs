//! Calls that list threads: pages of a feed in one of the published orders.
//!
//! The orders are `roda_protocol::view`'s. This gathers what they look at, and makes pages of what they say.

mod new;

use self::new::NewKey;
use super::Shared;
use super::boards::followed_boards;
use super::dto::{FeedEntry, Hidden};
use super::error::ApiError;
use super::names::note_look_alikes;
use super::read::blocking;
use super::reader::hidden_by;
use super::resolve::KnownBoard;
use crate::runtime::{Context, wall_ms};
use crate::store::EventRow;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use roda_protocol::id::EventId;
use roda_protocol::thread::{self, Node, Shown};
use roda_protocol::view::policy::{Effect, Item, Judgement, Policy};
use roda_protocol::view::{FeedSort, FeedStats, Place};
use serde::Deserialize;
use utoipa::IntoParams;

/// Entries of a page of a feed, if the asker does not say.
const FEED_LIMIT_DEFAULT: usize = 50;

/// And at most.
const FEED_LIMIT_MAX: usize = 1000;

/// Threads of a board that are put in order: the newest. Orders other than by date need all of them at once.
pub(super) const RANKED_MAX: usize = 10_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The query of a feed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedAsk {
    /// One board, or all that are followed.
    pub(crate) board: Option<String>,
    /// The order: `new` if nothing is said.
    pub(crate) sort: Option<String>,
    /// How far `top` goes back: `day`, `week`, `month`, `year` or `all`, which it is if nothing is said.
    pub(crate) range: Option<String>,
    /// Entries at most.
    pub(crate) limit: Option<usize>,
    /// Go on behind the entry that has this cursor.
    pub(crate) before: Option<String>,
    /// Whether to show the titles of what the reader's rules hide, too.
    #[serde(default)]
    pub(crate) hidden: bool,
}

pub(super) async fn feed(
    State(context): State<Shared>,
    query: Result<Query<FeedAsk>, QueryRejection>,
) -> Result<Json<Vec<FeedEntry>>, ApiError> {
    let Query(ask) = query?;
    blocking(context, move |context| read_feed(context, &ask).map(Json)).await
}

/// A page of a feed.
pub(crate) fn read_feed(context: &Context, ask: &FeedAsk) -> Result<Vec<FeedEntry>, ApiError> {
    let limit = ask.limit.unwrap_or(FEED_LIMIT_DEFAULT).min(FEED_LIMIT_MAX);
    let sort = sort_of(ask.sort.as_deref())?;
    let range_ms = range_of(sort, ask.range.as_deref())?;
    let boards = followed_boards(context, ask.board.as_deref())?;
    let lens = Lens::new(context, ask.hidden)?;
    let page = match sort {
        FeedSort::New => newest(context, &lens, &boards, ask.before.as_deref(), limit),
        _ => ranked(context, &lens, &boards, (sort, range_ms), ask.before.as_deref(), limit),
    };
    note_look_alikes(context, &lens.policy, page?)
}

/// What a reader's own rules make of posts and comments.
pub(super) struct Lens {
    pub(super) policy: Policy,
    pub(super) now_ms: u64,
    /// Whether words that are hidden are shown all the same.
    pub(super) shows_hidden: bool,
}

impl Lens {
    pub(super) fn new(context: &Context, shows_hidden: bool) -> Result<Self, ApiError> {
        let policy = Policy::new(context.me(), context.store.rules()?);
        Ok(Self { policy, now_ms: wall_ms(), shows_hidden })
    }

    /// What the rules come to for a place of a thread.
    pub(super) fn judge(&self, node: &Node) -> Judgement {
        let (Some(author), Shown::Content(content)) = (node.author, &node.shown) else { return Judgement::default() };
        let (title, text) = (content.title.as_str(), content.text.as_str());
        self.policy.judge(&Item { author, created_ms: node.created_ms, title, text }, self.now_ms)
    }

    /// By whom a place is hidden, and whether its words are withheld.
    pub(super) fn hidden(&self, node: &Node) -> (Option<Hidden>, bool) {
        let hidden = self.judge(node).hidden.map(|by| hidden_by(&by));
        let is_withheld = hidden.is_some() && !self.shows_hidden;
        (hidden, is_withheld)
    }

    /// By whom a whole thread is hidden.
    pub(super) fn thread_hidden(&self, root: &EventId) -> Option<Hidden> {
        let is_muted = self.policy.of_thread(root) == Some(Effect::Mute);
        is_muted.then(|| Hidden { by: "you".into(), why: "thread".into(), rule: Some(root.to_string()) })
    }
}

fn sort_of(word: Option<&str>) -> Result<FeedSort, ApiError> {
    let Some(word) = word else { return Ok(FeedSort::New) };
    FeedSort::of_word(word).ok_or_else(|| {
        let words = FeedSort::ALL.map(FeedSort::word).join(", ");
        ApiError::invalid(format!("there is no order called {word:?}"), format!("choose one of {words}"))
    })
}

/// Milliseconds that the order goes back; none: all time.
fn range_of(sort: FeedSort, word: Option<&str>) -> Result<Option<u64>, ApiError> {
    let days = match word {
        None | Some("all") => return Ok(None),
        Some("day") => 1,
        Some("week") => 7,
        Some("month") => 30,
        Some("year") => 365,
        Some(other) => {
            let message = format!("there is no range called {other:?}");
            return Err(ApiError::invalid(message, "choose day, week, month, year or all"));
        }
    };
    if sort != FeedSort::Top {
        return Err(ApiError::invalid("only the order top has a range", "leave the range out, or sort by top"));
    }
    Ok(Some(days * DAY_MS))
}

/// Newest posts of some boards. The cursor is as in [`ranked`].
fn newest(
    context: &Context,
    lens: &Lens,
    boards: &[KnownBoard],
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<FeedEntry>, ApiError> {
    let before = before.map(cursor_parts).transpose()?;
    let now_ms = before.map_or_else(wall_ms, |(now_ms, _)| now_ms);
    let behind = match before {
        Some((_, id)) => Some(NewKey::of(&context.store.row(&id)?.ok_or_else(bad_cursor)?, now_ms)),
        None => None,
    };
    let mut posts: Vec<(NewKey, EventRow, &KnownBoard)> = Vec::new();
    for board in boards {
        let page = new::posts(&context.store, board.space, now_ms, behind, limit)?;
        posts.extend(page.into_iter().map(|(key, row)| (key, row, board)));
    }
    posts.sort_unstable_by_key(|(key, _, _)| std::cmp::Reverse(*key));
    posts.truncate(limit);
    let entry = |(_, row, board): (NewKey, EventRow, &KnownBoard)| {
        let cursor = format!("{now_ms}.{}", row.id);
        entry(context, lens, board, &row, cursor)
    };
    posts.into_iter().map(entry).filter_map(Result::transpose).collect()
}

fn bad_cursor() -> ApiError {
    ApiError::invalid("that is no cursor", "pass the `cursor` of the last entry that you have seen")
}

/// The two parts of a cursor: the moment at which the first page was made, and the last entry's event.
fn cursor_parts(cursor: &str) -> Result<(u64, EventId), ApiError> {
    let (time, id) = cursor.split_once('.').ok_or_else(bad_cursor)?;
    Ok((time.parse().map_err(|_| bad_cursor())?, id.parse().map_err(|_| bad_cursor())?))
}

/// Threads in an order that needs all of them. The cursor is the moment at which the first page was made and the last entry's
/// id: what stands behind it comes next, and time does not move between pages.
fn ranked(
    context: &Context,
    lens: &Lens,
    boards: &[KnownBoard],
    (sort, range_ms): (FeedSort, Option<u64>),
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<FeedEntry>, ApiError> {
    let before = before.map(cursor_parts).transpose()?;
    let now_ms = before.map_or_else(wall_ms, |(now_ms, _)| now_ms);
    let since_ms = range_ms.map_or(0, |range_ms| now_ms.saturating_sub(range_ms));
    let needs = Needs { votes: sort.counts_votes(), activity: sort == FeedSort::Active };
    let threads = gathered(context, lens, boards, needs, since_ms)?;
    let places = sort.order(&threads.iter().map(|(stats, _, _)| *stats).collect::<Vec<_>>(), now_ms);
    let skip = match before {
        None => 0,
        Some((_, id)) => {
            let is_last = |place: &Place| threads[place.index].0.id == id;
            1 + places.iter().position(is_last).ok_or_else(bad_cursor)?
        }
    };
    let page = places.into_iter().skip(skip).take(limit).map(|place| {
        let (stats, row, board) = &threads[place.index];
        entry(context, lens, board, row, format!("{now_ms}.{}", stats.id))
    });
    page.filter_map(Result::transpose).collect()
}

/// What is to be gathered beside a thread's date: each costs reads for every thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    pub(super) votes: bool,
    pub(super) activity: bool,
}

/// What an order looks at, of the newest threads of some boards.
pub(super) fn gathered<'a>(
    context: &Context,
    lens: &Lens,
    boards: &'a [KnownBoard],
    needs: Needs,
    since_ms: u64,
) -> Result<Vec<(FeedStats, EventRow, &'a KnownBoard)>, ApiError> {
    let mut threads = Vec::new();
    for board in boards {
        for (place, row) in context.store.posts(board.space, None, RANKED_MAX)? {
            if place.created_ms < since_ms {
                break;
            }
            let score = if needs.votes { score(context, lens, &row)? } else { 0 };
            let active_ms = match needs.activity {
                true => context.store.thread_counts(&row.id, &context.me())?.active_ms,
                false => 0,
            };
            let (id, author, created_ms) = (row.id, row.author, row.created_ms);
            let stats = FeedStats { id, author, created_ms, active_ms: active_ms.max(created_ms), score };
            threads.push((stats, row, board));
        }
    }
    Ok(threads)
}

/// Votes, and the reader's own points.
fn score(context: &Context, lens: &Lens, row: &EventRow) -> Result<i64, ApiError> {
    let Some(node) = root_node(context, row)? else { return Ok(0) };
    Ok(i64::from(node.up) - i64::from(node.down) + i64::from(lens.judge(&node).points))
}

/// A post as it stands, without its comments.
pub(super) fn root_node(context: &Context, row: &EventRow) -> Result<Option<Node>, ApiError> {
    let thread = thread::resolve(row.id, context.store.post_items(row)?);
    Ok(thread.nodes.into_iter().next())
}

/// `None` if the post turns out not to be here after all.
fn entry(
    context: &Context,
    lens: &Lens,
    board: &KnownBoard,
    row: &EventRow,
    cursor: String,
) -> Result<Option<FeedEntry>, ApiError> {
    let Some(node) = root_node(context, row)? else { return Ok(None) };
    let Some(author) = node.author else { return Ok(None) };
    let counts = context.store.thread_counts(&row.id, &context.me())?;
    let muted = lens.thread_hidden(&row.id);
    let unread = if muted.is_some() { 0 } else { counts.unread };
    let judgement = lens.judge(&node);
    let hidden = muted.or_else(|| judgement.hidden.as_ref().map(hidden_by));
    let title = match &node.shown {
        Shown::Content(content) if hidden.is_none() || lens.shows_hidden => content.title.clone(),
        _ => String::new(),
    };
    Ok(Some(FeedEntry {
        id: row.id.to_string(),
        board: board.space.to_string(),
        board_name: board.name.clone(),
        board_look_alike: board.look_alike,
        title,
        author: author.to_string(),
        name: context.store.author_name(&author)?,
        look_alike: false,
        created_ms: row.created_ms,
        active_ms: counts.active_ms.max(row.created_ms),
        comments: counts.comments,
        score: i64::from(node.up) - i64::from(node.down),
        unread,
        retracted: node.shown == Shown::Retracted,
        hidden,
        points: judgement.points,
        watched: lens.policy.of_thread(&row.id) == Some(Effect::Watch),
        cursor,
    }))
}
