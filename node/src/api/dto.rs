//! What the API and its clients say to each other: the objects of `cli/README.md`, as JSON.
//!
//! Distinct from protocol types: these may gain fields at any time. Ids are 64 hex digits, authors `@` and 52 base32
//! digits, times unix milliseconds. Text that came from the network is here as it was written: who shows it to a person
//! sanitises it (`roda_protocol::text`).

mod boards;
mod moving;
mod page;
mod reading;
mod reasons;
mod searching;
mod threads;
mod writing;

pub use boards::*;
pub use moving::*;
pub use page::*;
pub use reading::*;
pub use reasons::*;
pub use searching::*;
pub use threads::*;
pub use writing::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What every failed call answers, under the key `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// An error for programs (`code`) and people (`message`, `hint`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A stable word: `not_found`, `ambiguous`, `invalid`, `too_large`, `not_followed`, `unreachable`, `expired`,
    /// `other_network`, `not_logged_in`, `no_web_page`, `busy`, `storage`, `internal`.
    pub code: String,
    /// What happened and why.
    pub message: String,
    /// What to do next; may be empty.
    pub hint: String,
}

/// `GET /api/v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The node's libp2p name.
    pub peer_id: String,
    /// Who writes here.
    pub author: String,
    /// The network's name.
    pub network: String,
    /// Seconds since the node started.
    pub uptime_s: u64,
    /// Connected peers.
    pub peers: u64,
    /// Followed boards.
    pub boards: u64,
    /// Events held.
    pub events: u64,
    /// Bytes on disk: log and index.
    pub disk_bytes: u64,
    /// Version of the node.
    pub version: String,
    /// The node's process.
    pub pid: u32,
    /// Addresses on which peers reach it.
    pub listen: Vec<String>,
    /// Whether others can reach it: `public`, `relayed`, `unreachable`, `unknown`, or `machine` on a network that is on
    /// this machine alone, or `hidden` behind a proxy.
    #[serde(default)]
    pub reachability: String,
    /// Addresses at which others have reached it.
    #[serde(default)]
    pub confirmed: Vec<String>,
    /// Peers through which it is reached.
    #[serde(default)]
    pub relays: Vec<String>,
    /// How much of the index is there, percent, while it is made anew from the log: as much is shown. `null` when it is
    /// whole.
    #[serde(default)]
    pub remade_percent: Option<u8>,
    /// Where the web page is served; null if it is not.
    #[serde(default)]
    pub web: Option<WebDoor>,
    /// What the node has to say of its own state, such as an index that was rebuilt.
    pub notices: Vec<String>,
    /// Counters by name, for curious people and tests.
    pub counters: std::collections::BTreeMap<String, u64>,
}

/// The web page's door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebDoor {
    /// The beginning of its addresses, for a browser on this machine.
    pub url: String,
    /// SHA-256 of its certificate, as browsers show it; null if it speaks no TLS, and is for this machine alone.
    pub certificate: Option<String>,
}

/// `GET /api/v1/doctor`, and `roda doctor`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Diagnosis {
    /// How many of the findings are problems.
    pub problems: u64,
    /// What was looked at.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What: `files`, `disk`, `storage`, `search`, `listening`, `reachability`, `peers`, `clock`, `network`, `node`, `notice`.
    pub check: String,
    /// How it is.
    pub state: FindingState,
    /// In words.
    pub message: String,
    /// The line that mends it, if one is known: a command, or what to do.
    pub fix: Option<String>,
}

/// How a thing is that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingState {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// To be mended.
    Problem,
}

/// Answer of `POST /api/v1/web`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebLink {
    /// A login link that works once, for a minute.
    pub url: String,
    /// SHA-256 of the page's certificate, as browsers show it; null if it speaks no TLS.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// Answer of `POST /api/v1/shutdown`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Stopping {
    /// True: the node ends once the calls under way have ended.
    pub stopping: bool,
}

/// `GET /api/v1/identity`, `POST /api/v1/identity`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// Who writes here.
    pub author: String,
    /// The name in its profile.
    pub name: Option<String>,
}

/// Body of `POST /api/v1/identity`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SetName {
    /// The new name, at most 32 characters.
    pub name: String,
}

/// A board that was founded, opened, followed or left.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BoardRef {
    /// Its id.
    pub board: String,
    /// Its name here; empty while its charter has not arrived.
    pub name: String,
    /// Whether its name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub look_alike: bool,
}

/// Body of `POST /api/v1/boards`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NewBoard {
    /// The name, 1 to 32 characters.
    pub name: String,
    /// A line about it.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its rules.
    #[serde(default)]
    pub rules: Vec<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Bits of work that its events need; the network's default without.
    pub work: Option<u8>,
    /// Whether peers that ask are told of it from the first day.
    #[serde(default)]
    pub listed: bool,
}

/// Body of `POST /api/v1/boards/open`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OpenBoard {
    /// The name; equal names are equal boards on every node.
    pub name: String,
}

/// Body of `POST /api/v1/follow` and `POST /api/v1/unfollow`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BoardSelector {
    /// A full id, a unique prefix, or a local name.
    pub board: String,
}

/// One of `GET /api/v1/boards`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Board {
    /// Its id.
    pub board: String,
    /// Its name here; empty while its charter has not arrived.
    pub name: String,
    /// Whether its name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub look_alike: bool,
    /// `charter` or `open`.
    pub kind: String,
    /// Whether this node follows it.
    pub followed: bool,
    /// Events held.
    pub events: u64,
    /// Threads held.
    pub threads: u64,
    /// Comments and posts of others that were not read here.
    pub unread: u64,
    /// The charter's title.
    pub title: Option<String>,
    /// How long its words are kept here: `forever`, `30d`, `2GiB`.
    #[serde(default)]
    pub keep: String,
    /// Whether peers that ask are told of it: `off`, `on` (people here said so) or `found` (it was found that way).
    #[serde(default)]
    pub listing: String,
    /// What of it may be missing.
    #[serde(default)]
    pub completeness: Completeness,
}

/// What may be missing. Never says more than was compared.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Completeness {
    /// Events of the thread, or of the board, that are stored here.
    pub held: u64,
    /// Events of the board that this node knows and chose not to store.
    pub declined: u64,
    /// Ids that are named and not here: by events of the thread; of a board, those that are being asked for.
    pub missing: Vec<String>,
    /// Of the peers asked, those whose set of the board was equal to this node's, as both were then.
    pub peers_equal: u32,
    /// Connected peers with whom the board was compared.
    pub peers_asked: u32,
    /// When the oldest of these comparisons took place; 0: there is none.
    pub checked_ms: u64,
}

/// One of `GET /api/v1/peers`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeerEntry {
    /// Its libp2p name.
    pub peer_id: String,
    /// Where it is.
    pub addr: String,
    /// `outbound` or `inbound`.
    pub direction: String,
    /// Connected since.
    pub since_ms: u64,
    /// Ids of the followed boards that it follows too.
    pub boards: Vec<String>,
    /// Round trip of the last ping; null before the first.
    pub latency_ms: Option<u64>,
}

/// Body of `POST /api/v1/connect`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Connect {
    /// A multiaddr, such as `/ip4/192.0.2.7/tcp/7716`.
    pub address: String,
}

/// `POST /api/v1/keep`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeepAsk {
    /// A full id, a unique prefix, or a local name.
    pub board: String,
    /// `forever`, days such as `30d`, or a size such as `2GiB`.
    pub keep: String,
}

/// How long the words of a board are kept on this node.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Keeping {
    /// Its id.
    pub board: String,
    /// Its name here.
    pub name: String,
    /// Whether its name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub look_alike: bool,
    /// As in [`Board`].
    pub keep: String,
}

/// Body of `POST /api/v1/listing`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ListingAsk {
    /// A full id, a unique prefix, or a local name: of a charter board that is followed.
    pub board: String,
    /// Whether peers that ask are told of it.
    pub listed: bool,
}

/// Whether peers that ask are told of a board.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ListingState {
    /// Its id.
    pub board: String,
    /// Its name here.
    pub name: String,
    /// Whether its name can be taken for the name of another board here: its id tells them apart.
    #[serde(default)]
    pub look_alike: bool,
    /// As in [`Board`].
    pub listing: String,
}

/// One of `GET /api/v1/directory?words=&limit=&after=`: a board that connected peers list. What its charter says is the founder's
/// word; the figures are that of the peers, of each the median.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DirectoryEntry {
    /// Its id.
    pub board: String,
    /// Its name. Others may have the same.
    pub name: String,
    /// Whether its name can be taken for the name of another board that is known here, or is on the same page.
    #[serde(default)]
    pub look_alike: bool,
    /// The charter's title; empty if it has none, or its words did not come along.
    pub title: String,
    /// What it is for; empty as the title.
    pub description: String,
    /// BCP 47 tag; may be empty.
    pub language: String,
    /// Its stewards.
    pub stewards: Vec<String>,
    /// Peers that list it: those of the last day, at most 8 of each network and 32 in all.
    pub known_by: u32,
    /// In how many networks these peers are.
    pub networks: u32,
    /// Events that they know there.
    pub events: u64,
    /// Threads that they have there.
    pub threads: u64,
    /// The day of the newest event, such as `2026-11-30` (UTC); null if there is none.
    pub last_active_day: Option<String>,
    /// Whether this node follows it.
    pub followed: bool,
}

/// Answer of `POST /api/v1/connect`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Connected {
    /// The peer that answered.
    pub peer_id: String,
}

/// Body of `POST /api/v1/invites`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NewInvite {
    /// The board, as in [`BoardSelector`]; the only one that is followed if none is named.
    pub board: Option<String>,
    /// Milliseconds until it is void; a week if nothing is said.
    pub life_ms: Option<u64>,
    /// Whether to name the author who writes here as one to trust.
    #[serde(default)]
    pub as_me: bool,
}

/// Answer of `POST /api/v1/invites`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InviteMade {
    /// The whole text of the invite.
    pub invite: String,
    /// From when on it is void.
    pub expires_ms: u64,
    /// The board's id.
    pub board: String,
    /// The board's name.
    pub name: String,
    /// The network's name.
    pub network: String,
    /// Every address in it, with `/p2p/`, this node's first.
    pub addresses: Vec<String>,
    /// From where the best of this node's addresses looks reachable: `everywhere`, `local_network` or `this_machine`.
    pub range: String,
    /// What others have shown of it, as in [`Status`].
    pub reachability: String,
}

/// Body of `POST /api/v1/join`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Join {
    /// The text of an invite.
    pub invite: String,
}

/// Answer of `POST /api/v1/join`: the board is followed, and every address was dialled.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Joined {
    /// The board's id.
    pub board: String,
    /// Its name, as the invite says.
    pub name: String,
    /// Whether this node made the invite.
    pub is_own: bool,
    /// What became of each address.
    pub dials: Vec<Dialled>,
}

/// What became of an address.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Dialled {
    /// The address.
    pub address: String,
    /// The peer that answered; null if none did.
    pub peer_id: Option<String>,
    /// Why none did; null if one did.
    pub error: Option<String>,
}

/// Body of `POST /api/v1/sync`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SyncAsk {
    /// One board, or all that are followed.
    pub board: Option<String>,
    /// Seconds to wait for the comparisons to end at most.
    pub wait_s: Option<u64>,
}

/// One of the answer of `POST /api/v1/sync`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SyncReport {
    /// The board.
    pub board: String,
    /// Events known afterwards.
    pub events: u64,
    /// Connected followers that were asked.
    pub peers_asked: u32,
    /// Those whose set was equal in the end.
    pub peers_equal: u32,
    /// Events received.
    pub received: u64,
    /// Events sent.
    pub sent: u64,
    /// Requests that were answered.
    pub rounds: u64,
    /// Bytes of requests and responses.
    pub bytes: u64,
    /// Events of the board that are stored here.
    pub held: u64,
    /// Events of the board that this node knows and chose not to store.
    pub declined: u64,
    /// Ids that are named or listed by others, not here, and being asked for.
    pub missing: Vec<String>,
    /// When the oldest of the comparisons with the peers that are connected took place; 0: there is none.
    pub checked_ms: u64,
}

/// One line of `GET /api/v1/events`: what happens in the node, as it happens.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum NodeEvent {
    /// A new event is held.
    Admitted {
        /// The event.
        id: String,
        /// Its space.
        board: String,
        /// What it is.
        kind: String,
    },
    /// A new event is known and, by this node's choice, not stored.
    Declined {
        /// The event.
        id: String,
        /// Its space.
        board: String,
        /// What it is.
        kind: String,
        /// Whose choice.
        why: String,
    },
    /// A peer came.
    Connected {
        /// Which.
        peer_id: String,
        /// Where.
        addr: String,
    },
    /// A peer went.
    Disconnected {
        /// Which.
        peer_id: String,
    },
    /// The reader of these lines was too slow and missed some.
    Lagged {
        /// How many.
        missed: u64,
    },
}
