//! The pages, by noun, and what their forms do.

mod board;
mod boards;
mod compose;
mod deeds;
mod directory;
mod feed;
mod inbox;
mod languages;
mod node;
mod person;
mod power;
mod reasons;
mod rules;
mod search;
mod thread;

use super::{Shared, Web};
use crate::api::dto::Hidden;
use crate::api::error::ApiError;
use crate::api::read::blocking;
use crate::runtime::Context;
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// Every page, and every form's target (below `/do/`).
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(feed::home))
        .route("/b/{board}", get(feed::of_board))
        .route("/b/{board}/log", get(board::log))
        .route("/boards", get(boards::list))
        .route("/directory", get(directory::list))
        .route("/t/{id}", get(thread::read))
        .route("/t/{id}/news", get(thread::news))
        .route("/history/{id}", get(thread::history))
        .route("/post", get(compose::new_post).post(compose::submit_post))
        .route("/reply/{id}", get(compose::new_reply).post(compose::submit_reply))
        .route("/edit/{id}", get(compose::edit).post(compose::submit_edit))
        .route("/retract/{id}", get(compose::retract))
        .route("/author/{key}", get(person::author))
        .route("/settings", get(person::settings).post(person::choose))
        .route("/help", get(person::help))
        .route("/node", get(node::show))
        .route("/inbox", get(inbox::list))
        .route("/search", get(search::search))
        .route("/why/{id}", get(reasons::why))
        .route("/power", get(power::power))
        .route("/rules", get(rules::list))
        .route("/do/vote/{id}", post(deeds::vote))
        .route("/do/retract/{id}", post(deeds::retract))
        .route("/do/follow/{board}", post(deeds::follow))
        .route("/do/unfollow/{board}", post(deeds::unfollow))
        .route("/do/follow", post(deeds::follow_named))
        .route("/do/open", post(deeds::open))
        .route("/do/found", post(deeds::found))
        .route("/do/join", post(deeds::join))
        .route("/do/invite/{board}", post(boards::invite))
        .route("/do/list/{board}", post(directory::choose))
        .route("/do/rule", post(rules::set))
        .route("/do/inbox/clear", post(inbox::clear))
        .route("/do/catch-up", post(inbox::catch_up))
        .route("/do/next", post(inbox::next))
        .route("/do/feeds/renew", post(person::renew_feeds))
        .route("/do/name", post(deeds::name))
        .route("/do/sync", post(deeds::sync))
        .route("/do/connect", post(deeds::connect))
        .route("/do/log-out", post(super::login::log_out))
        .fallback(person::not_found)
}

impl Web {
    /// Reads where it may block.
    async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Context) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        blocking(Arc::clone(&self.context), work).await
    }
}

/// Whether one's own rule hides it, and no other reason: then its words are here.
fn is_by_reader(hidden: &Hidden) -> bool {
    hidden.by == "you"
}
