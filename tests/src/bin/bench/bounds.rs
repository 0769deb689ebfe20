//! What the machine allows, measured in the same run: no figure of ours can be better.

use roda_protocol::event::Signed;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long each bound is measured.
const TIME: Duration = Duration::from_secs(1);

/// A write to the disk.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes that are written to the disk.
const WRITTEN_BYTES: usize = 256 << 20;

/// Signatures that `verify_strict` checks in a second: on one core, and on all at once.
pub(crate) fn verifications(events: &[Signed]) -> (f64, f64) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let on = |threads: usize| -> f64 {
        let started = Instant::now();
        let work = || {
            let mut count = 0_u64;
            for event in events.iter().cycle() {
                // Every 16th looks at the clock.
                if count.is_multiple_of(16) && started.elapsed() >= TIME {
                    break;
                }
                assert!(event.clone().authenticate().is_ok(), "a forge signs well");
                count += 1;
            }
            count
        };
        let all: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it counts")).sum()
        });
        all as f64 / started.elapsed().as_secs_f64()
    };
    (on(1), on(cores))
}

/// Bytes that the disk below a folder takes in a second, one after the other, synced at the end.
pub(crate) fn writes(folder: &Path) -> f64 {
    let path = folder.join("written");
    let mut file = File::create(&path).expect("there is room");
    let block: Vec<u8> = (0..BLOCK_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let started = Instant::now();
    for _ in 0..WRITTEN_BYTES / BLOCK_BYTES {
        file.write_all(&block).expect("there is room");
    }
    file.sync_data().expect("it takes them");
    let pace = WRITTEN_BYTES as f64 / started.elapsed().as_secs_f64();
    std::fs::remove_file(path).expect("it is ours");
    pace
}

/// Bytes that go through one TCP connection on loopback in a second.
pub(crate) fn loopback() -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let block = vec![7; 1 << 16];
        let started = Instant::now();
        while started.elapsed() < TIME && stream.write_all(&block).is_ok() {}
    });
    let (mut stream, _) = listener.accept().expect("it comes");
    let (mut block, mut bytes, started) = (vec![0; 1 << 16], 0_u64, Instant::now());
    loop {
        match stream.read(&mut block).expect("it is there") {
            0 => break,
            count => bytes += count as u64,
        }
    }
    sender.join().expect("it ends");
    bytes as f64 / started.elapsed().as_secs_f64()
}
