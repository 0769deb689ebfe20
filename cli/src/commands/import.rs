//! `roda import`: takes in the lines of an export. The node verifies every event; the file is never in memory whole.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{ImportReport, ReaderImported};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use tokio::task::JoinHandle;

/// Lines of one request: what an answer between nodes brings, about, of which the node checks the signatures on all cores.
const CHUNK_LINES_MAX: usize = 512;

/// Requests under way: one is read by the node while another is stored.
const UNDER_WAY_MAX: usize = 3;

/// Bytes of one request's lines.
const CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one line: an event of 64 KiB has 88 KiB in base64, and a rendering beside it.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// Reasons that are told.
const REASONS_MAX: usize = 8;

/// From where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file that `roda export` wrote; `-` is standard input
    file: PathBuf,
    /// The file has a reader's state, written by `roda export --reader`
    #[arg(long)]
    reader: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let name = args.file.display().to_string();
    let reader: Box<dyn BufRead> = if name == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(&args.file).map_err(|error| CliError::io(&format!("can't read {name}"), &error))?;
        Box::new(BufReader::with_capacity(128 * 1024, file))
    };
    let client = Client::new(context);
    if !client.is_reachable().await {
        // Says which node is missing before a long input is read.
        let _: roda_node::api::dto::Status = client.get("/api/v1/status").await?;
    }
    let mut chunks = Chunks::new(reader);
    if args.reader {
        return take_state(&client, chunks, &name, output).await;
    }
    let mut total = ImportReport::default();
    let mut under_way = VecDeque::new();
    loop {
        let chunk = match chunks.next() {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => return Err(so_far(CliError::io(&format!("can't read {name}"), &error), &total)),
        };
        // What follows a charter is judged by it: it has to be there.
        let room = if has_charter(&chunk) { 1 } else { UNDER_WAY_MAX };
        take(&mut under_way, room - 1, &mut total).await?;
        let client = client.clone();
        under_way.push_back(tokio::spawn(async move { client.post_lines("/api/v1/import", chunk).await }));
        if room == 1 {
            take(&mut under_way, 0, &mut total).await?;
        }
    }
    take(&mut under_way, 0, &mut total).await?;
    total.rejected += chunks.overlong.len() as u64;
    let overlong = chunks.overlong.iter().map(|line| format!("line {line} is longer than any event"));
    total.reasons.extend(overlong.take(REASONS_MAX.saturating_sub(total.reasons.len())));
    output.object(&total, |look| {
        let mark = if total.rejected == 0 { look.green("✓") } else { look.yellow("!") };
        let mut text = format!(
            "{mark} {} imported, {} known before, {} rejected",
            total.imported, total.duplicate, total.rejected
        );
        for reason in &total.reasons {
            text.push_str(&format!("\n  {}", words::line(reason)));
        }
        text
    })
}

/// Waits for the oldest requests until no more than `left` are under way.
async fn take(
    under_way: &mut VecDeque<JoinHandle<Result<ImportReport, CliError>>>,
    left: usize,
    total: &mut ImportReport,
) -> Result<(), CliError> {
    while under_way.len() > left
        && let Some(request) = under_way.pop_front()
    {
        let answer = request.await.map_err(|error| CliError::failed("internal", error.to_string()));
        match answer.flatten() {
            Ok(report) => add(total, report),
            Err(error) => return Err(so_far(error, total)),
        }
    }
    Ok(())
}

/// Whether a line may have a charter. Words that only look like it cost a moment.
fn has_charter(chunk: &[u8]) -> bool {
    const MARK: &[u8] = b"\"charter\"";
    chunk.windows(MARK.len()).any(|window| window == MARK)
}

/// Takes in a reader's state.
async fn take_state<R: BufRead>(
    client: &Client,
    mut chunks: Chunks<R>,
    name: &str,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut total = ReaderImported::default();
    while let Some(chunk) = chunks.next().map_err(|error| CliError::io(&format!("can't read {name}"), &error))? {
        let report: ReaderImported = client.post_lines("/api/v1/reader/import", chunk).await?;
        total.imported += report.imported;
        total.skipped += report.skipped;
        total.waiting += report.waiting;
        total.rejected += report.rejected;
        let room = REASONS_MAX.saturating_sub(total.reasons.len());
        total.reasons.extend(report.reasons.into_iter().take(room));
    }
    output.object(&total, |look| {
        let mark = if total.rejected == 0 { look.green("✓") } else { look.yellow("!") };
        let mut text = format!(
            "{mark} {} imported, {} skipped (older than what is here), {} wait for their events, {} rejected",
            total.imported, total.skipped, total.waiting, total.rejected
        );
        for reason in &total.reasons {
            text.push_str(&format!("\n  {}", words::line(reason)));
        }
        text
    })
}

fn add(total: &mut ImportReport, report: ImportReport) {
    total.imported += report.imported;
    total.duplicate += report.duplicate;
    total.rejected += report.rejected;
    let room = REASONS_MAX.saturating_sub(total.reasons.len());
    total.reasons.extend(report.reasons.into_iter().take(room));
}

/// Import can be repeated: what is known is skipped.
fn so_far(error: CliError, total: &ImportReport) -> CliError {
    let done = format!("{} imported and {} known before that; it can be run again", total.imported, total.duplicate);
    error.and_hint(&done)
}

/// A stream of lines, in pieces that one request can carry.
struct Chunks<R> {
    reader: R,
    /// A line that did not fit the piece before.
    kept: Vec<u8>,
    line_number: u64,
    overlong: Vec<u64>,
}

/// What became of reading a line.
enum Read {
    Line,
    Overlong,
    End,
}

impl<R: BufRead> Chunks<R> {
    fn new(reader: R) -> Self {
        Self { reader, kept: Vec::new(), line_number: 0, overlong: Vec::new() }
    }

    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut chunk = std::mem::take(&mut self.kept);
        let mut lines = usize::from(!chunk.is_empty());
        let mut line = Vec::new();
        while lines < CHUNK_LINES_MAX {
            match self.read_line(&mut line)? {
                Read::End => break,
                Read::Overlong => self.overlong.push(self.line_number),
                Read::Line if line.trim_ascii().is_empty() => {}
                Read::Line if chunk.len() + line.len() + 1 > CHUNK_BYTES_MAX => {
                    line.push(b'\n');
                    self.kept = line;
                    break;
                }
                Read::Line => {
                    chunk.extend_from_slice(&line);
                    chunk.push(b'\n');
                    lines += 1;
                }
            }
        }
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }

    /// Reads one line without its end; what is beyond the bound is skipped, not stored.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<Read> {
        line.clear();
        let mut has_any = false;
        let mut is_overlong = false;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            has_any = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            if line.len() + part.len() > LINE_BYTES_MAX {
                is_overlong = true;
                line.clear();
            } else if !is_overlong {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !has_any {
            return Ok(Read::End);
        }
        self.line_number += 1;
        Ok(if is_overlong { Read::Overlong } else { Read::Line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(input: &[u8]) -> (Vec<Vec<u8>>, Vec<u64>) {
        let mut chunks = Chunks::new(BufReader::with_capacity(1000, input));
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next().unwrap() {
            all.push(chunk);
        }
        (all, chunks.overlong)
    }

    #[test]
    fn each_line_is_in_one_piece_and_every_piece_fits_a_request() {
        let line = format!("{{\"x\":\"{}\"}}\n", "a".repeat(20_000));
        let input = line.repeat(300);
        let (chunks, overlong) = chunks(input.as_bytes());
        assert_eq!(chunks.concat(), input.as_bytes());
        assert!(overlong.is_empty());
        for chunk in &chunks {
            assert!(chunk.len() <= CHUNK_BYTES_MAX && chunk.ends_with(b"\n"));
        }
        let (chunks, _) = self::chunks("{}\n".repeat(1300).as_bytes());
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [1536, 1536, 828]);
    }

    #[test]
    fn a_line_that_is_too_long_is_counted_and_the_next_is_read() {
        let input = [b"{}\n".to_vec(), vec![b'x'; LINE_BYTES_MAX + 1], b"\n\n{\"y\":1}".to_vec()].concat();
        let (chunks, overlong) = chunks(&input);
        assert_eq!(chunks.concat(), b"{}\n{\"y\":1}\n");
        assert_eq!(overlong, [2]);
    }

    #[test]
    fn a_line_twice_too_long_does_not_come_back_as_a_rest() {
        let input = [vec![b'x'; 3 * LINE_BYTES_MAX], b"\n{}\n".to_vec()].concat();
        let (chunks, overlong) = chunks(&input);
        assert_eq!(chunks.concat(), b"{}\n");
        assert_eq!(overlong, [1]);
    }
}
