//! A thread, or one branch of it: as a tree of nested lists, a page of it at a time.

use super::board::completeness_words;
use crate::api::dto::{Hidden, ThreadNode, ThreadPage};
use crate::api::error::ApiError;
use crate::api::read::{ThreadAsk, show_thread, state_word};
use crate::runtime::Context;
use crate::web::frame::Frame;
use crate::web::texts::Texts;
use crate::web::{Shared, markdown, show};
use askama::Template;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use roda_protocol::event::{Body, Kind};
use roda_protocol::id::{AuthorKey, EventId};
use serde::Deserialize;
use std::collections::HashMap;

/// Comments of a page. A page of 1,000 takes a browser half a second; nobody reads that many at a sitting.
const ROWS_MAX: usize = 500;

/// Levels of a page. On a phone a line has room for a few words beyond this; what is deeper has a page of its own.
const LEVELS_MAX: usize = 8;

/// What is shown in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its words.
    Words,
    /// Nothing: the event is not here.
    Missing,
    /// Nothing: its author took it back.
    Retracted,
    /// Nothing, for a reason of this node.
    Gone(String),
    /// Its words on demand, with the reason why not at once.
    Hidden(String),
}

/// A place of the page.
#[derive(Clone, Debug)]
pub(super) struct Row {
    id: String,
    short: String,
    level: usize,
    level_text: String,
    heading_level: usize,
    /// What tells links of this place from those of others, for those who hear them.
    label: String,
    author: Option<show::Author>,
    shown: Shown,
    html: String,
    link: Option<String>,
    is_safe_link: bool,
    tags: Vec<String>,
    created_ms: u64,
    edited_ms: Option<u64>,
    score: i64,
    up: u32,
    down: u32,
    my_vote: i8,
    unread: bool,
    is_mine: bool,
    delivery: Option<String>,
    parent: Option<String>,
    /// Whether a list of answers follows inside.
    opens: bool,
    /// How many lists end behind it.
    closes: usize,
    /// Answers below that are not on this page.
    continues: Option<usize>,
}

#[derive(Template)]
#[template(path = "thread.html")]
struct ThreadTemplate {
    frame: Frame,
    heading: String,
    board: String,
    board_name: String,
    root: String,
    /// Places of the thread when the page was made.
    seen: usize,
    post: Option<Row>,
    is_branch: bool,
    comments: u64,
    rows: Vec<Row>,
    next: Option<String>,
    state: Vec<String>,
}

/// What a thread's address says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    /// The answer to the post, or to the branch's head, behind which the page goes on.
    after: Option<String>,
}

/// `GET /t/ID`: the thread of a post, or the branch below a comment.
pub(super) async fn read(
    State(web): State<Shared>,
    frame: Frame,
    Path(id): Path<String>,
    Query(ask): Query<Ask>,
) -> Response {
    match page(&web, &frame, id, ask.after.as_deref()).await {
        Ok(page) => Frame::page(&page),
        Err(error) => frame.failed(error),
    }
}

async fn page(web: &Shared, frame: &Frame, id: String, after: Option<&str>) -> Result<ThreadTemplate, ApiError> {
    let thread = show_thread(&web.context, id, ThreadAsk { hidden: true, ..ThreadAsk::default() }).await?;
    let layout = Layout::of(&thread.nodes, &thread.asked, after);
    let seen = thread.nodes.len();
    let comments = thread.nodes.iter().skip(1).filter(|node| !node.missing).count() as u64;
    let heading = heading(frame.t, &thread);
    let head = (thread.nodes.iter().position(|node| node.id == thread.root)).unwrap_or(0);
    let is_branch = thread.asked != thread.root && !layout.rows.is_empty();
    let frame = frame.clone();
    web.reading(move |context| {
        let t = frame.t;
        let mut rows =
            layout.rows.iter().map(|place| row(context, t, &thread, *place)).collect::<Result<Vec<_>, _>>()?;
        nest(&mut rows);
        let post_place = Place { index: head, level: 0, continues: 0 };
        let post = thread.nodes.get(head).map(|_| row(context, t, &thread, post_place)).transpose()?;
        let next = layout.next.map(|last| format!("/t/{}?after={}", thread.asked, thread.nodes[last].id));
        Ok(ThreadTemplate {
            heading,
            board_name: show::board(&thread.board, &thread.board_name),
            state: completeness_words(t, &thread.completeness),
            board: thread.board,
            root: thread.root,
            seen,
            post,
            is_branch,
            comments,
            rows,
            next,
            frame,
        })
    })
    .await
}

fn heading(t: &Texts, thread: &ThreadPage) -> String {
    let title = thread.nodes.first().map(|post| show::line(&post.title)).unwrap_or_default();
    match thread.nodes.first() {
        Some(post) if post.retracted => t.retracted.to_owned(),
        _ if title.trim().is_empty() => t.no_title.to_owned(),
        _ => title,
    }
}

/// A node's place on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Among the thread's nodes.
    index: usize,
    /// 1 for answers to the post; the head of a branch has 1, too.
    level: usize,
    /// Answers below that are left out.
    continues: usize,
}

/// Which nodes a page holds.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    rows: Vec<Place>,
    /// The last answer of the first level, if more follow on a next page.
    next: Option<usize>,
}

impl Layout {
    /// Chooses the nodes below `focus`, in reading order: at most [`ROWS_MAX`], at most [`LEVELS_MAX`] deep. What is left
    /// out is counted at the nearest place above it; whole answers of the first level wait for the next page.
    fn of(nodes: &[ThreadNode], focus: &str, after: Option<&str>) -> Self {
        Self::bounded(nodes, focus, after, ROWS_MAX)
    }

    fn bounded(nodes: &[ThreadNode], focus: &str, after: Option<&str>, rows_max: usize) -> Self {
        let by_id: HashMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let focus_at = by_id.get(focus).copied().unwrap_or(0);
        // A comment that is asked for stands on its page itself.
        let is_branch = focus_at > 0;
        let mut levels: HashMap<usize, usize> = HashMap::from([(focus_at, usize::from(is_branch))]);
        let mut rows: Vec<Place> = Vec::new();
        if is_branch && after.is_none() {
            rows.push(Place { index: focus_at, level: 1, continues: 0 });
        }
        let first_level = 1 + usize::from(is_branch);
        let mut above: Vec<(usize, usize)> = if rows.is_empty() { Vec::new() } else { vec![(1, 0)] };
        let (mut skipping, mut last, mut next) = (after.is_some(), None, None);
        for (index, node) in nodes.iter().enumerate().skip(focus_at + 1) {
            // Who answers nothing that is known answers the post.
            let parent = node.parent.as_deref().and_then(|parent| by_id.get(parent)).copied().unwrap_or(0);
            let Some(level) = levels.get(&parent).map(|level| level + 1) else { continue };
            levels.insert(index, level);
            if level == first_level {
                if skipping {
                    skipping = last.is_none_or(|last: usize| Some(nodes[last].id.as_str()) != after);
                }
                if !skipping && rows.len() >= rows_max {
                    next = last;
                    break;
                }
                last = Some(index);
            }
            if skipping || last.is_some_and(|last| Some(nodes[last].id.as_str()) == after) {
                continue;
            }
            while above.last().is_some_and(|(of, _)| *of >= level) {
                above.pop();
            }
            let has_room = rows.len() < rows_max && level <= LEVELS_MAX;
            match above.last() {
                Some((_, row)) if !has_room => rows[*row].continues += 1,
                _ => {
                    above.push((level, rows.len()));
                    rows.push(Place { index, level, continues: 0 });
                }
            }
        }
        Self { rows, next }
    }
}

/// Says after each row which lists begin and end.
fn nest(rows: &mut [Row]) {
    let levels: Vec<usize> = rows.iter().map(|row| row.level).collect();
    let first = levels.first().copied().unwrap_or(1);
    for (at, row) in rows.iter_mut().enumerate() {
        let next = levels.get(at + 1).copied().unwrap_or(first);
        row.opens = next > row.level;
        row.closes = row.level.saturating_sub(next);
    }
}

fn row(context: &Context, t: &Texts, thread: &ThreadPage, place: Place) -> Result<Row, ApiError> {
    let node = &thread.nodes[place.index];
    let short = show::short_id(&node.id);
    let author = (!node.missing).then(|| show::Author::new(&node.author, node.name.as_deref(), node.mine));
    let shown = match &node.hidden {
        _ if node.missing => Shown::Missing,
        _ if node.retracted => Shown::Retracted,
        Some(hidden) if hidden.why == "dropped" => Shown::Gone(t.dropped.to_owned()),
        Some(hidden) if hidden.why == "unreadable" => Shown::Gone(t.unreadable.to_owned()),
        Some(hidden) => Shown::Hidden(hidden_words(t, hidden)),
        None => Shown::Words,
    };
    let name = author.as_ref().map(|author| format!("{} {}", author.name, author.short)).unwrap_or_default();
    let id: Option<EventId> = node.id.parse().ok();
    let own = if node.mine { id.map(|id| context.store.own(&id)).transpose()?.flatten() } else { None };
    let my_vote = match id {
        Some(id) if node.votes.up + node.votes.down > 0 => vote_of(context, &id, &context.me())?,
        _ => 0,
    };
    let parent = node.parent.as_deref().map(|parent| match place.level {
        0 | 1 => format!("/t/{parent}"),
        _ => format!("#e-{}", show::short_id(parent)),
    });
    Ok(Row {
        level: place.level,
        level_text: place.level.to_string(),
        heading_level: (2 + place.level).min(6),
        label: format!("{} {short}", name.trim()),
        shown,
        html: markdown::html(&node.text),
        is_safe_link: node.link.as_deref().is_some_and(markdown::is_link),
        link: node.link.as_deref().map(show::line),
        tags: node.tags.iter().map(|tag| show::line(tag)).collect(),
        created_ms: node.created_ms,
        edited_ms: node.edited,
        score: i64::from(node.votes.up) - i64::from(node.votes.down),
        up: node.votes.up,
        down: node.votes.down,
        my_vote,
        unread: node.unread,
        is_mine: node.mine,
        delivery: own.map(|own| {
            let held_by = u32::try_from(own.holders.len()).unwrap_or(u32::MAX);
            t.delivery(state_word(own.sent, held_by), held_by)
        }),
        parent,
        opens: false,
        closes: 0,
        continues: (place.continues > 0).then_some(place.continues),
        author,
        short,
        id: node.id.clone(),
    })
}

/// By whom and why words are hidden.
pub(super) fn hidden_words(t: &Texts, hidden: &Hidden) -> String {
    let why = match hidden.why.as_str() {
        "dropped" => return t.dropped.to_owned(),
        "unreadable" => return t.unreadable.to_owned(),
        "author" => t.hidden_author,
        "thread" => t.hidden_thread,
        "text" => t.hidden_text,
        _ => t.hidden_points,
    };
    let rule = hidden.rule.as_deref().map(|rule| format!(" ({})", show::line(rule))).unwrap_or_default();
    t.hidden_here.replace("%s", &format!("{why}{rule}"))
}

/// The last vote of an author on an event: 1, -1 or 0.
pub(super) fn vote_of(context: &Context, target: &EventId, author: &AuthorKey) -> Result<i8, ApiError> {
    let mut last = None;
    for id in context.store.own_actions(target, author)? {
        let Some(stored) = context.store.event(&id)? else { continue };
        if let Kind::Vote(vote) = stored.event.kind() {
            let key = (stored.event.header().created_ms, id);
            last = last.max(Some((key, vote.value)));
        }
    }
    Ok(last.map_or(0, |(_, value)| value))
}

/// `GET /t/ID/news?seen=N`: how many places the thread has beyond those. The page's script asks; the page doesn't move.
pub(super) async fn news(State(web): State<Shared>, Path(id): Path<String>, Query(ask): Query<News>) -> Response {
    let counted = web
        .reading(move |context| {
            let root = context.find_event(&id)?;
            Ok(context.store.thread_counts(&root, &context.me())?.comments)
        })
        .await;
    match counted {
        Ok(comments) => Json(serde_json::json!({ "new": (comments + 1).saturating_sub(ask.seen) })).into_response(),
        Err(error) => error.into_response(),
    }
}

/// What a page has already.
#[derive(Debug, Deserialize)]
pub(super) struct News {
    seen: u64,
}

/// A version of a post or comment.
struct Version {
    at_ms: u64,
    title: String,
    html: String,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    id: String,
    short: String,
    versions: Vec<Version>,
}

/// `GET /history/ID`: what a post or comment said before its edits, newest first.
pub(super) async fn history(State(web): State<Shared>, frame: Frame, Path(id): Path<String>) -> Response {
    let read = web
        .reading(move |context| {
            let id = context.find_event(&id)?;
            let missing =
                || ApiError::new("not_found", format!("event {id} is not on this node"), "fetch it: `roda sync`");
            let stored = context.store.event(&id)?.ok_or_else(missing)?;
            let author = stored.event.header().author;
            let mut versions = vec![version(stored.event.header().created_ms, stored.event.body(), true)];
            for action in context.store.own_actions(&id, &author)? {
                let Some(stored) = context.store.event(&action)? else { continue };
                if matches!(stored.event.kind(), Kind::Edit(_)) {
                    versions.push(version(stored.event.header().created_ms, stored.event.body(), false));
                }
            }
            versions.sort_by_key(|version| std::cmp::Reverse((!version.is_first, version.at_ms)));
            Ok((id, versions))
        })
        .await;
    match read {
        Ok((id, versions)) => {
            let id = id.to_string();
            Frame::page(&HistoryPage { frame, short: show::short_id(&id), id, versions })
        }
        Err(error) => frame.failed(error),
    }
}

fn version(at_ms: u64, body: Option<Body>, is_first: bool) -> Version {
    let (title, text) = match body {
        Some(Body::Post(words)) => (words.title, words.text),
        Some(Body::Comment(words)) => (String::new(), words.text),
        Some(Body::Edit(words)) => (words.title.unwrap_or_default(), words.text),
        _ => Default::default(),
    };
    Version { at_ms, title: show::line(&title), html: markdown::html(&text), is_first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::dto::Votes;

    /// A thread from (id, parent) pairs in reading order.
    fn thread(pairs: &[(&str, Option<&str>)]) -> Vec<ThreadNode> {
        let node = |(id, parent): &(&str, Option<&str>)| ThreadNode {
            id: (*id).to_owned(),
            parent: parent.map(str::to_owned),
            depth: 0,
            missing: false,
            author: String::new(),
            name: None,
            title: String::new(),
            text: String::new(),
            link: None,
            tags: Vec::new(),
            created_ms: 0,
            edited: None,
            retracted: false,
            hidden: None,
            votes: Votes { up: 0, down: 0 },
            unread: false,
            mine: false,
            below: None,
            more: None,
        };
        pairs.iter().map(node).collect()
    }

    fn ids(nodes: &[ThreadNode], layout: &Layout) -> Vec<(String, usize, usize)> {
        layout.rows.iter().map(|row| (nodes[row.index].id.clone(), row.level, row.continues)).collect()
    }

    fn place(id: &str, level: usize, continues: usize) -> (String, usize, usize) {
        (id.to_owned(), level, continues)
    }

    #[test]
    fn a_thread_is_a_tree_and_a_branch_a_part_of_it() {
        let nodes = thread(&[
            ("p", None),
            ("a", Some("p")),
            ("b", Some("a")),
            ("c", Some("p")),
            ("d", Some("c")),
            ("e", Some("d")),
        ]);
        let whole = Layout::of(&nodes, "p", None);
        let expected = [place("a", 1, 0), place("b", 2, 0), place("c", 1, 0), place("d", 2, 0), place("e", 3, 0)];
        assert_eq!(ids(&nodes, &whole), expected);
        let branch = Layout::of(&nodes, "c", None);
        assert_eq!(ids(&nodes, &branch), [place("c", 1, 0), place("d", 2, 0), place("e", 3, 0)]);
    }

    #[test]
    fn what_is_too_deep_is_counted_where_it_goes_on() {
        let names: Vec<String> = (0..LEVELS_MAX + 4).map(|at| format!("n{at}")).collect();
        let mut pairs = vec![(names[0].as_str(), None)];
        pairs.extend(names.windows(2).map(|pair| (pair[1].as_str(), Some(pair[0].as_str()))));
        let nodes = thread(&pairs);
        let layout = Layout::of(&nodes, "n0", None);
        assert_eq!(layout.rows.len(), LEVELS_MAX);
        assert_eq!(layout.rows.last().unwrap().continues, 3);
        let deeper = Layout::of(&nodes, &names[LEVELS_MAX], None);
        assert_eq!(ids(&nodes, &deeper).len(), 4);
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_double() {
        let names: Vec<String> = (0..40).map(|at| format!("c{at}")).collect();
        let mut pairs = vec![("p", None)];
        for (at, name) in names.iter().enumerate() {
            let parent = if at % 4 == 0 { "p" } else { names[at - 1].as_str() };
            pairs.push((name.as_str(), Some(parent)));
        }
        let nodes = thread(&pairs);
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let layout = Layout::bounded(&nodes, "p", after.as_deref(), 8);
            seen.extend(ids(&nodes, &layout).into_iter().map(|(id, _, _)| id));
            assert!(layout.rows.iter().all(|row| row.continues == 0));
            pages += 1;
            let Some(next) = layout.next else { break };
            after = Some(nodes[next].id.clone());
        }
        assert_eq!(seen, names);
        assert_eq!(pages, 5);
    }

    #[test]
    fn one_answer_that_is_larger_than_a_page_is_cut_with_the_count() {
        let names: Vec<String> = (0..20).map(|at| format!("c{at}")).collect();
        let mut pairs = vec![("p", None), ("a", Some("p"))];
        pairs.extend(names.iter().map(|name| (name.as_str(), Some("a"))));
        pairs.push(("z", Some("p")));
        let nodes = thread(&pairs);
        let layout = Layout::bounded(&nodes, "p", None, 8);
        assert_eq!(layout.rows.len(), 8);
        assert_eq!(layout.rows[0].continues, 13);
        assert_eq!(layout.next.map(|at| nodes[at].id.as_str()), Some("a"));
        let second = Layout::bounded(&nodes, "p", Some("a"), 8);
        assert_eq!(ids(&nodes, &second), [place("z", 1, 0)]);
    }
}
