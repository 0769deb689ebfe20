use super::*;
use crate::event::{Comment, CommentBody, Edit, EditBody, Post, PostBody, Retract, Vote};
use crate::limits::REPLY_DEPTH_MAX;
use proptest::prelude::*;

pub(super) fn id(number: u32) -> EventId {
    EventId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn author(number: u8) -> AuthorKey {
    AuthorKey([number; 32])
}

fn item(number: u32, by: u8, created_ms: u64, refs: Vec<EventId>, kind: Kind, body: Body) -> Item {
    Item { id: id(number), author: author(by), created_ms, refs, kind, body: Some(body) }
}

fn post(number: u32) -> Item {
    let words = PostBody { title: format!("title {number}"), text: String::new(), link: None };
    item(number, 0, 1000, vec![], Kind::Post(Post::default()), Body::Post(words))
}

fn comment(number: u32, parent: u32, by: u8, created_ms: u64) -> Item {
    let words = CommentBody { text: format!("comment {number}") };
    let kind = Kind::Comment(Comment { root: id(0), parent: id(parent) });
    item(number, by, created_ms, vec![id(parent)], kind, Body::Comment(words))
}

fn edit(number: u32, target: u32, by: u8, refs: Vec<EventId>) -> Item {
    let words = EditBody { title: None, text: format!("edit {number}"), link: None };
    item(number, by, 5000, refs, Kind::Edit(Edit { target: id(target) }), Body::Edit(words))
}

fn vote(number: u32, target: u32, by: u8, value: i8, refs: Vec<EventId>) -> Item {
    item(number, by, 6000, refs, Kind::Vote(Vote { target: id(target), value }), Body::None)
}

fn retract(number: u32, target: u32, by: u8) -> Item {
    item(number, by, 7000, vec![], Kind::Retract(Retract { targets: vec![id(target)] }), Body::None)
}

fn text_of(thread: &Thread, number: u32) -> Option<String> {
    let node = thread.nodes.iter().find(|node| node.id == id(number))?;
    match &node.shown {
        Shown::Content(content) => Some(content.text.clone()),
        _ => None,
    }
}

#[test]
fn answers_stand_below_what_they_answer_in_order_of_time() {
    let thread = resolve(id(0), [comment(3, 1, 1, 1300), comment(2, 0, 1, 1200), comment(1, 0, 1, 1100), post(0)]);
    let shape: Vec<(EventId, u16)> = thread.nodes.iter().map(|node| (node.id, node.depth)).collect();
    assert_eq!(shape, [(id(0), 0), (id(1), 1), (id(3), 2), (id(2), 1)]);
}

#[test]
fn a_missing_parent_is_a_hole_that_heals_in_place() {
    let without = resolve(id(0), [post(0), comment(2, 1, 1, 1200)]);
    assert_eq!(without.missing(), [id(1)]);
    let shape: Vec<(EventId, u16)> = without.nodes.iter().map(|node| (node.id, node.depth)).collect();
    assert_eq!(shape, [(id(0), 0), (id(1), 1), (id(2), 2)]);
    let healed = resolve(id(0), [post(0), comment(2, 1, 1, 1200), comment(1, 0, 1, 1100)]);
    assert_eq!(healed.missing(), []);
    let healed_shape: Vec<(EventId, u16)> = healed.nodes.iter().map(|node| (node.id, node.depth)).collect();
    assert_eq!(healed_shape, shape);
}

#[test]
fn a_thread_without_its_post_shows_the_comments() {
    let thread = resolve(id(0), [comment(1, 0, 1, 1100)]);
    assert_eq!(thread.missing(), [id(0)]);
    assert_eq!(thread.nodes.len(), 2);
}

#[test]
fn an_answer_dated_before_its_parent_is_shown_behind_it() {
    let thread = resolve(id(0), [post(0), comment(1, 0, 1, 5), comment(2, 0, 1, 1001)]);
    assert_eq!(thread.nodes[1].display_ms, 1000);
    assert_eq!(thread.nodes[1].created_ms, 5);
}

#[test]
fn the_deepest_edit_of_the_author_wins_whatever_its_date() {
    let first = edit(10, 1, 1, vec![id(1)]);
    let second = Item { created_ms: 1, ..edit(11, 1, 1, vec![id(10)]) };
    let stranger = edit(12, 1, 2, vec![id(11)]);
    let thread = resolve(id(0), [post(0), comment(1, 0, 1, 1100), second, first, stranger]);
    assert_eq!(text_of(&thread, 1), Some("edit 11".into()));
}

#[test]
fn a_retraction_by_the_author_is_final_and_one_by_another_is_nothing() {
    let late_edit = edit(12, 1, 1, vec![id(1)]);
    let items =
        [post(0), comment(1, 0, 1, 1100), comment(2, 0, 2, 1100), retract(10, 1, 1), retract(11, 2, 1), late_edit];
    let thread = resolve(id(0), items);
    assert_eq!(thread.nodes.iter().find(|node| node.id == id(1)).map(|node| &node.shown), Some(&Shown::Retracted));
    assert_eq!(text_of(&thread, 2), Some("comment 2".into()));
}

#[test]
fn a_retracted_edit_gives_way_to_the_one_before() {
    let items = [
        post(0),
        comment(1, 0, 1, 1100),
        edit(10, 1, 1, vec![id(1)]),
        edit(11, 1, 1, vec![id(10)]),
        retract(12, 11, 1),
    ];
    assert_eq!(text_of(&resolve(id(0), items), 1), Some("edit 10".into()));
}

#[test]
fn each_author_has_one_vote_the_last() {
    let items = [
        post(0),
        vote(10, 0, 1, 1, vec![id(0)]),
        vote(11, 0, 1, -1, vec![id(10)]),
        vote(12, 0, 2, 1, vec![id(0)]),
        vote(13, 0, 3, 1, vec![id(0)]),
        vote(14, 0, 3, 0, vec![id(13)]),
    ];
    let thread = resolve(id(0), items);
    assert_eq!((thread.nodes[0].up, thread.nodes[0].down), (1, 1));
}

#[test]
fn a_hundred_thousand_comments_and_a_deep_chain_resolve() {
    let wide = (1..=100_000).map(|number| comment(number, 0, 1, u64::from(number)));
    assert_eq!(resolve(id(0), wide.chain([post(0)])).nodes.len(), 100_001);
    let deep = (1..=100_000).map(|number| comment(number, number - 1, 1, u64::from(number)));
    let thread = resolve(id(0), deep.chain([post(0)]));
    assert_eq!(thread.nodes.len(), 100_001);
    assert_eq!(thread.nodes.iter().map(|node| node.depth).max(), Some(REPLY_DEPTH_MAX));
    let chain = resolve(id(0), (1..=255).map(|number| comment(number, number - 1, 1, 0)).chain([post(0)]));
    assert_eq!(chain.nodes.last().map(|node| node.depth), Some(255));
}

#[test]
fn a_comment_whose_parent_stands_in_another_thread_hangs_below_a_hole() {
    let elsewhere = Item { kind: Kind::Comment(Comment { root: id(900), parent: id(900) }), ..comment(1, 0, 1, 1100) };
    let thread = resolve(id(0), [post(0), elsewhere, comment(2, 1, 1, 1200)]);
    assert_eq!(thread.missing(), [id(1)]);
    assert_eq!(thread.nodes.len(), 3);
}

#[test]
fn what_an_edit_saw_of_other_threads_does_not_make_it_the_last() {
    let elsewhere = |number, refs| Item {
        kind: Kind::Comment(Comment { root: id(900), parent: id(900) }),
        refs,
        ..comment(number, 0, 1, 1100)
    };
    let shallow = edit(10, 1, 1, vec![id(1), id(33)]);
    let own = [post(0), comment(1, 0, 1, 1100), shallow, edit(11, 1, 1, vec![id(1)]), edit(12, 1, 1, vec![id(11)])];
    let chain = [elsewhere(30, vec![]), elsewhere(31, vec![id(30)]), elsewhere(32, vec![id(31)])];
    let others = chain.into_iter().chain([vote(33, 32, 1, 1, vec![id(32)])]);
    let alone = resolve(id(0), own.clone());
    assert_eq!(text_of(&alone, 1), Some("edit 12".into()));
    assert_eq!(resolve(id(0), own.into_iter().chain(others)), alone);
}

#[test]
fn votes_on_what_is_not_here_are_not_counted_yet() {
    let thread = resolve(id(0), [post(0), comment(2, 1, 1, 1200), vote(10, 1, 2, 1, vec![])]);
    assert_eq!((thread.nodes[1].id, thread.nodes[1].up), (id(1), 0));
}

/// A small world of events that name each other at random, also what is not there and what stands in another thread.
pub(super) fn world() -> impl Strategy<Value = Vec<Item>> {
    let one = (0_u32..7, 0_u32..12, 0_u8..3, 900_u64..1500, proptest::collection::vec(0_u32..40, 0..3));
    proptest::collection::vec(one, 0..30).prop_map(|choices| {
        let mut items = vec![post(0)];
        for (number, (kind, target, by, time, refs)) in (1_u32..).zip(choices) {
            let target = target % number.max(1);
            let refs: Vec<EventId> = refs.into_iter().filter(|at| *at < number).map(id).collect();
            items.push(match kind {
                0 | 1 => Item { refs, ..comment(number, target, by, time) },
                2 => Item { refs, ..comment(number, target + 50, by, time) },
                3 => edit(number, target, by, refs),
                4 => vote(number, target, by, (time % 3) as i8 - 1, refs),
                5 => {
                    let kind = Kind::Comment(Comment { root: id(900), parent: id(target) });
                    Item { refs, kind, ..comment(number, target, by, time) }
                }
                _ => retract(number, target, by),
            });
        }
        items
    })
}

/// The same rules written the slow and obvious way: recursion and scans.
mod naive {
    use super::*;

    /// The post, its comments, edits and votes on these, and retractions of any of these.
    pub(super) fn own(items: &[Item]) -> Vec<Item> {
        let is_place = |item: &Item| match &item.kind {
            Kind::Post(_) => item.id == id(0),
            Kind::Comment(comment) => comment.root == id(0),
            _ => false,
        };
        let has_place = |target: EventId| items.iter().any(|item| item.id == target && is_place(item));
        let is_action = |item: &Item| match &item.kind {
            Kind::Edit(edit) => has_place(edit.target),
            Kind::Vote(vote) => has_place(vote.target),
            _ => false,
        };
        let is_own = |item: &Item| {
            let takes_back = match &item.kind {
                Kind::Retract(retract) => items
                    .iter()
                    .any(|other| retract.targets.contains(&other.id) && (is_place(other) || is_action(other))),
                _ => false,
            };
            is_place(item) || is_action(item) || takes_back
        };
        items.iter().filter(|item| is_own(item)).cloned().collect()
    }

    pub(super) fn depth(items: &[Item], at: &EventId) -> Option<u64> {
        let item = items.iter().find(|item| item.id == *at)?;
        Some(1 + item.refs.iter().filter_map(|below| depth(items, below)).max().unwrap_or(0))
    }

    fn retracted(items: &[Item], item: &Item) -> bool {
        items.iter().any(|other| {
            matches!(&other.kind, Kind::Retract(retract) if retract.targets.contains(&item.id))
                && other.author == item.author
        })
    }

    fn text(items: &[Item], item: &Item) -> String {
        if retracted(items, item) {
            return "retracted".into();
        }
        let mut edits: Vec<&Item> = items
            .iter()
            .filter(|other| matches!(&other.kind, Kind::Edit(edit) if edit.target == item.id))
            .filter(|other| other.author == item.author && !retracted(items, other))
            .collect();
        edits.sort_by_key(|edit| (depth(items, &edit.id), edit.id));
        match (edits.last().and_then(|edit| edit.body.clone()), &item.body) {
            (Some(Body::Edit(words)), _) => words.text,
            (_, Some(Body::Comment(words))) => words.text.clone(),
            _ => String::new(),
        }
    }

    fn votes(items: &[Item], at: &EventId) -> (u32, u32) {
        let mut count = (0, 0);
        for by in 0..3 {
            let mine = items.iter().filter(|item| item.author == author(by) && !retracted(items, item));
            let mut mine: Vec<(u64, EventId, i8)> = mine
                .filter_map(|item| match &item.kind {
                    Kind::Vote(vote) if vote.target == *at => {
                        Some((depth(items, &item.id).unwrap_or(0), item.id, vote.value))
                    }
                    _ => None,
                })
                .collect();
            mine.sort_unstable();
            match mine.last() {
                Some((_, _, 1)) => count.0 += 1,
                Some((_, _, -1)) => count.1 += 1,
                _ => {}
            }
        }
        count
    }

    pub(super) fn lines(items: &[Item], at: EventId, depth: usize, not_before: u64, out: &mut Vec<String>) {
        let here = items.iter().find(|item| item.id == at && matches!(item.kind, Kind::Post(_) | Kind::Comment(_)));
        let members: Vec<&Item> = items.iter().filter(|item| matches!(item.kind, Kind::Comment(_))).collect();
        let parent = |item: &Item| match &item.kind {
            Kind::Comment(comment) => comment.parent,
            _ => item.id,
        };
        let answers_of = |id: EventId| members.iter().filter(move |item| parent(item) == id).map(|item| item.id);
        let time = |id: EventId| match items
            .iter()
            .find(|item| item.id == id && (id == super::id(0) || members.iter().any(|member| member.id == id)))
        {
            Some(item) => item.created_ms,
            None => members.iter().filter(|item| parent(item) == id).map(|item| item.created_ms).min().unwrap_or(0),
        };
        let display = time(at).max(not_before);
        let (up, down) = votes(items, &at);
        let shown = here.map_or("hole".into(), |item| text(items, item));
        out.push(format!("{depth} {at:?} {display} +{up}-{down} {shown}"));
        let mut below: Vec<EventId> = answers_of(at).collect();
        if at == id(0) {
            let is_here = |id: EventId| id == super::id(0) || members.iter().any(|item| item.id == id);
            let mut holes: Vec<EventId> = members.iter().map(|item| parent(item)).filter(|up| !is_here(*up)).collect();
            holes.sort_unstable();
            holes.dedup();
            below.extend(holes);
        }
        below.sort_by_key(|answer| (time(*answer).max(display), *answer));
        for answer in below {
            lines(items, answer, depth + 1, display, out);
        }
    }
}

fn lines(thread: &Thread) -> Vec<String> {
    let text = |node: &Node| match &node.shown {
        Shown::Missing => "hole".into(),
        Shown::Retracted => "retracted".into(),
        Shown::Content(content) => content.text.clone(),
        other => format!("{other:?}"),
    };
    let line = |node: &Node| {
        format!("{} {:?} {} +{}-{} {}", node.depth, node.id, node.display_ms, node.up, node.down, text(node))
    };
    thread.nodes.iter().map(line).collect()
}

proptest! {
    #[test]
    fn the_order_of_arrival_and_doubles_make_no_difference(
        (items, shuffled) in world().prop_flat_map(|items| {
            let doubled: Vec<Item> = items.iter().chain(items.iter().take(5)).cloned().collect();
            (Just(items), Just(doubled).prop_shuffle())
        })
    ) {
        prop_assert_eq!(resolve(id(0), items), resolve(id(0), shuffled));
    }

    #[test]
    fn the_tree_is_that_of_the_naive_rules(items in world()) {
        let mut naive = Vec::new();
        naive::lines(&naive::own(&items), id(0), 0, 0, &mut naive);
        prop_assert_eq!(lines(&resolve(id(0), items)), naive);
    }

    #[test]
    fn a_thread_is_a_function_of_its_own_events(items in world()) {
        let own = naive::own(&items);
        prop_assert_eq!(resolve(id(0), own), resolve(id(0), items));
    }
}
