//! Probes: who takes a place in a mesh of gossip and has nothing of what others bring.
//!
//! Gossipsub's own measure of that (P3) counts messages against a threshold, so that it punishes whoever is on a quiet
//! board. Here every [`PERIOD_MS`] a sample of what gossip brought within the last hour is held against each mesh peer. A
//! peer has an event of the sample when it has brought a copy of it by gossip, or when it gives its header on demand. If it
//! lacks more than a quarter of what at least [`OTHERS_MIN`] others have brought, this node compares sets with it at once,
//! which offers it all of them; if it lacks as much at the next probe, it loses points in gossip's score until a probe
//! goes well, and an hour at most. The points cost it its places in meshes and nothing else.
//!
//! # What counts, and what doesn't
//!
//! *A copy* is proof: whoever brings one forwards. *No copy* is no proof of anything. Of two neighbours the slower one never
//! has anything new for the quicker; who has heard of a large message through an announcement (IDONTWANT) keeps its copy to
//! itself, as it should; and a peer that has no other neighbour than this node has never anything to bring. Counting copies
//! alone would punish all of these. So who has brought no copy is asked.
//!
//! The question is a `Get`, not a `Holds`. A yes costs a liar nothing, a header only who has kept it; and an honest node
//! says no to `Holds` of what it has declined, while it gives the header of that, too: a node's own taste is no offence.
//!
//! Only that is asked which an honest peer has to know: events that gossip brought to this node and that this node passed
//! on, on boards whose topic the peer had joined before, at least [`SETTLED_MS`] ago by arrival and by the author's date. By
//! then clocks that are ten minutes wrong have let it in. Who joined just now, who follows other boards, and who is on a
//! board where hardly anything happens has no sample of [`SAMPLE_MIN`], and is not judged.
//!
//! # What this finds, and what it can't
//!
//! It finds peers that take everything and keep nothing, that answer no questions, that hide a good part of a board, and
//! that lie about what they hold. It doesn't find a peer that keeps everything, gives it to whoever compares, and forwards
//! nothing. Seen from here that is a peer behind this node, honest as it is, to the last message: whatever rule punished the
//! one would punish the other. What it costs is bounded by other means: being first is worth something in the score, so that
//! a mesh of which half never is tries others; what a mesh doesn't bring is announced by peers outside of it within a
//! second or so; and comparison with random partners brings the rest, from that very peer, too.

mod brought;

use super::random::Random;
use super::{Engine, Output};
use crate::peer::Peer;
use brought::Brought;
use roda_protocol::event::Signed;
use roda_protocol::gossip;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::limits::{EVENT_BYTES_MAX, SYNC_EVENTS_BYTES_MAX};
use roda_protocol::time::Now;
use roda_protocol::wire::{Request, Response};
use std::collections::{BTreeMap, BTreeSet};

/// The name of a gossip message: see [`gossip::message_id`].
pub type MessageName = [u8; 20];

/// A mesh peer is probed this often, milliseconds: twelve samples within the hour that they are drawn from.
const PERIOD_MS: u64 = 300_000;

/// A question that got no answer is asked again after this: longer than the network waits for one. Ten of them fit into a
/// period, so that neither a lost answer nor a busy minute is taken for ignorance.
const REPEAT_MS: u64 = 30_000;

/// How long an event is left alone, by arrival and by its date, milliseconds: clocks may be ten minutes wrong before what
/// they let in is deferred, and comparison needs a while.
const SETTLED_MS: u64 = 600_000;

/// Events that are older than this are not asked for.
const FRESH_MS: u64 = 3_600_000;

/// Events of a sample.
const SAMPLE_MAX: usize = 32;

/// With fewer than this nothing is said of a peer: one or two missing events are a mishap.
const SAMPLE_MIN: usize = 8;

/// Other peers that have brought an event before a peer is expected to have it.
const OTHERS_MIN: usize = 3;

/// One in so many may be missing.
const MISSED_SHARE: usize = 4;

/// A peer that lost points has them back after this, milliseconds, if no probe has said otherwise.
const FORGIVEN_MS: u64 = 3_600_000;

/// Peers that have lost points, connected or not. Who lost them first makes room.
const MARKED_MAX: usize = 256;

/// How often the timers are looked at.
const LOOK_MS: u64 = 1000;

const _: () = {
    assert!(REPEAT_MS * 10 <= PERIOD_MS);
    assert!(SETTLED_MS + 2 * PERIOD_MS < FRESH_MS);
    assert!(SAMPLE_MIN > MISSED_SHARE);
};

/// A probe that waits for answers.
#[derive(Debug, Default)]
struct Running {
    /// Events that the peer has.
    has: usize,
    /// Those that it didn't give.
    lacks: usize,
    /// Those that it has not said anything of.
    open: BTreeMap<SpaceId, Vec<EventId>>,
    asked_ms: u64,
}

/// What probes are about one peer.
#[derive(Debug)]
struct Probed {
    next_ms: u64,
    running: Option<Running>,
    /// The last probe went badly.
    is_suspect: bool,
}

/// What a probe has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// Nothing: there was too little to ask for.
    TooLittle,
    /// The peer has what others brought.
    Has,
    /// It lacks too much of it.
    Lacks,
}

impl Running {
    /// What is open when the time is over counts as lacking.
    fn finding(&self) -> Finding {
        let lacks = self.lacks + self.open.values().map(Vec::len).sum::<usize>();
        match self.has + lacks {
            asked if asked < SAMPLE_MIN => Finding::TooLittle,
            asked if lacks * MISSED_SHARE > asked => Finding::Lacks,
            _ => Finding::Has,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Probes {
    /// Its own stream: what is drawn here changes nothing elsewhere.
    random: Random,
    brought: Brought,
    /// Peers in this node's meshes, as the network told last.
    mesh: BTreeSet<Peer>,
    probed: BTreeMap<Peer, Probed>,
    /// Peers that have lost points, and when they have them back.
    marked: BTreeMap<Peer, u64>,
    looked_ms: u64,
}

impl Probes {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            random: Random::new(blake3::derive_key("roda probes", &seed)),
            brought: Brought::default(),
            mesh: BTreeSet::new(),
            probed: BTreeMap::new(),
            marked: BTreeMap::new(),
            looked_ms: 0,
        }
    }

    /// A peer has gone. Its points are not given back by that.
    pub(super) fn forget_peer(&mut self, peer: &Peer) {
        self.mesh.remove(peer);
        self.probed.remove(peer);
    }

    /// A space is followed no more.
    pub(super) fn forget_space(&mut self, space: SpaceId) {
        self.brought.forget_space(space);
    }

    /// The network starts anew, and has forgotten all points.
    pub(super) fn network_restarted(&mut self) {
        self.marked.clear();
    }

    pub(super) fn marked(&self) -> usize {
        self.marked.len()
    }
}

impl Engine {
    /// Gossip brought a new event, and it is passed on.
    pub(super) fn was_brought(&mut self, peer: &Peer, bytes: &[u8], id: EventId, now: Now) {
        let Some(arrival) = self.staged.last().filter(|arrival| arrival.event.id() == id) else { return };
        let (space, created_ms) = (arrival.event.space(), arrival.event.header().created_ms);
        if self.follows.contains_key(&space) {
            let Probes { brought, random, .. } = &mut self.probes;
            brought.came(gossip::message_id(bytes), (id, space, created_ms), peer, random, now);
        }
    }

    /// Further copies of messages came.
    pub(super) fn copies_came(&mut self, copies: &[(Peer, MessageName)]) {
        copies.iter().for_each(|(peer, name)| self.probes.brought.copy_came(peer, name));
    }

    /// These peers are in the meshes now.
    pub(super) fn meshed(&mut self, peers: Vec<Peer>) {
        self.probes.mesh = peers.into_iter().filter(|peer| self.peers.contains(peer)).collect();
    }

    pub(super) fn tick_probes(&mut self, now: Now) {
        if self.probes.looked_ms + LOOK_MS > now.steady_ms {
            return;
        }
        self.probes.looked_ms = now.steady_ms;
        self.forgive(now);
        let marked = self.probes.marked.keys().filter(|peer| self.peers.contains(peer));
        let peers: BTreeSet<Peer> = self.probes.mesh.iter().chain(marked).cloned().collect();
        for peer in peers {
            let Probes { random, probed, .. } = &mut self.probes;
            let probed = probed.entry(peer.clone()).or_insert_with(|| Probed {
                next_ms: now.steady_ms + random.below(PERIOD_MS),
                running: None,
                is_suspect: false,
            });
            if probed.next_ms <= now.steady_ms {
                probed.next_ms = now.steady_ms + PERIOD_MS;
                self.end_probe(&peer, now);
                self.begin_probe(&peer, now);
            } else if let Some(running) = probed.running.as_mut()
                && running.asked_ms + REPEAT_MS <= now.steady_ms
            {
                running.asked_ms = now.steady_ms;
                self.ask_open(&peer);
            }
        }
    }

    fn begin_probe(&mut self, peer: &Peer, now: Now) {
        let (network, peers) = (self.network, &self.peers);
        let since = |space| peers.listens_since(peer, &gossip::board_topic(&network, space));
        let Probes { brought, random, probed, .. } = &mut self.probes;
        let Some(probed) = probed.get_mut(peer) else { return };
        let (has, open) = brought.sample(peer, since, random, now);
        if has + open.values().map(Vec::len).sum::<usize>() < SAMPLE_MIN {
            return;
        }
        probed.running = Some(Running { has, lacks: 0, open, asked_ms: now.steady_ms });
        self.count("probes");
        self.ask_open(peer);
        self.end_if_all_is_said(peer, now);
    }

    fn ask_open(&mut self, peer: &Peer) {
        let running = self.probes.probed.get(peer).and_then(|probed| probed.running.as_ref());
        let open = running.map(|running| running.open.clone()).unwrap_or_default();
        for (space, ids) in open {
            self.ask_shown(peer.clone(), space, Request::Get { space, ids });
        }
    }

    /// A peer answered, or didn't. No answer is waited for again; so is one that says nothing.
    pub(super) fn shown(&mut self, peer: &Peer, space: SpaceId, response: Option<Response>, now: Now) {
        let Some(Response::Events { events, answered }) = response else { return };
        let Probes { brought, probed, .. } = &mut self.probes;
        let Some(running) = probed.get_mut(peer).and_then(|probed| probed.running.as_mut()) else { return };
        let Some(ids) = running.open.remove(&space) else { return };
        // Only an answer that has no room for another event may end early.
        let bytes: usize = events.iter().map(|event| event.0.len()).sum();
        let is_full = bytes + EVENT_BYTES_MAX > SYNC_EVENTS_BYTES_MAX;
        let said = if is_full { usize::try_from(answered).unwrap_or(usize::MAX).min(ids.len()) } else { ids.len() };
        let network = self.network;
        let signed = events.iter().filter_map(|event| Signed::decode(&network, &event.0).ok());
        // An id is the hash of its header: nobody makes one up.
        let given: BTreeSet<EventId> = signed.map(|event| event.id()).collect();
        for id in &ids[..said] {
            if given.contains(id) {
                running.has += 1;
                brought.shown(peer, id);
            } else {
                running.lacks += 1;
            }
        }
        if said < ids.len() {
            running.open.insert(space, ids[said..].to_vec());
        }
        self.end_if_all_is_said(peer, now);
    }

    fn end_if_all_is_said(&mut self, peer: &Peer, now: Now) {
        let running = self.probes.probed.get(peer).and_then(|probed| probed.running.as_ref());
        if running.is_some_and(|running| running.open.is_empty()) {
            self.end_probe(peer, now);
        }
    }

    fn end_probe(&mut self, peer: &Peer, now: Now) {
        let Some(probed) = self.probes.probed.get_mut(peer) else { return };
        let Some(running) = probed.running.take() else { return };
        let was_suspect = probed.is_suspect;
        match running.finding() {
            Finding::TooLittle => {}
            Finding::Has => {
                probed.is_suspect = false;
                if self.probes.marked.remove(peer).is_some() {
                    self.mark(peer.clone(), false);
                }
            }
            Finding::Lacks => {
                probed.is_suspect = true;
                self.count("probes_lacking");
                if was_suspect {
                    self.mark_until(peer, now.steady_ms + FORGIVEN_MS);
                }
                // Whatever it lacks it is offered.
                self.sync_now(peer, now);
            }
        }
    }

    pub(super) fn mark_until(&mut self, peer: &Peer, until_ms: u64) {
        let marked = &mut self.probes.marked;
        if marked.insert(peer.clone(), until_ms).is_some() {
            return;
        }
        let first = marked.iter().min_by_key(|(_, until_ms)| **until_ms).map(|(peer, _)| peer.clone());
        let forgiven = first.filter(|_| marked.len() > MARKED_MAX);
        self.count("peers_marked");
        self.mark(peer.clone(), true);
        if let Some(peer) = forgiven {
            self.probes.marked.remove(&peer);
            self.mark(peer, false);
        }
    }

    fn forgive(&mut self, now: Now) {
        let is_over = |(peer, until_ms): (&Peer, &u64)| (*until_ms <= now.steady_ms).then(|| peer.clone());
        let over: Vec<Peer> = self.probes.marked.iter().filter_map(is_over).collect();
        for peer in over {
            self.probes.marked.remove(&peer);
            self.mark(peer, false);
        }
    }

    fn mark(&mut self, peer: Peer, lacks: bool) {
        tracing::debug!(%peer, lacks, "a probe changed what gossip thinks of a peer");
        self.out.push(Output::Mark { peer, lacks });
    }
}
