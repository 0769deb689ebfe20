//! How names look: whether one mixes alphabets, and which can be taken for each other.
//!
//! For showing only. It rests on the tables of a library and may change with them; no rule of validity asks it.

use unicode_security::confusable_detection::skeleton;

/// What is left of a name when letters that look alike are the same: its skeletons (Unicode Technical Standard 39, 4).
///
/// There are two, of the name as it is written and of its small letters: `Bob` looks like `bob`, and `PAYPAI`, whose small
/// letters give it away, like `PAYPAl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    written: String,
    small: String,
}

impl Look {
    /// How a name looks. `None` if there is nothing to see.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let name = name.trim();
        let small: String = name.chars().flat_map(char::to_lowercase).collect();
        let look = Self { written: skeleton(name).collect(), small: skeleton(&small).collect() };
        (!look.written.is_empty()).then_some(look)
    }

    /// Whether another name can be taken for this one.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.written == other.written || self.small == other.small
    }

    /// The skeletons, for a map of many names: two names look alike if they share one in the same place.
    #[must_use]
    pub fn skeletons(&self) -> [&str; 2] {
        [&self.written, &self.small]
    }
}

/// Whether a name has letters of more than one alphabet that look alike: Latin, Greek, Cyrillic, Armenian, Cherokee.
#[must_use]
pub fn mixes_alphabets(name: &str) -> bool {
    let alphabet = |letter: char| match u32::from(letter) {
        0x41..=0x5a | 0x61..=0x7a | 0xaa | 0xba | 0xc0..=0x24f | 0x1e00..=0x1eff | 0xff21..=0xff5a => Some('L'),
        0x370..=0x3ff | 0x1f00..=0x1fff => Some('G'),
        0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Some('C'),
        0x530..=0x58f => Some('A'),
        0x13a0..=0x13ff | 0xab70..=0xabbf => Some('K'),
        _ => None,
    };
    let mut letters = name.chars().filter_map(alphabet);
    let first = letters.next();
    first.is_some_and(|first| letters.any(|other| other != first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_alike(one: &str, other: &str) -> bool {
        Look::of(one).unwrap().is_like(&Look::of(other).unwrap())
    }

    #[test]
    fn names_that_can_be_taken_for_each_other_look_alike_and_others_do_not() {
        for (one, other) in [
            ("ana", "ana"),
            ("ana", "Ana"),
            ("ana", "аnа"),
            ("paypal", "paypaI"),
            ("PAYPAL", "paypal"),
            ("modern", "modem"),
            ("BOB", "B0B"),
            ("scope", "ѕсоре"),
            ("José", "Jose\u{301}"),
        ] {
            assert!(are_alike(one, other) && are_alike(other, one), "{one} {other}");
        }
        for (one, other) in [("ana", "anna"), ("José", "Jose"), ("山田", "山本"), ("Анна", "Anna")] {
            assert!(!are_alike(one, other), "{one} {other}");
        }
        assert_eq!((Look::of(""), Look::of("  ")), (None, None));
    }

    #[test]
    fn a_name_that_mixes_alphabets_is_noticed_and_honest_ones_are_not() {
        assert!(mixes_alphabets("pаypal"), "the second letter is Cyrillic");
        assert!(mixes_alphabets("Αna"), "the first letter is Greek");
        for honest in ["Ana", "José", "Анна", "Ω", "山田", "ana 42", ""] {
            assert!(!mixes_alphabets(honest), "{honest}");
        }
    }
}
