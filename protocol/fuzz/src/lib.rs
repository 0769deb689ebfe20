//! What each fuzz target does with any bytes: nothing may panic, and what is accepted keeps its promises.
//!
//! The bodies are here, apart from the fuzzer, so that ordinary tests replay the corpora (`tests/tests/corpus.rs`).

use roda_protocol::codec;
use roda_protocol::event::{Body, BodyCommitment, Header, Kind, RawKind, Signed, Signer};
use roda_protocol::id::{AuthorKey, EventId, NetworkId, SpaceId};
use roda_protocol::invite::{Invitation, Invite, PREFIX};
use roda_protocol::keys::SecretKey;
use roda_protocol::limits::{BODY_BYTES_MAX, SYNC_RESPONSE_BYTES_MAX};
use roda_protocol::reconcile::{
    Comparison, EPOCH_MS, EpochEntry, Fetch, Finding, MemorySets, PROBES_MAX, Probe, Push, ROUNDS_MAX, answer,
};
use roda_protocol::text::{Untrusted, board_name_normalised, display_width, is_clean_name};
use roda_protocol::validate::{SpaceRules, validate};
use roda_protocol::wire::{Request, Response};
use std::collections::BTreeSet;
use std::sync::OnceLock;

fn network() -> NetworkId {
    NetworkId::of("roda-test")
}

/// Bytes as an event: what is accepted is the one encoding of itself, and the same event without its words.
pub fn event(bytes: &[u8]) {
    let Ok(signed) = Signed::decode(&network(), bytes) else { return };
    assert_eq!(signed.bytes(), bytes);
    assert!(bytes.starts_with(&codec::encode(signed.header())));
    if !matches!(signed.kind(), Kind::Unknown { .. }) {
        assert_eq!(signed.kind().to_raw(), signed.header().kind);
    }
    let bare = Signed::decode(&network(), signed.bytes_without_body()).expect("the form without words is an event");
    assert_eq!((bare.id(), bare.space()), (signed.id(), signed.space()));
    let free = SpaceRules { work_bits: 0, body_bytes_max: BODY_BYTES_MAX as u32 };
    let verdict = validate(signed, &free).map(|verified| verified.id());
    assert_eq!(validate(bare, &free).map(|verified| verified.id()), verdict, "words decide no validity");
}

/// The first byte chooses a kind, the others are its words: they are read back as themselves, or unreadable.
pub fn words(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let signed = event_with(*kind, body);
    match signed.body() {
        Some(Body::None | Body::Unreadable) => {}
        Some(words) => {
            assert!(words.fits());
            assert_eq!(words.to_bytes(), body);
        }
        None => panic!("the event is whole"),
    }
}

/// An unsigned event of a kind that has words.
fn event_with(kind: u8, body: &[u8]) -> Signed {
    let author = AuthorKey([1; 32]);
    let board = SpaceId([2; 32]);
    let id = [3; 32];
    // Tag, fields and space of the smallest example of each kind.
    let charter = [&1_u64.to_le_bytes()[..], b"x", &[0; 8], &[0; 8], &[0, 0], &49136_u32.to_le_bytes(), &[0]].concat();
    let label = [&1_u64.to_le_bytes()[..], &[0; 4], &id, &1_u64.to_le_bytes(), b"x", &[0], &[0; 8]].concat();
    let (tag, fields, space) = match kind % 6 {
        0 => (1, charter, SpaceId::ZERO),
        1 => (2, vec![0; 8], board),
        2 => (3, [id, id].concat(), board),
        3 => (4, id.to_vec(), board),
        4 => (7, label, board),
        _ => (11, vec![0; 64], SpaceId::of_author(author)),
    };
    let salt = [0; 16];
    let body = &body[..body.len().min(BODY_BYTES_MAX)];
    let header = Header {
        version: 1,
        space,
        author,
        signer: Signer::Root,
        created_ms: 0,
        refs: vec![],
        kind: RawKind { tag, fields },
        body: BodyCommitment::of(&salt, body),
        work: 0,
    };
    let mut bytes = [&codec::encode(&header)[..], &[0; 64]].concat();
    if !body.is_empty() {
        bytes.extend_from_slice(&salt);
        bytes.extend_from_slice(body);
    }
    Signed::decode(&network(), &bytes).expect("sound, though nobody signed it")
}

/// Bytes as what an invite says, and as the text of one: what is accepted is the one encoding of itself, and is read from
/// its signed text as it was.
pub fn invite(bytes: &[u8]) {
    if let Ok(said) = Invitation::from_bytes(bytes) {
        assert_eq!(said.to_bytes().as_deref(), Ok(bytes));
        let text = said.sign(&SecretKey::from_seed(&[1; 32])).expect("what is read fits");
        let invite = Invite::read(&text, said.issued_ms).expect("it was signed just now");
        assert_eq!(invite.said(), &said);
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = Invite::read(&text, 0);
    let _ = Invite::read(&format!("{PREFIX}{text}"), 0);
}

/// Bytes as a request.
pub fn wire_request(bytes: &[u8]) {
    if let Ok(request) = Request::from_bytes(bytes) {
        assert_eq!(request.to_bytes(), bytes);
    }
}

/// Bytes as a response.
pub fn wire_response(bytes: &[u8]) {
    if let Ok(response) = Response::from_bytes(bytes) {
        assert_eq!(response.to_bytes(), bytes);
    }
}

/// The first byte chooses a side: the others are probes of a stranger, or its findings, round by round. No side panics,
/// answers more than a message holds, goes on for ever or looks for something outside the ranges of its own questions.
pub fn reconcile(bytes: &[u8]) {
    let Some((side, bytes)) = bytes.split_first() else { return };
    match side % 4 {
        0 => asked(bytes),
        // As many members as here: a sketch. Many more: ranges. Or everything under salted names.
        1 => asking(bytes, 1102, false),
        2 => asking(bytes, 5000, false),
        _ => asking(bytes, 1102, true),
    }
}

/// A set with a sketch in its first epoch, and a few members in the next.
fn set() -> &'static MemorySets {
    static SET: OnceLock<MemorySets> = OnceLock::new();
    SET.get_or_init(|| {
        let mut sets = MemorySets::default();
        let member = |number: u64| EventId(NetworkId::of(&number.to_string()).0);
        for number in 0..1100 {
            assert!(sets.insert((number * EPOCH_MS / 4000, member(number))));
        }
        for number in 1100..1110 {
            assert!(sets.insert((EPOCH_MS + number % 3, member(number))));
        }
        sets
    })
}

fn asked(bytes: &[u8]) {
    let Ok(probes) = codec::decode_compact::<Vec<Probe>>(bytes) else { return };
    if probes.len() > PROBES_MAX {
        return;
    }
    let Ok(answered) = answer(set(), &[5; 32], &probes) else { return };
    assert_eq!(answered.findings.len(), probes.len());
    assert!(Response::Compared(answered.findings).to_bytes().len() <= SYNC_RESPONSE_BYTES_MAX);
    // A probe has at least eleven bytes for each fingerprint that it costs, and a finding's parts are bounded.
    assert!(answered.work <= 400_000);
}

fn asking(bytes: &[u8], count: u64, is_exact: bool) {
    let Ok(rounds) = codec::decode_compact::<Vec<Vec<Finding>>>(bytes) else { return };
    let theirs = [0, 1, 7].map(|epoch| EpochEntry { epoch, count, fingerprint: [7; 8] });
    let exact = if is_exact { BTreeSet::from([0, 1]) } else { BTreeSet::new() };
    let Ok((mut comparison, _)) = Comparison::start(set(), [5; 32], &theirs, &exact);
    let mut rounds = rounds.into_iter();
    loop {
        let Ok(probes) = comparison.next(set());
        let Some(probes) = probes else { break };
        // A stranger that has nothing more to say puts everything off.
        let mut findings = rounds.next().unwrap_or_default();
        findings.resize(probes.len(), Finding::Later);
        let Ok(found) = comparison.take(set(), findings) else { return };
        assert!(found.fetch.iter().all(|fetch| match fetch {
            Fetch::Range { lower, upper, .. } => lower < upper,
            Fetch::Picks { shorts, .. } => !shorts.is_empty(),
        }));
        assert!(found.push.iter().all(|push| match push {
            Push::Range { lower, upper, .. } => lower < upper,
            Push::Members { keys, .. } => keys.is_sorted() && !keys.is_empty(),
        }));
    }
    assert!(comparison.rounds() <= ROUNDS_MAX);
}

/// Bytes as a stranger's text: what is shown holds no control, keeps its width, and is not changed by showing it again.
pub fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let untrusted = Untrusted::new(text.clone());
    let line = untrusted.line(None);
    assert!(!line.chars().any(char::is_control));
    assert_eq!(Untrusted::new(line.clone()).line(None), line);
    let block = untrusted.block();
    assert!(block.chars().all(|character| character == '\n' || !character.is_control()));
    assert_eq!(Untrusted::new(block.clone()).block(), block);
    for columns in [0, 1, 7, 80] {
        assert!(display_width(&untrusted.line(Some(columns))) <= columns);
    }
    for row in untrusted.wrapped(40, "> ").lines() {
        assert!(row.starts_with("> ") && !row.chars().any(char::is_control));
    }
    let _ = is_clean_name(&text, 32);
    if let Ok(name) = board_name_normalised(&text) {
        assert!(is_clean_name(&name, 32));
        assert_eq!(board_name_normalised(&name), Ok(name));
    }
}
