//! The screen: its width, whether it takes colour, its pager, and times as people say them.

use crate::interrupt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

/// Columns of text that are assumed where no screen says how many it has: a printed page.
const COLUMNS_DEFAULT: usize = 100;

/// The fewest columns a layout is made for.
const COLUMNS_MIN: usize = 40;

/// Columns of running text at most: longer lines are hard to read.
const TEXT_COLUMNS_MAX: usize = 100;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal that takes them.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How things are shown: everything that a rendering depends on beside its data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Whether to use colours.
    pub(crate) color: bool,
    /// Columns of the screen; none if the output is no screen, where nothing may be cut.
    pub(crate) columns: Option<usize>,
    /// Now, unix milliseconds.
    pub(crate) now_ms: u64,
}

impl Look {
    /// The look of standard output.
    #[must_use]
    pub(crate) fn of_stdout(choice: ColorChoice) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let columns = is_terminal.then(columns);
        Self { color: takes_color(choice, is_terminal, |name| env::var(name).ok()), columns, now_ms: now_ms() }
    }

    /// Columns for running text.
    #[must_use]
    pub(crate) fn text_columns(&self) -> usize {
        self.columns.unwrap_or(COLUMNS_DEFAULT).clamp(COLUMNS_MIN, TEXT_COLUMNS_MAX)
    }

    /// Bold text.
    #[must_use]
    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Text of less weight.
    #[must_use]
    pub(crate) fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Text that says that something went well or is there.
    #[must_use]
    pub(crate) fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Text that wants attention.
    #[must_use]
    pub(crate) fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Names and ids.
    #[must_use]
    pub(crate) fn cyan(&self, text: &str) -> String {
        self.paint("36", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// How long ago a moment was, in words.
    #[must_use]
    pub(crate) fn ago(&self, then_ms: u64) -> String {
        relative(self.now_ms, then_ms)
    }
}

/// `--color` decides, then `NO_COLOR`, then `CLICOLOR_FORCE`, then whether it is a terminal that is not `dumb`.
fn takes_color(choice: ColorChoice, is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| variable(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") => true,
        ColorChoice::Auto => is_terminal && variable("TERM").is_none_or(|term| term != "dumb"),
    }
}

fn columns() -> usize {
    let from_screen = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    let from_variable = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    from_screen.or(from_variable).filter(|columns| *columns > 0).unwrap_or(COLUMNS_DEFAULT).max(COLUMNS_MIN)
}

/// Unix milliseconds.
#[must_use]
pub(crate) fn now_ms() -> u64 {
    Timestamp::now().as_millisecond().try_into().unwrap_or(0)
}

/// A moment as a person says it: `3 h ago`, `in 2 min`, and the date when it is more than four weeks away.
#[must_use]
pub(crate) fn relative(now_ms: u64, then_ms: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const WEEK: u64 = 7 * DAY;
    let is_past = then_ms <= now_ms;
    let seconds = now_ms.abs_diff(then_ms) / 1000;
    let span = match seconds {
        0..5 => return "just now".to_owned(),
        5..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        DAY..WEEK => format!("{} d", seconds / DAY),
        _ if seconds < 4 * WEEK => format!("{} wk", seconds / WEEK),
        _ => return date(then_ms),
    };
    if is_past { format!("{span} ago") } else { format!("in {span}") }
}

/// A moment of the local calendar, to the minute: `2026-03-01 14:05`.
#[must_use]
pub(crate) fn moment(moment_ms: u64) -> String {
    let timestamp = i64::try_from(moment_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match timestamp {
        Some(timestamp) => TimeZone::system().to_datetime(timestamp).strftime("%Y-%m-%d %H:%M").to_string(),
        None => "at no real time".to_owned(),
    }
}

/// A day in the local calendar; an author can claim a time that no calendar has.
fn date(moment_ms: u64) -> String {
    let timestamp = i64::try_from(moment_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match timestamp {
        Some(timestamp) => TimeZone::system().to_datetime(timestamp).date().to_string(),
        None => "at no real time".to_owned(),
    }
}

/// A span of seconds: `5 s`, `3 min`, `2 h 5 min`, `4 d 1 h`.
#[must_use]
pub(crate) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Shows a long text in the reader's pager. False if there is none, or the text fits the screen: then the caller prints.
#[must_use]
pub(crate) fn page(text: &str) -> bool {
    let rows = terminal_size::terminal_size_of(io::stdout()).map_or(0, |(_, height)| usize::from(height.0));
    if text.lines().count() < rows {
        return false;
    }
    let chosen = ["RODA_PAGER", "PAGER"].iter().find_map(|name| env::var(name).ok());
    let words = match chosen.as_deref() {
        None => vec!["less".to_owned(), "-FRX".to_owned()],
        Some(line) => match shell_words::split(line) {
            Ok(words) if words.first().is_some_and(|program| program != "cat") => words,
            _ => return false,
        },
    };
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    if env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let _held = interrupt::hold();
    let Ok(mut pager) = command.spawn() else { return false };
    if let Some(mut input) = pager.stdin.take() {
        // A reader that quits before the end closes the pipe: no failure.
        let _ = input.write_all(text.as_bytes());
    }
    let _ = pager.wait();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn times_read_as_people_say_them() {
        let cases = [
            (0, "just now"),
            (4_999, "just now"),
            (5_000, "5 s ago"),
            (59_999, "59 s ago"),
            (60_000, "1 min ago"),
            (3_599_999, "59 min ago"),
            (3 * 3_600_000, "3 h ago"),
            (6 * 86_400_000, "6 d ago"),
            (15 * 86_400_000, "2 wk ago"),
        ];
        for (age_ms, words) in cases {
            assert_eq!(relative(NOW, NOW - age_ms), words);
        }
        assert_eq!(relative(NOW, NOW + 120_000), "in 2 min");
    }

    #[test]
    fn an_old_time_is_a_date_and_an_impossible_one_is_said_to_be() {
        assert!(relative(NOW, NOW - 90 * 86_400_000).starts_with("2023-08-1"));
        assert_eq!(relative(NOW, u64::MAX), "at no real time");
        assert_eq!(moment(u64::MAX), "at no real time");
        assert!(moment(NOW).starts_with("2023-11-1"), "{}", moment(NOW));
    }

    #[test]
    fn spans_have_two_parts_at_most() {
        assert_eq!(span(59), "59 s");
        assert_eq!(span(7_500), "2 h 5 min");
        assert_eq!(span(90_000), "1 d 1 h");
    }

    #[test]
    fn the_flag_outranks_the_variables_and_they_outrank_the_terminal() {
        let none = |_: &str| None;
        let no_color = |name: &str| (name == "NO_COLOR").then(|| "1".to_owned());
        let forced = |name: &str| (name == "CLICOLOR_FORCE").then(|| "1".to_owned());
        let dumb = |name: &str| (name == "TERM").then(|| "dumb".to_owned());
        assert!(takes_color(ColorChoice::Always, false, no_color));
        assert!(!takes_color(ColorChoice::Never, true, forced));
        assert!(!takes_color(ColorChoice::Auto, true, no_color));
        assert!(takes_color(ColorChoice::Auto, false, forced));
        assert!(takes_color(ColorChoice::Auto, true, none));
        assert!(!takes_color(ColorChoice::Auto, false, none));
        assert!(!takes_color(ColorChoice::Auto, true, dumb));
    }
}
