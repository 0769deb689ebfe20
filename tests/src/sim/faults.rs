//! What goes wrong, and when: drawn at the start, carried out here, and ended all at once.

use super::node::Order;
use super::plan::Event;
use super::scenario::{Sabotage, Scenario, Weather};
use super::world::World;
use roda_node::engine::Local;
use roda_node::store::{MemoryIndex, MemoryJournal};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A node that went down is up again after this at least, and at most, milliseconds.
const DOWN_MS: (u64, u64) = (500, 40_000);

/// A cut of the network in two lasts this long at least, and at most, milliseconds.
const CUT_MS: (u64, u64) = (5_000, 120_000);

/// Operations of a disk among which the failing one is drawn: a write of one event takes about 30.
const OPERATIONS: u64 = 60;

/// A cut: who is in the first half, and whether the second half still hears it.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    halves: Vec<(BTreeSet<usize>, bool)>,
    in_force: BTreeSet<usize>,
}

impl World {
    /// Plans every fault of the scenario.
    pub(super) fn plan_faults(&mut self) {
        let Scenario { faults, run_ms, nodes, cut, .. } = self.scenario.clone();
        for number in 0..faults.partitions + faults.one_way {
            let at = self.chance.between(0, run_ms);
            let until = (at + self.chance.between(CUT_MS.0, CUT_MS.1)).min(run_ms);
            self.plan_cut(at, until, number >= faults.partitions);
        }
        if let Some(cut) = cut {
            self.plan_cut(cut.at_ms, cut.at_ms + cut.for_ms, false);
        }
        for _ in 0..faults.clogs {
            let (link, at) = (self.chance.below(self.links.count()), self.chance.between(0, run_ms));
            let until_ms = (at + self.chance.between(1000, 30_000)).min(run_ms);
            self.plan.at(at, Event::Clog { link, until_ms });
        }
        for _ in 0..faults.crashes {
            let (node, at) = (self.chance.below(nodes), self.chance.between(0, run_ms));
            self.plan.at(at, Event::Crash { node });
        }
        for _ in 0..faults.leaves {
            let (node, at) = (self.chance.below(nodes), self.chance.between(0, run_ms));
            self.plan.at(at, Event::Leave { node });
        }
        for _ in 0..faults.lost_indexes {
            let (node, at) = (self.chance.below(nodes), self.chance.between(0, run_ms));
            self.plan.at(at, Event::LoseIndex { node });
        }
        for number in 0..faults.power_cuts + faults.disk_errors {
            let (node, at) = (self.chance.below(nodes), self.chance.between(0, run_ms));
            let (nth, of_index) = (self.chance.between(1, OPERATIONS), self.chance.is(500));
            let is_power_cut = number < faults.power_cuts;
            self.plan.at(at, Event::BreakDisk { node, nth, of_index, is_power_cut });
        }
    }

    fn plan_cut(&mut self, at_ms: u64, until_ms: u64, one_way: bool) {
        let mut all: Vec<usize> = (0..self.nodes.len()).collect();
        self.chance.shuffle(&mut all);
        all.truncate(self.nodes.len() / 2);
        let cut = self.cuts.halves.len();
        self.cuts.halves.push((all.into_iter().collect(), one_way));
        self.plan.at(at_ms, Event::Cut { cut });
        self.plan.at(until_ms, Event::Heal { cut });
    }

    pub(super) fn cut(&mut self, cut: usize) {
        if self.quiet_ms.is_none() && self.cuts.in_force.insert(cut) {
            self.trace.say(self.now_ms, || format!("cut {cut} begins"));
            let (half, one_way) = self.cuts.halves[cut].clone();
            self.set_cut(&half, one_way, true);
        }
    }

    pub(super) fn heal(&mut self, cut: usize) {
        if self.cuts.in_force.remove(&cut) {
            self.trace.say(self.now_ms, || format!("cut {cut} is healed"));
            let (half, one_way) = self.cuts.halves[cut].clone();
            self.set_cut(&half, one_way, false);
        }
    }

    /// A node starts, follows the boards, and its diallers try.
    pub(super) fn start(&mut self, at: usize) {
        if self.nodes[at].running.is_some() {
            return;
        }
        let outputs = match self.nodes[at].start(self.network, &self.scenario, self.now_ms) {
            Ok(outputs) => outputs,
            Err(error) => return self.checks.durable.no_start(at, &error.to_string(), self.now_ms),
        };
        self.trace.note(self.now_ms, "start", at, at, &[]);
        self.restarted(at);
        self.carry_out(at, outputs);
        let running = self.nodes[at].running.as_ref();
        let spaces = running.and_then(|running| running.store.spaces().ok()).unwrap_or_default();
        for space in self.boards.clone() {
            if !spaces.iter().any(|(followed, row)| *followed == space && row.followed) {
                self.ask_engine(at, Local::Follow { space, open_name: None });
            }
        }
        let incarnation = self.nodes[at].incarnation;
        self.plan.at(self.now_ms + self.scenario.tick_ms, Event::Tick { node: at, incarnation });
        self.links.of(at).into_iter().for_each(|link| self.dial_soon(link));
    }

    /// A node leaves in order: what it wrote is where it wrote it.
    pub(super) fn leave(&mut self, at: usize) {
        if self.nodes[at].running.is_some() && self.quiet_ms.is_none() {
            self.go_down(at);
        }
    }

    pub(super) fn crash(&mut self, at: usize) {
        if self.nodes[at].running.is_some() {
            self.go_down(at);
        }
    }

    fn go_down(&mut self, at: usize) {
        self.trace.note(self.now_ms, "down", at, at, &[]);
        self.nodes[at].cut_power();
        if self.scenario.sabotage == Some(Sabotage::DisksForget) {
            self.nodes[at].journal = Arc::new(MemoryJournal::new());
            self.nodes[at].index = Arc::new(MemoryIndex::new());
        }
        self.close_all(at);
        let back = if self.quiet_ms.is_some() { DOWN_MS.0 } else { self.chance.between(DOWN_MS.0, DOWN_MS.1) };
        self.plan.at(self.now_ms + back, Event::Start { node: at });
    }

    pub(super) fn break_disk(&mut self, at: usize, nth: u64, of_index: bool, is_power_cut: bool) {
        let node = &mut self.nodes[at];
        if self.quiet_ms.is_some() || node.running.is_none() || node.order.is_some() {
            return;
        }
        node.order = Some(if is_power_cut { Order::PowerCut } else { Order::Error });
        if of_index {
            node.index.fail_nth(nth);
        } else {
            node.journal.fail_nth(nth);
        }
    }

    pub(super) fn lose_index(&mut self, at: usize) {
        if self.nodes[at].running.is_some() && self.quiet_ms.is_none() {
            self.go_down(at);
            self.nodes[at].index = Arc::new(MemoryIndex::new());
        }
    }

    /// Every fault and all writing end; who is down comes back.
    pub(super) fn quiet(&mut self) {
        self.trace.say(self.now_ms, || "all faults end".to_owned());
        self.quiet_ms = Some(self.now_ms);
        if self.scenario.sabotage != Some(Sabotage::CutsStay) {
            self.cuts.in_force.clone().into_iter().for_each(|cut| self.heal(cut));
        }
        self.unclog_all();
        if !self.scenario.weather_stays {
            self.weather = Weather { latency_ms: self.weather.latency_ms, ..Weather::FAIR };
        }
        for at in 0..self.nodes.len() {
            if self.nodes[at].order.take().is_some() {
                self.nodes[at].journal.fail_nth(0);
                self.nodes[at].index.fail_nth(0);
            }
            self.start(at);
        }
        self.plan.at(self.now_ms, Event::Look);
    }
}
