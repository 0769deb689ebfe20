//! QR codes of half blocks: two squares in each character.

use crate::terminal::Look;
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

/// White squares around the code. The standard asks for 4; cameras take 2, and screens are narrow.
const QUIET: i32 = 2;

/// The code of a text of digits, capitals and `$%*+-./:`; nothing if that is not what it is, if it is too long, or if the screen
/// is too narrow.
#[must_use]
pub(crate) fn render(text: &str, look: &Look) -> Option<String> {
    if !QrSegment::is_alphanumeric(text) {
        return None;
    }
    let segments = [QrSegment::make_alphanumeric(text)];
    // A screen shows every square whole: the lowest level of correction does, and keeps the code small.
    let code =
        QrCode::encode_segments_advanced(&segments, QrCodeEcc::Low, Version::MIN, Version::MAX, None, false).ok()?;
    let places = -QUIET..code.size() + QUIET;
    if look.columns.is_some_and(|columns| places.len() > columns) {
        return None;
    }
    let line = |row: i32| {
        let squares =
            places.clone().map(|column| square(look, code.get_module(column, row), below(&code, column, row)));
        let squares: String = squares.collect();
        // With colours it is black on white whatever the screen has; without, screens are taken to be dark.
        if look.color { format!("\x1b[30;107m{squares}\x1b[0m") } else { squares }
    };
    Some(places.clone().step_by(2).map(line).collect::<Vec<_>>().join("\n"))
}

/// Whether the square under this one is dark; beyond the last row there is nothing, which is dark only on a dark screen.
fn below(code: &QrCode, column: i32, row: i32) -> bool {
    code.get_module(column, row + 1)
}

/// Two squares, one above the other. Where there is no colour the light ones are drawn.
fn square(look: &Look, upper_is_dark: bool, lower_is_dark: bool) -> char {
    match (upper_is_dark == look.color, lower_is_dark == look.color) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Look = Look { color: false, columns: None, now_ms: 0 };

    /// The squares of a code as it is shown, dark ones `true`.
    fn squares(shown: &str) -> Vec<Vec<bool>> {
        let half = |line: &str, light: [char; 2]| line.chars().map(|square| !light.contains(&square)).collect();
        shown.lines().flat_map(|line| [half(line, ['█', '▀']), half(line, ['█', '▄'])]).collect()
    }

    #[test]
    fn what_is_shown_is_the_code_with_a_light_border() {
        let text = "RODA:AEAQ234567";
        let segments = [QrSegment::make_alphanumeric(text)];
        let code = QrCode::encode_segments_advanced(&segments, QrCodeEcc::Low, Version::MIN, Version::MAX, None, false)
            .unwrap();
        let shown = squares(&render(text, &PIPE).unwrap());
        for (row, squares) in (-QUIET..).zip(&shown) {
            for (column, is_dark) in (-QUIET..).zip(squares) {
                assert_eq!(*is_dark, code.get_module(column, row), "{column} {row}");
            }
        }
        assert!(shown.len() as i32 >= code.size() + 2 * QUIET);
    }

    #[test]
    fn a_screen_that_is_too_narrow_gets_none_and_neither_does_another_text() {
        assert!(render("RODA:AEAQ", &Look { columns: Some(40), ..PIPE }).is_some());
        assert_eq!(render(&"A".repeat(1000), &Look { columns: Some(80), ..PIPE }), None);
        assert_eq!(render("roda:aeaq", &PIPE), None);
        assert_eq!(render(&"A".repeat(5000), &PIPE), None);
    }

    #[test]
    fn with_colours_it_is_black_on_white() {
        let shown = render("RODA:AEAQ", &Look { color: true, ..PIPE }).unwrap();
        assert!(shown.lines().all(|line| line.starts_with("\x1b[30;107m ") && line.ends_with("\x1b[0m")));
    }
}
