//! Each bound holds at its border: the most is accepted, one more is not.

use super::*;
use crate::limits::*;

fn ok_then_not(most: &Kind, more: &Kind) {
    let decode = |kind: &Kind| Signed::decode(&network(), &signed_by(&root_key(), &header(kind)));
    assert!(decode(most).is_ok(), "{}", most.word());
    assert_eq!(decode(more).err(), Some(Invalid::KindRule), "{}", more.word());
}

fn readable_then_not(kind: &Kind, most: &Body, more: &Body) {
    let read = |body: &Body| {
        let bytes = with_body(header(kind), &body.to_bytes());
        judge(&bytes).expect("words decide no validity").body().expect("the whole event")
    };
    assert_eq!(&read(most), most);
    assert!(most.fits());
    assert_eq!(read(more), Body::Unreadable);
    assert!(!more.fits());
}

#[test]
fn refs() {
    assert_eq!(fault(&Header { refs: events(REFS_MAX), ..header(&post()) }), None);
    assert_eq!(fault(&Header { refs: events(REFS_MAX + 1), ..header(&post()) }), Some(Invalid::Refs));
}

#[test]
fn tags() {
    let kind = |count: usize| Kind::Post(Post { tags: (0..count).map(|number| format!("tag{number}")).collect() });
    ok_then_not(&kind(TAGS_MAX), &kind(TAGS_MAX + 1));
    let long = |bytes: usize| Kind::Post(Post { tags: vec!["x".repeat(bytes)] });
    ok_then_not(&long(TAG_BYTES_MAX), &long(TAG_BYTES_MAX + 1));
    let accents = |count: usize| Kind::Post(Post { tags: vec!["é".repeat(count)] });
    ok_then_not(&accents(TAG_BYTES_MAX / 2), &accents(TAG_BYTES_MAX / 2 + 1));
}

#[test]
fn targets_and_heads() {
    let retract = |count| Kind::Retract(Retract { targets: events(count) });
    ok_then_not(&retract(RETRACT_TARGETS_MAX), &retract(RETRACT_TARGETS_MAX + 1));
    let checkpoint = |count| Kind::Checkpoint(Checkpoint { heads: events(count) });
    ok_then_not(&checkpoint(HEADS_MAX), &checkpoint(HEADS_MAX + 1));
    let revoke = |count| {
        Kind::Revoke(Revoke {
            root: root_key().public(),
            subject: RevokeSubject::Device([3; 32]),
            heads: events(count),
        })
    };
    ok_then_not(&revoke(HEADS_MAX), &revoke(HEADS_MAX + 1));
}

fn label(targets: usize, value: usize, life_ms: u64) -> Kind {
    let targets = events(targets).into_iter().map(LabelTarget::Event).collect();
    let expires_ms = header(&post()).created_ms + life_ms;
    Kind::Label(Label { targets, value: "x".repeat(value), rule: Some(1), expires_ms })
}

#[test]
fn labels() {
    ok_then_not(&label(LABEL_TARGETS_MAX, 1, 0), &label(LABEL_TARGETS_MAX + 1, 1, 0));
    ok_then_not(&label(1, LABEL_VALUE_BYTES_MAX, 0), &label(1, LABEL_VALUE_BYTES_MAX + 1, 0));
    ok_then_not(&label(1, 1, LABEL_LIFE_MS_MAX), &label(1, 1, LABEL_LIFE_MS_MAX + 1));
}

#[test]
fn a_label_at_the_end_of_time_does_not_overflow() {
    let kind = Kind::Label(Label {
        targets: vec![LabelTarget::Event(event(1))],
        value: "spam".into(),
        rule: None,
        expires_ms: u64::MAX,
    });
    assert_eq!(fault(&Header { created_ms: u64::MAX - 1, ..header(&kind) }), None);
}

#[test]
fn charters() {
    let charter = || Charter { work_bits: 0, ..Charter::new("cooking".into(), root_key().public()) };
    let with = |change: fn(&mut Charter, usize), number: usize| {
        let mut charter = charter();
        change(&mut charter, number);
        Kind::Charter(charter)
    };
    let border =
        |change: fn(&mut Charter, usize), most: usize| ok_then_not(&with(change, most), &with(change, most + 1));
    border(|charter, chars| charter.name = "ü".repeat(chars), NAME_CHARS_MAX);
    border(|charter, bytes| charter.language = "x".repeat(bytes), LANGUAGE_BYTES_MAX);
    border(|charter, count| charter.stewards = authors(count), STEWARDS_MAX);
    border(|charter, bits| charter.work_bits = bits as u8, usize::from(WORK_BITS_MAX));
    border(|charter, bytes| charter.body_bytes_max = bytes as u32, BODY_BYTES_MAX);
}

#[test]
fn words_of_a_charter() {
    let words = || CharterBody { title: String::new(), description: String::new(), rules: vec![] };
    let kind = Kind::Charter(Charter { work_bits: 0, ..Charter::new("cooking".into(), root_key().public()) });
    let title = |bytes| Body::Charter(CharterBody { title: "x".repeat(bytes), ..words() });
    readable_then_not(&kind, &title(TITLE_BYTES_MAX), &title(TITLE_BYTES_MAX + 1));
    let rules = |count| Body::Charter(CharterBody { rules: vec!["x".into(); count], ..words() });
    readable_then_not(&kind, &rules(RULES_MAX), &rules(RULES_MAX + 1));
    let rule = |bytes| Body::Charter(CharterBody { rules: vec!["x".repeat(bytes)], ..words() });
    readable_then_not(&kind, &rule(RULE_BYTES_MAX), &rule(RULE_BYTES_MAX + 1));
}

#[test]
fn words_of_a_post_and_its_edit() {
    let words = |title: usize, link: usize| {
        Body::Post(PostBody { title: "x".repeat(title), text: String::new(), link: Some("x".repeat(link)) })
    };
    readable_then_not(&post(), &words(TITLE_BYTES_MAX, 0), &words(TITLE_BYTES_MAX + 1, 0));
    readable_then_not(&post(), &words(1, LINK_BYTES_MAX), &words(1, LINK_BYTES_MAX + 1));
    readable_then_not(&post(), &words(1, 0), &words(0, 0));
    let edit = Kind::Edit(Edit { target: event(1) });
    let words = |title: usize, link: usize| {
        Body::Edit(EditBody { title: Some("x".repeat(title)), text: String::new(), link: Some("x".repeat(link)) })
    };
    readable_then_not(&edit, &words(TITLE_BYTES_MAX, 0), &words(TITLE_BYTES_MAX + 1, 0));
    readable_then_not(&edit, &words(1, LINK_BYTES_MAX), &words(1, LINK_BYTES_MAX + 1));
    readable_then_not(&edit, &words(1, 0), &words(0, 0));
}

#[test]
fn words_of_a_comment_a_label_and_a_profile() {
    let comment = Kind::Comment(Comment { root: event(1), parent: event(1) });
    let words = |bytes| Body::Comment(CommentBody { text: "x".repeat(bytes) });
    readable_then_not(&comment, &words(1), &words(0));
    let words = |bytes| Body::Label(LabelBody { reason: "x".repeat(bytes) });
    readable_then_not(&label(1, 1, 0), &words(REASON_BYTES_MAX), &words(REASON_BYTES_MAX + 1));
    let none = crate::id::KeyCommitment([0; 32]);
    let profile = Kind::Profile(Profile { next_root: none, revocation: none });
    let words = |name: usize, links: usize, link: usize| {
        let links = vec!["x".repeat(link); links];
        Body::Profile(ProfileBody { name: "x".repeat(name), about: String::new(), links })
    };
    readable_then_not(&profile, &words(NAME_CHARS_MAX, 0, 0), &words(NAME_CHARS_MAX + 1, 0, 0));
    readable_then_not(&profile, &words(1, PROFILE_LINKS_MAX, 0), &words(1, PROFILE_LINKS_MAX + 1, 0));
    readable_then_not(&profile, &words(1, 1, LINK_BYTES_MAX), &words(1, 1, LINK_BYTES_MAX + 1));
}

/// A header of exactly this many bytes: an unknown kind filled up.
fn header_of(bytes: usize) -> Header {
    let mut header = Header { kind: RawKind { tag: 99, fields: vec![] }, ..header(&post()) };
    let empty = codec::encode(&header).len();
    header.kind.fields = vec![0; bytes - empty];
    header
}

#[test]
fn header_bytes() {
    assert_eq!(fault(&header_of(HEADER_BYTES_MAX)), None);
    assert_eq!(fault(&header_of(HEADER_BYTES_MAX + 1)), Some(Invalid::Malformed));
}

#[test]
fn body_bytes() {
    let judge_of = |bytes: usize| judge(&with_body(header(&post()), &vec![b'x'; bytes])).err();
    assert_eq!(judge_of(BODY_BYTES_MAX), None);
    assert_eq!(judge_of(BODY_BYTES_MAX + 1), Some(Invalid::BodyLength));
}

#[test]
fn event_bytes_are_bounded_alike_with_and_without_the_body() {
    let header_len = EVENT_BYTES_MAX - SIGNATURE_BYTES - SALT_BYTES - BODY_BYTES_MAX;
    for (header_len, fault) in [(header_len, None), (header_len + 1, Some(Invalid::TooLarge))] {
        let whole = with_body(header_of(header_len), &vec![b'x'; BODY_BYTES_MAX]);
        assert_eq!(judge(&whole).err(), fault);
        assert_eq!(judge(&whole[..header_len + SIGNATURE_BYTES]).err(), fault);
    }
}
