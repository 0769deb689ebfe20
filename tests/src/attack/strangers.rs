//! Attacks on the port, on requests and on places: by those who say little, and by those who ask for much.

use super::crowd::{Crowd, Pace};
use super::link::Link;
use crate::attacker::{MORE, framed};
use futures::future::BoxFuture;
use futures::{AsyncWriteExt as _, FutureExt as _};
use libp2p::multiaddr::Protocol;
use roda_protocol::limits::{SYNC_FRAME_BYTES_MAX, SYNC_SPACES_MAX};
use roda_protocol::reconcile::{Bound, Salt};
use roda_protocol::wire::{Form, Request, SpaceAsk, space_tag};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bare connections at once: more than may shake hands, and more than there are places.
const CONNECTIONS: usize = 128;

/// A byte of a handshake, or of a request, every so often.
const DRIBBLE: Duration = Duration::from_secs(1);

/// Requests of one peer at once: as many as are taken.
const REQUESTS: usize = 16;

pub(super) async fn silence(crowd: Crowd) {
    bare(crowd, |mut stream| {
        // Reads what the node says until it hangs up, and says nothing.
        async move { while let Ok(1..) = stream.read(&mut [0; 256]).await {} }.boxed()
    })
    .await;
}

pub(super) async fn dribble(crowd: Crowd) {
    bare(crowd, |mut stream| {
        let says = b"\x13/multistream/1.0.0\n\x07/noise\n".iter().copied().chain(std::iter::repeat_n(0, 1000));
        async move {
            for byte in says {
                tokio::time::sleep(DRIBBLE).await;
                if stream.write_u8(byte).await.is_err() {
                    return;
                }
            }
        }
        .boxed()
    })
    .await;
}

/// Connections without libp2p; each that ends is made again at once.
async fn bare(crowd: Crowd, act: fn(TcpStream) -> BoxFuture<'static, ()>) {
    let port = crowd.address.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None });
    let port = port.expect("the node listens on TCP");
    let connection = |_| {
        let crowd = crowd.clone();
        tokio::spawn(async move {
            while Instant::now() < crowd.end {
                if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
                    crowd.tally.sent(1);
                    let start = Instant::now();
                    tokio::select! {
                        () = act(stream) => crowd.tally.ended(start.elapsed()),
                        () = tokio::time::sleep_until(crowd.end.into()) => {}
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    };
    for connection in (0..CONNECTIONS).map(connection).collect::<Vec<_>>() {
        connection.await.expect("an attacker has no bug");
    }
}

pub(super) async fn endless_requests(crowd: Crowd) {
    let act = |crowd: Crowd, link: Arc<Link>, _| async move {
        let requests = (0..REQUESTS).map(|_| {
            let (crowd, link) = (crowd.clone(), Arc::clone(&link));
            async move {
                while !link.is_ended() {
                    let Ok(mut stream) = link.request().await else {
                        tokio::time::sleep(DRIBBLE).await;
                        continue;
                    };
                    crowd.tally.sent(1);
                    // A frame that says it is long, and takes its time.
                    let header = (SYNC_FRAME_BYTES_MAX as u32 | MORE).to_le_bytes();
                    if stream.write_all(&header).await.is_err() {
                        continue;
                    }
                    while stream.write_all(&[7]).await.is_ok() && stream.flush().await.is_ok() {
                        tokio::time::sleep(DRIBBLE).await;
                    }
                }
            }
        });
        futures::future::join_all(requests).await;
    };
    crowd.peers(20, act).await;
}

pub(super) async fn oversized_requests(crowd: Crowd) {
    let act = |crowd: Crowd, link: Arc<Link>, number: usize| async move {
        let full = [&(SYNC_FRAME_BYTES_MAX as u32 | MORE).to_le_bytes()[..], &vec![7; SYNC_FRAME_BYTES_MAX]].concat();
        let (mut pace, mut count) = (Pace::new(50.0), number);
        while !link.is_ended() {
            pace.next().await;
            let Ok(mut stream) = link.request().await else { continue };
            count += 1;
            crowd.tally.sent(1);
            let bytes = match count % 4 {
                0 => u32::MAX.to_le_bytes().to_vec(),
                1 => full.repeat(8),
                2 => framed(&vec![0xff; 100_000]),
                _ => [&(5 | MORE).to_le_bytes()[..], &[1; 5]].concat(),
            };
            // The node hangs up in the middle.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.close().await;
        }
    };
    crowd.peers(20, act).await;
}

pub(super) async fn huge_ranges(crowd: Crowd) {
    let act = |crowd: Crowd, link: Arc<Link>, _| async move {
        let (mut pace, mut count, mut unread) = (Pace::new(200.0), 0_usize, std::collections::VecDeque::new());
        while !link.is_ended() {
            pace.next().await;
            let Ok(mut stream) = link.request().await else { continue };
            count += 1;
            crowd.tally.sent(1);
            if stream.write_all(&framed(&everything(&crowd, count).to_bytes())).await.is_ok() {
                let _ = stream.close().await;
                // The answer stays where it is.
                unread.push_back(stream);
                if unread.len() > 400 {
                    unread.pop_front();
                }
            }
        }
    };
    crowd.peers(20, act).await;
}

/// A question for as much as one may ask for.
fn everything(crowd: &Crowd, count: usize) -> Request {
    let salt = Salt([count as u8; 16]);
    if count.is_multiple_of(4) {
        let ask = |at: usize| SpaceAsk { tag: (at as u64).to_be_bytes(), hint: [0; 8] };
        let theirs = SpaceAsk { tag: space_tag(&salt.key(), crowd.board), hint: [0; 8] };
        let spaces = std::iter::once(theirs).chain((1..SYNC_SPACES_MAX).map(ask)).collect();
        return Request::Spaces { salt, spaces };
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let epoch = u64::try_from(now).unwrap_or(0) / roda_protocol::reconcile::EPOCH_MS;
    Request::Range {
        space: crowd.board,
        epoch: epoch - (count % 8) as u64,
        lower: Bound { offset_ms: 0, prefix: Vec::new() },
        upper: Bound { offset_ms: u32::MAX, prefix: Vec::new() },
        form: Form::Whole,
    }
}
