//! What text from strangers can never do, as properties and as the attacks that were seen in the wild.

use proptest::prelude::*;
use unicode_normalization::char::is_combining_mark;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::limits::NAME_CHARS_MAX;

/// Written apart from the sanitiser's tables, so that a slip in one of them shows.
fn is_forbidden_everywhere(character: char) -> bool {
    let code = u32::from(character);
    (character.is_control() && character != '\n')
        || matches!(code, 0x202A..=0x202E | 0x2066..=0x2069 | 0x200E | 0x200F | 0x061C)
        || matches!(code, 0x200B | 0x2060..=0x2064 | 0xFEFF | 0x00AD | 0x034F)
        || matches!(code, 0xE0000..=0xE007F | 0xE0100..=0xE01EF | 0x2028 | 0x2029 | 0xFFF9..=0xFFFB)
        || matches!(code, 0x115F | 0x1160 | 0x3164 | 0xFFA0 | 0x206A..=0x206F)
        || matches!(code, 0xFDD0..=0xFDEF)
        || code & 0xFFFE == 0xFFFE
}

fn longest_run_of_marks(text: &str) -> usize {
    let selector = |character| matches!(character, '\u{FE0E}' | '\u{FE0F}' | '\u{180B}'..='\u{180F}');
    let runs = text.split(|character| !is_combining_mark(character) || selector(character));
    runs.map(|run| run.chars().count()).max().unwrap_or(0)
}

fn hostile() -> impl Strategy<Value = String> {
    let sharp = prop::sample::select(vec![
        '\u{1b}',
        '[',
        '2',
        'J',
        ']',
        ';',
        '\u{7}',
        '\u{9b}',
        '\u{85}',
        '\r',
        '\n',
        '\t',
        ' ',
        '\u{a0}',
        '\u{3000}',
        'a',
        '1',
        '\u{202e}',
        '\u{2066}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{feff}',
        '\u{e0041}',
        '\u{2028}',
        '\u{ad}',
        '\u{3164}',
        '\u{301}',
        '\u{489}',
        '\u{20e3}',
        '\u{fe0e}',
        '\u{fe0f}',
        '\u{fe00}',
        '👩',
        '❤',
        '\u{1f3fd}',
        '\u{1f1e7}',
        '\u{1f1f7}',
        'ک',
        'م',
        '\u{644}',
        '\u{627}',
        '\u{64b}',
        '\u{915}',
        '\u{94d}',
        '\u{937}',
        '\u{903}',
        '\u{180e}',
        '\u{180b}',
        '\u{182d}',
        '漢',
        '\u{1100}',
        '\u{1161}',
        '\u{11a8}',
        '\u{17d8}',
        '\u{ffff}',
        '\u{fffd}',
    ]);
    prop::collection::vec(prop_oneof![4 => sharp, 1 => any::<char>()], 0..120).prop_map(String::from_iter)
}

fn mark(text: &str) -> String {
    text.replace('?', "\u{FFFD}")
}

proptest! {
    #[test]
    fn nothing_forbidden_is_ever_shown(text in hostile(), columns in 0_usize..100) {
        let text = Untrusted::new(text);
        let shown = [text.line(None), text.line(Some(columns)), text.block(), text.wrapped(columns, "| ")];
        for shown in shown {
            prop_assert!(!shown.contains(is_forbidden_everywhere), "{:?}", shown);
            prop_assert!(longest_run_of_marks(&shown) <= sanitise::MARKS_MAX, "{:?}", shown);
        }
        prop_assert!(!text.line(None).contains('\n'));
        let debug = format!("{text:?}");
        prop_assert!(!debug.contains(is_forbidden_everywhere));
    }

    #[test]
    fn sanitising_twice_changes_nothing(text in hostile(), columns in 0_usize..100) {
        let text = Untrusted::new(text);
        let block = text.block();
        prop_assert_eq!(&Untrusted::new(block.as_str()).block(), &block);
        let line = text.line(None);
        prop_assert_eq!(&Untrusted::new(line.as_str()).line(None), &line);
        let cut = text.line(Some(columns));
        prop_assert_eq!(&Untrusted::new(cut.as_str()).line(Some(columns)), &cut);
        prop_assert_eq!(&Untrusted::new(cut.as_str()).line(None), &cut);
    }

    #[test]
    fn a_cut_line_fits_and_an_uncut_one_is_whole(text in hostile(), columns in 0_usize..100) {
        let text = Untrusted::new(text);
        let cut = text.line(Some(columns));
        prop_assert!(display_width(&cut) <= columns && cut.width() <= columns);
        let whole = text.line(None);
        prop_assert_eq!(cut == whole, display_width(&whole) <= columns || (columns == 0 && whole.is_empty()));
    }

    #[test]
    fn every_row_begins_with_the_prefix_and_fits(text in hostile(), columns in 10_usize..100) {
        for prefix in ["", "> ", "│ "] {
            for row in Untrusted::new(text.as_str()).wrapped(columns, prefix).split('\n') {
                prop_assert!(row.starts_with(prefix) || text.is_empty());
                prop_assert!(display_width(row) <= columns && row.width() <= columns, "{:?}", row);
                let words = row.strip_prefix(prefix).unwrap_or_default();
                prop_assert_eq!(sanitise::block(words), words, "a row is clean by itself");
            }
        }
    }

    #[test]
    fn wrapping_loses_no_letter(text in "[a-z ,.\n\u{e9}漢]{0,200}", columns in 0_usize..40) {
        let letters = |text: &str| text.replace(['\n', ' ', '|'], "");
        let wrapped = Untrusted::new(text.as_str()).wrapped(columns, "|");
        prop_assert_eq!(letters(&wrapped), letters(&text));
    }

    #[test]
    fn a_clean_name_is_shown_as_it_is(name in prop_oneof![hostile(), "\\PC{1,6}", "[\\w \\p{M}\\p{S}]{1,12}"]) {
        if is_clean_name(&name, 32) {
            let text = Untrusted::new(name.as_str());
            prop_assert_eq!(text.line(None), name.as_str());
            prop_assert_eq!(text.block(), name.as_str());
        }
    }

    #[test]
    fn normalising_a_board_name_twice_changes_nothing(
        name in prop_oneof![hostile(), "[\\w .-]{1,12}", "\\PC{1,6}", prop::collection::vec(any::<char>(), 1..4).prop_map(String::from_iter)],
    ) {
        if let Ok(board) = board_name_normalised(&name) {
            prop_assert_eq!(board_name_normalised(&board), Ok(board.clone()));
            prop_assert!(is_clean_name(&board, NAME_CHARS_MAX));
            prop_assert!(!board.contains(char::is_whitespace));
        }
    }

    #[test]
    fn a_name_error_shows_nothing_forbidden(name in hostile()) {
        for error in [check_name(&name, 32).err(), board_name_normalised(&name).err()].into_iter().flatten() {
            prop_assert!(!error.to_string().contains(is_forbidden_everywhere));
        }
    }
}

#[test]
fn every_single_character_is_judged_the_same_twice_and_none_takes_unknown_room() {
    for character in '\0'..=char::MAX {
        let text = Untrusted::new(format!("a{character}b"));
        let line = text.line(None);
        assert!(!line.contains(is_forbidden_everywhere), "U+{:04X}", u32::from(character));
        assert_eq!(Untrusted::new(line.as_str()).line(None), line);
        assert!(line.width() <= display_width(&line));
        assert!(display_width(&line) <= 2 + 4, "U+{:04X}", u32::from(character));
        if let Ok(board) = board_name_normalised(&character.to_string()) {
            assert_eq!(board_name_normalised(&board), Ok(board.clone()), "U+{:04X}", u32::from(character));
        }
    }
}

#[test]
fn escapes_reach_no_terminal() {
    let attacks = [
        ("\u{1b}[2Jgone", "?[2Jgone"),
        ("\u{1b}]52;c;cm0gLXJm\u{7}", "?]52;c;cm0gLXJm?"),
        ("\u{1b}]8;;https://evil.example\u{1b}\\bank\u{1b}]8;;\u{1b}\\", "?]8;;https://evil.example?\\bank?]8;;?\\"),
        ("\u{9b}31mred", "?31mred"),
        ("\u{c2}\u{9b}2J", "\u{c2}?2J"),
        ("back\u{8}\u{8}\u{8}\u{8}", "back????"),
        ("\u{e}qqq\u{f}", "?qqq?"),
        ("nul\0 del\u{7f}", "nul? del?"),
    ];
    for (text, shown) in attacks {
        assert_eq!(Untrusted::from(text).line(None), mark(shown));
        assert_eq!(Untrusted::from(text).block(), mark(shown));
    }
}

#[test]
fn a_carriage_return_overwrites_nothing() {
    let text = Untrusted::from("rm -rf ~\rls      \r\nend");
    assert_eq!(text.line(None), "rm -rf ~ ls end");
    assert_eq!(text.block(), "rm -rf ~\nls      \nend");
}

#[test]
fn bidi_controls_reorder_nothing() {
    assert_eq!(Untrusted::from("evil\u{202e}gpj.exe").line(None), mark("evil?gpj.exe"));
    assert_eq!(Untrusted::from("a\u{2067}b\u{2069}c\u{200f}\u{61c}").line(None), mark("a?b?c??"));
}

#[test]
fn nothing_hides_between_letters() {
    assert_eq!(Untrusted::from("p\u{200b}ay\u{200d}pal\u{2060}\u{feff}\u{ad}").line(None), mark("p?ay?pal???"));
    assert_eq!(Untrusted::from("hi\u{e0072}\u{e006d}").line(None), mark("hi??"));
    assert_eq!(Untrusted::from("a\u{fe0f}\u{fe00}\u{e0100}\u{3164}").line(None), mark("a????"));
    assert_eq!(Untrusted::from("👩\u{200d}\u{200d}\u{200d}👩").line(None), mark("👩??\u{FFFD}👩"));
    assert_eq!(Untrusted::from("\u{2028}\u{fff9}\u{ffff}\u{10fffe}").line(None), mark("????"));
}

#[test]
fn zalgo_stays_in_its_line() {
    let zalgo = format!("H{}i{}", "\u{300}".repeat(30), "\u{489}".repeat(3));
    assert_eq!(Untrusted::new(zalgo).line(None), format!("H{}\u{FFFD}i{}", "\u{300}".repeat(4), "\u{489}".repeat(3)));
}

#[test]
fn a_mark_sits_on_no_prompt_of_ours() {
    assert_eq!(Untrusted::from("\u{301}\u{301}a").line(None), mark("?a"));
    assert_eq!(Untrusted::from("a\n\u{301}b \u{301}").block(), mark("a\n?b ?"));
    assert_eq!(Untrusted::from("\u{64b}\u{200d}\u{94d}").line(None), mark("??\u{94d}"));
}

#[test]
fn languages_and_emoji_stay_as_they_are() {
    let texts = [
        "می‌خواهم کتاب‌ها را",          // Persian, with non-joiners
        "شَدِّة",                        // Arabic, vowelled
        "क्‍ष न्‌ हिन्दी",                 // Hindi, joiners after a virama
        "ශ්‍රී ලංකා",                     // Sinhala
        "শ্রী র‍্যাব",                    // Bengali, with a joiner before a virama
        "ರ‍್ಕ",                         // Kannada, likewise
        "ไทยน้ำ",                      // Thai
        "한국어 각",                  // Korean, composed and in parts
        "中文、日本語　が",           // wide, with a wide space and a voicing mark
        "👨‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 ❤️‍🔥 1️⃣ ☎︎",           // family, skin tone, flag, presentation, keycap
        "🇧🇷🇵🇹🇦🇴",                     // flags
        "c\u{327}a\u{303}o, coração", // Portuguese, in parts and composed
        "Tiê\u{301}ng Viê\u{323}t",   // Vietnamese in parts
        "שָׁלוֹם",                       // Hebrew, pointed
        "ᠠ\u{180b}ᠭ\u{180e}ᠠ",        // Mongolian
        "∀x∈ℝ: ⌈x⌉ ≥ x",
    ];
    for text in texts {
        assert_eq!(Untrusted::from(text).block(), text);
    }
}

#[test]
fn a_row_that_is_narrow_on_paper_does_not_overflow() {
    let family = "👩\u{200d}".repeat(200) + "👩 $ rm -rf ~";
    for row in Untrusted::from(family.as_str()).wrapped(40, "| ").lines() {
        let widest: usize = row.chars().map(|character| character.to_string().width()).sum();
        assert!(row.starts_with("| ") && widest <= 40);
    }
    let jamo = "\u{1161}".repeat(500);
    assert!(Untrusted::new(jamo).wrapped(40, "| ").lines().all(|row| row.chars().count() <= 40));
}

#[test]
fn text_wraps_at_spaces_and_keeps_its_indentation() {
    let text = Untrusted::from("the quick brown fox\n\n    let x = 1;\naaaaaaaaaaaaaaaaaa b\n");
    let rows = ["> the quick", "> brown fox", "> ", ">     let x", "> = 1;", "> aaaaaaaaaa", "> aaaaaaaa b"];
    assert_eq!(text.wrapped(12, "> "), rows.join("\n"));
    assert_eq!(Untrusted::from("").wrapped(12, "> "), "");
    assert_eq!(Untrusted::from("\n\na").wrapped(12, ""), "\n\na");
}

#[test]
fn a_line_is_cut_between_clusters() {
    assert_eq!(Untrusted::from("hello world").line(Some(11)), "hello world");
    assert_eq!(Untrusted::from("hello world").line(Some(7)), "hello…");
    assert_eq!(Untrusted::from("漢字漢字").line(Some(6)), "漢字…");
    assert_eq!(Untrusted::from("e\u{301}e\u{301}e\u{301}").line(Some(2)), "e\u{301}…");
    assert_eq!(Untrusted::from("می\u{200c}خواهم").line(Some(3)), "می…");
    assert_eq!(Untrusted::from("ab").line(Some(1)), "…");
    assert_eq!(Untrusted::from("ab").line(Some(0)), "");
}

#[test]
fn debug_is_quoted_sanitised_and_short() {
    assert_eq!(format!("{:?}", Untrusted::from("a \"b\"\n\u{1b}[2J")), mark("Untrusted(\"a \\\"b\\\" ?[2J\")"));
    assert!(format!("{:?}", Untrusted::new("x".repeat(10_000))).len() < 100);
}

#[test]
fn a_name_keeps_to_the_rules() {
    for name in ["rust", "Coração de mãe", "हिन्दी", "日本語", "C++", "a", "שלום", "🇧🇷 Brasil", &"é".repeat(32)]
    {
        assert_eq!(check_name(name, 32), Ok(()), "{name}");
    }
    let bad = [
        ("", NameError::Empty),
        (&"é".repeat(33), NameError::TooLong { chars_max: 32 }),
        (" rust", NameError::Spaces),
        ("rust ", NameError::Spaces),
        ("a  b", NameError::Spaces),
        ("a\u{a0}b", NameError::Spaces),
        ("a\u{3000}b", NameError::Spaces),
        ("a\tb", NameError::Hidden('\t')),
        ("a\nb", NameError::Hidden('\n')),
        ("\u{2800}", NameError::Hidden('\u{2800}')),
        ("ru\u{200b}st", NameError::Hidden('\u{200b}')),
        ("ru\u{202e}st", NameError::Hidden('\u{202e}')),
        ("می\u{200c}خواهم", NameError::Hidden('\u{200c}')),
        ("❤\u{fe0f}", NameError::Hidden('\u{fe0f}')),
        ("\u{f8ff}", NameError::Hidden('\u{f8ff}')),
        ("\u{fffd}", NameError::Hidden('\u{fffd}')),
        ("\u{301}a", NameError::Marks),
        ("a \u{301}", NameError::Marks),
        ("a\u{301}\u{301}\u{301}\u{301}\u{301}", NameError::Marks),
    ];
    for (name, error) in bad {
        assert_eq!(check_name(name, 32), Err(error), "{name:?}");
        assert!(!is_clean_name(name, 32));
    }
}

#[test]
fn an_open_board_is_found_under_every_spelling_of_its_name() {
    let same = [
        ("Rust", "rust"),
        ("  RUST  lang ", "rust-lang"),
        ("ＲＵＳＴ\u{3000}lang", "rust-lang"),
        ("Corac\u{327}a\u{303}o", "coração"),
        ("ΟΔΟΣ", "οδοσ"),
        ("οδος", "οδοσ"),
        ("हिन्दी", "हिन्दी"),
        ("ﬁction_2.0", "fiction_2.0"),
        ("①", "1"),
        ("\u{212a}elvin", "kelvin"),
    ];
    for (name, board) in same {
        assert_eq!(board_name_normalised(name).as_deref(), Ok(board));
    }
}

#[test]
fn an_open_board_name_that_would_mislead_is_refused() {
    let bad = [
        ("", NameError::Empty),
        (" \t ", NameError::Empty),
        ("--home", NameError::Edge),
        ("..", NameError::Edge),
        ("rust.", NameError::Edge),
        ("a/b", NameError::NotAllowed('/')),
        ("c++", NameError::NotAllowed('+')),
        ("🦀", NameError::NotAllowed('🦀')),
        ("ru\u{200b}st", NameError::Hidden('\u{200b}')),
        ("\u{3164}", NameError::Hidden('\u{1160}')),
        ("a\u{b4}", NameError::Marks),
        ("\u{fdfa}\u{fdfa}", NameError::TooLong { chars_max: 32 }),
        (&"a".repeat(33), NameError::TooLong { chars_max: 32 }),
        (&"a ".repeat(10_000), NameError::TooLong { chars_max: 32 }),
    ];
    for (name, error) in bad {
        assert_eq!(board_name_normalised(name), Err(error), "{name:?}");
    }
    let message = board_name_normalised("c++").err().map(|error| error.to_string());
    let advice = "'+' cannot be in the name of an open board: use letters, digits, '-', '_' and '.'";
    assert_eq!(message.as_deref(), Some(advice));
}
