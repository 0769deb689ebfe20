use super::check;
use roda_protocol::text::{board_name_normalised, is_clean_name};
use serde_json::{Value, json};

/// What a name makes of a character. Found by trying, so that the written tables are those that decide.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Hidden,
    Space,
    Mark,
}

fn class(character: char) -> Class {
    let is_clean = |name: String| is_clean_name(&name, 32);
    let repeated = |count: usize| format!("a{}b", character.to_string().repeat(count));
    match (is_clean(repeated(1)), is_clean(repeated(4)), is_clean(repeated(5))) {
        (true, true, true) => Class::Plain,
        (true, true, false) => Class::Mark,
        (true, false, _) => Class::Space,
        (false, ..) => Class::Hidden,
    }
}

fn ranges(classes: &[(char, Class)], wanted: Class) -> Vec<Value> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (character, _) in classes.iter().filter(|(_, class)| *class == wanted) {
        let code = u32::from(*character);
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == code => *last = code,
            _ => ranges.push((code, code)),
        }
    }
    ranges.into_iter().map(|(first, last)| json!([first, last])).collect()
}

fn names() -> Vec<Value> {
    let long = "x".repeat(33);
    let names = [
        "",
        "a",
        "Old Cars",
        " a",
        "a ",
        "a  b",
        "a\u{a0}b",
        "a\tb",
        "a\nb",
        "a\u{7}",
        "a\u{200d}b",
        "a\u{feff}",
        "日本語",
        "e\u{301}",
        "e\u{301}\u{301}\u{301}\u{301}",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\u{301}",
        "a \u{301}",
        "\u{fffd}",
        "\u{e000}",
        "\u{10ffff}",
        "🦀",
        &long[..32],
        &long,
    ];
    let mut cases: Vec<Value> = Vec::new();
    for name in names {
        cases.push(json!({ "name": name, "chars_max": 32, "is_clean": is_clean_name(name, 32) }));
    }
    cases.push(json!({ "name": "abc", "chars_max": 2, "is_clean": is_clean_name("abc", 2) }));
    cases
}

fn boards() -> Vec<Value> {
    let names = [
        "rust",
        "Rust",
        "ＲＵＳＴ",
        "Old Cars",
        " old \u{3000}cars\n",
        "caf\u{e9}",
        "cafe\u{301}",
        "ΟΔΟΣ",
        "οδος",
        "ﬁsh",
        "İzmir",
        "STRASSE",
        "straße",
        "日本語",
        "ㄱㅏ",
        "ﬀﬃ",
        "a.b_c-d",
        "-a",
        "a.",
        "a!",
        "",
        "-",
        "🦀",
        "a\u{200d}b",
        "²",
        "ǅ",
        "a-\u{301}",
        "K",
        "Å",
        "1. e4",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ];
    names.map(|name| json!({ "name": name, "normalised": board_name_normalised(name).ok() })).into()
}

#[test]
fn names_are_judged_by_the_written_tables() {
    let classes: Vec<(char, Class)> = ('\0'..=char::MAX).map(|character| (character, class(character))).collect();
    check(
        "names.json",
        &json!({
            "hidden": ranges(&classes, Class::Hidden),
            "marks": ranges(&classes, Class::Mark),
            "names": names(),
            "boards": boards(),
        }),
    );
    let spaces: Vec<char> =
        classes.iter().filter(|(_, class)| *class == Class::Space).map(|(space, _)| *space).collect();
    assert_eq!(spaces, [' ']);
}
