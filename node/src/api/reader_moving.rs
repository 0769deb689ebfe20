//! The whole of a reader's state as lines, to be kept or moved: follows and what was said about boards, rules, how the page
//! looks, and marks of what was read.
//!
//! A mark is a place in this node's order of arrival, so it is written as the last event that was read: where that event
//! is held, everything that arrived before it counts as read. Where it is not, the mark waits for it (`waiting.rs`).

use super::Shared;
use super::boards::follow_space;
use super::dto::{PagePreferences, ReaderImported, ReaderLine};
use super::error::ApiError;
use super::read::blocking;
use super::reader::{check, effect_of, effect_words, note, selector, subject_of};
use super::waiting::{self, Read};
use super::{directory, keeping, page};
use crate::runtime::Context;
use crate::store::{Keep, Listing, LocalRecord};
use crate::web::{Choice, Preferences};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::view::policy::{Effect, Subject};

/// The format of the lines. 1 had no line that says so, and neither [`ReaderLine::Keep`], [`ReaderLine::Listing`] nor
/// [`ReaderLine::Page`]; it is still read.
const FORMAT: u32 = 2;

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
    let mut lines = vec![ReaderLine::Format { version: FORMAT }];
    let spaces = context.store.spaces()?;
    for (space, row) in &spaces {
        if row.followed {
            lines.push(ReaderLine::Follow { board: space.to_string(), open_name: row.open_name.clone() });
        }
    }
    for (space, _) in &spaces {
        let keep = context.store.keep(*space)?;
        if keep != Keep::Forever {
            lines.push(ReaderLine::Keep { board: space.to_string(), keep: keeping::word(keep) });
        }
        // What was only found so is found anew, or not, where the lines are taken in.
        if let Some(listing @ (Listing::On | Listing::Off)) = context.store.listing(*space)? {
            let listing = directory::word(Some(listing)).to_owned();
            lines.push(ReaderLine::Listing { board: space.to_string(), listing });
        }
    }
    let choice = Preferences::of(&context.home).choice();
    if choice != Choice::default() {
        let PagePreferences { language, theme, keys } = page::words_of(choice);
        lines.push(ReaderLine::Page { language, theme, keys });
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
    lines.extend(context.waiting.lines());
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

/// Takes lines of an export in. Rules replace those about the same things; marks only move forward, and wait for events that
/// are not here.
pub(crate) async fn take_state(context: &Shared, body: &[u8]) -> Result<ReaderImported, ApiError> {
    let mut report = ReaderImported::default();
    let mut lines = Vec::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice::<ReaderLine>(line) {
            Ok(ReaderLine::Format { version }) if version > FORMAT => {
                let message = format!("the lines have format {version}, and this node knows those up to {FORMAT}");
                return Err(ApiError::invalid(
                    message,
                    "take them in with the version of roda that wrote them, or a later",
                ));
            }
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
    for (space, is_on) in planned.listings {
        directory::list_space(context, space, is_on).await?;
        report.imported += 1;
    }
    for step in planned.records.chunks(STEP_RECORDS) {
        note(context, step.to_vec()).await?;
        report.imported += step.len() as u64;
    }
    if planned.keeps {
        context.upkeep.ring();
    }
    blocking(context.clone(), move |context| {
        if let Some(choice) = planned.choice {
            Preferences::of(&context.home).choose(choice).map_err(|error| page::unwritten(&error))?;
            report.imported += 1;
        }
        let left_out = context.waiting.keep(&planned.waiting).map_err(|error| waiting::unwritten(&error))?;
        report.waiting += (planned.waiting.len() - left_out) as u64;
        report.skipped += left_out as u64;
        Ok(report)
    })
    .await
}

#[derive(Default)]
struct Planned {
    follows: Vec<(SpaceId, Option<String>)>,
    listings: Vec<(SpaceId, bool)>,
    records: Vec<LocalRecord>,
    /// Whether some of the records say how long words are kept.
    keeps: bool,
    choice: Option<Choice>,
    /// Marks of events that are not here.
    waiting: Vec<(Read, EventId)>,
}

impl Planned {
    /// Plans that something was read up to an event; returns whether that says more than what is here.
    fn read(&mut self, context: &Context, read: Read, last: EventId) -> Result<bool, ApiError> {
        let Some(row) = context.store.row(&last)? else {
            self.waiting.push((read, last));
            return Ok(true);
        };
        let record = read.record(&context.store, row.position)?;
        let says_more = record.is_some();
        self.records.extend(record);
        Ok(says_more)
    }
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
            ReaderLine::Format { .. } => {}
            ReaderLine::Keep { board, keep } => match (board.parse(), keeping::parsed(&keep)) {
                (Ok(space), Some(keep)) => {
                    planned.records.push(LocalRecord::Keep { space, keep });
                    planned.keeps = true;
                }
                _ => reject(report, "a line does not say how long the words of which board are kept".to_owned()),
            },
            ReaderLine::Listing { board, listing } => match (board.parse(), listing.as_str()) {
                (Ok(space), "on" | "off") => planned.listings.push((space, listing == "on")),
                _ => reject(report, "a line does not say which board others are told of".to_owned()),
            },
            ReaderLine::Page { language, theme, keys } => {
                match page::choice_of(&PagePreferences { language, theme, keys }) {
                    Ok(choice) => planned.choice = Some(choice),
                    Err(error) => reject(report, error.message),
                }
            }
            ReaderLine::Read { thread, last } => match (thread.parse(), last.parse()) {
                (Ok(root), Ok(last)) => {
                    let says_more = planned.read(context, Read::Thread(root), last)?;
                    report.skipped += u64::from(!says_more);
                }
                _ => reject(report, "a line does not say which thread was read up to which event".to_owned()),
            },
            ReaderLine::Inbox { last } => match last.parse() {
                Ok(last) => {
                    let says_more = planned.read(context, Read::Inbox, last)?;
                    report.skipped += u64::from(!says_more);
                }
                Err(_) => reject(report, "a line does not say up to which event the inbox was read".to_owned()),
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

fn reject(report: &mut ReaderImported, reason: String) {
    report.rejected += 1;
    if report.reasons.len() < REASONS_MAX {
        report.reasons.push(reason);
    }
}
