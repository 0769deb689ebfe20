//! Sets of events and the thread or profile that they come to.
//!
//! In this file the number n stands for an id (BLAKE3 of n as four little-endian bytes) or an author (32 bytes n).

use super::{check, describe};
use roda_protocol::event::{
    Body, Comment, CommentBody, Edit, EditBody, Kind, Post, PostBody, ProfileBody, Retract, Vote,
};
use roda_protocol::id::{AuthorKey, EventId};
use roda_protocol::thread::{Content, Item, Node, Shown, Thread, resolve};
use roda_protocol::view::{ProfileItem, profile};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Clone)]
struct Event {
    number: u32,
    by: u8,
    time: u64,
    refs: Vec<u32>,
    kind: Kind,
    body: Option<Body>,
}

fn id(number: u32) -> EventId {
    EventId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn post(number: u32, by: u8, time: u64) -> Event {
    let words =
        PostBody { title: format!("title {number}"), text: format!("text {number}"), link: Some("link".into()) };
    let kind = Kind::Post(Post { tags: vec!["tag".into()] });
    Event { number, by, time, refs: vec![], kind, body: Some(Body::Post(words)) }
}

fn comment(number: u32, parent: u32, by: u8, time: u64) -> Event {
    let kind = Kind::Comment(Comment { root: id(0), parent: id(parent) });
    let words = CommentBody { text: format!("comment {number}") };
    Event { number, by, time, refs: vec![parent], kind, body: Some(Body::Comment(words)) }
}

fn edit(number: u32, target: u32, by: u8, refs: &[u32]) -> Event {
    let words = EditBody { title: Some(format!("new title {number}")), text: format!("edit {number}"), link: None };
    let kind = Kind::Edit(Edit { target: id(target) });
    Event { number, by, time: 5000 + u64::from(number), refs: refs.into(), kind, body: Some(Body::Edit(words)) }
}

fn vote(number: u32, target: u32, by: u8, value: i8, refs: &[u32]) -> Event {
    let kind = Kind::Vote(Vote { target: id(target), value });
    Event { number, by, time: 6000, refs: refs.into(), kind, body: Some(Body::None) }
}

fn retract(number: u32, targets: &[u32], by: u8) -> Event {
    let mut targets: Vec<EventId> = targets.iter().map(|target| id(*target)).collect();
    targets.sort_unstable();
    Event { number, by, time: 7000, refs: vec![], kind: Kind::Retract(Retract { targets }), body: Some(Body::None) }
}

fn elsewhere(number: u32, refs: &[u32]) -> Event {
    let kind = Kind::Comment(Comment { root: id(900), parent: id(900) });
    Event { refs: refs.into(), kind, ..comment(number, 0, 1, 1000) }
}

fn scenes() -> Vec<(&'static str, Vec<Event>)> {
    let chain = (1..=258).map(|number| comment(number, number - 1, 1, 1000));
    vec![
        ("a post alone", vec![post(0, 0, 1000)]),
        ("nothing at all", vec![]),
        (
            "answers by time, then below each other",
            vec![post(0, 0, 1000), comment(1, 0, 1, 1100), comment(2, 0, 2, 1200), comment(3, 1, 2, 1300)],
        ),
        ("equal times go by id", (1..=8).map(|number| comment(number, 0, 1, 1100)).chain([post(0, 0, 1000)]).collect()),
        (
            "an answer dated before its parent counts from the parent's time",
            vec![
                post(0, 0, 1000),
                comment(1, 0, 1, 5),
                comment(2, 0, 1, 999),
                comment(3, 0, 1, 1001),
                comment(4, 1, 1, 7),
            ],
        ),
        (
            "a missing parent is a hole at the time of its first answer",
            vec![
                post(0, 0, 1000),
                comment(1, 0, 1, 1150),
                comment(3, 2, 1, 1200),
                comment(4, 2, 1, 1100),
                comment(5, 4, 1, 1300),
            ],
        ),
        ("the post is missing", vec![comment(1, 0, 1, 1100), comment(2, 7, 1, 1050), vote(10, 0, 1, 1, &[])]),
        ("the root is a comment of another thread", vec![elsewhere(0, &[]), comment(1, 0, 1, 1100)]),
        (
            "a parent in another thread is a hole",
            vec![post(0, 0, 1000), elsewhere(1, &[]), comment(2, 1, 1, 1200), vote(10, 1, 2, 1, &[])],
        ),
        ("a parent that is a vote is a hole", vec![post(0, 0, 1000), vote(10, 0, 1, 1, &[]), comment(2, 10, 1, 1200)]),
        ("depth stops at 255", chain.chain([post(0, 0, 1000)]).collect()),
        (
            "the deepest edit wins whatever its date",
            vec![
                post(0, 0, 1000),
                comment(1, 0, 1, 1100),
                edit(10, 1, 1, &[1]),
                Event { time: 1, ..edit(11, 1, 1, &[10]) },
                edit(12, 1, 2, &[11]),
            ],
        ),
        (
            "edits of equal depth go by id",
            vec![post(0, 0, 1000), edit(10, 0, 0, &[0]), edit(11, 0, 0, &[0]), edit(12, 0, 0, &[0])],
        ),
        (
            "an edit of a post keeps its title and drops its link unless it names them",
            vec![
                post(0, 0, 1000),
                Event {
                    body: Some(Body::Edit(EditBody { title: None, text: String::new(), link: None })),
                    ..edit(10, 0, 0, &[0])
                },
            ],
        ),
        (
            "an edit gives a comment neither title nor link",
            vec![
                post(0, 0, 1000),
                comment(1, 0, 1, 1100),
                Event {
                    body: Some(Body::Edit(EditBody {
                        title: Some("title".into()),
                        text: "new".into(),
                        link: Some("link".into()),
                    })),
                    ..edit(10, 1, 1, &[1])
                },
            ],
        ),
        (
            "an edit whose words are dropped or unreadable gives way to one that has some",
            vec![
                post(0, 0, 1000),
                edit(10, 0, 0, &[0]),
                Event { body: None, ..edit(11, 0, 0, &[10]) },
                Event { body: Some(Body::Unreadable), ..edit(12, 0, 0, &[11]) },
            ],
        ),
        (
            "words that are dropped, unreadable or missing, also beside an edit",
            vec![
                post(0, 0, 1000),
                Event { body: None, ..comment(1, 0, 1, 1100) },
                Event { body: Some(Body::Unreadable), ..comment(2, 0, 1, 1200) },
                Event { body: Some(Body::None), ..comment(3, 0, 1, 1300) },
                edit(10, 1, 1, &[1]),
                edit(11, 2, 1, &[2]),
            ],
        ),
        ("an edit of an edit is nothing", vec![post(0, 0, 1000), edit(10, 0, 0, &[0]), edit(11, 10, 0, &[10])]),
        (
            "a retraction is final and only the author's own",
            vec![
                post(0, 0, 1000),
                comment(1, 0, 1, 1100),
                comment(2, 0, 2, 1200),
                comment(3, 1, 2, 1300),
                retract(10, &[1, 2], 1),
                edit(11, 1, 1, &[10]),
            ],
        ),
        (
            "a retracted post keeps its votes and answers",
            vec![post(0, 0, 1000), comment(1, 0, 1, 1100), vote(10, 0, 1, 1, &[0]), retract(11, &[0], 0)],
        ),
        (
            "a retracted edit gives way to the one before",
            vec![post(0, 0, 1000), edit(10, 0, 0, &[0]), edit(11, 0, 0, &[10]), retract(12, &[11], 0)],
        ),
        (
            "a retracted vote gives way to the one before",
            vec![post(0, 0, 1000), vote(10, 0, 1, 1, &[0]), vote(11, 0, 1, -1, &[10]), retract(12, &[11], 1)],
        ),
        (
            "a retraction of a retraction is nothing",
            vec![post(0, 0, 1000), comment(1, 0, 1, 1100), retract(10, &[1], 1), retract(11, &[10], 1)],
        ),
        (
            "each author has one vote, the last",
            vec![
                post(0, 0, 1000),
                vote(10, 0, 1, 1, &[0]),
                vote(11, 0, 1, -1, &[10]),
                vote(12, 0, 2, 1, &[]),
                vote(13, 0, 3, 1, &[0]),
                vote(14, 0, 3, 0, &[13]),
                vote(15, 0, 0, 1, &[]),
            ],
        ),
        (
            "a vote on a hole counts once the event is here",
            vec![post(0, 0, 1000), comment(2, 1, 1, 1200), vote(10, 1, 2, 1, &[])],
        ),
        (
            "refs to other threads add no depth",
            vec![
                post(0, 0, 1000),
                elsewhere(30, &[]),
                elsewhere(31, &[30]),
                elsewhere(32, &[31]),
                vote(33, 32, 0, 1, &[32]),
                edit(10, 0, 0, &[0, 33]),
                edit(11, 0, 0, &[0]),
                edit(12, 0, 0, &[11]),
            ],
        ),
        (
            "refs to what is not here add no depth",
            vec![post(0, 0, 1000), edit(10, 0, 0, &[77, 78]), edit(11, 0, 0, &[])],
        ),
        (
            "refs through a retraction add depth",
            vec![
                post(0, 0, 1000),
                comment(1, 0, 1, 1100),
                retract(20, &[1], 1),
                edit(10, 0, 0, &[20]),
                edit(11, 0, 0, &[]),
                edit(12, 0, 0, &[]),
                edit(13, 0, 0, &[]),
            ],
        ),
        ("another post is no part of the thread", vec![post(0, 0, 1000), post(1, 0, 900), comment(2, 1, 1, 1200)]),
    ]
}

/// A number below `below` that depends on what is asked and nothing else.
fn choose(world: u32, number: u32, what: u32, below: u32) -> u32 {
    let hash = blake3::hash(&[world.to_le_bytes(), number.to_le_bytes(), what.to_le_bytes()].concat());
    let [first, second, ..] = *hash.as_bytes();
    u32::from(u16::from_le_bytes([first, second])) % below
}

/// A world of events that name each other at random, also what is not there and what is in another thread.
fn world(seed: u32) -> Vec<Event> {
    let mut events = vec![post(0, 0, 1000)];
    for number in 1..30 {
        let at = |what, below| choose(seed, number, what, below);
        let (target, by) = (at(1, number.min(12)), at(2, 3) as u8);
        let time = 900 + u64::from(at(3, 97)) * 5;
        let refs: Vec<u32> = (0..at(4, 3)).map(|which| at(5 + which, number)).collect();
        let event = match at(0, 9) {
            0..=2 => Event { refs, ..comment(number, target, by, time) },
            3 => Event { refs, ..comment(number, target + 50, by, time) },
            4 => edit(number, target, by, &refs),
            5 | 6 => vote(number, target, by, at(9, 3) as i8 - 1, &refs),
            7 => retract(number, &[target], by),
            _ => elsewhere(number, &refs),
        };
        events.push(event);
    }
    events
}

fn numbers() -> BTreeMap<EventId, u32> {
    (0..1000).map(|number| (id(number), number)).collect()
}

/// Replaces the hex of ids and authors by their numbers.
fn numbered(value: Value, names: &BTreeMap<String, u32>) -> Value {
    match value {
        Value::String(text) => names.get(&text).map_or(Value::String(text), |number| json!(number)),
        Value::Array(list) => list.into_iter().map(|value| numbered(value, names)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, numbered(value, names))).collect(),
        other => other,
    }
}

fn item(event: &Event) -> Item {
    Item {
        id: id(event.number),
        author: AuthorKey([event.by; 32]),
        created_ms: event.time,
        refs: event.refs.iter().map(|number| id(*number)).collect(),
        kind: event.kind.clone(),
        body: event.body.clone(),
    }
}

fn shown(shown: &Shown) -> Value {
    match shown {
        Shown::Missing => json!("missing"),
        Shown::Retracted => json!("retracted"),
        Shown::Dropped => json!("dropped"),
        Shown::Unreadable => json!("unreadable"),
        Shown::Content(Content { title, text, link }) => json!({ "title": title, "text": text, "link": link }),
    }
}

fn case(name: &str, events: &[Event]) -> Value {
    let numbers = numbers();
    let names: BTreeMap<String, u32> = numbers.iter().map(|(id, number)| (id.to_string(), *number)).collect();
    let event_json = |event: &Event| {
        json!({
            "id": event.number,
            "author": event.by,
            "created_ms": event.time,
            "refs": event.refs,
            "kind": numbered(describe::kind(&event.kind), &names),
            "body": describe::body(event.body.as_ref()),
        })
    };
    let thread: Thread = resolve(id(0), events.iter().map(item));
    let node_json = |node: &Node| {
        json!({
            "id": numbers[&node.id],
            "parent": node.parent.map(|parent| numbers[&parent]),
            "depth": node.depth,
            "author": node.author.map(|author| author.0[0]),
            "created_ms": node.created_ms,
            "display_ms": node.display_ms,
            "edited_ms": node.edited_ms,
            "tags": node.tags,
            "up": node.up,
            "down": node.down,
            "shown": shown(&node.shown),
        })
    };
    json!({
        "name": name,
        "root": 0,
        "events": events.iter().map(event_json).collect::<Vec<_>>(),
        "nodes": thread.nodes.iter().map(node_json).collect::<Vec<_>>(),
        "missing": thread.missing().iter().map(|id| numbers[id]).collect::<Vec<_>>(),
    })
}

/// A profile event: number, refs, words.
type OneProfile = (u32, Vec<u32>, Option<Body>);

fn profiles() -> Vec<Value> {
    let words = |number: u32| {
        let name = format!("name {number}");
        Some(Body::Profile(ProfileBody { name, about: String::new(), links: vec![] }))
    };
    let scenes: Vec<(&str, Vec<OneProfile>)> = vec![
        ("none", vec![]),
        ("one", vec![(1, vec![], words(1))]),
        (
            "the deepest",
            vec![(1, vec![], words(1)), (2, vec![1], words(2)), (3, vec![1, 2], words(3)), (4, vec![], words(4))],
        ),
        ("equal depth goes by id", vec![(1, vec![], words(1)), (2, vec![], words(2)), (3, vec![99], words(3))]),
        (
            "words that are dropped or unreadable give way, and still count for depth",
            vec![
                (1, vec![], words(1)),
                (2, vec![1], None),
                (3, vec![1], Some(Body::Unreadable)),
                (4, vec![2], Some(Body::None)),
                (5, vec![], words(5)),
                (6, vec![2], words(6)),
            ],
        ),
    ];
    let numbers = numbers();
    let case = |(name, items): (&str, Vec<OneProfile>)| {
        let item = |(number, refs, body): &OneProfile| ProfileItem {
            id: id(*number),
            refs: refs.iter().map(|number| id(*number)).collect(),
            body: body.clone(),
        };
        let in_force = profile(&items.iter().map(item).collect::<Vec<_>>());
        let json_of = |(number, refs, body): &OneProfile| json!({ "id": number, "refs": refs, "body": describe::body(body.as_ref()) });
        json!({
            "name": name,
            "events": items.iter().map(json_of).collect::<Vec<_>>(),
            "in_force": in_force.as_ref().map(|(id, _)| numbers[id]),
            "shown_name": in_force.map(|(_, words)| words.name),
        })
    };
    scenes.into_iter().map(case).collect()
}

#[test]
fn threads_and_profiles_are_the_written_ones() {
    let mut threads: Vec<Value> = scenes().into_iter().map(|(name, events)| case(name, &events)).collect();
    threads.extend((0..24).map(|seed| case(&format!("world {seed}"), &world(seed))));
    check("threads.json", &json!({ "threads": threads, "profiles": profiles() }));
}
