use super::super::tests::{id, world};
use super::super::{Item, Node, place_of, resolve, resolve_page, rivals};
use super::*;
use crate::event::Kind;
use proptest::prelude::*;

fn place(number: u32, parent: u32, created_ms: u64) -> Place {
    Place { id: id(number), parent: (number > 0).then(|| id(parent)), created_ms }
}

fn whole() -> PageAsk {
    PageAsk { under: None, after: None, depth: usize::MAX, limit: usize::MAX }
}

/// What stands below the first spot of a page, there and on all pages that it leads to; with each, its page.
fn read(shape: &Shape, ask: PageAsk) -> Vec<(OnPage, PageAsk)> {
    let page = shape.page(&ask).expect("the cursor is there");
    let mut all: Vec<(OnPage, PageAsk)> = page[1..].iter().map(|on_page| (*on_page, ask)).collect();
    for (place, on_page) in page.iter().enumerate() {
        if let Some(more) = on_page.more {
            let under = if place == 0 { ask.under } else { Some(on_page.spot.id) };
            all.extend(read(shape, PageAsk { under, after: more.after, ..ask }));
        }
    }
    all
}

/// The events that a page is resolved from, as a store finds them: by what they act on and what they build on.
fn needed(items: &[Item], page: &[OnPage]) -> Vec<Item> {
    let named = |id: &EventId| items.iter().find(|item| item.id == *id);
    let targets = |item: &Item| match &item.kind {
        Kind::Edit(edit) => vec![edit.target],
        Kind::Vote(vote) => vec![vote.target],
        Kind::Retract(retract) => retract.targets.clone(),
        _ => Vec::new(),
    };
    let on = |ids: &BTreeSet<EventId>| {
        let acts = |item: &&Item| targets(item).iter().any(|target| ids.contains(target));
        items.iter().filter(acts).map(|item| item.id).collect::<BTreeSet<_>>()
    };
    let mut ids: BTreeSet<EventId> = page.iter().map(|on_page| on_page.spot.id).collect();
    ids.extend(on(&ids));
    ids.extend(on(&ids));
    let near: Vec<&Item> = ids.iter().filter_map(named).collect();
    let mut open: Vec<EventId> = rivals(near).into_iter().collect();
    while let Some(id) = open.pop() {
        let Some(item) = named(&id) else { continue };
        for next in &item.refs {
            if ids.insert(*next) || !open.contains(next) {
                open.push(*next);
            }
        }
        for target in targets(item) {
            ids.insert(target);
            ids.extend(named(&target).into_iter().flat_map(targets));
        }
    }
    ids.iter().filter_map(named).cloned().collect()
}

#[test]
fn what_a_page_leaves_out_is_counted_and_has_a_cursor() {
    let places = [
        place(0, 0, 0),
        place(1, 0, 10),
        place(2, 1, 11),
        place(3, 2, 12),
        place(4, 0, 20),
        place(5, 4, 21),
        place(6, 0, 30),
    ];
    let shape = Shape::of(id(0), places);
    let page = shape.page(&PageAsk { depth: 1, limit: 2, ..whole() }).unwrap();
    let more: Vec<Option<(u32, Option<EventId>)>> =
        page.iter().map(|on_page| on_page.more.map(|more| (more.count, more.after))).collect();
    assert_eq!(page.iter().map(|on_page| on_page.spot.id).collect::<Vec<_>>(), [id(0), id(1), id(4)]);
    assert_eq!(more, [Some((1, Some(id(4)))), Some((2, None)), Some((1, None))]);
    let rest = shape.page(&PageAsk { under: Some(id(1)), ..whole() }).unwrap();
    assert_eq!(rest.iter().map(|on_page| on_page.spot.id).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
    assert_eq!(rest[0].parent, Some(id(0)));
    assert!(shape.page(&PageAsk { after: Some(id(2)), ..whole() }).is_none(), "it answers another one");
    assert!(shape.page(&PageAsk { under: Some(id(9)), ..whole() }).is_none());
}

#[test]
fn a_chain_and_a_crowd_of_a_hundred_thousand_have_a_shape() {
    let deep = Shape::of(id(0), (0..100_000).map(|number| place(number, number.saturating_sub(1), 5)));
    assert_eq!((deep.spots().len(), deep.spots()[0].below), (100_000, 99_999));
    let wide = Shape::of(id(0), (0..100_000).map(|number| place(number, 0, 5)));
    assert_eq!(wide.page(&PageAsk { limit: 50, ..whole() }).unwrap()[0].more.unwrap().count, 99_949);
}

proptest! {
    #[test]
    fn a_shape_grows_to_what_it_would_be_made_from_all(
        places in prop::collection::vec((1_u32..30, 0_u32..30, 0_u64..9), 0..30),
        has_post in any::<bool>(),
    ) {
        let mut all: BTreeMap<EventId, Place> = BTreeMap::new();
        if has_post {
            all.insert(id(0), place(0, 0, 4));
        }
        let mut grown = Shape::of(id(0), all.values().copied());
        for (number, parent, created_ms) in places.into_iter().filter(|(number, parent, _)| parent < number) {
            let new = *all.entry(id(number)).or_insert(place(number, parent, created_ms));
            let made = Shape::of(id(0), all.values().copied());
            if grown.insert(&new) {
                prop_assert_eq!(&grown, &made);
            }
            grown = made;
        }
    }

    #[test]
    fn pages_one_behind_the_other_are_the_whole_thread(items in world(), depth in 1_usize..4, limit in 1_usize..6) {
        let thread = resolve(id(0), items.clone());
        let own: Vec<Place> = items.iter().filter(|item| match &item.kind {
            Kind::Comment(comment) => comment.root == id(0),
            _ => item.id == id(0),
        }).filter_map(|item| place_of(id(0), item)).collect();
        let unique: BTreeMap<EventId, Place> = own.into_iter().map(|place| (place.id, place)).collect();
        let shape = Shape::of(id(0), unique.into_values());
        let parts = read(&shape, PageAsk { depth, limit, ..whole() });
        let mut ids: Vec<EventId> = parts.iter().map(|(on_page, _)| on_page.spot.id).chain([id(0)]).collect();
        ids.sort_unstable();
        let mut all: Vec<EventId> = thread.nodes.iter().map(|node| node.id).collect();
        all.sort_unstable();
        prop_assert_eq!(ids, all, "each spot is on one page");
        for (_, ask) in &parts {
            let page = shape.page(ask).expect("it was there");
            for node in resolve_page(id(0), &page, needed(&items, &page), BTreeMap::new()) {
                let same: Option<&Node> = thread.nodes.iter().find(|other| other.id == node.id);
                prop_assert_eq!(same, Some(&node));
            }
        }
    }
}
