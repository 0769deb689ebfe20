//! `roda logs`: what a detached node has logged.

use crate::args::Context;
use crate::error::CliError;
use crate::output::{Output, reader_gone};
use crate::words;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom};
use std::time::Duration;

/// How often to look for new lines: the system has no portable way to be told.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Bytes at the end of the log in which the last lines are looked for.
const TAIL_BYTES: u64 = 1024 * 1024;

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on as lines are written
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    line: &'a str,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let path = context.home.log_file();
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => CliError::failed("not_found", format!("there is no log at {}", path.display()))
            .with_hint(format!("a detached node writes one: {}", context.command("up --detach"))),
        _ => CliError::io(&format!("can't read {}", path.display()), &error),
    };
    let mut file = File::open(&path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let start = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    let mut reader = BufReader::new(file);
    let mut last = read_lines(&mut reader).map_err(unreadable)?;
    let shown_from = last.len().saturating_sub(args.lines).max(usize::from(start > 0 && !last.is_empty()));
    for line in last.drain(..).skip(shown_from) {
        show(&line, output)?;
    }
    output.flush()?;
    if args.follow { follow(&mut reader, output).await } else { Ok(()) }
}

/// Shows lines as they are written, until nobody reads any more.
async fn follow(reader: &mut BufReader<File>, output: &mut Output) -> Result<(), CliError> {
    let gone = reader_gone();
    tokio::pin!(gone);
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            gone = &mut gone => return Err(gone),
        }
        let lines = read_lines(reader).map_err(|error| CliError::io("can't read the log", &error))?;
        for line in lines {
            show(&line, output)?;
        }
        output.flush()?;
    }
}

fn read_lines(reader: &mut BufReader<File>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    Ok(lines)
}

/// The log may repeat words of strangers.
fn show(line: &str, output: &mut Output) -> Result<(), CliError> {
    let text = if output.is_json() { crate::json::line(&Line { line }) } else { words::line(line) };
    output.line(&text)
}
