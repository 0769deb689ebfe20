//! A call of the API as a document tells of it. What it takes and answers is read from its handler's type: whoever changes
//! a handler changes the document, and can't forget to.

use super::Shared;
use super::dto::*;
use super::error::ApiError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::handler::Handler;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use std::collections::BTreeMap;
use utoipa::openapi::path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::openapi::{Content, ContentBuilder, ObjectBuilder, Ref, RefOr, Required, Type};
use utoipa::{IntoParams, ToSchema};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// A method and a path, who answers, and what is said of it.
pub(super) struct Call {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    pub(super) says: &'static str,
    pub(super) handler: MethodRouter<Shared>,
    pub(super) shape: Shape,
}

/// What a call takes and answers.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<(&'static str, Content)>,
    /// By media type.
    pub(super) answers: BTreeMap<&'static str, Content>,
    /// The objects that these name, by name.
    pub(super) objects: Vec<(String, RefOr<Schema>)>,
}

impl Call {
    pub(super) fn get<T: 'static, H: Described<T>>(path: &'static str, says: &'static str, handler: H) -> Self {
        let handler_of = on(MethodFilter::GET, handler);
        Self { method: HttpMethod::Get, path, says, handler: handler_of, shape: H::shape() }
    }

    pub(super) fn post<T: 'static, H: Described<T>>(path: &'static str, says: &'static str, handler: H) -> Self {
        let handler_of = on(MethodFilter::POST, handler);
        Self { method: HttpMethod::Post, path, says, handler: handler_of, shape: H::shape() }
    }

    /// The path names an author, where most name an event.
    pub(super) fn names_an_author(mut self) -> Self {
        let says =
            "An author: `@` and 52 base32 digits, or the first of them, if no other author's key begins with these.";
        let path = self.shape.parameters.iter_mut().filter(|parameter| parameter.parameter_in == ParameterIn::Path);
        path.for_each(|parameter| parameter.description = Some(says.to_owned()));
        self
    }

    /// The body is lines of JSON, which the handler takes apart by itself.
    pub(super) fn takes_lines<T: Object>(mut self) -> Self {
        let item = self.shape.object::<T>();
        self.shape.body = Some((LINES, ContentBuilder::new().item_schema(Some(item)).build()));
        self
    }

    /// The answer is lines of JSON, which the handler writes by itself.
    pub(super) fn answers_lines<T: Object>(mut self) -> Self {
        let item = self.shape.object::<T>();
        self.shape.answers.insert(LINES, ContentBuilder::new().item_schema(Some(item)).build());
        self
    }

    /// The answer is server-sent events for who asks for them, each with an id and, as its data, a line of JSON.
    pub(super) fn answers_server_sent_events(mut self) -> Self {
        let text = |says: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(says)).build();
        let event = ObjectBuilder::new()
            .property("id", text("The place of the event, to go on behind; it is missing from `lagged`."))
            .property("event", text("The word under `event` in the data."))
            .property("data", text("A `NodeEvent` as JSON."))
            .build();
        let content = ContentBuilder::new().item_schema(Some(event)).build();
        self.shape.answers.insert("text/event-stream", content);
        let header = ParameterBuilder::new().name("last-event-id").parameter_in(ParameterIn::Header);
        let says = "The id of the last event that was seen; server-sent events go on behind it.";
        self.shape.parameters.push(header.description(Some(says)).schema(Some(text(says))).build());
        self
    }

    /// The answer is some JSON object that none of our types describes.
    pub(super) fn answers_any_object(mut self) -> Self {
        let any = ObjectBuilder::new().schema_type(Type::Object).build();
        self.shape.answers.insert(JSON, ContentBuilder::new().schema(Some(any)).build());
        self
    }
}

impl Shape {
    /// Makes an object known, and names it.
    fn object<T: Object>(&mut self) -> RefOr<Schema> {
        self.objects.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.objects);
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }
}

/// One of the objects of `dto`: it has a name of its own in the document, which a list of them has not.
pub(super) trait Object: ToSchema {}

macro_rules! objects {
    ($($name:ident)*) => { $(impl Object for $name {})* };
}

objects! {
    AuthorPage Board BoardLog BoardRef BoardSelector CatchUpAsk Connect Connected Diagnosis DirectoryEntry ExportLine FeedAddress FeedEntry FsckAsk FsckReport Identity
    ImportReport InboxCleared InboxEntry InboxUnread InviteMade Join Joined KeepAsk Keeping ListingAsk ListingState NewBoard NewEdit NewInvite NewPost NewReply NewRetraction
    NewVote Next NextAsk NodeEvent OpenBoard OutboxEntry PagePreferences PeerEntry Power ReaderImported ReaderLine Rule SetName SetPagePreferences SetRule
    SearchPage Status Stopping SyncAsk SyncReport ThreadPage Version WebLink WhyReport Written ErrorBody
}

/// A handler whose type tells what it takes and answers.
pub(super) trait Described<T>: Handler<T, Shared> {
    fn shape() -> Shape;
}

impl<H, F, A> Described<((),)> for H
where
    H: Handler<((),), Shared> + FnOnce() -> F,
    F: Future<Output = A>,
    A: Answer,
{
    fn shape() -> Shape {
        let mut shape = Shape::default();
        A::add_to(&mut shape);
        shape
    }
}

impl<H, F, A, M> Described<(M, State<Shared>)> for H
where
    H: Handler<(M, State<Shared>), Shared> + FnOnce(State<Shared>) -> F,
    F: Future<Output = A>,
    A: Answer,
{
    fn shape() -> Shape {
        let mut shape = Shape::default();
        A::add_to(&mut shape);
        shape
    }
}

impl<H, F, A, M, P> Described<(M, State<Shared>, P)> for H
where
    H: Handler<(M, State<Shared>, P), Shared> + FnOnce(State<Shared>, P) -> F,
    F: Future<Output = A>,
    A: Answer,
    P: Part,
{
    fn shape() -> Shape {
        let mut shape = Shape::default();
        P::add_to(&mut shape);
        A::add_to(&mut shape);
        shape
    }
}

impl<H, F, A, M, P, Q> Described<(M, State<Shared>, P, Q)> for H
where
    H: Handler<(M, State<Shared>, P, Q), Shared> + FnOnce(State<Shared>, P, Q) -> F,
    F: Future<Output = A>,
    A: Answer,
    P: Part,
    Q: Part,
{
    fn shape() -> Shape {
        let mut shape = Shape::default();
        P::add_to(&mut shape);
        Q::add_to(&mut shape);
        A::add_to(&mut shape);
        shape
    }
}

/// A part of a request.
pub(super) trait Part {
    fn add_to(shape: &mut Shape);
}

/// What our paths name is an event, unless the table says otherwise.
impl Part for Path<String> {
    fn add_to(shape: &mut Shape) {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        let says = "An event's id: 64 hex digits, or the first of them, if no other event's id begins with these.";
        shape.parameters.push(id.description(Some(says)).schema(Some(text)).build());
    }
}

impl<T: IntoParams> Part for Result<Query<T>, QueryRejection> {
    fn add_to(shape: &mut Shape) {
        shape.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
    }
}

impl<T: Object> Part for Result<Json<T>, JsonRejection> {
    fn add_to(shape: &mut Shape) {
        let object = shape.object::<T>();
        shape.body = Some((JSON, ContentBuilder::new().schema(Some(object)).build()));
    }
}

/// Lines: their object is not in the type, so the table names it.
impl Part for Result<Bytes, BytesRejection> {
    fn add_to(_: &mut Shape) {}
}

/// Which of them count is not in the type, so the table says it.
impl Part for HeaderMap {
    fn add_to(_: &mut Shape) {}
}

/// What a handler answers.
pub(super) trait Answer {
    fn add_to(shape: &mut Shape);
}

impl<A: Answer> Answer for Result<A, ApiError> {
    fn add_to(shape: &mut Shape) {
        A::add_to(shape);
    }
}

impl<T: Object> Answer for Json<T> {
    fn add_to(shape: &mut Shape) {
        let object = shape.object::<T>();
        shape.answers.insert(JSON, ContentBuilder::new().schema(Some(object)).build());
    }
}

impl<T: Object> Answer for Json<Vec<T>> {
    fn add_to(shape: &mut Shape) {
        let list = ArrayBuilder::new().items(shape.object::<T>()).build();
        shape.answers.insert(JSON, ContentBuilder::new().schema(Some(list)).build());
    }
}

/// A stream: what is in it is not in the type, so the table names it.
impl Answer for Response {
    fn add_to(_: &mut Shape) {}
}
