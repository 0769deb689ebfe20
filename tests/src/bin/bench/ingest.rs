//! How fast an engine takes events in: real log, real index, on a disk.

use super::holding::Holding;
use super::table::Table;
use super::{Options, bounds};
use roda_node::Checkers;
use roda_node::engine::{Answer, Config, Engine, Input, Local, Output, Verdict};
use roda_node::store::{EventStore, FileLog, SledIndex};
use roda_protocol::event::Signed;
use roda_protocol::id::{AuthorKey, NetworkId};
use roda_protocol::time::Now;
use roda_tests::clock::process_time;
use roda_tests::mixture::{BOARDS, Mixture};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

const EVENTS: usize = 100_000;

/// Events that come at once: about what one answer of a comparison brings.
const AT_ONCE: usize = 450;

/// Opens the store of a folder as a node does.
pub(crate) fn open(folder: &Path, network: NetworkId) -> Arc<EventStore> {
    let (log, _) = FileLog::open(&folder.join("log")).expect("a log");
    let index = Arc::new(SledIndex::open(&folder.join("index")).expect("an index"));
    Arc::new(EventStore::open(Arc::new(log), index, network).expect("a store").0)
}

/// An engine that follows the boards of a mixture.
pub(crate) fn engine(store: &Arc<EventStore>, mixture: &Mixture) -> Engine {
    let config = Config { work_bits_min: 0, disk_bytes_max: u64::MAX, denied_authors: BTreeSet::new(), seed: [1; 32] };
    let (mut engine, _) = Engine::new(Arc::clone(store), AuthorKey([9; 32]), config).expect("an engine");
    for space in mixture.boards() {
        let follow = Local::Follow { space: *space, open_name: None };
        let _ = engine.handle(vec![Input::Local { ask: follow, reply: 0 }], now());
    }
    engine
}

pub(crate) fn now() -> Now {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    Now { wall_ms: elapsed.as_millis() as u64, steady_ms: 1 }
}

/// What one way of taking in cost.
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    cpu: Duration,
}

/// Takes events in as a node does: signatures ahead on all cores, or all in the engine.
pub(crate) fn take_in(engine: &mut Engine, store: &Arc<EventStore>, events: &[Vec<u8>], is_ahead: bool) -> Cost {
    let (started, cpu) = (Instant::now(), process_time());
    std::thread::scope(|scope| {
        let (sender, turns) = sync_channel(1);
        scope.spawn(move || {
            let mut checkers = Checkers::default();
            for chunk in events.chunks(AT_ONCE) {
                let foreseen = if is_ahead { checkers.check(store, chunk) } else { Vec::new() };
                sender.send((chunk.to_vec(), foreseen)).expect("the engine takes it");
            }
        });
        for (events, foreseen) in turns {
            engine.foresee(foreseen);
            let outputs = engine.handle(vec![Input::Local { ask: Local::Import { events }, reply: 0 }], now());
            for output in outputs {
                if let Output::Reply { answer: Answer::Imported(verdicts), .. } = output {
                    let is_new = |verdict: &Verdict| matches!(verdict, Verdict::Admitted(_));
                    assert!(verdicts.iter().all(is_new), "every event is new and valid");
                }
            }
        }
    });
    Cost { wall: started.elapsed(), cpu: process_time() - cpu }
}

/// Events that an engine takes in a second, signatures on all cores, of this many.
pub(crate) fn pace(seed: u64, count: usize) -> f64 {
    let network = NetworkId::of("bench");
    let mut mixture = Mixture::new(network, seed, Mixture::start_for(2 * count, now().wall_ms));
    let charters = mixture.take(BOARDS);
    let folder = tempfile::Builder::new().prefix("roda-bench").tempdir_in(".").expect("a folder");
    let store = open(folder.path(), network);
    let mut engine = engine(&store, &mixture);
    take_in(&mut engine, &store, &bytes_of(&charters), false);
    let cost = take_in(&mut engine, &store, &bytes_of(&mixture.take(count)), true);
    count as f64 / cost.wall.as_secs_f64()
}

fn bytes_of(events: &[Signed]) -> Vec<Vec<u8>> {
    events.iter().map(|event| event.bytes().to_vec()).collect()
}

/// The workload `ingest`.
pub(crate) fn run(options: &Options, _: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let count = options.events.unwrap_or(EVENTS);
    let network = NetworkId::of("bench");
    let mut mixture = Mixture::new(network, options.seed, Mixture::start_for(3 * count, now().wall_ms));
    let charters = mixture.take(BOARDS);
    let halves: Vec<Vec<Signed>> = (0..2).map(|_| mixture.take(count)).collect();
    let bytes: u64 = halves.iter().flatten().map(|event| event.bytes().len() as u64).sum();
    let mean = bytes as f64 / (2 * count) as f64;
    let folder = tempfile::Builder::new().prefix("roda-bench").tempdir_in(".").expect("a folder");
    let (one, all) = bounds::verifications(&halves[0][..1000.min(count)]);
    let disk = bounds::writes(folder.path());

    let store = open(folder.path(), network);
    let mut engine = engine(&store, &mixture);
    let lists: Vec<Vec<Vec<u8>>> = halves.iter().map(|half| bytes_of(half)).collect();
    take_in(&mut engine, &store, &bytes_of(&charters), false);
    let mut table = Table::new(
        format!("Ingest: {count} events of {mean:.0} bytes in groups of {AT_ONCE}, durable when answered"),
        &[
            "signatures",
            "events/s",
            "of verify_strict, same cores",
            "µs CPU an event",
            "reach",
            "log MB/s",
            "of the disk",
        ],
    );
    for (list, (what, is_ahead, bound)) in
        lists.iter().zip([("on all cores", true, all), ("in the engine", false, one)])
    {
        let cost = take_in(&mut engine, &store, list, is_ahead);
        let pace = count as f64 / cost.wall.as_secs_f64();
        table.add(vec![
            json!(what),
            json!(pace.round() as u64),
            json!(pace / bound),
            json!(cost.cpu.as_secs_f64() * 1e6 / count as f64),
            json!("60 µs"),
            json!(pace * mean / 1e6),
            json!(pace * mean / disk),
        ]);
    }
    print(&table);
    let mut table = Table::new("What the machine allows".to_owned(), &["bound", "a second"]);
    table.add(vec![json!("verify_strict on one core"), json!(one.round() as u64)]);
    table.add(vec![json!("verify_strict on all cores"), json!(all.round() as u64)]);
    table.add(vec![json!("bytes to the disk, one after the other"), json!(disk.round() as u64)]);
    table.add(vec![json!("bytes through loopback"), json!(bounds::loopback().round() as u64)]);
    print(&table);
}
