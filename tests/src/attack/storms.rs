//! Attacks by gossip: messages, names and membership in any quantity.

use super::crowd::{Crowd, Pace};
use super::frames::Frame;
use super::link::Link;
use crate::forge::Forge;
use futures::prelude::*;
use roda_protocol::event::Signed;
use roda_protocol::keys::SecretKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Subscriptions in one frame: what a node lets a peer have.
const TOPICS_PER_FRAME: usize = 500;

/// Names in one frame, 44 KB of them.
const NAMES_PER_FRAME: u64 = 2000;

/// As fast as the node takes it.
const UNPACED: f64 = 1e9;

/// Bytes of a message that is to cost memory.
const LARGE: usize = 60_000;

pub(super) async fn nothing(crowd: Crowd) {
    tokio::time::sleep_until(crowd.end.into()).await;
}

/// Writes at a rate until the node hangs up. Whether it has is the crowd's business.
async fn write(link: &Link, per_second: f64, mut next: impl FnMut() -> Vec<u8>) {
    let mut pace = Pace::new(per_second);
    while !link.is_ended() {
        let Ok(mut stream) = link.gossip().await else { return };
        loop {
            pace.next().await;
            let bytes = next();
            if stream.write_all(&bytes).await.is_err() {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn invalid_messages(crowd: Crowd) {
    let event = author(&crowd, 0).post(crowd.board, "never said", "words that nobody signed");
    let counter = Arc::new(AtomicU64::new(1));
    let act = move |crowd: Crowd, link: Arc<Link>, _| {
        let (event, counter) = (event.clone(), Arc::clone(&counter));
        async move {
            let topic = crowd.topic();
            write(&link, 1000.0, || {
                crowd.tally.sent(1);
                Frame::default().message(&topic, &broken(&event, counter.fetch_add(1, Ordering::Relaxed))).bytes()
            })
            .await;
        }
    };
    crowd.peers(50, act).await;
}

/// The event with a signature of a right form that is not its own, and another one for each number: all there is to check
/// is checked.
fn broken(event: &Signed, number: u64) -> Vec<u8> {
    let mut bytes = event.bytes().to_vec();
    let scalar = event.bytes_without_body().len() - 32;
    bytes[scalar..scalar + 8].copy_from_slice(&number.to_le_bytes());
    bytes
}

pub(super) async fn valid_spam(crowd: Crowd) {
    let act = |crowd: Crowd, link: Arc<Link>, number: usize| async move {
        let topic = crowd.topic();
        let (mut said, mut count) = (Vec::<Vec<u8>>::new(), 0_usize);
        let mut author = author(&crowd, number as u64);
        write(&link, 200.0, || {
            crowd.tally.sent(1);
            count += 1;
            if count.is_multiple_of(3) && !said.is_empty() {
                // Said before, in the same words.
                return Frame::default().message(&topic, &said[count % said.len()]).bytes();
            }
            if count.is_multiple_of(50) {
                author = self::author(&crowd, count as u64 * 1000 + number as u64);
            }
            let bytes = author.post(crowd.board, "buy this", &format!("offer {count} of {number}")).bytes().to_vec();
            if said.len() < 1000 {
                said.push(bytes.clone());
            }
            Frame::default().message(&topic, &bytes).bytes()
        })
        .await;
    };
    crowd.peers(20, act).await;
}

/// An author of the attackers, another one in each run.
fn author(crowd: &Crowd, number: u64) -> Forge {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let now_ms = u64::try_from(now).unwrap_or(u64::MAX);
    let seed = blake3::hash(&[&number.to_le_bytes()[..], &now_ms.to_le_bytes(), &crowd.board.0].concat());
    Forge::starting_at(crowd.network, SecretKey::from_seed(seed.as_bytes()), now_ms - 60_000)
}

pub(super) async fn unfollowed_topics(crowd: Crowd) {
    let act = |crowd: Crowd, link: Arc<Link>, number: usize| async move {
        let (mut count, mut data) = (0_u64, vec![7; LARGE]);
        write(&link, UNPACED, || {
            count += 1;
            crowd.tally.sent(1);
            data[..8].copy_from_slice(&(count * 1000 + number as u64).to_le_bytes());
            Frame::default().message(&format!("/roda/1/{count:032x}"), &data).bytes()
        })
        .await;
    };
    crowd.peers(10, act).await;
}

pub(super) async fn subscriptions(crowd: Crowd) {
    let act = |crowd: Crowd, link: Arc<Link>, number: usize| async move {
        let mut count = 0_usize;
        write(&link, UNPACED, || {
            count += 1;
            crowd.tally.sent(TOPICS_PER_FRAME as u64);
            let topic = |which: usize| format!("/roda/1/{number:04x}{which:028x}");
            // Every fourth frame leaves again what the one before has joined, so that there is room for more; and one
            // has more than a peer may have.
            let (first, size, joins) = match count % 4 {
                3 => (count - 1, TOPICS_PER_FRAME, false),
                0 => (count, 4 * TOPICS_PER_FRAME, true),
                _ => (count, TOPICS_PER_FRAME, true),
            };
            let topics = (0..size).map(|at| topic(first * 10_000 + at));
            topics.fold(Frame::default(), |frame, topic| frame.subscription(&topic, joins)).bytes()
        })
        .await;
    };
    crowd.peers(10, act).await;
}

fn names(number: u64) -> impl Iterator<Item = [u8; 20]> {
    (0..NAMES_PER_FRAME).map(move |at| {
        let mut name = [0; 20];
        name[..8].copy_from_slice(&number.to_le_bytes());
        name[8..16].copy_from_slice(&at.to_le_bytes());
        name
    })
}

pub(super) async fn announcements(crowd: Crowd) {
    frames(crowd, 200.0, |topic, number| Frame::default().have(topic, names(number))).await;
}

pub(super) async fn wishes(crowd: Crowd) {
    frames(crowd, 200.0, |_, number| match number % 2 {
        0 => Frame::default().want(names(number)),
        _ => Frame::default().do_not_want(names(number)),
    })
    .await;
}

pub(super) async fn grafts(crowd: Crowd) {
    frames(crowd, 500.0, |topic, number| match number % 2 {
        0 => Frame::default().prune(topic, 1),
        _ => (0..100).fold(Frame::default().graft(topic), |frame, at| frame.graft(&format!("/roda/1/{at:032x}"))),
    })
    .await;
}

pub(super) async fn backoff(crowd: Crowd) {
    frames(crowd, 50.0, |topic, number| {
        let ends = [u64::MAX, u64::MAX - 1, i64::MAX as u64, 1 << 62, 1 << 40, u64::from(u32::MAX), 0];
        Frame::default().prune(topic, ends[number as usize % ends.len()]).graft(topic)
    })
    .await;
}

/// Ten peers that follow the board and send these frames.
async fn frames(crowd: Crowd, per_second: f64, make: fn(&str, u64) -> Frame) {
    let act = move |crowd: Crowd, link: Arc<Link>, number: usize| async move {
        let topic = crowd.topic();
        let mut count = number as u64 * 1_000_000_000;
        let mut is_first = true;
        write(&link, per_second, || {
            if std::mem::take(&mut is_first) {
                return Frame::default().subscription(&topic, true).graft(&topic).bytes();
            }
            crowd.tally.sent(1);
            count += 1;
            make(&topic, count).bytes()
        })
        .await;
    };
    crowd.peers(10, act).await;
}
