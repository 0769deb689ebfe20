//! Events, kinds and words as JSON that a reader understands.

use super::hex;
use roda_protocol::event::{Body, Kind, LabelTarget, RevokeSubject, Signed, Signer};
use serde_json::{Value, json};

fn hexes<T: AsRef<[u8]>>(list: impl IntoIterator<Item = T>) -> Vec<String> {
    list.into_iter().map(hex).collect()
}

/// The fields of a kind, beside its tag and word.
pub(crate) fn kind(kind: &Kind) -> Value {
    let fields = match kind {
        Kind::Charter(charter) => json!({
            "name": charter.name,
            "language": charter.language,
            "stewards": hexes(charter.stewards.iter().map(|key| key.0)),
            "threshold": charter.threshold,
            "work_bits": charter.work_bits,
            "body_bytes_max": charter.body_bytes_max,
            "forked_from": charter.forked_from.map(|space| hex(space.0)),
        }),
        Kind::Post(post) => json!({ "tags": post.tags }),
        Kind::Comment(comment) => json!({ "root": hex(comment.root.0), "parent": hex(comment.parent.0) }),
        Kind::Edit(edit) => json!({ "target": hex(edit.target.0) }),
        Kind::Retract(retract) => json!({ "targets": hexes(retract.targets.iter().map(|id| id.0)) }),
        Kind::Vote(vote) => json!({ "target": hex(vote.target.0), "value": vote.value }),
        Kind::Label(label) => json!({
            "targets": label.targets.iter().map(|target| match target {
                LabelTarget::Event(id) => json!({ "event": hex(id.0) }),
                LabelTarget::Author(author) => json!({ "author": hex(author.0) }),
            }).collect::<Vec<_>>(),
            "value": label.value,
            "rule": label.rule,
            "expires_ms": label.expires_ms,
        }),
        Kind::Steward(steward) => json!({ "subject": hex(steward.subject.0), "rank": steward.rank }),
        Kind::Checkpoint(checkpoint) => json!({ "heads": hexes(checkpoint.heads.iter().map(|id| id.0)) }),
        Kind::Vouch(vouch) => {
            json!({ "subject": hex(vouch.subject.0), "board": hex(vouch.board.0), "weight": vouch.weight })
        }
        Kind::Profile(profile) => {
            json!({ "next_root": hex(profile.next_root.0), "revocation": hex(profile.revocation.0) })
        }
        Kind::Revoke(revoke) => json!({
            "root": hex(revoke.root.0),
            "subject": match revoke.subject {
                RevokeSubject::Device(key) => json!({ "device": hex(key) }),
                RevokeSubject::Root => json!("root"),
            },
            "heads": hexes(revoke.heads.iter().map(|id| id.0)),
        }),
        Kind::Succeed(succeed) => json!({ "old": hex(succeed.old.0) }),
        Kind::Unknown { .. } => json!({}),
    };
    json!({ "word": kind.word(), "fields": fields })
}

/// Words; null where there are none.
pub(crate) fn body(body: Option<&Body>) -> Value {
    match body {
        None => json!("dropped"),
        Some(Body::None) => Value::Null,
        Some(Body::Unreadable) => json!("unreadable"),
        Some(Body::Charter(words)) => {
            json!({ "title": words.title, "description": words.description, "rules": words.rules })
        }
        Some(Body::Post(words)) => json!({ "title": words.title, "text": words.text, "link": words.link }),
        Some(Body::Comment(words)) => json!({ "text": words.text }),
        Some(Body::Edit(words)) => json!({ "title": words.title, "text": words.text, "link": words.link }),
        Some(Body::Label(words)) => json!({ "reason": words.reason }),
        Some(Body::Profile(words)) => json!({ "name": words.name, "about": words.about, "links": words.links }),
    }
}

/// A whole event.
pub(crate) fn event(signed: &Signed) -> Value {
    let header = signed.header();
    let bare = signed.bytes_without_body();
    let signer = match &header.signer {
        Signer::Root => json!("root"),
        Signer::Device { key, expires_ms, certificate } => json!({
            "device": hex(key),
            "expires_ms": expires_ms,
            "certificate": hex(certificate.to_bytes()),
        }),
    };
    json!({
        "bytes": hex(signed.bytes()),
        "id": hex(signed.id().0),
        "set": hex(signed.space().0),
        "work_bits": signed.work_bits(),
        "header_len": bare.len() - 64,
        "signature": hex(&bare[bare.len() - 64..]),
        "version": header.version,
        "space": hex(header.space.0),
        "author": hex(header.author.0),
        "signer": signer,
        "created_ms": header.created_ms,
        "refs": hexes(header.refs.iter().map(|id| id.0)),
        "tag": header.kind.tag,
        "kind": kind(signed.kind()),
        "body_len": header.body.len,
        "commitment": hex(header.body.commitment),
        "work": header.work,
        "body": body(signed.body().as_ref()),
    })
}
