//! How fast the web page of a node that holds many events is: from the request on a logged-in connection to the last byte.

use super::Options;
use super::holding::{Holding, Large, until_words_are_indexed};
use super::read::{Reading, measured};
use super::table::Table;
use roda_tests::cluster::Place;
use roda_tests::mixture::word;
use roda_tests::page::Browser;
use std::time::Duration;

/// Between two requests: a page answers fifty a second.
const PAUSE: Duration = Duration::from_millis(25);

/// The workload `page`.
pub(crate) fn run(options: &Options, holding: &mut Holding, print: &mut dyn FnMut(&Table)) {
    let Large { node, threads, events } = holding.large(options);
    node.stop();
    node.set_place(Place::with_page());
    node.launch(&[]);
    until_words_are_indexed(node);
    let (frequent, rare) = (word(30), word(20_000));
    let browser = Browser::of(node);
    let board = node.json(&["boards"])[0]["board"].as_str().expect("an id").to_owned();
    let reading = |what: String, path: String, reach| Reading { what, paths: vec![path], reach };
    let mut readings = vec![
        reading("the home page".to_owned(), "/".to_owned(), ""),
        reading("a board".to_owned(), format!("/b/{board}"), ""),
        reading("the same, hot".to_owned(), format!("/b/{board}?sort=hot"), ""),
        reading("the boards".to_owned(), "/boards".to_owned(), ""),
        reading("a search for a frequent word".to_owned(), format!("/search?words={frequent}"), ""),
        reading("a search for a rare one".to_owned(), format!("/search?words={rare}"), ""),
        reading("the node".to_owned(), "/node".to_owned(), ""),
        reading("power, of all boards".to_owned(), "/power".to_owned(), ""),
    ];
    for (comments, root) in threads.iter() {
        let reach = if *comments > 1000 { "" } else { "100 ms" };
        readings.push(reading(format!("a thread of {comments} comments"), format!("/t/{root}"), reach));
    }
    let columns = ["page", "ms, the first", "p50", "p99", "reach"];
    let mut table = Table::new(format!("The web page of a node with {events} events"), &columns);
    for reading in &readings {
        table.add(measured(reading, PAUSE, |path| {
            let answer = browser.get(path);
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        }));
    }
    print(&table);
}
