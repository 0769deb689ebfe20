//! The whole of a reader's state as lines, to be kept or moved: follows, rules, and marks of what was read.
//!
//! A mark is a place in this node's order of arrival, so it is written as the last event that was read: where that event
//! is held, everything that arrived before it counts as read.

use super::Shared;
use super::boards::follow_space;
use super::dto::{ReaderImported, ReaderLine};
use super::error::ApiError;
use super::read::blocking;
use super::reader::{check, effect_of, effect_words, note, selector, subject_of};
use crate::runtime::Context;
use crate::store::LocalRecord;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::view::policy::{Effect, Subject};

/// Reasons for refusals that an import reports.
const REASONS_MAX: usize = 5;

/// Records of one question to the engine.
const STEP_RECORDS: usize = 512;

/// Posts of a board that one step reads.
const STEP_POSTS: usize = 1000;

pub(super) async fn export(State(context): State<Shared>) -> Result<Response, ApiError> {
    let lines = blocking(context, |context| {
        let mut text = Vec::new();
        for line in read_state(context)? {
            serde_json::to_writer(&mut text, &line)
                .map_err(|error| ApiError::new("internal", error.to_string(), "please report this as a bug"))?;
            text.push(b'\n');
        }
        Ok(text)
    })
    .await?;
    Ok(([("content-type", "application/x-ndjson")], lines).into_response())
}

/// The whole state of the reader.
pub(crate) fn read_state(context: &Context) -> Result<Vec<ReaderLine>, ApiError> {
    let mut lines = Vec::new();
    let spaces = context.store.spaces()?;
    for (space, row) in &spaces {
        if row.followed {
            lines.push(ReaderLine::Follow { board: space.to_string(), open_name: row.open_name.clone() });
        }
    }
    for (subject, effect) in context.store.rules()? {
        let (word, points) = effect_words(Some(effect));
        lines.push(ReaderLine::Rule { what: selector(&subject), effect: word.to_owned(), points });
    }
    for (space, _) in &spaces {
        let mut before = None;
        loop {
            let posts = context.store.posts(*space, before, STEP_POSTS)?;
            for (_, row) in &posts {
                if let Some(last) = context.store.last_read(&row.id)? {
                    lines.push(ReaderLine::Read { thread: row.id.to_string(), last: last.to_string() });
                }
            }
            match posts.last() {
                Some((place, _)) => before = Some(*place),
                None => break,
            }
        }
    }
    let mark = context.store.inbox_mark()?;
    if let Some(last) = context.store.inbox(Some(mark.saturating_add(1)), 1)?.first() {
        lines.push(ReaderLine::Inbox { last: last.row.id.to_string() });
    }
    Ok(lines)
}

pub(super) async fn import(
    State(context): State<Shared>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ReaderImported>, ApiError> {
    let body =
        body.map_err(|rejection| ApiError::new("too_large", rejection.body_text(), "send fewer lines at once"))?;
    Ok(Json(take_state(&context, &body).await?))
}

/// Takes lines of an export in. Rules replace those about the same things; marks only move forward.
pub(crate) async fn take_state(context: &Shared, body: &[u8]) -> Result<ReaderImported, ApiError> {
    let mut report = ReaderImported::default();
    let mut lines = Vec::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice::<ReaderLine>(line) {
            Ok(line) => lines.push(line),
            Err(error) => reject(&mut report, format!("a line is none of a reader's state: {error}")),
        }
    }
    let (planned, mut report) = blocking(context.clone(), move |context| {
        let planned = plan(context, lines, &mut report)?;
        Ok((planned, report))
    })
    .await?;
    for (space, open_name) in planned.follows {
        follow_space(context, space, open_name).await?;
        report.imported += 1;
    }
    for step in planned.records.chunks(STEP_RECORDS) {
        note(context, step.to_vec()).await?;
        report.imported += step.len() as u64;
    }
    Ok(report)
}

#[derive(Default)]
struct Planned {
    follows: Vec<(SpaceId, Option<String>)>,
    records: Vec<LocalRecord>,
}

fn plan(context: &Context, lines: Vec<ReaderLine>, report: &mut ReaderImported) -> Result<Planned, ApiError> {
    let mut planned = Planned::default();
    let mut rules: Vec<(Subject, Effect)> = context.store.rules()?;
    for line in lines {
        match line {
            ReaderLine::Follow { board, open_name } => match board.parse() {
                Ok(space) if open_name.as_deref().is_none_or(|name| SpaceId::of_open_board(name) == space) => {
                    planned.follows.push((space, open_name));
                }
                _ => reject(report, "a line names no board".to_owned()),
            },
            ReaderLine::Rule { what, effect, points } => match rule(context, &rules, &what, &effect, points) {
                Ok((subject, effect)) => {
                    rules.retain(|(other, _)| *other != subject);
                    rules.push((subject.clone(), effect));
                    planned.records.push(LocalRecord::Rule { subject, effect: Some(effect) });
                }
                Err(error) => reject(report, error.message),
            },
            ReaderLine::Read { thread, last } => match (thread.parse::<EventId>(), position(context, &last)?) {
                (Ok(root), Some(position)) if position > context.store.read_mark(&root)? => {
                    planned.records.push(LocalRecord::Read { root, position });
                }
                (Ok(_), _) => report.skipped += 1,
                (Err(_), _) => reject(report, "a line names no thread".to_owned()),
            },
            ReaderLine::Inbox { last } => match position(context, &last)? {
                Some(position) if position > context.store.inbox_mark()? => {
                    planned.records.push(LocalRecord::ReadInbox { position });
                }
                _ => report.skipped += 1,
            },
        }
    }
    Ok(planned)
}

fn rule(
    context: &Context,
    rules: &[(Subject, Effect)],
    what: &str,
    effect: &str,
    points: Option<i32>,
) -> Result<(Subject, Effect), ApiError> {
    // A thread that is not here yet is named by its whole id.
    let subject = match what.parse::<EventId>() {
        Ok(root) => Subject::Thread(root),
        Err(_) => subject_of(context, what)?,
    };
    let effect = effect_of(effect, points)?.ok_or_else(|| ApiError::invalid("a rule does something", ""))?;
    check(rules, &subject, Some(effect))?;
    Ok((subject, effect))
}

/// Where an event stands in the order of arrival, if it is here.
fn position(context: &Context, id: &str) -> Result<Option<u64>, ApiError> {
    let Ok(id) = id.parse::<EventId>() else { return Ok(None) };
    Ok(context.store.row(&id)?.map(|row| row.position))
}

fn reject(report: &mut ReaderImported, reason: String) {
    report.rejected += 1;
    if report.reasons.len() < REASONS_MAX {
        report.reasons.push(reason);
    }
}
