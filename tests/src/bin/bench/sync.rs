//! A node that knows nothing fetches everything from another: two processes on loopback.

use super::table::Table;
use super::{Options, held};
use roda_tests::cluster::TestNode;
use roda_tests::wait::eventually;
use serde_json::json;
use std::time::{Duration, Instant};

const SIZES: [usize; 2] = [10_000, 100_000];

/// Beyond this a figure is a failure.
const DEADLINE: Duration = Duration::from_secs(600);

/// The workload `sync`.
pub(crate) fn run(options: &Options, print: &mut dyn FnMut(&Table)) {
    let mut table = Table::new(
        "Cold sync: two nodes on loopback, from the connection until all is held".to_owned(),
        &["events", "seconds", "events/s", "µs CPU an event, fetching", "µs CPU an event, giving"],
    );
    for count in options.events.map_or(SIZES.to_vec(), |events| vec![events]) {
        let (giving, boards) = held::node(options.seed, count, &mut []);
        let fetching = TestNode::start(giving.network());
        boards.iter().for_each(|board| fetching.follow(board));
        let (total, cpu) = (giving.events(), (fetching.cpu_seconds(), giving.cpu_seconds()));
        let started = Instant::now();
        fetching.connect(&giving);
        eventually("the events", DEADLINE, || (fetching.events() >= total).then_some(()));
        let seconds = started.elapsed().as_secs_f64();
        let an_event = |seconds: f64| json!(seconds * 1e6 / count as f64);
        table.add(vec![
            json!(count),
            json!(seconds),
            json!((count as f64 / seconds).round() as u64),
            an_event(fetching.cpu_seconds() - cpu.0),
            an_event(giving.cpu_seconds() - cpu.1),
        ]);
        fetching.assert_sound();
    }
    print(&table);
}
