//! How a node that holds many events starts: with its index, and without.

use super::Options;
use super::holding::{Holding, Large};
use super::table::Table;
use serde_json::json;
use std::time::Instant;

/// The workload `start`.
pub(crate) fn run(options: &Options, holding: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let Large { node, threads, events } = holding.large(options);
    let mut table = Table::new(
        format!("Start of a node that holds {events} events"),
        &["start", "seconds to first answer", "reach", "MiB resident then", "MiB to reach"],
    );
    for is_new in [false, true] {
        node.stop();
        if is_new {
            std::fs::remove_dir_all(node.index_folder()).expect("it is there");
        }
        let started = Instant::now();
        node.launch(&[]);
        let status = node.object(&["status"]);
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(status["events"].as_u64(), Some((*events + threads.len()) as u64), "{status}");
        let (what, reach) = if is_new { ("without its index", "60 s") } else { ("with its index", "2 s") };
        let resident = node.rss_bytes() as f64 / 1048576.0;
        table.add(vec![json!(what), json!(seconds), json!(reach), json!(resident), json!("100")]);
    }
    print(&table);
}
