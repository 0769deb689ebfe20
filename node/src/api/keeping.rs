//! How long the words of a board are kept: the call, and the words for it.

use super::Shared;
use super::dto::{KeepAsk, Keeping};
use super::error::{ApiError, done};
use super::read::blocking;
use crate::engine::Local;
use crate::store::Keep;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

/// Units of bytes, the largest first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

pub(super) async fn keep(
    State(context): State<Shared>,
    body: Result<Json<KeepAsk>, JsonRejection>,
) -> Result<Json<Keeping>, ApiError> {
    let Json(ask) = body?;
    let keep = parsed(&ask.keep).ok_or_else(|| {
        let message = format!("{:?} is no time and no size", ask.keep);
        ApiError::invalid(message, "say `forever`, days such as `30d`, or a size such as `2GiB`")
    })?;
    let board = blocking(context.clone(), move |context| context.find_board(&ask.board)).await?;
    done(context.handle.ask(Local::Keep { space: board.space, keep }).await?)?;
    context.upkeep.ring();
    Ok(Json(Keeping {
        board: board.space.to_string(),
        name: board.name,
        look_alike: board.look_alike,
        keep: word(keep),
    }))
}

/// What a person says.
pub(super) fn parsed(text: &str) -> Option<Keep> {
    if text == "forever" {
        return Some(Keep::Forever);
    }
    if let Some(days) = text.strip_suffix('d') {
        return days.parse().ok().map(Keep::Days);
    }
    let (digits, unit) = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)))?;
    digits.parse::<u64>().ok()?.checked_mul(unit).map(Keep::Bytes)
}

/// The same, said by the node.
pub(super) fn word(keep: Keep) -> String {
    match keep {
        Keep::Forever => "forever".to_owned(),
        Keep::Days(days) => format!("{days}d"),
        Keep::Bytes(bytes) => {
            let is_even = |(_, unit): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*unit);
            let (name, unit) = UNITS.iter().find(is_even).copied().unwrap_or(("B", 1));
            format!("{}{name}", bytes / unit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_said_back() {
        for text in ["forever", "30d", "0d", "2GiB", "1536MiB", "7KiB", "999B", "0B"] {
            assert_eq!(parsed(text).map(word).as_deref(), Some(text));
        }
        assert_eq!(parsed("1024MiB").map(word).as_deref(), Some("1GiB"));
        for text in ["", "d", "30", "-1d", "2GB", "1.5GiB", "99999999999GiB", "for ever"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
