//! Valid events of every kind, at random.

use super::*;
use crate::event::{Author, Draft};
use crate::limits::{
    HEADS_MAX, LABEL_LIFE_MS_MAX, PROFILE_LINKS_MAX, REFS_MAX, RETRACT_TARGETS_MAX, STEWARDS_MAX, TAGS_MAX,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn id() -> impl Strategy<Value = EventId> {
    any::<[u8; 32]>().prop_map(EventId)
}

fn author() -> impl Strategy<Value = AuthorKey> {
    any::<[u8; 32]>().prop_map(AuthorKey)
}

fn ids(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<EventId>> {
    btree_set(id(), count).prop_map(|ids| ids.into_iter().collect())
}

fn name() -> impl Strategy<Value = String> {
    "[a-zà-ü]{1,12}( [A-Z0-9]{1,8})?"
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), ".{1,40}", vec(any::<char>(), 1..40).prop_map(|chars| chars.into_iter().collect())]
}

fn some_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "text".into() } else { text })
}

fn charter() -> impl Strategy<Value = (Kind, Body)> {
    let stewards = btree_set(author(), 0..=STEWARDS_MAX);
    let fields = (name(), "[a-z]{0,3}(-[A-Z]{2})?", stewards, any::<u8>(), 0_u8..5, any::<Option<[u8; 32]>>());
    (fields, text(), text(), vec(text(), 0..5)).prop_map(|(fields, title, description, rules)| {
        let (name, language, stewards, threshold, work_bits, forked_from) = fields;
        let stewards: Vec<AuthorKey> = stewards.into_iter().collect();
        let threshold = if stewards.is_empty() { 0 } else { 1 + threshold % stewards.len() as u8 };
        let charter = Charter {
            name,
            language,
            stewards,
            threshold,
            work_bits,
            body_bytes_max: BODY_BYTES_MAX as u32,
            forked_from: forked_from.map(SpaceId),
        };
        (Kind::Charter(charter), Body::Charter(CharterBody { title, description, rules }))
    })
}

fn post() -> impl Strategy<Value = (Kind, Body)> {
    (btree_set(name(), 0..=TAGS_MAX), some_text(), text(), proptest::option::of(text())).prop_map(
        |(tags, title, text, link)| {
            let tags = tags.into_iter().collect();
            (Kind::Post(Post { tags }), Body::Post(PostBody { title, text, link }))
        },
    )
}

fn edit() -> impl Strategy<Value = (Kind, Body)> {
    let words = (proptest::option::of(some_text()), text(), proptest::option::of(text()));
    (id(), words).prop_map(|(target, (title, text, link))| {
        (Kind::Edit(Edit { target }), Body::Edit(EditBody { title, text, link }))
    })
}

fn label() -> impl Strategy<Value = (Kind, Body)> {
    let target = prop_oneof![id().prop_map(LabelTarget::Event), author().prop_map(LabelTarget::Author)];
    let rule = proptest::option::of(1_u8..);
    (btree_set(target, 1..12), "[a-z0-9-]{1,32}", rule, 0..=LABEL_LIFE_MS_MAX, text()).prop_map(
        |(targets, value, rule, expires_ms, reason)| {
            let label = Label { targets: targets.into_iter().collect(), value, rule, expires_ms };
            (Kind::Label(label), Body::Label(LabelBody { reason }))
        },
    )
}

fn profile() -> impl Strategy<Value = (Kind, Body)> {
    let words = (name(), text(), vec(text(), 0..=PROFILE_LINKS_MAX));
    (any::<[u8; 32]>(), any::<[u8; 32]>(), words).prop_map(|(next, revocation, (name, about, links))| {
        let fields =
            Profile { next_root: crate::id::KeyCommitment(next), revocation: crate::id::KeyCommitment(revocation) };
        (Kind::Profile(fields), Body::Profile(ProfileBody { name, about, links }))
    })
}

fn wordless() -> impl Strategy<Value = (Kind, Body)> {
    let subject = prop_oneof![Just(RevokeSubject::Root), any::<[u8; 32]>().prop_map(RevokeSubject::Device)];
    let kind = prop_oneof![
        ids(1..RETRACT_TARGETS_MAX).prop_map(|targets| Kind::Retract(Retract { targets })),
        (id(), -1_i8..=1).prop_map(|(target, value)| Kind::Vote(Vote { target, value })),
        (author(), proptest::option::of(1_u8..)).prop_map(|(subject, rank)| Kind::Steward(Steward { subject, rank })),
        ids(1..HEADS_MAX).prop_map(|heads| Kind::Checkpoint(Checkpoint { heads })),
        (author(), any::<[u8; 32]>(), 0_u8..=1).prop_map(|(subject, board, weight)| Kind::Vouch(Vouch {
            subject,
            board: SpaceId(board),
            weight
        })),
        (author(), subject, ids(0..20)).prop_map(|(root, subject, heads)| Kind::Revoke(Revoke {
            root,
            subject,
            heads
        })),
        author().prop_map(|old| Kind::Succeed(Succeed { old })),
        (14_u16..).prop_map(|tag| Kind::Unknown { tag }),
    ];
    kind.prop_map(|kind| (kind, Body::None))
}

/// A kind and words that belong together.
pub(super) fn statement() -> impl Strategy<Value = (Kind, Body)> {
    let comment = (id(), id(), some_text()).prop_map(|(root, parent, text)| {
        (Kind::Comment(Comment { root, parent }), Body::Comment(CommentBody { text }))
    });
    prop_oneof![
        1 => charter(), 2 => post(), 2 => comment, 1 => edit(), 1 => label(), 1 => profile(), 4 => wordless(),
    ]
}

/// A valid event's draft and the event itself, signed by the root or a device.
pub(super) fn signed() -> impl Strategy<Value = (Draft, Signed)> {
    let rest = (ids(0..REFS_MAX + 1), any::<u64>(), any::<[u8; SALT_BYTES]>(), any::<bool>());
    (statement(), rest, any::<bool>()).prop_map(|((kind, body), (refs, time, salt, by_device), has_words)| {
        let body = if has_words { body } else { Body::None };
        let space = header(&kind).space;
        let created_ms = time.max(LABEL_LIFE_MS_MAX);
        let draft = Draft { space, created_ms, refs, kind, body, salt };
        let root = root_key();
        let device = device_key();
        let author = match device_signer(&root, &network(), created_ms) {
            Signer::Device { expires_ms, certificate, .. } if by_device => {
                Author::Device { root: root.public(), key: &device, expires_ms, certificate }
            }
            _ => Author::Root(&root),
        };
        let work_bits = if let Kind::Charter(charter) = &draft.kind { charter.work_bits } else { 0 };
        let signed = draft.clone().sign(&author, &network(), work_bits).expect("a valid draft");
        (draft, signed)
    })
}
