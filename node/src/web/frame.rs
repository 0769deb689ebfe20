//! What every page has around it: language, colours, the person, the way to other pages; and what becomes of errors.

use super::Shared;
use super::assets;
use super::guard::Caller;
use super::preferences::Choice;
use super::show;
use super::texts::{ENGLISH, Language, Texts};
use crate::api::dto::InboxUnread;
use crate::api::error::ApiError;
use crate::api::inbox::unread_count;
use crate::api::read::blocking;
use crate::runtime::wall_ms;
use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;

/// The frame of a page.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) t: &'static Texts,
    pub(crate) choice: Choice,
    pub(crate) theme: &'static str,
    /// The token of this session's forms.
    pub(crate) form: String,
    /// Who writes here.
    pub(crate) me: show::Author,
    pub(crate) version: &'static str,
    pub(crate) now_ms: u64,
    /// Path and query of this page: where a form comes back to.
    pub(crate) here: String,
    /// What of the inbox was not seen.
    pub(crate) inbox_unread: InboxUnread,
    /// What to say while the index is made anew and pages show a part.
    pub(crate) partial: Option<String>,
    /// The secret in the addresses of feeds.
    pub(crate) feed_key: String,
}

impl Frame {
    /// How long ago a time was.
    pub(crate) fn ago(&self, created_ms: &u64) -> String {
        self.t.ago(*created_ms, self.now_ms)
    }

    /// An answer with a page in it.
    pub(crate) fn page(template: &impl Template) -> Response {
        match template.render() {
            Ok(text) => Html(text).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page could not be made");
                (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be made: please report it as a bug.\n")
                    .into_response()
            }
        }
    }

    /// The page for an error.
    pub(crate) fn failed(&self, error: ApiError) -> Response {
        let page = ErrorPage { frame: self.clone(), told: self.told(&error) };
        (error.status, Self::page(&page)).into_response()
    }

    /// An error in the reader's language, as far as the catalogue has words for it.
    pub(crate) fn told(&self, error: &ApiError) -> Told {
        let explanations = self.t.explanations();
        match error.sentence {
            Some(sentence) => Told { ours: sentence(explanations), message: String::new(), hint: String::new() },
            None => {
                // In English the message says it all by itself.
                let is_english = std::ptr::eq(explanations, ENGLISH);
                let ours = explanations.error(error.code).filter(|_| !is_english).unwrap_or_default();
                Told { ours, message: show::line(&error.message), hint: show::line(&error.hint) }
            }
        }
    }
}

/// What did not work, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// In the reader's language; may be empty.
    pub(crate) ours: &'static str,
    /// In English; empty if the other says it all.
    pub(crate) message: String,
    /// What to do next, in English; may be empty.
    pub(crate) hint: String,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    told: Told,
}

impl FromRequestParts<Shared> for Frame {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Shared) -> Result<Self, Response> {
        let form = parts.extensions.get::<Caller>().map(Caller::form_token).unwrap_or_default();
        let choice = web.preferences.choice();
        let language = choice.language.unwrap_or_else(|| Language::of_browser(&parts.headers));
        // What can't be read now is not worth an error page.
        let said = blocking(Arc::clone(&web.context), |context| {
            let key = context.me();
            let name = context.store.author_name(&key)?;
            let unread = unread_count(context)?;
            Ok((show::Author::new(&key.to_string(), name.as_deref(), false, true), unread))
        });
        let nameless =
            |_| (show::Author::new(&web.context.me().to_string(), None, false, true), InboxUnread::default());
        let (me, inbox_unread) = said.await.unwrap_or_else(nameless);
        let t = language.texts();
        let partial = web.context.store.remade_percent();
        Ok(Self {
            t,
            choice,
            theme: choice.theme.word(),
            form,
            me,
            version: assets::VERSION.as_str(),
            now_ms: wall_ms(),
            here: here(&parts.uri),
            inbox_unread,
            partial: partial.map(|percent| t.partial.replace("%n", &percent.to_string())),
            feed_key: web.access.feed_key(),
        })
    }
}

/// Path and query of an address.
pub(super) fn here(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// A path of this door to go back to: nothing that a browser takes for another host.
pub(crate) fn way_back(asked: &str) -> &str {
    // Browsers take `\` for `/`, and leave tabs out.
    let is_ours =
        asked.starts_with('/') && !asked.starts_with("//") && !asked.contains(|c: char| c == '\\' || c.is_control());
    if is_ours { asked } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_here() {
        assert_eq!(way_back("/t/abc?x=1#y"), "/t/abc?x=1#y");
        for other in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "evil",
            "",
            "/a\r\nSet-Cookie: x",
            "/\t/evil.example",
        ] {
            assert_eq!(way_back(other), "/", "{other:?}");
        }
    }
}
