use super::bounds::ASKED_PER_MINUTE_MAX;
use super::conduct::Conduct;
use super::durable::Durable;
use super::*;
use roda_node::engine::{Admitted, Notice, Verdict};
use roda_protocol::id::{EventId, SpaceId};
use std::collections::BTreeMap;

const BOARD: SpaceId = SpaceId([9; 32]);

fn id(number: u8) -> EventId {
    EventId([number; 32])
}

fn learns(known: &mut Known, at: usize, number: u8, at_ms: u64) {
    let event = Admitted { id: id(number), space: BOARD, kind: "post" };
    known.told(at, &Notice::Judged { event, verdict: Verdict::Admitted(event.id) }, at_ms);
}

#[test]
fn a_node_that_lacks_an_event_disagrees() {
    let sets = |second: &[u8]| [(0, [id(1), id(2)].into()), (1, second.iter().map(|number| id(*number)).collect())];
    assert_eq!(disagreement(&sets(&[2, 1])), None);
    assert!(disagreement(&sets(&[1])).is_some_and(|what| what.contains("node 1 lacks 1 of 2")));
}

#[test]
fn an_event_that_nobody_signed_is_a_forgery_and_one_without_words_is_none() {
    let signed: Option<(&[u8], usize)> = Some((b"header and words", 6));
    assert_eq!(forgery(b"header and words", signed), None);
    assert_eq!(forgery(b"header", signed), None);
    assert!(forgery(b"header and other words", signed).is_some());
    assert!(forgery(b"header", None).is_some());
}

#[test]
fn an_acknowledged_event_that_is_gone_is_found() {
    let mut durable = Durable::default();
    durable.acknowledged(3, id(1));
    durable.check(3, |_| true, 10);
    durable.check(4, |_| false, 10);
    assert_eq!(durable.found.0, []);
    durable.check(3, |_| false, 20);
    assert_eq!(durable.found.0.len(), 1);
}

#[test]
fn two_renderings_of_one_thread_are_found() {
    let seen = |bytes: &[u8]| Seen { node: bytes.len(), bytes: bytes.into() };
    assert_eq!(difference(&[seen(b"a thread"), seen(b"a thread")]), None);
    assert!(difference(&[seen(b"a thread"), seen(b"a thread"), seen(b"a threat")]).is_some());
    assert!(difference(&[seen(b"a thread"), seen(b"a")]).is_some());
}

#[test]
fn a_node_that_claims_an_equality_that_never_was_is_found() {
    let mut known = Known::new(2);
    learns(&mut known, 0, 1, 100);
    learns(&mut known, 1, 2, 100);
    known.talked(0, 1, 200_000);
    let claim = |peers_equal| Claim {
        node: 0,
        board: BOARD,
        peers_asked: 1,
        peers_equal,
        first_ms: 0,
        last_ms: 300_000,
        honest: vec![1],
        hostile: 0,
    };
    assert_eq!(doubt(&claim(0), &known), None);
    assert!(doubt(&claim(1), &known).is_some());
    // A liar can have made it believe so.
    assert_eq!(doubt(&Claim { hostile: 1, ..claim(1) }, &known), None);
    learns(&mut known, 0, 2, 190_000);
    learns(&mut known, 1, 1, 190_000);
    assert_eq!(doubt(&claim(1), &known), None);
    assert!(doubt(&Claim { peers_asked: 2, ..claim(1) }, &known).is_some());
}

#[test]
fn sets_are_remembered_as_they_were() {
    let mut known = Known::new(1);
    learns(&mut known, 0, 1, 100);
    let first = known.sum(0, BOARD);
    learns(&mut known, 0, 2, 200);
    let second = known.sum(0, BOARD);
    assert_eq!(known.sums(0, BOARD, 0, 50), [0].into());
    assert_eq!(known.sums(0, BOARD, 120, 180), [first].into());
    assert_eq!(known.sums(0, BOARD, 150, 200), [first, second].into());
    known.found(0, BOARD, &[id(1)], 300);
    assert_eq!(known.sum(0, BOARD), first);
}

#[test]
fn a_node_is_unsure_from_the_failure_of_its_disk_to_its_next_start() {
    let mut known = Known::new(1);
    known.broke(0, 100);
    known.found(0, BOARD, &[], 200);
    known.found(0, BOARD, &[], 900);
    assert!(known.is_unsure(0, 50, 100) && known.is_unsure(0, 200, 300));
    assert!(!known.is_unsure(0, 0, 99) && !known.is_unsure(0, 201, 900));
}

#[test]
fn anything_over_its_bound_is_found() {
    let mut bounds = Bounds::default();
    let counters = |deferred| {
        let sizes = [("deferred", deferred), ("wanted", 2000), ("fetching", 65_536), ("directory", 4096)];
        sizes.into_iter().map(|(name, size)| (name.to_owned(), size)).collect::<BTreeMap<String, u64>>()
    };
    bounds.size("bytes", 0, 10, 10, 0);
    bounds.counters(0, &counters(1000), 0);
    assert_eq!(bounds.found.0, []);
    bounds.size("bytes", 0, 11, 10, 0);
    bounds.counters(0, &counters(1001), 0);
    bounds.counters(0, &BTreeMap::new(), 0);
    assert_eq!(bounds.found.0.len(), 6);
}

#[test]
fn a_node_that_does_not_leave_a_liar_alone_is_found() {
    let mut bounds = Bounds::default();
    for minute in 0..3 {
        (0..ASKED_PER_MINUTE_MAX).for_each(|_| bounds.asks(0, 1, minute * 60_000));
    }
    assert_eq!(bounds.found.0, []);
    bounds.asks(0, 1, 2 * 60_000 + 59_999);
    assert_eq!(bounds.found.0.len(), 1);
}

#[test]
fn an_honest_node_that_is_banned_or_relays_a_forgery_is_found() {
    let mut conduct = Conduct::default();
    conduct.banned(0, 1, true, "lied", 0);
    conduct.rejected(0, 1, true, 0);
    conduct.marked(0, 1, true, 0);
    assert_eq!(conduct.marked_hostile(), 1);
    assert_eq!(conduct.found.0, []);
    conduct.banned(0, 2, false, "sent 8 invalid events", 0);
    conduct.rejected(0, 2, false, 0);
    conduct.marked(0, 2, false, 0);
    conduct.relayed(0, "nobody signed it", 0);
    assert_eq!((conduct.found.0.len(), conduct.marked_hostile()), (4, 1));
}
