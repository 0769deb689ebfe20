use super::super::samples::{Disks, board};
use super::*;
use roda_protocol::keys::SecretKey;

#[test]
fn pages_of_what_an_author_wrote_hold_each_post_and_comment_once_the_last_first() {
    let (_, arrivals) = board();
    let (store, _) = Disks::new().open().unwrap();
    store.admit(&arrivals).unwrap();
    let me = SecretKey::from_seed(&[1; 32]).public();
    let (mut before, mut found) = (None, Vec::new());
    loop {
        let page = store.written_by(&me, before, 7).unwrap();
        assert!(page.rows.len() <= 7);
        assert!(page.rows.iter().all(|(_, row)| matches!(row.tag, tag::POST | tag::COMMENT)));
        found.extend(page.rows.iter().map(|(_, row)| row.id));
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    let is_words =
        |arrival: &&super::super::Arrival| matches!(arrival.event.header().kind.tag, tag::POST | tag::COMMENT);
    let expected: Vec<EventId> = arrivals.iter().filter(is_words).rev().map(|arrival| arrival.event.id()).collect();
    assert_eq!(found, expected, "what was taken back stands there, too, without its words");
    let nobody = SecretKey::from_seed(&[9; 32]).public();
    assert_eq!(store.written_by(&nobody, None, 7).unwrap(), Written::default());
    assert_eq!(store.written_by(&me, None, 0).unwrap(), Written::default());
}

#[test]
fn the_newest_of_a_thread_are_those_that_came_last() {
    let (_, arrivals) = board();
    let (store, _) = Disks::new().open().unwrap();
    store.admit(&arrivals).unwrap();
    let (post, comment) = (arrivals[1].event.id(), arrivals[2].event.id());
    let ids = |limit| -> Vec<EventId> { store.newest_of(&post, limit).unwrap().iter().map(|row| row.id).collect() };
    assert_eq!(ids(10), [comment, post]);
    assert_eq!(ids(1), [comment]);
    assert_eq!(ids(0), []);
}
