use crate::engine::Judgement;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::*;
use crate::network::interface::Claim;

/// A chain: the first and the third node are each connected to the second alone.
async fn chain() -> (Node, Node, Node) {
    let (one, mut two) = pair().await;
    let third = start(config(3)).await;
    third.dial(&two.address()).await.expect("it connects");
    two.up(&third.peer()).await;
    for node in [&one, &two, &third] {
        node.subscribe(TOPIC).await;
    }
    let (mut one, mut third) = (one, third);
    one.follows(&two.peer(), TOPIC).await;
    third.follows(&two.peer(), TOPIC).await;
    let mut missing = BTreeSet::from([one.peer(), third.peer()]);
    while !missing.is_empty() {
        if let Event::Subscribed { peer, .. } = two.next().await {
            missing.remove(&peer);
        }
    }
    (one, two, third)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_message_is_relayed_and_others_are_not() {
    let (mut one, mut two, mut third) = chain().await;
    let verdicts = [(b"ignored", Judgement::Ignore), (b"refused", Judgement::Reject), (b"allowed", Judgement::Accept)];
    for (bytes, verdict) in verdicts {
        one.publish(TOPIC, bytes.to_vec()).await.expect("published");
        let (received, delivery) = two.message().await;
        assert_eq!(received, bytes);
        two.judge(delivery, verdict).await;
    }
    // Messages of one path arrive in order: had an earlier one been relayed, it would be here first.
    assert_eq!(third.message().await.0, b"allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_published_once() {
    let (mut one, mut two, _third) = chain().await;
    one.publish(TOPIC, b"once".to_vec()).await.expect("published");
    assert_eq!(one.publish(TOPIC, b"once".to_vec()).await, Err(PublishFailure::Duplicate));
    let (_, delivery) = two.message().await;
    two.judge(delivery, Judgement::Accept).await;
    assert_eq!(two.publish(TOPIC, b"once".to_vec()).await, Err(PublishFailure::Duplicate));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_copy_is_counted_and_one_is_told() {
    let (mut one, mut two, mut third) = chain().await;
    for node in [&mut one, &mut third] {
        node.publish(TOPIC, b"the same".to_vec()).await.expect("published");
    }
    assert_eq!(two.message().await.0, b"the same");
    let counters = two.network.counters().clone();
    within("a second copy", async {
        while counters.gossip_copies() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    one.publish(TOPIC, b"another".to_vec()).await.expect("published");
    assert_eq!(two.message().await.0, b"another", "the copy is not told");
    assert_eq!(counters.gossip_copies(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_brought_a_copy_of_a_message_is_told() {
    let (mut one, mut two, mut third) = chain().await;
    for node in [&mut one, &mut third] {
        node.publish(TOPIC, b"the same".to_vec()).await.expect("published");
    }
    let name = roda_protocol::gossip::message_id(b"the same");
    let mut missing = BTreeSet::from([one.peer(), third.peer()]);
    let told = |event| {
        if let Event::Copies { copies } = event {
            copies.iter().filter(|(_, of)| *of == name).for_each(|(peer, _)| {
                missing.remove(peer);
            });
        }
        missing.is_empty().then_some(())
    };
    two.until("word of both copies", told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_followers_a_message_can_be_published_again_later() {
    let (mut one, two) = pair().await;
    one.subscribe(TOPIC).await;
    assert_eq!(one.publish(TOPIC, b"hello".to_vec()).await, Err(PublishFailure::NoPeers));
    two.subscribe(TOPIC).await;
    one.follows(&two.peer(), TOPIC).await;
    assert_eq!(one.publish(TOPIC, b"hello".to_vec()).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_message_arrives_and_a_larger_one_is_refused_at_home() {
    let (mut one, mut two, _third) = chain().await;
    let too_large = vec![1; MESSAGE_BYTES_MAX + 1];
    assert_eq!(one.publish(TOPIC, too_large).await, Err(PublishFailure::TooLarge));
    one.publish(TOPIC, vec![1; MESSAGE_BYTES_MAX]).await.expect("published");
    assert_eq!(two.message().await.0.len(), MESSAGE_BYTES_MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_topics_as_a_peer_may_have_are_learned_by_both_sides() {
    let (mut one, mut two) = (start(config(1)).await, start(config(2)).await);
    let topic = |number| format!("{TOPIC_PREFIX}{number:032x}");
    // Half of them before the connection, in one announcement, half after it.
    for number in 0..TOPICS_PER_PEER_MAX / 2 {
        one.subscribe(&topic(number)).await;
        two.subscribe(&topic(number)).await;
    }
    one.dial(&two.address()).await.expect("it connects");
    for number in TOPICS_PER_PEER_MAX / 2..TOPICS_PER_PEER_MAX {
        one.subscribe(&topic(number)).await;
        two.subscribe(&topic(number)).await;
    }
    for node in [&mut one, &mut two] {
        let mut learned = BTreeSet::new();
        while learned.len() < TOPICS_PER_PEER_MAX {
            if let Event::Subscribed { topic, .. } = node.next().await {
                assert!(learned.insert(topic), "told twice");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_topic_is_told() {
    let (mut one, two) = pair().await;
    two.subscribe(TOPIC).await;
    one.follows(&two.peer(), TOPIC).await;
    two.send(Command::Unsubscribe { topic: TOPIC.to_owned() }).await;
    one.until("the end of a subscription", |event| matches!(event, Event::Unsubscribed { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_large_messages_in_both_directions_all_arrive() {
    let (mut one, mut two, _third) = chain().await;
    const BURST: u8 = 20;
    let body = |from: u8, number: u8| [vec![from, number], vec![number; 64 * 1024]].concat();
    for number in 0..BURST {
        for (node, from) in [(&one, 1), (&two, 2)] {
            let (topic, bytes) = (TOPIC.to_owned(), body(from, number));
            node.send(Command::Publish { topic, bytes, token: 0 }).await;
        }
    }
    for (node, from) in [(&mut one, 2), (&mut two, 1)] {
        let mut arrived = BTreeSet::new();
        while arrived.len() < usize::from(BURST) {
            let (bytes, delivery) = node.message().await;
            node.judge(delivery, Judgement::Ignore).await;
            assert!(bytes[0] == from && bytes == body(from, bytes[1]), "it arrives as it was");
            arrived.insert(bytes[1]);
        }
    }
    // And the stream lives on.
    one.publish(TOPIC, b"after".to_vec()).await.expect("published");
    assert_eq!(two.message().await.0, b"after");
}

/// An inbox whose room the test decides.
#[derive(Clone)]
struct Narrow {
    open: Arc<Mutex<bool>>,
    inner: mpsc::Sender<Event>,
}

impl Inbox for Narrow {
    fn deliver(&mut self, event: Event) -> Result<(), Event> {
        if *self.open.lock().expect("no test panics while it holds this") {
            self.inner.deliver(event)
        } else {
            Err(event)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_ignores_messages_refuses_requests_and_loses_nothing_else() {
    let (inner, events) = mpsc::channel(1024);
    let narrow = Narrow { open: Arc::new(Mutex::new(true)), inner };
    let network = Network::start(config(2), narrow.clone()).await.expect("it starts");
    let (mut two, mut one) = (Node { network, events }, start(config(1)).await);
    one.subscribe(TOPIC).await;
    two.subscribe(TOPIC).await;

    *narrow.open.lock().expect("unpoisoned") = false;
    one.dial(&two.address()).await.expect("it connects");
    one.follows(&two.peer(), TOPIC).await;
    for number in 0..10 {
        one.publish(TOPIC, vec![number]).await.expect("published");
    }
    let answer = one.request(&two.peer(), b"anyone?".to_vec()).await;
    assert_eq!(answer, Err(RequestFailure::Refused));
    let (unreachable, token) = (start(config(9)).await.peer(), 77);
    two.send(Command::Request { peer: unreachable, token, body: Vec::new() }).await;
    let counters = two.network.counters().clone();
    within("ten ignored messages", async {
        while counters.messages_ignored() < 10 || counters.requests_refused() < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    *narrow.open.lock().expect("unpoisoned") = true;
    two.up(&one.peer()).await;
    two.follows(&one.peer(), TOPIC).await;
    two.until("the answer that waited", |event| matches!(event, Event::Response { token: 77, .. }).then_some(())).await;
    one.publish(TOPIC, b"and on it goes".to_vec()).await.expect("published");
    assert_eq!(two.message().await.0, b"and on it goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forger_is_sent_away_and_let_in_again_when_it_is_wanted() {
    let (mut one, mut two, mut third) = chain().await;
    const FORGED: u8 = 8;
    for number in 0..FORGED {
        one.publish(TOPIC, vec![number]).await.expect("published");
    }
    // The last ones may find nobody who listens any more.
    let forger = one.peer();
    loop {
        match two.next().await {
            Event::Message { delivery, .. } => two.judge(delivery, Judgement::Reject).await,
            Event::PeerDown { peer } if peer == forger => break,
            _ => {}
        }
    }
    one.down(&two.peer()).await;
    assert!(one.dial(&two.address()).await.is_err(), "it is not let in");
    two.dial(&one.address()).await.expect("this node's own people decide");
    // Others stay.
    third.publish(TOPIC, b"honest".to_vec()).await.expect("published");
    assert_eq!(two.message().await.0, b"honest");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_share_arrives_later_and_whole() {
    let (mut one, mut two, _third) = chain().await;
    // More than a peer may save up of its own and out of the pool.
    const FLOOD: u32 = 100;
    const LARGE: usize = 60_000;
    let arrived = async {
        for _ in 0..FLOOD {
            let (bytes, delivery) = two.message().await;
            assert_eq!(bytes.len(), LARGE);
            two.judge(delivery, Judgement::Ignore).await;
        }
    };
    let published = async {
        for number in 0..FLOOD {
            let bytes = [&number.to_le_bytes()[..], &vec![7; LARGE - 4]].concat();
            one.publish(TOPIC, bytes).await.expect("published");
        }
    };
    tokio::join!(arrived, published);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_judgement_is_harmless() {
    let (mut one, mut two, mut third) = chain().await;
    one.publish(TOPIC, b"first".to_vec()).await.expect("published");
    let (_, delivery) = two.message().await;
    let again = Delivery(Box::new(Claim { message: delivery.0.message.clone(), source: delivery.0.source }));
    two.judge(delivery, Judgement::Ignore).await;
    two.judge(again, Judgement::Accept).await;
    one.publish(TOPIC, b"second".to_vec()).await.expect("published");
    let (_, delivery) = two.message().await;
    two.judge(delivery, Judgement::Accept).await;
    assert_eq!(third.message().await.0, b"second");
}
