//! How much room events take on the disk: after a stop, and after restarts with more between.

use super::Options;
use super::holding::Holding;
use super::ingest::{engine, now, open, take_in};
use super::table::Table;
use roda_node::store::{EventRow, Keep, LocalRecord, Retention};
use roda_protocol::id::{AuthorKey, NetworkId};
use roda_tests::mixture::{BOARDS, Mixture};
use serde_json::json;
use std::path::Path;

const EVENTS: usize = 200_000;

/// Restarts before the disk is measured again.
const RESTARTS: usize = 5;

/// The workload `disk`.
pub(crate) fn run(options: &Options, _: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let count = options.events.unwrap_or(EVENTS);
    let network = NetworkId::of("bench");
    let mut mixture = Mixture::new(network, options.seed, Mixture::start_for(2 * count, now().wall_ms));
    let folder = tempfile::Builder::new().prefix("roda-bench").tempdir_in(".").expect("a folder");
    let (mut written, mut bytes) = (0, 0);
    let mut more = |mixture: &mut Mixture, count: usize| {
        let events = mixture.take(count);
        bytes += events.iter().map(|event| event.bytes().len() as u64).sum::<u64>();
        written += count;
        let store = open(folder.path(), network);
        let events: Vec<Vec<u8>> = events.iter().map(|event| event.bytes().to_vec()).collect();
        take_in(&mut engine(&store, mixture), &store, &events, true);
        assert_eq!(store.known().total(), written);
        (written, bytes)
    };
    more(&mut mixture, BOARDS);
    let mut table = Table::new(
        "Room on the disk, with votes, edits and retractions".to_owned(),
        &["when", "events", "bytes an event", "log", "entries", "sled", "of the event's own", "reach"],
    );
    let (written, bytes) = more(&mut mixture, count);
    disk_row(&mut table, "after a stop", folder.path(), written, bytes);
    for _ in 1..RESTARTS {
        more(&mut mixture, count / 20);
    }
    let (written, bytes) = more(&mut mixture, count / 20);
    disk_row(&mut table, "after restarts, more between", folder.path(), written, bytes);
    let kept = prune(folder.path(), network, &mixture);
    disk_row(&mut table, "when the older half's words were pruned", folder.path(), written, kept);
    print(&table);
}

/// Has the older half's words pruned and their room given back. The bytes of what is left of the events.
fn prune(folder: &Path, network: NetworkId, mixture: &Mixture) -> u64 {
    let store = open(folder, network);
    let (mut times, mut bytes) = (Vec::new(), 0);
    let mut ids = Vec::new();
    let each = |row: EventRow| {
        times.push(row.created_ms);
        ids.push(row.id);
        Ok(())
    };
    store.each_row(each).expect("it reads");
    times.sort_unstable();
    let day_ms = 86_400_000;
    let days = (now().wall_ms - times[times.len() / 2]) / day_ms;
    let keep = Keep::Days(u32::try_from(days).expect("some months"));
    let keeps: Vec<LocalRecord> =
        mixture.boards().iter().map(|space| LocalRecord::Keep { space: *space, keep }).collect();
    store.note(&keeps).expect("there is room");
    let by = Retention { now_ms: now().wall_ms, me: AuthorKey([9; 32]), disk_bytes_max: u64::MAX };
    while store.prune(&by).expect("there is room").goes_on {}
    while store.compact().expect("there is room").is_some() {}
    store.flush().expect("there is room");
    for id in ids {
        bytes += store.proof(&id).expect("it reads").map_or(0, |stored| stored.event.bytes().len() as u64);
    }
    bytes
}

fn disk_row(table: &mut Table, when: &str, folder: &Path, events: usize, bytes: u64) {
    let size = |path: &Path| -> u64 {
        let mut sum = 0;
        let mut folders = vec![path.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("it is there").flatten() {
                let data = entry.metadata().expect("it is there");
                if data.is_dir() { folders.push(entry.path()) } else { sum += data.len() }
            }
        }
        sum
    };
    let entries = std::fs::metadata(folder.join("index/entries")).expect("it is there").len();
    let (log, index) = (size(&folder.join("log")), size(&folder.join("index")));
    let an_event = |bytes: u64| json!(bytes as f64 / events as f64);
    table.add(vec![
        json!(when),
        json!(events),
        an_event(log + index),
        an_event(log),
        an_event(entries),
        an_event(index - entries),
        json!((log + index) as f64 / bytes as f64),
        json!("2.5"),
    ]);
}
