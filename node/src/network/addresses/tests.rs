use proptest::prelude::*;

use super::tables::{NEW_BUCKETS_PER_SOURCE, NEW_PER_BUCKET, TRIED_BUCKETS_PER_GROUP, TRIED_PER_BUCKET};
use super::*;

const NOW: u64 = 1_800_000_000_000;

fn book() -> AddressBook {
    AddressBook::new(PeerId::random(), [3; 32])
}

fn address(text: &str) -> Multiaddr {
    text.parse().expect("a multiaddr")
}

/// A host of the world, in a group of 10,000.
fn host(group: usize, number: usize) -> Multiaddr {
    address(&format!("/ip4/{}.{}.{}.{}/tcp/4001", 11 + group / 200, group % 200, number / 200 % 250, number % 200 + 1))
}

fn near(number: usize) -> Multiaddr {
    address(&format!("/ip4/10.0.{}.{}/tcp/4001", number / 250, number % 250 + 1))
}

fn source(group: usize) -> Source {
    Source::Peer(super::group(&host(group, 0)))
}

fn due(book: &mut AddressBook, now_ms: u64) -> Vec<PeerId> {
    book.due(now_ms, 2000, Chosen::default(), |_| false).into_iter().map(|(peer, _)| peer).collect()
}

#[test]
fn pauses_double_up_to_ten_minutes_and_differ_between_peers() {
    let pause = |failures| backoff(&[3; 32], b"peer", failures);
    for failures in 1..=40 {
        let plain = (1_u64 << (failures - 1).min(20)).min(600) as f64;
        let (least, most) = (plain * 0.75, (plain * 1.25).min(600.0));
        let got = pause(failures).as_secs_f64();
        assert!((least..=most).contains(&got), "{failures}: {got}");
    }
    assert!((0..32).any(|peer| backoff(&[3; 32], &[peer], 1) != pause(1)));
    assert!(pause(u32::MAX) <= BACKOFF_MAX);
}

#[test]
fn a_peer_that_fails_waits_and_one_that_was_never_reached_is_forgotten() {
    for place in [host(1, 1), near(1)] {
        let (mut book, peer, mut now) = (book(), PeerId::random(), NOW);
        book.learn(peer, place, source(2));
        for _ in 0..FAILURES_OF_STRANGERS_MAX {
            assert_eq!(due(&mut book, now), [peer]);
            book.failed(peer, now);
            assert!(due(&mut book, now).is_empty());
            now += millis(BACKOFF_MAX);
        }
        assert!(due(&mut book, now).is_empty());
        assert_eq!(book.known(), 0);
    }
}

#[test]
fn a_peer_that_was_reached_is_never_given_up() {
    for place in [host(1, 1), near(1)] {
        let (mut book, peer) = (book(), PeerId::random());
        book.reached(peer, &place, NOW);
        for _ in 0..100 {
            book.failed(peer, NOW);
        }
        assert_eq!(due(&mut book, NOW + millis(BACKOFF_MAX)), [peer]);
    }
}

#[test]
fn the_most_recently_reached_neighbours_come_first() {
    let (mut book, peers) = (book(), [PeerId::random(), PeerId::random(), PeerId::random()]);
    for (age, peer) in [2, 0, 1].into_iter().zip(peers) {
        book.reached(peer, &near(1), NOW - age);
    }
    let later = NOW + millis(REST);
    assert_eq!(due(&mut book, later), [peers[1], peers[2], peers[0]]);
    book.failed(peers[1], NOW);
    assert_eq!(due(&mut book, later), [peers[2], peers[0], peers[1]]);
}

#[test]
fn neighbours_and_addresses_have_bounds_and_what_was_reached_survives() {
    let (mut book, friend) = (book(), PeerId::random());
    book.reached(friend, &near(0), NOW);
    for number in 1..100 {
        book.learn(friend, near(number), Source::Lan);
    }
    for number in 0..NEAR_MAX * 2 {
        book.learn(PeerId::random(), near(number), Source::Lan);
    }
    assert_eq!(book.near.len(), NEAR_MAX);
    let page = &book.near[&friend];
    assert_eq!(page.addresses.len(), ADDRESSES_PER_PEER_MAX);
    assert!(page.addresses.iter().any(|known| known.address == near(0)));
}

#[test]
fn what_nobody_signed_does_not_push_out_what_was_signed() {
    let (mut book, peer) = (book(), PeerId::random());
    book.learn(peer, host(1, 0), source(2));
    for number in 1..100 {
        book.learn(peer, host(1, number), Source::Dht);
    }
    let page = &book.world[&peer].entry;
    assert_eq!(page.addresses.len(), UNSIGNED_PER_PEER_MAX);
    assert!(page.addresses.iter().any(|known| known.address == host(1, 0)));
}

#[test]
fn an_address_that_leads_elsewhere_is_dropped_and_a_foreign_peer_stays_away() {
    let (mut book, peer) = (book(), PeerId::random());
    book.learn(peer, host(1, 1), source(2));
    book.learn(peer, host(1, 2), source(2));
    book.misled(peer, &host(1, 1));
    assert_eq!(book.due(NOW, 9, Chosen::default(), |_| false), [(peer, vec![host(1, 2)])]);
    book.misled(peer, &host(1, 2));
    assert_eq!(book.known(), 0);
    book.learn(peer, host(1, 1), source(2));
    book.foreign(peer, NOW);
    book.learn(peer, host(1, 1), source(2));
    assert!(due(&mut book, NOW).is_empty());
    assert_eq!(due(&mut book, NOW + millis(SHUN)), [peer]);
}

#[test]
fn the_node_itself_and_unusable_addresses_are_not_noted() {
    let mut book = book();
    book.learn(book.local, host(1, 1), source(2));
    book.reached(book.local, &host(1, 1), NOW);
    book.learn(PeerId::random(), address("/ip4/0.0.0.0/tcp/1"), source(2));
    assert_eq!(book.known(), 0);
}

#[test]
fn a_clock_set_back_does_not_lock_a_peer_out() {
    let (mut book, peer) = (book(), PeerId::random());
    book.reached(peer, &host(1, 1), NOW);
    book.failed(peer, NOW);
    assert_eq!(due(&mut book, NOW - 86_400_000), [peer]);
}

#[test]
fn of_each_group_one_peer_is_chosen_and_neighbours_leave_room_for_the_world() {
    let mut book = book();
    for group in 0..20 {
        for number in 0..5 {
            book.learn(PeerId::random(), host(group, number), source(100 + number));
        }
    }
    let picks = book.due(NOW, 8, Chosen::default(), |_| false);
    let groups: BTreeSet<_> = picks.iter().map(|(_, addresses)| group(&addresses[0])).collect();
    assert_eq!((picks.len(), groups.len()), (8, 8));
    let taken = Chosen { groups: groups.iter().copied().flatten().collect(), near: 0 };
    let others = book.due(NOW, 8, taken, |_| false);
    assert!(others.iter().all(|(_, addresses)| !groups.contains(&group(&addresses[0]))));
    for number in 0..50 {
        book.learn(PeerId::random(), near(number), Source::Lan);
    }
    let picks = book.due(NOW, 8, Chosen::default(), |_| false);
    assert_eq!(picks.iter().filter(|(_, addresses)| group(&addresses[0]).is_none()).count(), choice::NEAR_CHOSEN_MAX);
    assert!(book.due(NOW, 0, Chosen::default(), |_| false).is_empty());
    assert!(book.due(NOW, 9, Chosen::default(), |_| true).is_empty());
}

#[test]
fn anchors_are_dialled_first() {
    let (mut book, friend) = (book(), PeerId::random());
    for group in 0..200 {
        book.learn(PeerId::random(), host(group, 0), source(group % 40));
    }
    book.reached(friend, &host(500, 0), NOW);
    book.anchor(vec![friend]);
    let later = NOW + millis(REST);
    assert_eq!(book.due(later, 1, Chosen::default(), |_| false)[0].0, friend);
    book.failed(friend, later);
    assert_ne!(book.due(later, 1, Chosen::default(), |_| false)[0].0, friend, "it waits like anyone");
}

#[test]
fn who_was_reached_gives_way_only_after_a_dial_in_vain() {
    let mut book = book();
    let mut now = NOW;
    // Many peers of one group: their places in the table are few.
    for number in 0..200 {
        book.reached(PeerId::random(), &host(1, number), now);
    }
    let places = usize::from(TRIED_BUCKETS_PER_GROUP) * usize::from(TRIED_PER_BUCKET);
    assert!(book.counts().tried <= places);
    let (holder, newcomer, _) = book.challenges.front().cloned().expect("somebody waits");
    now += millis(BACKOFF_MAX);
    assert_eq!(book.feeler(now, |_| false).map(|(peer, _)| peer), Some(holder));
    book.reached(holder, &host(1, 0), now);
    assert_eq!(book.world[&holder].slot.table, Table::Tried);
    let (holder, other, _) = book.challenges.front().cloned().expect("somebody else waits");
    assert_ne!(other, newcomer);
    book.failed(holder, now);
    assert_eq!(book.world[&other].slot.table, Table::Tried);
    assert!(book.world.get(&holder).is_none_or(|placed| placed.slot.table == Table::New));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever speaks from k groups fills at most k sixteenths of *new*, with however many names and addresses.
    #[test]
    fn new_is_filled_by_groups_and_not_by_addresses(seed: [u8; 32], sources in 1_usize..5, offset in 0_usize..1000) {
        let mut book = AddressBook::new(PeerId::random(), seed);
        for number in 0..4000 {
            let told = host((number * 7 + offset) % 4000, number);
            book.learn(PeerId::random(), told, source(5000 + offset + number % sources));
        }
        let most = sources * usize::from(NEW_BUCKETS_PER_SOURCE) * usize::from(NEW_PER_BUCKET);
        prop_assert!(book.counts().new <= most);
        prop_assert_eq!(most, sources * NEW_MAX / 16);
        prop_assert_eq!(book.counts().tried, 0, "words alone lead there never");
    }

    /// Whoever can be reached in k groups fills at most k sixteenths of *tried*.
    #[test]
    fn tried_is_filled_by_groups_that_were_reached(seed: [u8; 32], groups in 1_usize..5, offset in 0_usize..1000) {
        let mut book = AddressBook::new(PeerId::random(), seed);
        for number in 0..1000 {
            book.reached(PeerId::random(), &host(offset + number % groups, number), NOW);
        }
        prop_assert!(book.counts().tried <= groups * TRIED_MAX / 16);
        prop_assert!(book.challenges.len() <= CHALLENGES_MAX);
        prop_assert_eq!(book.slots.len(), book.world.len());
    }

    /// Whatever happens, tables and places agree, and bounds hold.
    #[test]
    fn tables_and_places_agree(steps in prop::collection::vec((0_u8..6, 0_usize..40, 0_usize..12, 0_usize..3), 1..400)) {
        let mut book = book();
        let peers: Vec<_> = (0..40).map(|_| PeerId::random()).collect();
        for (step, peer, group, number) in steps {
            let (peer, place) = (peers[peer], if number == 2 { near(group) } else { host(group, number) });
            match step {
                0 => book.learn(peer, place, source(group)),
                1 => book.learn(peer, place, Source::Dht),
                2 => book.reached(peer, &place, NOW),
                3 => book.failed(peer, NOW),
                4 => book.misled(peer, &place),
                _ => book.foreign(peer, NOW),
            }
            prop_assert_eq!(book.slots.len(), book.world.len());
            for (peer, placed) in &book.world {
                prop_assert_eq!(book.slots.get(&placed.slot), Some(peer));
                prop_assert!(!placed.entry.addresses.is_empty());
                prop_assert!(placed.entry.addresses.len() <= ADDRESSES_PER_PEER_MAX);
            }
        }
    }
}

/// An attacker has 80% of all addresses, in 5% of the groups, and speaks first. The honest rest is told of by 30 peers.
/// The node knows nobody else: the worst case, its first start.
#[test]
fn four_fifths_of_all_addresses_do_not_surround_a_node() {
    const GROUPS: usize = 200;
    const HOSTILE_GROUPS: usize = GROUPS / 20;
    let page = |group: usize, number: usize, told_by: usize| (PeerId::random(), host(group, number), source(told_by));
    let hostile: Vec<_> = (0..800).map(|at| page(at % HOSTILE_GROUPS, at, at / 7 % HOSTILE_GROUPS)).collect();
    let honest: Vec<_> = (0..200)
        .map(|at| page(HOSTILE_GROUPS + at % (GROUPS - HOSTILE_GROUPS), at, HOSTILE_GROUPS + at % 30))
        .collect();
    let is_hostile: BTreeSet<_> = hostile.iter().map(|(peer, ..)| *peer).collect();
    let local = PeerId::random();
    let (mut surrounded, mut taken) = (0, 0);
    for seed in 0..1000_u32 {
        let mut book = AddressBook::new(local, *blake3::hash(&seed.to_le_bytes()).as_bytes());
        for (peer, address, source) in hostile.iter().chain(&honest) {
            book.learn(*peer, address.clone(), *source);
        }
        let picks = book.due(NOW, 8, Chosen::default(), |_| false);
        assert_eq!(picks.len(), 8);
        let bad = picks.iter().filter(|(peer, _)| is_hostile.contains(peer)).count();
        taken += bad;
        surrounded += usize::from(bad == 8);
    }
    println!("of 1,000 nodes {surrounded} were surrounded; {:.1}% of the links were hostile", taken as f64 / 80.0);
    assert!(surrounded <= 10, "{surrounded} of 1,000");
}

#[test]
fn a_peer_that_a_person_vouched_for_is_tried_until_that_time() {
    for place in [host(1, 1), near(1)] {
        let (mut book, peer) = (book(), PeerId::random());
        book.vouch(peer, place, NOW + 1000);
        assert!(book.take_changed());
        (0..9).for_each(|_| book.failed(peer, NOW));
        assert_eq!(due(&mut book, NOW + millis(BACKOFF_MAX)), [peer]);
        book.failed(peer, NOW + 1000);
        assert_eq!(book.known(), 0);
    }
}

#[test]
fn a_way_through_this_node_itself_is_not_kept() {
    let mut book = book();
    let (client, local) = (PeerId::random(), book.local);
    let through = |relay: PeerId| address(&format!("/ip4/198.51.100.1/tcp/1/p2p/{relay}/p2p-circuit"));
    book.learn(client, through(local), source(2));
    assert_eq!(book.known(), 0);
    book.learn(client, through(PeerId::random()), source(2));
    assert_eq!(book.known(), 1);
}
