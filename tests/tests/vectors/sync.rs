use super::{check, hex};
use roda_protocol::codec;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Ask, Bound, Child, Differs, EpochEntry, Finding, Probe, Salt, ShortBytes};
use roda_protocol::wire::{
    EventBytes, Form, Listed, Request, Response, SpaceAsk, SpaceDigest, Taken, digest_hint, space_tag,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The hash that a number stands for, as in `threads.json`.
pub(crate) fn bytes(number: u32) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

pub(crate) fn id(number: u32) -> EventId {
    EventId(bytes(number))
}

pub(crate) fn hexes<T: AsRef<[u8]>>(all: &[T]) -> Value {
    all.iter().map(hex).collect()
}

pub(crate) fn bound_json(bound: &Bound) -> Value {
    json!({ "offset_ms": bound.offset_ms, "prefix": hex(&bound.prefix) })
}

fn ids_json(ids: &[EventId]) -> Value {
    ids.iter().map(|id| hex(id.0)).collect()
}

fn events_json(events: &[EventBytes]) -> Value {
    events.iter().map(|event| hex(&event.0)).collect()
}

fn form_json(form: Form) -> &'static str {
    match form {
        Form::Whole => "whole",
        Form::Header => "header",
    }
}

pub(crate) fn children_json(children: &[Child]) -> Value {
    let one = |child: &Child| json!({ "upper": bound_json(&child.upper), "count": child.count, "fingerprint": hex(child.fingerprint) });
    children.iter().map(one).collect()
}

fn probe_json(probe: &Probe) -> Value {
    let ask = match &probe.ask {
        Ask::Split(children) => json!({ "split": children_json(children) }),
        Ask::List { upper, members } => json!({ "list": { "upper": bound_json(upper), "members": hexes(members) } }),
        Ask::Exact { upper, members } => json!({ "exact": { "upper": bound_json(upper), "members": hexes(members) } }),
        Ask::Sketch { from, to } => json!({ "sketch": { "from": from, "to": to } }),
    };
    json!({ "epoch": probe.epoch, "lower": bound_json(&probe.lower), "ask": ask })
}

fn differs_json(differs: &Differs) -> Value {
    match differs {
        Differs::Nothing => json!("nothing"),
        Differs::List(members) => json!({ "list": hexes(members) }),
        Differs::Split(children) => json!({ "split": children_json(children) }),
        Differs::Later => json!("later"),
    }
}

fn finding_json(finding: &Finding) -> Value {
    match finding {
        Finding::Split(parts) => {
            let one = |(place, differs): &(u16, Differs)| json!([place, differs_json(differs)]);
            json!({ "split": parts.iter().map(one).collect::<Vec<_>>() })
        }
        Finding::Scattered(counts) => json!({ "scattered": counts }),
        Finding::List { upto, wants, offers } => {
            json!({ "list": { "upto": upto.as_ref().map(bound_json), "wants": hex(wants), "offers": hexes(offers) } })
        }
        Finding::Sketch(symbols) => json!({ "sketch": hex(symbols) }),
        Finding::Later => json!("later"),
    }
}

fn request_json(request: &Request) -> Value {
    match request {
        Request::Spaces { salt, spaces } => {
            let one = |ask: &SpaceAsk| json!({ "tag": hex(ask.tag), "hint": hex(ask.hint) });
            json!({ "spaces": { "salt": hex(salt.0), "spaces": spaces.iter().map(one).collect::<Vec<_>>() } })
        }
        Request::Compare { salt, space, probes } => {
            let probes: Vec<_> = probes.iter().map(probe_json).collect();
            json!({ "compare": { "salt": hex(salt.0), "space": hex(space.0), "probes": probes } })
        }
        Request::Range { space, epoch, lower, upper, form } => json!({ "range": {
            "space": hex(space.0), "epoch": epoch, "lower": bound_json(lower), "upper": bound_json(upper),
            "form": form_json(*form),
        } }),
        Request::Pick { space, epoch, members, form } => json!({ "pick": {
            "space": hex(space.0), "epoch": epoch, "members": hexes(members), "form": form_json(*form),
        } }),
        Request::Get { space, ids } => json!({ "get": { "space": hex(space.0), "ids": ids_json(ids) } }),
        Request::Push { space, form, events } => json!({ "push": {
            "space": hex(space.0), "form": form_json(*form), "events": events_json(events),
        } }),
        Request::Holds { space, ids } => json!({ "holds": { "space": hex(space.0), "ids": ids_json(ids) } }),
        Request::Directory { after } => json!({ "directory": { "after": after.map(|after| hex(after.0)) } }),
    }
}

pub(crate) fn epochs_json(epochs: &[EpochEntry]) -> Value {
    let one = |entry: &EpochEntry| json!({ "epoch": entry.epoch, "count": entry.count, "fingerprint": hex(entry.fingerprint) });
    epochs.iter().map(one).collect()
}

fn response_json(response: &Response) -> Value {
    match response {
        Response::Spaces { headers_first, spaces } => {
            let one = |space: &SpaceDigest| {
                json!({
                    "index": space.index, "count": space.count, "digest": hex(space.digest),
                    "epochs": space.epochs.as_ref().map(|epochs| epochs_json(epochs)),
                })
            };
            json!({ "spaces": { "headers_first": headers_first, "spaces": spaces.iter().map(one).collect::<Vec<_>>() } })
        }
        Response::Compared(findings) => json!({ "compared": findings.iter().map(finding_json).collect::<Vec<_>>() }),
        Response::Range { events, next } => {
            json!({ "range": { "events": events_json(events), "next": next.as_ref().map(bound_json) } })
        }
        Response::Events { events, answered } => {
            json!({ "events": { "events": events_json(events), "answered": answered } })
        }
        Response::Taken(taken) => {
            let one = |taken: &Taken| match taken {
                Taken::Held => "held",
                Taken::Declined => "declined",
                Taken::Words => "words",
                Taken::No => "no",
            };
            json!({ "taken": taken.iter().map(one).collect::<Vec<_>>() })
        }
        Response::Holding(held) => json!({ "holding": held }),
        Response::NotFollowed => json!("not_followed"),
        Response::Busy => json!("busy"),
        Response::Directory { boards, more } => {
            let one = |board: &Listed| {
                json!({
                    "charter": hex(&board.charter.0), "events": board.events, "threads": board.threads,
                    "last_day": board.last_day,
                })
            };
            json!({ "directory": { "boards": boards.iter().map(one).collect::<Vec<_>>(), "more": more } })
        }
    }
}

const SPACE: SpaceId = SpaceId([0x33; 32]);

const SALT: Salt = Salt([0x5a; 16]);

fn place(offset_ms: u32, prefix: &[u8]) -> Bound {
    Bound { offset_ms, prefix: prefix.to_vec() }
}

fn short(number: u8) -> ShortBytes {
    [number; 8]
}

fn child(upper: Bound, count: u64) -> Child {
    Child { upper, count, fingerprint: short(7) }
}

fn probes() -> Vec<Probe> {
    let probe = |epoch, lower, ask| Probe { epoch, lower, ask };
    let children =
        vec![child(place(250, &[]), 0), child(place(251, &[1, 0, 255]), 300), child(place(u32::MAX, &[]), 1 << 40)];
    vec![
        probe(0, place(0, &[]), Ask::Split(children)),
        probe(1716, place(70_000, &[9]), Ask::List { upper: place(u32::MAX, &[]), members: vec![short(1), short(2)] }),
        probe(u64::MAX, place(1, &[]), Ask::Exact { upper: place(2, &[]), members: vec![short(2), short(1)] }),
        probe(251, place(0, &[]), Ask::Sketch { from: 12, to: 4096 }),
    ]
}

fn findings() -> Vec<Finding> {
    let parts = vec![
        (0, Differs::Nothing),
        (3, Differs::List(vec![short(1), short(1)])),
        (9, Differs::Split(vec![child(place(5, &[]), 17), child(place(6, &[8]), 3)])),
        (15, Differs::Later),
    ];
    let list = |upto, wants: Vec<u8>, offers| Finding::List { upto, wants: wants.into(), offers };
    vec![
        Finding::Split(vec![]),
        Finding::Split(parts),
        Finding::Scattered(vec![0, 250, 251, 65_535, 65_536, u64::MAX]),
        list(None, vec![], vec![]),
        list(Some(place(7, &[1])), vec![0b101, 1], vec![short(3)]),
        Finding::Sketch(vec![0xc5; 26].into()),
        Finding::Later,
    ]
}

fn requests() -> Vec<Request> {
    let ask = SpaceAsk { tag: [9; 8], hint: [1, 2, 3, 251, 252, 253, 254, 255] };
    let all =
        |form| Request::Range { space: SPACE, epoch: 1716, lower: place(0, &[]), upper: place(u32::MAX, &[]), form };
    let event = |length| EventBytes(vec![0xe4; length]);
    let mut requests = vec![
        Request::Spaces { salt: SALT, spaces: vec![] },
        Request::Spaces { salt: SALT, spaces: vec![ask, ask] },
        Request::Compare { salt: SALT, space: SPACE, probes: probes() },
        all(Form::Whole),
        all(Form::Header),
        Request::Range {
            space: SPACE,
            epoch: 7,
            lower: place(250, &[5]),
            upper: place(250, &[5, 1]),
            form: Form::Whole,
        },
        Request::Pick { space: SPACE, epoch: 1716, members: vec![short(4), short(3), short(4)], form: Form::Header },
        Request::Get { space: SPACE, ids: vec![id(4), id(3), id(4)] },
        Request::Push { space: SPACE, form: Form::Whole, events: vec![event(0), event(250), event(251)] },
        Request::Holds { space: SPACE, ids: vec![id(5)] },
    ];
    requests.extend(probes().into_iter().map(|probe| Request::Compare {
        salt: SALT,
        space: SPACE,
        probes: vec![probe],
    }));
    requests.extend([None, Some(SPACE)].map(|after| Request::Directory { after }));
    requests
}

fn responses() -> Vec<Response> {
    let digest = |index, epochs| SpaceDigest { index, count: 1 << 40, digest: [index as u8; 16], epochs };
    let entry = |epoch, count| EpochEntry { epoch, count, fingerprint: short(8) };
    let epochs = vec![entry(0, 1), entry(250, 251), entry(1716, 32_768)];
    let event = EventBytes(vec![9; 20]);
    let mut responses = vec![
        Response::Spaces { headers_first: false, spaces: vec![] },
        Response::Spaces {
            headers_first: true,
            spaces: vec![digest(0, None), digest(251, Some(epochs)), digest(300, Some(vec![]))],
        },
        Response::Compared(findings()),
        Response::Range { events: vec![], next: None },
        Response::Range { events: vec![event.clone()], next: Some(place(300, &[1])) },
        Response::Events { events: vec![event], answered: 300 },
        Response::Taken(vec![Taken::Held, Taken::Declined, Taken::Words, Taken::No]),
        Response::Holding(vec![true, false, true]),
        Response::NotFollowed,
        Response::Busy,
    ];
    responses.extend(findings().into_iter().map(|finding| Response::Compared(vec![finding])));
    let listed =
        |bytes, events, threads, last_day| Listed { charter: EventBytes(vec![0xc7; bytes]), events, threads, last_day };
    responses.extend([
        Response::Directory { boards: vec![], more: false },
        Response::Directory { boards: vec![listed(250, 251, 7, 20_800), listed(0, u64::MAX, 1 << 40, 0)], more: true },
    ]);
    responses
}

/// Bytes that are no request and no response.
fn malformed() -> Vec<Value> {
    let space = SPACE.0;
    let all = |parts: &[&[u8]]| parts.concat();
    let get = Request::Get { space: SPACE, ids: vec![id(1)] }.to_bytes();
    let digest = all(&[&[5, 1], &[0; 16], &[0]]);
    let entries = |entries: &[u8]| all(&[&[0, 0, 1, 5, 1], &[0; 16], &[1], entries]);
    let range = |lower: &[u8], upper: &[u8]| all(&[&[2], &space, &[1], lower, upper, &[0]]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no bytes", vec![]),
        ("an unknown variant", vec![9]),
        ("a variant in three bytes", all(&[&[251, 6, 0]])),
        ("a variant of 255", vec![255]),
        ("get: a length in three bytes", all(&[&[4], &space, &[251, 1, 0], &[7; 32]])),
        ("get: 2^32 ids claimed", all(&[&[4], &space, &[253, 0, 0, 0, 0, 1, 0, 0, 0]])),
        ("get: 1025 ids", all(&[&[4], &space, &[251, 1, 4], &[7; 1025 * 32]])),
        ("get: too short", get[..get.len() - 1].to_vec()),
        ("get: a byte too many", all(&[&get, &[0]])),
        ("range: it ends where it begins", range(&[9, 0], &[9, 0])),
        ("range: it ends before it begins", range(&[9, 1, 2], &[9, 1, 1])),
        ("range: a zero at the end of a prefix", range(&[9, 1, 0], &[10, 0])),
        ("range: a prefix of 33 bytes", range(&all(&[&[9, 33], &[1; 33]]), &[10, 0])),
        ("range: a prefix behind the end", range(&[9, 0], &[252, 255, 255, 255, 255, 1, 1])),
        ("range: a third form", all(&[&[2], &space, &[1, 9, 0, 10, 0, 2]])),
        ("pick: 1025 names", all(&[&[3], &space, &[1, 251, 1, 4], &[7; 1025 * 8], &[0]])),
        ("push: an event of 65537 bytes", all(&[&[5], &space, &[0, 1, 252, 1, 0, 1, 0], &vec![7; 65537]])),
        ("push: an option of two", all(&[&[5], &space, &[2, 0]])),
        ("spaces: a bool of 2", vec![0, 2, 0]),
        ("spaces: an index twice", all(&[&[0, 0, 2], &digest, &digest])),
        ("spaces: an index of 64 bits", all(&[&[0, 0, 1, 253, 1, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 16], &[0]])),
        ("spaces: an epoch twice", entries(&all(&[&[2, 5, 1], &[0; 8], &[5, 1], &[0; 8]]))),
        ("spaces: epochs out of order", entries(&all(&[&[2, 5, 1], &[0; 8], &[4, 1], &[0; 8]]))),
        ("spaces: an epoch without members", entries(&all(&[&[1, 5, 0], &[0; 8]]))),
        ("compared: a place of 32 bits", vec![1, 1, 0, 1, 252, 0, 0, 1, 0, 0]),
        ("compared: an unknown finding", vec![1, 1, 5]),
        // 65 KB on the wire, and 524,304 bytes with every integer at full width.
        ("compared: too many integers", all(&[&[1, 1, 1, 251, 255, 255], &vec![0; 65535]])),
        ("not followed: a byte too many", vec![6, 0]),
        ("taken: an unknown fate", vec![4, 1, 4]),
        ("directory: an option of two", vec![7, 2]),
        ("directory: it goes on with nothing", vec![8, 0, 1]),
        ("directory: a charter of 8193 bytes", all(&[&[8, 1, 251, 1, 32], &vec![1; 8193 + 4]])),
        ("directory: 33 boards", all(&[&[8, 33], &[0, 1, 1, 1].repeat(33), &[0]])),
        ("directory: a day of 64 bits", vec![8, 1, 0, 1, 1, 253, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
    ];
    let case = |(name, bytes): (&str, Vec<u8>)| {
        assert!(Request::from_bytes(&bytes).is_err(), "{name}");
        assert!(Response::from_bytes(&bytes).is_err(), "{name}");
        let run = bytes.chunk_by(|a, b| a == b).last().map_or(0, <[u8]>::len);
        let (head, tail) = bytes.split_at(bytes.len() - if run >= 64 { run } else { 0 });
        let last = tail.first().map_or(String::new(), |byte| hex([*byte]));
        json!({ "name": name, "bytes": [hex(head), [last, tail.len()]] })
    };
    cases.into_iter().map(case).collect()
}

fn varint<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(kind: &str, value: T) -> Value {
    let bytes = codec::encode_compact(&value);
    let json = json!({ "type": kind, "value": value, "bytes": hex(&bytes) });
    assert_eq!(codec::decode_compact::<T>(&bytes), Ok(value));
    json
}

fn varints() -> Vec<Value> {
    let edges = [0, 1, 250, 251, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX];
    let mut all: Vec<Value> = [0_u8, 250, 251, 255].map(|value| varint("u8", value)).into();
    all.extend(edges.iter().filter_map(|value| u16::try_from(*value).ok()).map(|value| varint("u16", value)));
    all.extend(edges.iter().filter_map(|value| u32::try_from(*value).ok()).map(|value| varint("u32", value)));
    all.extend(edges.map(|value| varint("u64", value)));
    all
}

fn not_varints() -> Vec<Value> {
    fn refused<T: Serialize + DeserializeOwned>(kind: &str, bytes: &[u8]) -> Value {
        assert!(codec::decode_compact::<T>(bytes).is_err());
        json!({ "type": kind, "bytes": hex(bytes) })
    }
    vec![
        refused::<u64>("u64", &[]),
        refused::<u64>("u64", &[251, 250, 0]),
        refused::<u64>("u64", &[252, 255, 255, 0, 0]),
        refused::<u64>("u64", &[253, 255, 255, 255, 255, 0, 0, 0, 0]),
        refused::<u64>("u64", &[253, 0, 0, 0, 0, 1, 0, 0]),
        refused::<u64>("u64", &[254, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        refused::<u64>("u64", &[255]),
        refused::<u64>("u64", &[1, 0]),
        refused::<u32>("u32", &[253, 0, 0, 0, 0, 1, 0, 0, 0]),
        refused::<u16>("u16", &[252, 0, 0, 1, 0]),
        refused::<u8>("u8", &[251, 251, 0]),
    ]
}

fn greetings() -> Vec<Value> {
    let of = |number: u8| {
        let (salt, space) = (Salt([number; 16]), SpaceId(bytes(u32::from(number) + 100)));
        let (key, digest) = (salt.key(), [number ^ 0xff; 16]);
        json!({
            "salt": hex(salt.0), "key": hex(key), "space": hex(space.0), "tag": hex(space_tag(&key, space)),
            "digest": hex(digest), "hint": hex(digest_hint(&key, &digest)),
        })
    };
    [0, 1, 2].map(of).into()
}

/// The widest message: a reader counts integers at full width against a bound of its own.
#[test]
fn a_message_is_bounded_at_full_width() {
    let counts = |count| Response::Compared(vec![Finding::Scattered(vec![0; count])]);
    let most = (0..65_536).rev().find(|count| Response::from_bytes(&counts(*count).to_bytes()).is_ok());
    // Two variants, two lengths, and eight bytes for each count.
    assert_eq!(most, Some((512 * 1024 - 4 - 8 - 4 - 8) / 8));
    let fixed = codec::encode(&counts(most.unwrap_or(0))).len();
    assert!(fixed <= 512 * 1024 && fixed + 8 > 512 * 1024);
}

#[test]
fn sync_messages_are_the_written_ones() {
    let request = |request: &Request| {
        let bytes = request.to_bytes();
        assert_eq!(Request::from_bytes(&bytes).as_ref(), Ok(request));
        json!({ "bytes": hex(bytes), "message": request_json(request) })
    };
    let response = |response: &Response| {
        let bytes = response.to_bytes();
        assert_eq!(Response::from_bytes(&bytes).as_ref(), Ok(response));
        json!({ "bytes": hex(bytes), "message": response_json(response) })
    };
    check(
        "sync.json",
        &json!({
            "varints": varints(),
            "not_varints": not_varints(),
            "requests": requests().iter().map(request).collect::<Vec<_>>(),
            "responses": responses().iter().map(response).collect::<Vec<_>>(),
            "malformed": malformed(),
            "greetings": greetings(),
        }),
    );
}
