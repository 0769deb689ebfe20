//! One event of each kind, and a few of each form.

use super::{check, describe, key, network};
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Checkpoint, Comment, CommentBody, Draft, Edit, EditBody, Kind, Label,
    LabelBody, LabelTarget, Post, PostBody, Profile, ProfileBody, Retract, Revoke, RevokeSubject, Signed, Steward,
    Succeed, Vote, Vouch,
};
use roda_protocol::id::{AuthorKey, EventId, KeyCommitment, SpaceId};
use roda_protocol::keys::{Domain, device_message};
use roda_protocol::validate::{SpaceRules, validate};
use serde_json::{Value, json};

/// The date of all vectors.
pub(crate) const TIME_MS: u64 = 1_800_000_000_000;

pub(crate) fn board() -> SpaceId {
    SpaceId::of_open_board("cooking")
}

/// An event id that is no event's.
pub(crate) fn id(number: u8) -> EventId {
    EventId(*blake3::hash(&[number]).as_bytes())
}

/// Ids in ascending order.
pub(crate) fn ids(count: u8) -> Vec<EventId> {
    let mut ids: Vec<EventId> = (0..count).map(id).collect();
    ids.sort_unstable();
    ids
}

/// Any valid kinds, one for each tag, with words where there are some.
pub(crate) fn statements() -> Vec<(&'static str, Kind, Body)> {
    let (me, other) = (key(1).public(), key(3).public());
    let mut stewards = vec![me, other];
    stewards.sort_unstable();
    let charter = Charter {
        name: "Old Cars".into(),
        language: "pt-BR".into(),
        stewards,
        threshold: 2,
        work_bits: 8,
        body_bytes_max: 4000,
        forked_from: Some(board()),
    };
    let rules = vec!["Be kind.".into(), "Cars only.".into()];
    let founding = CharterBody { title: "Cars with a past".into(), description: "Bring photographs.".into(), rules };
    let post =
        PostBody { title: "Olá".into(), text: "*First* words.".into(), link: Some("https://example.org/".into()) };
    let label = Label {
        targets: vec![LabelTarget::Event(id(1)), LabelTarget::Author(other)],
        value: "off-topic".into(),
        rule: Some(2),
        expires_ms: TIME_MS + 1000,
    };
    let profile = Profile { next_root: KeyCommitment([0; 32]), revocation: KeyCommitment(id(9).0) };
    let about =
        ProfileBody { name: "Ana".into(), about: "I cook.".into(), links: vec!["https://example.org/ana".into()] };
    let edit = EditBody { title: Some("Olá!".into()), text: "Better words.".into(), link: None };
    vec![
        ("a charter", Kind::Charter(charter), Body::Charter(founding)),
        ("a post", Kind::Post(Post { tags: vec!["bread".into(), "soup".into()] }), Body::Post(post)),
        (
            "a comment",
            Kind::Comment(Comment { root: id(1), parent: id(2) }),
            Body::Comment(CommentBody { text: "I agree.".into() }),
        ),
        ("an edit", Kind::Edit(Edit { target: id(1) }), Body::Edit(edit)),
        ("a retraction", Kind::Retract(Retract { targets: ids(3) }), Body::None),
        ("a vote", Kind::Vote(Vote { target: id(1), value: -1 }), Body::None),
        ("a label", Kind::Label(label), Body::Label(LabelBody { reason: "This is a boat.".into() })),
        ("a steward action", Kind::Steward(Steward { subject: other, rank: Some(1) }), Body::None),
        ("a checkpoint", Kind::Checkpoint(Checkpoint { heads: ids(2) }), Body::None),
        ("a vouch", Kind::Vouch(Vouch { subject: other, board: board(), weight: 1 }), Body::None),
        ("a profile", Kind::Profile(profile), Body::Profile(about)),
        (
            "a revocation of a device",
            Kind::Revoke(Revoke { root: me, subject: RevokeSubject::Device(key(2).public().0), heads: ids(2) }),
            Body::None,
        ),
        ("a succession", Kind::Succeed(Succeed { old: other }), Body::None),
        ("a kind of a later version", Kind::Unknown { tag: 14 }, Body::None),
        ("a post without tags and without words", Kind::Post(Post::default()), Body::None),
        ("a steward action that takes a rank", Kind::Steward(Steward { subject: other, rank: None }), Body::None),
        (
            "a revocation of a root",
            Kind::Revoke(Revoke { root: me, subject: RevokeSubject::Root, heads: vec![] }),
            Body::None,
        ),
        (
            "a charter of a board without stewards",
            Kind::Charter(Charter { stewards: vec![], threshold: 0, work_bits: 0, ..Charter::new("x".into(), me) }),
            Body::None,
        ),
    ]
}

/// The space where a kind by the author may stand.
pub(crate) fn space_of(kind: &Kind, author: AuthorKey) -> SpaceId {
    match kind {
        Kind::Charter(_) => SpaceId::ZERO,
        Kind::Profile(_) => SpaceId::of_author(author),
        Kind::Revoke(revoke) => SpaceId::of_author(revoke.root),
        Kind::Succeed(succeed) => SpaceId::of_author(succeed.old),
        _ => board(),
    }
}

/// Signed events of every kind, alternately by a root and by a device.
pub(crate) fn all() -> Vec<(String, Signed)> {
    let (root, device) = (key(1), key(2));
    let expires_ms = TIME_MS + 86_400_000;
    let message = device_message(&device.public().0, expires_ms);
    let certificate = root.sign(Domain::Device, &network(), &message);
    let mut events = Vec::new();
    for (number, (name, kind, body)) in (0_u8..).zip(statements()) {
        let by_device = number % 2 == 1;
        let author = if by_device {
            Author::Device { root: root.public(), key: &device, expires_ms, certificate }
        } else {
            Author::Root(&root)
        };
        let work_bits = if let Kind::Charter(charter) = &kind { charter.work_bits } else { number % 5 };
        let draft = Draft {
            space: space_of(&kind, root.public()),
            created_ms: TIME_MS + u64::from(number),
            refs: ids(number % 9),
            kind,
            body,
            salt: [number; 16],
        };
        let signed = draft.sign(&author, &network(), work_bits).expect("a valid draft");
        let by = if by_device { "a device" } else { "the root" };
        events.push((format!("{name}, by {by}"), signed));
    }
    let bare = events[1].1.clone().without_body();
    events.push(("a post whose words were dropped".into(), bare));
    events
}

#[test]
fn events_of_every_kind_are_the_written_bytes() {
    let free = SpaceRules { work_bits: 0, body_bytes_max: 49136 };
    let case = |(name, signed): (String, Signed)| {
        let mut value = describe::event(&signed);
        value["name"] = json!(name);
        let decoded = Signed::decode(&network(), signed.bytes()).expect("accepted");
        assert!(validate(decoded, &free).is_ok(), "{name}");
        value
    };
    let cases: Vec<Value> = all().into_iter().map(case).collect();
    check("events.json", &json!({ "network": "roda-test", "events": cases }));
}
