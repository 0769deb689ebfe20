//! Links: who can reach whom, what a message meets on its way, and when connections come and go.

use super::plan::Event;
use super::scenario::{Scenario, Topology, Weather};
use super::world::World;
use crate::chance::Chance;
use roda_node::engine::Input;
use std::collections::{BTreeMap, BTreeSet};

/// A connection that carried nothing for so long is closed: an interval of pings and the patience for one, as in the
/// network.
const PING_MS: u64 = 35_000;

/// A dialler's first pause, and the longest. The network's own goes up to ten minutes with peers that it has no other
/// reason to try; here a cut must not outlast its healing by that much.
const REDIAL_MS: u64 = 2000;
const REDIAL_MS_MAX: u64 = 30_000;

/// A peer that was disconnected for what it did is not spoken to for so long.
const SHUN_MS: u64 = 600_000;

/// Two nodes that know each other's address. `ends[0]` dials.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) ends: [usize; 2],
    /// The number of the connection, if there is one.
    pub(super) connection: Option<u64>,
    is_dialling: bool,
    failures: u32,
    /// Cuts in force, by the end that is not heard.
    cuts: [u32; 2],
    blocked_since_ms: Option<u64>,
    clogged_until_ms: u64,
}

/// All links.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) links: Vec<Link>,
    by_pair: BTreeMap<(usize, usize), usize>,
    of: Vec<Vec<usize>>,
    shunned: BTreeMap<(usize, usize), u64>,
    connections: u64,
}

impl Links {
    pub(super) fn new(scenario: &Scenario, honest: &[usize], chance: &mut Chance) -> Self {
        let mut links = Self { of: vec![Vec::new(); scenario.nodes], ..Self::default() };
        let everyone: Vec<usize> = (0..scenario.nodes).collect();
        match scenario.topology {
            Topology::Full => {
                for (at, a) in everyone.iter().enumerate() {
                    everyone[at + 1..].iter().for_each(|b| links.add(*a, *b, chance));
                }
            }
            Topology::Line => links.chain(&everyone, chance),
            Topology::Ring => {
                links.chain(&everyone, chance);
                links.add(scenario.nodes - 1, 0, chance);
            }
            Topology::Random { links: wanted } => {
                links.chain(&everyone, chance);
                for a in &everyone {
                    while links.of[*a].len() < wanted.min(scenario.nodes - 1) {
                        links.add(*a, chance.below(scenario.nodes), chance);
                    }
                }
            }
        }
        links.join_honest(honest, chance);
        links
    }

    fn chain(&mut self, nodes: &[usize], chance: &mut Chance) {
        for pair in nodes.windows(2) {
            self.add(pair[0], pair[1], chance);
        }
    }

    fn add(&mut self, a: usize, b: usize, chance: &mut Chance) {
        let pair = (a.min(b), a.max(b));
        if a == b || self.by_pair.contains_key(&pair) {
            return;
        }
        let ends = if chance.is(500) { [a, b] } else { [b, a] };
        let number = self.links.len();
        self.by_pair.insert(pair, number);
        self.of[a].push(number);
        self.of[b].push(number);
        self.links.push(Link {
            ends,
            connection: None,
            is_dialling: false,
            failures: 0,
            cuts: [0; 2],
            blocked_since_ms: None,
            clogged_until_ms: 0,
        });
    }

    /// Joins the parts into which honest nodes fall without the hostile ones.
    fn join_honest(&mut self, honest: &[usize], chance: &mut Chance) {
        let Some(first) = honest.first() else { return };
        let is_honest: BTreeSet<usize> = honest.iter().copied().collect();
        let mut reached = BTreeSet::new();
        for node in honest {
            if !reached.is_empty() && !reached.contains(node) {
                self.add(*first, *node, chance);
            }
            let mut open = vec![*node];
            while let Some(at) = open.pop() {
                if reached.insert(at) {
                    open.extend(self.linked(at).into_iter().filter(|other| is_honest.contains(other)));
                }
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.links.len()
    }

    fn between(&self, a: usize, b: usize) -> Option<usize> {
        self.by_pair.get(&(a.min(b), a.max(b))).copied()
    }

    /// Nodes that this one has a link with, connected or not.
    pub(super) fn linked(&self, at: usize) -> Vec<usize> {
        self.of[at].iter().map(|link| self.other(*link, at)).collect()
    }

    pub(super) fn of(&self, at: usize) -> Vec<usize> {
        self.of[at].clone()
    }

    fn other(&self, link: usize, at: usize) -> usize {
        let [a, b] = self.links[link].ends;
        if a == at { b } else { a }
    }

    /// Connected nodes, ascending.
    pub(super) fn neighbours(&self, at: usize) -> Vec<usize> {
        let connected = self.of[at].iter().filter(|link| self.links[**link].connection.is_some());
        let mut nodes: Vec<usize> = connected.map(|link| self.other(*link, at)).collect();
        nodes.sort_unstable();
        nodes
    }

    pub(super) fn connection(&self, a: usize, b: usize) -> Option<u64> {
        self.links[self.between(a, b)?].connection
    }

    /// How long a message takes that leaves now; `None`: it does not arrive.
    pub(super) fn way(
        &self,
        from: usize,
        to: usize,
        now_ms: u64,
        weather: &Weather,
        loss: u32,
        chance: &mut Chance,
    ) -> Option<u64> {
        let link = &self.links[self.between(from, to)?];
        let is_blocked = link.cuts[usize::from(link.ends[1] == from)] > 0;
        if link.connection.is_none() || is_blocked || chance.is(loss) {
            return None;
        }
        let clogged_ms = link.clogged_until_ms.saturating_sub(now_ms);
        Some(weather.latency_ms + chance.between(0, weather.jitter_ms + 1) + clogged_ms)
    }

    fn shuns(&self, by: usize, whom: usize, now_ms: u64) -> bool {
        self.shunned.get(&(by, whom)).is_some_and(|until| *until > now_ms)
    }
}

impl World {
    /// Lets the dialler of a link try soon, unless it is about to.
    pub(super) fn dial_soon(&mut self, number: usize) {
        let link = &mut self.links.links[number];
        if link.is_dialling || link.connection.is_some() {
            return;
        }
        link.is_dialling = true;
        let pause = (REDIAL_MS << link.failures.min(6)).min(REDIAL_MS_MAX);
        let at = self.now_ms + self.chance.between(pause / 4, pause);
        self.plan.at(at, Event::Dial { link: number });
    }

    pub(super) fn dial(&mut self, number: usize) {
        let link = &mut self.links.links[number];
        link.is_dialling = false;
        if link.connection.is_some() {
            return;
        }
        let ([a, b], is_cut) = (link.ends, link.cuts != [0; 2]);
        let now = self.now_ms;
        let is_shunned = self.links.shuns(a, b, now) || self.links.shuns(b, a, now);
        if self.nodes[a].running.is_none() || self.nodes[b].running.is_none() || is_cut || is_shunned {
            self.links.links[number].failures += 1;
            // A node that is down dials when it starts.
            if self.nodes[a].running.is_some() {
                self.dial_soon(number);
            }
            return;
        }
        self.links.connections += 1;
        let link = &mut self.links.links[number];
        link.connection = Some(self.links.connections);
        link.failures = 0;
        for (at, other) in [(a, b), (b, a)] {
            self.trace.note(now, "up", other, at, &[]);
            let peer = self.nodes[other].peer.clone();
            let topics = self.nodes[other].running.as_ref().map(|running| running.topics.clone()).unwrap_or_default();
            let mut inputs = vec![Input::PeerUp {
                peer: peer.clone(),
                address: format!("node {other}"),
                network: None,
                outbound: at == a,
            }];
            inputs.extend(topics.into_iter().map(|topic| Input::Subscribed { peer: peer.clone(), topic }));
            self.feed(at, inputs);
        }
    }

    /// Closes a connection: both ends hear of it, and what was asked over it has failed.
    pub(super) fn close(&mut self, number: usize) {
        let link = &mut self.links.links[number];
        if link.connection.take().is_none() {
            return;
        }
        let [a, b] = link.ends;
        self.fail_calls(a, b);
        for (at, other) in [(a, b), (b, a)] {
            let incarnation = self.nodes[at].incarnation;
            let input = Input::PeerDown { peer: self.nodes[other].peer.clone() };
            self.plan.at(self.now_ms, Event::Input { node: at, incarnation, input });
        }
        self.dial_soon(number);
    }

    pub(super) fn close_all(&mut self, at: usize) {
        self.links.of(at).into_iter().for_each(|link| self.close(link));
    }

    /// A node ends its connections to another, and does not speak with it for a while.
    pub(super) fn shun(&mut self, by: usize, whom: usize) {
        self.links.shunned.insert((by, whom), self.now_ms + SHUN_MS);
        if let Some(link) = self.links.between(by, whom) {
            self.close(link);
        }
    }

    /// Cuts (or heals, if not `is_cut`) every link across the halves. `one_way`: the first half is heard by the second.
    pub(super) fn set_cut(&mut self, is_first: &BTreeSet<usize>, one_way: bool, is_cut: bool) {
        for number in 0..self.links.count() {
            let link = &mut self.links.links[number];
            let sides = link.ends.map(|end| is_first.contains(&end));
            if sides[0] == sides[1] {
                continue;
            }
            for (end, is_first_side) in sides.into_iter().enumerate() {
                if one_way && is_first_side {
                    continue;
                }
                let cuts = &mut link.cuts[end];
                *cuts = if is_cut { *cuts + 1 } else { cuts.saturating_sub(1) };
            }
            if link.cuts == [0; 2] {
                link.blocked_since_ms = None;
                link.failures = 0;
            } else if link.blocked_since_ms.is_none() {
                link.blocked_since_ms = Some(self.now_ms);
                let check = Event::PingCheck { link: number, blocked_since_ms: self.now_ms };
                self.plan.at(self.now_ms + PING_MS, check);
            }
        }
    }

    pub(super) fn ping_check(&mut self, number: usize, blocked_since_ms: u64) {
        if self.links.links[number].blocked_since_ms == Some(blocked_since_ms) {
            self.close(number);
        }
    }

    pub(super) fn clog(&mut self, number: usize, until_ms: u64) {
        self.links.links[number].clogged_until_ms = until_ms;
    }

    pub(super) fn unclog_all(&mut self) {
        let now = self.now_ms;
        self.links.links.iter_mut().for_each(|link| link.clogged_until_ms = now);
    }
}
