//! The kernel's queue of packets that wait for a word from a program (`nfnetlink_queue`), as its messages.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with, sockopt,
};
use std::time::Duration;

/// The queue's number. Each namespace has queues of its own.
pub(super) const NUMBER: u16 = 0;

/// Packets that may wait: 100 ms of 200,000 a second.
const LENGTH_MAX: u32 = 20_000;

/// What the kernel may have to say before it is listened to: a message has about 100 bytes, and counts for far more.
const BUFFER_BYTES: usize = 32 << 20;

/// Type and kinds of messages, attributes and verdicts, from `linux/netfilter/nfnetlink_queue.h`.
const PACKET: u16 = 0x300;
const VERDICT: u16 = 0x301;
const CONFIG: u16 = 0x302;
const CONFIG_COMMAND: u16 = 1;
const CONFIG_PARAMETERS: u16 = 2;
const CONFIG_LENGTH_MAX: u16 = 3;
const PACKET_HEADER: u16 = 1;
const PAYLOAD: u16 = 10;
const VERDICT_HEADER: u16 = 2;
const BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;

/// An IPv4 header without options, which is all that is asked for of a packet.
const COPY_BYTES: u32 = 20;

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) id: u32,
    /// Source and destination, as they stand in its header.
    pub(super) flow: [u8; 8],
}

/// The program's end of a queue.
#[derive(Debug)]
pub(super) struct Queue {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Queue {
    /// Begins to answer for the queue of the thread's namespace.
    pub(super) fn open() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(NETFILTER))?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES)?;
        let queue = Self { socket, buffer: vec![0; 1 << 16] };
        queue.send(CONFIG, CONFIG_COMMAND, &[BIND, 0, 0, 0])?;
        let [a, b, c, d] = COPY_BYTES.to_be_bytes();
        queue.send(CONFIG, CONFIG_PARAMETERS, &[a, b, c, d, COPY_PACKET])?;
        queue.send(CONFIG, CONFIG_LENGTH_MAX, &LENGTH_MAX.to_be_bytes())?;
        Ok(queue)
    }

    /// Waits for packets, no longer than this, and gives those that have come.
    pub(super) fn wait(&mut self, patience: Duration) -> Result<Vec<Packet>> {
        let patience = Timespec::try_from(patience).map_err(|_| Errno::INVAL)?;
        poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&patience))?;
        let mut packets = Vec::new();
        loop {
            match recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((bytes, _)) => packets.extend(Messages(&self.buffer[..bytes]).filter_map(packet)),
                Err(Errno::AGAIN) => return Ok(packets),
                // More came than there was room for; those are lost, as on a link that is too slow.
                Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets a packet go on, or ends it.
    pub(super) fn decide(&self, id: u32, goes_on: bool) -> Result<()> {
        let verdict = if goes_on { ACCEPT } else { DROP };
        let header = [verdict.to_be_bytes(), id.to_be_bytes()].concat();
        self.send(VERDICT, VERDICT_HEADER, &header)
    }

    /// Sends a message with one attribute.
    fn send(&self, kind: u16, attribute: u16, value: &[u8]) -> Result<()> {
        let length = |bytes: usize| u16::try_from(bytes).expect("messages are short");
        let padded = value.len().next_multiple_of(4);
        let mut message = Vec::with_capacity(24 + padded);
        message.extend(u32::from(length(24 + padded)).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        // A request; what is wrong with it is told without having been asked.
        message.extend(1u16.to_ne_bytes());
        message.extend([0; 8]);
        // Any protocol, version 0, and the queue.
        message.extend([0, 0]);
        message.extend(NUMBER.to_be_bytes());
        message.extend(length(4 + value.len()).to_ne_bytes());
        message.extend(attribute.to_ne_bytes());
        message.extend(value);
        message.resize(24 + padded, 0);
        sendto(&self.socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).map(drop)
    }
}

/// The messages of a datagram: kind and the rest.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::try_from(u32::from_ne_bytes(self.0.first_chunk().copied()?)).ok()?;
        let kind = u16::from_ne_bytes(self.0.get(4..6)?.try_into().ok()?);
        let rest = self.0.get(16..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, rest))
    }
}

fn packet((kind, rest): (u16, &[u8])) -> Option<Packet> {
    if kind != PACKET {
        return None;
    }
    let (mut attributes, mut id, mut flow) = (rest.get(4..)?, None, [0; 8]);
    while let Some(length) = attributes.first_chunk().map(|bytes| usize::from(u16::from_ne_bytes(*bytes))) {
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..length)?;
        match kind {
            PACKET_HEADER => id = Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?)),
            PAYLOAD => flow = value.get(12..20)?.try_into().ok()?,
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Some(Packet { id: id?, flow })
}
