//! Validity: a pure function of an event's bytes and of its board's charter, the same on every node for ever.
//!
//! Never of what else has arrived, of the clock, or of a node's taste; those are admission and view. Only malformed or
//! forged bytes are invalid, and only for them is a peer punished.

use crate::event::{Authentic, Charter, Kind, Signed, Verified};
use crate::keys::Verifier;
use crate::limits::{BODY_BYTES_MAX, WORK_BITS_DEFAULT};

/// Why bytes are no valid event. The codes are stable: they appear in logs, APIs and other implementations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[repr(u16)]
pub enum Invalid {
    /// More bytes than an event may have, or a promise of a body that would pass that.
    #[error("the event is larger than events may be")]
    TooLarge = 1,
    /// The header is no canonical encoding or does not end within its limit, or the signature is cut short.
    #[error("the header is malformed")]
    Malformed = 2,
    /// A version that this node does not know. Not relayed.
    #[error("the event's version is unknown to this node")]
    Version = 3,
    /// Too many refs, out of order, or one twice.
    #[error("the refs are too many or not in ascending order")]
    Refs = 4,
    /// The fields of a known kind do not decode.
    #[error("the fields of the kind are malformed")]
    KindFields = 5,
    /// The fields of a known kind break its rule.
    #[error("the fields break a rule of the kind")]
    KindRule = 6,
    /// The kind can't stand in this space.
    #[error("an event of this kind can't stand in this space")]
    Space = 7,
    /// The promise of the body contradicts itself or a limit.
    #[error("the body's length breaks a limit")]
    BodyLength = 8,
    /// The body that came along is not the promised one.
    #[error("the body is not the one that was signed")]
    BodyMismatch = 9,
    /// The device was not certified by the root, or signs after its expiry.
    #[error("the device was not allowed to sign this")]
    Device = 10,
    /// Less work than the board asks.
    #[error("the work stamp is below the board's floor")]
    Work = 11,
    /// The signature does not hold.
    #[error("the signature is wrong")]
    Signature = 12,
}

impl Invalid {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }
}

/// What a space asks of its events. A board's come from its charter; an open board's and an author space's are constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceRules {
    /// Leading zero bits of work.
    pub work_bits: u8,
    /// Bytes that a body may have.
    pub body_bytes_max: u32,
}

impl SpaceRules {
    /// The rules of open boards and of author spaces.
    pub const OPEN: Self = Self { work_bits: WORK_BITS_DEFAULT, body_bytes_max: BODY_BYTES_MAX as u32 };

    /// The rules that a charter sets.
    #[must_use]
    pub fn of(charter: &Charter) -> Self {
        Self { work_bits: charter.work_bits, body_bytes_max: charter.body_bytes_max }
    }
}

/// Judges an event by its space's rules; a charter brings its own.
///
/// # Errors
///
/// The first check that fails, cheapest first: size, work, device certificate, signature.
pub fn validate(signed: Signed, rules: &SpaceRules) -> Result<Verified, Invalid> {
    validate_with(signed, rules, &mut Verifier::default())
}

/// [`validate`] for whoever judges many events.
///
/// # Errors
///
/// The same.
pub fn validate_with(signed: Signed, rules: &SpaceRules, verifier: &mut Verifier) -> Result<Verified, Invalid> {
    check_rules(&signed, rules)?;
    Ok(signed.authenticate_with(verifier)?.into_verified())
}

/// Judges an event whose signature was checked before, perhaps on another thread.
///
/// # Errors
///
/// As [`validate`], of size and work.
pub fn validate_authentic(event: Authentic, rules: &SpaceRules) -> Result<Verified, Invalid> {
    check_rules(&event, rules)?;
    Ok(event.into_verified())
}

fn check_rules(signed: &Signed, rules: &SpaceRules) -> Result<(), Invalid> {
    let own;
    let rules = match signed.kind() {
        Kind::Charter(charter) => {
            own = SpaceRules::of(charter);
            &own
        }
        _ => rules,
    };
    if signed.header().body.len > rules.body_bytes_max {
        return Err(Invalid::BodyLength);
    }
    if signed.work_bits() < rules.work_bits {
        return Err(Invalid::Work);
    }
    Ok(())
}
