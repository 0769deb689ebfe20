use super::generate::{signed, statement};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Where the signature begins.
fn header_len(signed: &Signed) -> usize {
    signed.bytes_without_body().len() - SIGNATURE_BYTES
}

/// The rule that bytes with one changed bit must keep: refused, or another event.
fn is_told_apart(original: &Signed, bytes: &[u8]) -> bool {
    match Signed::decode(&network(), bytes) {
        Ok(other) if other.id() == original.id() => validate(other, &FREE).is_err(),
        _ => true,
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

proptest! {
    #[test]
    fn an_event_reads_back_what_was_drafted((draft, signed) in signed()) {
        prop_assert_eq!(signed.kind(), &draft.kind);
        prop_assert_eq!(signed.body(), Some(draft.body));
        prop_assert_eq!(signed.header().space, draft.space);
        prop_assert_eq!(signed.header().created_ms, draft.created_ms);
        prop_assert_eq!(&signed.header().refs, &draft.refs);
        prop_assert!(signed.has_body());
        let verified = validate(signed.clone(), &FREE);
        prop_assert!(verified.is_ok());
    }

    #[test]
    fn accepted_bytes_encode_to_themselves((_, signed) in signed()) {
        let decoded = Signed::decode(&network(), signed.bytes()).expect("signed drafts decode");
        prop_assert_eq!(decoded.bytes(), signed.bytes());
        let header = codec::encode(decoded.header());
        prop_assert_eq!(&header[..], &signed.bytes()[..header_len(&signed)]);
        prop_assert_eq!(decoded.kind().to_raw(), decoded.header().kind.clone());
        let words = decoded.body().expect("the whole event").to_bytes();
        prop_assert!(signed.bytes().ends_with(&words));
        prop_assert_eq!(decoded.header().body.len as usize, words.len());
    }

    #[test]
    fn the_form_without_body_is_the_same_event((_, signed) in signed()) {
        let bare = Signed::decode(&network(), signed.bytes_without_body()).expect("a bodiless event decodes");
        prop_assert_eq!(bare.id(), signed.id());
        prop_assert_eq!(bare.space(), signed.space());
        prop_assert_eq!(bare.has_body(), signed.header().body.len == 0);
        prop_assert!(validate(bare, &FREE).is_ok());
        let dropped = signed.clone().without_body();
        prop_assert_eq!(dropped.bytes(), signed.bytes_without_body());
    }

    #[test]
    fn a_flipped_bit_is_refused_or_makes_another_event((_, signed) in signed(), at in any::<prop::sample::Index>()) {
        let bytes = signed.bytes();
        prop_assert!(is_told_apart(&signed, &flipped(bytes, at.index(bytes.len() * 8))));
        let bare = signed.bytes_without_body();
        prop_assert!(is_told_apart(&signed, &flipped(bare, at.index(bare.len() * 8))));
    }

    #[test]
    fn a_truncated_event_is_refused_unless_it_is_the_form_without_body((_, signed) in signed()) {
        let bytes = signed.bytes();
        let bare = signed.bytes_without_body().len();
        for length in (0..bytes.len()).filter(|length| *length != bare) {
            prop_assert!(Signed::decode(&network(), &bytes[..length]).is_err(), "cut to {length} of {}", bytes.len());
        }
    }

    #[test]
    fn bytes_behind_an_event_are_refused((_, signed) in signed(), more in prop::collection::vec(any::<u8>(), 1..40)) {
        let longer = [signed.bytes(), &more[..]].concat();
        prop_assert_eq!(Signed::decode(&network(), &longer).err(), Some(Invalid::BodyMismatch));
    }

    #[test]
    fn an_event_is_nothing_in_another_network((_, signed) in signed()) {
        let elsewhere = NetworkId::of("elsewhere");
        let other = Signed::decode(&elsewhere, signed.bytes()).expect("the structure knows no network");
        prop_assert_ne!(other.id(), signed.id());
        prop_assert!(validate(other, &FREE).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..3000), like_event in any::<bool>()) {
        if let Some(first) = bytes.first_mut() && like_event {
            *first = EVENT_VERSION;
        }
        let _ = judge(&bytes);
    }

    #[test]
    fn a_damaged_event_never_panics_and_what_is_accepted_is_canonical(
        (_, signed) in signed(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = signed.bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())], signed.bytes_without_body()] {
            if let Ok(accepted) = Signed::decode(&network(), bytes) {
                prop_assert_eq!(accepted.bytes(), bytes);
                prop_assert!(bytes.starts_with(&codec::encode(accepted.header())));
            }
        }
    }

    #[test]
    fn any_bytes_as_words_leave_the_event_valid((kind, _) in statement(), body in prop::collection::vec(any::<u8>(), 1..80)) {
        let bytes = with_body(header(&kind), &body);
        let decoded = Signed::decode(&network(), &bytes).expect("words decide no validity");
        let read = decoded.body().expect("the whole event");
        prop_assert!(matches!(read, Body::None | Body::Unreadable) || read.to_bytes() == body);
    }

    #[test]
    fn an_unknown_kind_keeps_its_fields(tag in 14_u16.., fields in prop::collection::vec(any::<u8>(), 0..200)) {
        let header = Header { kind: RawKind { tag, fields }, ..header(&post()) };
        let verified = judge(&signed_by(&root_key(), &header)).expect("unknown kinds are valid");
        prop_assert_eq!(verified.header(), &header);
        prop_assert_eq!(verified.kind(), &Kind::Unknown { tag });
    }
}

#[test]
fn each_bit_of_an_event_counts() {
    let signer = device_signer(&root_key(), &network(), u64::MAX);
    let salt = [7; SALT_BYTES];
    let words = Body::Post(PostBody { title: "t".into(), text: String::new(), link: None }).to_bytes();
    let header = Header { signer, refs: events(1), body: BodyCommitment::of(&salt, &words), ..header(&post()) };
    let bytes = [&signed_by(&device_key(), &header)[..], &salt, &words].concat();
    let verified = judge(&bytes).expect("a valid event");
    for bit in 0..bytes.len() * 8 {
        assert!(is_told_apart(&verified, &flipped(&bytes, bit)), "bit {bit}");
    }
}

#[test]
fn the_generator_covers_every_kind() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut words = BTreeSet::new();
    for _ in 0..400 {
        let (kind, _) = statement().new_tree(&mut runner).expect("no filters").current();
        words.insert(kind.word());
    }
    assert_eq!(words.len(), 14);
}
