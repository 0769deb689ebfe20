//! Attacks on a running node, each by real connections, and what they cost it.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `link`, `frames` | a connection that says anything, and gossip's frames by hand |
//! | `crowd` | many of these at a pace, and when each was sent away |
//! | `storms` | attacks by gossip |
//! | `liars` | attacks by what is told of peers |
//! | `relays` | attacks on a node that relays |
//! | `strangers` | attacks on the port, on requests and on places |
//! | `scene` | the node under attack, its honest peers, and what is measured meanwhile |

pub mod crowd;
pub mod frames;
mod liars;
pub mod link;
mod relays;
pub mod scene;
mod storms;
mod strangers;

use crowd::Crowd;
use futures::future::BoxFuture;

/// An attack, by name.
#[derive(Clone, Copy)]
pub struct Attack {
    /// Its name on the command line and in tables.
    pub name: &'static str,
    /// What it does, in words.
    pub what: &'static str,
    /// What whoever does it must come to: whether the node should send it away.
    pub is_forbidden: bool,
    /// Goes on until the crowd's time is up.
    pub run: fn(Crowd) -> BoxFuture<'static, ()>,
}

impl std::fmt::Debug for Attack {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

macro_rules! attacks {
    ($($name:literal $module:ident::$run:ident $forbidden:literal $what:literal,)*) => {
        &[$(Attack {
            name: $name,
            what: $what,
            is_forbidden: $forbidden,
            run: |crowd| Box::pin($module::$run(crowd)),
        },)*]
    };
}

/// All attacks.
pub const ATTACKS: &[Attack] = attacks![
    "nothing" storms::nothing false "for comparison: nobody attacks",
    "invalid-messages" storms::invalid_messages true "50 peers, each 1,000 events a second with broken signatures",
    "valid-spam" storms::valid_spam false "20 peers, each 200 valid events a second by authors of their own, and stale ones again",
    "unfollowed-topics" storms::unfollowed_topics true "10 peers, messages of 60 KB on topics that nobody follows, as fast as they are taken",
    "subscriptions" storms::subscriptions false "10 peers, a million topics in as few frames as carry them",
    "announcements" storms::announcements true "10 peers, 2,000 made-up names a frame, 200 frames a second (IHAVE)",
    "wishes" storms::wishes false "10 peers, 2,000 names a frame, 200 frames a second (IWANT and IDONTWANT)",
    "grafts" storms::grafts true "10 peers, in and out of the mesh, 500 times a second (GRAFT, PRUNE)",
    "backoff" storms::backoff false "10 peers, PRUNE for 2^64 - 1 seconds, and other ends of the range",
    "silence" strangers::silence false "128 connections that say nothing",
    "dribble" strangers::dribble false "128 connections that shake hands at a byte a second",
    "endless-requests" strangers::endless_requests false "20 peers, each 16 requests at a byte a second, none read to the end",
    "oversized-requests" strangers::oversized_requests true "20 peers, frames and messages over their bounds",
    "huge-ranges" strangers::huge_ranges false "20 peers, each 200 times a second everything there is, answers unread",
    "poisoned-exchange" liars::poisoned_exchange false "20 peers, each 50 times a second made-up peers at made-up addresses, and in each answer",
    "eclipse" liars::eclipse false "128 peers that listen, take every place and know only each other",
    "relay-abuse" relays::relay_abuse false "40 peers, each 20 times a second a place at the relay or a circuit, and what it carries",
];
