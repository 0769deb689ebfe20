//! The framing of requests and responses. A message is cut into frames: a header (u32, little-endian: the length, and in
//! the highest bit whether another frame follows), then as many bytes. One message each way.
//!
//! A length is compared with its bounds before anything is read, and memory grows with the bytes that have arrived, so
//! that a lying length costs the liar more than the reader.

use std::io;

use futures::prelude::*;
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;
use roda_protocol::limits::SYNC_FRAME_BYTES_MAX;

/// The largest request, in bytes: the protocol's bound on a reconciliation message, a batch of events included.
pub const REQUEST_BYTES_MAX: usize = roda_protocol::limits::SYNC_REQUEST_BYTES_MAX;

/// The largest response, in bytes: the protocol's bound on a reconciliation message, a batch of events included.
pub const RESPONSE_BYTES_MAX: usize = roda_protocol::limits::SYNC_RESPONSE_BYTES_MAX;

/// How many bytes are reserved on a length's word alone.
const TRUSTED_BYTES: usize = 4 * 1024;

/// Reads and writes length-prefixed frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameCodec {
    request_bytes_max: usize,
    response_bytes_max: usize,
}

impl FrameCodec {
    /// For messages of at most so many bytes, each way.
    pub(super) fn bounded(bytes_max: usize) -> Self {
        Self { request_bytes_max: bytes_max, response_bytes_max: bytes_max }
    }
}

/// For reconciliation.
impl Default for FrameCodec {
    fn default() -> Self {
        Self { request_bytes_max: REQUEST_BYTES_MAX, response_bytes_max: RESPONSE_BYTES_MAX }
    }
}

impl Codec for FrameCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_message(io, self.request_bytes_max).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_message(io, self.response_bytes_max).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_message(io, &body, self.request_bytes_max).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_message(io, &body, self.response_bytes_max).await
    }
}

/// Set in the header of every frame of a message but the last.
const MORE: u32 = 1 << 31;

async fn read_message(io: &mut (impl AsyncRead + Unpin + Send), bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; 4];
        io.read_exact(&mut header).await?;
        let header = u32::from_le_bytes(header);
        let length = usize::try_from(header & !MORE).unwrap_or(usize::MAX);
        let is_last = header & MORE == 0;
        if length > SYNC_FRAME_BYTES_MAX || body.len() + length > bytes_max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame is over its bound"));
        }
        // One message has one form: only its last frame may be short.
        if (!is_last && length < SYNC_FRAME_BYTES_MAX) || (is_last && length == 0 && !body.is_empty()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the message is cut in another way than it has to be",
            ));
        }
        body.reserve(length.min(TRUSTED_BYTES));
        let before = body.len();
        io.take(length as u64).read_to_end(&mut body).await?;
        if body.len() < before + length {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame ends early"));
        }
        if is_last {
            return Ok(body);
        }
    }
}

async fn write_message(io: &mut (impl AsyncWrite + Unpin + Send), body: &[u8], bytes_max: usize) -> io::Result<()> {
    if body.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is over its bound"));
    }
    let mut rest = body;
    loop {
        let (frame, behind) = rest.split_at(rest.len().min(SYNC_FRAME_BYTES_MAX));
        let length = u32::try_from(frame.len()).expect("a frame is shorter than 64 KiB");
        let header = if behind.is_empty() { length } else { length | MORE };
        io.write_all(&header.to_le_bytes()).await?;
        io.write_all(frame).await?;
        if behind.is_empty() {
            break;
        }
        rest = behind;
    }
    io.flush().await
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        block_on(read_message(&mut Cursor::new(bytes), 1000))
    }

    #[test]
    fn a_frame_reads_back_at_every_size_up_to_the_bound() {
        for length in [0, 1, 999, 1000] {
            let body = vec![7; length];
            let mut wire = Vec::new();
            block_on(write_message(&mut wire, &body, 1000)).expect("within the bound");
            assert_eq!(wire.len(), 4 + length);
            assert_eq!(read(&wire).expect("a whole frame"), body);
        }
    }

    #[test]
    fn a_long_message_spans_frames_of_full_length() {
        for length in [SYNC_FRAME_BYTES_MAX, SYNC_FRAME_BYTES_MAX + 1, 3 * SYNC_FRAME_BYTES_MAX, RESPONSE_BYTES_MAX] {
            let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut wire = Vec::new();
            block_on(write_message(&mut wire, &body, RESPONSE_BYTES_MAX)).expect("within the bound");
            assert_eq!(wire.len(), length + 4 * length.div_ceil(SYNC_FRAME_BYTES_MAX));
            let back = block_on(read_message(&mut Cursor::new(&wire), RESPONSE_BYTES_MAX)).expect("a whole message");
            assert_eq!(back, body);
            let refusal = block_on(read_message(&mut Cursor::new(&wire), length - 1)).expect_err("over the bound");
            assert_eq!(refusal.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn short_frames_in_the_middle_and_an_empty_one_at_the_end_are_refused() {
        let wire = [&(5 | MORE).to_le_bytes()[..], &[1; 5], &0_u32.to_le_bytes()].concat();
        assert_eq!(read(&wire).expect_err("two forms").kind(), io::ErrorKind::InvalidData);
        let full = u32::try_from(SYNC_FRAME_BYTES_MAX).expect("it fits");
        let wire = [&(full | MORE).to_le_bytes()[..], &[1; SYNC_FRAME_BYTES_MAX], &0_u32.to_le_bytes()].concat();
        let refusal = block_on(read_message(&mut Cursor::new(wire), RESPONSE_BYTES_MAX)).expect_err("an empty end");
        assert_eq!(refusal.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_frame_over_the_bound_is_neither_written_nor_read() {
        let refusal = block_on(write_message(&mut Vec::new(), &[0; 1001], 1000)).expect_err("too large");
        assert_eq!(refusal.kind(), io::ErrorKind::InvalidInput);
        for length in [1001_u32, u32::MAX] {
            let refusal = read(&length.to_le_bytes()).expect_err("too large");
            assert_eq!(refusal.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_frame_that_ends_early_is_malformed_and_an_absent_one_is_an_end() {
        let early = read(&[9, 0, 0, 0, 1, 2, 3]).expect_err("six bytes are missing");
        assert_eq!(early.kind(), io::ErrorKind::InvalidData);
        let absent = read(&[]).expect_err("nothing is there");
        assert_eq!(absent.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_lying_length_reserves_no_more_than_a_page() {
        /// Checks what the reader reserved when it first asks for the body.
        struct Empty;
        impl AsyncRead for Empty {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<io::Result<usize>> {
                assert!(buffer.len() <= TRUSTED_BYTES, "{} bytes were reserved", buffer.len());
                std::task::Poll::Ready(Ok(0))
            }
        }
        let prefix = u32::try_from(SYNC_FRAME_BYTES_MAX).expect("it fits").to_le_bytes();
        let mut liar = Cursor::new(prefix).chain(Empty);
        assert!(block_on(read_message(&mut liar, RESPONSE_BYTES_MAX)).is_err());
    }
}
