//! Mentions: whether a text speaks to an author.
//!
//! A mention is `@` and at least the first [`MENTION_DIGITS_MIN`] digits of the author's key, in any case. Names are no
//! mentions: anybody can take any name, so a name means nobody for sure.

use crate::id::AuthorKey;

/// Digits of a key that mean one author: what clients show beside a name. Two of a thousand authors share 40 bits in one case
/// of two million.
pub const MENTION_DIGITS_MIN: usize = 8;

/// Whether a text mentions an author.
#[must_use]
pub fn mentions(text: &str, author: &AuthorKey) -> bool {
    let key = author.to_string();
    let digits = key.trim_start_matches('@').as_bytes();
    let is_meant = |at: usize| {
        let follows = &text.as_bytes()[at + 1..];
        let written = follows.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        // A key with anything behind it is no key; and `a@b` is an address.
        let is_address = text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        (MENTION_DIGITS_MIN..=digits.len()).contains(&written)
            && !is_address
            && follows[..written].eq_ignore_ascii_case(&digits[..written])
    };
    text.match_indices('@').any(|(at, _)| is_meant(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_enough_of_the_key_and_nothing_else() {
        let author = AuthorKey([0x5c; 32]);
        let key = author.to_string();
        let short = &key[..9];
        for text in [&key, short, &format!("hello {short}, look"), &format!("({})", short.to_uppercase())] {
            assert!(mentions(text, &author), "{text}");
        }
        let other = AuthorKey([0x5d; 32]).to_string();
        for text in
            ["", "@", &key[..8], &key[1..], &other, &format!("mail{short}"), &format!("{short}9z"), &format!("{key}x")]
        {
            assert!(!mentions(text, &author), "{text}");
        }
    }
}
