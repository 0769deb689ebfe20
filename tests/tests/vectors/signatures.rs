//! Signatures, good ones and those on which implementations of ed25519 differ.

use super::{check, hex, key, network};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use roda_protocol::id::NetworkId;
use roda_protocol::keys::{Domain, Signature, device_message, is_signed, preimage};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

/// The group's prime order L, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

struct Cases(Vec<Value>);

impl Cases {
    fn add(&mut self, name: &str, key: [u8; 32], message: &[u8], signature: &Signature) -> bool {
        self.at(name, Domain::Event, "roda-test", key, message, signature)
    }

    fn at(
        &mut self,
        name: &str,
        domain: Domain,
        network: &str,
        key: [u8; 32],
        message: &[u8],
        signature: &Signature,
    ) -> bool {
        let valid = is_signed(&key, domain, &NetworkId::of(network), message, signature);
        self.0.push(json!({
            "name": name,
            "domain": match domain { Domain::Event => "roda/1/event", Domain::Device => "roda/1/device", Domain::Invite => "roda/1/invite" },
            "network": network,
            "key": hex(key),
            "message": hex(message),
            "signature": hex(signature.to_bytes()),
            "valid": valid,
        }));
        valid
    }
}

/// s + order, if it still fits 32 bytes.
fn plus_order(scalar: [u8; 32]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0;
    for at in 0..32 {
        let digit = u16::from(scalar[at]) + u16::from(ORDER[at]) + carry;
        sum[at] = digit as u8;
        carry = digit >> 8;
    }
    sum
}

/// p + `small`, which encodes the same y as `small` does, with the sign bit as asked.
fn beyond_the_field(small: u8, sign: bool) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed + small;
    bytes[31] = if sign { 0xff } else { 0x7f };
    bytes
}

/// The secret scalar and the nonce prefix of a seed of equal bytes.
fn expanded(number: u8) -> (Scalar, Scalar) {
    let hash = Sha512::digest([number; 32]);
    let mut low = [0; 32];
    low.copy_from_slice(&hash[..32]);
    low[0] &= 248;
    low[31] = low[31] & 63 | 64;
    let mut high = [0; 32];
    high.copy_from_slice(&hash[32..]);
    (Scalar::from_bytes_mod_order(low), Scalar::from_bytes_mod_order(high))
}

fn challenge(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(a);
    hash.update(preimage(Domain::Event, &network(), message));
    let mut wide = [0; 64];
    wide.copy_from_slice(&hash.finalize());
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// The signature that satisfies `s B = r B + h a B` for a public key and an R whose encodings are given.
fn forged(secret: Scalar, nonce: Scalar, r: [u8; 32], key: [u8; 32], message: &[u8]) -> Signature {
    let s = nonce + challenge(&r, &key, message) * secret;
    Signature { r, s: s.to_bytes() }
}

fn plain(cases: &mut Cases) {
    for number in 1..=4 {
        let message = vec![number; usize::from(number) * 50];
        let signature = key(number).sign(Domain::Event, &network(), &message);
        let public = key(number).public().0;
        assert!(cases.add("an honest signature", public, &message, &signature));
        assert!(!cases.add("over another message", public, &message[1..], &signature));
        assert!(!cases.add("of another key", key(number + 1).public().0, &message, &signature));
        assert!(!cases.at("in another domain", Domain::Device, "roda-test", public, &message, &signature));
        assert!(!cases.at("in another network", Domain::Event, "roda-main", public, &message, &signature));
    }
    let certificate = device_message(&key(2).public().0, 1_800_000_000_000);
    let signature = key(1).sign(Domain::Device, &network(), &certificate);
    assert!(cases.at("a certificate", Domain::Device, "roda-test", key(1).public().0, &certificate, &signature));
    assert!(!cases.add("a certificate as an event", key(1).public().0, &certificate, &signature));
}

fn scalars(cases: &mut Cases) {
    let message = b"scalars";
    let public = key(1).public().0;
    let good = key(1).sign(Domain::Event, &network(), message);
    let with = |s| Signature { s, ..good };
    assert!(!cases.add("s + L", public, message, &with(plus_order(good.s))));
    assert!(!cases.add("s + 2 L", public, message, &with(plus_order(plus_order(good.s)))));
    assert!(!cases.add("s = 0", public, message, &with([0; 32])));
    assert!(!cases.add("s = L", public, message, &with(ORDER)));
    for bit in [0, 100, 252, 253, 254, 255] {
        let mut s = good.s;
        s[bit / 8] ^= 1 << (bit % 8);
        assert!(!cases.add(&format!("bit {bit} of s flipped"), public, message, &with(s)));
        let mut r = good.r;
        r[bit / 8] ^= 1 << (bit % 8);
        assert!(!cases.add(&format!("bit {bit} of R flipped"), public, message, &Signature { r, ..good }));
    }
}

/// Every encoding of the eight points of small order, also those that no encoder writes.
fn small_encodings() -> Vec<[u8; 32]> {
    let mut all: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
    let (mut one, mut minus_one) = ([0; 32], [0xff; 32]);
    one[0] = 1;
    one[31] = 0x80;
    minus_one[0] = 0xec;
    all.extend([one, minus_one]);
    for sign in [false, true] {
        all.extend([beyond_the_field(0, sign), beyond_the_field(1, sign)]);
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn small_orders(cases: &mut Cases) {
    let identity = EIGHT_TORSION[0].compress().to_bytes();
    let (secret, _) = expanded(1);
    let public = key(1).public().0;
    let weak = small_encodings();
    assert_eq!(weak.len(), 14);
    for encoding in weak {
        for message in [&b"one"[..], b"two"] {
            let any = Signature { r: identity, s: [0; 32] };
            assert!(!cases.add("a key of small order, R the identity, s = 0", encoding, message, &any));
            let itself = Signature { r: encoding, s: [0; 32] };
            assert!(!cases.add("a key of small order that is R too", encoding, message, &itself));
        }
        let (nonce, random) = (expanded(9).1, B * expanded(9).1);
        let free = forged(Scalar::ZERO, nonce, random.compress().to_bytes(), encoding, b"three");
        assert!(!cases.add("a key of small order, R of large order", encoding, b"three", &free));
        let leaked = forged(secret, Scalar::ZERO, encoding, public, b"four");
        assert!(!cases.add("an honest key, R of small order", public, b"four", &leaked));
    }
}

fn torsion(cases: &mut Cases) {
    let ((secret, nonce), honest) = (expanded(1), B * expanded(1).0);
    assert_eq!(honest.compress().to_bytes(), key(1).public().0);
    let encode = |point: EdwardsPoint| point.compress().to_bytes();
    let (mut accepted, mut refused) = (0, 0);
    for number in 0_u8..24 {
        let message = [number; 8];
        let twist = EIGHT_TORSION[usize::from(number % 7) + 1];
        let signature = forged(secret, nonce, encode(B * nonce + twist), encode(honest), &message);
        assert!(!cases.add("R with torsion", encode(honest), &message, &signature));
        let mixed = encode(honest + twist);
        let signature = forged(secret, nonce, encode(B * nonce), mixed, &message);
        let plain_r = cases.add("a key with torsion", mixed, &message, &signature);
        let other = EIGHT_TORSION[usize::from(number / 7) % 7 + 1];
        let signature = forged(secret, nonce, encode(B * nonce + other), mixed, &message);
        let both = cases.add("a key and R with torsion", mixed, &message, &signature);
        for valid in [plain_r, both] {
            accepted += u8::from(valid);
            refused += u8::from(!valid);
        }
    }
    assert!(accepted >= 3 && refused >= 3, "both outcomes are among them");
}

fn encodings(cases: &mut Cases) {
    let message = b"encodings";
    let good = key(1).sign(Domain::Event, &network(), message);
    let public = key(1).public().0;
    for small in 0..=18 {
        for sign in [false, true] {
            let encoding = beyond_the_field(small, sign);
            assert!(!cases.add("a key whose y is not below p", encoding, message, &good));
            let r = Signature { r: encoding, ..good };
            assert!(!cases.add("an R whose y is not below p", public, message, &r));
        }
    }
    let off_the_curve = (2..).map(|y| {
        let mut bytes = [0; 32];
        bytes[0] = y;
        bytes
    });
    let mut off =
        off_the_curve.filter(|bytes| curve25519_dalek::edwards::CompressedEdwardsY(*bytes).decompress().is_none());
    let off = off.next().expect("half of all y are no point's");
    assert!(!cases.add("a key that is no point", off, message, &good));
    assert!(!cases.add("an R that is no point", public, message, &Signature { r: off, ..good }));
}

#[test]
fn signatures_are_judged_as_written() {
    let mut cases = Cases(Vec::new());
    plain(&mut cases);
    scalars(&mut cases);
    small_orders(&mut cases);
    torsion(&mut cases);
    encodings(&mut cases);
    check("signatures.json", &json!({ "cases": cases.0 }));
}
