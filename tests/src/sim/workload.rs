//! What honest people do: found boards, write at drawn times about what their own node shows them, and join late.

use super::ledger::{Action, Place};
use super::plan::Event;
use super::world::{ROUND_MS, World};
use roda_node::engine::{Answer, Local, Verdict};
use roda_protocol::event::Signed;
use roda_protocol::id::{EventId, SpaceId};

/// Nodes that do not join late start within this, milliseconds.
const STARTS_MS: u64 = 2000;

impl World {
    /// Founds the boards, and plans starts, writes, faults and the end.
    pub(super) fn set_up(&mut self) {
        let name = |number| format!("board-{number}");
        let charters: Vec<Signed> =
            (0..self.scenario.boards).map(|number| self.nodes[0].forge.board(&name(number))).collect();
        self.boards = charters.iter().map(Signed::space).collect();
        self.start(0);
        for charter in charters {
            self.ledger.add(&charter);
            self.ask_engine(0, Local::Write { bytes: charter.bytes().to_vec() });
        }
        let run_ms = self.scenario.run_ms;
        let mut others: Vec<usize> = self.honest().filter(|node| *node != 0).collect();
        self.chance.shuffle(&mut others);
        let late: Vec<usize> = others.into_iter().take(self.scenario.late).collect();
        for node in 1..self.nodes.len() {
            let before = if late.contains(&node) { run_ms } else { STARTS_MS };
            let at = self.chance.between(0, before);
            self.plan.at(at, Event::Start { node });
        }
        let honest: Vec<usize> = self.honest().collect();
        for _ in 0..self.scenario.writes {
            let at = self.chance.between(STARTS_MS, run_ms);
            let node = self.chance.pick(&honest).copied().unwrap_or(0);
            self.plan.at(at, Event::Write { node });
        }
        self.plan_faults();
        self.plan.at(run_ms, Event::Quiet);
        self.plan.at(ROUND_MS, Event::Look);
    }

    /// Somebody writes at a node, if it is up and has the board.
    pub(super) fn write(&mut self, at: usize) {
        let Some(running) = &self.nodes[at].running else { return };
        let Some(board) = self.chance.pick(&self.boards).copied() else { return };
        let is_held = |place: &Place| place.board == board && matches!(running.store.is_held(&place.id), Ok(true));
        let charter = EventId(board.0);
        if !matches!(running.store.is_held(&charter), Ok(true)) {
            return;
        }
        let held: Vec<Place> = self.ledger.places.iter().copied().filter(is_held).collect();
        let wall_ms = self.nodes[at].now(self.now_ms).wall_ms;
        self.nodes[at].forge.set_clock(wall_ms - 1);
        let event = self.compose(at, board, &held);
        self.ledger.add(&event);
        self.ask_engine(at, Local::Write { bytes: event.bytes().to_vec() });
    }

    /// What people write: mostly sense. Some edit what is not theirs, or answer in one thread what stands in another; such
    /// events are valid and must do no harm.
    fn compose(&mut self, at: usize, board: SpaceId, held: &[Place]) -> Signed {
        let chance = &mut self.chance;
        let forge = &mut self.nodes[at].forge;
        let own: Vec<Place> = held.iter().copied().filter(|place| place.author == at).collect();
        let actions = self.ledger.actions.iter().copied().filter(|action| action.author == at && action.board == board);
        let actions: Vec<Action> = actions.collect();
        let dice = chance.below(100);
        let (target, other) = (chance.pick(held).copied(), chance.pick(held).copied());
        let (own, action) = (chance.pick(&own).copied(), chance.pick(&actions).copied());
        // Whoever writes again has seen the time before, and mostly says so.
        let mut seen = |target: EventId| -> Vec<EventId> {
            let before = actions.iter().filter(|action| action.target == target && chance.is(600));
            [target].into_iter().chain(before.map(|action| action.id)).collect()
        };
        let now_ms = self.now_ms;
        let words = format!("Written at {now_ms}.");
        let event = match (dice, target, other, own, action) {
            (20..=59, Some(target), _, _, _) => {
                let event = forge.comment(board, target.root, target.id, &words);
                return self.placed(at, board, Some(target.root), event);
            }
            (60..=62, Some(target), Some(other), _, _) => {
                let event = forge.comment(board, other.root, target.id, &words);
                return self.placed(at, board, Some(other.root), event);
            }
            (63..=74, _, _, Some(own), _) => (forge.edit(board, own.id, seen(own.id), &words), own.id),
            (75..=77, Some(target), _, _, _) => (forge.edit(board, target.id, seen(target.id), &words), target.id),
            (78..=90, Some(target), _, _, _) => {
                let refs = seen(target.id);
                let value = [-1, 0, 1][chance.below(3)];
                (forge.vote(board, target.id, refs, value), target.id)
            }
            (91..=94, _, _, Some(own), _) => return forge.retract(board, own.id),
            (95..=97, _, _, _, Some(action)) => return forge.retract(board, action.id),
            _ => {
                let event = forge.post(board, &format!("A post at {now_ms}"), &words);
                return self.placed(at, board, None, event);
            }
        };
        let (event, target) = event;
        self.ledger.actions.push(Action { id: event.id(), board, target, author: at });
        event
    }

    fn placed(&mut self, at: usize, board: SpaceId, root: Option<EventId>, event: Signed) -> Signed {
        let root = root.unwrap_or_else(|| event.id());
        self.ledger.places.push(Place { id: event.id(), board, root, author: at });
        event
    }

    /// An engine answered its own people.
    pub(super) fn replied(&mut self, at: usize, answer: Answer) {
        match answer {
            Answer::Written(Verdict::Admitted(id)) => self.checks.durable.acknowledged(at, id),
            Answer::Counters { counters, .. } => self.checks.bounds.counters(at, &counters, self.now_ms),
            _ => {}
        }
    }
}
