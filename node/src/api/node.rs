//! Calls about the node itself: status, identity, peers, news, stop.

use super::Shared;
use super::dto::{
    Connect, Connected, Diagnosis, Finding, FindingState, Identity, PeerEntry, Status, Stopping, WebLink,
};
use super::error::ApiError;
use crate::doctor::{self, Facts, Observation};
use crate::engine::{Answer, Local};
use crate::runtime::Context;
use crate::web::texts::{ENGLISH, Explanations};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

pub(super) async fn status(State(context): State<Shared>) -> Result<Json<Status>, ApiError> {
    Ok(Json(read_status(&context).await?))
}

/// The node's state.
pub(crate) async fn read_status(context: &Shared) -> Result<Status, ApiError> {
    let Answer::Peers(peers) = context.handle.ask(Local::Peers).await? else { return Err(unexpected()) };
    let asked = context.handle.ask(Local::Counters).await?;
    let Answer::Counters { mut counters, storage_problem } = asked else { return Err(unexpected()) };
    counters.insert("gossip_copies".into(), context.ignored.gossip_copies());
    counters.insert("network_messages_ignored".into(), context.ignored.messages_ignored());
    counters.insert("peers_sent_away".into(), context.ignored.peers_sent_away());
    counters.insert("network_requests_refused".into(), context.ignored.requests_refused());
    counters.insert("network_exchange_refused".into(), context.ignored.exchange_refused());
    let report = context.handle.report().await?;
    super::read::blocking(context.clone(), move |context| {
        let followed = context.store.spaces()?.into_iter().filter(|(_, row)| row.followed).count();
        let mut notices = context.notices.all();
        notices.extend(storage_problem);
        Ok(Status {
            peer_id: context.peer_id.clone(),
            author: context.me().to_string(),
            network: context.network_name.clone(),
            uptime_s: context.started.elapsed().as_secs(),
            peers: peers.len() as u64,
            boards: followed as u64,
            events: context.store.known().total() as u64,
            disk_bytes: context.store.disk_bytes()?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            listen: report.listen,
            reachability: report.reachability.word().to_owned(),
            confirmed: report.confirmed.into_iter().map(|(address, _)| address).collect(),
            relays: report.relays.iter().map(ToString::to_string).collect(),
            remade_percent: context.store.remade_percent(),
            web: context.web.as_ref().map(|access| access.door()),
            notices,
            counters,
        })
    })
    .await
}

pub(super) async fn doctor(State(context): State<Shared>) -> Result<Json<Diagnosis>, ApiError> {
    let findings: Vec<Finding> = diagnose(&context, ENGLISH).await?.into_iter().map(Finding::from).collect();
    let problems = findings.iter().filter(|finding| finding.state == FindingState::Problem).count();
    Ok(Json(Diagnosis { problems: problems as u64, findings }))
}

/// What is wrong with the node, in a language.
pub(crate) async fn diagnose(context: &Shared, t: &'static Explanations) -> Result<Vec<Observation>, ApiError> {
    let Answer::Peers(peers) = context.handle.ask(Local::Peers).await? else { return Err(unexpected()) };
    let asked = context.handle.ask(Local::Counters).await?;
    let Answer::Counters { storage_problem, .. } = asked else { return Err(unexpected()) };
    let report = context.handle.report().await?;
    super::read::blocking(context.clone(), move |context| {
        let boards = context.store.spaces()?.into_iter().filter(|(_, row)| row.followed).count();
        let notices = context.notices.all();
        let facts = Facts {
            report: &report,
            peers: &peers,
            network: &context.network_name,
            boards,
            disk_bytes: context.store.disk_bytes()?,
            disk_bytes_max: context.disk_bytes_max,
            storage_problem,
            search: &context.search.progress(),
            notices: &notices,
        };
        let mut findings = doctor::look_at_home(&context.home, t);
        findings.extend(doctor::of_node(&facts, t));
        Ok(findings)
    })
    .await
}

pub(super) async fn identity(State(context): State<Shared>) -> Result<Json<Identity>, ApiError> {
    super::read::blocking(context, |context| read_identity(context).map(Json)).await
}

/// Who writes here.
pub(crate) fn read_identity(context: &Context) -> Result<Identity, ApiError> {
    let me = context.me();
    Ok(Identity { author: me.to_string(), name: context.store.author_name(&me)? })
}

pub(super) async fn peers(State(context): State<Shared>) -> Result<Json<Vec<PeerEntry>>, ApiError> {
    Ok(Json(read_peers(&context).await?))
}

/// Who is connected.
pub(crate) async fn read_peers(context: &Shared) -> Result<Vec<PeerEntry>, ApiError> {
    let Answer::Peers(peers) = context.handle.ask(Local::Peers).await? else { return Err(unexpected()) };
    let entries = peers.into_iter().map(|peer| PeerEntry {
        peer_id: peer.peer.to_string(),
        addr: peer.address,
        direction: if peer.outbound { "outbound" } else { "inbound" }.to_owned(),
        since_ms: peer.since_ms,
        boards: peer.boards.iter().map(ToString::to_string).collect(),
        latency_ms: peer.latency_ms,
    });
    Ok(entries.collect())
}

pub(super) async fn connect(
    State(context): State<Shared>,
    body: Result<Json<Connect>, JsonRejection>,
) -> Result<Json<Connected>, ApiError> {
    Ok(Json(dial(&context, body?.0).await?))
}

/// Dials an address.
pub(crate) async fn dial(context: &Shared, ask: Connect) -> Result<Connected, ApiError> {
    let Connect { address } = ask;
    match context.handle.dial(address).await {
        Ok(peer) => Ok(Connected { peer_id: peer.to_string() }),
        Err(reason) => Err(ApiError::new(
            "unreachable",
            reason,
            "check that the other node runs, that the address is one of its `listen` addresses, and that both use the \
             same --network",
        )),
    }
}

/// Makes a login link for a browser.
pub(super) async fn web(State(context): State<Shared>) -> Result<Json<WebLink>, ApiError> {
    let access = context.web.as_ref().ok_or_else(no_page)?;
    let link = access.login_link(false).map_err(|error| ApiError::new("internal", error.to_string(), ""))?;
    Ok(Json(WebLink { url: link, certificate: access.fingerprint() }))
}

pub(super) fn no_page() -> ApiError {
    let hint = "start it without `--web off`: `roda down`, `roda up`";
    ApiError::new("no_web_page", "this node serves no web page", hint)
}

pub(super) async fn shutdown(State(context): State<Shared>) -> Json<Stopping> {
    // Full means that a stop is under way.
    let _ = context.stop.try_send(());
    Json(Stopping { stopping: true })
}

pub(crate) fn unexpected() -> ApiError {
    ApiError::new("internal", "the engine gave an answer to another question", "please report this as a bug")
}
