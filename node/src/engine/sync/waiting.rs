//! People who wait for comparisons: who asked, which sessions they wait for, and what these have shown so far.

use super::session::Session;
use crate::engine::{Answer, Engine, ReplyTo, SyncSummary};
use crate::peer::Peer;
use roda_protocol::id::SpaceId;
use roda_protocol::time::Now;
use std::collections::{BTreeMap, BTreeSet};

/// One question.
#[derive(Debug)]
struct Question {
    reply: ReplyTo,
    space: Option<SpaceId>,
    peers: BTreeSet<Peer>,
    /// Only sessions from this number on count: they began after the question.
    since: u64,
    deadline_ms: u64,
    sums: BTreeMap<SpaceId, SyncSummary>,
}

/// All of them. Their number is bounded by the inbox.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Question>);

impl Waiting {
    pub(super) fn forget_peer(&mut self, peer: &Peer) {
        self.0.iter_mut().for_each(|question| {
            question.peers.remove(peer);
        });
    }

    /// A session has ended: counts it for those who wait for its peer.
    pub(super) fn ended(&mut self, session: &Session) {
        for question in &mut self.0 {
            if session.number < question.since || !question.peers.remove(&session.peer) {
                continue;
            }
            for (space, tally) in &session.tallies {
                let sum = question.sums.entry(*space).or_default();
                sum.peers_asked += 1;
                sum.peers_equal += u32::from(tally.is_equal);
                sum.received += tally.received;
                sum.sent += tally.sent;
                sum.rounds += tally.rounds;
                sum.bytes += tally.bytes;
            }
        }
    }
}

impl Engine {
    /// People ask to compare with everyone now.
    pub(crate) fn sync_asked(&mut self, space: Option<SpaceId>, wait_ms: u64, reply: ReplyTo, now: Now) {
        let peers: BTreeSet<Peer> = self.peers.names().into_iter().collect();
        for peer in &peers {
            self.syncs.schedule.asked(peer, now);
        }
        let since = self.syncs.next_number;
        let deadline_ms = now.steady_ms.saturating_add(wait_ms);
        self.syncs.waiting.0.push(Question { reply, space, peers, since, deadline_ms, sums: BTreeMap::new() });
        self.start_due(now);
        self.answer_waiting(now);
    }

    /// Answers people whose comparisons have ended or whose patience has.
    pub(super) fn answer_waiting(&mut self, now: Now) {
        let questions = std::mem::take(&mut self.syncs.waiting.0);
        for mut question in questions {
            if !question.peers.is_empty() && question.deadline_ms > now.steady_ms {
                self.syncs.waiting.0.push(question);
                continue;
            }
            let boards = self.follows.keys().filter(|board| question.space.is_none_or(|space| space == **board));
            let sums = boards
                .map(|board| SyncSummary { space: Some(*board), ..question.sums.remove(board).unwrap_or_default() })
                .collect();
            self.reply(question.reply, Answer::Synced(sums));
        }
    }
}
