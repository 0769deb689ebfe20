//! What own people want of the engine.

use super::admit::Source;
use super::{Answer, Engine, GROUP_EVENTS_MAX, Local, ReplyTo, Verdict};
use crate::store::{Listing, LocalRecord, SpaceRow};
use roda_protocol::id::SpaceId;
use roda_protocol::time::Now;

impl Engine {
    pub(super) fn local(&mut self, ask: Local, reply: ReplyTo, now: Now) {
        let answer = match ask {
            Local::Write { .. } => return,
            Local::Import { events } => self.import(&events, now),
            Local::Follow { space, open_name } => self.follow(space, open_name, now),
            Local::Unfollow { space } => self.unfollow(space),
            Local::Keep { space, keep } => self.note(&[LocalRecord::Keep { space, keep }]),
            Local::List { space, is_on } => self.list(space, is_on),
            Local::Directory => self.look_at_directory(now),
            Local::Read { root, position } => self.note(&[LocalRecord::Read { root, position }]),
            Local::Note { records } => self.note(&records),
            Local::Want { space, ids } => {
                ids.into_iter().for_each(|id| self.wants.add(space, id, None));
                Answer::Done
            }
            Local::Sync { space, wait_ms } => return self.sync_asked(space, wait_ms, reply, now),
            Local::Peers => Answer::Peers(self.peer_infos()),
            Local::Delivery { id } => self.outbox.delivery(&id),
            Local::Counters => {
                Answer::Counters { counters: self.all_counters(), storage_problem: self.storage_problem.clone() }
            }
            Local::Bringer { id } => Answer::Bringer(self.arrivals.bringer(&id)),
            Local::FirstDeliveries => Answer::FirstDeliveries(self.arrivals.counts()),
            Local::Traffic => Answer::Traffic(self.traffics.sums()),
            Local::Whole => Answer::Done,
            Local::Rebuild { empty } => return self.replace_index(empty, reply, now),
            Local::Repaired { damaged } => self.repaired(&damaged),
            Local::FetchLost => self.fetch_lost(),
        };
        self.reply(reply, answer);
    }

    fn import(&mut self, events: &[Vec<u8>], now: Now) -> Answer {
        let mut verdicts = Vec::with_capacity(events.len());
        for bytes in events {
            let verdict = self.admit(bytes, Source::Import, now);
            // A charter must be in force before the events of its board are judged.
            if self.staged.len() >= GROUP_EVENTS_MAX && !self.commit() {
                verdicts.push(Verdict::Failed);
                continue;
            }
            verdicts.push(verdict);
        }
        // Also what a peer brought a moment ago: whoever imports is told that it is here.
        if !self.commit() || !self.flush() {
            verdicts.iter_mut().filter(|verdict| matches!(verdict, Verdict::Admitted(_))).for_each(|verdict| {
                *verdict = Verdict::Failed;
            });
        }
        // An import can be of any size: it reaches others by comparison, not by gossip.
        if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Admitted(_))) {
            self.sync_all_now(now);
        }
        Answer::Imported(verdicts)
    }

    fn follow(&mut self, space: SpaceId, open_name: Option<String>, now: Now) -> Answer {
        let row = SpaceRow { followed: true, open_name };
        let mut records = vec![LocalRecord::Space { space, row }];
        let charter = self.directory.charter(&space);
        if charter.is_some() {
            match self.store.listing(space) {
                Ok(None) => records.push(LocalRecord::Listing { space, listing: Listing::Found }),
                Ok(Some(_)) => {}
                Err(error) => return Answer::Storage(error.to_string()),
            }
        }
        let answer = self.note(&records);
        if answer == Answer::Done {
            if let Err(error) = self.reload() {
                return Answer::Storage(error.to_string());
            }
            if let Some(charter) = charter {
                // What is wrong with it, if anything, is said by its verdict's counter; its peers have it, too.
                let _ = self.admit(&charter, Source::Import, now);
                self.commit();
            }
            self.sync_all_now(now);
        }
        answer
    }

    fn unfollow(&mut self, space: SpaceId) -> Answer {
        let open_name = match self.store.spaces() {
            Ok(spaces) => spaces.into_iter().find(|(known, _)| *known == space).and_then(|(_, row)| row.open_name),
            Err(error) => return Answer::Storage(error.to_string()),
        };
        let answer = self.note(&[LocalRecord::Space { space, row: SpaceRow { followed: false, open_name } }]);
        self.forget_space(space);
        match self.reload() {
            Ok(()) => answer,
            Err(error) => Answer::Storage(error.to_string()),
        }
    }

    pub(super) fn note(&mut self, records: &[LocalRecord]) -> Answer {
        match self.store.note(records) {
            Ok(()) => Answer::Done,
            Err(error) => {
                let _ = self.failed(&error);
                Answer::Storage(error.to_string())
            }
        }
    }

    fn repaired(&mut self, damaged: &[(u64, u64)]) -> Answer {
        let record = |(start, bytes): &(u64, u64)| LocalRecord::Damage { start: *start, bytes: *bytes };
        match self.store.note(&damaged.iter().map(record).collect::<Vec<_>>()) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Storage(error.to_string()),
        }
    }
}
