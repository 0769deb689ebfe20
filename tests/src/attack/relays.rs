//! Attacks on a node that relays: by those who take its places, and carry through it all that they can.
//!
//! They speak the relay protocol (circuit v2 of the libp2p specification) by hand: a message is a length (varint) and
//! protobuf, whose field numbers are the specification's own.
//!
//! Some of them carry as much as they can over what they are granted; the others hold it, and say and hear a byte at every
//! beat. Who hears its byte back had a circuit at the moment of the beat: those are counted, and nothing is counted twice
//! because its end was noticed late.

use super::crowd::{Crowd, Pace};
use super::frames::{field, varint};
use super::link::Link;
use futures::prelude::*;
use libp2p::{PeerId, Stream};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Peers that reserve places and call each other.
const PEERS: usize = 40;

/// Those of them that call. Each asks for more circuits than one may have, and all together for more than there are; a relay
/// grants 60 a minute to one host.
const CALLERS: usize = 12;

/// Every so many callers one carries as much as it can.
const PUMPS: usize = 4;

/// What each asks the relay for in a second: places, and callers circuits in turn.
const ASKS_PER_SECOND: f64 = 20.0;

/// Bytes that are written at once, for as long as they are taken.
const PUMPED: usize = 64 * 1024;

/// The relay's longest answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// Time between two beats.
const BEAT: Duration = Duration::from_millis(200);

/// What a caller says first: what it wants to do with the circuit.
const HOLD: u8 = b'h';
const PUMP: u8 = b'p';

/// "OK", in answers.
const OK: u8 = 100;

/// Field 5 of an answer, `status`, as a tag of the wire.
const STATUS: u8 = 5 << 3;

/// Who has a place at the relay.
type Names = Arc<Mutex<Vec<PeerId>>>;

/// Circuits that were held at each beat, by who had begun them.
type Held = Arc<Mutex<BTreeMap<u64, BTreeMap<PeerId, usize>>>>;

pub(super) async fn relay_abuse(crowd: Crowd) {
    let names = Names::default();
    let (held, end) = (Held::default(), crowd.end);
    let (beat, beats) = watch::channel(0_u64);
    tokio::spawn(async move {
        while Instant::now() < end {
            tokio::time::sleep(BEAT).await;
            beat.send_modify(|beat| *beat += 1);
        }
    });
    let counted = Arc::clone(&held);
    let act = move |crowd: Crowd, link: Arc<Link>, number: usize| {
        let (names, held, beats) = (Arc::clone(&names), Arc::clone(&held), beats.clone());
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
                        let names = names.lock().unwrap_or_else(PoisonError::into_inner);
                        names.get((count * 7) % names.len().max(1)).copied()
                    };
                    match target.filter(|_| count.is_multiple_of(2) && number < CALLERS) {
                        None => drop(tokio::spawn(place(stream, link.name(), Arc::clone(&names)))),
                        Some(target) if number.is_multiple_of(PUMPS) => drop(tokio::spawn(carry(stream, target))),
                        Some(target) => {
                            let (beats, held) = (beats.clone(), Arc::clone(&held));
                            tokio::spawn(hold(stream, target, link.name(), beats, held));
                        }
                    }
                }
            };
            tokio::join!(answering, asking);
        }
    };
    crowd.peers(PEERS, act).await;
    let held = counted.lock().unwrap_or_else(PoisonError::into_inner);
    let most = held.values().map(|beat| beat.values().sum()).max().unwrap_or(0);
    let of_one = held.values().flat_map(BTreeMap::values).copied().max().unwrap_or(0);
    crowd.tally.carried(most, of_one);
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

/// Asks for a place. Whoever has one can be called.
async fn place(mut stream: Stream, name: PeerId, names: Names) {
    if ask(&mut stream, &reservation()).await.unwrap_or(false) {
        let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Asks the relay, and returns whether it says yes.
async fn ask(stream: &mut Stream, words: &[u8]) -> io::Result<bool> {
    stream.write_all(words).await?;
    stream.flush().await?;
    let answer = read(stream).await?;
    Ok(answer.windows(2).any(|pair| pair == [STATUS, OK]))
}

/// Asks to be connected. Returns whether it is.
async fn call(stream: &mut Stream, target: &PeerId) -> io::Result<bool> {
    ask(stream, &circuit(target)).await
}

/// Calls, and carries bytes for as long as the relay does. That ends it is what it is for.
async fn carry(mut stream: Stream, target: PeerId) {
    if call(&mut stream, &target).await.unwrap_or(false) && stream.write_all(&[PUMP]).await.is_ok() {
        pump(stream).await;
    }
}

/// Calls, and holds the line.
async fn hold(mut stream: Stream, target: PeerId, name: PeerId, mut beats: watch::Receiver<u64>, held: Held) {
    if !call(&mut stream, &target).await.unwrap_or(false) || stream.write_all(&[HOLD]).await.is_err() {
        return;
    }
    // Only beats from now on: it has a circuit since now.
    beats.mark_unchanged();
    while beats.changed().await.is_ok() {
        let beat = *beats.borrow_and_update();
        let mut byte = [beat.to_le_bytes()[0]];
        let echo = async {
            stream.write_all(&byte).await?;
            stream.flush().await?;
            stream.read_exact(&mut byte).await
        };
        if echo.await.is_err() {
            return;
        }
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        *held.entry(beat).or_default().entry(name).or_default() += 1;
    }
}

/// Takes a call, and does what the caller does.
async fn answer(mut stream: Stream) {
    let taken = async {
        read(&mut stream).await?;
        stream.write_all(&message(&[1 << 3, 1, 4 << 3, OK])).await?;
        stream.flush().await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        Ok::<_, io::Error>(byte[0])
    };
    match taken.await {
        Ok(PUMP) => pump(stream).await,
        Ok(_) => echo(stream).await,
        Err(_) => {}
    }
}

/// Says what it hears.
async fn echo(mut stream: Stream) {
    let mut byte = [0];
    while stream.read_exact(&mut byte).await.is_ok()
        && stream.write_all(&byte).await.is_ok()
        && stream.flush().await.is_ok()
    {}
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
