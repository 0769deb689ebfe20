//! A reader's own rules: what to watch, follow, mute, lift and hide. Local to a node, never sent; nobody else's rules count
//! here.
//!
//! Pure: the rules, an item and the reader's clock give a judgement with everything that led to it, so that each hidden item
//! can say by what. An own item is never hidden. Rules are tried in a fixed order: follow, mute of the author, mute of words,
//! points. Whoever is followed is hidden by no rule about words, age or points.

use crate::id::{AuthorKey, EventId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization as _;

/// Rules of a reader: a few screens of them; each is a row of the index and 50 to 150 bytes of memory.
pub const RULES_MAX: usize = 2000;

/// Rules about words: each is looked for in every text that is shown or ranked.
pub const TEXT_RULES_MAX: usize = 200;

/// Bytes of the words of a rule: a phrase, not a text.
pub const RULE_TEXT_BYTES_MAX: usize = 100;

/// Points of one rule, either way.
pub const RULE_POINTS_MAX: i32 = 1000;

/// Points of whoever is followed: as many votes, in orders that count votes.
pub const FOLLOW_POINTS: i32 = 5;

/// An item with so many points or fewer is hidden.
pub const HIDE_POINTS: i32 = -10;

/// Days of a rule about age at most: a hundred years.
pub const RULE_DAYS_MAX: u32 = 36_500;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// From here on scripts don't part words by blanks (CJK radicals and what follows): a rule's words may stand anywhere.
const UNPARTED_FROM: char = '\u{2e80}';

/// What a rule is about. There is at most one rule about each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// A thread, by its post.
    Thread(EventId),
    /// Everything by an author.
    Author(AuthorKey),
    /// Titles and texts with these words; `*` at an end: also as a part of a longer word there.
    Text(String),
    /// What is so many days old or older.
    Older(u32),
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Answers in the thread come to the inbox.
    Watch,
    /// Lifted, and hidden by no rule about words, age or points.
    Follow,
    /// Hidden.
    Mute,
    /// So many points more, or fewer.
    Points(i32),
}

/// Why a rule can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The effect makes no sense for the subject.
    #[error("only threads can be watched, only authors followed; threads take no points, and age takes nothing else")]
    Mismatch,
    /// No words, or too many.
    #[error("the words of a rule have 1 to {RULE_TEXT_BYTES_MAX} bytes")]
    Text,
    /// No points, or too many.
    #[error("points are from -{RULE_POINTS_MAX} to {RULE_POINTS_MAX}, and not 0")]
    Points,
    /// No such age.
    #[error("an age has 1 to {RULE_DAYS_MAX} days")]
    Days,
    /// There are too many already.
    #[error("a reader has {RULES_MAX} rules at most, {TEXT_RULES_MAX} of them about words; remove some first")]
    TooMany,
}

/// Checks that a rule makes sense.
///
/// # Errors
///
/// [`RuleError`].
pub fn check(subject: &Subject, effect: Effect) -> Result<(), RuleError> {
    match (subject, effect) {
        (Subject::Thread(_), Effect::Watch | Effect::Mute)
        | (Subject::Author(_), Effect::Follow | Effect::Mute | Effect::Points(_))
        | (Subject::Text(_), Effect::Mute | Effect::Points(_))
        | (Subject::Older(_), Effect::Points(_)) => {}
        _ => return Err(RuleError::Mismatch),
    }
    match subject {
        Subject::Text(words) if words.len() > RULE_TEXT_BYTES_MAX || words.trim_matches('*').trim().is_empty() => {
            return Err(RuleError::Text);
        }
        Subject::Older(days) if *days == 0 || *days > RULE_DAYS_MAX => return Err(RuleError::Days),
        _ => {}
    }
    match effect {
        Effect::Points(points) if points == 0 || points.unsigned_abs() > RULE_POINTS_MAX.unsigned_abs() => {
            Err(RuleError::Points)
        }
        _ => Ok(()),
    }
}

/// A text as rules compare it: case and compatible forms don't matter.
#[must_use]
pub fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Who wrote it.
    pub author: AuthorKey,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// A post's title.
    pub title: &'a str,
    /// The text.
    pub text: &'a str,
}

/// What a reader's rules come to for an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The sum of the points of all rules that fit.
    pub points: i32,
    /// By what it is hidden, if it is.
    pub hidden: Option<HiddenBy>,
    /// All rules that fit, in the order in which they were tried.
    pub rules: Vec<(Subject, Effect)>,
}

/// By what an item is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HiddenBy {
    /// A rule that mutes.
    Rule(Subject),
    /// The points of all rules together, which are [`HIDE_POINTS`] or fewer.
    Points(i32),
}

/// The rules of a reader.
#[derive(Clone, Debug)]
pub struct Policy {
    me: AuthorKey,
    threads: BTreeMap<EventId, Effect>,
    authors: BTreeMap<AuthorKey, Effect>,
    texts: Vec<(Subject, Words, Effect)>,
    ages: Vec<(u32, Effect)>,
}

/// Words that are looked for.
#[derive(Clone, Debug)]
struct Words {
    folded: String,
    is_open_before: bool,
    is_open_behind: bool,
}

impl Policy {
    /// The policy of the reader who writes as `me`.
    #[must_use]
    pub fn new(me: AuthorKey, rules: impl IntoIterator<Item = (Subject, Effect)>) -> Self {
        let mut policy =
            Self { me, threads: BTreeMap::new(), authors: BTreeMap::new(), texts: Vec::new(), ages: Vec::new() };
        for (subject, effect) in rules {
            match subject {
                Subject::Thread(root) => {
                    policy.threads.insert(root, effect);
                }
                Subject::Author(author) => {
                    policy.authors.insert(author, effect);
                }
                Subject::Text(ref text) => {
                    let words = Words::of(text);
                    policy.texts.push((subject, words, effect));
                }
                Subject::Older(days) => policy.ages.push((days, effect)),
            }
        }
        policy
    }

    /// Whether no rule can do anything to an item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.authors.is_empty() && self.texts.is_empty() && self.ages.is_empty()
    }

    /// What a rule about the thread does.
    #[must_use]
    pub fn of_thread(&self, root: &EventId) -> Option<Effect> {
        self.threads.get(root).copied()
    }

    /// The threads that are watched.
    pub fn watched(&self) -> impl Iterator<Item = &EventId> {
        self.threads.iter().filter(|(_, effect)| **effect == Effect::Watch).map(|(root, _)| root)
    }

    /// The authors that are followed.
    pub fn followed_authors(&self) -> impl Iterator<Item = &AuthorKey> {
        self.authors.iter().filter(|(_, effect)| **effect == Effect::Follow).map(|(author, _)| author)
    }

    /// Whether the author is followed.
    #[must_use]
    pub fn follows(&self, author: &AuthorKey) -> bool {
        self.authors.get(author) == Some(&Effect::Follow)
    }

    /// Whether everything by the author is hidden.
    #[must_use]
    pub fn mutes(&self, author: &AuthorKey) -> bool {
        self.authors.get(author) == Some(&Effect::Mute) && *author != self.me
    }

    /// What the rules come to for an item.
    #[must_use]
    pub fn judge(&self, item: &Item<'_>, now_ms: u64) -> Judgement {
        let mut judgement = Judgement::default();
        if item.author == self.me || self.is_empty() {
            return judgement;
        }
        let of_author = self.authors.get(&item.author).copied();
        if let Some(effect) = of_author {
            judgement.apply(Subject::Author(item.author), effect);
        }
        if !self.texts.is_empty() {
            let text = folded(&format!("{}\n{}", item.title, item.text));
            for (subject, words, effect) in &self.texts {
                if words.is_in(&text) {
                    judgement.apply(subject.clone(), *effect);
                }
            }
        }
        for (days, effect) in &self.ages {
            if now_ms.saturating_sub(item.created_ms) >= u64::from(*days) * DAY_MS {
                judgement.apply(Subject::Older(*days), *effect);
            }
        }
        if of_author == Some(Effect::Follow) {
            judgement.hidden = None;
        } else if judgement.hidden.is_none() && judgement.points <= HIDE_POINTS {
            judgement.hidden = Some(HiddenBy::Points(judgement.points));
        }
        judgement
    }
}

impl Judgement {
    fn apply(&mut self, subject: Subject, effect: Effect) {
        match effect {
            Effect::Mute if self.hidden.is_none() => self.hidden = Some(HiddenBy::Rule(subject.clone())),
            Effect::Follow => self.points = self.points.saturating_add(FOLLOW_POINTS),
            Effect::Points(points) => self.points = self.points.saturating_add(points),
            Effect::Mute | Effect::Watch => {}
        }
        self.rules.push((subject, effect));
    }
}

impl Words {
    fn of(text: &str) -> Self {
        let folded = folded(text.trim_matches('*').trim());
        let is_unparted = |c: Option<char>| c.is_none_or(|c| c >= UNPARTED_FROM || !c.is_alphanumeric());
        Self {
            is_open_before: text.starts_with('*') || is_unparted(folded.chars().next()),
            is_open_behind: text.ends_with('*') || is_unparted(folded.chars().next_back()),
            folded,
        }
    }

    /// Whether a folded text has these words, as whole words.
    fn is_in(&self, text: &str) -> bool {
        text.match_indices(&self.folded).any(|(at, found)| {
            let before = text[..at].chars().next_back();
            let behind = text[at + found.len()..].chars().next();
            (self.is_open_before || !before.is_some_and(char::is_alphanumeric))
                && (self.is_open_behind || !behind.is_some_and(char::is_alphanumeric))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 100 * DAY_MS;

    fn author(number: u8) -> AuthorKey {
        AuthorKey([number; 32])
    }

    fn item(by: u8, text: &str) -> Item<'_> {
        Item { author: author(by), created_ms: NOW_MS - DAY_MS, title: "A title", text }
    }

    fn policy(rules: &[(Subject, Effect)]) -> Policy {
        rules.iter().for_each(|(subject, effect)| check(subject, *effect).expect("a rule that makes sense"));
        Policy::new(author(0), rules.iter().cloned())
    }

    fn text(words: &str) -> Subject {
        Subject::Text(words.into())
    }

    #[test]
    fn words_are_whole_words_in_any_case_unless_a_star_stands_at_an_end() {
        let has = |words: &str, shown: &str| {
            policy(&[(text(words), Effect::Mute)]).judge(&item(1, shown), NOW_MS).hidden.is_some()
        };
        assert!(has("cat", "My CAT sleeps"));
        assert!(has("cat", "cat"));
        assert!(!has("cat", "concatenate"));
        assert!(has("*cat*", "concatenate"));
        assert!(has("cat*", "cats") && !has("cat*", "bobcats"));
        assert!(has("good morning", "Good  morning? Good morning!"));
        assert!(has("ação", "A AC\u{327}A\u{303}O"));
        assert!(has("日本", "今日本を読む"));
        assert!(has("title", "the title counts, too"));
    }

    #[test]
    fn a_hidden_item_says_by_what() {
        let rules = policy(&[(Subject::Author(author(1)), Effect::Mute), (text("spam"), Effect::Mute)]);
        let hidden = |by, shown| rules.judge(&item(by, shown), NOW_MS).hidden;
        assert_eq!(hidden(1, "spam"), Some(HiddenBy::Rule(Subject::Author(author(1)))));
        assert_eq!(hidden(2, "spam"), Some(HiddenBy::Rule(text("spam"))));
        assert_eq!(hidden(2, "ham"), None);
        assert!(rules.mutes(&author(1)) && !rules.mutes(&author(2)));
    }

    #[test]
    fn points_add_up_and_hide_from_a_threshold_on() {
        let rules = policy(&[
            (text("crypto"), Effect::Points(-6)),
            (Subject::Author(author(1)), Effect::Points(-4)),
            (Subject::Older(30), Effect::Points(-100)),
        ]);
        let one = rules.judge(&item(2, "crypto"), NOW_MS);
        assert_eq!((one.points, one.hidden), (-6, None));
        let both = rules.judge(&item(1, "crypto"), NOW_MS);
        assert_eq!((both.points, both.hidden), (-10, Some(HiddenBy::Points(-10))));
        assert_eq!(both.rules.len(), 2);
        let old = Item { created_ms: NOW_MS - 30 * DAY_MS, ..item(2, "") };
        assert_eq!(rules.judge(&old, NOW_MS).hidden, Some(HiddenBy::Points(-100)));
    }

    #[test]
    fn whoever_is_followed_is_lifted_and_hidden_by_no_words() {
        let rules = policy(&[(Subject::Author(author(1)), Effect::Follow), (text("spam"), Effect::Mute)]);
        let judged = rules.judge(&item(1, "spam"), NOW_MS);
        assert_eq!((judged.points, judged.hidden), (FOLLOW_POINTS, None));
    }

    #[test]
    fn own_words_are_never_hidden() {
        let rules = policy(&[(text("spam"), Effect::Mute), (Subject::Author(author(0)), Effect::Mute)]);
        assert!(!rules.mutes(&author(0)));
        assert_eq!(rules.judge(&item(0, "spam"), NOW_MS), Judgement::default());
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        let refused = |subject, effect| check(&subject, effect).expect_err("it makes no sense");
        assert_eq!(refused(Subject::Thread(EventId([1; 32])), Effect::Follow), RuleError::Mismatch);
        assert_eq!(refused(Subject::Author(author(1)), Effect::Watch), RuleError::Mismatch);
        assert_eq!(refused(Subject::Older(3), Effect::Mute), RuleError::Mismatch);
        assert_eq!(refused(text("* "), Effect::Mute), RuleError::Text);
        assert_eq!(refused(text(&"x".repeat(101)), Effect::Mute), RuleError::Text);
        assert_eq!(refused(text("x"), Effect::Points(0)), RuleError::Points);
        assert_eq!(refused(text("x"), Effect::Points(i32::MIN)), RuleError::Points);
        assert_eq!(refused(Subject::Older(0), Effect::Points(1)), RuleError::Days);
    }
}
