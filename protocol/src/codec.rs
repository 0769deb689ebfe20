//! The encodings of everything that is hashed, signed or sent: bincode, little-endian. What is hashed or signed has
//! fixed-size integers; messages between nodes are compact, with integers of as many bytes as they need.
//!
//! Owns the only use of bincode. One value has one byte string: decoding encodes the value again and compares, and must
//! end at the last byte. Never allocates more than the limit, whatever lengths the bytes claim. Wire types hold no maps,
//! floats, recursion, `usize` or zero-sized elements: each of those breaks the codec on hostile bytes.

use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::{Serialize, de::DeserializeOwned};

/// Why bytes are not the encoding of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end early, hold a value that no encoder writes, or claim more than the limit.
    #[error("the bytes are malformed")]
    Malformed,
    /// The value's own encoding differs from the bytes.
    #[error("the bytes are not the canonical encoding of their value")]
    NotCanonical,
    /// Bytes follow the value.
    #[error("bytes follow after the end of the value")]
    Trailing,
}

/// Bytes of the largest value that [`encode`] and [`decode`] handle; sync messages are the largest. Also in compact form a
/// reader counts every integer at full width, so this is a bound of the wire of its own.
const VALUE_BYTES_MAX: usize = 512 * 1024;

const _: () = assert!(
    crate::limits::SYNC_REQUEST_BYTES_MAX <= VALUE_BYTES_MAX
        && crate::limits::SYNC_RESPONSE_BYTES_MAX <= VALUE_BYTES_MAX
);

fn fixed() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<VALUE_BYTES_MAX>()
}

fn compact() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_variable_int_encoding().with_limit::<VALUE_BYTES_MAX>()
}

/// The byte string of a value.
///
/// # Panics
///
/// Never for wire types: they hold nothing that the encoding lacks.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_by(value, fixed())
}

/// The compact byte string of a message: lengths, tags of enums and integers below 251 take one byte.
///
/// # Panics
///
/// Never for wire types: they hold nothing that the encoding lacks.
#[must_use]
pub fn encode_compact<T: Serialize>(value: &T) -> Vec<u8> {
    encode_by(value, compact())
}

fn encode_by<T: Serialize>(value: &T, config: impl bincode::config::Config) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, config).expect("wire types are encodable and memory is the only sink")
}

/// The value whose encoding is exactly these bytes.
///
/// # Errors
///
/// [`DecodeError`], which says in what way the bytes are not such an encoding.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    whole(bytes, decode_by(bytes, fixed())?)
}

/// The message whose compact encoding is exactly these bytes.
///
/// # Errors
///
/// [`DecodeError`], which says in what way the bytes are not such an encoding.
pub fn decode_compact<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    whole(bytes, decode_by(bytes, compact())?)
}

/// The value whose encoding is a prefix of these bytes, and the length of that prefix.
///
/// # Errors
///
/// [`DecodeError::Malformed`] or [`DecodeError::NotCanonical`].
pub fn decode_prefix<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    decode_by(bytes, fixed())
}

fn whole<T>(bytes: &[u8], (value, used): (T, usize)) -> Result<T, DecodeError> {
    if used == bytes.len() { Ok(value) } else { Err(DecodeError::Trailing) }
}

fn decode_by<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    config: impl bincode::config::Config,
) -> Result<(T, usize), DecodeError> {
    let (value, used) = bincode::serde::decode_from_slice::<T, _>(bytes, config).map_err(|_| DecodeError::Malformed)?;
    let mut comparison = Comparison { rest: &bytes[..used] };
    let is_same =
        bincode::serde::encode_into_writer(&value, &mut comparison, config).is_ok() && comparison.rest.is_empty();
    if is_same { Ok((value, used)) } else { Err(DecodeError::NotCanonical) }
}

/// Takes an encoding only as long as it is what the bytes are: nothing is allocated to compare the two.
struct Comparison<'a> {
    rest: &'a [u8],
}

impl Writer for &mut Comparison<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.rest = self.rest.strip_prefix(bytes).ok_or(EncodeError::Other("another encoding"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(decode::<u16>(&[1, 0, 0]), Err(DecodeError::Trailing));
    }

    #[test]
    fn a_claimed_length_beyond_the_bytes_is_refused_without_allocating_it() {
        let mut bytes = (1_u64 << 40).to_le_bytes().to_vec();
        bytes.push(0);
        assert_eq!(decode::<Vec<u8>>(&bytes), Err(DecodeError::Malformed));
        assert_eq!(decode::<String>(&bytes), Err(DecodeError::Malformed));
        assert_eq!(decode::<Vec<[u8; 32]>>(&bytes), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_message_has_one_compact_form() {
        assert_eq!(encode_compact(&250_u64), [250]);
        assert_eq!(encode_compact(&251_u64), [251, 251, 0]);
        assert_eq!(decode_compact::<u64>(&[251, 251, 0]), Ok(251));
        assert_eq!(decode_compact::<u64>(&[251, 7, 0]), Err(DecodeError::NotCanonical));
        assert_eq!(decode_compact::<u64>(&[7, 0]), Err(DecodeError::Trailing));
        assert_eq!(decode_compact::<Vec<u64>>(&[253, 0, 0, 0, 0, 1, 0, 0, 0]), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_bool_or_option_tag_of_two_is_refused() {
        assert_eq!(decode::<bool>(&[2]), Err(DecodeError::Malformed));
        assert_eq!(decode::<Option<u8>>(&[2, 0]), Err(DecodeError::Malformed));
    }
}
