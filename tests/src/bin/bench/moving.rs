//! How fast a node gives out and takes in all that it holds, through the command line.

use super::Options;
use super::holding::{self, Holding};
use super::ingest::{self, take_in};
use super::table::Table;
use roda_protocol::id::NetworkId;
use roda_tests::cluster::TestNode;
use roda_tests::mixture::{BOARDS, Mixture};
use serde_json::json;
use std::fs::File;
use std::process::Stdio;
use std::time::Instant;

const EVENTS: usize = 100_000;

/// Events by which the pace of taking in is measured in the same run.
const PACED: usize = 20_000;

/// The workload `moving`.
pub(crate) fn run(options: &Options, _: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let count = options.events.unwrap_or(EVENTS);
    let pace = ingest_pace(options.seed);
    let (node, boards) = holding::node(options.seed, count, &mut []);
    let file = tempfile::NamedTempFile::new_in(".").expect("a file");
    let out = File::create(file.path()).expect("a file");
    let started = Instant::now();
    let exported = node.command().arg("export").stdout(Stdio::from(out)).status().expect("it runs");
    let export_seconds = started.elapsed().as_secs_f64();
    assert!(exported.success(), "it exports");
    let other = TestNode::start(node.network());
    boards.iter().for_each(|board| other.follow(board));
    let started = Instant::now();
    let report = other.object(&["import", &file.path().display().to_string()]);
    let import_seconds = started.elapsed().as_secs_f64();
    assert_eq!(report["imported"].as_u64(), Some(count as u64), "{report}");
    other.assert_sound();
    let mut table = Table::new(
        format!("Export and import of {count} events, through the command line"),
        &["what", "seconds", "events/s", "of the pace of taking in", "reach"],
    );
    for (what, seconds, reach) in [("export", export_seconds, "0.5"), ("import", import_seconds, "0.5")] {
        let rate = count as f64 / seconds;
        table.add(vec![json!(what), json!(seconds), json!(rate.round() as u64), json!(rate / pace), json!(reach)]);
    }
    print(&table);
}

/// Events a second that an engine takes in, signatures on all cores.
fn ingest_pace(seed: u64) -> f64 {
    let network = NetworkId::of("bench");
    let mut mixture = Mixture::new(network, seed, Mixture::start_for(2 * PACED, ingest::now().wall_ms));
    let folder = tempfile::Builder::new().prefix("roda-bench").tempdir_in(".").expect("a folder");
    let bytes = |events: Vec<roda_protocol::event::Signed>| -> Vec<Vec<u8>> {
        events.iter().map(|event| event.bytes().to_vec()).collect()
    };
    let (charters, events) = (bytes(mixture.take(BOARDS)), bytes(mixture.take(PACED)));
    let store = ingest::open(folder.path(), network);
    let mut engine = ingest::engine(&store, &mixture);
    take_in(&mut engine, &store, &charters, false);
    let cost = take_in(&mut engine, &store, &events, true);
    PACED as f64 / cost.wall.as_secs_f64()
}
