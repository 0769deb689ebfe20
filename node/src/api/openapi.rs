//! The API as an OpenAPI document, for programs that are not ours. It is made from the table of calls and from the types of
//! `dto`; `node/openapi.json` is a copy of it to read and to compare.

use super::call::{Call, Object};
use super::calls;
use super::dto::ErrorBody;
use super::error::ApiError;
use crate::web::FORM_TOKEN_HEADER;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use utoipa::ToSchema as _;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, OpenApiVersion, Paths, Ref, RefOr, Required,
    ResponseBuilder,
};

const TOKEN: &str = "token";
const SESSION: &str = "session";
const FORM: &str = "form";

const ABOUT: &str = "The local API of a Roda node. On the Unix socket `run/api.sock`, which only its user can reach, no \
    login is needed. On the web page's port, on loopback addresses alone, a program sends the token of the file \
    `api.token`, and a browser the cookie of its session, with the session's form token wherever something is changed. \
    Objects may gain fields at any time. Ids are 64 hex digits, authors `@` and 52 base32 digits, times unix \
    milliseconds. Text that came from the network is as it was written.";

const ERRORS: &str = "What happened, why, and what to do next. Before a call is reached, the port may also answer in \
    plain text: 403, 413, 421 and 429.";

/// `GET /api/v1/openapi.json`.
pub(super) async fn answer() -> Result<Response, ApiError> {
    let text = text().map_err(|error| ApiError::new("internal", error.to_string(), "please report this as a bug"))?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

/// The document, as it is served and committed.
fn text() -> serde_json::Result<String> {
    Ok(document().to_pretty_json()? + "\n")
}

fn document() -> OpenApi {
    // The first version that can tell what is in a stream.
    let builder = OpenApiBuilder::new().openapi(OpenApiVersion::Version32);
    let info = InfoBuilder::new().title("Roda").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    let mut paths = Paths::new();
    let mut components = security(ComponentsBuilder::new())
        .schema(ErrorBody::name(), <ErrorBody as utoipa::PartialSchema>::schema())
        .schemas_from_iter(objects_of::<ErrorBody>());
    for call in calls::all() {
        let method = call.method.clone();
        components = components.schemas_from_iter(call.shape.objects.clone());
        paths.add_path_operation(call.path, vec![method], operation(call));
    }
    builder.info(info.build()).paths(paths).components(Some(components.build())).build()
}

fn objects_of<T: Object>() -> Vec<(String, RefOr<utoipa::openapi::Schema>)> {
    let mut objects = Vec::new();
    T::schemas(&mut objects);
    objects
}

fn operation(call: Call) -> OperationBuilder {
    let Call { method, path, says, shape, .. } = call;
    let is_read = method == HttpMethod::Get;
    let mut answer = ResponseBuilder::new().description("What was asked for.");
    for (media_type, content) in shape.answers {
        answer = answer.content(media_type, content);
    }
    let error = Content::new(Some(RefOr::Ref(Ref::from_schema_name(ErrorBody::name()))));
    let error = ResponseBuilder::new().description(ERRORS).content("application/json", error);
    let body = shape.body.map(|(media_type, content)| {
        RequestBodyBuilder::new().content(media_type, content).required(Some(Required::True)).build()
    });
    let parameters = Some(shape.parameters).filter(|parameters| !parameters.is_empty());
    let none = SecurityRequirement::default();
    let session = SecurityRequirement::new::<_, [&str; 0], _>(SESSION, []);
    let session = if is_read { session } else { session.add::<_, [&str; 0], _>(FORM, []) };
    let token = SecurityRequirement::new::<_, [&str; 0], _>(TOKEN, []);
    OperationBuilder::new()
        .operation_id(Some(operation_id(is_read, path)))
        .summary(Some(says))
        .parameters(parameters)
        .request_body(body)
        .response("200", answer.build())
        .response("default", error.build())
        .securities(Some([none, token, session]))
}

/// Such as `post_events_reply`: generators of clients make names from it.
fn operation_id(is_read: bool, path: &str) -> String {
    let words = path.trim_start_matches("/api/v1/").split(['/', '.']).filter(|word| !word.starts_with('{'));
    let method = if is_read { "get" } else { "post" };
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn security(components: ComponentsBuilder) -> ComponentsBuilder {
    let token =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The line of the file `api.token`."));
    let cookie =
        "The cookie that a login link leaves. For `NODE` stand the last characters of the node's name, backwards.";
    let form = "The form token that each page of a session carries: for what changes something.";
    components
        .security_scheme(TOKEN, SecurityScheme::Http(token.build()))
        .security_scheme(
            SESSION,
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("roda-NODE", cookie))),
        )
        .security_scheme(
            FORM,
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(FORM_TOKEN_HEADER, form))),
        )
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
