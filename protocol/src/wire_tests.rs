use super::*;
use crate::reconcile::{Ask, Child, Differs};
use proptest::collection::vec;
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
    let space = SpaceDigest { index: 3, count: 1, digest: [0; 16], epochs: None };
    let response = Response::Spaces { headers_first: false, spaces: vec![space.clone(), space] };
    assert_eq!(Response::from_bytes(&response.to_bytes()), Err(DecodeError::Malformed));
}

#[test]
fn epochs_out_of_order_or_empty_are_malformed() {
    let entry = |epoch, count| EpochEntry { epoch, count, fingerprint: [0; 8] };
    for epochs in [vec![entry(2, 1), entry(2, 1)], vec![entry(3, 1), entry(2, 1)], vec![entry(1, 0)]] {
        let space = SpaceDigest { index: 3, count: 1, digest: [0; 16], epochs: Some(epochs) };
        let response = Response::Spaces { headers_first: false, spaces: vec![space] };
        assert_eq!(Response::from_bytes(&response.to_bytes()), Err(DecodeError::Malformed));
    }
}

#[test]
fn a_directory_that_goes_on_with_nothing_is_malformed() {
    let directory = |boards, more| Response::Directory { boards, more };
    assert!(Response::from_bytes(&directory(Vec::new(), false).to_bytes()).is_ok());
    assert_eq!(Response::from_bytes(&directory(Vec::new(), true).to_bytes()), Err(DecodeError::Malformed));
}

#[test]
fn a_range_that_ends_before_it_begins_is_malformed() {
    let bound = |offset_ms| Bound { offset_ms, prefix: Vec::new() };
    let range = |lower, upper| Request::Range {
        space: SpaceId([3; 32]),
        epoch: 1,
        lower: bound(lower),
        upper: bound(upper),
        form: Form::Whole,
    };
    assert!(Request::from_bytes(&range(1, 2).to_bytes()).is_ok());
    assert!(Request::from_bytes(&range(0, u32::MAX).to_bytes()).is_ok());
    assert_eq!(Request::from_bytes(&range(2, 2).to_bytes()), Err(DecodeError::Malformed));
}

fn ids() -> impl Strategy<Value = Vec<EventId>> {
    vec(any::<[u8; 32]>().prop_map(EventId), 0..20)
}

fn space() -> impl Strategy<Value = SpaceId> {
    any::<[u8; 32]>().prop_map(SpaceId)
}

fn salt() -> impl Strategy<Value = Salt> {
    any::<[u8; 16]>().prop_map(Salt)
}

fn bound() -> impl Strategy<Value = Bound> {
    (0_u32..1_048_576_000, vec(1_u8.., 0..4)).prop_map(|(offset_ms, prefix)| Bound { offset_ms, prefix })
}

fn short() -> impl Strategy<Value = [u8; 8]> {
    any::<[u8; 8]>()
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Whole), Just(Form::Header)]
}

fn children() -> impl Strategy<Value = Vec<Child>> {
    let child = (bound(), any::<u64>(), short());
    vec(child.prop_map(|(upper, count, fingerprint)| Child { upper, count, fingerprint }), 0..17)
}

fn probe() -> impl Strategy<Value = Probe> {
    let ask = prop_oneof![
        children().prop_map(Ask::Split),
        (bound(), vec(short(), 0..20)).prop_map(|(upper, members)| Ask::List { upper, members }),
        (bound(), vec(short(), 0..20)).prop_map(|(upper, members)| Ask::Exact { upper, members }),
        any::<(u32, u32)>().prop_map(|(from, to)| Ask::Sketch { from, to }),
    ];
    (any::<u64>(), bound(), ask).prop_map(|(epoch, lower, ask)| Probe { epoch, lower, ask })
}

fn finding() -> impl Strategy<Value = Finding> {
    let differs = prop_oneof![
        Just(Differs::Nothing),
        vec(short(), 0..17).prop_map(Differs::List),
        children().prop_map(Differs::Split),
        Just(Differs::Later),
    ];
    let bytes = || vec(any::<u8>(), 0..40).prop_map(serde_bytes::ByteBuf::from);
    prop_oneof![
        vec((any::<u16>(), differs), 0..17).prop_map(Finding::Split),
        vec(any::<u64>(), 0..17).prop_map(Finding::Scattered),
        (proptest::option::of(bound()), bytes(), vec(short(), 0..20)).prop_map(|(upto, wants, offers)| Finding::List {
            upto,
            wants,
            offers
        }),
        bytes().prop_map(Finding::Sketch),
        Just(Finding::Later),
    ]
}

fn epochs() -> impl Strategy<Value = Option<Vec<EpochEntry>>> {
    let entries = proptest::collection::btree_map(any::<u64>(), (1_u64.., short()), 0..20);
    let entry = |(epoch, (count, fingerprint))| EpochEntry { epoch, count, fingerprint };
    proptest::option::of(entries.prop_map(move |entries| entries.into_iter().map(entry).collect()))
}

fn events() -> impl Strategy<Value = Vec<EventBytes>> {
    vec(vec(any::<u8>(), 0..300).prop_map(EventBytes), 0..10)
}

fn listed() -> impl Strategy<Value = Listed> {
    (vec(any::<u8>(), 0..300), any::<(u64, u64, u32)>()).prop_map(|(charter, (events, threads, last_day))| Listed {
        charter: EventBytes(charter),
        events,
        threads,
        last_day,
    })
}

fn request() -> impl Strategy<Value = Request> {
    let asks = vec((short(), short()).prop_map(|(tag, hint)| SpaceAsk { tag, hint }), 0..20);
    let picks = (space(), any::<u64>(), vec(short(), 0..20), form());
    let range = (space(), any::<u64>(), bound(), form());
    prop_oneof![
        (salt(), asks).prop_map(|(salt, spaces)| Request::Spaces { salt, spaces }),
        (salt(), space(), vec(probe(), 0..8)).prop_map(|(salt, space, probes)| Request::Compare {
            salt,
            space,
            probes
        }),
        range.prop_map(|(space, epoch, lower, form)| {
            let upper = Bound { offset_ms: u32::MAX, prefix: Vec::new() };
            Request::Range { space, epoch, lower, upper, form }
        }),
        picks.prop_map(|(space, epoch, members, form)| Request::Pick { space, epoch, members, form }),
        (space(), ids()).prop_map(|(space, ids)| Request::Get { space, ids }),
        (space(), form(), events()).prop_map(|(space, form, events)| Request::Push { space, form, events }),
        (space(), ids()).prop_map(|(space, ids)| Request::Holds { space, ids }),
        proptest::option::of(space()).prop_map(|after| Request::Directory { after }),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let digest = (any::<u64>(), any::<Digest>(), epochs());
    let digests = proptest::collection::btree_map(any::<u32>(), digest, 0..20);
    let digest = |(index, (count, digest, epochs))| SpaceDigest { index, count, digest, epochs };
    let spaces = digests.prop_map(move |spaces| spaces.into_iter().map(digest).collect());
    let taken = prop_oneof![Just(Taken::Held), Just(Taken::Declined), Just(Taken::Words), Just(Taken::No)];
    prop_oneof![
        (any::<bool>(), spaces).prop_map(|(headers_first, spaces)| Response::Spaces { headers_first, spaces }),
        vec(finding(), 0..8).prop_map(Response::Compared),
        (events(), proptest::option::of(bound())).prop_map(|(events, next)| Response::Range { events, next }),
        (events(), any::<u32>()).prop_map(|(events, answered)| Response::Events { events, answered }),
        vec(taken, 0..40).prop_map(Response::Taken),
        vec(any::<bool>(), 0..40).prop_map(Response::Holding),
        Just(Response::NotFollowed),
        Just(Response::Busy),
        (vec(listed(), 0..10), any::<bool>()).prop_map(|(boards, more)| {
            let more = more && !boards.is_empty();
            Response::Directory { boards, more }
        }),
    ]
}

/// Bytes that begin like a message, so that decoding gets beyond the variant.
fn message_like() -> impl Strategy<Value = Vec<u8>> {
    (0_u8..10, vec(any::<u8>(), 0..600), 0_u8..4).prop_map(|(variant, mut bytes, small_length)| {
        if bytes.len() > 40 && small_length > 0 {
            bytes[16] = small_length;
            bytes[32] = small_length;
        }
        [vec![variant], bytes].concat()
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
    let digests = |count: usize| {
        let digest = |index| SpaceDigest { index: index as u32, count: 0, digest: [0; 16], epochs: None };
        Response::Spaces { headers_first: true, spaces: (0..count).map(digest).collect() }
    };
    let epochs = |count: usize| {
        let entry = |epoch| EpochEntry { epoch, count: 1, fingerprint: [0; 8] };
        let epochs = Some((0..count as u64).map(entry).collect());
        let digest = SpaceDigest { index: 0, count: 0, digest: [0; 16], epochs };
        Response::Spaces { headers_first: true, spaces: vec![digest] }
    };
    let probe =
        Probe { epoch: 1, lower: Bound { offset_ms: 0, prefix: Vec::new() }, ask: Ask::Sketch { from: 0, to: 9 } };
    let salt = Salt([1; 16]);
    let ask = SpaceAsk { tag: [2; 8], hint: [3; 8] };
    let requests: [(usize, &dyn Fn(usize) -> Request); 7] = [
        (SYNC_SPACES_MAX, &|count| Request::Spaces { salt, spaces: vec![ask; count] }),
        (PROBES_MAX, &|count| Request::Compare { salt, space, probes: vec![probe.clone(); count] }),
        (SYNC_GET_IDS_MAX, &|count| Request::Pick { space, epoch: 1, members: vec![[5; 8]; count], form: Form::Whole }),
        (SYNC_GET_IDS_MAX, &|count| Request::Get { space, ids: ids(count) }),
        (SYNC_GET_IDS_MAX, &|count| Request::Holds { space, ids: ids(count) }),
        (SYNC_GET_IDS_MAX, &|count| Request::Push { space, form: Form::Whole, events: small(count) }),
        (EVENT_BYTES_MAX, &|bytes| Request::Push {
            space,
            form: Form::Whole,
            events: vec![EventBytes(vec![9; bytes])],
        }),
    ];
    for (most, request) in requests {
        assert!(Request::from_bytes(&request(most).to_bytes()).is_ok());
        assert_eq!(Request::from_bytes(&request(most + 1).to_bytes()), Err(DecodeError::Malformed));
    }
    let board =
        |bytes| Listed { charter: EventBytes(vec![9; bytes]), events: u64::MAX, threads: u64::MAX, last_day: u32::MAX };
    let responses: [(usize, &dyn Fn(usize) -> Response); 9] = [
        (SYNC_SPACES_MAX, &digests),
        (SYNC_EPOCHS_MAX, &epochs),
        (PROBES_MAX, &|count| Response::Compared(vec![Finding::Later; count])),
        (SYNC_GET_IDS_MAX, &|count| Response::Range { events: small(count), next: None }),
        (SYNC_GET_IDS_MAX, &|count| Response::Taken(vec![Taken::Held; count])),
        (SYNC_GET_IDS_MAX, &|count| Response::Events { events: small(count), answered: 0 }),
        (SYNC_GET_IDS_MAX, &|count| Response::Holding(vec![true; count])),
        (DIRECTORY_BOARDS_MAX, &|count| Response::Directory {
            boards: vec![board(DIRECTORY_CHARTER_BYTES_MAX); count],
            more: true,
        }),
        (DIRECTORY_CHARTER_BYTES_MAX, &|bytes| Response::Directory { boards: vec![board(bytes)], more: false }),
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
            Request::Push { space, form: Form::Whole, events }
        };
        let empty = request(0).to_bytes().len();
        // The length of the last event takes two bytes more than that of an empty one.
        request(bytes - empty - 2)
    };
    assert!(Request::from_bytes(&filled(SYNC_REQUEST_BYTES_MAX).to_bytes()).is_ok());
    assert!(Request::from_bytes(&filled(SYNC_REQUEST_BYTES_MAX + 1).to_bytes()).is_err());
}
