//! Behaviours that lie in the words of the sync wire. All that they answer is in due form: only the truth could tell it from
//! what an honest node answers.
//!
//! None of them can claim to be equal to a set that it does not have: a digest is salted by who asks. So they claim to
//! differ, promise, and do not deliver.

use super::{Act, Answering, Hand, Hostile};
use crate::chance::Chance;
use roda_protocol::event::Signed;
use roda_protocol::id::NetworkId;
use roda_protocol::limits::{DIRECTORY_BOARDS_MAX, SYNC_GET_IDS_MAX};
use roda_protocol::reconcile::{
    Ask, Bound, Child, Differs, EPOCH_MS, Epoch, EpochEntry, Finding, LISTED_MAX, PROBES_MAX, Probe, SYMBOL_BYTES, Salt,
};
use roda_protocol::wire::{EventBytes, Form, Listed, Request, Response, SpaceDigest, Taken};

/// More members than any set of a simulation has: who believes it goes on asking.
const MANY: u64 = 5000;

/// Epochs of the far past that are made up for one greeting.
const PAST_EPOCHS: u64 = 100;

/// Requests that [`AsksTooMuch`] makes of each peer in a second: some of them are more work than a peer may cause in ten.
const ASKED_PER_S: usize = 2;

/// Names that are made up for one answer.
const INVENTED_MAX: usize = LISTED_MAX / 4;

/// Puts another digest on each space, so that the sets seem to differ.
fn disown(spaces: &mut [SpaceDigest], chance: &mut Chance) {
    for space in spaces {
        space.digest = chance.draw().to_le_bytes().repeat(2).try_into().unwrap_or([7; 16]);
    }
}

fn entry(epoch: Epoch, count: u64, chance: &mut Chance) -> EpochEntry {
    EpochEntry { epoch, count, fingerprint: chance.draw().to_le_bytes() }
}

fn epoch_now(hand: &Hand<'_>) -> Epoch {
    hand.wall_ms / EPOCH_MS
}

/// Names in ascending order that no event has, as far as anyone knows.
fn invented(lower: &Bound, many: usize, chance: &mut Chance) -> Vec<[u8; 8]> {
    let first = u64::from(lower.offset_ms) << 34;
    let step = 1 + chance.draw() % (1 << 20);
    (1..=many as u64).map(|number| first.saturating_add(number * step).to_be_bytes()).collect()
}

fn nothing(asked: usize) -> Response {
    Response::Events { events: Vec::new(), answered: u32::try_from(asked).unwrap_or(u32::MAX) }
}

/// Calls every part of a split different. `how` is given where a part begins, and the part.
fn differing(lower: &Bound, children: &[Child], mut how: impl FnMut(&Bound, &Child) -> Differs) -> Finding {
    let mut lower = lower;
    let mut findings = Vec::with_capacity(children.len());
    for (place, child) in (0..).zip(children) {
        findings.push((place, how(lower, child)));
        lower = &child.upper;
    }
    Finding::Split(findings)
}

fn listing(members: usize, upto: Option<Bound>, wants: u8, offers: Vec<[u8; 8]>) -> Finding {
    Finding::List { upto, wants: vec![wants; members.div_ceil(8)].into(), offers }
}

/// The place a millisecond further on, if it is before `upper`.
fn creeps(lower: &Bound, upper: &Bound) -> Option<Bound> {
    let next = Bound { offset_ms: lower.offset_ms.saturating_add(1), prefix: Vec::new() };
    (next.key()? < upper.key()?).then_some(next)
}

/// See [`super::Behaviour::LiesAboutSets`].
#[derive(Debug)]
pub(super) struct LiesAboutSets;

impl Hostile for LiesAboutSets {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let Ok(Response::Spaces { headers_first, mut spaces }) = Response::from_bytes(honest) else {
            return Answering::now(honest.to_vec());
        };
        disown(&mut spaces, hand.chance);
        let now = epoch_now(hand);
        for space in &mut spaces {
            space.count = hand.chance.draw();
            space.epochs = match (hand.chance.below(4), space.epochs.take()) {
                (0, _) => None,
                (1, Some(mut own)) => {
                    own.iter_mut().for_each(|entry| entry.count = entry.count.saturating_mul(1000));
                    Some(own)
                }
                (2, _) => Some((1..=PAST_EPOCHS).map(|epoch| entry(epoch, MANY, hand.chance)).collect()),
                (_, _) => Some(vec![entry(now, u64::MAX, hand.chance), entry(u64::MAX, MANY, hand.chance)]),
            };
        }
        Answering::now(Response::Spaces { headers_first, spaces }.to_bytes())
    }
}

/// See [`super::Behaviour::DiffersForEver`].
#[derive(Debug)]
pub(super) struct DiffersForEver;

impl DiffersForEver {
    fn finds(probe: &Probe, chance: &mut Chance) -> Finding {
        match &probe.ask {
            _ if chance.is(100) => Finding::Later,
            Ask::Split(children) if chance.is(100) => Finding::Scattered(vec![70; children.len()]),
            Ask::Split(children) => differing(&probe.lower, children, |_, child| match chance.below(4) {
                0 => Differs::Later,
                1 => Differs::Nothing,
                _ => {
                    let fingerprint = chance.draw().to_le_bytes();
                    Differs::Split(vec![Child { count: MANY, fingerprint, ..child.clone() }])
                }
            }),
            Ask::List { upper, members } | Ask::Exact { upper, members } => {
                listing(members.len(), creeps(&probe.lower, upper), 0xff, Vec::new())
            }
            Ask::Sketch { from, to } => {
                let symbols = usize::try_from(to.saturating_sub(*from)).unwrap_or(0);
                Finding::Sketch(chance.bytes(symbols * SYMBOL_BYTES).into())
            }
        }
    }
}

impl Hostile for DiffersForEver {
    fn answers(&mut self, _: usize, request: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let now = epoch_now(hand);
        let answer = match (Request::from_bytes(request), Response::from_bytes(honest)) {
            (_, Ok(Response::Spaces { headers_first, mut spaces })) => {
                disown(&mut spaces, hand.chance);
                for space in &mut spaces {
                    space.epochs = Some(vec![entry(now, MANY, hand.chance)]);
                }
                Response::Spaces { headers_first, spaces }
            }
            (Ok(Request::Compare { probes, .. }), _) => {
                Response::Compared(probes.iter().map(|probe| Self::finds(probe, hand.chance)).collect())
            }
            (Ok(Request::Range { lower, upper, .. }), _) => {
                Response::Range { events: Vec::new(), next: creeps(&lower, &upper) }
            }
            (Ok(Request::Push { events, .. }), _) => Response::Taken(vec![Taken::Words; events.len()]),
            _ => return Answering::now(honest.to_vec()),
        };
        Answering::now(answer.to_bytes())
    }
}

/// See [`super::Behaviour::PromisesOnly`].
#[derive(Debug)]
pub(super) struct PromisesOnly;

impl PromisesOnly {
    fn finds(probe: &Probe, chance: &mut Chance) -> Finding {
        match &probe.ask {
            Ask::Split(children) => differing(&probe.lower, children, |lower, _| {
                let many = 1 + chance.below(8);
                Differs::List(invented(lower, many, chance))
            }),
            Ask::List { members, .. } | Ask::Exact { members, .. } => {
                listing(members.len(), None, 0, invented(&probe.lower, INVENTED_MAX, chance))
            }
            Ask::Sketch { .. } => Finding::Sketch(Vec::new().into()),
        }
    }
}

impl Hostile for PromisesOnly {
    fn answers(&mut self, _: usize, request: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let now = epoch_now(hand);
        let answer = match (Request::from_bytes(request), Response::from_bytes(honest)) {
            (_, Ok(Response::Spaces { headers_first, mut spaces })) => {
                disown(&mut spaces, hand.chance);
                for space in &mut spaces {
                    let epochs = [1, 2, now - 1, now, now + 1];
                    space.epochs = Some(epochs.into_iter().map(|epoch| entry(epoch, 60, hand.chance)).collect());
                }
                Response::Spaces { headers_first, spaces }
            }
            (Ok(Request::Compare { probes, .. }), _) => {
                Response::Compared(probes.iter().map(|probe| Self::finds(probe, hand.chance)).collect())
            }
            // It has no time when it is to keep its word.
            (Ok(Request::Range { .. } | Request::Pick { .. }), _) if hand.chance.is(300) => Response::Busy,
            (Ok(Request::Range { lower, upper, .. }), _) => {
                Response::Range { events: Vec::new(), next: creeps(&lower, &upper).filter(|_| hand.chance.is(800)) }
            }
            (Ok(Request::Pick { members, .. }), _) => nothing(members.len()),
            (Ok(Request::Get { ids, .. }), _) => nothing(ids.len()),
            _ => return Answering::now(honest.to_vec()),
        };
        Answering::now(answer.to_bytes())
    }
}

/// See [`super::Behaviour::BusyForEver`].
#[derive(Debug)]
pub(super) struct BusyForEver;

impl Hostile for BusyForEver {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let now = epoch_now(hand);
        let Ok(Response::Spaces { headers_first, mut spaces }) = Response::from_bytes(honest) else {
            return Answering::now(Response::Busy.to_bytes());
        };
        disown(&mut spaces, hand.chance);
        for space in &mut spaces {
            let epochs = [1, 2, now, now + 1];
            space.epochs = Some(epochs.into_iter().map(|epoch| entry(epoch, MANY / 2, hand.chance)).collect());
        }
        Answering::now(Response::Spaces { headers_first, spaces }.to_bytes())
    }
}

/// See [`super::Behaviour::AsksTooMuch`].
#[derive(Debug)]
pub(super) struct AsksTooMuch;

impl AsksTooMuch {
    fn request(hand: &mut Hand<'_>) -> Option<Request> {
        let space = hand.chance.pick(hand.boards).copied()?;
        let (first, end) =
            (Bound { offset_ms: 0, prefix: Vec::new() }, Bound { offset_ms: u32::MAX, prefix: Vec::new() });
        let epoch = epoch_now(hand);
        let salt = Salt(hand.chance.bytes(16).try_into().unwrap_or([7; 16]));
        Some(match hand.chance.below(100) {
            0 => {
                let child = Child { upper: end, count: MANY, fingerprint: [7; 8] };
                let probe = Probe { epoch, lower: first, ask: Ask::Split(vec![child]) };
                Request::Compare { salt, space, probes: vec![probe; PROBES_MAX] }
            }
            1 => {
                let ask = Ask::Sketch { from: 0, to: 1000 };
                Request::Compare { salt, space, probes: vec![Probe { epoch, lower: first, ask }; PROBES_MAX] }
            }
            2..=39 => {
                let members = invented(&first, SYNC_GET_IDS_MAX, hand.chance);
                Request::Pick { space, epoch, members, form: Form::Whole }
            }
            _ => Request::Range { space, epoch, lower: first, upper: end, form: Form::Whole },
        })
    }
}

impl Hostile for AsksTooMuch {
    fn ticks(&mut self, hand: &mut Hand<'_>) {
        for to in hand.neighbours {
            for _ in 0..ASKED_PER_S {
                let Some(request) = Self::request(hand) else { return };
                hand.act(Act::Ask { to: *to, body: request.to_bytes() });
            }
        }
    }
}

/// See [`super::Behaviour::StripsAnswers`].
#[derive(Debug)]
pub(super) struct StripsAnswers;

fn stripped(network: &NetworkId, bytes: &[u8]) -> Vec<u8> {
    Signed::decode(network, bytes).map_or_else(|_| bytes.to_vec(), |event| event.bytes_without_body().to_vec())
}

fn strip(network: &NetworkId, events: &mut [EventBytes]) {
    for event in events {
        event.0 = stripped(network, &event.0);
    }
}

impl Hostile for StripsAnswers {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let mut response = Response::from_bytes(honest);
        if let Ok(Response::Range { events, .. } | Response::Events { events, .. }) = &mut response {
            strip(&hand.forge.network(), events);
        }
        Answering::now(response.map_or_else(|_| honest.to_vec(), |response| response.to_bytes()))
    }

    fn relays(&mut self, _: usize, bytes: &[u8], hand: &mut Hand<'_>) -> Option<Vec<u8>> {
        Some(stripped(&hand.forge.network(), bytes))
    }

    fn asks(&mut self, _: usize, body: Vec<u8>, hand: &mut Hand<'_>) -> Option<Vec<u8>> {
        let Ok(Request::Push { space, mut events, .. }) = Request::from_bytes(&body) else { return Some(body) };
        strip(&hand.forge.network(), &mut events);
        Some(Request::Push { space, form: Form::Whole, events }.to_bytes())
    }
}

/// See [`super::Behaviour::ClaimsToHold`].
#[derive(Debug)]
pub(super) struct ClaimsToHold;

impl Hostile for ClaimsToHold {
    fn answers(&mut self, _: usize, request: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let answer = match (Request::from_bytes(request), Response::from_bytes(honest)) {
            (_, Ok(Response::Spaces { mut spaces, .. })) => {
                disown(&mut spaces, hand.chance);
                for space in &mut spaces {
                    (space.count, space.epochs) = (0, Some(Vec::new()));
                }
                Response::Spaces { headers_first: hand.chance.is(500), spaces }
            }
            (Ok(Request::Push { events, .. }), _) => Response::Taken(vec![Taken::Held; events.len()]),
            (Ok(Request::Holds { ids, .. }), _) => Response::Holding(vec![true; ids.len()]),
            (Ok(Request::Range { .. }), _) => Response::Range { events: Vec::new(), next: None },
            (Ok(Request::Pick { members, .. }), _) => nothing(members.len()),
            (Ok(Request::Get { ids, .. }), _) => nothing(ids.len()),
            _ => return Answering::now(honest.to_vec()),
        };
        Answering::now(answer.to_bytes())
    }

    fn relays(&mut self, _: usize, _: &[u8], _: &mut Hand<'_>) -> Option<Vec<u8>> {
        None
    }
}

/// See [`super::Behaviour::LiesAboutBoards`].
#[derive(Debug)]
pub(super) struct LiesAboutBoards;

impl Hostile for LiesAboutBoards {
    fn answers(&mut self, _: usize, request: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let Ok(Request::Directory { after }) = Request::from_bytes(request) else {
            return Answering::now(honest.to_vec());
        };
        let mut charters: Vec<Signed> = (0..DIRECTORY_BOARDS_MAX).map(|_| hand.forge.board("the best")).collect();
        charters.iter().for_each(|charter| hand.sign(charter));
        charters.retain(|charter| after.is_none_or(|after| charter.space() > after));
        charters.sort_by_key(Signed::space);
        let listed = |charter: &Signed| Listed {
            charter: EventBytes(charter.bytes().to_vec()),
            events: u64::MAX,
            threads: u64::MAX,
            last_day: u32::MAX,
        };
        let boards: Vec<Listed> = charters.iter().map(listed).collect();
        let more = !boards.is_empty();
        Answering::now(Response::Directory { boards, more }.to_bytes())
    }
}
