//! `roda doctor`: what is wrong with the node, and the line that mends it.

use crate::args::Context;
use crate::client::Client;
use crate::error::{CliError, Kind};
use crate::output::Output;
use crate::terminal::Look;
use crate::words;
use roda_node::api::dto::{Diagnosis, Finding, FindingState};
use roda_node::doctor;

/// Runs the command. Where no node runs, the files are looked at all the same.
pub(crate) async fn run(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let mut diagnosis = match Client::new(context).get("/api/v1/doctor").await {
        Ok(diagnosis) => diagnosis,
        Err(error) if error.kind == Kind::NoNode => without_node(context, &error),
        Err(error) => return Err(error),
    };
    for fix in diagnosis.findings.iter_mut().filter_map(|finding| finding.fix.as_mut()) {
        // A command for this very node.
        if let Some(rest) = fix.strip_prefix("roda ") {
            *fix = context.command(rest);
        }
    }
    output.object(&diagnosis, |look| render(&diagnosis, look))?;
    if diagnosis.problems == 0 {
        return Ok(());
    }
    Err(CliError::failed("problems", format!("{} found", words::count(diagnosis.problems, "problem"))))
}

fn without_node(context: &Context, error: &CliError) -> Diagnosis {
    let mut findings = doctor::of_home(&context.home);
    findings.push(Finding {
        check: "node".to_owned(),
        state: FindingState::Problem,
        message: error.message.clone(),
        fix: Some("roda up".to_owned()),
    });
    let problems = findings.iter().filter(|finding| finding.state == FindingState::Problem).count();
    Diagnosis { problems: problems as u64, findings }
}

fn render(diagnosis: &Diagnosis, look: &Look) -> String {
    let width = diagnosis.findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let sign = match finding.state {
            FindingState::Ok => look.green("✓"),
            FindingState::Note => look.cyan("·"),
            FindingState::Problem => look.yellow("✗"),
        };
        let line = format!("{sign} {:width$}  {}", finding.check, words::line(&finding.message));
        match &finding.fix {
            Some(fix) => format!("{line}\n  {:width$}  → {}", "", words::line(fix)),
            None => line,
        }
    };
    diagnosis.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
