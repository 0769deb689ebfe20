//! Calls that move or check everything: export, import, fsck.

use super::Shared;
use super::dto::{ExportLine, FsckAsk, FsckReport, ImportReport};
use super::error::ApiError;
use super::node::unexpected;
use super::read::{blocking, blocking_whole, readable};
use crate::engine::{Answer, Ignored, Local, Verdict};
use crate::runtime::{Context, replace_index};
use crate::store::Presence;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use futures::stream;
use roda_protocol::event::tag;
use roda_protocol::id::{EventId, SpaceId};
use serde::Deserialize;
use std::io;
use utoipa::IntoParams;

/// Events of one step of an export.
const EXPORT_STEP: usize = 128;

/// Reasons for refusals that an import reports.
const REASONS_MAX: usize = 5;

/// The query of an export.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportAsk {
    /// One board, or all that is held.
    board: Option<String>,
}

/// Every held event, or a board's, as lines; charters first, then by arrival, so that an import can judge each line.
pub(super) async fn export(
    State(context): State<Shared>,
    query: Result<Query<ExportAsk>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(ask) = query?;
    let ids = blocking_whole(context.clone(), move |context| {
        let space = ask.board.map(|text| context.find_board(&text)).transpose()?.map(|board| board.space);
        listed(context, space)
    })
    .await?;
    let lines = stream::unfold((context, ids, 0_usize), |(context, ids, at)| async move {
        let step: Vec<EventId> = ids.get(at..)?.iter().take(EXPORT_STEP).copied().collect();
        if step.is_empty() {
            return None;
        }
        let next = at + step.len();
        let read = blocking_whole(context.clone(), move |context| lines(context, &step)).await;
        let read = read.map(Bytes::from).map_err(|error| io::Error::other(error.message));
        Some((read, (context, ids, next)))
    });
    Ok(([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

fn listed(context: &Context, space: Option<SpaceId>) -> Result<Vec<EventId>, ApiError> {
    let number = space.map(|space| context.store.number_of_space(space)).transpose()?;
    let mut rows = Vec::new();
    context.store.each_row(|row| {
        let is_held = matches!(row.presence, Presence::Held | Presence::BodyDropped);
        if is_held && number.is_none_or(|number| Some(row.space) == number) {
            rows.push((row.tag != tag::CHARTER, row.position, row.id));
        }
        Ok(())
    })?;
    rows.sort_unstable();
    Ok(rows.into_iter().map(|(_, _, id)| id).collect())
}

fn lines(context: &Context, ids: &[EventId]) -> Result<Vec<u8>, ApiError> {
    let mut out = Vec::new();
    for id in ids {
        let Some(stored) = context.store.event(id)? else { continue };
        let event = &stored.event;
        let line = ExportLine {
            id: id.to_string(),
            board: event.space().to_string(),
            kind: event.kind().word().to_owned(),
            author: event.header().author.to_string(),
            created_ms: event.header().created_ms,
            text: readable(event),
            bytes: BASE64.encode(event.bytes()),
        };
        serde_json::to_writer(&mut out, &line).map_err(|error| ApiError::new("internal", error.to_string(), ""))?;
        out.push(b'\n');
    }
    Ok(out)
}

/// Takes lines of an export in. Every event is verified as if a stranger had sent it.
pub(super) async fn import(
    State(context): State<Shared>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ImportReport>, ApiError> {
    let body =
        body.map_err(|rejection| ApiError::new("too_large", rejection.body_text(), "send fewer lines at once"))?;
    let (events, mut report) = blocking(context.clone(), move |_| Ok(events_in(&body))).await?;
    let Answer::Imported(verdicts) = context.handle.ask(Local::Import { events }).await? else {
        return Err(unexpected());
    };
    for verdict in verdicts {
        match verdict {
            Verdict::Admitted(_) => report.imported += 1,
            Verdict::Duplicate(_) => report.duplicate += 1,
            Verdict::Invalid(invalid) => reject(&mut report, invalid.to_string()),
            Verdict::Ignored(id, Ignored::NotFollowed) => {
                reject(&mut report, format!("event {id} is of a board that is not followed here: follow it first"));
            }
            Verdict::Ignored(id, _) => {
                reject(&mut report, format!("the charter of the board of event {id} is not here"));
            }
            Verdict::Deferred(id) => reject(&mut report, format!("event {id} is dated in the future")),
            Verdict::Declined(id, why) => reject(&mut report, format!("event {id} was declined: {}", why.word())),
            Verdict::Failed => return Err(super::error::refused(verdict)),
        }
    }
    Ok(Json(report))
}

/// The events of exported lines, and which lines are none.
fn events_in(body: &[u8]) -> (Vec<Vec<u8>>, ImportReport) {
    let (mut events, mut report) = (Vec::new(), ImportReport::default());
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let bytes = serde_json::from_slice::<ExportLine>(line)
            .map_err(|error| error.to_string())
            .and_then(|line| BASE64.decode(line.bytes.as_bytes()).map_err(|error| error.to_string()));
        match bytes {
            Ok(bytes) => events.push(bytes),
            Err(reason) => reject(&mut report, format!("a line is no exported event: {reason}")),
        }
    }
    (events, report)
}

fn reject(report: &mut ImportReport, reason: String) {
    report.rejected += 1;
    if report.reasons.len() < REASONS_MAX {
        report.reasons.push(reason);
    }
}

/// Checks the log against the index, and on demand derives the index anew.
pub(super) async fn fsck(
    State(context): State<Shared>,
    body: Result<Json<FsckAsk>, JsonRejection>,
) -> Result<Json<FsckReport>, ApiError> {
    let Json(FsckAsk { repair }) = body?;
    if repair {
        let empty = blocking(context.clone(), |context| Ok(replace_index(&context.home)?)).await?;
        match context.handle.ask(Local::Rebuild { empty }).await? {
            Answer::Done => {}
            Answer::Storage(reason) => {
                return Err(ApiError::new("storage", reason, "restart the node, which tries again"));
            }
            _ => return Err(unexpected()),
        }
    }
    let found = blocking_whole(context.clone(), |context| Ok(context.store.fsck()?)).await?;
    context.handle.ask(Local::FetchLost).await?;
    if repair {
        // What can be done is done, and it is in this report: the next one starts afresh.
        let damaged = found.damaged.iter().map(|damage| (damage.start.0, damage.bytes)).collect();
        context.handle.ask(Local::Repaired { damaged }).await?;
    }
    Ok(Json(FsckReport { events: found.events, problems: found.problems, repaired: repair }))
}
