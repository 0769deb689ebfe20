//! The reader's own rules: whom and what to follow, watch, mute, and give points. No other node hears of them.

use crate::api::dto::{Rule, SetRule};
use crate::api::reader::{read_rules, set_rule};
use crate::web::frame::{Frame, way_back};
use crate::web::{Shared, show};
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

/// A rule in the list.
struct Line {
    what: String,
    name: String,
    effect: String,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    frame: Frame,
    rules: Vec<Line>,
}

/// `GET /rules`.
pub(super) async fn list(State(web): State<Shared>, frame: Frame) -> Response {
    match web.reading(read_rules).await {
        Ok(rules) => {
            let rules = rules.into_iter().map(|rule| line(&frame, rule)).collect();
            Frame::page(&RulesPage { frame, rules })
        }
        Err(error) => frame.failed(error),
    }
}

fn line(frame: &Frame, rule: Rule) -> Line {
    let t = frame.t;
    let effect = match rule.effect.as_str() {
        "watch" => t.rule_watch.to_owned(),
        "follow" => t.rule_follow.to_owned(),
        "mute" => t.rule_mute.to_owned(),
        _ => t.points(&rule.points.map(i64::from).unwrap_or_default()),
    };
    Line { what: rule.what, name: rule.name.as_deref().map(show::line).unwrap_or_default(), effect }
}

/// A rule to make, or to remove.
#[derive(Debug, Deserialize)]
pub(super) struct Set {
    what: String,
    effect: String,
    #[serde(default)]
    points: String,
    #[serde(default)]
    back: String,
}

/// Makes or removes a rule.
pub(super) async fn set(State(web): State<Shared>, frame: Frame, Form(set): Form<Set>) -> Response {
    let points = set.points.trim().parse().ok();
    let ask = SetRule { what: set.what.trim().to_owned(), effect: set.effect, points };
    match set_rule(&web.context, ask).await {
        Ok(_) => Redirect::to(way_back(if set.back.is_empty() { "/rules" } else { &set.back })).into_response(),
        Err(error) => frame.failed(error),
    }
}
