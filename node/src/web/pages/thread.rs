//! A thread, or one branch of it: as a tree of nested lists, a page of it at a time.

use super::board::completeness_words;
use super::languages::Languages;
use crate::api::dto::{Hidden, ThreadNode};
use crate::api::error::ApiError;
use crate::api::read::{ThreadAsk, show_thread, state_word};
use crate::runtime::Context;
use crate::web::frame::Frame;
use crate::web::hosts::host_beside;
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
    /// Where the link leads, if it does not say so itself.
    link_host: Option<String>,
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
    /// The language of the heading; empty if these are the page's words.
    heading_language: String,
    /// The language of the board; empty if it names none.
    language: String,
    board: String,
    board_name: String,
    root: String,
    /// Places of the thread when the page was made.
    seen: u64,
    post: Option<Row>,
    is_branch: bool,
    comments: u64,
    rows: Vec<Row>,
    next: Option<String>,
    state: Vec<String>,
    /// The reader's rule about the thread, in words.
    rule: Option<&'static str>,
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
    match page(&web, &frame, id, ask.after).await {
        Ok(page) => Frame::page(&page),
        Err(error) => frame.failed(error),
    }
}

async fn page(web: &Shared, frame: &Frame, id: String, after: Option<String>) -> Result<ThreadTemplate, ApiError> {
    let is_first_page = after.is_none();
    let asked =
        ThreadAsk { hidden: true, under: Some(id.clone()), after, depth: Some(LEVELS_MAX), limit: Some(ROWS_MAX) };
    let thread = show_thread(&web.context, id, asked).await?;
    let is_branch = thread.asked != thread.root;
    // The post stands above a branch, too.
    let top = if is_branch {
        let one =
            ThreadAsk { under: Some(thread.root.clone()), depth: Some(1), limit: Some(1), ..ThreadAsk::default() };
        show_thread(&web.context, thread.root.clone(), one).await?.nodes.into_iter().next()
    } else {
        thread.nodes.first().cloned()
    };
    let frame = frame.clone();
    web.reading(move |context| {
        let t = frame.t;
        let counted = thread.root.parse().map(|root| context.store.thread_counts(&root, &context.me()));
        let comments = counted.ok().transpose()?.map_or(0, |counts| counts.comments);
        let mut rows = Vec::with_capacity(thread.nodes.len());
        for (node, level) in levels(&thread.nodes, is_branch) {
            if level > 0 && (is_first_page || node.id != thread.asked) {
                // What the head of a branch leaves out has a page of its own: the next one.
                let row = row(context, t, node, level)?;
                let continues = row.continues.filter(|_| node.id != thread.asked);
                rows.push(Row { continues, ..row });
            }
        }
        nest(&mut rows);
        let more = thread.nodes.first().and_then(|first| first.more.as_ref());
        let next = more.and_then(|more| more.after.as_ref());
        let next = next.map(|last| format!("/t/{}?after={last}", thread.asked));
        let language = Languages::of(&context.boards()?).of_board(&thread.board);
        let has_title = top.as_ref().is_some_and(|post| !post.retracted && !post.title.trim().is_empty());
        Ok(ThreadTemplate {
            heading: heading(t, top.as_ref()),
            heading_language: if has_title { language.clone() } else { String::new() },
            language,
            board_name: show::board(&thread.board, &thread.board_name, thread.board_look_alike),
            state: completeness_words(t, &thread.completeness),
            rule: match thread.rule.as_deref() {
                Some("watch") => Some(t.thread_watched),
                Some("mute") => Some(t.thread_muted),
                _ => None,
            },
            board: thread.board,
            root: thread.root,
            seen: comments + 1,
            post: top.as_ref().map(|post| row(context, t, post, 0)).transpose()?,
            is_branch,
            comments,
            rows,
            next,
            frame,
        })
    })
    .await
}

fn heading(t: &Texts, post: Option<&ThreadNode>) -> String {
    match post {
        Some(post) if post.retracted => t.retracted.to_owned(),
        Some(post) if !post.title.trim().is_empty() => show::line(&post.title),
        _ => t.no_title.to_owned(),
    }
}

/// Each node with its level on the page: the first has 0, or 1 if it is the head of a branch, and answers one more than what
/// they answer. Who answers nothing on the page answers the first.
fn levels(nodes: &[ThreadNode], is_branch: bool) -> impl Iterator<Item = (&ThreadNode, usize)> {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let first = usize::from(is_branch);
    nodes.iter().enumerate().map(move |(at, node)| {
        let above = node.parent.as_deref().and_then(|parent| known.get(parent)).copied().unwrap_or(first);
        let level = if at == 0 { first } else { above + 1 };
        known.insert(&node.id, level);
        (node, level)
    })
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

fn row(context: &Context, t: &Texts, node: &ThreadNode, level: usize) -> Result<Row, ApiError> {
    let short = show::short_id(&node.id);
    let author =
        (!node.missing).then(|| show::Author::new(&node.author, node.name.as_deref(), node.look_alike, node.mine));
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
    let parent = node.parent.as_deref().map(|parent| match level {
        0 | 1 => format!("/t/{parent}"),
        _ => format!("#e-{}", show::short_id(parent)),
    });
    Ok(Row {
        level,
        level_text: level.to_string(),
        heading_level: (2 + level).min(6),
        label: format!("{} {short}", name.trim()),
        shown,
        html: markdown::html(&node.text),
        is_safe_link: node.link.as_deref().is_some_and(markdown::is_link),
        link_host: node.link.as_deref().and_then(|link| host_beside(link, link)),
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
        continues: node.more.as_ref().map(|more| more.count as usize),
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
    language: String,
    versions: Vec<Version>,
}

/// `GET /history/ID`: what a post or comment said before its edits, newest first.
pub(super) async fn history(State(web): State<Shared>, frame: Frame, Path(id): Path<String>) -> Response {
    let read = web
        .reading(move |context| {
            let id = context.find_event(&id)?;
            let stored = context.store.event(&id)?.ok_or_else(|| context.absent(id))?;
            let author = stored.event.header().author;
            if context.store.is_taken_back(&id, &author)? {
                let message = "its author has taken it back, with what it said before";
                let error = ApiError::new("not_found", message, "read the rest of the thread");
                return Err(error.on_page(|t| t.error_taken_back));
            }
            let mut versions = vec![version(stored.event.header().created_ms, stored.event.body(), true)];
            for action in context.store.own_actions(&id, &author)? {
                let Some(stored) = context.store.event(&action)? else { continue };
                if matches!(stored.event.kind(), Kind::Edit(_)) {
                    versions.push(version(stored.event.header().created_ms, stored.event.body(), false));
                }
            }
            versions.sort_by_key(|version| std::cmp::Reverse((!version.is_first, version.at_ms)));
            let language = Languages::of(&context.boards()?).of_board(&stored.event.space().to_string());
            Ok((id, language, versions))
        })
        .await;
    match read {
        Ok((id, language, versions)) => {
            let id = id.to_string();
            Frame::page(&HistoryPage { frame, short: show::short_id(&id), id, language, versions })
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

    /// A page of a thread from (id, parent) pairs in reading order.
    fn page(pairs: &[(&str, Option<&str>)]) -> Vec<ThreadNode> {
        let node = |(id, parent): &(&str, Option<&str>)| ThreadNode {
            id: (*id).to_owned(),
            parent: parent.map(str::to_owned),
            depth: 0,
            missing: false,
            author: String::new(),
            name: None,
            look_alike: false,
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

    fn leveled(pairs: &[(&str, Option<&str>)], is_branch: bool) -> Vec<(String, usize)> {
        levels(&page(pairs), is_branch).map(|(node, level)| (node.id.clone(), level)).collect()
    }

    #[test]
    fn a_page_is_a_tree_also_where_it_begins_with_a_branch() {
        let pairs = [("p", None), ("a", Some("p")), ("b", Some("a")), ("c", Some("p")), ("hole", None)];
        let expected = [("p", 0), ("a", 1), ("b", 2), ("c", 1), ("hole", 1)];
        assert_eq!(leveled(&pairs, false), expected.map(|(id, level)| (id.to_owned(), level)));
        let branch = [("c", Some("elsewhere")), ("d", Some("c")), ("e", Some("d"))];
        assert_eq!(leveled(&branch, true), [("c", 1), ("d", 2), ("e", 3)].map(|(id, level)| (id.to_owned(), level)));
    }
}
