//! What the API and its clients say to each other: the objects of `cli/README.md`, as JSON.
//!
//! Distinct from protocol types: these may gain fields at any time. Ids are 64 hex digits, authors `@` and 52 base32
//! digits, times unix milliseconds. Text that came from the network is here as it was written: who shows it to a person
//! sanitises it (`roda_protocol::text`).

mod reading;
mod reasons;

pub use reading::*;
pub use reasons::*;

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
    /// What: `files`, `disk`, `storage`, `listening`, `reachability`, `peers`, `clock`, `network`, `node`, `notice`.
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
    /// What of it may be missing.
    #[serde(default)]
    pub completeness: Completeness,
}

/// How long a write waits for other nodes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Wait {
    /// Distinct peers that must hold the event; 0: don't wait.
    #[serde(default)]
    pub peers: u32,
    /// Seconds to wait for them at most.
    #[serde(default)]
    pub timeout_s: u64,
}

/// Body of `POST /api/v1/posts`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewPost {
    /// Where.
    pub board: String,
    /// One line.
    pub title: String,
    /// The text; may be empty.
    #[serde(default)]
    pub text: String,
    /// What it points to.
    pub link: Option<String>,
    /// Up to eight.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/reply`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewReply {
    /// The text.
    pub text: String,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/edit`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewEdit {
    /// The new title of a post; the old one without.
    pub title: Option<String>,
    /// The new text; the old one without.
    pub text: Option<String>,
    /// The new link; the old one without; an empty text removes it.
    pub link: Option<String>,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/retract`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NewRetraction {
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// Body of `POST /api/v1/events/{id}/vote`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewVote {
    /// 1, -1 or 0.
    pub value: i8,
    /// Whether to wait for peers.
    #[serde(default)]
    pub wait: Wait,
}

/// What a write came to. It is on this node's disk when the answer arrives.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// The new event.
    pub id: String,
    /// Its board.
    pub board: String,
    /// `queued`: on disk here. `sent`: handed to at least one peer. `held`: at least one other node confirmed that it
    /// holds it.
    pub state: String,
    /// Distinct peers that confirmed it.
    pub held_by: u32,
    /// Whether the number of peers that was waited for was reached; true if none was.
    pub wait_met: bool,
    /// The event that this one changes or answers, if any.
    pub target: Option<String>,
}

/// One of `GET /api/v1/feed?board=&sort=&range=&hidden=&limit=&before=`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedEntry {
    /// The post.
    pub id: String,
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// The title; empty if the post was retracted or its words are not here.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// Whether the name can be taken for another author's: of somebody on the same page, of somebody whom the reader follows, or
    /// the reader's own.
    #[serde(default)]
    pub look_alike: bool,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// The newest comment's time, or the post's.
    pub active_ms: u64,
    /// Comments held.
    pub comments: u64,
    /// Votes up less votes down, one per author, raw.
    pub score: i64,
    /// Comments of others (and the post itself) that were not read here; 0 in a thread that the reader has muted.
    pub unread: u64,
    /// Whether its author took it back.
    pub retracted: bool,
    /// By whom and why it is hidden; null if it is not. Its title is empty then, unless hidden ones were asked for.
    #[serde(default)]
    pub hidden: Option<Hidden>,
    /// What the reader's own rules add to the score, in orders that count votes.
    #[serde(default)]
    pub points: i32,
    /// Whether the reader watches it.
    #[serde(default)]
    pub watched: bool,
    /// What to pass as `before` to go on behind this entry.
    pub cursor: String,
}

/// `GET /api/v1/threads/{id}?hidden=`: the thread of a post or of any comment in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ThreadPage {
    /// Its board.
    pub board: String,
    /// The board's name here.
    pub board_name: String,
    /// The post.
    pub root: String,
    /// The event that was asked for.
    pub asked: String,
    /// In reading order: each before its answers. The first is the post or the hole in its place.
    pub nodes: Vec<ThreadNode>,
    /// `watch` or `mute`, if the reader has a rule about the thread.
    #[serde(default)]
    pub rule: Option<String>,
    /// What may be missing.
    pub completeness: Completeness,
}

/// A place of a thread.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ThreadNode {
    /// The post or comment.
    pub id: String,
    /// What it answers.
    pub parent: Option<String>,
    /// 0 for the post.
    pub depth: u16,
    /// True for a hole: the event is not here, its answers are below.
    pub missing: bool,
    /// Empty for a hole.
    pub author: String,
    /// The author's name.
    pub name: Option<String>,
    /// Whether the name can be taken for another author's: of somebody on the same page, of somebody whom the reader follows, or
    /// the reader's own.
    #[serde(default)]
    pub look_alike: bool,
    /// The post's title.
    pub title: String,
    /// The text as it stands.
    pub text: String,
    /// The post's link.
    pub link: Option<String>,
    /// The post's tags.
    pub tags: Vec<String>,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// The time of the edit that is shown; null if none.
    pub edited: Option<u64>,
    /// Whether its author took it back.
    pub retracted: bool,
    /// Why the words are not shown, if not for a retraction: null, or who and why.
    pub hidden: Option<Hidden>,
    /// Votes, one per author, raw.
    pub votes: Votes,
    /// Whether it arrived since the thread was read here last.
    pub unread: bool,
    /// Whether this node's author wrote it.
    pub mine: bool,
    /// How many places of the thread stand below it, at any depth. Only where a page was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<u32>,
    /// What the page leaves out directly below it; only where a page was asked for and leaves something out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<MoreBelow>,
}

/// What a page of a thread leaves out below a node, and how it is asked for: `under` this node, `after` that answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MoreBelow {
    /// How many places, at any depth; what is left out below answers that are on the page is counted there.
    pub count: u32,
    /// The last answer to the node that was given, on this page or before; null if none was.
    pub after: Option<String>,
}

/// By whom and why words are not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hidden {
    /// `you` (the reader's own rules), `node`, or `author`.
    #[serde(default)]
    pub by: String,
    /// `dropped` (the words are not on this node); `unreadable` (the author signed bytes that are no text); of the reader's
    /// rules `author`, `thread`, `text` or `points`.
    pub why: String,
    /// The reader's rule that hides it, as in [`Rule`]; of `points` their sum.
    #[serde(default)]
    pub rule: Option<String>,
}

/// Raw votes, one per author.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Votes {
    /// Up.
    pub up: u32,
    /// Down.
    pub down: u32,
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
    /// As in [`Board`].
    pub keep: String,
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

/// One of `GET /api/v1/outbox`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutboxEntry {
    /// An own event.
    pub id: String,
    /// Its board.
    pub board: String,
    /// What it is: `post`, `comment`, ...
    pub kind: String,
    /// As in [`Written`].
    pub state: String,
    /// Distinct peers that confirmed it.
    pub held_by: u32,
    /// When it was written.
    pub created_ms: u64,
}

/// One line of `GET /api/v1/export?board=`, and of the body of `POST /api/v1/import`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportLine {
    /// The event.
    pub id: String,
    /// Its space.
    pub board: String,
    /// What it is.
    pub kind: String,
    /// Who wrote it.
    pub author: String,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// A readable rendering, for people and `grep`; import reads only `bytes`.
    pub text: String,
    /// The event's exact bytes, base64.
    pub bytes: String,
}

/// Answer of `POST /api/v1/import`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// New here.
    pub imported: u64,
    /// Known before.
    pub duplicate: u64,
    /// Neither: damaged, invalid, or of a board that can't be judged without its charter.
    pub rejected: u64,
    /// The first few reasons.
    pub reasons: Vec<String>,
}

/// Body of `POST /api/v1/fsck`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct FsckAsk {
    /// Rebuild the index from the log.
    #[serde(default)]
    pub repair: bool,
}

/// Answer of `POST /api/v1/fsck`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FsckReport {
    /// Events that were read and checked.
    pub events: u64,
    /// One line for each thing that is wrong.
    pub problems: Vec<String>,
    /// Whether the index was rebuilt.
    pub repaired: bool,
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
