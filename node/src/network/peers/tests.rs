use super::*;

/// Everything that is told when there is room for `room` events, in short.
fn told(peers: &mut Peers, mut room: usize) -> Vec<String> {
    let mut told = Vec::new();
    peers.tell(|event| {
        if room == 0 {
            return Err(event);
        }
        room -= 1;
        told.push(match event {
            Event::PeerUp { .. } => "up".to_owned(),
            Event::PeerMoved { address, outbound, .. } => {
                format!(
                    "{} {}",
                    if outbound { "to" } else { "from" },
                    address.split("/p2p/").next().expect("a first part")
                )
            }
            Event::PeerDown { .. } => "down".to_owned(),
            Event::Subscribed { topic, .. } => format!("+{topic}"),
            Event::Unsubscribed { topic, .. } => format!("-{topic}"),
            Event::Listening { address } => format!("at {address}"),
            Event::NotListening { address } => format!("not at {address}"),
            other => format!("{other:?}"),
        });
        Ok(())
    });
    told
}

fn open(peers: &mut Peers, peer: PeerId, number: usize, now: Instant) -> ConnectionId {
    let connection = ConnectionId::new_unchecked(number);
    peers.opened(peer, connection, "/ip4/127.0.0.1/tcp/1".parse().expect("an address"), true, now);
    connection
}

#[test]
fn a_peer_is_told_once_it_is_identified_with_what_was_heard_before() {
    let (mut peers, peer, now) = (Peers::default(), PeerId::random(), Instant::now());
    let connection = open(&mut peers, peer, 1, now);
    peers.subscribed(peer, "a".to_owned());
    assert!(told(&mut peers, 9).is_empty());
    assert!(peers.identified(peer, connection, now));
    assert_eq!(told(&mut peers, 9), ["up", "+a"]);
    assert!(told(&mut peers, 9).is_empty());
}

#[test]
fn several_connections_are_one_coming_and_one_going() {
    let (mut peers, peer, now) = (Peers::default(), PeerId::random(), Instant::now());
    let (first, second) = (open(&mut peers, peer, 1, now), open(&mut peers, peer, 2, now));
    assert!(peers.identified(peer, first, now));
    assert!(!peers.identified(peer, second, now));
    assert!(!peers.closed(peer, first));
    assert_eq!(told(&mut peers, 9), ["up"]);
    assert!(peers.closed(peer, second));
    assert_eq!(told(&mut peers, 9), ["down"]);
}

#[test]
fn when_the_shown_connection_closes_the_best_of_the_rest_stands_for_the_peer() {
    let (mut peers, peer, now) = (Peers::default(), PeerId::random(), Instant::now());
    let later = |seconds| now + Duration::from_secs(seconds);
    let relayed = format!("/ip4/198.51.100.1/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
    let rows = [
        (&relayed[..], true),
        (&relayed, false),
        ("/ip4/198.51.100.2/tcp/2", false),
        ("/ip4/198.51.100.2/tcp/3", true),
    ];
    let connections: Vec<_> = rows
        .iter()
        .zip(1..)
        .map(|((address, outbound), number)| {
            let connection = ConnectionId::new_unchecked(number);
            let opened = later(u64::try_from(number).expect("a small number"));
            peers.opened(peer, connection, address.parse().expect("an address"), *outbound, opened);
            connection
        })
        .collect();
    assert!(peers.identified(peer, connections[0], now));
    assert_eq!(told(&mut peers, 9), ["up"]);
    assert!(!peers.closed(peer, connections[1]));
    assert!(told(&mut peers, 9).is_empty(), "it stood for nobody");
    assert!(!peers.closed(peer, connections[0]));
    assert!(told(&mut peers, 0).is_empty());
    assert_eq!(told(&mut peers, 9), ["from /ip4/198.51.100.2/tcp/2"]);
    assert!(!peers.closed(peer, connections[2]));
    assert_eq!(told(&mut peers, 9), ["to /ip4/198.51.100.2/tcp/3"]);
    assert!(peers.closed(peer, connections[3]));
    assert_eq!(told(&mut peers, 9), ["down"]);
}

#[test]
fn what_came_and_went_unnoticed_is_not_told() {
    let (mut peers, peer, now) = (Peers::default(), PeerId::random(), Instant::now());
    for number in 1..1000 {
        let connection = open(&mut peers, peer, number, now);
        peers.identified(peer, connection, now);
        peers.subscribed(peer, "a".to_owned());
        assert!(told(&mut peers, 0).is_empty());
        peers.closed(peer, connection);
    }
    assert!(told(&mut peers, 9).is_empty());
}

#[test]
fn a_return_is_told_as_an_end_and_a_beginning() {
    let (mut peers, peer, now) = (Peers::default(), PeerId::random(), Instant::now());
    let first = open(&mut peers, peer, 1, now);
    peers.identified(peer, first, now);
    peers.subscribed(peer, "old".to_owned());
    assert_eq!(told(&mut peers, 9), ["up", "+old"]);
    peers.closed(peer, first);
    let second = open(&mut peers, peer, 2, now);
    peers.identified(peer, second, now);
    peers.subscribed(peer, "new".to_owned());
    assert_eq!(told(&mut peers, 1), ["down"]);
    assert_eq!(told(&mut peers, 9), ["up", "+new"]);
}

#[test]
fn an_event_that_was_given_back_is_told_later() {
    let (mut peers, peer, now) = (Peers::default(), PeerId::random(), Instant::now());
    let connection = open(&mut peers, peer, 1, now);
    peers.identified(peer, connection, now);
    for topic in ["a", "b", "c"] {
        peers.subscribed(peer, topic.to_owned());
    }
    let mut all = Vec::new();
    for _ in 0..4 {
        assert!(told(&mut peers, 0).is_empty());
        all.extend(told(&mut peers, 1));
    }
    assert_eq!(all, ["up", "+a", "+b", "+c"]);
    peers.unsubscribed(peer, "b".to_owned());
    peers.subscribed(peer, "b".to_owned());
    assert!(told(&mut peers, 9).is_empty());
}

#[test]
fn addresses_are_told_when_they_come_and_go() {
    let mut peers = Peers::default();
    peers.listening("x".to_owned());
    peers.listening("y".to_owned());
    assert_eq!(told(&mut peers, 1), ["at x"]);
    peers.not_listening("x");
    assert_eq!(told(&mut peers, 9), ["not at x", "at y"]);
}

#[test]
fn a_silent_peer_is_suspected_once_per_rest() {
    let (mut peers, peer, start) = (Peers::default(), PeerId::random(), Instant::now());
    let connection = open(&mut peers, peer, 1, start);
    assert!(peers.silent(start + SILENCE * 2).is_empty(), "it isn't up");
    peers.identified(peer, connection, start);
    assert!(peers.silent(start + SILENCE).is_empty());
    let later = start + SILENCE + Duration::from_secs(1);
    assert_eq!(peers.silent(later), [peer]);
    assert!(peers.silent(later + SILENCE).is_empty());
    assert_eq!(peers.silent(later + SILENCE_REST), [peer]);
    peers.subscribed(peer, "a".to_owned());
    assert!(peers.silent(later + SILENCE_REST * 2).is_empty());
}

#[test]
fn a_connection_that_never_says_its_network_is_found() {
    let (mut peers, peer, start) = (Peers::default(), PeerId::random(), Instant::now());
    open(&mut peers, peer, 1, start);
    assert!(peers.unidentified(start + IDENTIFY_TIMEOUT).is_empty());
    assert_eq!(peers.unidentified(start + IDENTIFY_TIMEOUT * 2), [peer]);
}

#[test]
fn whoever_dialled_hangs_up_on_another_network_and_the_other_waits_a_little() {
    let (mut peers, peer, start) = (Peers::default(), PeerId::random(), Instant::now());
    let dialled = open(&mut peers, peer, 1, start);
    assert!(peers.foreign(peer, dialled, start));
    peers.closed(peer, dialled);
    let accepted = ConnectionId::new_unchecked(2);
    peers.opened(peer, accepted, "/ip4/127.0.0.1/tcp/1".parse().expect("an address"), false, start);
    assert!(!peers.foreign(peer, accepted, start));
    assert!(peers.foreign_due(start + FOREIGN_GRACE).is_empty());
    assert_eq!(peers.foreign_due(start + FOREIGN_GRACE * 2), [peer]);
}

#[test]
fn two_lost_pings_in_a_row_end_a_connection() {
    let (mut peers, peer, start) = (Peers::default(), PeerId::random(), Instant::now());
    let connection = open(&mut peers, peer, 1, start);
    assert!(!peers.pinged(peer, connection, false));
    assert!(!peers.pinged(peer, connection, true));
    assert!(!peers.pinged(peer, connection, false));
    assert!(peers.pinged(peer, connection, false));
}
