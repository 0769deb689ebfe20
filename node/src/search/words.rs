//! From text to the words that are looked for.
//!
//! A word is a run of letters, digits and their marks, in lower case, without accents, so that "acao" is found by "ação" and
//! the other way round. Scripts that put no spaces between words give one word for each character; a run of them is looked
//! for as a phrase. Beside the plain word stand its English and its Portuguese stem: nobody says in which language a post is.

use std::ops::Range;
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, Stemmer, TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer, TokenizerManager,
};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Bytes of a word, at most: an id has 64. What is longer is cut, in texts as in what is asked, so that it is still found.
const WORD_BYTES_MAX: usize = 64;

/// Characters of a run of letters that are looked at: the rest of it can't be in the word.
const WORD_CHARS_READ: usize = WORD_BYTES_MAX;

/// Names of the analysers.
pub(super) const PLAIN: &str = "roda-plain";
/// See [`PLAIN`].
pub(super) const ENGLISH: &str = "roda-english";
/// See [`PLAIN`].
pub(super) const PORTUGUESE: &str = "roda-portuguese";

/// A word of a text in its three forms, and the bytes that it takes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) plain: String,
    pub(super) english: String,
    pub(super) portuguese: String,
    pub(super) place: Range<usize>,
}

impl Form {
    /// Whether the word has a letter that stems have: others are the same in every form.
    pub(super) fn has_stems(&self) -> bool {
        has_latin(&self.plain)
    }
}

/// The words of a text.
pub(super) fn forms(text: &str) -> Vec<Form> {
    let (mut plain, mut english, mut portuguese) = (plain(), english(), portuguese());
    let mut stems = (english.token_stream(text), portuguese.token_stream(text));
    let mut words = plain.token_stream(text);
    let mut forms = Vec::new();
    // All three cut the text at the same places.
    while words.advance() && stems.0.advance() && stems.1.advance() {
        let word = words.token();
        forms.push(Form {
            plain: word.text.clone(),
            english: stems.0.token().text.clone(),
            portuguese: stems.1.token().text.clone(),
            place: word.offset_from..word.offset_to,
        });
    }
    forms
}

/// The plain words of a text with one space between them: how names are compared.
pub(super) fn folded(text: &str) -> String {
    let mut analyser = plain();
    let mut words = analyser.token_stream(text);
    let mut folded = String::new();
    while words.advance() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(&words.token().text);
    }
    folded
}

/// Tells an index how its fields are cut.
pub(super) fn register(tokenizers: &TokenizerManager) {
    tokenizers.register(PLAIN, plain());
    // In the index a word without stems is not kept three times.
    let english = TextAnalyzer::builder(Words::default()).filter(AsciiFoldingFilter).filter(OnlyLatin);
    tokenizers.register(ENGLISH, english.filter(Stemmer::new(Language::English)).build());
    let portuguese = TextAnalyzer::builder(Words::default()).filter(AsciiFoldingFilter).filter(OnlyLatin);
    let portuguese = portuguese.filter(Singular).filter(Stemmer::new(Language::Portuguese));
    tokenizers.register(PORTUGUESE, portuguese.build());
}

fn plain() -> TextAnalyzer {
    TextAnalyzer::builder(Words::default()).filter(AsciiFoldingFilter).build()
}

fn english() -> TextAnalyzer {
    let words = TextAnalyzer::builder(Words::default()).filter(AsciiFoldingFilter);
    words.filter(Stemmer::new(Language::English)).build()
}

fn portuguese() -> TextAnalyzer {
    let words = TextAnalyzer::builder(Words::default()).filter(AsciiFoldingFilter);
    words.filter(Singular).filter(Stemmer::new(Language::Portuguese)).build()
}

/// Whether a character is a word by itself: in Han, kana, Hangul, Thai, Lao, Khmer and Burmese words are not kept apart, or
/// carry what other languages write as words of their own.
fn stands_alone(letter: char) -> bool {
    matches!(u32::from(letter),
        0x0e00..=0x0eff
        | 0x1000..=0x109f
        | 0x1780..=0x17ff
        | 0x3005..=0x3007
        | 0x3040..=0x30ff
        | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xff66..=0xff9f
        | 0x20000..=0x3ffff)
}

fn has_latin(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Cuts a text into words.
#[derive(Clone, Debug, Default)]
struct Words {
    token: Token,
}

struct WordStream<'a> {
    text: &'a str,
    at: usize,
    token: &'a mut Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.token.reset();
        WordStream { text, at: 0, token: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        self.token.text.clear();
        while self.token.text.is_empty() {
            let rest = &self.text[self.at..];
            let Some((start, first)) = rest.char_indices().find(|(_, letter)| letter.is_alphanumeric()) else {
                return false;
            };
            let is_alone = stands_alone(first);
            let goes_on = |letter: char| match is_alone {
                true => is_combining_mark(letter),
                false => is_combining_mark(letter) || (letter.is_alphanumeric() && !stands_alone(letter)),
            };
            let behind = start + first.len_utf8();
            let length = rest[behind..].find(|letter| !goes_on(letter)).unwrap_or(rest.len() - behind);
            let word = &rest[start..behind + length];
            self.token.offset_from = self.at + start;
            self.token.offset_to = self.at + start + word.len();
            self.at = self.token.offset_to;
            // A few letters are marks to the eye and nothing to the ear: no word is left of these.
            normal(word, &mut self.token.text);
        }
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// A word in the form in which it is compared.
fn normal(word: &str, out: &mut String) {
    if word.is_ascii() {
        out.push_str(&word[..word.len().min(WORD_BYTES_MAX)]);
        out.make_ascii_lowercase();
        return;
    }
    let is_accent = |letter: &char| ('\u{300}'..='\u{36f}').contains(letter);
    // The end of a Greek word has a letter of its own.
    let one_sigma = |letter: char| if letter == 'ς' { 'σ' } else { letter };
    let letters = word.chars().take(WORD_CHARS_READ).nfkd().flat_map(char::to_lowercase).map(one_sigma);
    for letter in letters.filter(|letter| !is_accent(letter)).nfc() {
        if out.len() + letter.len_utf8() > WORD_BYTES_MAX {
            break;
        }
        out.push(letter);
    }
}

/// Leaves words with Latin letters alone: the others have no stem.
#[derive(Clone, Debug)]
struct OnlyLatin;

#[derive(Clone, Debug)]
struct OnlyLatinOf<T>(T);

struct OnlyLatinStream<T>(T);

impl TokenFilter for OnlyLatin {
    type Tokenizer<T: Tokenizer> = OnlyLatinOf<T>;

    fn transform<T: Tokenizer>(self, tokenizer: T) -> OnlyLatinOf<T> {
        OnlyLatinOf(tokenizer)
    }
}

impl<T: Tokenizer> Tokenizer for OnlyLatinOf<T> {
    type TokenStream<'a> = OnlyLatinStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        OnlyLatinStream(self.0.token_stream(text))
    }
}

impl<T: TokenStream> TokenStream for OnlyLatinStream<T> {
    fn advance(&mut self) -> bool {
        while self.0.advance() {
            if has_latin(&self.0.token().text) {
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        self.0.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.0.token_mut()
    }
}

/// Brings Portuguese plurals that change the word's end to their singular, which the stemmer does not: it gives "discussões"
/// and "discussão" different stems. The rules are those of the plural step of RSLP (Orengo and Huyck, 2001), for words
/// whose accents are gone.
#[derive(Clone, Debug)]
struct Singular;

#[derive(Clone, Debug)]
struct SingularOf<T>(T);

struct SingularStream<T>(T);

/// Plural ends, what stands in their place in the singular, and the letters before them that it takes: "mais" and "pois" are
/// no plurals.
const PLURALS: &[(&str, &str, usize)] =
    &[("oes", "ao", 2), ("aes", "ao", 1), ("ais", "al", 3), ("eis", "el", 3), ("ois", "ol", 3), ("ns", "m", 2)];

/// Plurals that end like others and are made by an "s" alone.
const PLAIN_PLURALS: &[&str] = &["maes"];

impl TokenFilter for Singular {
    type Tokenizer<T: Tokenizer> = SingularOf<T>;

    fn transform<T: Tokenizer>(self, tokenizer: T) -> SingularOf<T> {
        SingularOf(tokenizer)
    }
}

impl<T: Tokenizer> Tokenizer for SingularOf<T> {
    type TokenStream<'a> = SingularStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        SingularStream(self.0.token_stream(text))
    }
}

impl<T: TokenStream> TokenStream for SingularStream<T> {
    fn advance(&mut self) -> bool {
        if !self.0.advance() {
            return false;
        }
        let word = &mut self.0.token_mut().text;
        let fits = |end: &str, letters: usize| {
            let before = word.strip_suffix(end).map(|before| before.chars().count());
            before.is_some_and(|before| before >= letters) && !PLAIN_PLURALS.contains(&word.as_str())
        };
        if let Some((end, singular, _)) = PLURALS.iter().find(|(end, _, letters)| fits(end, *letters)) {
            word.truncate(word.len() - end.len());
            word.push_str(singular);
        }
        true
    }

    fn token(&self) -> &Token {
        self.0.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.0.token_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        forms(text).into_iter().map(|form| form.plain).collect()
    }

    /// Whether one word is found by the other.
    fn meet(one: &str, other: &str) -> bool {
        let (one, other) = (forms(one), forms(other));
        let ([one], [other]) = (one.as_slice(), other.as_slice()) else { panic!("one word each") };
        one.plain == other.plain || one.english == other.english || one.portuguese == other.portuguese
    }

    #[test]
    fn plurals_and_endings_of_portuguese_words_meet() {
        for (one, other) in [
            ("discussões", "discussão"),
            ("discussoes", "discussão"),
            ("ações", "acao"),
            ("pães", "pão"),
            ("mães", "mãe"),
            ("sons", "som"),
            ("jornais", "jornal"),
            ("papéis", "papel"),
            ("lençóis", "lençol"),
            ("jardins", "jardim"),
            ("gatos", "gato"),
            ("correndo", "correr"),
            ("sementes", "semente"),
        ] {
            assert!(meet(one, other), "{one} {other}: {:?} {:?}", forms(one), forms(other));
        }
        for (one, other) in [("mais", "mal"), ("mães", "mão"), ("pois", "pol")] {
            assert!(!meet(one, other), "{one} {other}");
        }
        assert!(!meet("discussão", "disco"));
    }

    #[test]
    fn endings_of_english_words_meet() {
        for (one, other) in [("running", "run"), ("runs", "run"), ("gardens", "Gardening"), ("beliefs", "belief")] {
            assert!(meet(one, other), "{one} {other}");
        }
        assert!(!meet("running", "ruin"));
    }

    #[test]
    fn accents_and_capitals_make_no_difference_however_they_are_written() {
        for (one, other) in [
            ("ação", "ACAO"),
            ("a\u{301}gua", "Água"),
            ("Straße", "strasse"),
            ("Ærø", "aero"),
            ("Łódź", "lodz"),
            ("Ё", "е"),
            ("ΛΌΓΟΣ", "λόγος"),
            ("ｆｕｌｌ", "full"),
            ("İstanbul", "istanbul"),
        ] {
            assert_eq!(words(one), words(other), "{one} {other}");
        }
    }

    #[test]
    fn scripts_without_spaces_give_a_word_for_each_character() {
        assert_eq!(words("日本語のwiki"), ["日", "本", "語", "の", "wiki"]);
        assert_eq!(words("한국어"), ["한", "국", "어"]);
        assert_eq!(words("ที่นี่").len(), 2, "marks stay with their letter");
        assert_eq!(words("हिन्दी में"), ["हिन्दी", "में"]);
    }

    #[test]
    fn a_word_without_end_is_cut_and_still_meets_itself() {
        for long in ["a".repeat(10_000), "é".repeat(10_000), "क".repeat(10_000)] {
            let words = words(&long);
            assert_eq!(words.len(), 1);
            assert!(words[0].len() <= WORD_BYTES_MAX && words[0].len() > WORD_BYTES_MAX / 2, "{}", words[0].len());
        }
    }

    #[test]
    fn names_are_compared_by_their_words() {
        assert_eq!(folded("  João--da SILVA "), "joao da silva");
        assert_eq!(folded("★"), "");
    }

    proptest! {
        #[test]
        fn any_text_gives_words_at_growing_places_of_it(text in "\\PC{0,200}") {
            let mut end = 0;
            for form in forms(&text) {
                prop_assert!(form.place.start >= end && form.place.end > form.place.start);
                prop_assert!(text.get(form.place.clone()).is_some());
                prop_assert!(!form.plain.is_empty() && form.plain.len() <= 4 * WORD_BYTES_MAX);
                end = form.place.end;
            }
        }
    }
}
