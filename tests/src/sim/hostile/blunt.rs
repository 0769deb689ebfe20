//! Behaviours that need not know what a message says: they drop, delay, garble, replay.

use super::{Act, Answering, Hand, Hostile};

/// See [`super::Behaviour::Silent`].
#[derive(Debug)]
pub(super) struct Silent;

impl Hostile for Silent {
    fn answers(&mut self, _: usize, _: &[u8], _: &[u8], _: &mut Hand<'_>) -> Answering {
        Answering::Silence
    }

    fn relays(&mut self, _: usize, _: &[u8], _: &mut Hand<'_>) -> Option<Vec<u8>> {
        None
    }
}

/// See [`super::Behaviour::Drops`].
#[derive(Debug)]
pub(super) struct Drops;

impl Hostile for Drops {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        if hand.chance.is(500) { Answering::Silence } else { Answering::now(honest.to_vec()) }
    }

    fn relays(&mut self, _: usize, bytes: &[u8], hand: &mut Hand<'_>) -> Option<Vec<u8>> {
        hand.chance.is(500).then(|| bytes.to_vec())
    }

    fn asks(&mut self, _: usize, body: Vec<u8>, hand: &mut Hand<'_>) -> Option<Vec<u8>> {
        hand.chance.is(500).then_some(body)
    }
}

/// See [`super::Behaviour::Delays`].
#[derive(Debug)]
pub(super) struct Delays;

impl Hostile for Delays {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        Answering::Send { bytes: honest.to_vec(), after_ms: hand.chance.between(10_000, 25_000) }
    }
}

/// See [`super::Behaviour::Garbles`].
#[derive(Debug)]
pub(super) struct Garbles;

impl Hostile for Garbles {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let length = hand.chance.below(honest.len() + 64);
        Answering::now(hand.chance.bytes(length))
    }

    fn ticks(&mut self, hand: &mut Hand<'_>) {
        if hand.chance.is(50)
            && let Some(to) = hand.chance.pick(hand.neighbours).copied()
        {
            let length = hand.chance.below(2000);
            let body = hand.chance.bytes(length);
            hand.act(Act::Ask { to, body });
        }
    }
}

/// See [`super::Behaviour::Flips`].
#[derive(Debug)]
pub(super) struct Flips;

impl Hostile for Flips {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let mut bytes = honest.to_vec();
        if bytes.is_empty() || hand.chance.is(300) {
            return Answering::now(bytes);
        }
        if hand.chance.is(300) {
            bytes.truncate(hand.chance.below(honest.len()));
            return Answering::now(bytes);
        }
        for _ in 0..=hand.chance.below(3) {
            let at = hand.chance.below(bytes.len());
            bytes[at] ^= 1 << hand.chance.below(8);
        }
        Answering::now(bytes)
    }
}

/// Answers that a [`Replays`] keeps.
const KEPT_MAX: usize = 16;

/// See [`super::Behaviour::Replays`].
#[derive(Debug, Default)]
pub(super) struct Replays {
    answers: Vec<Vec<u8>>,
}

impl Hostile for Replays {
    fn answers(&mut self, _: usize, _: &[u8], honest: &[u8], hand: &mut Hand<'_>) -> Answering {
        let replayed = hand.chance.pick(&self.answers).cloned().filter(|_| hand.chance.is(700));
        if self.answers.len() < KEPT_MAX {
            self.answers.push(honest.to_vec());
        } else {
            self.answers[hand.chance.below(KEPT_MAX)] = honest.to_vec();
        }
        Answering::now(replayed.unwrap_or_else(|| honest.to_vec()))
    }
}

/// Messages after which a [`Stale`] node's engine hears nothing.
const HEARD_MAX: u32 = 10;

/// See [`super::Behaviour::Stale`].
#[derive(Debug, Default)]
pub(super) struct Stale {
    heard: u32,
}

impl Hostile for Stale {
    fn hears(&mut self, _: &str, _: &[u8], _: &mut Hand<'_>) -> bool {
        self.heard += 1;
        self.heard < HEARD_MAX
    }

    fn asks(&mut self, _: usize, body: Vec<u8>, _: &mut Hand<'_>) -> Option<Vec<u8>> {
        (self.heard < HEARD_MAX).then_some(body)
    }
}
