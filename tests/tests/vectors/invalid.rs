//! Bytes and the code of the first check that they fail; 0 for what just passes.

use super::events::{TIME_MS, board, id, ids, space_of};
use super::{check, hex, key, network};
use roda_protocol::codec;
use roda_protocol::event::{
    BodyCommitment, Charter, Checkpoint, Comment, Edit, Header, Kind, Label, LabelTarget, Post, Profile, RawKind,
    Retract, Revoke, RevokeSubject, Signed, Signer, Steward, Succeed, Vote, Vouch,
};
use roda_protocol::id::{AuthorKey, EventId, KeyCommitment, NetworkId, SpaceId};
use roda_protocol::keys::{Domain, SecretKey, device_message};
use roda_protocol::limits::LABEL_LIFE_MS_MAX;
use roda_protocol::validate::{SpaceRules, validate};
use serde_json::{Value, json};

const SALT: [u8; 16] = [7; 16];
const FREE: SpaceRules = SpaceRules { work_bits: 0, body_bytes_max: 49136 };

fn header(kind: &Kind) -> Header {
    let author = key(1).public();
    Header {
        version: 1,
        space: space_of(kind, author),
        author,
        signer: Signer::Root,
        created_ms: TIME_MS,
        refs: vec![],
        kind: kind.to_raw(),
        body: BodyCommitment::EMPTY,
        work: 0,
    }
}

fn post() -> Header {
    header(&Kind::Post(Post::default()))
}

fn signed_by(key: &SecretKey, header: &Header) -> Vec<u8> {
    let mut bytes = codec::encode(header);
    let signature = key.sign(Domain::Event, &network(), &bytes);
    bytes.extend_from_slice(&signature.to_bytes());
    bytes
}

fn signed(header: &Header) -> Vec<u8> {
    signed_by(&key(1), header)
}

fn with_body(mut header: Header, body: &[u8]) -> Vec<u8> {
    header.body = BodyCommitment::of(&SALT, body);
    [&signed(&header)[..], &SALT, body].concat()
}

/// Long runs of one byte are written as such, so that large events stay small here.
fn compressed(bytes: &[u8]) -> Value {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        if run.len() < 64 {
            plain.extend_from_slice(run);
            continue;
        }
        parts.push(json!(hex(&plain)));
        plain.clear();
        parts.push(json!([hex(&run[..1]), run.len()]));
    }
    parts.push(json!(hex(&plain)));
    Value::Array(parts)
}

struct Cases(Vec<Value>);

impl Cases {
    fn add(&mut self, code: u16, name: &str, bytes: &[u8]) {
        self.under(FREE, code, name, bytes);
    }

    fn under(&mut self, rules: SpaceRules, code: u16, name: &str, bytes: &[u8]) {
        let verdict = Signed::decode(&network(), bytes).and_then(|signed| validate(signed, &rules));
        assert_eq!(verdict.map_or_else(|why| why.code(), |_| 0), code, "{name}");
        let rules = json!({ "work_bits": rules.work_bits, "body_bytes_max": rules.body_bytes_max });
        self.0.push(json!({ "name": name, "code": code, "rules": rules, "bytes": compressed(bytes) }));
    }

    fn kind(&mut self, code: u16, name: &str, kind: &Kind) {
        self.add(code, name, &signed(&header(kind)));
    }
}

fn many(count: u16) -> Vec<EventId> {
    let numbered = |number: u16| {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        EventId(id)
    };
    (0..count).map(numbered).collect()
}

fn sizes(cases: &mut Cases) {
    cases.add(2, "no bytes", &[]);
    cases.add(3, "version 0", &[0]);
    cases.add(3, "version 2", &[&[2][..], &signed(&post())[1..]].concat());
    let whole = with_body(post(), b"words");
    let signature_end = whole.len() - 21;
    for cut in [1, 50, 68, signature_end - 65, signature_end - 64, signature_end - 1] {
        cases.add(2, "cut short within header or signature", &whole[..cut]);
    }
    cases.add(0, "without the body", &whole[..signature_end]);
    for cut in [signature_end + 1, signature_end + 16, whole.len() - 1] {
        cases.add(9, "cut short within salt or body", &whole[..cut]);
    }
    cases.add(9, "a byte too many", &[&whole[..], &[0]].concat());
    cases.add(9, "a body that was not promised", &[&signed(&post())[..], &SALT, b"words"].concat());
    let mut other = whole.clone();
    *other.last_mut().expect("not empty") = b'x';
    cases.add(9, "another body of the same length", &other);
    let filled = |bytes: usize| {
        let mut header = Header { kind: RawKind { tag: 99, fields: vec![] }, ..post() };
        header.kind.fields = vec![0; bytes - codec::encode(&header).len()];
        header
    };
    cases.add(0, "the largest header", &signed(&filled(16384)));
    cases.add(2, "a header one byte too large", &signed(&filled(16385)));
    cases.add(0, "the largest body", &with_body(post(), &[b'x'; 49136]));
    cases.add(8, "a body one byte too large", &with_body(post(), &[b'x'; 49137]));
    let largest = with_body(filled(16320), &[b'x'; 49136]);
    cases.add(0, "the largest event", &largest);
    let larger = with_body(filled(16321), &[b'x'; 49136]);
    cases.add(1, "an event one byte too large", &larger);
    cases.add(1, "an event one byte too large, without its body", &larger[..16321 + 64]);
    let no_promise = BodyCommitment { len: 0, commitment: [1; 32] };
    cases.add(8, "an empty body with a commitment", &signed(&Header { body: no_promise, ..post() }));
}

fn headers(cases: &mut Cases) {
    let mut bytes = signed(&post());
    bytes[65] = 2;
    cases.add(2, "a third sort of signer", &bytes);
    let mut bytes = signed(&Header { refs: ids(1), ..post() });
    bytes[77..85].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    cases.add(2, "2^40 refs claimed", &bytes);
    cases.add(0, "eight refs", &signed(&Header { refs: ids(8), ..post() }));
    cases.add(4, "nine refs", &signed(&Header { refs: ids(9), ..post() }));
    cases.add(4, "a ref twice", &signed(&Header { refs: vec![id(1); 2], ..post() }));
    let mut down = ids(2);
    down.reverse();
    cases.add(4, "refs out of order", &signed(&Header { refs: down, ..post() }));
    cases.add(7, "space zero", &signed(&Header { space: SpaceId::ZERO, ..post() }));
    let later = Header { kind: RawKind { tag: 14, fields: vec![1, 2, 3] }, ..post() };
    cases.add(0, "a kind of a later version", &signed(&later));
    cases.add(7, "a kind of a later version in space zero", &signed(&Header { space: SpaceId::ZERO, ..later }));
}

fn examples() -> Vec<Kind> {
    let none = KeyCommitment([0; 32]);
    let me = key(1).public();
    let charter = Charter { work_bits: 0, ..Charter::new("x".into(), me) };
    let target = LabelTarget::Event(id(1));
    vec![
        Kind::Charter(charter),
        Kind::Post(Post::default()),
        Kind::Comment(Comment { root: id(1), parent: id(1) }),
        Kind::Edit(Edit { target: id(1) }),
        Kind::Retract(Retract { targets: ids(1) }),
        Kind::Vote(Vote { target: id(1), value: 0 }),
        Kind::Label(Label { targets: vec![target], value: "x".into(), rule: None, expires_ms: 0 }),
        Kind::Steward(Steward { subject: me, rank: Some(255) }),
        Kind::Checkpoint(Checkpoint { heads: ids(1) }),
        Kind::Vouch(Vouch { subject: me, board: board(), weight: 0 }),
        Kind::Profile(Profile { next_root: none, revocation: none }),
        Kind::Revoke(Revoke { root: me, subject: RevokeSubject::Root, heads: vec![] }),
        Kind::Succeed(Succeed { old: me }),
    ]
}

fn fields(cases: &mut Cases) {
    for kind in examples() {
        let word = kind.word();
        cases.kind(0, &format!("{word}: an example"), &kind);
        let raw = kind.to_raw();
        let longer = [&raw.fields[..], &[0]].concat();
        let shorter = raw.fields[..raw.fields.len() - 1].to_vec();
        for (name, fields) in [("one byte more", longer), ("one byte less", shorter), ("no fields", vec![])] {
            let header = Header { kind: RawKind { tag: raw.tag, fields }, ..header(&kind) };
            cases.add(5, &format!("{word}: {name}"), &signed(&header));
        }
        let foreign = if raw.tag == 1 { board() } else { SpaceId::ZERO };
        cases.add(7, &format!("{word}: in a wrong space"), &signed(&Header { space: foreign, ..header(&kind) }));
        if matches!(kind, Kind::Vouch(_) | Kind::Profile(_) | Kind::Revoke(_) | Kind::Succeed(_)) {
            let header = Header { space: SpaceId([9; 32]), ..header(&kind) };
            cases.add(7, &format!("{word}: in a foreign space"), &signed(&header));
        }
    }
    let changed = |kind: &Kind, at: usize, byte: u8| {
        let mut raw = kind.to_raw();
        raw.fields[at] = byte;
        signed(&Header { kind: raw, ..header(kind) })
    };
    let kinds = examples();
    cases.add(5, "steward: an option of 2", &changed(&kinds[7], 32, 2));
    cases.add(5, "label: a third sort of target", &changed(&kinds[6], 8, 2));
    cases.add(5, "post: a tag that is no UTF-8", &changed(&Kind::Post(Post { tags: vec!["a".into()] }), 16, 0xff));
    cases.add(5, "label: 2^56 targets claimed", &changed(&kinds[6], 7, 1));
}

fn rules(cases: &mut Cases) {
    let me = key(1).public();
    let charter = || Charter { work_bits: 0, ..Charter::new("x".into(), me) };
    let mut two = vec![AuthorKey([1; 32]), AuthorKey([2; 32])];
    let stewards = |count: u8| (0..count).map(|byte| AuthorKey([byte; 32])).collect::<Vec<_>>();
    let good = [
        Charter { name: "x".repeat(32), language: "a".repeat(35), ..charter() },
        Charter { stewards: stewards(16), threshold: 16, ..charter() },
        Charter { stewards: vec![], threshold: 0, body_bytes_max: 0, ..charter() },
    ];
    for charter in good {
        cases.kind(0, "charter: at the border", &Kind::Charter(charter));
    }
    let bad = [
        ("no name", Charter { name: String::new(), ..charter() }),
        ("a name of 33 characters", Charter { name: "x".repeat(33), ..charter() }),
        ("a name with a control", Charter { name: "x\u{7}".into(), ..charter() }),
        ("a name with a space at the end", Charter { name: "x ".into(), ..charter() }),
        ("a name with an invisible joiner", Charter { name: "x\u{200d}y".into(), ..charter() }),
        ("a language of 36 bytes", Charter { language: "a".repeat(36), ..charter() }),
        ("a language with an underscore", Charter { language: "en_GB".into(), ..charter() }),
        ("17 stewards", Charter { stewards: stewards(17), ..charter() }),
        ("no threshold", Charter { threshold: 0, ..charter() }),
        ("a threshold above the stewards", Charter { threshold: 2, ..charter() }),
        ("a threshold without stewards", Charter { stewards: vec![], ..charter() }),
        ("33 bits of work", Charter { work_bits: 33, ..charter() }),
        ("bodies above the network's limit", Charter { body_bytes_max: 49137, ..charter() }),
        (
            "stewards out of order",
            Charter {
                stewards: {
                    two.reverse();
                    two
                },
                ..charter()
            },
        ),
    ];
    for (name, charter) in bad {
        cases.kind(6, &format!("charter: {name}"), &Kind::Charter(charter));
    }
    let tags = |tags: Vec<String>| Kind::Post(Post { tags });
    cases.kind(0, "post: eight tags", &tags((0..8).map(|number| number.to_string()).collect()));
    cases.kind(6, "post: nine tags", &tags((0..9).map(|number| number.to_string()).collect()));
    cases.kind(0, "post: a tag of 32 bytes", &tags(vec!["é".repeat(16)]));
    cases.kind(6, "post: a tag of 34 bytes", &tags(vec!["é".repeat(17)]));
    cases.kind(6, "post: an empty tag", &tags(vec![String::new()]));
    cases.kind(6, "post: a tag twice", &tags(vec!["a".into(), "a".into()]));
    cases.kind(6, "post: tags out of order", &tags(vec!["b".into(), "a".into()]));
    lists(cases);
    cases.kind(6, "vote: 2", &Kind::Vote(Vote { target: id(1), value: 2 }));
    cases.kind(6, "vote: -2", &Kind::Vote(Vote { target: id(1), value: -2 }));
    cases.kind(0, "vote: -1", &Kind::Vote(Vote { target: id(1), value: -1 }));
    cases.kind(6, "vouch: 2", &Kind::Vouch(Vouch { subject: me, board: board(), weight: 2 }));
    cases.kind(6, "steward: rank 0", &Kind::Steward(Steward { subject: me, rank: Some(0) }));
    cases.kind(0, "steward: no rank", &Kind::Steward(Steward { subject: me, rank: None }));
}

fn lists(cases: &mut Cases) {
    let retract = |targets| Kind::Retract(Retract { targets });
    let checkpoint = |heads| Kind::Checkpoint(Checkpoint { heads });
    let revoke = |heads| Kind::Revoke(Revoke { root: key(1).public(), subject: RevokeSubject::Root, heads });
    let kinds: [&dyn Fn(Vec<EventId>) -> Kind; 3] = [&retract, &checkpoint, &revoke];
    for kind in kinds {
        let word = kind(vec![]).word();
        cases.kind(6, &format!("{word}: 257 events"), &kind(many(257)));
        cases.kind(6, &format!("{word}: one twice"), &kind(vec![id(1); 2]));
        let mut down = ids(2);
        down.reverse();
        cases.kind(6, &format!("{word}: out of order"), &kind(down));
    }
    cases.kind(0, "retract: 256 events", &retract(many(256)));
    cases.kind(6, "retract: no events", &retract(vec![]));
    cases.kind(6, "checkpoint: no events", &checkpoint(vec![]));
    let target = || vec![LabelTarget::Event(id(1))];
    let label = |targets: Vec<LabelTarget>, value: &str, rule, life_ms| {
        Kind::Label(Label { targets, value: value.into(), rule, expires_ms: TIME_MS + life_ms })
    };
    let numbered = |count| many(count).into_iter().map(LabelTarget::Event).collect::<Vec<_>>();
    cases.kind(0, "label: 400 targets", &label(numbered(400), "x", Some(1), LABEL_LIFE_MS_MAX));
    cases.kind(6, "label: 401 targets", &label(numbered(401), "x", None, 0));
    cases.kind(6, "label: no target", &label(vec![], "x", None, 0));
    cases.kind(6, "label: no value", &label(target(), "", None, 0));
    cases.kind(0, "label: a value of 32 bytes", &label(target(), &"z".repeat(32), None, 0));
    cases.kind(6, "label: a value of 33 bytes", &label(target(), &"z".repeat(33), None, 0));
    cases.kind(6, "label: a value with a capital", &label(target(), "Spam", None, 0));
    cases.kind(6, "label: rule 0", &label(target(), "x", Some(0), 0));
    cases.kind(6, "label: a life beyond 180 days", &label(target(), "x", None, LABEL_LIFE_MS_MAX + 1));
    let author_first = vec![LabelTarget::Author(AuthorKey([0; 32])), LabelTarget::Event(id(1))];
    cases.kind(6, "label: authors before events", &label(author_first, "x", None, 0));
    let forever = Label { targets: target(), value: "x".into(), rule: None, expires_ms: u64::MAX };
    let late = Header { created_ms: u64::MAX - 5, ..header(&Kind::Label(forever)) };
    cases.add(0, "label: at the end of time", &signed(&late));
}

fn keys(cases: &mut Cases) {
    let (root, device, other) = (key(1), key(2), key(3));
    let signer = |certifier: &SecretKey, network: &NetworkId, expires_ms: u64| {
        let key = device.public().0;
        let certificate = certifier.sign(Domain::Device, network, &device_message(&key, expires_ms));
        Signer::Device { key, expires_ms, certificate }
    };
    let by_device = |signer: Signer| signed_by(&device, &Header { signer, ..post() });
    let here = network();
    cases.add(0, "a device at its last moment", &by_device(signer(&root, &here, TIME_MS)));
    cases.add(10, "a device a moment later", &by_device(signer(&root, &here, TIME_MS - 1)));
    cases.add(10, "a device of another network", &by_device(signer(&root, &NetworkId::of("roda-main"), TIME_MS)));
    cases.add(10, "a device certified by another key", &by_device(signer(&other, &here, TIME_MS)));
    cases.add(10, "a device that certified itself", &by_device(signer(&device, &here, TIME_MS)));
    let foreign = Header { author: other.public(), signer: signer(&root, &here, TIME_MS), ..post() };
    cases.add(10, "a device for another author", &signed_by(&device, &foreign));
    let for_device = Header { signer: signer(&root, &here, TIME_MS), ..post() };
    cases.add(12, "the root in its device's place", &signed_by(&root, &for_device));
    cases.add(12, "a device without its certificate", &signed_by(&device, &post()));
    cases.add(12, "a signature by another", &signed_by(&other, &post()));
    let mut flipped = signed(&post());
    *flipped.last_mut().expect("not empty") ^= 0x80;
    cases.add(12, "a flipped bit in the scalar", &flipped);
    let elsewhere = {
        let mut bytes = codec::encode(&post());
        let signature = root.sign(Domain::Event, &NetworkId::of("roda-main"), &bytes);
        bytes.extend_from_slice(&signature.to_bytes());
        bytes
    };
    cases.add(12, "an event of another network", &elsewhere);
}

fn floors(cases: &mut Cases) {
    let bits =
        |header: &Header| roda_protocol::work::bits(&roda_protocol::work::event_id(&network(), &codec::encode(header)));
    let mut stamped = post();
    while bits(&stamped) != 8 {
        stamped.work += 1;
    }
    let floor = |work_bits| SpaceRules { work_bits, ..FREE };
    cases.under(floor(8), 0, "as much work as the floor", &signed(&stamped));
    cases.under(floor(9), 11, "a bit less work than the floor", &signed(&stamped));
    cases.under(floor(9), 11, "too little work and a wrong signature", &signed_by(&key(3), &stamped));
    let words = with_body(post(), b"words");
    let bound = |body_bytes_max| SpaceRules { work_bits: 0, body_bytes_max };
    cases.under(bound(5), 0, "a body as large as the board allows", &words);
    cases.under(bound(4), 8, "a body larger than the board allows", &words);
    cases.under(bound(4), 8, "the promise of such a body", &words[..words.len() - 21]);
    let strict = SpaceRules { work_bits: 200, body_bytes_max: 0 };
    let charter = |work_bits, body_bytes_max| {
        header(&Kind::Charter(Charter { work_bits, body_bytes_max, ..Charter::new("x".into(), key(1).public()) }))
    };
    cases.under(strict, 0, "a charter under its own rules", &with_body(charter(0, 5), b"words"));
    cases.under(FREE, 8, "a charter above its own body limit", &with_body(charter(0, 4), b"words"));
    cases.under(FREE, 11, "a charter below its own floor", &signed(&charter(32, 0)));
}

#[test]
fn each_check_refuses_the_written_bytes_by_its_code() {
    let mut cases = Cases(Vec::new());
    sizes(&mut cases);
    headers(&mut cases);
    fields(&mut cases);
    rules(&mut cases);
    keys(&mut cases);
    floors(&mut cases);
    check("invalid.json", &json!({ "network": "roda-test", "cases": cases.0 }));
}
