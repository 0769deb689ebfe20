//! Nodes that hold many events, made once for all workloads that want the same.

use super::{Options, ingest};
use roda_node::store::{Arrival, LocalRecord, SpaceRow};
use roda_protocol::event::{Signed, Verified};
use roda_protocol::id::{EventId, NetworkId};
use roda_tests::cluster::{TestNode, network_name};
use roda_tests::mixture::{BOARDS, Mixture, word};
use roda_tests::socket;
use roda_tests::wait::eventually;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Events of the large node, if the command line says nothing.
const EVENTS: usize = 1_000_000;

/// Comments of the long threads in the large node.
const THREADS: [usize; 2] = [1_000, 100_000];

/// How long the words of all events may take to be indexed before the bench gives up.
const INDEXED_WITHIN: Duration = Duration::from_secs(1200);

/// Events that are made and stored at once.
const STEP: usize = 10_000;

/// A node that holds a mixture of so many events and these threads, and its boards. What it holds was written straight into
/// its log and index, with the store's own code.
pub(crate) fn node(seed: u64, events: usize, threads: &mut [(usize, EventId)]) -> (TestNode, Vec<String>) {
    let mut node = TestNode::start(&network_name());
    node.stop();
    let network = NetworkId::of(node.network());
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let comments: usize = threads.iter().map(|(comments, _)| comments).sum();
    let mut mixture = Mixture::new(network, seed, Mixture::start_for(events + 2 * comments, now_ms));
    let folder = node.index_folder().parent().expect("the index is in a folder").to_path_buf();
    let store = ingest::open(&folder, network);
    let put = |events: Vec<Signed>| {
        let arrival = |event: Signed| {
            let received_ms = event.header().created_ms;
            // Just signed: that it holds need not be checked.
            let event = Verified::recall(&network, event.bytes()).expect("a forge keeps the rules");
            Arrival { event, received_ms, is_own: false }
        };
        let arrivals: Vec<Arrival> = events.into_iter().map(arrival).collect();
        store.take_in(&arrivals).expect("there is room");
    };
    put(mixture.take(BOARDS));
    let follows: Vec<LocalRecord> = mixture
        .boards()
        .iter()
        .map(|space| LocalRecord::Space { space: *space, row: SpaceRow { followed: true, open_name: None } })
        .collect();
    store.note(&follows).expect("there is room");
    let mut left = events.saturating_sub(BOARDS);
    for (comments, root) in threads {
        let thread = mixture.thread(*comments);
        *root = thread[0].id();
        left = left.saturating_sub(thread.len());
        put(thread);
    }
    while left > 0 {
        let step = left.min(STEP);
        put(mixture.take(step));
        left -= step;
    }
    store.flush().expect("there is room");
    let boards = mixture.boards().iter().map(ToString::to_string).collect();
    drop(store);
    node.launch(&[]);
    (node, boards)
}

/// Waits until the words of all that a node holds are indexed, which takes a processor meanwhile.
pub(crate) fn until_words_are_indexed(node: &TestNode) {
    eventually("the index of the words", INDEXED_WITHIN, || {
        let found =
            socket::get(&node.socket(), &format!("/api/v1/search?words={}&limit=1", word(1))).expect("it serves");
        found["complete"].as_bool().filter(|is_complete| *is_complete)
    });
}

/// A large node, its long threads, and how many events it holds.
pub(crate) struct Large {
    pub(crate) node: TestNode,
    pub(crate) threads: Vec<(usize, EventId)>,
    pub(crate) events: usize,
}

/// The large node, once it is wanted.
#[derive(Default)]
pub(crate) struct Holding(Option<Large>);

impl Holding {
    /// The large node, running.
    pub(crate) fn large(&mut self, options: &Options) -> &mut Large {
        self.0.get_or_insert_with(|| {
            let events = options.events.unwrap_or(EVENTS);
            let is_long = |comments: &usize| *comments * 4 <= events;
            let mut threads: Vec<(usize, EventId)> =
                THREADS.into_iter().filter(is_long).map(|comments| (comments, EventId([0; 32]))).collect();
            let (node, _) = node(options.seed, events, &mut threads);
            Large { node, threads, events }
        })
    }
}
