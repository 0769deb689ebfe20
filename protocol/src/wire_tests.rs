use super::*;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

#[test]
fn messages_read_back_what_was_written() {
    let request = Request::Get { space: SpaceId([3; 32]), ids: vec![EventId([4; 32]); 5] };
    assert_eq!(Request::from_bytes(&request.to_bytes()), Ok(request));
    let response = Response::Events { events: vec![EventBytes(vec![1, 2, 3])], answered: 9 };
    assert_eq!(Response::from_bytes(&response.to_bytes()), Ok(response));
}

#[test]
fn a_list_beyond_its_bound_is_malformed() {
    let ids = vec![EventId([4; 32]); SYNC_GET_IDS_MAX + 1];
    let request = Request::Holds { space: SpaceId([3; 32]), ids };
    assert_eq!(Request::from_bytes(&request.to_bytes()), Err(DecodeError::Malformed));
}

#[test]
fn a_space_answered_twice_is_malformed() {
    let space = SpaceDigest { index: 3, count: 1, digest: [0; 16] };
    let response = Response::Spaces(vec![space, space]);
    assert_eq!(Response::from_bytes(&response.to_bytes()), Err(DecodeError::Malformed));
}

#[test]
fn a_page_out_of_order_is_malformed() {
    let key = (5, EventId([1; 32]));
    let response = Response::Page { keys: vec![key, key], is_last: true };
    assert_eq!(Response::from_bytes(&response.to_bytes()), Err(DecodeError::Malformed));
}

fn ids() -> impl Strategy<Value = Vec<EventId>> {
    vec(any::<[u8; 32]>().prop_map(EventId), 0..20)
}

fn space() -> impl Strategy<Value = SpaceId> {
    any::<[u8; 32]>().prop_map(SpaceId)
}

fn key() -> impl Strategy<Value = SetKey> {
    (any::<u64>(), any::<[u8; 32]>()).prop_map(|(time, id)| (time, EventId(id)))
}

fn events() -> impl Strategy<Value = Vec<EventBytes>> {
    vec(vec(any::<u8>(), 0..300).prop_map(EventBytes), 0..10)
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<[u8; 32]>(), vec(any::<SpaceTag>(), 0..20)).prop_map(|(salt, tags)| Request::Spaces { salt, tags }),
        (space(), proptest::option::of(key())).prop_map(|(space, after)| Request::Page { space, after }),
        (space(), ids()).prop_map(|(space, ids)| Request::Get { space, ids }),
        (space(), events()).prop_map(|(space, events)| Request::Push { space, events }),
        (space(), ids()).prop_map(|(space, ids)| Request::Holds { space, ids }),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let digest = (any::<u64>(), any::<Digest>());
    let spaces = proptest::collection::btree_map(any::<u32>(), digest, 0..20).prop_map(|spaces| {
        spaces.into_iter().map(|(index, (count, digest))| SpaceDigest { index, count, digest }).collect()
    });
    prop_oneof![
        spaces.prop_map(Response::Spaces),
        (btree_set(key(), 0..20), any::<bool>())
            .prop_map(|(keys, is_last)| Response::Page { keys: keys.into_iter().collect(), is_last }),
        (events(), any::<u32>()).prop_map(|(events, answered)| Response::Events { events, answered }),
        vec(any::<bool>(), 0..40).prop_map(Response::Holding),
        Just(Response::NotFollowed),
        Just(Response::Busy),
    ]
}

/// Bytes that begin like a message, so that decoding gets beyond the variant.
fn message_like() -> impl Strategy<Value = Vec<u8>> {
    (0_u8..8, vec(any::<u8>(), 0..600), 0_u8..4).prop_map(|(variant, mut bytes, small_length)| {
        let mut message = vec![variant, 0, 0, 0];
        if bytes.len() > 40 && small_length > 0 {
            bytes[..8].copy_from_slice(&u64::from(small_length).to_le_bytes());
            bytes[32..40].copy_from_slice(&u64::from(small_length).to_le_bytes());
        }
        message.extend(bytes);
        message
    })
}

proptest! {
    #[test]
    fn a_request_reads_back_what_was_written(request in request()) {
        prop_assert_eq!(Request::from_bytes(&request.to_bytes()), Ok(request));
    }

    #[test]
    fn a_response_reads_back_what_was_written(response in response()) {
        prop_assert_eq!(Response::from_bytes(&response.to_bytes()), Ok(response));
    }

    #[test]
    fn any_bytes_are_malformed_or_the_one_encoding_of_a_message(
        bytes in prop_oneof![vec(any::<u8>(), 0..400), message_like()]
    ) {
        if let Ok(request) = Request::from_bytes(&bytes) {
            prop_assert_eq!(request.to_bytes(), &bytes[..]);
        }
        if let Ok(response) = Response::from_bytes(&bytes) {
            prop_assert_eq!(response.to_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn a_damaged_message_is_malformed_or_the_one_encoding_of_another(
        request in request(), response in response(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let damaged = |mut bytes: Vec<u8>| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        };
        let bytes = damaged(request.to_bytes());
        if let Ok(other) = Request::from_bytes(&bytes) {
            prop_assert_eq!(other.to_bytes(), &bytes[..]);
        }
        let bytes = damaged(response.to_bytes());
        if let Ok(other) = Response::from_bytes(&bytes) {
            prop_assert_eq!(other.to_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn a_message_cut_short_or_drawn_out_is_malformed(request in request(), response in response()) {
        for (bytes, is_request) in [(request.to_bytes(), true), (response.to_bytes(), false)] {
            let is_refused = |bytes: &[u8]| {
                if is_request { Request::from_bytes(bytes).is_err() } else { Response::from_bytes(bytes).is_err() }
            };
            for length in (0..bytes.len()).rev().take(300) {
                prop_assert!(is_refused(&bytes[..length]));
            }
            prop_assert!(is_refused(&[&bytes[..], &[0]].concat()));
        }
    }
}

#[test]
fn each_list_holds_as_many_as_its_bound_and_no_more() {
    let space = SpaceId([3; 32]);
    let ids = |count| vec![EventId([4; 32]); count];
    let small = |count| vec![EventBytes(vec![9; 4]); count];
    let keys = |count: usize| (0..count as u64).map(|time| (time, EventId([4; 32]))).collect();
    let digests =
        |count: usize| (0..count).map(|index| SpaceDigest { index: index as u32, count: 0, digest: [0; 16] }).collect();
    let requests: [(usize, &dyn Fn(usize) -> Request); 5] = [
        (SYNC_SPACES_MAX, &|count| Request::Spaces { salt: [1; 32], tags: vec![[2; 8]; count] }),
        (SYNC_GET_IDS_MAX, &|count| Request::Get { space, ids: ids(count) }),
        (SYNC_GET_IDS_MAX, &|count| Request::Holds { space, ids: ids(count) }),
        (SYNC_GET_IDS_MAX, &|count| Request::Push { space, events: small(count) }),
        (EVENT_BYTES_MAX, &|bytes| Request::Push { space, events: vec![EventBytes(vec![9; bytes])] }),
    ];
    for (most, request) in requests {
        assert!(Request::from_bytes(&request(most).to_bytes()).is_ok());
        assert_eq!(Request::from_bytes(&request(most + 1).to_bytes()), Err(DecodeError::Malformed));
    }
    let responses: [(usize, &dyn Fn(usize) -> Response); 4] = [
        (SYNC_SPACES_MAX, &|count| Response::Spaces(digests(count))),
        (SYNC_PAGE_IDS_MAX, &|count| Response::Page { keys: keys(count), is_last: true }),
        (SYNC_GET_IDS_MAX, &|count| Response::Events { events: small(count), answered: 0 }),
        (SYNC_GET_IDS_MAX, &|count| Response::Holding(vec![true; count])),
    ];
    for (most, response) in responses {
        assert!(Response::from_bytes(&response(most).to_bytes()).is_ok());
        assert_eq!(Response::from_bytes(&response(most + 1).to_bytes()), Err(DecodeError::Malformed));
    }
}

#[test]
fn a_message_has_a_bound_in_bytes() {
    let space = SpaceId([3; 32]);
    let filled = |bytes: usize| {
        let request = |fill: usize| {
            let events = vec![vec![9; EVENT_BYTES_MAX]; 5].into_iter().chain([vec![9; fill]]).map(EventBytes).collect();
            Request::Push { space, events }
        };
        let empty = request(0).to_bytes().len();
        request(bytes - empty)
    };
    assert!(Request::from_bytes(&filled(SYNC_REQUEST_BYTES_MAX).to_bytes()).is_ok());
    assert!(Request::from_bytes(&filled(SYNC_REQUEST_BYTES_MAX + 1).to_bytes()).is_err());
}
