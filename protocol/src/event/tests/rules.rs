//! Each rule refuses what breaks it, by its own code.

use super::*;

fn charter() -> Charter {
    Charter { work_bits: 0, ..Charter::new("cooking".into(), root_key().public()) }
}

fn label() -> Label {
    Label { targets: vec![LabelTarget::Event(event(1))], value: "spam".into(), rule: None, expires_ms: 0 }
}

fn revoke() -> Revoke {
    Revoke { root: root_key().public(), subject: RevokeSubject::Root, heads: vec![] }
}

/// One valid example of each kind.
fn examples() -> Vec<Kind> {
    vec![
        Kind::Charter(charter()),
        post(),
        Kind::Comment(Comment { root: event(1), parent: event(1) }),
        Kind::Edit(Edit { target: event(1) }),
        Kind::Retract(Retract { targets: events(2) }),
        Kind::Vote(Vote { target: event(1), value: 1 }),
        Kind::Label(label()),
        Kind::Steward(Steward { subject: root_key().public(), rank: Some(1) }),
        Kind::Checkpoint(Checkpoint { heads: events(1) }),
        Kind::Vouch(Vouch { subject: root_key().public(), board: board(), weight: 1 }),
        Kind::Profile(Profile {
            next_root: crate::id::KeyCommitment([0; 32]),
            revocation: crate::id::KeyCommitment([0; 32]),
        }),
        Kind::Revoke(revoke()),
        Kind::Succeed(Succeed { old: authors(1)[0] }),
    ]
}

fn descending<T>(mut ascending: Vec<T>) -> Vec<T> {
    ascending.reverse();
    ascending
}

#[test]
fn the_examples_are_valid() {
    let tags: Vec<u16> = examples().iter().map(|kind| kind.to_raw().tag).collect();
    assert_eq!(tags, (1..=13).collect::<Vec<u16>>());
    for kind in examples() {
        assert_eq!(kind_fault(&kind), None, "{kind:?}");
    }
}

#[test]
fn fields_of_a_known_kind_end_where_they_should() {
    for kind in examples() {
        let raw = kind.to_raw();
        let longer = [&raw.fields[..], &[0]].concat();
        let shorter = raw.fields[..raw.fields.len() - 1].to_vec();
        for fields in [longer, shorter, vec![]] {
            let header = Header { kind: RawKind { tag: raw.tag, fields }, ..header(&kind) };
            assert_eq!(fault(&header), Some(Invalid::KindFields), "{kind:?}");
        }
    }
}

#[test]
fn an_option_or_a_variant_that_no_encoder_writes_is_refused() {
    let kind = Kind::Steward(Steward { subject: root_key().public(), rank: Some(1) });
    let mut raw = kind.to_raw();
    raw.fields[32] = 2;
    assert_eq!(fault(&Header { kind: raw, ..header(&kind) }), Some(Invalid::KindFields));
    let kind = Kind::Label(label());
    let mut raw = kind.to_raw();
    raw.fields[8] = 2;
    assert_eq!(fault(&Header { kind: raw, ..header(&kind) }), Some(Invalid::KindFields));
    let kind = Kind::Post(Post { tags: vec!["a".into()] });
    let mut raw = kind.to_raw();
    raw.fields[16] = 0xff;
    assert_eq!(fault(&Header { kind: raw, ..header(&kind) }), Some(Invalid::KindFields), "a tag that is no UTF-8");
}

#[test]
fn a_charter_keeps_its_rules() {
    let two = authors(2);
    let broken = [
        Charter { name: String::new(), ..charter() },
        Charter { name: "a\u{7}".into(), ..charter() },
        Charter { language: "en_GB".into(), ..charter() },
        Charter { stewards: descending(two.clone()), threshold: 1, ..charter() },
        Charter { stewards: vec![two[0], two[0]], threshold: 1, ..charter() },
        Charter { stewards: two.clone(), threshold: 0, ..charter() },
        Charter { stewards: two, threshold: 3, ..charter() },
        Charter { stewards: vec![], threshold: 1, ..charter() },
    ];
    for charter in broken {
        assert_eq!(kind_fault(&Kind::Charter(charter.clone())), Some(Invalid::KindRule), "{charter:?}");
    }
    let nobody = Charter { stewards: vec![], threshold: 0, ..charter() };
    assert_eq!(kind_fault(&Kind::Charter(nobody)), None);
}

#[test]
fn a_post_keeps_its_rules() {
    for tags in [vec!["b", "a"], vec!["a", "a"], vec![""], vec!["a\u{7}"]] {
        let tags: Vec<String> = tags.into_iter().map(String::from).collect();
        assert_eq!(kind_fault(&Kind::Post(Post { tags: tags.clone() })), Some(Invalid::KindRule), "{tags:?}");
    }
}

#[test]
fn lists_of_events_ascend_without_doubles() {
    let (down, twice) = (descending(events(2)), vec![event(1); 2]);
    for list in [down, twice] {
        let broken = [
            Kind::Retract(Retract { targets: list.clone() }),
            Kind::Checkpoint(Checkpoint { heads: list.clone() }),
            Kind::Revoke(Revoke { heads: list.clone(), ..revoke() }),
            Kind::Label(Label { targets: list.iter().copied().map(LabelTarget::Event).collect(), ..label() }),
        ];
        for kind in broken {
            assert_eq!(kind_fault(&kind), Some(Invalid::KindRule), "{kind:?}");
        }
        assert_eq!(fault(&Header { refs: list, ..header(&post()) }), Some(Invalid::Refs));
    }
}

#[test]
fn lists_that_must_name_something_are_not_empty() {
    assert_eq!(kind_fault(&Kind::Retract(Retract { targets: vec![] })), Some(Invalid::KindRule));
    assert_eq!(kind_fault(&Kind::Checkpoint(Checkpoint { heads: vec![] })), Some(Invalid::KindRule));
    assert_eq!(kind_fault(&Kind::Label(Label { targets: vec![], ..label() })), Some(Invalid::KindRule));
}

#[test]
fn a_vote_a_vouch_and_a_rank_have_few_values() {
    let subject = root_key().public();
    for value in [-2, 2, i8::MIN, i8::MAX] {
        assert_eq!(kind_fault(&Kind::Vote(Vote { target: event(1), value })), Some(Invalid::KindRule));
    }
    assert_eq!(kind_fault(&Kind::Vouch(Vouch { subject, board: board(), weight: 2 })), Some(Invalid::KindRule));
    assert_eq!(kind_fault(&Kind::Steward(Steward { subject, rank: Some(0) })), Some(Invalid::KindRule));
    assert_eq!(kind_fault(&Kind::Steward(Steward { subject, rank: None })), None);
}

#[test]
fn a_label_keeps_its_rules() {
    let author_first = vec![LabelTarget::Author(AuthorKey([0; 32])), LabelTarget::Event(EventId([9; 32]))];
    let broken = [
        Label { value: String::new(), ..label() },
        Label { value: "Spam".into(), ..label() },
        Label { value: "off topic".into(), ..label() },
        Label { rule: Some(0), ..label() },
        Label { targets: author_first, ..label() },
    ];
    for label in broken {
        assert_eq!(kind_fault(&Kind::Label(label.clone())), Some(Invalid::KindRule), "{label:?}");
    }
}

#[test]
fn each_kind_stands_only_in_a_space_of_its_own() {
    for kind in examples() {
        let wrong = if matches!(kind, Kind::Charter(_)) { board() } else { SpaceId::ZERO };
        let header = Header { space: wrong, ..header(&kind) };
        assert_eq!(fault(&header), Some(Invalid::Space), "{kind:?}");
    }
    for kind in examples().split_off(9) {
        let header = Header { space: SpaceId([9; 32]), ..header(&kind) };
        assert_eq!(fault(&header), Some(Invalid::Space), "{kind:?}");
    }
    let unknown = Header { space: SpaceId::ZERO, ..header(&Kind::Unknown { tag: 99 }) };
    assert_eq!(fault(&unknown), Some(Invalid::Space));
}

#[test]
fn a_profile_belongs_to_its_author_and_a_succession_to_the_old_key() {
    let old = authors(1)[0];
    let profile = examples().swap_remove(10);
    let foreign = Header { space: SpaceId::of_author(old), ..header(&profile) };
    assert_eq!(fault(&foreign), Some(Invalid::Space));
    let new_space =
        Header { space: SpaceId::of_author(root_key().public()), ..header(&Kind::Succeed(Succeed { old })) };
    assert_eq!(fault(&new_space), Some(Invalid::Space));
}

#[test]
fn another_version_is_told_from_malformed_bytes() {
    let mut bytes = signed_by(&root_key(), &header(&post()));
    bytes[0] = 2;
    assert_eq!(judge(&bytes).err(), Some(Invalid::Version));
    assert_eq!(judge(&[]).err(), Some(Invalid::Malformed));
    bytes[0] = EVENT_VERSION;
    bytes[65] = 2;
    assert_eq!(judge(&bytes).err(), Some(Invalid::Malformed), "no such signer");
}

#[test]
fn a_body_is_the_promised_one_or_absent() {
    let bytes = with_body(header(&post()), b"words");
    assert!(judge(&bytes).is_ok());
    let mut other = bytes.clone();
    *other.last_mut().expect("not empty") ^= 1;
    assert_eq!(judge(&other).err(), Some(Invalid::BodyMismatch));
    assert_eq!(judge(&[&bytes[..], b"x"].concat()).err(), Some(Invalid::BodyMismatch));
    let bare = signed_by(&root_key(), &header(&post()));
    assert_eq!(judge(&[&bare[..], &[7; SALT_BYTES]].concat()).err(), Some(Invalid::BodyMismatch), "none was promised");
    let promise = BodyCommitment { len: 0, commitment: [1; 32] };
    assert_eq!(fault(&Header { body: promise, ..header(&post()) }), Some(Invalid::BodyLength));
}

#[test]
fn a_device_signs_what_its_certificate_allows() {
    let (root, device, here) = (root_key(), device_key(), network());
    let time = header(&post()).created_ms;
    let signed = |signer: Signer| judge(&signed_by(&device, &Header { signer, ..header(&post()) })).err();
    assert_eq!(signed(device_signer(&root, &here, time)), None, "its last moment");
    assert_eq!(signed(device_signer(&root, &here, time - 1)), Some(Invalid::Device), "expired");
    assert_eq!(signed(device_signer(&device, &here, time)), Some(Invalid::Device), "certified by another key");
    let elsewhere = device_signer(&root, &NetworkId::of("elsewhere"), time);
    assert_eq!(signed(elsewhere), Some(Invalid::Device), "certified for another network");
    let Signer::Device { key, certificate, .. } = device_signer(&root, &here, time) else { unreachable!() };
    let longer = Signer::Device { key, expires_ms: time + 1, certificate };
    assert_eq!(signed(longer), Some(Invalid::Device), "the expiry is part of what is certified");
    let other_author = Header { author: device.public(), signer: device_signer(&root, &here, time), ..header(&post()) };
    assert_eq!(judge(&signed_by(&device, &other_author)).err(), Some(Invalid::Device), "of another root");
    let by_root = Header { signer: device_signer(&root, &here, time), ..header(&post()) };
    assert_eq!(judge(&signed_by(&root, &by_root)).err(), Some(Invalid::Signature), "the root signed in its place");
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let bytes = signed_by(&device_key(), &header(&post()));
    assert_eq!(judge(&bytes).err(), Some(Invalid::Signature));
}

#[test]
fn work_below_the_floor_is_refused_before_the_signature() {
    let mut header = header(&post());
    let bits = |header: &Header| work::bits(&work::event_id(&network(), &codec::encode(header)));
    while bits(&header) != 4 {
        header.work += 1;
    }
    let judge = |work_bits, key: SecretKey| {
        let signed = Signed::decode(&network(), &signed_by(&key, &header))?;
        validate(signed, &SpaceRules { work_bits, ..FREE })
    };
    assert!(judge(4, root_key()).is_ok());
    assert_eq!(judge(5, root_key()).err(), Some(Invalid::Work));
    assert_eq!(judge(5, device_key()).err(), Some(Invalid::Work));
}

#[test]
fn a_charter_brings_its_own_rules() {
    let strict = SpaceRules { work_bits: 250, body_bytes_max: 0 };
    let judge = |charter: Charter, body: &[u8]| {
        let bytes = with_body(header(&Kind::Charter(charter)), body);
        validate(Signed::decode(&network(), &bytes)?, &strict)
    };
    assert!(judge(charter(), b"words").is_ok());
    assert_eq!(judge(Charter { work_bits: 32, ..charter() }, b"").err(), Some(Invalid::Work));
    assert_eq!(judge(Charter { body_bytes_max: 4, ..charter() }, b"words").err(), Some(Invalid::BodyLength));
    let founded = judge(charter(), b"").expect("valid");
    assert_eq!(founded.space(), SpaceId::of_charter(founded.id()));
}

#[test]
fn a_board_bounds_the_promise_even_where_the_body_is_absent() {
    let whole = with_body(header(&post()), b"words");
    let bare = &whole[..whole.len() - SALT_BYTES - 5];
    for bytes in [&whole[..], bare] {
        let at = |body_bytes_max| {
            let signed = Signed::decode(&network(), bytes).expect("sound");
            validate(signed, &SpaceRules { work_bits: 0, body_bytes_max })
        };
        assert!(at(5).is_ok());
        assert_eq!(at(4).err(), Some(Invalid::BodyLength));
    }
}
