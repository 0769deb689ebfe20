//! Why an event is shown as it is: its signature, its way here, what it waits for, its rank, and what hides it.

use super::Shared;
use super::dto::{Brought, Rank, SignatureReport, Votes, WhyReport};
use super::error::ApiError;
use super::feed::{Lens, Needs, gathered};
use super::names::Names;
use super::node::unexpected;
use super::read::{blocking, root_of, single};
use super::reader::said;
use super::resolve::KnownBoard;
use crate::engine::{Answer, Bringer, Local};
use crate::runtime::{Context, wall_ms};
use crate::store::Presence;
use axum::Json;
use axum::extract::{Path, State};
use data_encoding::HEXLOWER;
use roda_protocol::event::{Kind, Signer, Verified};
use roda_protocol::id::EventId;
use roda_protocol::view::FeedSort;

pub(super) async fn why(State(context): State<Shared>, Path(text): Path<String>) -> Result<Json<WhyReport>, ApiError> {
    Ok(Json(read_why(&context, text).await?))
}

/// Everything that is known of how an event came to be shown as it is.
pub(crate) async fn read_why(context: &Shared, text: String) -> Result<WhyReport, ApiError> {
    let (id, mut report) = blocking(context.clone(), move |context| {
        let id = context.find_event(&text)?;
        Ok((id, report(context, id)?))
    })
    .await?;
    let Answer::Bringer(bringer) = context.handle.ask(Local::Bringer { id }).await? else { return Err(unexpected()) };
    let is_own = report.mine && bringer.is_none() && context.store.is_own(&id)?;
    let (by, peer_id) = match bringer {
        Some(Bringer::Peer(peer)) => ("peer", Some(peer.to_string())),
        Some(Bringer::SomePeer) => ("peer", None),
        Some(Bringer::Here) => ("here", None),
        None if is_own => ("here", None),
        None => ("not_recorded", None),
    };
    report.brought = Brought { by: by.to_owned(), peer_id };
    Ok(report)
}

fn report(context: &Context, id: EventId) -> Result<WhyReport, ApiError> {
    let stored = context.store.event(&id)?.ok_or_else(|| match context.store.row(&id) {
        Ok(Some(row)) if row.presence == Presence::Declined => {
            let message = format!("event {id} is known, and this node chose not to store it");
            ApiError::new("not_found", message, "see [admission] in config.toml")
        }
        _ => context.absent(id),
    })?;
    let event = &stored.event;
    let header = event.header();
    let space = event.space();
    let row = context.store.row(&id)?.ok_or_else(unexpected)?;
    let is_taken_back = context.store.is_taken_back(&id, &header.author)?;
    let lacks_words = row.presence == Presence::BodyDropped && header.body.len > 0 && !is_taken_back;
    let mut waits_for = Vec::new();
    for wanted in builds_on(event) {
        if !context.store.is_held(&wanted)? {
            waits_for.push(wanted.to_string());
        }
    }
    if lacks_words {
        waits_for.push(id.to_string());
    }
    let stored_word = match () {
        () if is_taken_back => "taken_back",
        () if lacks_words => "words_missing",
        () => "held",
    };
    let thread = root_of(context, id).ok();
    let lens = Lens::new(context, true)?;
    let node = single(context, &row)?.map(|(_, node)| node);
    let judgement = node.as_ref().map(|node| lens.judge(node)).unwrap_or_default();
    let of_thread = thread.and_then(|root| lens.thread_hidden(&root));
    let mut rules = judgement.rules.iter().map(|(subject, effect)| said(context, subject, Some(*effect)));
    let mut rules: Vec<_> = rules.by_ref().collect::<Result<_, _>>()?;
    if let Some((root, effect)) = thread.and_then(|root| Some((root, lens.policy.of_thread(&root)?))) {
        rules.push(said(context, &roda_protocol::view::policy::Subject::Thread(root), Some(effect))?);
    }
    let board = context.board_of(space)?;
    let (author, name) = (header.author.to_string(), context.store.author_name(&header.author)?);
    Ok(WhyReport {
        id: id.to_string(),
        kind: event.kind().word().to_owned(),
        board: space.to_string(),
        board_name: board.name.clone(),
        board_look_alike: board.look_alike,
        author: author.clone(),
        look_alike: Names::of_reader(context, &lens.policy)?.is_like_another(&author, name.as_deref()),
        name,
        mine: header.author == context.me(),
        created_ms: header.created_ms,
        signature: signature(event),
        received_ms: stored.received_ms,
        brought: Brought { by: "not_recorded".to_owned(), peer_id: None },
        stored: stored_word.to_owned(),
        waits_for,
        thread: thread.map(|root| root.to_string()),
        votes: node.as_ref().map(|node| Votes { up: node.up, down: node.down }),
        hidden: judgement.hidden.as_ref().map(super::reader::hidden_by).or(of_thread),
        points: judgement.points,
        rules,
        ranks: match thread {
            Some(root) => ranks(context, &lens, &board, root)?,
            None => Vec::new(),
        },
    })
}

/// What an event names and can't be understood without.
fn builds_on(event: &Verified) -> Vec<EventId> {
    match event.kind() {
        Kind::Comment(comment) if comment.parent == comment.root => vec![comment.root],
        Kind::Comment(comment) => vec![comment.root, comment.parent],
        Kind::Edit(edit) => vec![edit.target],
        Kind::Vote(vote) => vec![vote.target],
        Kind::Retract(retract) => retract.targets.clone(),
        _ => Vec::new(),
    }
}

/// The signature, checked again.
fn signature(event: &Verified) -> SignatureReport {
    let header = event.header();
    let (signer, key, expires_ms) = match &header.signer {
        Signer::Root => ("root", header.author.0, None),
        Signer::Device { key, expires_ms, .. } => ("device", *key, Some(*expires_ms)),
    };
    let signed = event.clone().into_signed();
    SignatureReport {
        work_bits: signed.work_bits(),
        bytes: signed.bytes().len() as u64,
        valid: signed.authenticate().is_ok(),
        signer: signer.to_owned(),
        key: HEXLOWER.encode(&key),
        expires_ms,
    }
}

/// The place of a thread in every order of its board.
fn ranks(context: &Context, lens: &Lens, board: &KnownBoard, root: EventId) -> Result<Vec<Rank>, ApiError> {
    let now_ms = wall_ms();
    let boards = std::slice::from_ref(board);
    let threads = gathered(context, lens, boards, Needs { votes: true, activity: true }, 0)?;
    let stats: Vec<_> = threads.iter().map(|(stats, _, _)| *stats).collect();
    let mut ranks = Vec::new();
    for sort in FeedSort::ALL {
        let places = sort.order(&stats, now_ms);
        let Some((at, place)) = places.iter().enumerate().find(|(_, place)| stats[place.index].id == root) else {
            return Ok(Vec::new());
        };
        let thread = &stats[place.index];
        ranks.push(Rank {
            sort: sort.word().to_owned(),
            formula: sort.formula().to_owned(),
            place: at as u64 + 1,
            of: places.len() as u64,
            created_ms: thread.created_ms.min(now_ms),
            active_ms: thread.active_ms.min(now_ms),
            score: thread.score,
            votes_ms: place.votes_ms,
            same_author_above: place.same_author_above,
            back_ms: place.back_ms,
        });
    }
    Ok(ranks)
}
