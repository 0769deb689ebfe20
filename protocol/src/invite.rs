//! Invites: one string that is enough to join: a network, addresses, a board, and whom to trust first.
//!
//! Owns the bytes of an invite and their text form. An invite is signed by the network key of the node that made it, so
//! that nobody on its way can send the reader elsewhere; what it says of a board is a claim that the board's charter
//! settles. Whom to dial and what to follow is the node's to do, and addresses stay opaque here. The time comes with the
//! call.

use crate::codec;
use crate::id::{AuthorKey, NetworkId, NodeKey, SpaceId};
use crate::keys::{self, Domain, SecretKey, Signature};
use crate::limits::{
    INVITE_ADDRESS_BYTES_MAX, INVITE_ADDRESSES_MAX, INVITE_BYTES_MAX, INVITE_KEYS_MAX, INVITE_LIFE_MS_MAX,
    INVITE_OTHERS_MAX, INVITE_VERSION, NAME_CHARS_MAX, NETWORK_NAME_CHARS_MAX, SIGNATURE_BYTES, TITLE_BYTES_MAX,
};
use crate::text::{board_name_normalised, is_clean_name};
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

/// What the text of every invite begins with, in any case.
pub const PREFIX: &str = "roda:";

/// Bytes before what an invite says: the version and the inviter's key.
const HEAD_BYTES: usize = 1 + 32;

/// Base32 digits of the longest invite.
const DIGITS_MAX: usize = INVITE_BYTES_MAX.div_ceil(5) * 8;

/// Why a text is not an invite that can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// It does not begin as invites do.
    #[error("this is no invite: an invite begins with `{PREFIX}`")]
    NotAnInvite,
    /// It is not what any invite looks like.
    #[error("the invite is damaged or not whole")]
    Malformed,
    /// It is of a version that this implementation does not know.
    #[error("the invite is of version {0}, and this program knows version {INVITE_VERSION}")]
    OtherVersion(u8),
    /// Its signature is not the inviter's over what it says.
    #[error("the invite's signature does not fit: it was changed on its way, or mistyped")]
    Forged,
    /// Its time is over.
    #[error("the invite has expired")]
    Expired {
        /// Since when, unix milliseconds.
        expires_ms: u64,
    },
}

/// An invitation breaks a bound, so there is no invite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invitation has a part that is too long, empty, or not in its form")]
pub struct Unfit;

/// Where a node can be reached: a multiaddr in its binary form, opaque here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl std::fmt::Debug for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Address({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// The board that an invite is to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvitedBoard {
    /// The open board of a name.
    Open {
        /// Its normalised name, which is all that there is to it.
        name: String,
    },
    /// A board with a charter.
    Charter {
        /// Its id, which commits to the charter.
        board: SpaceId,
        /// The inviter's word for its name; the charter has the true one.
        name: String,
        /// The inviter's word for its title; may be empty.
        title: String,
    },
}

impl InvitedBoard {
    /// The board's id.
    #[must_use]
    pub fn space(&self) -> SpaceId {
        match self {
            Self::Open { name } => SpaceId::of_open_board(name),
            Self::Charter { board, .. } => *board,
        }
    }

    /// Its name, as the inviter says.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Open { name } | Self::Charter { name, .. } => name,
        }
    }

    fn fits(&self) -> bool {
        match self {
            Self::Open { name } => board_name_normalised(name).is_ok_and(|normalised| normalised == *name),
            Self::Charter { name, title, .. } => is_clean_name(name, NAME_CHARS_MAX) && title.len() <= TITLE_BYTES_MAX,
        }
    }
}

/// What an invite says. Only one that was read from a signed text ([`Invite`]) is anybody's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The network's name.
    pub network: String,
    /// When it was made, unix milliseconds.
    pub issued_ms: u64,
    /// From when on it is void, unix milliseconds.
    pub expires_ms: u64,
    /// Where the inviter's node is reached, the best first. Its libp2p name follows from its key and is left out.
    pub addresses: Vec<Address>,
    /// Where other nodes are reached, each with its libp2p name at the end.
    pub others: Vec<Address>,
    /// To what.
    pub board: InvitedBoard,
    /// Stewards of the board, whom the inviter proposes to trust first.
    pub stewards: Vec<AuthorKey>,
    /// Authors whom the inviter proposes to trust first: with their consent, the inviter.
    pub authors: Vec<AuthorKey>,
}

impl Invitation {
    /// Its bytes, without version, key and signature.
    ///
    /// # Errors
    ///
    /// [`Unfit`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unfit> {
        if self.fits() { Ok(codec::encode_compact(self)) } else { Err(Unfit) }
    }

    /// Reads what [`Self::to_bytes`] wrote. Nobody's word yet.
    ///
    /// # Errors
    ///
    /// [`InviteError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InviteError> {
        if bytes.len() > INVITE_BYTES_MAX {
            return Err(InviteError::Malformed);
        }
        let decoded: Self = codec::decode_compact(bytes).map_err(|_| InviteError::Malformed)?;
        if decoded.fits() { Ok(decoded) } else { Err(InviteError::Malformed) }
    }

    /// The text of this invitation, signed with the network key of the node whose addresses it gives.
    ///
    /// # Errors
    ///
    /// [`Unfit`].
    pub fn sign(&self, key: &SecretKey) -> Result<String, Unfit> {
        let mut bytes = vec![INVITE_VERSION];
        bytes.extend_from_slice(&key.public().0);
        bytes.extend(self.to_bytes()?);
        let signature = key.sign(Domain::Invite, &NetworkId::of(&self.network), &bytes);
        bytes.extend_from_slice(&signature.to_bytes());
        Ok(format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()))
    }

    fn fits(&self) -> bool {
        let life_ms = self.expires_ms.checked_sub(self.issued_ms);
        let addresses_fit = |addresses: &[Address], count_max| {
            let fits = |address: &Address| (1..=INVITE_ADDRESS_BYTES_MAX).contains(&address.0.len());
            addresses.len() <= count_max && addresses.iter().all(fits)
        };
        is_clean_name(&self.network, NETWORK_NAME_CHARS_MAX)
            && life_ms.is_some_and(|life_ms| (1..=INVITE_LIFE_MS_MAX).contains(&life_ms))
            && addresses_fit(&self.addresses, INVITE_ADDRESSES_MAX)
            && addresses_fit(&self.others, INVITE_OTHERS_MAX)
            && self.board.fits()
            && self.stewards.len() <= INVITE_KEYS_MAX
            && self.authors.len() <= INVITE_KEYS_MAX
    }
}

/// An invite that its node has signed and whose time is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    inviter: NodeKey,
    said: Invitation,
}

impl Invite {
    /// Reads an invite's text: in any case, and with the spaces and line ends that it got on its way.
    ///
    /// # Errors
    ///
    /// [`InviteError`], the first that applies in the order of its variants.
    pub fn read(text: &str, now_ms: u64) -> Result<Self, InviteError> {
        let bytes = bytes_of(text)?;
        let version = *bytes.first().ok_or(InviteError::Malformed)?;
        if version != INVITE_VERSION {
            return Err(InviteError::OtherVersion(version));
        }
        let end = bytes.len().checked_sub(SIGNATURE_BYTES).filter(|end| *end >= HEAD_BYTES);
        let (signed, signature) = bytes.split_at(end.ok_or(InviteError::Malformed)?);
        let said = Invitation::from_bytes(&signed[HEAD_BYTES..])?;
        let (mut inviter, mut signature_bytes) = ([0; 32], [0; SIGNATURE_BYTES]);
        inviter.copy_from_slice(&signed[1..HEAD_BYTES]);
        signature_bytes.copy_from_slice(signature);
        let (network, signature) = (NetworkId::of(&said.network), Signature::from_bytes(&signature_bytes));
        if !keys::is_signed(&inviter, Domain::Invite, &network, signed, &signature) {
            return Err(InviteError::Forged);
        }
        if now_ms >= said.expires_ms {
            return Err(InviteError::Expired { expires_ms: said.expires_ms });
        }
        Ok(Self { inviter: NodeKey(inviter), said })
    }

    /// The node that made it.
    #[must_use]
    pub fn inviter(&self) -> NodeKey {
        self.inviter
    }

    /// What it says.
    #[must_use]
    pub fn said(&self) -> &Invitation {
        &self.said
    }
}

fn bytes_of(text: &str) -> Result<Vec<u8>, InviteError> {
    let text = text.trim_ascii();
    let starts = text.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    if !starts {
        return Err(InviteError::NotAnInvite);
    }
    let digits = text[PREFIX.len()..].bytes().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Vec<u8> = digits.map(|byte| byte.to_ascii_uppercase()).take(DIGITS_MAX + 1).collect();
    let bytes = BASE32_NOPAD.decode(&digits).map_err(|_| InviteError::Malformed)?;
    if bytes.len() <= INVITE_BYTES_MAX { Ok(bytes) } else { Err(InviteError::Malformed) }
}

#[cfg(test)]
#[path = "invite_tests.rs"]
mod tests;
