//! Attacks on a node that relays: by those who take its places, and carry through it all that they can.
//!
//! They speak the relay protocol (circuit v2 of the libp2p specification) by hand: a message is a length (varint) and
//! protobuf, whose field numbers are the specification's own.

use super::crowd::{Crowd, Pace};
use super::frames::{field, varint};
use super::link::Link;
use futures::prelude::*;
use libp2p::{PeerId, Stream};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Peers that reserve places and call each other.
const PEERS: usize = 40;

/// What each asks the relay for in a second: places and circuits in turn.
const ASKS_PER_SECOND: f64 = 20.0;

/// Bytes that are written at once, for as long as they are taken.
const PUMPED: usize = 64 * 1024;

/// The relay's longest answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// "OK", in answers.
const OK: u8 = 100;

/// Field 5 of an answer, `status`, as a tag of the wire.
const STATUS: u8 = 5 << 3;

pub(super) async fn relay_abuse(crowd: Crowd) {
    let names: Arc<Mutex<Vec<PeerId>>> = Arc::default();
    let act = move |crowd: Crowd, link: Arc<Link>, _| {
        let names = Arc::clone(&names);
        async move {
            let answering = async {
                while let Some(call) = link.called().await {
                    tokio::spawn(answer(call));
                }
            };
            let asking = async {
                let (mut pace, mut count) = (Pace::new(ASKS_PER_SECOND), 0_usize);
                while !link.is_ended() {
                    pace.next().await;
                    let Ok(stream) = link.hop().await else { continue };
                    crowd.tally.sent(1);
                    count += 1;
                    let target = {
                        let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
                        if count == 1 {
                            names.push(link.name());
                        }
                        names[(count * 7) % names.len()]
                    };
                    let ask = if count % 2 == 1 { reservation() } else { circuit(&target) };
                    tokio::spawn(carry(stream, ask));
                }
            };
            tokio::join!(answering, asking);
        }
    };
    crowd.peers(PEERS, act).await;
}

/// Asks for a place.
fn reservation() -> Vec<u8> {
    message(&[1 << 3, 0])
}

/// Asks to be connected.
fn circuit(target: &PeerId) -> Vec<u8> {
    message(&[&[1 << 3, 1][..], &field(2, &field(1, &target.to_bytes()))].concat())
}

fn message(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(body.len() as u64, &mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

/// Asks, and carries bytes for as long as the relay does. That ends it is what it is for.
async fn carry(mut stream: Stream, ask: Vec<u8>) {
    let granted = async {
        stream.write_all(&ask).await?;
        stream.flush().await?;
        let answer = read(&mut stream).await?;
        Ok::<_, io::Error>(answer.windows(2).any(|pair| pair == [STATUS, OK]))
    };
    let is_circuit = ask.len() > reservation().len();
    if granted.await.unwrap_or(false) && is_circuit {
        pump(stream).await;
    }
}

/// Takes a call, and carries bytes.
async fn answer(mut stream: Stream) {
    let taken = async {
        read(&mut stream).await?;
        stream.write_all(&message(&[1 << 3, 1, 4 << 3, OK])).await?;
        stream.flush().await
    };
    if taken.await.is_ok() {
        pump(stream).await;
    }
}

/// Writes and reads until the other side has enough.
async fn pump(stream: Stream) {
    let (mut reads, mut writes) = stream.split();
    let bytes = vec![7; PUMPED];
    let writing = async { while writes.write_all(&bytes).await.is_ok() {} };
    let mut read = vec![0; PUMPED];
    let reading = async { while let Ok(1..) = reads.read(&mut read).await {} };
    tokio::join!(writing, reading);
}

async fn read(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
        if shift > 14 {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
    let mut body = vec![0; length.min(ANSWER_BYTES_MAX)];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_have_the_bytes_of_the_specification() {
        assert_eq!(reservation(), [2, 0x08, 0]);
        let peer = PeerId::random();
        let id = peer.to_bytes();
        let length = u8::try_from(id.len()).expect("a short name");
        let head = [length + 6, 0x08, 1, 0x12, length + 2, 0x0a, length];
        assert_eq!(circuit(&peer), [&head[..], &id].concat());
    }
}
