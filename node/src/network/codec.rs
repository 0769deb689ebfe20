//! The framing of requests and responses: a length (u32, little-endian), then as many bytes. One frame each way.
//!
//! A length is compared with its bound before anything is read, and memory grows with the bytes that have arrived, so
//! that a lying length costs the liar more than the reader.

use std::io;

use futures::prelude::*;
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;

/// The largest request, in bytes: the protocol's bound on a reconciliation message, a batch of events included.
pub const REQUEST_BYTES_MAX: usize = roda_protocol::limits::SYNC_REQUEST_BYTES_MAX;

/// The largest response, in bytes: the protocol's bound on a reconciliation message, a batch of events included.
pub const RESPONSE_BYTES_MAX: usize = roda_protocol::limits::SYNC_RESPONSE_BYTES_MAX;

/// How many bytes are reserved on a length's word alone.
const TRUSTED_BYTES: usize = 4 * 1024;

/// Reads and writes length-prefixed frames.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameCodec;

impl Codec for FrameCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io, REQUEST_BYTES_MAX).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io, RESPONSE_BYTES_MAX).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &body, REQUEST_BYTES_MAX).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &body, RESPONSE_BYTES_MAX).await
    }
}

async fn read_frame(io: &mut (impl AsyncRead + Unpin + Send), bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    io.read_exact(&mut prefix).await?;
    let length = usize::try_from(u32::from_le_bytes(prefix)).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame is over its bound"));
    }
    let mut body = Vec::with_capacity(length.min(TRUSTED_BYTES));
    io.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame ends early"));
    }
    Ok(body)
}

async fn write_frame(io: &mut (impl AsyncWrite + Unpin + Send), body: &[u8], bytes_max: usize) -> io::Result<()> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= bytes_max);
    let Some(length) = length else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame is over its bound"));
    };
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(body).await?;
    io.flush().await
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        block_on(read_frame(&mut Cursor::new(bytes), 1000))
    }

    #[test]
    fn a_frame_reads_back_at_every_size_up_to_the_bound() {
        for length in [0, 1, 999, 1000] {
            let body = vec![7; length];
            let mut wire = Vec::new();
            block_on(write_frame(&mut wire, &body, 1000)).expect("within the bound");
            assert_eq!(wire.len(), 4 + length);
            assert_eq!(read(&wire).expect("a whole frame"), body);
        }
    }

    #[test]
    fn a_frame_over_the_bound_is_neither_written_nor_read() {
        let refusal = block_on(write_frame(&mut Vec::new(), &[0; 1001], 1000)).expect_err("too large");
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
        let prefix = u32::try_from(RESPONSE_BYTES_MAX).expect("it fits").to_le_bytes();
        let mut liar = Cursor::new(prefix).chain(Empty);
        assert!(block_on(read_frame(&mut liar, RESPONSE_BYTES_MAX)).is_err());
    }
}
