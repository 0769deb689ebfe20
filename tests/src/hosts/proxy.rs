//! A SOCKS5 proxy on a host (RFC 1928): no names and no passwords, only connections to addresses of IPv4.

use super::Host;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Words of the protocol: version, "no authentication", "connect", "an address of IPv4", and two answers.
const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const ADDRESS_FOUR: u8 = 1;
const GRANTED: u8 = 0;
const REFUSED: u8 = 5;

/// A proxy. It ends, with everything that goes through it, when this is dropped.
#[derive(Debug)]
pub struct Proxy<'host> {
    host: &'host Host,
    address: SocketAddrV4,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl<'host> Proxy<'host> {
    /// Starts one on a port of a host.
    ///
    /// # Panics
    ///
    /// If the port is taken.
    #[must_use]
    pub fn start(host: &'host Host, port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        // A thread is in the namespace of the one that started it.
        host.namespace().enter(move || {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free");
            thread::spawn(move || {
                while let Ok((client, _)) = listener.accept() {
                    if serving.is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let serving = Arc::clone(&serving);
                    // A client that breaks off has nothing to be told.
                    thread::spawn(move || drop(serve(client, &serving)));
                }
            });
        });
        Self { host, address: SocketAddrV4::new(host.address(), port), shared }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }
}

impl Drop for Proxy<'_> {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener, which then ends.
        self.host.namespace().enter(|| drop(TcpStream::connect(self.address)));
        for stream in self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that has ended already is none the worse for it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let [version, methods] = read(&mut client)?;
    let mut offered = vec![0; usize::from(methods)];
    client.read_exact(&mut offered)?;
    client.write_all(&[VERSION, NO_AUTHENTICATION])?;
    let [_, command, _, kind] = read(&mut client)?;
    if (version, command, kind) != (VERSION, CONNECT, ADDRESS_FOUR) {
        return client.write_all(&answer(REFUSED));
    }
    let ([a, b, c, d], [high, low]) = (read(&mut client)?, read(&mut client)?);
    let target = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]));
    let Ok(server) = TcpStream::connect(target) else { return client.write_all(&answer(REFUSED)) };
    client.write_all(&answer(GRANTED))?;
    {
        let mut streams = shared.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.extend([client.try_clone()?, server.try_clone()?]);
        if shared.is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    let back = thread::spawn(move || carry(server_too, client_too));
    carry(client, server)?;
    drop(back.join());
    Ok(())
}

/// Carries bytes until one side ends, and ends the other.
fn carry(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let carried = io::copy(&mut from, &mut to);
    to.shutdown(Shutdown::Write)?;
    carried.map(drop)
}

fn read<const LENGTH: usize>(stream: &mut TcpStream) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn answer(word: u8) -> [u8; 10] {
    [VERSION, word, 0, ADDRESS_FOUR, 0, 0, 0, 0, 0, 0]
}
