//! Answers of a peer that lies about its set, made up for each question so that they are read at all.

use roda_protocol::event::Signed;
use roda_protocol::id::NetworkId;
use roda_protocol::keys::SecretKey;
use roda_protocol::limits::DIRECTORY_BOARDS_MAX;
use roda_protocol::reconcile::{
    Ask, Bound, Child, Differs, EPOCH_MS, Epoch, EpochEntry, Finding, LISTED_MAX, Probe, SYMBOL_BYTES,
};
use roda_protocol::wire::{EventBytes, Listed, Request, Response, SpaceDigest, Taken};
use roda_tests::attacker::Lie;
use roda_tests::forge::{Forge, with_broken_signature};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// More members than the node's board has: the node asks in ranges.
const MANY: u64 = 5000;

/// Answers that break their form, or don't fit what was asked.
pub(crate) const MALFORMED: [(&str, Lie); 18] = [
    ("places that were not asked for", |_| spaces(u32::MAX, Some(vec![entry(epoch(), MANY)]))),
    ("epochs out of order", |_| spaces(0, Some(vec![entry(epoch(), MANY), entry(epoch() - 1, MANY)]))),
    ("an epoch twice", |_| spaces(0, Some(vec![entry(epoch(), MANY); 2]))),
    ("an epoch without members", |_| spaces(0, Some(vec![entry(epoch(), 0)]))),
    ("no findings", |request| match request {
        Request::Compare { .. } => Response::Compared(Vec::new()),
        other => answer(other, nothing_differs),
    }),
    ("more findings than probes", |request| match request {
        Request::Compare { probes, .. } => Response::Compared(vec![Finding::Later; probes.len() + 1]),
        other => answer(other, nothing_differs),
    }),
    ("findings of another sort", |request| answer(request, |_| Finding::Sketch(Vec::new().into()))),
    ("parts that were not asked about", |request| answer(request, |_| Finding::Split(vec![(16, Differs::Nothing)]))),
    ("parts out of order", |request| {
        answer(request, |_| Finding::Split(vec![(1, Differs::Nothing), (0, Differs::Nothing)]))
    }),
    ("counts of fewer parts", |request| answer(request, |_| Finding::Scattered(vec![MANY; 3]))),
    ("a long list in a part", |request| {
        answer(request, |probe| differing(probe, |_, _| Differs::List((0..17).map(u64::to_be_bytes).collect())))
    }),
    ("parts that go back", |request| {
        let two = |child: &Child| vec![child.clone(), Child { upper: place(0), ..child.clone() }];
        answer(request, move |probe| differing(probe, |_, child| Differs::Split(two(child))))
    }),
    ("parts that end early", |request| {
        let early = |lower: &Bound| vec![Child { upper: place(lower.offset_ms + 1), count: 9, fingerprint: [7; 8] }];
        answer(request, move |probe| differing(probe, |lower, _| Differs::Split(early(lower))))
    }),
    ("a bitmap that is too long", |request| {
        answer(request, |probe| {
            listed(probe, |members| Finding::List {
                upto: None,
                wants: vec![0; members.div_ceil(8) + 1].into(),
                offers: Vec::new(),
            })
        })
    }),
    ("more offers than an answer has", |request| {
        answer(request, |probe| listed(probe, |members| offering(members, (0..=LISTED_MAX as u64).collect())))
    }),
    ("offers out of order", |request| {
        answer(request, |probe| listed(probe, |members| offering(members, vec![9, 8, 7])))
    }),
    ("a sketch that ends within a symbol", |request| {
        answer(request, |probe| sketched(probe, |symbols| garbage(symbols * SYMBOL_BYTES - 1)))
    }),
    ("more symbols than were asked", |request| {
        answer(request, |probe| sketched(probe, |symbols| garbage((symbols + 1) * SYMBOL_BYTES)))
    }),
];

/// Answers in due form, which only the truth could tell from true ones.
pub(crate) const IN_DUE_FORM: [(&str, Lie); 13] = [
    ("a set that differs and has no epochs", |request| match request {
        Request::Spaces { .. } => spaces(0, None),
        other => answer(other, nothing_differs),
    }),
    ("epochs that differ and ranges that don't", |request| answer(request, nothing_differs)),
    ("ranges that always differ", |request| {
        let again = |child: &Child| vec![Child { count: MANY, fingerprint: [7; 8], ..child.clone() }];
        answer(request, move |probe| differing(probe, |_, child| Differs::Split(again(child))))
    }),
    ("parts that are for ever later", |request| answer(request, |probe| differing(probe, |_, _| Differs::Later))),
    ("for ever later", |request| answer(request, |_| Finding::Later)),
    ("for ever scattered", |request| {
        answer(request, |probe| match &probe.ask {
            Ask::Split(children) => Finding::Scattered(vec![1; children.len()]),
            _ => nothing_differs(probe),
        })
    }),
    ("sketches of garbage", |request| {
        answer(request, |probe| sketched(probe, |symbols| garbage(symbols * SYMBOL_BYTES)))
    }),
    ("members that are never delivered", |request| {
        let made_up = |lower: &Bound| vec![(u64::from(lower.offset_ms) << 34).to_be_bytes()];
        answer(request, move |probe| differing(probe, |lower, _| Differs::List(made_up(lower))))
    }),
    ("offers that are never delivered", |request| {
        answer(request, |probe| listed(probe, |members| offering(members, (0..LISTED_MAX as u64).collect())))
    }),
    ("wants that are never taken", |request| {
        answer(request, |probe| {
            listed(probe, |members| Finding::List {
                upto: None,
                wants: vec![0xff; members.div_ceil(8)].into(),
                offers: Vec::new(),
            })
        })
    }),
    ("epochs that are never delivered", |request| match request {
        Request::Spaces { .. } => spaces(0, Some((1..100).map(|epoch| entry(epoch, 100)).collect())),
        other => answer(other, nothing_differs),
    }),
    ("a range that does not go on", |request| match request {
        Request::Spaces { .. } => spaces(0, Some(vec![entry(7, 100)])),
        Request::Range { lower, .. } => Response::Range { events: Vec::new(), next: Some(lower.clone()) },
        other => answer(other, nothing_differs),
    }),
    ("a range that goes on without events", |request| match request {
        Request::Spaces { .. } => spaces(0, Some(vec![entry(7, 100)])),
        Request::Range { lower, .. } => Response::Range { events: Vec::new(), next: Some(place(lower.offset_ms + 1)) },
        other => answer(other, nothing_differs),
    }),
];

/// Answers about boards that break their form, or bring forgeries.
pub(crate) const MALFORMED_BOARDS: [(&str, Lie); 4] = [
    ("boards out of order", |request| {
        listing(request, |_| {
            let mut charters = made_up(2);
            charters.reverse();
            charters.iter().map(of_charter).collect()
        })
    }),
    ("a post for a charter", |request| {
        listing(request, |forge| {
            let board = forge.board("b").space();
            vec![of_charter(&forge.post(board, "no charter", ""))]
        })
    }),
    ("charters that nobody signed", |request| {
        listing(request, |_| {
            let forged = |charter: &Signed| Listed {
                charter: EventBytes(with_broken_signature(charter)),
                ..of_charter(charter)
            };
            made_up(8).iter().map(forged).collect()
        })
    }),
    ("an answer to another question", |request| match request {
        Request::Directory { .. } => Response::Holding(Vec::new()),
        other => answer(other, nothing_differs),
    }),
];

/// Boards as many as are asked for, each founded for the answer, and always further ones behind them.
pub(crate) fn boards(request: &Request) -> Response {
    let Request::Directory { after } = request else { return answer(request, nothing_differs) };
    let mut charters = made_up(DIRECTORY_BOARDS_MAX * 2);
    charters.retain(|charter| after.is_none_or(|after| charter.space() > after));
    let boards: Vec<Listed> = charters.iter().take(DIRECTORY_BOARDS_MAX).map(of_charter).collect();
    let more = !boards.is_empty();
    Response::Directory { boards, more }
}

fn listing(request: &Request, boards: impl Fn(&mut Forge) -> Vec<Listed>) -> Response {
    match request {
        Request::Directory { .. } => Response::Directory { boards: boards(&mut forge()), more: false },
        other => answer(other, nothing_differs),
    }
}

/// A forge of the network that the test is on, which a lie is not told: each of its events is another one.
fn forge() -> Forge {
    static EVENTS: AtomicU64 = AtomicU64::new(0);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let start_ms = u64::try_from(now_ms).unwrap_or(0) - 7_200_000 + EVENTS.fetch_add(1000, Ordering::Relaxed);
    let network = *NETWORK.get().expect("the test names it");
    Forge::starting_at(network, SecretKey::from_seed(&[0x6c; 32]), start_ms)
}

/// The network of the test that lists boards.
pub(crate) static NETWORK: OnceLock<NetworkId> = OnceLock::new();

/// So many charters, in the order of their boards' ids.
fn made_up(count: usize) -> Vec<Signed> {
    let mut forge = forge();
    let mut charters: Vec<Signed> = (0..count).map(|_| forge.board("the best of all boards")).collect();
    charters.sort_by_key(Signed::space);
    charters
}

fn of_charter(charter: &Signed) -> Listed {
    let charter = EventBytes(charter.bytes().to_vec());
    Listed { charter, events: u64::MAX, threads: u64::MAX, last_day: u32::MAX }
}

/// Bytes that are no events for every range and name that the node asks for.
pub(crate) fn made_up_events(request: &Request) -> Response {
    let events = vec![EventBytes(b"made up".to_vec()); 9];
    match request {
        Request::Spaces { .. } => spaces(0, Some(vec![entry(7, 9)])),
        Request::Range { .. } => Response::Range { events, next: None },
        other => answer(other, nothing_differs),
    }
}

/// A `next` that is no place: an epoch that is promised, and a bound of two forms.
pub(crate) fn no_place(request: &Request) -> Response {
    match request {
        Request::Spaces { .. } => spaces(0, Some(vec![entry(7, 100)])),
        Request::Range { .. } => {
            let next = Bound { offset_ms: 5, prefix: vec![1, 0] };
            Response::Range { events: Vec::new(), next: Some(next) }
        }
        other => answer(other, nothing_differs),
    }
}

/// The epoch of a forge's events, which are dated an hour ago.
pub(crate) fn epoch() -> Epoch {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    (u64::try_from(now_ms).unwrap_or(0) - 3_600_000) / EPOCH_MS
}

fn entry(epoch: Epoch, count: u64) -> EpochEntry {
    EpochEntry { epoch, count, fingerprint: [7; 8] }
}

fn place(offset_ms: u32) -> Bound {
    Bound { offset_ms, prefix: Vec::new() }
}

fn spaces(index: u32, epochs: Option<Vec<EpochEntry>>) -> Response {
    let digest = SpaceDigest { index, count: MANY, digest: [0; 16], epochs };
    Response::Spaces { headers_first: false, spaces: vec![digest] }
}

/// Claims many members in the epoch of the board's events, finds what `find` does, and neither gives nor takes events.
fn answer(request: &Request, find: impl Fn(&Probe) -> Finding) -> Response {
    match request {
        Request::Spaces { .. } => spaces(0, Some(vec![entry(epoch(), MANY)])),
        Request::Compare { probes, .. } => Response::Compared(probes.iter().map(find).collect()),
        Request::Range { .. } => Response::Range { events: Vec::new(), next: None },
        Request::Pick { members, .. } => none_of(members.len()),
        Request::Get { ids, .. } => none_of(ids.len()),
        Request::Push { events, .. } => Response::Taken(vec![Taken::No; events.len()]),
        Request::Holds { ids, .. } => Response::Holding(vec![false; ids.len()]),
        Request::Directory { .. } => Response::Directory { boards: Vec::new(), more: false },
    }
}

fn none_of(asked: usize) -> Response {
    Response::Events { events: Vec::new(), answered: u32::try_from(asked).expect("requests are bounded") }
}

fn nothing_differs(probe: &Probe) -> Finding {
    match &probe.ask {
        Ask::Split(_) => Finding::Split(Vec::new()),
        Ask::List { members, .. } | Ask::Exact { members, .. } => offering(members.len(), Vec::new()),
        Ask::Sketch { .. } => Finding::Sketch(Vec::new().into()),
    }
}

fn offering(members: usize, offers: Vec<u64>) -> Finding {
    let offers = offers.into_iter().map(u64::to_be_bytes).collect();
    Finding::List { upto: None, wants: vec![0; members.div_ceil(8)].into(), offers }
}

/// Calls every part different: `how` is given where the part begins, and the part.
fn differing(probe: &Probe, how: impl Fn(&Bound, &Child) -> Differs) -> Finding {
    let Ask::Split(children) = &probe.ask else { return nothing_differs(probe) };
    let mut lower = &probe.lower;
    let mut findings = Vec::new();
    for (place, child) in (0..).zip(children) {
        findings.push((place, how(lower, child)));
        lower = &child.upper;
    }
    Finding::Split(findings)
}

/// Leads the node to list a few of its members, and answers the list.
fn listed(probe: &Probe, how: impl Fn(usize) -> Finding) -> Finding {
    match &probe.ask {
        Ask::List { members, .. } | Ask::Exact { members, .. } => how(members.len()),
        Ask::Split(children) if children.len() > 1 => {
            // The last millisecond of the first part holds one event of the node: that is listed.
            let child = &children[0];
            let before = Child { upper: place(child.upper.offset_ms - 1), ..child.clone() };
            let last = Child { count: 5, fingerprint: [7; 8], ..child.clone() };
            Finding::Split(vec![(0, Differs::Split(vec![before, last]))])
        }
        _ => nothing_differs(probe),
    }
}

/// Leads the node to ask for a sketch, and answers that.
fn sketched(probe: &Probe, how: impl Fn(usize) -> Vec<u8>) -> Finding {
    match &probe.ask {
        Ask::Sketch { from, to } => Finding::Sketch(how((to - from) as usize).into()),
        Ask::Split(children) if children.len() > 1 => {
            Finding::Scattered(children.iter().map(|child| child.count + 1).collect())
        }
        _ => nothing_differs(probe),
    }
}

/// The same bytes every time, without a pattern.
fn garbage(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
