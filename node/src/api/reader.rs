//! Calls about the reader's own rules: what is watched, followed, muted and given points. Local: no other node hears of them.

use super::Shared;
use super::dto::{Hidden, Rule, SetRule};
use super::error::{ApiError, done};
use super::feed::{Lens, root_node};
use super::read::{blocking, root_of};
use crate::engine::Local;
use crate::runtime::Context;
use crate::store::LocalRecord;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use roda_protocol::id::EventId;
use roda_protocol::thread::Shown;
use roda_protocol::view::policy::{self, Effect, HiddenBy, RULES_MAX, RuleError, Subject, TEXT_RULES_MAX};

pub(super) async fn rules(State(context): State<Shared>) -> Result<Json<Vec<Rule>>, ApiError> {
    blocking(context, |context| read_rules(context).map(Json)).await
}

/// All rules of the reader.
pub(crate) fn read_rules(context: &Context) -> Result<Vec<Rule>, ApiError> {
    let rules = context.store.rules()?.into_iter();
    rules.map(|(subject, effect)| said(context, &subject, Some(effect))).collect()
}

pub(super) async fn set(
    State(context): State<Shared>,
    body: Result<Json<SetRule>, JsonRejection>,
) -> Result<Json<Rule>, ApiError> {
    Ok(Json(set_rule(&context, body?.0).await?))
}

/// Makes, changes or removes a rule.
pub(crate) async fn set_rule(context: &Shared, ask: SetRule) -> Result<Rule, ApiError> {
    let effect = effect_of(&ask.effect, ask.points)?;
    let subject = blocking(context.clone(), move |context| {
        let subject = subject_of(context, &ask.what)?;
        check(&context.store.rules()?, &subject, effect)?;
        Ok(subject)
    })
    .await?;
    note(context, vec![LocalRecord::Rule { subject: subject.clone(), effect }]).await?;
    blocking(context.clone(), move |context| said(context, &subject, effect)).await
}

/// Stores what belongs to the reader.
pub(super) async fn note(context: &Context, records: Vec<LocalRecord>) -> Result<(), ApiError> {
    done(context.handle.ask(Local::Note { records }).await?)
}

/// Whether the rule makes sense, and there is room for it.
pub(super) fn check(rules: &[(Subject, Effect)], subject: &Subject, effect: Option<Effect>) -> Result<(), RuleError> {
    let Some(effect) = effect else { return Ok(()) };
    policy::check(subject, effect)?;
    let is_text = |subject: &Subject| matches!(subject, Subject::Text(_));
    let others = rules.iter().filter(|(other, _)| other != subject);
    let (all, texts) = others.fold((0, 0), |(all, texts), (other, _)| (all + 1, texts + usize::from(is_text(other))));
    if all >= RULES_MAX || (is_text(subject) && texts >= TEXT_RULES_MAX) {
        return Err(RuleError::TooMany);
    }
    Ok(())
}

impl From<RuleError> for ApiError {
    fn from(error: RuleError) -> Self {
        Self::invalid(error.to_string(), "see `roda mute --help` and `roda score add --help`")
    }
}

/// What a rule is about, from what a person types.
pub(super) fn subject_of(context: &Context, what: &str) -> Result<Subject, ApiError> {
    if let Some(words) = what.strip_prefix("word:") {
        return Ok(Subject::Text(policy::folded(words)));
    }
    if let Some(age) = what.strip_prefix("older:") {
        let days = age.strip_suffix('d').unwrap_or(age).parse();
        return days
            .map(Subject::Older)
            .map_err(|_| ApiError::invalid(format!("{age:?} is no number of days"), "write it like this: older:30d"));
    }
    if what.starts_with('@') {
        return Ok(Subject::Author(context.find_author(what)?));
    }
    let id = context.find_event(what)?;
    Ok(Subject::Thread(root_of(context, id)?))
}

/// What a rule does, from its word; nothing, if it is to go.
pub(super) fn effect_of(word: &str, points: Option<i32>) -> Result<Option<Effect>, ApiError> {
    Ok(Some(match (word, points) {
        ("none", _) => return Ok(None),
        ("watch", _) => Effect::Watch,
        ("follow", _) => Effect::Follow,
        ("mute", _) => Effect::Mute,
        ("points", Some(points)) => Effect::Points(points),
        ("points", None) => return Err(ApiError::invalid("a rule with points says how many", "such as -5")),
        (other, _) => {
            let message = format!("no rule has the effect {other:?}");
            return Err(ApiError::invalid(message, "choose watch, follow, mute, points or none"));
        }
    }))
}

/// A subject as a person types it.
pub(super) fn selector(subject: &Subject) -> String {
    match subject {
        Subject::Thread(root) => root.to_string(),
        Subject::Author(author) => author.to_string(),
        Subject::Text(words) => format!("word:{words}"),
        Subject::Older(days) => format!("older:{days}d"),
    }
}

/// The word and points of an effect.
pub(super) fn effect_words(effect: Option<Effect>) -> (&'static str, Option<i32>) {
    match effect {
        None => ("none", None),
        Some(Effect::Watch) => ("watch", None),
        Some(Effect::Follow) => ("follow", None),
        Some(Effect::Mute) => ("mute", None),
        Some(Effect::Points(points)) => ("points", Some(points)),
    }
}

/// A rule for a reader.
pub(super) fn said(context: &Context, subject: &Subject, effect: Option<Effect>) -> Result<Rule, ApiError> {
    let name = match subject {
        Subject::Author(author) => context.store.author_name(author)?,
        Subject::Thread(root) => title_of(context, root)?,
        Subject::Text(_) | Subject::Older(_) => None,
    };
    let (word, points) = effect_words(effect);
    Ok(Rule { what: selector(subject), effect: word.to_owned(), points, name })
}

/// The title of a thread, if its post is here and has one.
pub(super) fn title_of(context: &Context, root: &EventId) -> Result<Option<String>, ApiError> {
    let Some(row) = context.store.row(root)? else { return Ok(None) };
    let node = root_node(context, &row)?;
    Ok(node.and_then(|node| match node.shown {
        Shown::Content(content) => Some(content.title).filter(|title| !title.is_empty()),
        _ => None,
    }))
}

/// The same as far as the reader's rules show it; empty if they hide the post.
pub(super) fn shown_title(context: &Context, lens: &Lens, root: &EventId) -> Result<String, ApiError> {
    let row = context.store.row(root)?;
    let post = row.map(|row| root_node(context, &row)).transpose()?.flatten();
    let post = post.filter(|post| (lens.shows_hidden || lens.thread_hidden(root).is_none()) && !lens.hidden(post).1);
    Ok(match post.map(|post| post.shown) {
        Some(Shown::Content(content)) => content.title,
        _ => String::new(),
    })
}

/// By what the reader's rules hide something, for a reader.
pub(super) fn hidden_by(by: &HiddenBy) -> Hidden {
    let (why, rule) = match by {
        HiddenBy::Rule(subject) => {
            let why = match subject {
                Subject::Thread(_) => "thread",
                Subject::Author(_) => "author",
                Subject::Text(_) => "text",
                Subject::Older(_) => "points",
            };
            (why, selector(subject))
        }
        HiddenBy::Points(points) => ("points", points.to_string()),
    };
    Hidden { by: "you".to_owned(), why: why.to_owned(), rule: Some(rule) }
}
