//! What a network writes: a seeded mixture of boards, threads of very different length, comments, votes, edits and
//! retractions, for measuring. The same seed and number give the same events.

use crate::chance::Chance;
use crate::forge::Forge;
use roda_protocol::event::Signed;
use roda_protocol::id::{EventId, NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;

/// Boards.
pub const BOARDS: usize = 8;

/// Authors. The share of each falls with the cube root of its rank: a few write much.
const AUTHORS: usize = 400;

/// Milliseconds between two events: a million take 231 days.
const STEP_MS: u64 = 20_000;

/// Half of all texts are longer than this.
const TEXT_BYTES_MEDIAN: f64 = 300.0;

/// The longest text.
const TEXT_BYTES_MAX: usize = 20_000;

/// Posts, comments, votes and edits among 1,000 events; the others are retractions.
const POSTS: usize = 70;
const COMMENTS: usize = 480;
const VOTES: usize = 405;
const EDITS: usize = 30;

const POSTS_AND_COMMENTS: usize = POSTS + COMMENTS;
const VOTES_AND_EDITS: usize = VOTES + EDITS;

/// Different words.
const WORDS: usize = 50_000;

/// Events that are remembered as targets.
const RECENT_MAX: usize = 200_000;

/// The word of a rank, one being the most frequent: two letters for each digit of the rank, base 60.
#[must_use]
pub fn word(rank: usize) -> String {
    let (mut rest, mut word) = (rank, String::new());
    loop {
        word.push(char::from(b"bdfgklmnprst"[rest / 5 % 12]));
        word.push(char::from(b"aeiou"[rest % 5]));
        rest /= 60;
        if rest == 0 {
            return word;
        }
    }
}

/// What was written and can be answered, voted on, edited or taken back.
#[derive(Clone, Copy, Debug)]
struct Written {
    id: EventId,
    root: EventId,
    board: SpaceId,
    author: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Mixture {
    chance: Chance,
    authors: Vec<Forge>,
    boards: Vec<SpaceId>,
    written: Vec<Written>,
    clock_ms: u64,
    founded: usize,
}

impl Mixture {
    /// A mixture of a network; its first event is dated `start_ms`, unix milliseconds. The first [`BOARDS`] events are
    /// charters.
    #[must_use]
    pub fn new(network: NetworkId, seed: u64, start_ms: u64) -> Self {
        let key = |author: usize| {
            let mut bytes = [7; 32];
            bytes[..8].copy_from_slice(&(author as u64).to_le_bytes());
            bytes[8..16].copy_from_slice(&seed.to_le_bytes());
            SecretKey::from_seed(&bytes)
        };
        Self {
            chance: Chance::from_seed(seed),
            authors: (0..AUTHORS).map(|author| Forge::starting_at(network, key(author), start_ms)).collect(),
            boards: Vec::new(),
            written: Vec::new(),
            clock_ms: start_ms,
            founded: 0,
        }
    }

    /// When the first event must be dated so that the last of so many is not in the future.
    #[must_use]
    pub fn start_for(events: usize, now_ms: u64) -> u64 {
        now_ms.saturating_sub(STEP_MS * (events as u64 + 1000))
    }

    /// The boards that are founded so far.
    #[must_use]
    pub fn boards(&self) -> &[SpaceId] {
        &self.boards
    }

    /// The next so many events.
    pub fn take(&mut self, count: usize) -> Vec<Signed> {
        (0..count).map(|_| self.write()).collect()
    }

    /// A thread with so many comments in the first board, and with the votes, edits and retractions that as many have in the
    /// mixture. Its post is the first event.
    pub fn thread(&mut self, comments: usize) -> Vec<Signed> {
        let board = self.boards[0];
        let post = self.with_author(0, |forge| forge.post(board, "A long thread", "It begins here."));
        let root = post.id();
        let (mut events, mut written) = (vec![post], vec![(root, 0)]);
        while written.len() <= comments {
            let (author, share) = (self.author(), self.chance.below(930));
            let (target, its_author) = written[self.chance.below(written.len())];
            events.push(match share {
                0..COMMENTS => {
                    let parent = if self.chance.is(400) { root } else { target };
                    let text = self.text();
                    let comment = self.with_author(author, |forge| forge.comment(board, root, parent, &text));
                    written.push((comment.id(), author));
                    comment
                }
                share => self.act(share - COMMENTS, author, (board, target), its_author),
            });
        }
        events
    }

    /// A vote of an author on something, or an edit or retraction by who wrote that; by a share of 450.
    fn act(&mut self, share: usize, author: usize, (board, target): (SpaceId, EventId), its_author: usize) -> Signed {
        match share {
            0..VOTES => {
                let value = if self.chance.is(850) { 1 } else { -1 };
                self.with_author(author, |forge| forge.vote(board, target, Vec::new(), value))
            }
            VOTES..VOTES_AND_EDITS => {
                let text = self.text();
                self.with_author(its_author, |forge| forge.edit(board, target, Vec::new(), &text))
            }
            _ => self.with_author(its_author, |forge| forge.retract(board, target)),
        }
    }

    fn write(&mut self) -> Signed {
        if self.founded < BOARDS {
            self.founded += 1;
            let name = format!("board-{}", self.founded);
            let charter = self.with_author(0, |forge| forge.board(&name));
            self.boards.push(charter.space());
            return charter;
        }
        let author = self.author();
        let share = self.chance.below(1000);
        let Some(target) = self.target() else { return self.post(author) };
        match share {
            0..POSTS => self.post(author),
            POSTS..POSTS_AND_COMMENTS => {
                let text = self.text();
                let event =
                    self.with_author(author, |forge| forge.comment(target.board, target.root, target.id, &text));
                self.remember(Written { id: event.id(), author, ..target });
                event
            }
            share => self.act(share - POSTS_AND_COMMENTS, author, (target.board, target.id), target.author),
        }
    }

    fn post(&mut self, author: usize) -> Signed {
        let board = self.boards[self.chance.below(self.boards.len()).min(self.chance.below(self.boards.len()))];
        let (text, title) = (self.text(), format!("A title of the usual length, number {}", self.clock_ms / STEP_MS));
        let event = self.with_author(author, |forge| forge.post(board, &title, &text));
        self.remember(Written { id: event.id(), root: event.id(), board, author });
        event
    }

    /// Whom something is done to: mostly what is new, and whatever has much gets more.
    fn target(&mut self) -> Option<Written> {
        let count = self.written.len();
        let first = if self.chance.is(700) { count.saturating_sub(300) } else { 0 };
        (count > 0).then(|| self.written[first + self.chance.below(count - first)])
    }

    fn remember(&mut self, written: Written) {
        match self.written.len() {
            RECENT_MAX => {
                let at = self.chance.below(RECENT_MAX / 2);
                self.written[at] = written;
            }
            _ => self.written.push(written),
        }
    }

    fn author(&mut self) -> usize {
        let (one, two, three) = (self.chance.below(AUTHORS), self.chance.below(AUTHORS), self.chance.below(AUTHORS));
        one.min(two).min(three)
    }

    /// A text whose length is spread as that of real comments: log-normal.
    fn text(&mut self) -> String {
        // Twelve uniform numbers make a normal one.
        let normal: f64 = (0..12).map(|_| self.chance.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0;
        let bytes = (TEXT_BYTES_MEDIAN * (0.8 * normal).exp()) as usize;
        let mut text = String::new();
        while text.len() < bytes.clamp(2, TEXT_BYTES_MAX) {
            // The word of rank r is drawn as often as 1/r: the logarithm of its rank is uniform.
            let part = self.chance.below(1 << 20) as f64 / f64::from(1 << 20);
            text.push_str(&word((WORDS as f64).powf(part) as usize));
            text.push(' ');
        }
        text.truncate(bytes.clamp(2, TEXT_BYTES_MAX));
        text
    }

    fn with_author(&mut self, author: usize, sign: impl FnOnce(&mut Forge) -> Signed) -> Signed {
        self.clock_ms += STEP_MS;
        let forge = &mut self.authors[author];
        forge.set_clock(self.clock_ms);
        sign(forge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_events_of_about_the_wanted_size() {
        let events = |seed| Mixture::new(NetworkId::of("mixture"), seed, 1_000_000).take(3000);
        let (one, same, other) = (events(1), events(1), events(2));
        assert!(one.iter().zip(&same).all(|(a, b)| a.bytes() == b.bytes()));
        assert!(one.iter().zip(&other).all(|(a, b)| a.id() != b.id()));
        let mean = one.iter().map(|event| event.bytes().len()).sum::<usize>() / one.len();
        assert!((400..600).contains(&mean), "{mean} bytes");
        assert!(one.windows(2).all(|pair| pair[0].header().created_ms < pair[1].header().created_ms));
    }
}
