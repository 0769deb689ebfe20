//! `roda fsck`: checks what is stored, and rebuilds the index from the events if that is wanted.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words;
use roda_node::api::dto::{FsckAsk, FsckReport};
use serde::Serialize;

/// What to do about problems.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rebuild the index from the events
    #[arg(long)]
    repair: bool,
}

/// What is wrong, in the end and before the repair.
#[derive(Debug, Serialize)]
struct Report {
    events: u64,
    problems: Vec<String>,
    repaired: bool,
    found: Vec<String>,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let first: FsckReport = client.post("/api/v1/fsck", &FsckAsk { repair: args.repair }).await?;
    let report = if first.repaired && !first.problems.is_empty() {
        // A repair is believed when a second look finds nothing.
        let second: FsckReport = client.post("/api/v1/fsck", &FsckAsk { repair: false }).await?;
        Report { events: second.events, problems: second.problems, repaired: true, found: first.problems }
    } else {
        let FsckReport { events, problems, repaired } = first;
        Report { events, found: problems.clone(), problems, repaired }
    };
    output.object(&report, |look| render(&report, look))?;
    if report.problems.is_empty() {
        return Ok(());
    }
    let error = CliError::failed(
        "problems",
        format!("{} in what is stored", words::count(report.problems.len() as u64, "problem")),
    );
    Err(if args.repair {
        error.with_hint(format!(
            "damaged events are fetched again from peers that hold them: {}",
            context.command("sync")
        ))
    } else {
        error.with_hint(format!("rebuild the index from the events: {}", context.command("fsck --repair")))
    })
}

fn render(report: &Report, look: &Look) -> String {
    let mut lines = Vec::new();
    if report.repaired {
        lines.push(format!("{} the index was rebuilt from the events", look.green("✓")));
    }
    if report.problems.is_empty() {
        lines.push(format!("{} {} checked, no problem left", look.green("✓"), words::count(report.events, "event")));
    } else {
        lines.push(format!("{} checked", words::count(report.events, "event")));
        lines.extend(report.problems.iter().map(|problem| format!("{} {}", look.yellow("✗"), words::line(problem))));
    }
    lines.join("\n")
}
