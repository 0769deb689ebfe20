//! Why things are as they are, and how concentrated a node's world is.

use super::{Hidden, Rule, Votes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/events/{id}/why`: everything that this node knows of how an event came to be shown as it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyReport {
    /// The event.
    pub id: String,
    /// What it is: `post`, `comment`, ...
    pub kind: String,
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// Who wrote it.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// Whether the name can be taken for another author's: of somebody whom the reader follows, or
    /// the reader's own.
    #[serde(default)]
    pub look_alike: bool,
    /// Whether this node's author wrote it.
    pub mine: bool,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// Its signature, checked again for this answer.
    pub signature: SignatureReport,
    /// When this node stored it, by its own clock.
    pub received_ms: u64,
    /// From whom it came first.
    pub brought: Brought,
    /// What is stored: `held`, `words_missing`, `taken_back`.
    pub stored: String,
    /// What it waits for: events that it builds on and that are not here, or itself if its words are missing.
    pub waits_for: Vec<String>,
    /// The post of its thread; null if it belongs to none.
    pub thread: Option<String>,
    /// Raw votes on it, if it is a post or comment.
    pub votes: Option<Votes>,
    /// By whom and why it is hidden; null if it is not.
    pub hidden: Option<Hidden>,
    /// What the reader's own rules come to: the sum of their points.
    pub points: i32,
    /// The reader's rules that fit it.
    pub rules: Vec<Rule>,
    /// The place of its thread in each order of its board.
    pub ranks: Vec<Rank>,
}

/// A signature.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignatureReport {
    /// Whether it holds.
    pub valid: bool,
    /// `root`: the author's own key signed; `device`: a device that the author has certified.
    pub signer: String,
    /// The key that signed, 64 hex digits.
    pub key: String,
    /// When the device's certificate ends; null without a device.
    pub expires_ms: Option<u64>,
    /// Leading zero bits of work.
    pub work_bits: u8,
    /// Bytes of the whole event.
    pub bytes: u64,
}

/// From whom an event came first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Brought {
    /// `peer`; `here`: it was written on this node; `not_recorded`: it came before the node started, was imported, or is not among
    /// the last 32,768.
    pub by: String,
    /// The peer.
    pub peer_id: Option<String>,
}

/// A thread's place in an order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rank {
    /// The order.
    pub sort: String,
    /// Its formula, in words.
    pub formula: String,
    /// 1 is the first.
    pub place: u64,
    /// So many threads were put in order: the board's newest 10,000 at most.
    pub of: u64,
    /// The post's time, or now if that is ahead of it.
    pub created_ms: u64,
    /// The newest comment's time, or the post's.
    pub active_ms: u64,
    /// Votes up less votes down, with the reader's own points.
    pub score: i64,
    /// What the score is worth in `hot`, milliseconds.
    pub votes_ms: i64,
    /// In `balanced`: threads of the same author that stand higher in `hot`.
    pub same_author_above: u32,
    /// In `balanced`: how far it stands back for them, milliseconds.
    pub back_ms: i64,
}

/// `GET /api/v1/power?board=&days=`: how concentrated this node's world is, from what this node itself has seen.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Power {
    /// Authorship counts events dated from here on, as their authors claim.
    pub since_ms: u64,
    /// Up to here.
    pub until_ms: u64,
    /// Days between.
    pub days: u64,
    /// What peers brought is counted from here on: since the node started.
    pub started_ms: u64,
    /// All boards together.
    pub overall: PowerOf,
    /// Each board that was looked at.
    pub boards: Vec<PowerOf>,
    /// Who is connected, by the network of the address: /16 of IPv4, /32 of IPv6; all on this machine and nearby are one.
    pub networks: Vec<Share>,
    /// How concentrated those are.
    pub network_concentration: Figures,
    /// Bytes of messages, requests and answers by the peer that they came from.
    pub received: Figures,
    /// Bytes of requests and answers by the peer that they went to.
    pub sent: Figures,
    /// The peers that most came from.
    pub top_received: Vec<Share>,
    /// The peers that most went to.
    pub top_sent: Vec<Share>,
    /// Connected peers.
    pub peers: u64,
    /// What would be lost with each connected peer, the greatest loss first.
    pub losses: Vec<Loss>,
    /// What it means, in plain words, and what the reader can do.
    pub words: Vec<String>,
}

/// How concentrated a board is, or all of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PowerOf {
    /// The board; null: all that were looked at.
    pub board: Option<String>,
    /// Its name here.
    pub board_name: Option<String>,
    /// Whether that name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub board_look_alike: bool,
    /// Stewards whom its charter names; null of open boards, of all boards, and if it is not here.
    pub stewards: Option<u64>,
    /// Connected peers that follow it; null of all boards.
    pub followers: Option<u64>,
    /// Posts by author.
    pub posts: Figures,
    /// Comments by author.
    pub comments: Figures,
    /// Votes by author.
    pub votes: Figures,
    /// Events by the peer that brought them first.
    pub first_deliveries: Figures,
    /// Their bytes by that peer.
    pub first_bytes: Figures,
    /// The authors with most posts and comments.
    pub top_authors: Vec<Share>,
    /// The peers that brought most events first.
    pub top_peers: Vec<Share>,
}

/// What would be lost if a connected peer were gone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Loss {
    /// Which.
    pub peer_id: String,
    /// Names here of the boards of which no other connected peer has a copy.
    pub only_copy_of: Vec<String>,
    /// Its part of the events that peers brought first, from 0 to 1: these would have come later, or never.
    pub first_deliveries: f64,
    /// Its part of the bytes that were received.
    pub received: f64,
    /// Its network, if it is the only connected peer there.
    pub only_of_network: Option<String>,
}

/// What one holds of a whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// An author's key, a peer's name, or a network.
    pub who: String,
    /// The author's name.
    pub name: Option<String>,
    /// How much.
    pub count: u64,
    /// Its part of the whole, from 0 to 1.
    pub share: f64,
}

/// Figures of a whole, as `roda_protocol::concentration` computes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// The whole.
    pub total: u64,
    /// How many have any of it.
    pub holders: u64,
    /// The largest holder's share, from 0 to 1.
    pub top1: f64,
    /// The ten largest holders' share.
    pub top10: f64,
    /// The effective number of holders: 1 / sum of squared shares.
    pub effective: f64,
    /// The fewest holders that have more than half.
    pub nakamoto: u64,
    /// The Gini coefficient: 0 if all holders have the same.
    pub gini: f64,
}
