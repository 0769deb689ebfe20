//! Behaviours that work by what is written: floods, broken copies, impossible dates, several truths at once.

use super::{Act, Answering, Hand, Hostile};
use crate::forge::with_broken_signature;
use roda_protocol::event::Signed;
use roda_protocol::id::EventId;
use roda_protocol::limits::EVENT_VERSION;

/// A day, milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// See [`super::Behaviour::Floods`].
#[derive(Debug, Default)]
pub(super) struct Floods {
    heard: Vec<Vec<u8>>,
}

/// Messages that a flood repeats.
const HEARD_MAX: usize = 32;

/// Messages that a flood sends each second.
const FLOOD_PER_S: usize = 20;

impl Hostile for Floods {
    fn hears(&mut self, _: &str, bytes: &[u8], _: &mut Hand<'_>) -> bool {
        if self.heard.len() < HEARD_MAX {
            self.heard.push(bytes.to_vec());
        }
        true
    }

    fn ticks(&mut self, hand: &mut Hand<'_>) {
        let Some(board) = hand.chance.pick(hand.boards).copied() else { return };
        for _ in 0..FLOOD_PER_S {
            let bytes = match hand.chance.pick(&self.heard).cloned().filter(|_| hand.chance.is(500)) {
                Some(bytes) => bytes,
                None => {
                    let length = 1 + hand.chance.below(500);
                    let mut bytes = hand.chance.bytes(length);
                    // Half of it has the version of an event, so that it is looked at.
                    bytes[0] = if hand.chance.is(500) { EVENT_VERSION } else { bytes[0] };
                    bytes
                }
            };
            hand.shout(board, &bytes);
        }
    }
}

/// See [`super::Behaviour::BreaksSignatures`].
#[derive(Debug)]
pub(super) struct BreaksSignatures;

/// Each board has its own topic, and everyone follows all boards: a message that is sent on the wrong one is judged alike.
fn shout_anywhere(hand: &mut Hand<'_>, bytes: &[u8]) {
    if let Some(board) = hand.chance.pick(hand.boards).copied() {
        hand.shout(board, bytes);
    }
}

impl Hostile for BreaksSignatures {
    fn hears(&mut self, _: &str, bytes: &[u8], hand: &mut Hand<'_>) -> bool {
        if let Ok(event) = Signed::decode(&hand.forge.network(), bytes) {
            let broken = with_broken_signature(&event);
            shout_anywhere(hand, &broken);
        }
        true
    }

    fn relays(&mut self, _: usize, _: &[u8], _: &mut Hand<'_>) -> Option<Vec<u8>> {
        None
    }
}

/// See [`super::Behaviour::StripsWords`].
#[derive(Debug)]
pub(super) struct StripsWords;

impl Hostile for StripsWords {
    fn hears(&mut self, _: &str, bytes: &[u8], hand: &mut Hand<'_>) -> bool {
        if let Ok(event) = Signed::decode(&hand.forge.network(), bytes) {
            let bare = event.bytes_without_body().to_vec();
            shout_anywhere(hand, &bare);
        }
        true
    }

    fn relays(&mut self, _: usize, _: &[u8], _: &mut Hand<'_>) -> Option<Vec<u8>> {
        None
    }

    fn answers(&mut self, _: usize, _: &[u8], _: &[u8], _: &mut Hand<'_>) -> Answering {
        Answering::Silence
    }
}

/// See [`super::Behaviour::Misdates`].
#[derive(Debug)]
pub(super) struct Misdates;

impl Hostile for Misdates {
    fn ticks(&mut self, hand: &mut Hand<'_>) {
        if hand.is_quiet || !hand.chance.is(100) {
            return;
        }
        let Some(board) = hand.chance.pick(hand.boards).copied() else { return };
        let now = hand.wall_ms;
        let dates = [0, 1, now / 2, now + DAY_MS / 8, now + DAY_MS * 400, u64::MAX / 2, u64::MAX - 1];
        let date = dates[hand.chance.below(dates.len())];
        hand.forge.set_clock(date);
        let event = hand.forge.post(board, "At some time", "It is dated by nobody's clock.");
        hand.sign(&event);
        hand.shout(board, event.bytes());
    }
}

/// See [`super::Behaviour::Equivocates`].
#[derive(Debug)]
pub(super) struct Equivocates;

impl Hostile for Equivocates {
    fn ticks(&mut self, hand: &mut Hand<'_>) {
        if hand.is_quiet || !hand.chance.is(30) {
            return;
        }
        let Some(board) = hand.chance.pick(hand.boards).copied() else { return };
        hand.forge.set_clock(hand.wall_ms);
        let post = hand.forge.post(board, "What did I say?", "It depends on who asks.");
        hand.sign(&post);
        hand.shout(board, post.bytes());
        for to in hand.neighbours {
            let edit = hand.forge.edit(board, post.id(), vec![post.id()], &format!("This is what node {to} hears."));
            hand.sign(&edit);
            hand.act(Act::Gossip { to: *to, board, bytes: edit.bytes().to_vec() });
        }
    }
}

/// See [`super::Behaviour::InventsParents`].
#[derive(Debug)]
pub(super) struct InventsParents;

impl Hostile for InventsParents {
    fn ticks(&mut self, hand: &mut Hand<'_>) {
        if hand.is_quiet || !hand.chance.is(100) {
            return;
        }
        let Some((board, root, _)) = hand.chance.pick(hand.places).copied() else { return };
        let mut parent = [0; 32];
        parent.copy_from_slice(&hand.chance.bytes(32));
        hand.forge.set_clock(hand.wall_ms);
        let event = hand.forge.comment(board, root, EventId(parent), "I agree with this.");
        hand.sign(&event);
        hand.shout(board, event.bytes());
    }
}
