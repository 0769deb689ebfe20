use super::super::samples::{Disks, charter, network};
use super::super::{Arrival, LocalRecord};
use super::*;
use roda_protocol::event::{Author, Body, Comment, CommentBody, Draft, Edit, EditBody, Post, PostBody};
use roda_protocol::id::EventId;
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{SpaceRules, validate};

const DAY: u64 = DAY_MS;

fn by(now_ms: u64, disk_bytes_max: u64) -> Retention {
    Retention { now_ms, me: SecretKey::from_seed(&[9; 32]).public(), disk_bytes_max }
}

fn write(author: u8, space: SpaceId, created_ms: u64, kind: Kind, body: Body) -> Arrival {
    let draft = Draft { space, created_ms, refs: vec![], kind, body, salt: [4; 16] };
    let signed = draft.sign(&Author::Root(&SecretKey::from_seed(&[author; 32])), &network(), 0).unwrap();
    let rules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };
    Arrival { event: validate(signed, &rules).unwrap(), received_ms: created_ms, is_own: author == 9 }
}

fn post(author: u8, space: SpaceId, created_ms: u64) -> Arrival {
    let words = PostBody { title: format!("at {created_ms}"), text: "w".repeat(1000), link: None };
    write(author, space, created_ms, Kind::Post(Post::default()), Body::Post(words))
}

fn edit(author: u8, space: SpaceId, created_ms: u64, target: EventId) -> Arrival {
    let words = EditBody { title: None, text: "better words".into(), link: None };
    write(author, space, created_ms, Kind::Edit(Edit { target }), Body::Edit(words))
}

/// A board with a post a day by a stranger, for a hundred days, and two by this node's author on the first.
fn filled() -> (EventStore, SpaceId, Vec<Arrival>) {
    let (store, _) = Disks::new().open().unwrap();
    let founding = charter();
    let space = founding.event.space();
    let mut all = vec![founding, post(9, space, DAY), post(9, space, DAY + 1)];
    all.extend((1..=100).map(|day| post(2, space, day * DAY + 5)));
    store.take_in(&all).unwrap();
    (store, space, all)
}

fn prune_all(store: &EventStore, by: &Retention) -> u64 {
    let mut sum = 0;
    loop {
        let Pruned { events, goes_on } = store.prune(by).unwrap();
        sum += events;
        if events == 0 && !goes_on {
            return sum;
        }
    }
}

fn held(store: &EventStore, all: &[Arrival]) -> Vec<bool> {
    all.iter().map(|arrival| store.holds_words(&arrival.event.id()).unwrap()).collect()
}

#[test]
fn without_a_wish_and_with_room_all_words_stay() {
    let (store, _, all) = filled();
    assert_eq!(prune_all(&store, &by(1000 * DAY, u64::MAX)), 0);
    assert!(held(&store, &all).into_iter().all(|held| held));
}

#[test]
fn words_older_than_so_many_days_go_but_for_own_ones_and_stay_known() {
    let (store, space, all) = filled();
    store.note(&[LocalRecord::Keep { space, keep: Keep::Days(30) }]).unwrap();
    let digest = store.sets(space).digest(&[1; 32]).unwrap();
    assert_eq!(prune_all(&store, &by(101 * DAY, u64::MAX)), 70);
    let held = held(&store, &all);
    assert!(held[..3].iter().all(|held| *held) && held[73..].iter().all(|held| *held));
    assert!(held[3..73].iter().all(|held| !held));
    let old = &all[5].event;
    assert!(store.is_held(&old.id()).unwrap() && !store.wants_words(&old.id()).unwrap());
    assert!(!store.event(&old.id()).unwrap().unwrap().event.has_body());
    assert_eq!(store.sets(space).digest(&[1; 32]).unwrap(), digest, "sets never depend on it");
    assert_eq!(store.declined(space).unwrap(), 70);
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
    assert_eq!(prune_all(&store, &by(102 * DAY, u64::MAX)), 1, "a day later");
    store.note(&[LocalRecord::Keep { space, keep: Keep::Forever }]).unwrap();
    assert_eq!(prune_all(&store, &by(200 * DAY, u64::MAX)), 0);
}

#[test]
fn of_a_board_that_is_too_large_the_oldest_words_go() {
    let (store, space, all) = filled();
    store.note(&[LocalRecord::Keep { space, keep: Keep::Bytes(60_000) }]).unwrap();
    let gone = prune_all(&store, &by(101 * DAY, u64::MAX));
    assert!((50..100).contains(&gone), "{gone}");
    let held = held(&store, &all);
    assert_eq!(held[3..].iter().position(|held| *held), Some(gone as usize));
    assert!(held[3 + gone as usize..].iter().all(|held| *held));
}

#[test]
fn near_the_cap_of_the_disk_the_oldest_words_of_all_boards_go_and_own_ones_never() {
    let (store, _, all) = filled();
    let used = store.disk_bytes().unwrap();
    assert_eq!(prune_all(&store, &by(DAY, used * 2)), 0);
    let gone = prune_all(&store, &by(DAY, used));
    assert!((3..60).contains(&gone), "{gone}");
    assert_eq!(prune_all(&store, &by(DAY, 1)), 100 - gone);
    let held = held(&store, &all);
    assert!(held[..3].iter().all(|held| *held) && held[3..].iter().all(|held| !held));
}

#[test]
fn an_edit_keeps_its_words_as_long_as_what_it_edits() {
    let (store, _) = Disks::new().open().unwrap();
    let founding = charter();
    let space = founding.event.space();
    let target = post(2, space, 50 * DAY);
    // It claims to be older than what it edits.
    let earlier = edit(2, space, 10 * DAY, target.event.id());
    let comment = Kind::Comment(Comment { root: target.event.id(), parent: target.event.id() });
    let answer = write(3, space, 9 * DAY, comment, Body::Comment(CommentBody { text: "an answer".into() }));
    let all = [founding, target, earlier, answer];
    store.take_in(&all).unwrap();
    store.note(&[LocalRecord::Keep { space, keep: Keep::Days(30) }]).unwrap();
    assert_eq!(prune_all(&store, &by(60 * DAY, u64::MAX)), 1);
    assert_eq!(held(&store, &all), [true, true, true, false]);
    assert_eq!(prune_all(&store, &by(90 * DAY, u64::MAX)), 2);
    assert_eq!(held(&store, &all), [true, false, false, false]);
}

#[test]
fn words_that_never_came_are_not_waited_for_once_they_would_be_too_old() {
    let (store, _) = Disks::new().open().unwrap();
    let founding = charter();
    let space = founding.event.space();
    let late = post(2, space, DAY);
    let bare = Arrival { event: late.event.clone().without_body(), ..late };
    store.take_in(&[founding, bare.clone()]).unwrap();
    assert!(store.wants_words(&bare.event.id()).unwrap());
    store.note(&[LocalRecord::Keep { space, keep: Keep::Days(30) }]).unwrap();
    assert_eq!(prune_all(&store, &by(60 * DAY, u64::MAX)), 1);
    assert!(!store.wants_words(&bare.event.id()).unwrap());
    assert_eq!(store.wordless(9, |_| true).unwrap(), []);
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}
