//! A scenario is data: who takes part, how they are linked, what goes wrong, who is hostile, and what is written.

use super::hostile::Behaviour;
use crate::chance::Chance;

/// Who is linked with whom. Honest nodes are always joined through honest ones: nobody can catch up through a wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Everyone with everyone.
    Full,
    /// A circle.
    Ring,
    /// A row.
    Line,
    /// A circle, and random links until each node has about so many.
    Random {
        /// Links of a node.
        links: usize,
    },
}

/// What links do all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Least time that a message takes, milliseconds.
    pub latency_ms: u64,
    /// Random addition to it, milliseconds: with it messages overtake each other.
    pub jitter_ms: u64,
    /// Messages of gossip that are lost, of a thousand.
    pub gossip_loss: u32,
    /// Requests and answers that are lost, of a thousand each.
    pub request_loss: u32,
    /// Messages of gossip that come twice, of a thousand.
    pub duplicates: u32,
}

impl Weather {
    /// Nothing goes wrong.
    pub const FAIR: Self = Self { latency_ms: 20, jitter_ms: 60, gossip_loss: 0, request_loss: 0, duplicates: 0 };
}

/// How often each fault happens in a run; when and to whom is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Cuts of the network in two, both ways.
    pub partitions: u32,
    /// Cuts in which one side still hears the other.
    pub one_way: u32,
    /// Links on which all messages are late.
    pub clogs: u32,
    /// Power cuts of a node between two steps.
    pub crashes: u32,
    /// Power cuts of a node in the middle of a write.
    pub power_cuts: u32,
    /// Operations of a log or an index that fail.
    pub disk_errors: u32,
    /// Nodes that leave and come back.
    pub leaves: u32,
    /// Restarts that find no index.
    pub lost_indexes: u32,
}

/// A cut of the network in two at a set time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// When, milliseconds from the start.
    pub at_ms: u64,
    /// For how long, milliseconds.
    pub for_ms: u64,
}

/// What no engine can make good: a run with it must be found at fault, which is how the checkers are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Cuts outlast the other faults.
    CutsStay,
    /// A disk that loses power loses everything.
    DisksForget,
    /// What hostile nodes sign is not written into the ledger.
    LedgerForgets,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: String,
    /// Nodes, the hostile ones among them.
    pub nodes: usize,
    /// What each hostile node does.
    pub hostile: Vec<Behaviour>,
    /// Who is linked with whom.
    pub topology: Topology,
    /// Boards that all follow.
    pub boards: usize,
    /// Events that honest people write.
    pub writes: usize,
    /// Honest nodes that join late.
    pub late: usize,
    /// Writing and faults end then, milliseconds from the start.
    pub run_ms: u64,
    /// Time passes for an idle node this often, milliseconds; for a busy one at the engine's own pace.
    pub tick_ms: u64,
    /// What links do.
    pub weather: Weather,
    /// Whether the weather stays when the other faults end.
    pub weather_stays: bool,
    /// What happens, at drawn times.
    pub faults: Faults,
    /// A cut at a set time.
    pub cut: Option<Cut>,
    /// What makes it impossible that all is well, if anything.
    pub sabotage: Option<Sabotage>,
    /// Clocks are wrong by up to this, either way, milliseconds.
    pub skew_ms: u64,
    /// Rounds within which all must agree after the faults.
    pub rounds_max: u64,
}

/// The names that `--scenario` knows, beside `random`.
pub const NAMES: [&str; 8] = ["calm", "lossy", "partitions", "crashes", "disks", "clocks", "hostile", "crowd"];

const MINUTE_MS: u64 = 60_000;

impl Scenario {
    fn calm() -> Self {
        Self {
            name: "calm".into(),
            nodes: 6,
            hostile: Vec::new(),
            topology: Topology::Random { links: 3 },
            boards: 1,
            writes: 40,
            late: 0,
            run_ms: 3 * MINUTE_MS,
            tick_ms: 500,
            weather: Weather::FAIR,
            weather_stays: false,
            faults: Faults::default(),
            cut: None,
            sabotage: None,
            skew_ms: 0,
            rounds_max: 30,
        }
    }

    /// The scenario of this name; for `random` the one that this seed leads to. `None`: there is no such name.
    #[must_use]
    pub fn named(name: &str, seed: u64) -> Option<Self> {
        let calm = Self { name: name.to_owned(), ..Self::calm() };
        let rough = Weather { gossip_loss: 200, request_loss: 100, duplicates: 100, ..Weather::FAIR };
        Some(match name {
            "random" => Self::random(seed),
            "figure" => Self::figure(seed),
            "calm" => calm,
            "lossy" => Self { weather: rough, weather_stays: true, late: 1, ..calm },
            "partitions" => {
                let faults = Faults { partitions: 3, one_way: 2, clogs: 4, ..Faults::default() };
                Self { nodes: 8, faults, run_ms: 6 * MINUTE_MS, ..calm }
            }
            "crashes" => {
                let faults = Faults { crashes: 6, power_cuts: 6, leaves: 4, lost_indexes: 2, ..Faults::default() };
                Self { faults, weather: rough, late: 1, ..calm }
            }
            "disks" => Self { faults: Faults { disk_errors: 20, ..Faults::default() }, ..calm },
            "clocks" => Self { skew_ms: 10 * MINUTE_MS, late: 1, ..calm },
            "hostile" => Self { nodes: 8 + Behaviour::ALL.len(), hostile: Behaviour::ALL.to_vec(), ..calm },
            "crowd" => Self {
                nodes: 200,
                topology: Topology::Random { links: 8 },
                tick_ms: 1000,
                weather: rough,
                hostile: vec![Behaviour::Silent; 12],
                late: 20,
                ..calm
            },
            _ => return None,
        })
    }

    /// 50 nodes, every fifth of them hostile in a way drawn from the seed, 30% loss in both directions all the time, and an
    /// hour in two halves.
    #[must_use]
    pub fn figure(seed: u64) -> Self {
        let mut hostile = Behaviour::ALL.to_vec();
        Chance::from_seed(seed ^ 0xf190_4e5d).shuffle(&mut hostile);
        hostile.truncate(10);
        Self {
            name: "figure".into(),
            nodes: 50,
            hostile,
            topology: Topology::Random { links: 8 },
            writes: 100,
            run_ms: 66 * MINUTE_MS,
            tick_ms: 1000,
            weather: Weather { gossip_loss: 300, request_loss: 300, ..Weather::FAIR },
            weather_stays: true,
            cut: Some(Cut { at_ms: 6 * MINUTE_MS, for_ms: 60 * MINUTE_MS }),
            rounds_max: 120,
            ..Self::calm()
        }
    }

    /// A small world of mixed faults, drawn from a seed.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut chance = Chance::from_seed(seed ^ 0x5ce0_a210);
        let nodes = 5 + chance.below(8);
        let topology = match chance.below(4) {
            0 => Topology::Full,
            1 => Topology::Ring,
            2 => Topology::Line,
            _ => Topology::Random { links: 4 },
        };
        let hostile: Vec<Behaviour> =
            (0..chance.below(nodes / 2)).map(|_| Behaviour::ALL[chance.below(Behaviour::ALL.len())]).collect();
        let mut often = |most: u64| u32::try_from(chance.between(0, most + 1)).unwrap_or(0);
        let faults = Faults {
            partitions: often(2),
            one_way: often(1),
            clogs: often(3),
            crashes: often(3),
            power_cuts: often(3),
            disk_errors: often(3),
            leaves: often(2),
            lost_indexes: often(1),
        };
        let weather = Weather {
            latency_ms: chance.between(1, 150),
            jitter_ms: chance.between(1, 600),
            gossip_loss: u32::try_from(chance.between(0, 400)).unwrap_or(0),
            request_loss: u32::try_from(chance.between(0, 200)).unwrap_or(0),
            duplicates: u32::try_from(chance.between(0, 200)).unwrap_or(0),
        };
        let skew_ms = [0, 0, 3 * MINUTE_MS, 10 * MINUTE_MS][chance.below(4)];
        Self {
            name: "random".into(),
            nodes,
            hostile,
            topology,
            boards: 1 + chance.below(2),
            writes: 20 + chance.below(40),
            late: chance.below(3),
            run_ms: chance.between(2 * MINUTE_MS, 6 * MINUTE_MS),
            weather,
            faults,
            skew_ms,
            ..Self::calm()
        }
    }
}
