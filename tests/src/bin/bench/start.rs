//! How a node that holds many events starts: with its index, and without.

use super::Options;
use super::holding::{Holding, Large};
use super::table::Table;
use roda_tests::wait::eventually;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the index may be made anew before the bench gives up.
const REMADE_WITHIN: Duration = Duration::from_secs(600);

/// The workload `start`.
pub(crate) fn run(options: &Options, holding: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let Large { node, events, .. } = holding.large(options);
    let mut table = Table::new(
        format!("Start of a node that holds {events} events"),
        &["start", "seconds until", "reach", "MiB resident then", "MiB to reach"],
    );
    let held = *events as u64;
    for is_new in [false, true] {
        node.stop();
        if is_new {
            std::fs::remove_dir_all(node.index_folder()).expect("it is there");
        }
        let started = Instant::now();
        node.launch(&[]);
        let status = node.object(&["status"]);
        let mut row = |what: &str, reach: &str| {
            let resident = node.rss_bytes() as f64 / 1048576.0;
            let seconds = started.elapsed().as_secs_f64();
            table.add(vec![json!(what), json!(seconds), json!(reach), json!(resident), json!("100")]);
        };
        if is_new {
            row("without its index: the first answer", "2 s");
            eventually("the index", REMADE_WITHIN, || (!is_remade(&node.object(&["status"]))).then_some(()));
            row("without its index: all rows made anew", "60 s");
        } else {
            assert!(!is_remade(&status), "{status}");
            row("with its index: the first answer", "2 s");
        }
        assert_eq!(node.events(), held);
    }
    print(&table);
}

fn is_remade(status: &Value) -> bool {
    status["remade_percent"].is_u64()
}
