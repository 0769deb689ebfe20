//! What the reader's rules hide is passed over, and nobody can make a look long.

use super::super::samples::{ME, author, comment, post, store};
use super::*;
use crate::store::{Arrival, EventStore};
use roda_protocol::id::EventId;
use roda_protocol::view::policy::{Effect, Policy, Subject};

const MUTED: u8 = 2;
const OTHER: u8 = 3;

fn lens(rules: Vec<(Subject, Effect)>) -> Lens {
    Lens { policy: Policy::new(author(ME), rules), now_ms: 1_000_000, shows_hidden: false }
}

fn muting() -> Lens {
    lens(vec![(Subject::Author(author(MUTED)), Effect::Mute)])
}

fn found(store: &EventStore, lens: &Lens, bounds: Bounds, ask: Ask) -> Vec<Found> {
    Search::new(store, author(ME), lens, bounds).unwrap().find(&ask).unwrap().page(ask.limit)
}

fn ids(found: &[Found]) -> Vec<EventId> {
    found.iter().map(|found| found.place.row.id).collect()
}

fn all() -> Ask {
    Ask { before: None, all: true, limit: 100 }
}

/// An own post, with answers by somebody who is muted, and the first of all by somebody who is not.
fn flooded(answers: u64) -> (EventStore, EventId) {
    let store = store();
    let mine = post(ME, 1, "mine");
    let first = comment(OTHER, 2, &mine, "the first");
    let mut arrivals: Vec<Arrival> = vec![mine.clone(), first.clone()];
    arrivals.extend((0..answers).map(|number| comment(MUTED, 10 + number, &mine, "more")));
    store.admit(&arrivals).unwrap();
    (store, first.event.id())
}

#[test]
fn what_the_rules_hide_is_neither_listed_nor_counted_unless_it_is_asked_for() {
    let store = store();
    let me = author(ME).to_string();
    let (mine, theirs) = (post(ME, 1, "mine"), post(OTHER, 2, "theirs"));
    let mention = post(OTHER, 3, &format!("see {}", &me[..9]));
    let by_muted = comment(MUTED, 4, &mine, "by somebody who is muted");
    let with_words = comment(OTHER, 5, &mine, "some spam");
    let plain = comment(OTHER, 6, &mine, "plain");
    let (watched, muted_there) = (comment(OTHER, 7, &theirs, "new there"), comment(MUTED, 8, &theirs, "muted there"));
    let arrivals = [&mine, &theirs, &mention, &by_muted, &with_words, &plain, &watched, &muted_there];
    store.admit(&arrivals.map(Clone::clone)).unwrap();
    let mut lens = lens(vec![
        (Subject::Author(author(MUTED)), Effect::Mute),
        (Subject::Text("spam".into()), Effect::Mute),
        (Subject::Thread(mention.event.id()), Effect::Mute),
        (Subject::Thread(theirs.event.id()), Effect::Watch),
    ]);
    for ask in [all(), Ask { all: false, ..all() }] {
        let shown = found(&store, &lens, Bounds::OF_COUNT, ask);
        assert_eq!(ids(&shown), [watched.event.id(), plain.event.id()]);
        assert!(shown.iter().all(|found| found.is_unread));
    }
    lens.shows_hidden = true;
    let every = [&muted_there, &watched, &plain, &with_words, &by_muted, &mention].map(|arrival| arrival.event.id());
    assert_eq!(ids(&found(&store, &lens, Bounds::OF_LIST, all())), every);
}

#[test]
fn a_count_looks_at_so_much_and_no_more_and_says_that_there_may_be_more() {
    let (store, first) = flooded(20);
    let lens = muting();
    let ask = Ask { before: None, all: false, limit: COUNT_MAX + 1 };
    let find = |bounds| Search::new(&store, author(ME), &lens, bounds).unwrap().find(&ask).unwrap();
    let cut = find(Bounds { rows: 10, judged: 100 });
    assert_eq!(counted(&cut), InboxUnread { unread: 0, more: true, hidden: true });
    let cut = find(Bounds { rows: 100, judged: 1 });
    assert!(cut.end.is_some(), "the last one's words were not judged any more");
    let whole = find(Bounds { rows: 100, judged: 2 });
    assert_eq!(ids(&whole.found), [first], "of who is muted one event is judged, the others are not even read");
    assert_eq!(counted(&whole), InboxUnread { unread: 1, more: false, hidden: true });
    let (store, _) = flooded(COUNT_MAX as u64);
    let nothing_hidden = Lens { policy: Policy::new(author(ME), []), ..lens };
    let mut search = Search::new(&store, author(ME), &nothing_hidden, Bounds::OF_COUNT).unwrap();
    let many = search.find(&ask).unwrap();
    assert_eq!(counted(&many), InboxUnread { unread: 99, more: true, hidden: false });
}

#[test]
fn a_list_that_ended_early_can_be_gone_on_with() {
    let (store, first) = flooded(20);
    let (lens, bounds) = (muting(), Bounds { rows: 6, judged: 3 });
    let (mut ask, mut pages, mut met) = (all(), 0, Vec::new());
    loop {
        let page = found(&store, &lens, bounds, ask);
        let Some(last) = page.last() else { break };
        ask.before = Some(last.place.position);
        met.extend(ids(&page));
        pages += 1;
    }
    assert_eq!(met.last(), Some(&first));
    assert!((3..=5).contains(&pages), "{pages}");
}

#[test]
fn a_watched_thread_that_is_not_looked_through_keeps_older_entries_off_the_page() {
    let store = store();
    let (mine, theirs) = (post(ME, 1, "mine"), post(OTHER, 2, "theirs"));
    let answer = comment(OTHER, 3, &mine, "an answer");
    let spam = comment(OTHER, 4, &theirs, "spam");
    store.admit(&[&mine, &theirs, &answer, &spam].map(Clone::clone)).unwrap();
    let lens =
        lens(vec![(Subject::Text("spam".into()), Effect::Mute), (Subject::Thread(theirs.event.id()), Effect::Watch)]);
    // The one that may be judged is the answer.
    let page = found(&store, &lens, Bounds { rows: 9, judged: 1 }, all());
    assert_eq!(ids(&page), [spam.event.id()], "the answer comes on the next page");
    let behind = Ask { before: Some(page[0].place.position), ..all() };
    assert_eq!(ids(&found(&store, &lens, Bounds { rows: 9, judged: 9 }, behind)), [answer.event.id()]);
}
