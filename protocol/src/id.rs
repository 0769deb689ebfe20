//! The 32-byte names of things, each a type of its own so that none is taken for another.

use data_encoding::{BASE32_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ParseIdError {
    expected: &'static str,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({})", stringify!($name), HEXLOWER.encode(&self.0[..6]))
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
                bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(ParseIdError { expected: "64 hex digits" })
            }
        }
    };
}

hex_id! {
    /// The name of an event: a hash over the network and the header, not over the signature.
    EventId
}
hex_id! {
    /// The name of a space: a board or an author's own space.
    SpaceId
}
hex_id! {
    /// The name of a network, the BLAKE3 hash of its spoken name. Networks never mix.
    NetworkId
}
hex_id! {
    /// A hash that promises a key to be shown later.
    KeyCommitment
}

impl NetworkId {
    /// The network called `name`, for instance `roda-main`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(*blake3::hash(name.as_bytes()).as_bytes())
    }
}

impl SpaceId {
    /// The space field of a charter, whose board is named by the charter's own id.
    pub const ZERO: Self = Self([0; 32]);

    /// The board that the charter with this id founds.
    #[must_use]
    pub fn of_charter(charter: EventId) -> Self {
        Self(charter.0)
    }

    /// The open board of this name, which must be normalised already (`text::board_name_normalised`).
    #[must_use]
    pub fn of_open_board(normalised_name: &str) -> Self {
        Self(blake3::derive_key("roda/1/open-board", normalised_name.as_bytes()))
    }

    /// The author's own space.
    #[must_use]
    pub fn of_author(author: AuthorKey) -> Self {
        Self(blake3::derive_key("roda/1/author-space", &author.0))
    }
}

/// A node: the bytes of its ed25519 network key, from which its libp2p name follows. Never an author's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey(pub [u8; 32]);

impl fmt::Debug for NodeKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NodeKey({})", HEXLOWER.encode(&self.0[..6]))
    }
}

/// An author: the bytes of an ed25519 root public key. It is shown as `@` and 52 base32 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AuthorKey(pub [u8; 32]);

impl fmt::Display for AuthorKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "@{}", BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for AuthorKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_string();
        write!(out, "AuthorKey({})", &text[..11])
    }
}

impl std::str::FromStr for AuthorKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let digits = text.strip_prefix('@').unwrap_or(text).to_ascii_uppercase();
        let bytes = BASE32_NOPAD.decode(digits.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(ParseIdError { expected: "@ and 52 base32 digits" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_show() {
        let id = EventId([0xa7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let author = AuthorKey([0x5c; 32]);
        assert_eq!(author.to_string().len(), 53);
        assert_eq!(author.to_string().parse(), Ok(author));
    }

    #[test]
    fn a_text_of_another_length_is_no_id() {
        assert!("abcd".parse::<EventId>().is_err());
        assert!("@abcd".parse::<AuthorKey>().is_err());
    }
}
