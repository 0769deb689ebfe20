//! The index on a store in memory: what is found, and what is not any more.

use super::failure::Failure;
use super::keeper::{Keeper, Shared};
use super::reader::Reader;
use super::writer::Writer;
use super::*;
use crate::store::{Arrival, MemoryIndex, MemoryJournal, Retention};
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Comment, CommentBody, Draft, Edit, EditBody, Kind, Post, PostBody, Profile,
    ProfileBody, Retract,
};
use roda_protocol::id::{KeyCommitment, NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{SpaceRules, validate};
use std::time::Duration;
use tempfile::TempDir;

const NONE: [EventId; 0] = [];
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A store with a board, and a folder for its index.
struct Shelf {
    folder: TempDir,
    store: Arc<EventStore>,
    space: SpaceId,
}

fn network() -> NetworkId {
    NetworkId::of("search-tests")
}

fn key(author: u8) -> SecretKey {
    SecretKey::from_seed(&[author; 32])
}

fn arrival(author: u8, space: SpaceId, created_ms: u64, kind: Kind, body: Body) -> Arrival {
    let draft = Draft { space, created_ms, refs: vec![], kind, body, salt: [4; 16] };
    let signed = draft.sign(&Author::Root(&key(author)), &network(), 0).unwrap();
    let rules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };
    Arrival { event: validate(signed, &rules).unwrap(), received_ms: created_ms, is_own: false }
}

fn founding(name: &str) -> Arrival {
    let charter = Charter { work_bits: 0, ..Charter::new(name.into(), key(1).public()) };
    let words = CharterBody { title: name.into(), description: String::new(), rules: vec![] };
    arrival(1, SpaceId::ZERO, 1, Kind::Charter(charter), Body::Charter(words))
}

impl Shelf {
    fn new() -> Self {
        let (journal, index) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()));
        let (store, _) = EventStore::open(journal, index, network()).unwrap();
        let founding = founding("garden");
        let space = founding.event.space();
        store.admit(&[founding]).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), store: Arc::new(store), space }
    }

    fn write(&self, author: u8, created_ms: u64, kind: Kind, body: Body) -> EventId {
        let arrival = arrival(author, self.space, created_ms, kind, body);
        self.store.admit(std::slice::from_ref(&arrival)).unwrap();
        arrival.event.id()
    }

    fn post(&self, author: u8, created_ms: u64, title: &str, text: &str) -> EventId {
        let words = PostBody { title: title.into(), text: text.into(), link: None };
        self.write(author, created_ms, Kind::Post(Post::default()), Body::Post(words))
    }

    fn reply(&self, author: u8, created_ms: u64, root: EventId, text: &str) -> EventId {
        let words = Body::Comment(CommentBody { text: text.into() });
        self.write(author, created_ms, Kind::Comment(Comment { root, parent: root }), words)
    }

    fn edit(&self, author: u8, created_ms: u64, target: EventId, title: Option<&str>, text: &str) -> EventId {
        let words = EditBody { title: title.map(str::to_owned), text: text.into(), link: None };
        self.write(author, created_ms, Kind::Edit(Edit { target }), Body::Edit(words))
    }

    fn retract(&self, author: u8, created_ms: u64, target: EventId) {
        self.write(author, created_ms, Kind::Retract(Retract { targets: vec![target] }), Body::None);
    }

    fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("search")
    }

    fn open(&self) -> Writer {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Writer, Failure> {
        Writer::open(&self.folder(), &self.store)
    }

    fn keeper(&self) -> (Arc<Shared>, Keeper) {
        let shared = Arc::new(Shared::default());
        let keeper = Keeper::new(Arc::clone(&shared), Arc::clone(&self.store), &self.folder(), Box::new(|_| {}));
        (shared, keeper)
    }
}

/// Reads all of the log, and commits.
fn catch_up(writer: &mut Writer, store: &EventStore) {
    while writer.step(store).unwrap().goes_on {}
    writer.commit().unwrap();
}

fn found_by(reader: &Reader, words: &str, filters: &Filters, page: &Page) -> Found {
    let query = Query::read(words).unwrap();
    reader.find((&query.wanted, &query.unwanted), filters, page).unwrap().unwrap()
}

fn ids(found: &Found) -> Vec<EventId> {
    found.hits.iter().map(|hit| hit.id).collect()
}

/// Newest first.
fn find(reader: &Reader, words: &str) -> Vec<EventId> {
    ids(&found_by(reader, words, &Filters::default(), &Page { sort: Sort::New, cursor: None, limit: 100 }))
}

#[test]
fn posts_and_comments_are_found_by_forms_of_all_words_and_not_by_what_is_excluded() {
    let shelf = Shelf::new();
    let snails = shelf.post(2, 10, "Snails", "Running from the frost in May: muitas discussões");
    let beans = shelf.post(2, 20, "Beans and ação", "They climb. 東京の庭");
    let reply = shelf.reply(3, 30, beans, "The snails run again, in may");
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    let find = |words| find(writer.reader(), words);
    assert_eq!(find("run"), [reply, snails]);
    assert_eq!(find("run -frost"), [reply]);
    assert_eq!(find("RUNNING snail"), [reply, snails]);
    assert_eq!(find("\"in may\""), [reply, snails]);
    assert_eq!(find("\"may in\""), NONE);
    assert_eq!(find("\"running\""), [snails]);
    assert_eq!(find("discussao"), [snails]);
    assert_eq!(find("acao"), [beans]);
    assert_eq!(find("東京"), [beans]);
    assert_eq!(find("京東"), NONE);
    assert_eq!(find("beans snails"), NONE);
    assert_eq!(find("run -\"frost in\""), [reply]);
}

#[test]
fn filters_say_where_by_whom_and_when() {
    let shelf = Shelf::new();
    let first = shelf.post(2, DAY_MS, "frost", "");
    let second = shelf.post(3, 2 * DAY_MS, "frost", "");
    let elsewhere = founding("kitchen");
    let kitchen = elsewhere.event.space();
    let words = PostBody { title: "frost".into(), text: String::new(), link: None };
    let third = arrival(3, kitchen, 3 * DAY_MS, Kind::Post(Post::default()), Body::Post(words));
    shelf.store.admit(&[elsewhere, third.clone()]).unwrap();
    let third = third.event.id();
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    let page = Page { sort: Sort::New, cursor: None, limit: 100 };
    let find = |filters: Filters| ids(&found_by(writer.reader(), "frost", &filters, &page));
    assert_eq!(find(Filters::default()), [third, second, first]);
    assert_eq!(find(Filters { board: Some(shelf.space), ..Filters::default() }), [second, first]);
    assert_eq!(find(Filters { authors: vec![key(3).public()], ..Filters::default() }), [third, second]);
    assert_eq!(find(Filters { since_ms: Some(2 * DAY_MS), ..Filters::default() }), [third, second]);
    assert_eq!(find(Filters { before_ms: Some(2 * DAY_MS), ..Filters::default() }), [first]);
    let all = Filters {
        board: Some(kitchen),
        authors: vec![key(2).public(), key(3).public()],
        since_ms: Some(2 * DAY_MS),
        before_ms: Some(4 * DAY_MS),
    };
    assert_eq!(find(all), [third]);
}

#[test]
fn only_words_as_they_stand_now_are_found() {
    let shelf = Shelf::new();
    let post = shelf.post(2, 10, "Frost", "on the beans");
    let reply = shelf.reply(3, 20, post, "snails as well");
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);

    let edit = shelf.edit(2, 30, post, Some("Sun"), "on the peas");
    catch_up(&mut writer, &shelf.store);
    assert_eq!((find(writer.reader(), "frost"), find(writer.reader(), "sun peas")), (vec![], vec![post]));

    shelf.retract(2, 40, edit);
    catch_up(&mut writer, &shelf.store);
    assert_eq!((find(writer.reader(), "frost"), find(writer.reader(), "sun")), (vec![post], vec![]));
    // What only writing needs is put by, and taken up again.
    assert!(writer.is_idle_for(Duration::ZERO) && !writer.is_idle_for(Duration::from_secs(3600)));
    writer.put_by();
    assert_eq!((find(writer.reader(), "frost"), writer.is_idle_for(Duration::ZERO)), (vec![post], false));

    shelf.retract(3, 50, reply);
    catch_up(&mut writer, &shelf.store);
    assert_eq!(find(writer.reader(), "snails"), NONE);
    assert_eq!(writer.reader().worded().unwrap(), 1);

    // A stranger changes nothing.
    shelf.edit(4, 60, post, None, "spam");
    shelf.retract(4, 70, post);
    catch_up(&mut writer, &shelf.store);
    assert_eq!((find(writer.reader(), "frost"), find(writer.reader(), "spam")), (vec![post], vec![]));
}

#[test]
fn an_index_that_is_made_late_finds_the_same_as_one_that_was_there_all_the_time() {
    let shelf = Shelf::new();
    let mut early = shelf.open();
    let posts: Vec<EventId> = (0..40_u64).map(|at| shelf.post(2, at, &format!("Frost {at}"), "beans")).collect();
    catch_up(&mut early, &shelf.store);
    for (at, post) in (100..).zip(&posts) {
        match at % 4 {
            0 => shelf.retract(2, at, *post),
            1 => {
                shelf.edit(2, at, *post, None, "peas");
            }
            2 => {
                shelf.reply(3, at, *post, "frost again");
            }
            _ => {}
        }
        catch_up(&mut early, &shelf.store);
    }
    let seen = |writer: &Writer| ["frost", "beans", "peas", "again"].map(|words| find(writer.reader(), words));
    let by_steps = seen(&early);
    drop(early);
    std::fs::remove_dir_all(shelf.folder()).unwrap();
    let mut late = shelf.open();
    assert!(late.is_fresh());
    catch_up(&mut late, &shelf.store);
    assert_eq!(seen(&late), by_steps);
    assert_eq!(by_steps[0].len(), 40);
}

#[test]
fn words_that_are_kept_no_longer_are_not_found() {
    let shelf = Shelf::new();
    shelf.post(2, 10, "frost", "in may");
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    assert_eq!(find(writer.reader(), "frost").len(), 1);
    let by = Retention { now_ms: 0, me: key(9).public(), disk_bytes_max: 0 };
    assert_eq!(shelf.store.prune(&by).unwrap().events, 1);
    let mut told = shelf.store.take_given_up();
    // The list may be too short for all of them.
    (told.ids, told.has_more) = (Vec::new(), true);
    writer.forget(&shelf.store, told).unwrap();
    writer.commit().unwrap();
    assert_eq!(find(writer.reader(), "frost"), NONE);
}

#[test]
fn authors_are_known_by_the_name_that_they_have_now() {
    let shelf = Shelf::new();
    let name = |author: u8, at, name: &str, refs: Vec<EventId>| {
        let kind = Kind::Profile(Profile { next_root: KeyCommitment([0; 32]), revocation: KeyCommitment([0; 32]) });
        let words = ProfileBody { name: name.into(), about: String::new(), links: vec![] };
        let space = SpaceId::of_author(key(author).public());
        let draft = Draft { space, created_ms: at, refs, kind, body: Body::Profile(words), salt: [4; 16] };
        let signed = draft.sign(&Author::Root(&key(author)), &network(), 0).unwrap();
        let event = validate(signed, &SpaceRules { work_bits: 0, ..SpaceRules::OPEN }).unwrap();
        let id = event.id();
        shelf.store.admit(&[Arrival { event, received_ms: at, is_own: false }]).unwrap();
        id
    };
    let first = name(2, 10, "João Silva", vec![]);
    name(3, 10, "joao silva", vec![]);
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    let mut both = [key(2).public(), key(3).public()];
    both.sort_unstable();
    let mut found = writer.reader().named("JOAO  silva").unwrap();
    found.sort_unstable();
    assert_eq!(found, both);
    name(2, 20, "Ana", vec![first]);
    catch_up(&mut writer, &shelf.store);
    assert_eq!(writer.reader().named("joão silva").unwrap(), [key(3).public()]);
    assert_eq!(writer.reader().named("ana").unwrap(), [key(2).public()]);
    assert!(writer.reader().named("★").unwrap().is_empty());
    assert_eq!(find(writer.reader(), "ana"), NONE, "a name is no post");
}

#[test]
fn pages_neither_repeat_nor_skip_while_more_comes() {
    let shelf = Shelf::new();
    let mut writer = shelf.open();
    let before: Vec<EventId> = (0..50)
        .map(|at| shelf.post(2, at % 7, "frost", &format!("{at}{}", " beans".repeat(at as usize % 5))))
        .collect();
    catch_up(&mut writer, &shelf.store);
    for sort in [Sort::Relevance, Sort::New] {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = Page { sort, cursor: cursor.clone(), limit: 7 };
            let found = found_by(writer.reader(), "frost", &Filters::default(), &page);
            let Some(last) = found.hits.last() else { break };
            cursor = Some(last.cursor.clone());
            all.extend(ids(&found));
            shelf.post(3, 1_000 + all.len() as u64, "frost", "more frost");
            catch_up(&mut writer, &shelf.store);
        }
        let old: Vec<EventId> = all.iter().copied().filter(|id| before.contains(id)).collect();
        let unique: std::collections::BTreeSet<EventId> = all.iter().copied().collect();
        assert_eq!((old.len(), unique.len()), (50, all.len()), "{sort:?}");
    }
}

#[test]
fn a_cursor_of_another_order_is_refused_and_one_of_a_state_that_is_gone_goes_on() {
    let shelf = Shelf::new();
    for at in 0..9 {
        shelf.post(2, at, "frost", "");
    }
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    let query = Query::read("frost").unwrap();
    let ask = |reader: &Reader, sort, cursor: &str| {
        let page = Page { sort, cursor: Some(cursor.into()), limit: 9 };
        reader.find((&query.wanted, &[]), &Filters::default(), &page).unwrap()
    };
    let first = found_by(writer.reader(), "frost", &Filters::default(), &Page { limit: 4, ..Page::default() });
    let cursor = &first.hits[3].cursor;
    assert_eq!((first.count, ask(writer.reader(), Sort::New, cursor)), (9, None));
    for other in ["", "1", "1.x", "é.1-2-3"] {
        assert_eq!(ask(writer.reader(), Sort::Relevance, other), None, "{other}");
    }
    drop(writer);
    let reopened = shelf.open();
    assert_eq!(ask(reopened.reader(), Sort::Relevance, cursor).unwrap().hits.len(), 5);
}

#[test]
fn a_restart_goes_on_where_the_last_commit_was() {
    let shelf = Shelf::new();
    shelf.post(2, 10, "frost", "");
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    drop(writer);
    let late = shelf.post(2, 20, "frost", "again");
    let mut writer = shelf.open();
    assert!(!writer.is_fresh());
    assert_eq!(find(writer.reader(), "frost").len(), 1);
    catch_up(&mut writer, &shelf.store);
    assert_eq!(find(writer.reader(), "frost")[0], late);
    // What was not committed is read again.
    let lost = shelf.post(2, 30, "frost", "and again");
    let _ = writer.step(&shelf.store).unwrap();
    drop(writer);
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    assert_eq!(find(writer.reader(), "frost")[0], lost);
    assert_eq!(find(writer.reader(), "frost").len(), 3);
}

#[test]
fn an_index_that_is_damaged_of_another_format_or_of_another_log_is_not_used() {
    let shelf = Shelf::new();
    shelf.post(2, 10, "frost", "");
    let mut writer = shelf.open();
    catch_up(&mut writer, &shelf.store);
    drop(writer);
    let is_unusable = |store: &EventStore| matches!(Writer::open(&shelf.folder(), store), Err(Failure::Unusable(_)));
    let meta = shelf.folder().join("meta.json");
    let sound = std::fs::read_to_string(&meta).unwrap();
    for wrong in [sound.replace("\\\"format\\\":1", "\\\"format\\\":2"), sound.replace("english", "spanish")] {
        assert_ne!(wrong, sound);
        std::fs::write(&meta, wrong).unwrap();
        assert!(is_unusable(&shelf.store));
    }
    for wrong in ["", "{}", &sound[..sound.len() / 2]] {
        std::fs::write(&meta, wrong).unwrap();
        assert!(is_unusable(&shelf.store), "{wrong}");
    }
    std::fs::write(&meta, &sound).unwrap();
    let other = Shelf::new();
    other.post(2, 11, "sun", "a post that is longer than that of the first log, which ends before it");
    assert!(is_unusable(&other.store));
    for file in std::fs::read_dir(shelf.folder()).unwrap() {
        let path = file.unwrap().path();
        if ["idx", "term", "store", "fast", "pos"].iter().any(|end| path.extension().is_some_and(|of| of == *end)) {
            let whole = std::fs::read(&path).unwrap();
            let mut changed = whole.clone();
            changed[0] ^= 0x40;
            std::fs::write(&path, changed).unwrap();
            assert!(is_unusable(&shelf.store), "{}", path.display());
            std::fs::remove_file(&path).unwrap();
            assert!(shelf.try_open().is_err(), "{}", path.display());
            std::fs::write(&path, &whole).unwrap();
        }
    }
    assert_eq!(find(shelf.open().reader(), "frost").len(), 1);
}

#[test]
fn a_keeper_makes_an_index_anew_that_is_damaged_or_gone_and_says_how_far_it_is() {
    let shelf = Shelf::new();
    let post = shelf.post(2, 10, "frost", "");
    let (shared, mut keeper) = shelf.keeper();
    assert!(!shared.progress().is_complete);
    keeper.keep().unwrap();
    let done = Progress { indexed: 1, total: 1, is_complete: true, problem: None };
    assert_eq!(shared.progress(), done);
    shared.ring();
    assert!(!shared.progress().is_complete, "something has come that was not read yet");
    keeper.keep().unwrap();
    assert_eq!(shared.progress(), done);
    drop(keeper);

    for damage in ["meta.json", ".managed.json"] {
        std::fs::write(shelf.folder().join(damage), "nonsense").unwrap();
        let (shared, mut keeper) = shelf.keeper();
        let failure = keeper.keep().unwrap_err();
        let _ = keeper.fail(failure);
        assert_eq!((shared.progress().is_complete, shared.reader().is_none()), (false, true), "{damage}");
        keeper.keep().unwrap();
        assert_eq!(find(&shared.reader().unwrap(), "frost"), [post]);
        assert_eq!(shared.progress(), done);
    }
    std::fs::remove_dir_all(shelf.folder()).unwrap();
    let (shared, mut keeper) = shelf.keeper();
    keeper.keep().unwrap();
    assert_eq!(find(&shared.reader().unwrap(), "frost"), [post]);
}

#[test]
fn where_the_disk_refuses_search_says_so_and_goes_on_later() {
    let shelf = Shelf::new();
    let post = shelf.post(2, 10, "frost", "");
    std::fs::write(shelf.folder(), "a file where the folder belongs").unwrap();
    let (shared, mut keeper) = shelf.keeper();
    let failure = keeper.keep().unwrap_err();
    assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
    assert!(keeper.fail(failure) > Duration::ZERO);
    let progress = shared.progress();
    assert!(!progress.is_complete && progress.problem.is_some(), "{progress:?}");
    std::fs::remove_file(shelf.folder()).unwrap();
    keeper.keep().unwrap();
    assert_eq!(shared.progress().problem, None);
    assert_eq!(find(&shared.reader().unwrap(), "frost"), [post]);
}

#[test]
fn a_hit_that_turned_out_changed_is_read_again() {
    let shelf = Shelf::new();
    let post = shelf.post(2, 10, "frost", "");
    let (shared, mut keeper) = shelf.keeper();
    keeper.keep().unwrap();
    let by = Retention { now_ms: 0, me: key(9).public(), disk_bytes_max: 0 };
    assert_eq!(shelf.store.prune(&by).unwrap().events, 1);
    let _ = shelf.store.take_given_up();
    keeper.keep().unwrap();
    assert_eq!(find(&shared.reader().unwrap(), "frost"), [post], "nobody told");
    shared.read_again(post);
    keeper.keep().unwrap();
    assert_eq!(find(&shared.reader().unwrap(), "frost"), NONE);
}

#[test]
fn a_thread_of_its_own_follows_what_is_stored_until_it_is_ended() {
    let shelf = Shelf::new();
    let (search, thread) = Search::start(Arc::clone(&shelf.store), &shelf.folder(), |_| {}).unwrap();
    let post = shelf.post(2, 10, "frost", "");
    search.ring();
    while !search.progress().is_complete {
        std::thread::yield_now();
    }
    let query = Query::read("frost").unwrap();
    let page = Page { limit: 9, ..Page::default() };
    let found = search.find(&query, &Filters::default(), &page).unwrap().unwrap();
    assert_eq!(ids(&found), [post]);
    search.end();
    thread.join().unwrap();
}
