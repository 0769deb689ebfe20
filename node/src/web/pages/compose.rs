//! Writing: a new post, an answer, an edit; with preview, and a draft that is kept in the home.

use super::languages::Languages;
use crate::api::dto::{NewEdit, NewPost, NewReply, Wait};
use crate::api::error::ApiError;
use crate::api::read::{ThreadAsk, show_thread};
use crate::api::write::{write_edit, write_post, write_reply};
use crate::home::write_private;
use crate::web::frame::{Frame, Told};
use crate::web::{Shared, Web, markdown, show};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The fields of a form, and of a draft.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Words {
    board: String,
    title: String,
    text: String,
    link: String,
    tags: String,
    /// Which button was pressed: `preview`, `draft`, `discard`, or to publish.
    #[serde(skip_serializing)]
    act: String,
}

/// A board that can be written to.
struct Choice {
    id: String,
    name: String,
    is_chosen: bool,
}

/// What a text answers.
struct Answered {
    label: String,
    html: String,
    href: String,
}

#[derive(Template)]
#[template(path = "compose.html")]
struct ComposePage {
    frame: Frame,
    heading: String,
    action: String,
    back: String,
    /// For a new post: where to.
    boards: Vec<Choice>,
    is_new_post: bool,
    /// Whether there is a title, a link.
    has_title: bool,
    has_tags: bool,
    words: Words,
    answered: Option<Answered>,
    /// The language of the board; empty if it names none.
    language: String,
    preview: Option<String>,
    notice: Option<String>,
    problem: Option<Told>,
    has_draft: bool,
    /// Under which name the script keeps what is typed.
    draft_key: String,
}

/// What is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Post,
    Reply(String),
    Edit(String),
}

impl What {
    /// The name of its draft: an id, or a word; nothing that could leave the folder.
    fn key(&self) -> String {
        match self {
            Self::Post => "post".to_owned(),
            Self::Reply(id) => format!("reply-{id}"),
            Self::Edit(id) => format!("edit-{id}"),
        }
    }

    fn action(&self) -> String {
        match self {
            Self::Post => "/post".to_owned(),
            Self::Reply(id) => format!("/reply/{id}"),
            Self::Edit(id) => format!("/edit/{id}"),
        }
    }
}

impl Web {
    fn draft_file(&self, what: &What) -> PathBuf {
        self.context.home.state.join("drafts").join(format!("web-{}.json", what.key()))
    }

    fn draft(&self, what: &What) -> Option<Words> {
        let text = std::fs::read(self.draft_file(what)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn keep_draft(&self, what: &What, words: &Words) -> Result<(), ApiError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let file = self.draft_file(what);
        let failed = |error: std::io::Error| {
            ApiError::new("storage", format!("the draft can't be kept: {error}"), "make room or check the disk")
        };
        if let Some(folder) = file.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let text = serde_json::to_vec(words).map_err(|error| failed(error.into()))?;
        write_private(&file, &text).map_err(failed)
    }

    fn drop_draft(&self, what: &What) {
        // There may be none.
        let _ = std::fs::remove_file(self.draft_file(what));
    }
}

/// What the address of a new post says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    board: String,
}

/// `GET /post?board=`.
pub(super) async fn new_post(State(web): State<Shared>, frame: Frame, Query(ask): Query<Ask>) -> Response {
    let what = What::Post;
    let draft = web.draft(&what);
    let has_draft = draft.is_some();
    let mut words = draft.unwrap_or_default();
    if !ask.board.is_empty() {
        words.board = ask.board;
    }
    show_form(&web, frame, what, words, Said { is_draft: has_draft, ..Said::default() }).await
}

/// `POST /post`.
pub(super) async fn submit_post(State(web): State<Shared>, frame: Frame, Form(words): Form<Words>) -> Response {
    submit(&web, frame, What::Post, words).await
}

/// `GET /reply/ID`.
pub(super) async fn new_reply(State(web): State<Shared>, frame: Frame, Path(id): Path<String>) -> Response {
    match full_id(&web, id).await {
        Ok(id) => {
            let what = What::Reply(id);
            let draft = web.draft(&what);
            let said = Said { is_draft: draft.is_some(), ..Said::default() };
            show_form(&web, frame, what, draft.unwrap_or_default(), said).await
        }
        Err(error) => frame.failed(error),
    }
}

/// `POST /reply/ID`.
pub(super) async fn submit_reply(
    State(web): State<Shared>,
    frame: Frame,
    Path(id): Path<String>,
    Form(words): Form<Words>,
) -> Response {
    submit_about(&web, frame, id, What::Reply, words).await
}

/// `GET /edit/ID`.
pub(super) async fn edit(State(web): State<Shared>, frame: Frame, Path(id): Path<String>) -> Response {
    let id = match full_id(&web, id).await {
        Ok(id) => id,
        Err(error) => return frame.failed(error),
    };
    let what = What::Edit(id.clone());
    if let Some(words) = web.draft(&what) {
        return show_form(&web, frame, what, words, Said { is_draft: true, ..Said::default() }).await;
    }
    match show_thread(&web.context, id.clone(), one(&id)).await {
        Ok(thread) => {
            let node = thread.nodes.into_iter().find(|node| node.id == id);
            let words = node.map(|node| Words {
                title: node.title,
                text: node.text,
                link: node.link.unwrap_or_default(),
                ..Words::default()
            });
            show_form(&web, frame, what, words.unwrap_or_default(), Said::default()).await
        }
        Err(error) => frame.failed(error),
    }
}

/// `POST /edit/ID`.
pub(super) async fn submit_edit(
    State(web): State<Shared>,
    frame: Frame,
    Path(id): Path<String>,
    Form(words): Form<Words>,
) -> Response {
    submit_about(&web, frame, id, What::Edit, words).await
}

/// A thread's page that holds nothing but one place, hidden or not.
fn one(id: &str) -> ThreadAsk {
    ThreadAsk { hidden: true, under: Some(id.to_owned()), depth: Some(1), limit: Some(1), after: None }
}

#[derive(Template)]
#[template(path = "retract.html")]
struct RetractPage {
    frame: Frame,
    id: String,
}

/// `GET /retract/ID`: asks first; it is for good.
pub(super) async fn retract(State(web): State<Shared>, frame: Frame, Path(id): Path<String>) -> Response {
    match full_id(&web, id).await {
        Ok(id) => Frame::page(&RetractPage { frame, id }),
        Err(error) => frame.failed(error),
    }
}

async fn full_id(web: &Shared, text: String) -> Result<String, ApiError> {
    web.reading(move |context| Ok(context.find_event(&text)?.to_string())).await
}

/// What the form says beside its fields.
#[derive(Debug, Default)]
struct Said {
    is_draft: bool,
    preview: bool,
    notice: Option<String>,
    problem: Option<ApiError>,
}

/// Submits words about what `text` names.
async fn submit_about(
    web: &Shared,
    frame: Frame,
    text: String,
    what: impl FnOnce(String) -> What,
    words: Words,
) -> Response {
    match full_id(web, text).await {
        Ok(id) => submit(web, frame, what(id), words).await,
        Err(error) => frame.failed(error),
    }
}

async fn submit(web: &Shared, frame: Frame, what: What, words: Words) -> Response {
    let has_draft = || web.draft(&what).is_some();
    match words.act.as_str() {
        "preview" => {
            let said = Said { preview: true, is_draft: has_draft(), ..Said::default() };
            show_form(web, frame, what, words, said).await
        }
        "draft" => {
            let said = match web.keep_draft(&what, &words) {
                Ok(()) => Said { is_draft: true, notice: Some(frame.t.draft_saved.to_owned()), ..Said::default() },
                Err(problem) => Said { problem: Some(problem), ..Said::default() },
            };
            show_form(web, frame, what, words, said).await
        }
        "discard" => {
            web.drop_draft(&what);
            Redirect::to(&what.action()).into_response()
        }
        _ => match publish(web, &what, words.clone()).await {
            Ok(place) => {
                web.drop_draft(&what);
                Redirect::to(&place).into_response()
            }
            // Nothing that was typed is lost.
            Err(problem) => {
                let said = Said { is_draft: has_draft(), problem: Some(problem), ..Said::default() };
                show_form(web, frame, what, words, said).await
            }
        },
    }
}

/// Signs and stores; where to read it.
async fn publish(web: &Shared, what: &What, words: Words) -> Result<String, ApiError> {
    let context = &web.context;
    // Browsers send lines with CR and LF.
    let text = words.text.replace("\r\n", "\n");
    let wait = Wait::default();
    match what {
        What::Post => {
            let tags = words.tags.split_whitespace().map(|tag| tag.trim_start_matches('#').to_owned()).collect();
            let link = Some(words.link).filter(|link| !link.trim().is_empty());
            let post = NewPost { board: words.board, title: words.title, text, link, tags, wait };
            let written = write_post(context, post).await?;
            Ok(format!("/t/{}", written.id))
        }
        What::Reply(id) => {
            let written = write_reply(context, id.clone(), NewReply { text, wait }).await?;
            let root = root_of(web, id.clone()).await?;
            Ok(format!("/t/{root}#e-{}", show::short_id(&written.id)))
        }
        What::Edit(id) => {
            let is_post = root_of(web, id.clone()).await? == *id;
            let title = is_post.then_some(words.title);
            let link = is_post.then_some(words.link);
            write_edit(context, id.clone(), NewEdit { title, text: Some(text), link, wait }).await?;
            let root = root_of(web, id.clone()).await?;
            Ok(format!("/t/{root}#e-{}", show::short_id(id)))
        }
    }
}

async fn root_of(web: &Shared, id: String) -> Result<String, ApiError> {
    web.reading(move |context| {
        let id = context.find_event(&id)?;
        Ok(crate::api::read::root_of(context, id)?.to_string())
    })
    .await
}

async fn show_form(web: &Shared, frame: Frame, what: What, words: Words, said: Said) -> Response {
    match form(web, &frame, &what, words, said).await {
        Ok((page, None)) => Frame::page(&page),
        Ok((page, Some(status))) => (status, Frame::page(&page)).into_response(),
        Err(error) => frame.failed(error),
    }
}

async fn form(
    web: &Shared,
    frame: &Frame,
    what: &What,
    words: Words,
    said: Said,
) -> Result<(ComposePage, Option<axum::http::StatusCode>), ApiError> {
    let t = frame.t;
    let mut board = words.board.clone();
    let target = match what {
        What::Post => None,
        What::Reply(id) | What::Edit(id) => {
            let thread = show_thread(&web.context, id.clone(), one(id)).await?;
            board = thread.board;
            let root = thread.root;
            thread.nodes.into_iter().find(|node| node.id == *id).map(|node| (root, node))
        }
    };
    let is_edit_of_post = matches!((what, &target), (What::Edit(id), Some((root, _))) if root == id);
    let boards = if *what == What::Post { choices(web, words.board.clone()).await? } else { Vec::new() };
    let answered = match (what, &target) {
        (What::Reply(_), Some((_, node))) => {
            let author = show::Author::new(&node.author, node.name.as_deref(), node.look_alike, node.mine);
            Some(Answered {
                label: format!("{} {}", author.name, author.short).trim().to_owned(),
                html: markdown::html(&node.text),
                href: format!("/t/{}", node.id),
            })
        }
        _ => None,
    };
    let heading = match what {
        What::Post => t.new_post.to_owned(),
        What::Reply(_) => {
            format!("{} {}", t.reply_to, answered.as_ref().map(|of| of.label.as_str()).unwrap_or_default())
        }
        What::Edit(_) => t.editing.to_owned(),
    };
    let language = web.reading(move |context| Ok(Languages::of(&context.boards()?).of_board(&board))).await?;
    let status = said.problem.as_ref().map(|problem| problem.status);
    let problem = said.problem.map(|problem| frame.told(&problem));
    let notice = said.notice.or_else(|| (said.is_draft && words.act.is_empty()).then(|| t.draft_found.to_owned()));
    let page = ComposePage {
        heading,
        action: what.action(),
        back: target.map_or_else(|| "/".to_owned(), |(_, node)| format!("/t/{}", node.id)),
        boards,
        is_new_post: *what == What::Post,
        has_title: *what == What::Post || is_edit_of_post,
        has_tags: *what == What::Post,
        preview: said.preview.then(|| markdown::html(&words.text)),
        words,
        answered,
        language,
        notice,
        problem,
        has_draft: said.is_draft,
        draft_key: what.key(),
        frame: frame.clone(),
    };
    Ok((page, status))
}

async fn choices(web: &Shared, chosen: String) -> Result<Vec<Choice>, ApiError> {
    web.reading(move |context| {
        let chosen = context.find_board(&chosen).ok().map(|board| board.space);
        let followed: Vec<_> = context.boards()?.into_iter().filter(|board| board.row.followed).collect();
        let choice = |board: &crate::api::resolve::KnownBoard| {
            let id = board.space.to_string();
            let name = show::board(&id, &board.name, board.look_alike);
            Choice { name, is_chosen: chosen == Some(board.space), id }
        };
        Ok(followed.iter().map(choice).collect())
    })
    .await
}
