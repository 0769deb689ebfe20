use super::*;
use roda_protocol::event::{Author, Body, Charter, CharterBody, Draft, Kind};
use roda_protocol::id::NetworkId;
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{SpaceRules, validate};

fn charter(number: u64, words: usize) -> Arc<Verified> {
    let key = SecretKey::from_seed(&[7; 32]);
    let charter = Charter { work_bits: 0, ..Charter::new("b".into(), key.public()) };
    let body = CharterBody { title: "t".into(), description: "x".repeat(words), rules: vec![] };
    let (kind, body) = (Kind::Charter(charter), Body::Charter(body));
    let draft = Draft { space: SpaceId::ZERO, created_ms: number, refs: vec![], kind, body, salt: [1; 16] };
    let signed = draft.sign(&Author::Root(&key), &NetworkId::of("book"), 0).unwrap();
    Arc::new(validate(signed, &SpaceRules::OPEN).unwrap())
}

fn peer(name: &str) -> Peer {
    Peer::new(name)
}

fn of(network: &str) -> Network {
    Some(network.to_owned())
}

const NONE: Figures = Figures { events: 0, threads: 0, last_day: 0 };

/// Sums that are kept along are those of what is there.
fn assert_sums(book: &Book) {
    let mut costs: BTreeMap<Network, BTreeMap<Peer, usize>> = BTreeMap::new();
    for (peer, claim) in book.boards.values().flat_map(|entry| &entry.claims) {
        *costs.entry(claim.network.clone()).or_default().entry(peer.clone()).or_default() += claim.cost;
    }
    assert_eq!(book.costs, costs);
    assert_eq!(book.cost, costs.values().flat_map(BTreeMap::values).sum::<usize>());
    assert!(book.boards.values().all(|entry| !entry.claims.is_empty()));
}

#[test]
fn a_board_is_known_by_whoever_lists_it_and_the_middle_of_what_they_say_counts() {
    let mut book = Book::default();
    let charter = charter(1, 0);
    for (number, events) in [(1, 10), (2, 12), (3, u64::MAX)] {
        let figures = Figures { events, threads: number, last_day: 9 };
        let network = of(if number == 1 { "a" } else { "b" });
        let name = format!("peer {number}");
        assert_eq!(book.hear(&peer(&name), &network, Arc::clone(&charter), figures, 0), Heard::Kept);
        assert_eq!(book.hear(&peer(&name), &network, Arc::clone(&charter), figures, 1), Heard::Kept);
    }
    let found = book.all();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].known_by, found[0].networks), (3, 2));
    assert_eq!(found[0].figures, Figures { events: 12, threads: 2, last_day: 9 });
    assert_sums(&book);
}

#[test]
fn a_claim_ends_when_it_is_not_made_again_or_its_peer_is_forgotten() {
    let mut book = Book::default();
    for number in 0..3 {
        let _ = book.hear(&peer("one"), &None, charter(number, 0), NONE, 0);
    }
    let _ = book.hear(&peer("two"), &None, charter(0, 0), NONE, 0);
    let _ = book.hear(&peer("one"), &None, charter(1, 0), NONE, 5);
    book.named_all(&peer("one"), 5);
    assert_eq!(book.len(), 2, "what one named again, and what two names");
    book.expire(CLAIM_LIFE_MS);
    assert_eq!(book.len(), 1);
    book.forget(&peer("one"));
    assert_eq!(book.len(), 0);
    assert_sums(&book);
}

#[test]
fn the_whole_charter_stands_in_place_of_one_without_words() {
    let mut book = Book::default();
    let whole = charter(1, 100);
    let bare = Arc::new((*whole).clone().without_body());
    let _ = book.hear(&peer("one"), &None, bare, NONE, 0);
    assert!(!book.charter(&whole.space()).unwrap().has_body());
    let _ = book.hear(&peer("two"), &None, Arc::clone(&whole), NONE, 0);
    assert!(book.charter(&whole.space()).unwrap().has_body());
}

#[test]
fn names_of_peers_in_one_network_count_only_up_to_a_bound() {
    let mut book = Book::default();
    let charter = charter(1, 0);
    for number in 0..100 {
        let _ = book.hear(&peer(&format!("sybil {number}")), &of("a"), Arc::clone(&charter), NONE, 0);
    }
    let _ = book.hear(&peer("honest"), &of("b"), Arc::clone(&charter), NONE, 0);
    let found = book.all();
    assert_eq!((found[0].known_by as usize, found[0].networks), (CLAIMS_OF_NETWORK_MAX + 1, 2));
}

#[test]
fn whoever_makes_up_boards_gets_in_its_own_way_and_in_nobody_elses() {
    let mut book = Book::default();
    let honest: Vec<Arc<Verified>> = (0..20).map(|number| charter(number, 0)).collect();
    let hear_honest = |book: &mut Book| {
        let heard = honest.iter().enumerate().map(|(number, charter)| {
            // From two peers of a network each, in four networks, one of them that of the liars.
            let network = of(["a", "b", "c", "liar 0"][number % 4]);
            book.hear(&peer(&format!("honest {}", number % 8)), &network, Arc::clone(charter), NONE, 0)
        });
        heard.filter(|heard| *heard == Heard::Kept).count()
    };
    assert_eq!(hear_honest(&mut book), 20);
    for network in 0..12 {
        let words = if network % 2 == 0 { 0 } else { 3000 };
        let made_up: Vec<Arc<Verified>> =
            (0..500).map(|number| charter(1000 * (network + 1) + number, words)).collect();
        for liar in 0..4 {
            let liar = peer(&format!("liar {network} {liar}"));
            for charter in &made_up {
                let _ = book.hear(&liar, &of(&format!("liar {network}")), Arc::clone(charter), NONE, 0);
            }
        }
    }
    assert!(book.len() <= BOARDS_MAX && book.cost <= COST_MAX, "{} boards of {} bytes", book.len(), book.cost);
    assert!(book.costs.keys().all(|network| book.cost_of(network) <= NETWORK_COST_MAX));
    assert!(honest.iter().all(|charter| book.boards.contains_key(&charter.space())), "honest boards stay");
    // One that comes late has room, too.
    let late = charter(1, 500);
    assert_eq!(book.hear(&peer("late"), &of("z"), Arc::clone(&late), NONE, 0), Heard::Kept);
    assert_eq!(book.hear(&peer("late, beside liars"), &of("liar 0"), late, NONE, 0), Heard::Kept);
    assert_eq!(hear_honest(&mut book), 20);
    assert_sums(&book);
}
