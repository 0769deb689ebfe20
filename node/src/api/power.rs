//! How concentrated this node's world is: who writes, who brings events first, and from which networks peers come.
//!
//! From what this node has seen and nothing else: no one is asked, and nothing is told to others.

use super::Shared;
use super::boards::followed_boards;
use super::dto::{Figures, Loss, Power, PowerOf, Share};
use super::error::ApiError;
use super::node::unexpected;
use super::read::blocking;
use super::resolve::KnownBoard;
use crate::engine::{Answer, FirstDeliveries, Local, PeerInfo, Traffic};
use crate::network::group_words;
use crate::peer::Peer;
use crate::runtime::{Context, wall_ms};
use crate::store::Presence;
use crate::web::texts::{ENGLISH, Explanations, filled};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use roda_protocol::concentration::{Concentration, WHOLE_PPM};
use roda_protocol::event::{Kind, tag};
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Days that are looked at, if the asker does not say.
pub(crate) const DAYS_DEFAULT: u64 = 30;

/// And at most: a hundred years.
const DAYS_MAX: u64 = 36_500;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Holders that are named.
const NAMED_MAX: usize = 10;

/// From so many millionths on, one holder's share is worth words.
const MUCH_PPM: u64 = 400_000;

/// Of less than this a large share says little.
const NOTABLE_MIN: u64 = 20;

/// What all peers that are not of the world are counted as.
pub(crate) const NEARBY: &str = "nearby";

/// What all peers that are not told apart are counted as.
pub(crate) const OTHERS: &str = "others";

/// The query of power.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PowerAsk {
    /// One board, or all that are followed.
    pub(crate) board: Option<String>,
    /// Days to look back; 30 if nothing is said.
    pub(crate) days: Option<u64>,
}

pub(super) async fn power(
    State(context): State<Shared>,
    query: Result<Query<PowerAsk>, QueryRejection>,
) -> Result<Json<Power>, ApiError> {
    Ok(Json(read_power(&context, query?.0, ENGLISH).await?))
}

/// How concentrated this node's world is, with its words in a language.
pub(crate) async fn read_power(context: &Shared, ask: PowerAsk, t: &'static Explanations) -> Result<Power, ApiError> {
    let days = ask.days.unwrap_or(DAYS_DEFAULT);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(ApiError::invalid(format!("{days} days are none that can be looked at"), "choose 1 to 36500"));
    }
    let asked = context.handle.ask(Local::FirstDeliveries).await?;
    let Answer::FirstDeliveries(firsts) = asked else { return Err(unexpected()) };
    let Answer::Traffic(traffic) = context.handle.ask(Local::Traffic).await? else { return Err(unexpected()) };
    let Answer::Peers(peers) = context.handle.ask(Local::Peers).await? else { return Err(unexpected()) };
    let until_ms = wall_ms();
    let uptime_ms = u64::try_from(context.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let window = Window { since_ms: until_ms.saturating_sub(days * DAY_MS), until_ms };
    let seen = Seen { firsts, traffic, peers };
    blocking(context.clone(), move |context| {
        let boards = followed_boards(context, ask.board.as_deref())?;
        let counted = count(context, &boards, window)?;
        let mut all = Vec::with_capacity(boards.len());
        for board in &boards {
            all.push(of_board(context, board, &counted, &seen)?);
        }
        let overall = of_all(context, &boards, &counted, &seen)?;
        let networks = networks(&seen.peers);
        let network_concentration = figures(networks.values().copied());
        let (received, sent) = (seen.by_peer(|traffic| traffic.received), seen.by_peer(|traffic| traffic.sent));
        let losses = losses(&boards, &seen);
        let words = words(&overall, &all, &network_concentration, &seen, t);
        Ok(Power {
            since_ms: window.since_ms,
            until_ms,
            days,
            started_ms: until_ms.saturating_sub(uptime_ms),
            overall,
            boards: all,
            networks: shares(networks.into_iter().collect()),
            network_concentration,
            received: figures(received.iter().map(|(_, bytes)| *bytes)),
            sent: figures(sent.iter().map(|(_, bytes)| *bytes)),
            top_received: shares(received),
            top_sent: shares(sent),
            losses,
            peers: seen.peers.len() as u64,
            words,
        })
    })
    .await
}

#[derive(Clone, Copy)]
struct Window {
    since_ms: u64,
    until_ms: u64,
}

/// What only the engine knows.
struct Seen {
    firsts: Vec<FirstDeliveries>,
    traffic: Vec<Traffic>,
    peers: Vec<PeerInfo>,
}

impl Seen {
    /// Bytes by peer.
    fn by_peer(&self, bytes: impl Fn(&Traffic) -> u64) -> Vec<(String, u64)> {
        self.traffic.iter().map(|traffic| (who(traffic.peer.as_ref()), bytes(traffic))).collect()
    }
}

/// A peer as it is named in shares.
fn who(peer: Option<&Peer>) -> String {
    peer.map_or_else(|| OTHERS.to_owned(), ToString::to_string)
}

/// What would be lost with each connected peer.
fn losses(boards: &[KnownBoard], seen: &Seen) -> Vec<Loss> {
    let firsts: u64 = seen.firsts.iter().map(|first| first.events).sum();
    let received: u64 = seen.traffic.iter().map(|traffic| traffic.received).sum();
    let networks = networks(&seen.peers);
    let loss = |peer: &PeerInfo| {
        let is_it = |other: &Option<Peer>| other.as_ref() == Some(&peer.peer);
        let only_copy = boards
            .iter()
            .filter(|board| peer.boards.contains(&board.space) && followers(board.space, &seen.peers) == 1)
            .map(|board| board.name.clone());
        let network = network(peer);
        let only_of_network = networks.get(&network) == Some(&1) && networks.len() > 1;
        Loss {
            peer_id: peer.peer.to_string(),
            only_copy_of: only_copy.collect(),
            first_deliveries: part(
                seen.firsts.iter().filter(|first| is_it(&first.peer)).map(|first| first.events).sum(),
                firsts,
            ),
            received: part(
                seen.traffic.iter().filter(|traffic| is_it(&traffic.peer)).map(|traffic| traffic.received).sum(),
                received,
            ),
            only_of_network: only_of_network.then_some(network),
        }
    };
    let mut losses: Vec<Loss> = seen.peers.iter().map(loss).collect();
    losses.sort_by(|one, other| {
        let copies = other.only_copy_of.len().cmp(&one.only_copy_of.len());
        copies.then(other.first_deliveries.total_cmp(&one.first_deliveries)).then(one.peer_id.cmp(&other.peer_id))
    });
    losses.truncate(NAMED_MAX);
    losses
}

/// How much an author wrote: posts, comments, votes.
type Written = [u64; 3];

/// By space number and author number. One event of an author is remembered, to learn the author's key.
type Counted = BTreeMap<u32, BTreeMap<u32, (Written, EventId)>>;

fn count(context: &Context, boards: &[KnownBoard], window: Window) -> Result<Counted, ApiError> {
    let mut counted = Counted::new();
    for board in boards {
        if let Some(number) = context.store.number_of_space(board.space)? {
            counted.insert(number, BTreeMap::new());
        }
    }
    context.store.each_row(|row| {
        let is_held = matches!(row.presence, Presence::Held | Presence::BodyDropped);
        let which = match row.tag {
            tag::POST => 0,
            tag::COMMENT => 1,
            tag::VOTE => 2,
            _ => return Ok(()),
        };
        if is_held
            && (window.since_ms..=window.until_ms).contains(&row.created_ms)
            && let Some(of_board) = counted.get_mut(&row.space)
        {
            of_board.entry(row.author).or_insert(([0; 3], row.id)).0[which] += 1;
        }
        Ok(())
    })?;
    Ok(counted)
}

fn of_board(context: &Context, board: &KnownBoard, counted: &Counted, seen: &Seen) -> Result<PowerOf, ApiError> {
    let number = context.store.number_of_space(board.space)?;
    let authors: Vec<(Written, EventId)> =
        number.and_then(|number| counted.get(&number)).into_iter().flat_map(|of| of.values().copied()).collect();
    let firsts = seen.firsts.iter().filter(|first| first.space == board.space);
    let charter = if board.is_open() { None } else { context.store.event(&EventId(board.space.0))? };
    let stewards = charter.and_then(|stored| match stored.event.kind() {
        Kind::Charter(charter) => Some(charter.stewards.len() as u64),
        _ => None,
    });
    Ok(PowerOf {
        board: Some(board.space.to_string()),
        board_name: Some(board.name.clone()),
        board_look_alike: board.look_alike,
        stewards,
        followers: Some(followers(board.space, &seen.peers)),
        ..power_of(context, &authors, firsts)?
    })
}

fn followers(board: SpaceId, peers: &[PeerInfo]) -> u64 {
    peers.iter().filter(|peer| peer.boards.contains(&board)).count() as u64
}

fn of_all(context: &Context, boards: &[KnownBoard], counted: &Counted, seen: &Seen) -> Result<PowerOf, ApiError> {
    let mut authors: BTreeMap<u32, (Written, EventId)> = BTreeMap::new();
    for (author, (written, id)) in counted.values().flatten() {
        let (sum, _) = authors.entry(*author).or_insert(([0; 3], *id));
        sum.iter_mut().zip(written).for_each(|(sum, count)| *sum += count);
    }
    let authors: Vec<(Written, EventId)> = authors.into_values().collect();
    let is_meant = |first: &&FirstDeliveries| boards.iter().any(|board| board.space == first.space);
    power_of(context, &authors, seen.firsts.iter().filter(is_meant))
}

fn power_of<'a>(
    context: &Context,
    authors: &[(Written, EventId)],
    firsts: impl Iterator<Item = &'a FirstDeliveries>,
) -> Result<PowerOf, ApiError> {
    let mut peers: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for first in firsts {
        let (events, bytes) = peers.entry(who(first.peer.as_ref())).or_default();
        *events += first.events;
        *bytes += first.bytes;
    }
    let of_kind = |which: usize| figures(authors.iter().map(|(written, _)| written[which]));
    let events = peers.iter().map(|(who, (events, _))| (who.clone(), *events));
    Ok(PowerOf {
        posts: of_kind(0),
        comments: of_kind(1),
        votes: of_kind(2),
        first_deliveries: figures(peers.values().map(|(events, _)| *events)),
        first_bytes: figures(peers.values().map(|(_, bytes)| *bytes)),
        top_authors: top_authors(context, authors)?,
        top_peers: shares(events.collect()),
        ..PowerOf::default()
    })
}

/// The authors with most posts and comments, named.
fn top_authors(context: &Context, authors: &[(Written, EventId)]) -> Result<Vec<Share>, ApiError> {
    let words = |(written, id): &(Written, EventId)| (written[0] + written[1], *id);
    let mut sorted: Vec<(u64, EventId)> = authors.iter().map(words).filter(|(count, _)| *count > 0).collect();
    sorted.sort_unstable_by_key(|entry| std::cmp::Reverse(*entry));
    let total: u64 = sorted.iter().map(|(count, _)| count).sum();
    let mut named = Vec::new();
    for (count, id) in sorted.into_iter().take(NAMED_MAX) {
        let Some(stored) = context.store.event(&id)? else { continue };
        let author: AuthorKey = stored.event.header().author;
        let name = context.store.author_name(&author)?;
        named.push(Share { who: author.to_string(), name, count, share: part(count, total) });
    }
    Ok(named)
}

/// Connected peers by network.
fn networks(peers: &[PeerInfo]) -> BTreeMap<String, u64> {
    let mut networks = BTreeMap::new();
    for peer in peers {
        *networks.entry(network(peer)).or_default() += 1;
    }
    networks
}

fn network(peer: &PeerInfo) -> String {
    group_words(&peer.address).unwrap_or_else(|| NEARBY.to_owned())
}

/// The largest holders.
fn shares(mut holdings: Vec<(String, u64)>) -> Vec<Share> {
    let total: u64 = holdings.iter().map(|(_, count)| count).sum();
    holdings.sort_by(|(one, count), (other, more)| more.cmp(count).then_with(|| one.cmp(other)));
    let share = |(who, count): (String, u64)| Share { who, name: None, count, share: part(count, total) };
    holdings.into_iter().take(NAMED_MAX).map(share).collect()
}

fn part(count: u64, total: u64) -> f64 {
    // Both are far below 2^52.
    if total == 0 { 0.0 } else { count as f64 / total as f64 }
}

fn figures(holdings: impl IntoIterator<Item = u64>) -> Figures {
    let found = Concentration::of(holdings);
    let of_ppm = |ppm: u64| ppm as f64 / WHOLE_PPM as f64;
    Figures {
        total: found.total,
        holders: found.holders,
        top1: of_ppm(found.top1_ppm),
        top10: of_ppm(found.top10_ppm),
        effective: found.effective_milli as f64 / 1000.0,
        nakamoto: found.nakamoto,
        gini: of_ppm(found.gini_ppm),
    }
}

/// What it means for this reader, and what can be done.
fn words(overall: &PowerOf, boards: &[PowerOf], networks: &Figures, seen: &Seen, t: &Explanations) -> Vec<String> {
    let mut words = Vec::new();
    let much = MUCH_PPM as f64 / WHOLE_PPM as f64;
    let percent = |share: f64| (share * 100.0).round() as u64;
    if overall.posts.total >= NOTABLE_MIN && overall.posts.top1 >= much {
        words.push(filled(t.power_one_author, percent(overall.posts.top1), ""));
    }
    if overall.votes.total >= NOTABLE_MIN && overall.votes.nakamoto <= 3 {
        words.push(filled(t.power_few_voters, overall.votes.nakamoto, &overall.votes.holders.to_string()));
    }
    match seen.peers.len() {
        0 => words.push(t.power_no_peer.to_owned()),
        1 => words.push(t.power_one_peer.to_owned()),
        _ if overall.first_deliveries.total >= NOTABLE_MIN && overall.first_deliveries.top1 >= much => {
            words.push(filled(t.power_one_bringer, percent(overall.first_deliveries.top1), ""));
        }
        _ => {}
    }
    if seen.peers.len() > 1 && networks.holders == 1 {
        words.push(t.power_one_network.to_owned());
    }
    for board in boards {
        let name =
            board.board_name.as_deref().filter(|name| !name.is_empty()).or(board.board.as_deref()).unwrap_or_default();
        if board.followers == Some(1) && seen.peers.len() > 1 {
            words.push(filled(t.power_one_copy, "", name));
        }
        if board.stewards == Some(1) {
            words.push(filled(t.power_one_steward, "", name));
        }
    }
    if words.is_empty() {
        words.push(t.power_nobody.to_owned());
    }
    words
}
