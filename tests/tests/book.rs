//! The book's pages hold. Each is a test of its own; `README.md` has their format.

use roda_tests::{book, roda_binary};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("book")
}

macro_rules! pages {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            match book::run_page(&folder().join($name), &roda_binary()) {
                Ok(commands) => assert!(commands > 0, "the page runs nothing"),
                Err(failure) => panic!("{failure}"),
            }
        })*

        #[test]
        fn every_page_of_the_folder_is_run() {
            let pages = std::fs::read_dir(folder()).unwrap();
            let found: BTreeSet<_> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(found, BTreeSet::from([$($name.to_owned()),*]));
        }
    };
}

pages! {
    first_run: "first-run.md",
    two_nodes: "two-nodes.md",
    invite: "invite.md",
    away: "away.md",
    edits_and_retractions: "edits-and-retractions.md",
    devnet: "devnet.md",
    errors: "errors.md",
    doctor: "doctor.md",
    reading: "reading.md",
    search: "search.md",
    finding_boards: "finding-boards.md",
    moving: "moving.md",
}
