//! An event as bytes: decoded and structurally sound (`Signed`), then checked (`Verified`).

use super::{Body, BodyCommitment, Header, Kind, Signer};
use crate::codec;
use crate::id::{EventId, NetworkId, SpaceId};
use crate::keys::{self, Domain, Signature, Verifier};
use crate::limits::{
    BODY_BYTES_MAX, EVENT_BYTES_MAX, EVENT_VERSION, HEADER_BYTES_MAX, LABEL_LIFE_MS_MAX, REFS_MAX, SALT_BYTES,
    SIGNATURE_BYTES,
};
use crate::validate::Invalid;
use crate::work;

/// An event whose structure is sound and whose signature nobody has checked yet.
///
/// Its bytes are `header || signature || body`, where the body (salt and words) may be absent.
#[derive(Clone, Debug)]
pub struct Signed {
    network: NetworkId,
    id: EventId,
    header: Header,
    kind: Kind,
    header_len: usize,
    bytes: Vec<u8>,
}

impl Signed {
    /// Reads an event of a network, whole or without its body.
    ///
    /// # Errors
    ///
    /// Which rule of the structure the bytes break; nothing is allocated beyond their own length.
    pub fn decode(network: &NetworkId, bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(Invalid::TooLarge);
        }
        match bytes.first() {
            Some(&EVENT_VERSION) => {}
            Some(_) => return Err(Invalid::Version),
            None => return Err(Invalid::Malformed),
        }
        // The header is no longer than its limit, so nothing past it needs to be read to decode it.
        let head = &bytes[..bytes.len().min(HEADER_BYTES_MAX)];
        let (header, header_len) = codec::decode_prefix::<Header>(head).map_err(|_| Invalid::Malformed)?;
        let kind = check_header(&header)?;
        // A promise that could never be kept is refused also where the body is absent: both forms are judged alike.
        let whole = header_len + SIGNATURE_BYTES + SALT_BYTES + header.body.len as usize;
        if whole > EVENT_BYTES_MAX {
            return Err(Invalid::TooLarge);
        }
        let signed = Self {
            network: *network,
            id: work::event_id(network, &bytes[..header_len]),
            header,
            kind,
            header_len,
            bytes: bytes.to_vec(),
        };
        signed.check_body()?;
        Ok(signed)
    }

    fn check_body(&self) -> Result<(), Invalid> {
        let rest = self.bytes.len().checked_sub(self.header_len + SIGNATURE_BYTES).ok_or(Invalid::Malformed)?;
        if rest == 0 {
            return Ok(());
        }
        let promised = self.header.body.len as usize;
        if promised == 0 || rest != SALT_BYTES + promised {
            return Err(Invalid::BodyMismatch);
        }
        let (salt, body) = self.bytes[self.header_len + SIGNATURE_BYTES..].split_at(SALT_BYTES);
        let salt: &[u8; SALT_BYTES] = salt.try_into().map_err(|_| Invalid::BodyMismatch)?;
        if BodyCommitment::of(salt, body) == self.header.body { Ok(()) } else { Err(Invalid::BodyMismatch) }
    }

    /// Checks certificate and signature: what costs most of all checks, and asks for nothing but the bytes.
    ///
    /// # Errors
    ///
    /// [`Invalid::Device`] or [`Invalid::Signature`].
    pub fn authenticate(self) -> Result<Authentic, Invalid> {
        self.authenticate_with(&mut Verifier::default())
    }

    /// [`Signed::authenticate`] for whoever checks many events.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn authenticate_with(self, verifier: &mut Verifier) -> Result<Authentic, Invalid> {
        let root = &self.header.author.0;
        let key = match &self.header.signer {
            Signer::Root => root,
            Signer::Device { key, expires_ms, certificate } => {
                let message = keys::device_message(key, *expires_ms);
                let certified = verifier.is_signed(root, Domain::Device, &self.network, &message, certificate);
                if !certified || self.header.created_ms > *expires_ms {
                    return Err(Invalid::Device);
                }
                key
            }
        };
        let header_bytes = &self.bytes[..self.header_len];
        if verifier.is_signed(key, Domain::Event, &self.network, header_bytes, &self.signature()) {
            Ok(Authentic(self))
        } else {
            Err(Invalid::Signature)
        }
    }

    fn signature(&self) -> Signature {
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes.copy_from_slice(&self.bytes[self.header_len..self.header_len + SIGNATURE_BYTES]);
        Signature::from_bytes(&bytes)
    }

    /// The event's name.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.id
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What it states.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The space whose set it belongs to: a charter belongs to the board that it founds.
    #[must_use]
    pub fn space(&self) -> SpaceId {
        match self.kind {
            Kind::Charter(_) => SpaceId::of_charter(self.id),
            _ => self.header.space,
        }
    }

    /// Leading zero bits of its work stamp.
    #[must_use]
    pub fn work_bits(&self) -> u8 {
        work::bits(&self.id)
    }

    /// All its bytes, as received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Header and signature: what remains when the words are dropped.
    #[must_use]
    pub fn bytes_without_body(&self) -> &[u8] {
        &self.bytes[..self.header_len + SIGNATURE_BYTES]
    }

    /// Whether the promised words are here. True for events that promise none.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.header.body.len == 0 || self.bytes.len() > self.header_len + SIGNATURE_BYTES
    }

    /// The words; `None` if they were dropped.
    #[must_use]
    pub fn body(&self) -> Option<Body> {
        if self.header.body.len == 0 {
            return Some(Body::None);
        }
        let start = self.header_len + SIGNATURE_BYTES + SALT_BYTES;
        self.bytes.get(start..).map(|bytes| Body::of(&self.kind, bytes))
    }

    /// Drops the words and keeps header and signature.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        self.bytes.truncate(self.header_len + SIGNATURE_BYTES);
        self
    }
}

fn check_header(header: &Header) -> Result<Kind, Invalid> {
    if header.refs.len() > REFS_MAX || !header.refs.is_sorted_by(|a, b| a < b) {
        return Err(Invalid::Refs);
    }
    let body_ok = header.body.len as usize <= BODY_BYTES_MAX
        && (header.body.len > 0 || header.body.commitment == BodyCommitment::EMPTY.commitment);
    if !body_ok {
        return Err(Invalid::BodyLength);
    }
    let kind = Kind::of(&header.kind)?;
    kind.check_space(header.space, header.author)?;
    if let Kind::Label(label) = &kind
        && label.expires_ms > header.created_ms.saturating_add(LABEL_LIFE_MS_MAX)
    {
        return Err(Invalid::KindRule);
    }
    Ok(kind)
}

/// An event of which its author's key vouches, to be judged by its space's rules.
#[derive(Clone, Debug)]
pub struct Authentic(Signed);

impl Authentic {
    /// The rules of the space hold, too.
    pub(crate) fn into_verified(self) -> Verified {
        Verified(self.0)
    }
}

impl std::ops::Deref for Authentic {
    type Target = Signed;

    fn deref(&self) -> &Signed {
        &self.0
    }
}

/// A valid event. The only form that reaches store and view.
#[derive(Clone, Debug)]
pub struct Verified(Signed);

impl Verified {
    /// Reads back what this node verified before it stored it. The signature is not checked again: the caller vouches
    /// that a checksum guarded the bytes.
    ///
    /// # Errors
    ///
    /// As [`Signed::decode`]: the bytes were not those of a stored event.
    pub fn recall(network: &NetworkId, bytes: &[u8]) -> Result<Self, Invalid> {
        Signed::decode(network, bytes).map(Self)
    }

    /// Drops the words and keeps header and signature.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self(self.0.without_body())
    }

    /// Back to the unchecked form, to be judged again.
    #[must_use]
    pub fn into_signed(self) -> Signed {
        self.0
    }
}

impl std::ops::Deref for Verified {
    type Target = Signed;

    fn deref(&self) -> &Signed {
        &self.0
    }
}
