//! The node serves while its index is made anew from the log: after a loss or damage, or for a new format.
//!
//! A part of the log is read after each turn. What people ask of the node is answered meanwhile, and readers read what is
//! there; what would change the store, or has to know all of it, waits, until the index is whole or the disk refuses. Peers
//! are told that there is no time, gossip is not judged, and nothing is compared: a set that is not whole yet would show
//! differences that are none.

use super::{Answer, EmptyIndex, Engine, Input, Judgement, Local, Output, ReplyTo};
use crate::store::Remaking;
use roda_protocol::time::Now;
use roda_protocol::wire::Response;

/// Wishes of people that wait until the index is whole. Nobody makes as many by hand; whoever comes later is told to.
const POSTPONED_MAX: usize = 256;

/// After an error the making goes on so much later: a full disk is not full for ever.
const RETRY_MS: u64 = 1000;

/// An index that is being made, and who waits for it.
#[derive(Debug)]
pub(super) struct Remade {
    remaking: Remaking,
    replies: Vec<ReplyTo>,
    postponed: Vec<Input>,
    /// When the making goes on, steady milliseconds.
    next_ms: u64,
}

impl Engine {
    /// Makes the index whole, turn by turn, if it is not.
    pub fn remake(&mut self, remaking: Remaking) {
        if self.store.remade_percent().is_some() {
            self.remade = Some(Remade { remaking, replies: Vec::new(), postponed: Vec::new(), next_ms: 0 });
        }
    }

    /// Whether there is something to do even if nothing comes in.
    #[must_use]
    pub fn has_work(&self, now: Now) -> bool {
        self.remade.as_ref().is_some_and(|remade| remade.next_ms <= now.steady_ms)
    }

    /// Begins to make the index anew, in this empty one.
    pub(super) fn replace_index(&mut self, empty: EmptyIndex, reply: ReplyTo, now: Now) {
        let remaking = match self.store.replace_index(empty.0) {
            Ok(remaking) => remaking,
            Err(error) => return self.reply(reply, Answer::Storage(error.to_string())),
        };
        for peer in self.peers.names() {
            self.forget_syncs(&peer, now);
        }
        match &mut self.remade {
            Some(remade) => {
                remade.remaking = remaking;
                remade.next_ms = 0;
                remade.replies.push(reply);
            }
            None => {
                self.remake(remaking);
                if let Some(remade) = &mut self.remade {
                    remade.replies.push(reply);
                }
            }
        }
        self.make_on(now);
    }

    /// A turn while the index is being made.
    pub(super) fn meanwhile(&mut self, inputs: Vec<Input>, now: Now) {
        for input in inputs {
            match input {
                Input::Gossip { delivery, .. } => {
                    self.out.push(Output::Judge { delivery, judgement: Judgement::Ignore });
                }
                Input::Asked { reply, .. } => {
                    self.count("requests_refused");
                    self.out.push(Output::Respond { reply, body: Response::Busy.to_bytes() });
                }
                Input::Local { ask, reply } if changes(&ask) => self.postpone(ask, reply),
                Input::Tick => drop(self.lacks_index(now)),
                other => self.other(other, now),
            }
        }
        self.foreseen.clear();
        self.make_on(now);
    }

    fn postpone(&mut self, ask: Local, reply: ReplyTo) {
        let percent = self.store.remade_percent().unwrap_or_default();
        match &mut self.remade {
            Some(remade) if remade.postponed.len() < POSTPONED_MAX => {
                remade.postponed.push(Input::Local { ask, reply });
            }
            _ => {
                let text = format!("the index is being rebuilt ({percent} %): try again in a moment");
                self.reply(reply, Answer::Storage(text));
            }
        }
    }

    /// Reads the next part of the log, and goes back to work after the last.
    fn make_on(&mut self, now: Now) {
        let Some(remade) = self.remade.as_mut().filter(|remade| remade.next_ms <= now.steady_ms) else { return };
        let made = self.store.remake(&mut remade.remaking);
        match made {
            Ok(true) => {}
            Ok(false) => self.made(now),
            Err(error) => {
                remade.next_ms = now.steady_ms + RETRY_MS;
                // Nobody waits for as long as a disk is full.
                let postponed = std::mem::take(&mut remade.postponed).into_iter().filter_map(|input| match input {
                    Input::Local { reply, .. } => Some(reply),
                    _ => None,
                });
                let waiting: Vec<ReplyTo> = std::mem::take(&mut remade.replies).into_iter().chain(postponed).collect();
                let text = format!("the index can't be rebuilt: {error}. It is tried again by itself");
                waiting.into_iter().for_each(|reply| self.reply(reply, Answer::Storage(text.clone())));
                let _ = self.failed(&error);
            }
        }
    }

    fn made(&mut self, now: Now) {
        let Some(remade) = self.remade.take() else { return };
        let reloaded = self.reload();
        for reply in remade.replies {
            self.reply(
                reply,
                reloaded.as_ref().map_or_else(|error| Answer::Storage(error.to_string()), |()| Answer::Done),
            );
        }
        let counts = remade.remaking.counts();
        self.out.push(Output::Remade { records: counts.records, damaged: counts.damaged });
        let _ = self.fetch_lost();
        self.sync_all_now(now);
        self.take_turn(remade.postponed, now);
    }
}

/// Whether an answer to this needs the whole index, or changes it.
fn changes(ask: &Local) -> bool {
    !matches!(
        ask,
        Local::Peers
            | Local::Delivery { .. }
            | Local::Counters
            | Local::Bringer { .. }
            | Local::FirstDeliveries
            | Local::Traffic
            | Local::Rebuild { .. }
    )
}
