//! Atom feeds (RFC 4287) of boards, threads, authors and the inbox.
//!
//! A feed reader has no cookie: a feed's address carries a secret of its own, which opens feeds and nothing else and is made
//! anew on demand. Owns what stands in a feed and what its answers say to caches. A feed is a function of what is held and of the
//! reader's rules: no clock is read, so that a reader that has it hears so (`If-None-Match`). What the rules hide is left out.

use super::Web;
use super::texts::{Language, Texts};
use super::{Shared, markdown, show};
use crate::api::authors::Writings;
use crate::api::dto::Writing;
use crate::api::error::ApiError;
use crate::api::inbox::{InboxAsk, read_inbox};
use crate::api::read::{blocking, root_of};
use crate::api::tags::{is_known, tag_of};
use crate::runtime::Context;
use crate::store::EventRow;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{self, HeaderMap};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use roda_protocol::id::EventId;
use serde::Deserialize;
use std::sync::Arc;

/// Entries of a feed: the newest. Readers that look once a day miss nothing on most boards.
const ENTRIES: usize = 50;

/// Every feed. Behind the checks of the entrance (Host, rate), and beside those of callers.
pub(super) fn router(web: Shared) -> Router {
    Router::new()
        .route("/b/{board}/atom.xml", get(of_board))
        .route("/t/{id}/atom.xml", get(of_thread))
        .route("/author/{key}/atom.xml", get(of_author))
        .route("/inbox/atom.xml", get(of_inbox))
        .layer(from_fn_with_state(Arc::clone(&web), has_key))
        .with_state(web)
}

/// The secret in a feed's address.
#[derive(Debug, Default, Deserialize)]
struct Key {
    #[serde(default)]
    key: String,
}

async fn has_key(State(web): State<Shared>, Query(key): Query<Key>, request: Request, next: Next) -> Response {
    if web.access.is_feed_key(&key.key) {
        return next.run(request).await;
    }
    let text = "This address of a feed is not valid, or not any more. Copy it anew from Roda's page.\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// A feed in the making.
#[derive(Template)]
#[template(path = "atom.xml")]
struct Feed {
    id: String,
    title: String,
    /// The page that shows the same.
    page: String,
    /// The feed's own address.
    own: String,
    updated: String,
    version: &'static str,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    page: String,
    author: String,
    author_page: String,
    published: String,
    updated: String,
    link: Option<String>,
    tags: Vec<String>,
    html: String,
}

/// What a feed is about.
struct About {
    id: String,
    title: String,
    path: String,
    /// When it began, unix milliseconds: it has been updated then, at least.
    since_ms: u64,
    rows: Vec<EventRow>,
}

async fn of_board(State(web): State<Shared>, Path(board): Path<String>, headers: HeaderMap, uri: Uri) -> Response {
    answer(&web, &headers, &uri, move |context, _| {
        let board = context.find_board(&board)?;
        let since_ms = context.store.row(&EventId(board.space.0))?.map_or(0, |row| row.created_ms);
        let rows = context.store.posts(board.space, None, ENTRIES)?;
        let id = board.space.to_string();
        Ok(About {
            title: show::board(&id, &board.name, board.look_alike),
            path: format!("/b/{id}"),
            id: format!("board:{id}"),
            since_ms,
            rows: rows.into_iter().map(|(_, row)| row).collect(),
        })
    })
    .await
}

async fn of_thread(State(web): State<Shared>, Path(id): Path<String>, headers: HeaderMap, uri: Uri) -> Response {
    answer(&web, &headers, &uri, move |context, t| {
        let root = root_of(context, context.find_event(&id)?)?;
        let row = context.store.row(&root)?;
        let since_ms = row.as_ref().map_or(0, |row| row.created_ms);
        let post = row.map(|row| Writings::new(context, false)?.read(&row, String::new())).transpose()?.flatten();
        let title = post.map(|post| show::line(&post.title)).filter(|title| !title.trim().is_empty());
        Ok(About {
            id: format!("thread:{root}"),
            title: title.unwrap_or_else(|| t.no_title.to_owned()),
            path: format!("/t/{root}"),
            since_ms,
            rows: context.store.newest_of(&root, ENTRIES)?,
        })
    })
    .await
}

async fn of_author(State(web): State<Shared>, Path(key): Path<String>, headers: HeaderMap, uri: Uri) -> Response {
    answer(&web, &headers, &uri, move |context, _| {
        let author = context.find_author(&key)?;
        let name = context.store.author_name(&author)?;
        let written = context.store.written_by(&author, None, ENTRIES)?;
        Ok(About {
            id: format!("author:{}", author.to_string().trim_start_matches('@')),
            title: named(&author.to_string(), name.as_deref()),
            path: format!("/author/{author}"),
            since_ms: 0,
            rows: written.rows.into_iter().map(|(_, row)| row).collect(),
        })
    })
    .await
}

async fn of_inbox(State(web): State<Shared>, headers: HeaderMap, uri: Uri) -> Response {
    answer(&web, &headers, &uri, move |context, t| {
        let ask = InboxAsk { all: true, hidden: false, limit: Some(ENTRIES), before: None };
        let mut rows = Vec::new();
        for entry in read_inbox(context, &ask)? {
            let id: EventId = entry.id.parse().map_err(|_| crate::api::node::unexpected())?;
            rows.extend(context.store.row(&id)?);
        }
        let me = context.me().to_string();
        let id = format!("inbox:{}", me.trim_start_matches('@'));
        Ok(About { id, title: t.inbox.to_owned(), path: "/inbox".to_owned(), since_ms: 0, rows })
    })
    .await
}

/// Makes a feed, and answers with it, or with the word that the reader has it already.
async fn answer(
    web: &Arc<Web>,
    headers: &HeaderMap,
    uri: &Uri,
    about: impl FnOnce(&Context, &'static Texts) -> Result<About, ApiError> + Send + 'static,
) -> Response {
    let t = web.preferences.choice().language.unwrap_or_else(|| Language::of_browser(headers)).texts();
    // The entrance has let only our own names through.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if web.access.tls().is_some() { "https" } else { "http" };
    let (origin, here) =
        (format!("{scheme}://{host}"), uri.path_and_query().map(ToString::to_string).unwrap_or_default());
    let made = blocking(Arc::clone(&web.context), move |context| {
        let about = about(context, t)?;
        feed(context, t, about, &origin, &here)
    });
    let (feed, updated_ms) = match made.await {
        Ok(made) => made,
        Err(error) => return (error.status, format!("{}\n", show::line(&error.message))).into_response(),
    };
    let text = match feed.render() {
        Ok(text) => allowed(&text),
        Err(error) => {
            tracing::error!(%error, "a feed could not be made");
            return (StatusCode::INTERNAL_SERVER_ERROR, "This feed could not be made: please report it as a bug.\n")
                .into_response();
        }
    };
    let tag = tag_of(text.as_bytes());
    let told = [
        (header::ETAG, tag.clone()),
        (header::LAST_MODIFIED, http_date(updated_ms)),
        // Kept by the reader, and asked about each time.
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, told).into_response();
    }
    (told, [(header::CONTENT_TYPE, "application/atom+xml; charset=utf-8")], text).into_response()
}

fn feed(context: &Context, t: &'static Texts, about: About, origin: &str, here: &str) -> Result<(Feed, u64), ApiError> {
    let mut writings = Writings::new(context, false)?;
    let (mut entries, mut updated_ms) = (Vec::new(), about.since_ms);
    for row in &about.rows {
        let Some(written) = writings.read(row, String::new())? else { continue };
        // What a rule of the reader hides can't be shown by a click in another program: it is left out.
        if written.hidden.as_ref().is_some_and(|hidden| hidden.by == "you") {
            continue;
        }
        updated_ms = updated_ms.max(updated(&written));
        entries.push(entry(t, written, origin));
    }
    let feed = Feed {
        id: format!("urn:roda:{}", about.id),
        title: about.title,
        page: format!("{origin}{}", about.path),
        own: format!("{origin}{here}"),
        updated: show::machine_time(&updated_ms),
        version: env!("CARGO_PKG_VERSION"),
        entries,
    };
    Ok((feed, updated_ms))
}

fn updated(written: &Writing) -> u64 {
    written.edited.unwrap_or(written.created_ms)
}

fn entry(t: &'static Texts, written: Writing, origin: &str) -> Entry {
    let title = Some(show::line(&written.title)).filter(|title| !title.trim().is_empty());
    let title = title.unwrap_or_else(|| if written.retracted { t.retracted } else { t.no_title }.to_owned());
    let html = match &written.hidden {
        _ if written.retracted => html_of(t.retracted),
        Some(hidden) if hidden.why == "dropped" => html_of(t.dropped),
        Some(_) => html_of(t.unreadable),
        None => markdown::html(&written.text),
    };
    let short = show::short_id(&written.id);
    Entry {
        title: if written.kind == "comment" { t.feed_comment.replace("%s", &title) } else { title },
        page: format!("{origin}/t/{}#e-{short}", written.id),
        author: named(&written.author, written.name.as_deref()),
        author_page: format!("{origin}/author/{}", written.author),
        published: show::machine_time(&written.created_ms),
        updated: show::machine_time(&updated(&written)),
        link: written.link.map(|link| show::line(&link)).filter(|link| markdown::is_link(link)),
        tags: written.tags.iter().map(|tag| show::line(tag)).collect(),
        html,
        id: format!("urn:roda:event:{}", written.id),
    }
}

/// A text of our own as HTML.
fn html_of(text: &str) -> String {
    format!("<p><i>{text}</i></p>")
}

/// A name is never alone: everybody can take any.
fn named(key: &str, name: Option<&str>) -> String {
    let show::Author { short, name, .. } = show::Author::new(key, name, false, false);
    if name.trim().is_empty() { short } else { format!("{name} {short}") }
}

/// The text without the characters that XML 1.0 has no way to write (section 2.2).
fn allowed(text: &str) -> String {
    let is_allowed = |letter: &char| matches!(*letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(is_allowed).collect()
}

/// A time as HTTP writes it.
fn http_date(unix_ms: u64) -> String {
    let time = jiff::Timestamp::from_second(i64::try_from(unix_ms / 1000).unwrap_or(0)).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_left_that_xml_has_not() {
        assert_eq!(
            allowed("a\u{0}\u{8}\tb\u{b}\u{1f}\r\n\u{fffe}c\u{ffff}\u{1f980}\u{7f}"),
            "a\tb\r\nc\u{1f980}\u{7f}"
        );
    }

    #[test]
    fn times_are_said_as_http_writes_them() {
        assert_eq!(http_date(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
