//! What belongs to the reader survives the loss of the index, in any order of arrival.

use super::super::samples::{dump, network};
use super::super::{Arrival, LocalRecord, MemoryIndex, MemoryJournal};
use super::*;
use roda_protocol::event::{Author, Body, Comment, CommentBody, Draft, Edit, EditBody, Kind, Post, PostBody, Retract};
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{self, SpaceRules};
use std::sync::Arc;

const NO_WORK: SpaceRules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };

const ME: u8 = 1;
const OTHER: u8 = 2;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn me() -> AuthorKey {
    key(ME).public()
}

fn board() -> SpaceId {
    SpaceId::of_open_board("reader")
}

fn event(by: u8, created_ms: u64, kind: Kind, body: Body) -> Arrival {
    let draft = Draft { space: board(), created_ms, refs: vec![], kind, body, salt: [3; 16] };
    let signed = draft.sign(&Author::Root(&key(by)), &network(), 0).unwrap();
    let event = validate::validate(signed, &NO_WORK).unwrap();
    Arrival { event, received_ms: created_ms, is_own: by == ME }
}

fn post(by: u8, created_ms: u64, text: &str) -> Arrival {
    let words = PostBody { title: "title".into(), text: text.into(), link: None };
    event(by, created_ms, Kind::Post(Post::default()), Body::Post(words))
}

fn comment(by: u8, created_ms: u64, root: &Arrival, parent: &Arrival, text: &str) -> Arrival {
    let (root, parent) = (root.event.id(), parent.event.id());
    event(by, created_ms, Kind::Comment(Comment { root, parent }), Body::Comment(CommentBody { text: text.into() }))
}

fn edit(by: u8, created_ms: u64, target: &Arrival, text: &str) -> Arrival {
    let words = EditBody { title: None, text: text.into(), link: None };
    event(by, created_ms, Kind::Edit(Edit { target: target.event.id() }), Body::Edit(words))
}

fn naming_me(words: &str) -> String {
    format!("{words} {}", &me().to_string()[..9])
}

fn empty() -> EventStore {
    EventStore::open_for(me(), Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()), network()).unwrap().0
}

fn inbox(store: &EventStore) -> Vec<(EventId, Why)> {
    store.inbox(None, 100).unwrap().into_iter().map(|place| (place.row.id, place.why)).collect()
}

/// Loses the index, and holds what is derived anew against what was there.
fn assert_rebuilt_alike(store: &EventStore) {
    let before = dump(store);
    store.rebuild(Arc::new(MemoryIndex::new())).unwrap();
    assert_eq!(dump(store), before);
}

#[test]
fn the_inbox_has_answers_and_mentions_and_nothing_else() {
    let store = empty();
    let mine = post(ME, 1, "");
    let theirs = post(OTHER, 2, "no mention");
    let answer = comment(OTHER, 3, &mine, &mine, "an answer");
    let beside = comment(OTHER, 4, &mine, &answer, "to the other");
    let own = comment(ME, 5, &mine, &answer, "my own");
    let to_own = comment(OTHER, 6, &mine, &own, "an answer again");
    let mention = post(OTHER, 7, &format!("ask {}", &me().to_string()[..9]));
    let all = [&mine, &theirs, &answer, &beside, &own, &to_own, &mention].map(Clone::clone);
    store.admit(&all).unwrap();
    let expected = [(&mention, Why::Mention), (&to_own, Why::Answer), (&answer, Why::Answer)];
    assert_eq!(inbox(&store), expected.map(|(arrival, why)| (arrival.event.id(), why)));
    let first = store.inbox(None, 1).unwrap()[0].position;
    assert_eq!(store.inbox(Some(first), 100).unwrap().len(), 2);
    assert_rebuilt_alike(&store);
}

#[test]
fn an_answer_that_came_before_what_it_answers_is_found_when_that_comes() {
    let mine = post(ME, 1, "");
    let answer = comment(OTHER, 2, &mine, &mine, "early");
    // As when a home is restored: own events come from others, too.
    let imported = Arrival { is_own: false, ..mine };
    for batches in [vec![vec![answer.clone(), imported.clone()]], vec![vec![answer.clone()], vec![imported.clone()]]] {
        let store = empty();
        batches.iter().for_each(|batch| store.admit(batch).unwrap());
        assert_eq!(inbox(&store), [(answer.event.id(), Why::Answer)]);
        assert_rebuilt_alike(&store);
    }
}

#[test]
fn an_edit_that_adds_a_mention_makes_one_entry_in_whatever_order_things_come() {
    let theirs = post(OTHER, 1, "no mention");
    let (first, second) = (edit(OTHER, 2, &theirs, &naming_me("first")), edit(OTHER, 3, &theirs, &naming_me("second")));
    let plain = edit(OTHER, 4, &theirs, "no mention either");
    let expected = [(theirs.event.id(), Why::Mention)];
    for order in [
        [&theirs, &first, &second, &plain],
        [&first, &theirs, &second, &plain],
        [&plain, &second, &first, &theirs],
        [&theirs, &plain, &second, &first],
    ] {
        let arrivals = order.map(Clone::clone);
        let (at_once, one_by_one) = (empty(), empty());
        at_once.admit(&arrivals).unwrap();
        arrivals.iter().for_each(|arrival| one_by_one.admit(std::slice::from_ref(arrival)).unwrap());
        for store in [at_once, one_by_one] {
            assert_eq!(inbox(&store), expected);
            assert_rebuilt_alike(&store);
        }
    }
    let store = empty();
    store.admit(std::slice::from_ref(&theirs)).unwrap();
    let read = store.end_position();
    store.admit(&[first]).unwrap();
    assert!(store.inbox(None, 9).unwrap()[0].position >= read, "it is as new as the edit");
}

#[test]
fn an_edit_makes_no_entry_for_what_says_it_already_or_is_another_authors_or_own() {
    let store = empty();
    let mine = post(ME, 1, "");
    let says_it = post(OTHER, 2, &naming_me("from the start"));
    let plain = post(OTHER, 3, "plain");
    let by_others = edit(OTHER + 1, 5, &plain, &naming_me("not its author"));
    let of_mine = edit(OTHER, 6, &mine, &naming_me("nor of this"));
    let own = edit(ME, 7, &mine, &naming_me("talking to myself"));
    store.admit(&[mine, says_it.clone(), plain, edit(OTHER, 4, &says_it, &naming_me("again"))]).unwrap();
    store.admit(&[by_others, of_mine, own]).unwrap();
    assert_eq!(inbox(&store), [(says_it.event.id(), Why::Mention)]);
    assert_rebuilt_alike(&store);
}

#[test]
fn an_answer_that_comes_to_mention_has_an_entry_for_each_reason_and_none_for_an_edit_that_was_taken_back() {
    let store = empty();
    let mine = post(ME, 1, "");
    let answer = comment(OTHER, 2, &mine, &mine, "an answer");
    let adds = edit(OTHER, 3, &answer, &naming_me("an answer"));
    store.admit(&[mine, answer.clone(), adds.clone()]).unwrap();
    let id = answer.event.id();
    assert_eq!(inbox(&store), [(id, Why::Mention), (id, Why::Answer)]);
    assert_eq!(store.inbox(None, 1).unwrap().len(), 1);
    assert_rebuilt_alike(&store);
    let retract = Kind::Retract(Retract { targets: vec![adds.event.id()] });
    store.admit(&[event(OTHER, 4, retract, Body::None)]).unwrap();
    assert_eq!(inbox(&store), [(id, Why::Answer)]);
    assert_eq!(store.inbox(None, 1).unwrap().len(), 1, "a row that does not count is not the end");
}

#[test]
fn a_store_without_a_reader_has_no_inbox() {
    let (store, _) = EventStore::open(Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()), network()).unwrap();
    let mine = post(ME, 1, "");
    let answer = comment(OTHER, 2, &mine, &mine, "words");
    store.admit(&[mine, answer]).unwrap();
    assert_eq!(inbox(&store), []);
}

#[test]
fn a_board_that_was_read_counts_nothing_unread_until_something_new_comes() {
    let store = empty();
    let theirs = post(OTHER, 1, "");
    let root = theirs.event.id();
    store.admit(&[theirs.clone(), comment(OTHER, 2, &theirs, &theirs, "words")]).unwrap();
    assert_eq!(store.thread_counts(&root, &me()).unwrap().unread, 2);
    let position = store.end_position();
    store.note(&[LocalRecord::ReadSpace { space: board(), position }]).unwrap();
    assert_eq!(store.thread_counts(&root, &me()).unwrap().unread, 0);
    let newest = comment(OTHER, 3, &theirs, &theirs, "words");
    store.admit(std::slice::from_ref(&newest)).unwrap();
    assert_eq!(store.thread_counts(&root, &me()).unwrap().unread, 1);
    let behind = store.members_behind(&root, store.read_mark(&root).unwrap(), &me()).unwrap();
    assert_eq!(behind.iter().map(|member| member.row.id).collect::<Vec<_>>(), [newest.event.id()]);
    assert_rebuilt_alike(&store);
    assert_eq!(store.thread_counts(&root, &me()).unwrap().unread, 1);
}

#[test]
fn rules_and_marks_are_kept_until_they_are_removed() {
    let store = empty();
    let subject = Subject::Text("x".repeat(100));
    let rule = |effect| LocalRecord::Rule { subject: subject.clone(), effect };
    store.note(&[rule(Some(Effect::Mute)), LocalRecord::ReadInbox { position: 7 }]).unwrap();
    assert_eq!(store.rules().unwrap(), [(subject.clone(), Effect::Mute)]);
    assert_eq!(store.inbox_mark().unwrap(), 7);
    assert_rebuilt_alike(&store);
    store.note(&[rule(Some(Effect::Points(-3)))]).unwrap();
    assert_eq!(store.rules().unwrap(), [(subject.clone(), Effect::Points(-3))]);
    store.note(&[rule(None)]).unwrap();
    assert_eq!(store.rules().unwrap(), []);
    assert_rebuilt_alike(&store);
}

#[test]
fn a_mark_counts_before_it_is_stored_and_not_if_it_will_not_be() {
    let store = empty();
    let theirs = post(OTHER, 1, "");
    let root = theirs.event.id();
    store.admit(&[theirs.clone(), comment(OTHER, 2, &theirs, &theirs, "words")]).unwrap();
    let unread = || store.thread_counts(&root, &me()).unwrap().unread;
    let position = store.thread_counts(&root, &me()).unwrap().last_position;
    store.read_soon(root, position);
    assert_eq!((unread(), store.read_mark(&root).unwrap()), (0, position));
    store.not_read(&root);
    assert_eq!(unread(), 2);
    store.read_soon(root, position);
    store.note(&[LocalRecord::Read { root, position }]).unwrap();
    store.not_read(&root);
    assert_eq!(unread(), 0, "it is stored");
    // On a disk that takes nothing, marks gather up to a bound.
    for number in 0..2000_u32 {
        let mut id = [9; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        store.read_soon(EventId(id), 1);
    }
    store.read_soon(root, position + 1);
    assert_eq!(store.read_mark(&root).unwrap(), position, "there is no room for another");
}
