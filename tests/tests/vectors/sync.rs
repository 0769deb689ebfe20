use super::{check, hex};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{KnownSet, LtHash, SetKey};
use roda_protocol::wire::{EventBytes, Request, Response, SpaceDigest, space_tag};
use serde_json::{Value, json};

fn bytes(number: u16) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

fn id(number: u16) -> EventId {
    EventId(bytes(number))
}

fn key(number: u16) -> SetKey {
    (1_800_000_000_000 + u64::from(number), id(number))
}

fn key_json(key: SetKey) -> Value {
    json!([key.0, hex(key.1.0)])
}

fn ids_json(ids: &[EventId]) -> Value {
    ids.iter().map(|id| hex(id.0)).collect()
}

fn events_json(events: &[EventBytes]) -> Value {
    events.iter().map(|event| hex(&event.0)).collect()
}

fn request_json(request: &Request) -> Value {
    match request {
        Request::Spaces { salt, tags } => {
            json!({ "spaces": { "salt": hex(salt), "tags": tags.iter().map(hex).collect::<Vec<_>>() } })
        }
        Request::Page { space, after } => {
            json!({ "page": { "space": hex(space.0), "after": after.map(key_json) } })
        }
        Request::Get { space, ids } => json!({ "get": { "space": hex(space.0), "ids": ids_json(ids) } }),
        Request::Push { space, events } => json!({ "push": { "space": hex(space.0), "events": events_json(events) } }),
        Request::Holds { space, ids } => json!({ "holds": { "space": hex(space.0), "ids": ids_json(ids) } }),
    }
}

fn response_json(response: &Response) -> Value {
    match response {
        Response::Spaces(spaces) => {
            let one = |space: &SpaceDigest| json!({ "index": space.index, "count": space.count, "digest": hex(space.digest) });
            json!({ "spaces": spaces.iter().map(one).collect::<Vec<_>>() })
        }
        Response::Page { keys, is_last } => {
            json!({ "page": { "keys": keys.iter().copied().map(key_json).collect::<Vec<_>>(), "is_last": is_last } })
        }
        Response::Events { events, answered } => {
            json!({ "events": { "events": events_json(events), "answered": answered } })
        }
        Response::Holding(held) => json!({ "holding": held }),
        Response::NotFollowed => json!("not_followed"),
        Response::Busy => json!("busy"),
    }
}

fn requests() -> Vec<Value> {
    let space = SpaceId(bytes(1));
    let all = [
        Request::Spaces { salt: bytes(2), tags: vec![] },
        Request::Spaces { salt: bytes(2), tags: vec![space_tag(&bytes(2), space), [9; 8]] },
        Request::Page { space, after: None },
        Request::Page { space, after: Some(key(3)) },
        Request::Get { space, ids: vec![id(4), id(3), id(4)] },
        Request::Push { space, events: vec![EventBytes(vec![1, 2, 3]), EventBytes(vec![])] },
        Request::Holds { space, ids: vec![id(5)] },
    ];
    all.iter().map(|request| json!({ "bytes": hex(request.to_bytes()), "message": request_json(request) })).collect()
}

fn responses() -> Vec<Value> {
    let digest = |index| SpaceDigest { index, count: 1 << 40, digest: [index as u8; 16] };
    let all = [
        Response::Spaces(vec![]),
        Response::Spaces(vec![digest(0), digest(7)]),
        Response::Page { keys: vec![], is_last: true },
        Response::Page { keys: vec![key(1), key(2)], is_last: false },
        Response::Events { events: vec![EventBytes(vec![9; 20])], answered: 3 },
        Response::Holding(vec![true, false, true]),
        Response::NotFollowed,
        Response::Busy,
    ];
    all.iter()
        .map(|response| json!({ "bytes": hex(response.to_bytes()), "message": response_json(response) }))
        .collect()
}

/// Bytes that are no request and no response.
fn malformed() -> Vec<Value> {
    let u64 = |number: u64| number.to_le_bytes();
    let variant = |number: u32| number.to_le_bytes();
    let space = [3; 32];
    let digest = [&variant(5)[..], &u64(1), &[0; 16]].concat();
    let two_keys = [&u64(5)[..], &space, &u64(5), &space].concat();
    let get = Request::Get { space: SpaceId(space), ids: vec![id(1)] }.to_bytes();
    let mut cases = vec![
        ("no bytes", vec![]),
        ("an unknown variant", variant(6).to_vec()),
        ("page: an option of 2", [&variant(1)[..], &space, &[2], &[0; 40]].concat()),
        ("page: too short", [&variant(1)[..], &space].concat()),
        ("get: 2^56 ids claimed", [&variant(2)[..], &space, &u64(1 << 56)].concat()),
        ("get: 1025 ids", [&variant(2)[..], &space, &u64(1025), &[7; 1025 * 32]].concat()),
        ("get: a byte too many", [&get[..], &[0]].concat()),
        ("page of events: one twice", [&variant(1)[..], &u64(2), &two_keys, &[1]].concat()),
        ("page of events: a bool of 2", [&variant(1)[..], &u64(0), &[2]].concat()),
        ("spaces: an index twice", [&variant(0)[..], &u64(2), &digest, &digest].concat()),
        ("not followed: a byte too many", [&variant(4)[..], &[0]].concat()),
    ];
    cases.push(("push: an event of 65537 bytes", {
        [&variant(3)[..], &space, &u64(1), &u64(65537), &vec![7; 65537]].concat()
    }));
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

fn tags() -> Vec<Value> {
    let of = |number: u16| {
        let (salt, space) = (bytes(number), SpaceId(bytes(number + 100)));
        json!({ "salt": hex(salt), "space": hex(space.0), "tag": hex(space_tag(&salt, space)) })
    };
    [1, 2, 3].map(of).into()
}

fn lthashes() -> Vec<Value> {
    let of = |count: u16| {
        let mut hash = LtHash::default();
        (0..count).for_each(|number| hash.add(&id(number)));
        let state = hash.to_bytes();
        json!({
            "ids": (0..count).map(|number| hex(bytes(number))).collect::<Vec<_>>(),
            "first_lanes": hex(&state[..32]),
            "last_lanes": hex(&state[state.len() - 32..]),
            "state_blake3": hex(blake3::hash(&state).as_bytes()),
        })
    };
    [0, 1, 2, 40].map(of).into()
}

fn digests() -> Vec<Value> {
    let of = |count: u16| {
        let mut set = KnownSet::default();
        (0..count).for_each(|number| assert!(set.insert(key(number))));
        let salts = [[0; 32], bytes(9)];
        json!({
            "keys": set.page(None, usize::MAX).into_iter().map(key_json).collect::<Vec<_>>(),
            "digests": salts.map(|salt| json!({ "salt": hex(salt), "digest": hex(set.digest(&salt)) })),
        })
    };
    [0, 1, 5, 100].map(of).into()
}

#[test]
fn sync_messages_and_digests_are_the_written_ones() {
    check(
        "sync.json",
        &json!({
            "requests": requests(),
            "responses": responses(),
            "malformed": malformed(),
            "tags": tags(),
            "lthash": lthashes(),
            "digests": digests(),
        }),
    );
}
