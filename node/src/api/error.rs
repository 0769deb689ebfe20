//! Errors of the API: a status, a stable code, what happened, what to do next.

use super::dto::{ErrorBody, ErrorDetail};
use super::node::unexpected;
use crate::author::WriteError;
use crate::engine::{Answer, Ignored, Verdict};
use crate::runtime::Unavailable;
use crate::store::StoreError;
use crate::web::texts::Explanations;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: String,
    /// The sentence of the page that says all of it, if there is one; otherwise the page says what the code says, and the message.
    pub(crate) sentence: Option<Sentence>,
}

/// A sentence in whichever language.
pub(crate) type Sentence = fn(&Explanations) -> &'static str;

impl ApiError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let status = match code {
            "not_found" => StatusCode::NOT_FOUND,
            "not_logged_in" => StatusCode::UNAUTHORIZED,
            "ambiguous" | "not_followed" | "other_network" => StatusCode::CONFLICT,
            "busy" => StatusCode::SERVICE_UNAVAILABLE,
            "storage" | "internal" => StatusCode::INTERNAL_SERVER_ERROR,
            "unreachable" => StatusCode::BAD_GATEWAY,
            "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, code, message: message.into(), hint: hint.into(), sentence: None }
    }

    /// Says the same on the page, in the reader's language.
    pub(crate) fn on_page(self, sentence: Sentence) -> Self {
        Self { sentence: Some(sentence), ..self }
    }

    pub(crate) fn invalid(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new("invalid", message, hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let detail = ErrorDetail { code: self.code.into(), message: self.message, hint: self.hint };
        (self.status, Json(ErrorBody { error: detail })).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new("storage", error.to_string(), "see `roda fsck`; nothing that was acknowledged is lost")
    }
}

impl From<Unavailable> for ApiError {
    fn from(_: Unavailable) -> Self {
        Self::new("busy", "the node is stopping, or has too much to do", "try again in a moment")
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::Store(error) => error.into(),
            WriteError::NotHere(_) => {
                Self::new("not_found", message, "fetch it first: `roda sync`").on_page(|t| t.error_no_event)
            }
            WriteError::NoCharter => {
                Self::new("not_found", message, "connect to a node that follows the board, then `roda sync`")
                    .on_page(|t| t.error_no_charter)
            }
            WriteError::WrongKind(_) => Self::invalid(message, ""),
            WriteError::NotYours(_) => Self::invalid(message, "").on_page(|t| t.error_not_yours),
            WriteError::Invalid(_) => Self::invalid(message, "shorten it, or split it in two"),
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new("too_large", rejection.body_text(), "send less at once");
        }
        Self::invalid(rejection.body_text(), "")
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text(), "")
    }
}

/// A verdict on an own event that means that it was not stored.
pub(super) fn refused(verdict: Verdict) -> ApiError {
    match verdict {
        Verdict::Failed => {
            let hint =
                "`roda doctor` says why; make room or check the disk, and see `roda outbox` before you write it again";
            ApiError::new("storage", "the disk did not take it, so it is not stored for certain", hint)
        }
        Verdict::Invalid(invalid) => ApiError::invalid(format!("the event is not valid: {invalid}"), ""),
        Verdict::Ignored(_, Ignored::NotFollowed) => {
            ApiError::new("not_followed", "this node does not follow that board", "`roda follow` it first")
        }
        Verdict::Ignored(_, Ignored::NoCharter) => WriteError::NoCharter.into(),
        Verdict::Deferred(_) => ApiError::invalid(
            "the event is dated more than ten minutes ahead of this computer's clock",
            "check the clock, or what it answers",
        ),
        other => ApiError::new("internal", format!("unexpected verdict {other:?}"), ""),
    }
}

/// The answer to a wish that is carried out or not.
pub(super) fn done(answer: Answer) -> Result<(), ApiError> {
    match answer {
        Answer::Done => Ok(()),
        Answer::Storage(reason) => Err(ApiError::new("storage", reason, "make room or check the disk")),
        _ => Err(unexpected()),
    }
}

/// What a program gets that has no session and not the token.
pub(crate) fn not_logged_in() -> Response {
    let hint = "send the line of the file api.token as `Authorization: Bearer ...`, or use the socket";
    ApiError::new("not_logged_in", "this door opens with a session or with the token", hint).into_response()
}

pub(super) async fn no_route() -> ApiError {
    ApiError::new("not_found", "there is no such call in this version of the API", "use the roda of the same version")
}
