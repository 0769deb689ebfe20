use super::super::samples::{Disks, charter, dump, network, post};
use super::super::{Arrival, EventStore, MemoryIndex};
use super::*;
use roda_protocol::event::{Author, Body, Comment, CommentBody, Draft, Edit, EditBody, Retract, Vote};
use roda_protocol::id::SpaceId;
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{SpaceRules, validate};
use std::sync::Arc;

/// Numbers as good as chance, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

fn arrival(author: usize, space: SpaceId, created_ms: u64, refs: Vec<EventId>, kind: Kind, body: Body) -> Arrival {
    let key = SecretKey::from_seed(&[author as u8 + 1; 32]);
    let draft = Draft { space, created_ms, refs, kind, body, salt: [4; 16] };
    let signed = draft.sign(&Author::Root(&key), &network(), 0).unwrap();
    let rules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };
    Arrival { event: validate(signed, &rules).unwrap(), received_ms: created_ms, is_own: false }
}

/// A thread in which three authors do things to each other's words at random, and a second thread beside it.
fn world(seed: u64) -> (EventId, Vec<Arrival>) {
    let mut numbers = Numbers(seed);
    let charter = charter();
    let space = charter.event.space();
    let (first, second) = (post(space, 1), post(space, 2));
    let (root, other) = (first.event.id(), second.event.id());
    // Each event, its author, and whether it stands in the thread.
    let mut done: Vec<(EventId, usize, bool)> = vec![(root, 0, true), (other, 0, false)];
    let mut all = vec![charter, first, second];
    for number in 0..60 {
        let (target, by, is_here) = done[numbers.below(done.len())];
        let stranger = numbers.below(3);
        let author = if numbers.below(4) > 0 { by } else { stranger };
        let mut refs: Vec<EventId> = (0..numbers.below(3)).map(|_| done[numbers.below(done.len())].0).collect();
        refs.sort_unstable();
        refs.dedup();
        let text = format!("{number}");
        let (kind, body) = match numbers.below(9) {
            0..4 => {
                let root = if is_here { root } else { other };
                let kind = Kind::Comment(Comment { root, parent: target });
                (kind, Body::Comment(CommentBody { text }))
            }
            4..6 => (Kind::Edit(Edit { target }), Body::Edit(EditBody { title: None, text, link: None })),
            6..8 => (Kind::Vote(Vote { target, value: numbers.below(3) as i8 - 1 }), Body::None),
            _ => (Kind::Retract(Retract { targets: vec![target] }), Body::None),
        };
        let event = arrival(author, space, 2000 + numbers.below(50) as u64, refs, kind, body);
        done.push((event.event.id(), author, is_here));
        all.push(event);
    }
    let mut rest = all.split_off(1);
    for at in (1..rest.len()).rev() {
        rest.swap(at, numbers.below(at + 1));
    }
    all.extend(rest);
    (root, all)
}

/// Every page that can be reached from the start of a thread, and from where each one goes on.
fn pages(store: &EventStore, root: &EventId, first: PageAsk) -> Vec<Page> {
    let (mut asks, mut pages) = (vec![first], Vec::new());
    while let Some(ask) = asks.pop() {
        let page = store.thread_page(root, &ask).unwrap().expect("it is there");
        for (_, on_page) in &page.nodes {
            if let Some(more) = on_page.more {
                asks.push(PageAsk { under: Some(on_page.spot.id), after: more.after, ..ask });
            }
        }
        pages.push(page);
    }
    pages
}

#[test]
fn pages_of_a_growing_thread_show_what_the_whole_thread_shows() {
    for seed in 0..40 {
        let (root, arrivals) = world(seed);
        let (store, _) = Disks::new().open().unwrap();
        for (count, arrival) in arrivals.iter().enumerate() {
            store.take_in(std::slice::from_ref(arrival)).unwrap();
            if count % 6 != 5 {
                continue;
            }
            let items = store.thread_items(&root).unwrap();
            let held = items.iter().filter(|(item, _)| matches!(item.kind, Kind::Post(_) | Kind::Comment(_))).count();
            let whole = thread::resolve(root, items.iter().map(|(item, _)| item.clone()));
            if held == 0 {
                continue;
            }
            let mut shown = BTreeSet::new();
            for page in pages(&store, &root, PageAsk { under: None, after: None, depth: 2, limit: 4 }) {
                assert_eq!(page.held, held as u64);
                assert_eq!(page.holes, whole.missing().into_iter().collect());
                for (node, _) in page.nodes {
                    assert_eq!(whole.nodes.iter().find(|other| other.id == node.id), Some(&node), "seed {seed}");
                    shown.insert(node.id);
                }
            }
            assert_eq!(shown.len(), whole.nodes.len(), "seed {seed}");
        }
    }
}

#[test]
fn what_is_not_in_a_thread_has_no_page() {
    let (root, arrivals) = world(1);
    let (store, _) = Disks::new().open().unwrap();
    let ask = PageAsk { under: None, after: None, depth: 9, limit: 9 };
    assert!(store.thread_page(&root, &ask).unwrap().is_none());
    store.take_in(&arrivals).unwrap();
    assert!(store.thread_page(&root, &ask).unwrap().is_some());
    let stranger = Some(EventId([7; 32]));
    assert!(store.thread_page(&root, &PageAsk { under: stranger, ..ask }).unwrap().is_none());
    assert!(store.thread_page(&root, &PageAsk { after: stranger, ..ask }).unwrap().is_none());
    assert!(store.thread_page(&EventId([7; 32]), &ask).unwrap().is_none());
}

#[test]
fn a_thread_is_what_its_events_say_in_any_order_and_with_an_index_that_was_made_anew() {
    for seed in 100..300 {
        let (root, arrivals) = world(seed);
        let said = thread::resolve(root, arrivals.iter().map(|arrival| super::super::read::item(&arrival.event)));
        let (store, _) = Disks::new().open().unwrap();
        for arrival in &arrivals {
            store.take_in(std::slice::from_ref(arrival)).unwrap();
        }
        store.flush().unwrap();
        let all = PageAsk { under: None, after: None, depth: usize::MAX, limit: usize::MAX };
        let is_as_said = || {
            let items = store.thread_items(&root).unwrap().into_iter().map(|(item, _)| item);
            assert_eq!(thread::resolve(root, items), said, "seed {seed}");
            let page = store.thread_page(&root, &all).unwrap().expect("it is there");
            let nodes: Vec<Node> = page.nodes.into_iter().map(|(node, _)| node).collect();
            assert_eq!(nodes, said.nodes, "seed {seed}");
        };
        is_as_said();
        let before = dump(&store);
        store.rebuild(Arc::new(MemoryIndex::new())).unwrap();
        is_as_said();
        assert_eq!(dump(&store), before, "seed {seed}");
    }
}
