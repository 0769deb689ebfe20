//! Search: a form with filters, and pages of what was found with the hits marked.

use super::languages::Languages;
use crate::api::dto::{SearchHit, SearchPage as Found};
use crate::api::error::ApiError;
use crate::api::search::{SearchAsk, read_search};
use crate::web::frame::{Frame, Told};
use crate::web::show::{self, Piece};
use crate::web::texts::{Texts, filled};
use crate::web::{Shared, show::Author};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

/// Hits of a page.
const HITS: usize = 20;

/// What the form says; the same as the API's query, but for what is not asked here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ask {
    words: String,
    board: String,
    author: String,
    since: String,
    until: String,
    sort: String,
    cursor: String,
}

impl Ask {
    fn is_filtered(&self) -> bool {
        [&self.board, &self.author, &self.since, &self.until].iter().any(|filter| !filter.is_empty())
            || self.sort == "new"
    }

    /// The address of the page that goes on at a cursor.
    fn address(&self, cursor: &str) -> String {
        let fields = [
            ("words", self.words.as_str()),
            ("board", &self.board),
            ("author", &self.author),
            ("since", &self.since),
            ("until", &self.until),
            ("sort", &self.sort),
            ("cursor", cursor),
        ];
        let said = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let said: Vec<String> = said.map(|(name, value)| format!("{name}={}", show::in_address(value))).collect();
        format!("/search?{}", said.join("&"))
    }
}

/// A board that can be chosen.
struct Choice {
    id: String,
    name: String,
    is_chosen: bool,
}

/// Something that was found.
struct Entry {
    id: String,
    short: String,
    title: Vec<Piece>,
    has_title: bool,
    language: String,
    kind: &'static str,
    board: String,
    board_name: String,
    author: Author,
    created_ms: u64,
    excerpt: Vec<Piece>,
    hidden: Option<String>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    ask: Ask,
    is_filtered: bool,
    boards: Vec<Choice>,
    problem: Option<Told>,
    /// Nothing was asked yet, or it could not be read.
    is_answered: bool,
    entries: Vec<Entry>,
    found: String,
    /// Why there may be more than was found.
    state: Option<Incomplete>,
    next: Option<String>,
}

/// `GET /search`.
pub(super) async fn search(State(web): State<Shared>, frame: Frame, Query(ask): Query<Ask>) -> Response {
    match page(&web, &frame, ask).await {
        Ok((status, page)) => (status, Frame::page(&page)).into_response(),
        Err(error) => frame.failed(error),
    }
}

async fn page(web: &Shared, frame: &Frame, ask: Ask) -> Result<(StatusCode, SearchPage), ApiError> {
    let known = web.reading(|context| context.boards()).await?;
    let languages = Languages::of(&known);
    let boards = known.iter().map(|board| {
        let id = board.space.to_string();
        Choice {
            name: show::board(&id, &board.name, board.look_alike),
            is_chosen: ask.board == id || ask.board == board.name,
            id,
        }
    });
    let mut page = SearchPage {
        is_filtered: ask.is_filtered(),
        boards: boards.collect(),
        problem: None,
        is_answered: false,
        entries: Vec::new(),
        found: String::new(),
        state: None,
        next: None,
        frame: frame.clone(),
        ask,
    };
    if page.ask.words.trim().is_empty() {
        return Ok((StatusCode::OK, page));
    }
    let asked = asked(&page.ask);
    let me = web.context.me().to_string();
    match web.reading(move |context| read_search(context, &asked)).await {
        Ok(found) => {
            let t = frame.t;
            page.is_answered = true;
            page.state = state(t, &found);
            page.found = t.found(&found.found);
            page.next = found.cursor.as_deref().map(|cursor| page.ask.address(cursor));
            page.entries = found.hits.into_iter().map(|hit| entry(t, &me, &languages, hit)).collect();
            Ok((StatusCode::OK, page))
        }
        // What was typed stays where it is, so that it can be mended.
        Err(error) => {
            page.problem = Some(frame.told(&error));
            Ok((error.status, page))
        }
    }
}

fn asked(ask: &Ask) -> SearchAsk {
    let said = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    SearchAsk {
        words: ask.words.clone(),
        board: said(&ask.board),
        author: said(&ask.author),
        since: said(&ask.since),
        until: said(&ask.until),
        sort: said(&ask.sort),
        hidden: false,
        limit: Some(HITS),
        cursor: said(&ask.cursor),
    }
}

/// Why there may be more than was found: in the reader's language, and what only the system can say, in English.
struct Incomplete {
    ours: String,
    english: String,
}

fn state(t: &Texts, found: &Found) -> Option<Incomplete> {
    match &found.problem {
        Some(problem) => Some(Incomplete { ours: t.search_problem.to_owned(), english: show::line(problem) }),
        None if found.complete => None,
        None => {
            let ours = filled(t.search_incomplete, found.indexed, &found.total.to_string());
            Some(Incomplete { ours, english: String::new() })
        }
    }
}

fn entry(t: &Texts, me: &str, languages: &Languages, hit: SearchHit) -> Entry {
    let title = show::pieces(&hit.title, &hit.title_marks);
    let is_empty = title.iter().all(|piece| piece.text.trim().is_empty());
    Entry {
        short: show::short_id(&hit.id),
        has_title: !is_empty,
        language: languages.of_board(&hit.board),
        title: if is_empty { vec![Piece { text: t.no_title.to_owned(), is_hit: false }] } else { title },
        kind: if hit.kind == "post" { t.search_post } else { t.search_comment },
        board_name: show::board(&hit.board, &hit.board_name, hit.board_look_alike),
        author: Author::new(&hit.author, hit.name.as_deref(), hit.look_alike, hit.author == me),
        created_ms: hit.created_ms,
        excerpt: show::pieces(&hit.excerpt, &hit.marks),
        hidden: hit.hidden.as_ref().map(|hidden| super::thread::hidden_words(t, hidden)),
        board: hit.board,
        id: hit.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_asks_for_the_same_and_no_character_of_it_means_something_else() {
        let ask = Ask { words: "a&b #c \"é\"".into(), sort: "new".into(), ..Ask::default() };
        assert_eq!(ask.address("1-2"), "/search?words=a%26b%20%23c%20%22%C3%A9%22&sort=new&cursor=1-2");
    }
}
