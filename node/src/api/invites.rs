//! Calls about invites: make one, join by one.

use super::Shared;
use super::boards::follow_space;
use super::dto::{Dialled, InviteMade, Join, Joined, NewInvite};
use super::error::ApiError;
use super::node::unexpected;
use super::read::blocking;
use super::resolve::KnownBoard;
use crate::engine::{Answer, Local};
use crate::network::invited::{self, Range};
use crate::runtime::{Context, wall_ms};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use futures::future::join_all;
use roda_protocol::event::Kind;
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::invite::{Address, Invitation, Invite, InviteError, InvitedBoard};
use roda_protocol::limits::{
    INVITE_ADDRESS_BYTES_MAX, INVITE_ADDRESSES_MAX, INVITE_KEYS_MAX, INVITE_LIFE_MS_DEFAULT, INVITE_LIFE_MS_MAX,
};
use std::time::Duration;

/// Other nodes that an invite names. Each takes about 80 letters of it, and more would not fit on a screen as a QR code.
const OTHERS_MAX: usize = 2;

/// A peer's next address is dialled this long after the one before, unless that one has led to it (RFC 8305: 250 ms). Dialled
/// all at once, a peer would get a connection over each.
const NEXT_ADDRESS_PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn make(
    State(context): State<Shared>,
    body: Result<Json<NewInvite>, JsonRejection>,
) -> Result<Json<InviteMade>, ApiError> {
    let Json(ask) = body?;
    make_invite(&context, ask).await.map(Json)
}

/// Makes an invite.
pub(crate) async fn make_invite(context: &Shared, ask: NewInvite) -> Result<InviteMade, ApiError> {
    let NewInvite { board, life_ms, as_me } = ask;
    let life_ms = life_ms.unwrap_or(INVITE_LIFE_MS_DEFAULT);
    if !(1..=INVITE_LIFE_MS_MAX).contains(&life_ms) {
        let days = INVITE_LIFE_MS_MAX / (24 * 60 * 60 * 1000);
        return Err(ApiError::invalid(format!("an invite lasts {days} days at most"), "choose a shorter time"));
    }
    let (invited, stewards) = blocking(context.clone(), move |context| to_what(context, board.as_deref())).await?;
    let (known, reachability) = known_addresses(context).await?;
    let (own, range) = invited::worth_giving(&known);
    let Some(range) = range else {
        let hint = "listen where others can reach it: roda up --listen /ip4/0.0.0.0/tcp/7716";
        let message = "this node has no address that another node could dial";
        return Err(ApiError::new("unreachable", message, hint).on_page(|t| t.error_no_address));
    };
    let others = others(context, invited.space(), range).await?;
    let issued_ms = wall_ms();
    let authors = if as_me { vec![context.me()] } else { Vec::new() };
    let said = Invitation {
        network: context.network_name.clone(),
        issued_ms,
        expires_ms: issued_ms.saturating_add(life_ms),
        addresses: carried(own.iter().filter_map(|text| invited::own_bytes(text)), INVITE_ADDRESSES_MAX),
        others: carried(others.iter().filter_map(|text| invited::whole_bytes(text)), OTHERS_MAX),
        board: invited,
        stewards,
        authors,
    };
    let invite = said.sign(&context.network_key).map_err(|_| {
        ApiError::invalid("no invite can be made: the network's name is too long, or cannot be shown", "")
    })?;
    let word = match range {
        Range::Everywhere => "everywhere",
        Range::Site => "local_network",
        Range::Machine => "this_machine",
    };
    Ok(InviteMade {
        invite,
        expires_ms: said.expires_ms,
        board: said.board.space().to_string(),
        name: said.board.name().to_owned(),
        network: said.network.clone(),
        addresses: addresses(&said, &context.network_key.public().0),
        range: word.to_owned(),
        reachability: reachability.to_owned(),
    })
}

/// Where this node is reached: what others have reached first, then what it listens on, through relays, too. And what is known
/// of its being reached from outside.
async fn known_addresses(context: &Context) -> Result<(Vec<String>, &'static str), ApiError> {
    let report = context.handle.report().await?;
    let confirmed = report.confirmed.into_iter().map(|(address, _)| address);
    Ok((confirmed.chain(report.listen).collect(), report.reachability.word()))
}

fn carried(addresses: impl Iterator<Item = Vec<u8>>, count: usize) -> Vec<Address> {
    addresses.filter(|bytes| bytes.len() <= INVITE_ADDRESS_BYTES_MAX).take(count).map(Address).collect()
}

/// The board and those of its stewards whom its charter names.
fn to_what(context: &Context, board: Option<&str>) -> Result<(InvitedBoard, Vec<AuthorKey>), ApiError> {
    let board = match board {
        Some(text) => context.find_board(text)?,
        None => only_board(context)?,
    };
    if !board.row.followed {
        return Err(ApiError::new("not_followed", "this node does not follow that board", "`roda follow` it first"));
    }
    if let Some(name) = board.row.open_name {
        return Ok((InvitedBoard::Open { name }, Vec::new()));
    }
    let charter = context.store.event(&EventId(board.space.0))?;
    let charter = charter.as_ref().map(|stored| stored.event.kind());
    let Some(Kind::Charter(charter)) = charter else {
        let hint = "connect to a node that follows it, then `roda sync`";
        return Err(ApiError::new("not_found", "the board's charter has not arrived yet", hint));
    };
    let stewards = charter.stewards.iter().copied().take(INVITE_KEYS_MAX).collect();
    let (name, title) = (board.name, board.title.unwrap_or_default());
    Ok((InvitedBoard::Charter { board: board.space, name, title }, stewards))
}

fn only_board(context: &Context) -> Result<KnownBoard, ApiError> {
    let mut followed: Vec<KnownBoard> = context.boards()?.into_iter().filter(|board| board.row.followed).collect();
    match followed.len() {
        0 => Err(ApiError::new("not_followed", "no board is followed here", "open one: roda board open lounge")),
        1 => Ok(followed.remove(0)),
        _ => Err(ApiError::new("ambiguous", "several boards are followed here", "name one; `roda boards` lists them")),
    }
}

/// Where connected peers are that follow the board and that this node has reached itself, as far as this one is reached.
async fn others(context: &Context, board: SpaceId, range: Range) -> Result<Vec<String>, ApiError> {
    let Answer::Peers(mut peers) = context.handle.ask(Local::Peers).await? else { return Err(unexpected()) };
    peers.retain(|peer| peer.outbound && peer.boards.contains(&board));
    let addresses: Vec<String> = peers.into_iter().map(|peer| peer.address).collect();
    let is_as_far = |text: &String| match (range, invited::worth_giving(std::slice::from_ref(text)).1) {
        (Range::Everywhere, found) => found == Some(Range::Everywhere),
        (Range::Site, found) => found.is_some() && found != Some(Range::Machine),
        (Range::Machine, found) => found.is_some(),
    };
    Ok(invited::worth_giving(&addresses).0.into_iter().filter(is_as_far).collect())
}

/// Every address of an invitation, with the peer at its end. What is no address is left out.
fn addresses(said: &Invitation, inviter: &[u8; 32]) -> Vec<String> {
    let own = said.addresses.iter().filter_map(|address| invited::text(&address.0, Some(inviter)));
    own.chain(said.others.iter().filter_map(|address| invited::text(&address.0, None))).collect()
}

pub(super) async fn join(
    State(context): State<Shared>,
    body: Result<Json<Join>, JsonRejection>,
) -> Result<Json<Joined>, ApiError> {
    let Json(ask) = body?;
    join_by_invite(&context, ask).await.map(Json)
}

/// Follows the board of an invite, and dials every address in it.
pub(crate) async fn join_by_invite(context: &Shared, ask: Join) -> Result<Joined, ApiError> {
    let Join { invite } = ask;
    let invite = Invite::read(&invite, wall_ms()).map_err(not_to_be_followed)?;
    let said = invite.said();
    if said.network != context.network_name {
        let message = "the invite is to another network than this node's";
        return Err(ApiError::new("other_network", message, "use another --home for each network"));
    }
    let open_name = match &said.board {
        InvitedBoard::Open { name } => Some(name.clone()),
        InvitedBoard::Charter { .. } => None,
    };
    follow_space(context, said.board.space(), open_name).await?;
    let is_own = invite.inviter().0 == context.network_key.public().0;
    let mut addresses = addresses(said, &invite.inviter().0);
    // Whoever was invited may have handed on this node's own address.
    addresses.retain(|address| !address.ends_with(&format!("/p2p/{}", context.peer_id)));
    for address in &addresses {
        context.handle.vouch(address.clone(), said.expires_ms).await;
    }
    let count_own = if is_own { 0 } else { said.addresses.len() };
    let dials = addresses.into_iter().enumerate().map(|(index, address)| {
        // Addresses of one peer take turns; the others are one each.
        let turn = if index < count_own { u32::try_from(index).unwrap_or(u32::MAX) } else { 0 };
        dial(context, address, NEXT_ADDRESS_PAUSE.saturating_mul(turn))
    });
    let dials = join_all(dials).await;
    Ok(Joined { board: said.board.space().to_string(), name: said.board.name().to_owned(), is_own, dials })
}

/// Dials after a pause; a peer that is connected by then answers without another dial.
async fn dial(context: &Context, address: String, pause: Duration) -> Dialled {
    tokio::time::sleep(pause).await;
    match context.handle.dial(address.clone()).await {
        Ok(peer) => Dialled { address, peer_id: Some(peer.to_string()), error: None },
        Err(reason) => Dialled { address, peer_id: None, error: Some(reason) },
    }
}

fn not_to_be_followed(error: InviteError) -> ApiError {
    let (code, hint) = match error {
        InviteError::Expired { .. } => ("expired", "ask for a new one: roda invite"),
        InviteError::OtherVersion(_) => ("invalid", "update roda"),
        _ => ("invalid", "copy the whole invite again, from `roda:` to its end"),
    };
    ApiError::new(code, error.to_string(), hint)
}
