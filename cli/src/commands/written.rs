//! What every writing command shares: how long to wait for peers, and how the result is told.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::words;
use roda_node::api::dto::{Status, Wait, Written};

/// Seconds that `--wait` waits if nothing is said.
const WAIT_TIMEOUT_S_DEFAULT: u64 = 30;

/// Seconds that `--wait` waits at most: the node's own limit.
const WAIT_TIMEOUT_S_MAX: u64 = 3600;

/// How long to wait for other nodes.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct WaitArgs {
    /// Wait until N other nodes have confirmed that they hold it
    #[arg(long, value_name = "N")]
    wait: Option<u32>,
    /// Seconds to wait at most, 1 to 3600 [default: 30]
    #[arg(long, value_name = "S", requires = "wait", value_parser = clap::value_parser!(u64).range(1..=WAIT_TIMEOUT_S_MAX))]
    timeout: Option<u64>,
}

impl WaitArgs {
    /// For the API.
    #[must_use]
    pub(crate) fn to_wait(self) -> Wait {
        match self.wait {
            None | Some(0) => Wait::default(),
            Some(peers) => Wait { peers, timeout_s: self.timeout.unwrap_or(WAIT_TIMEOUT_S_DEFAULT) },
        }
    }
}

/// Prints what a write came to. `done` says it in words, about the event `subject`: `posted`.
///
/// # Errors
///
/// Fewer peers than `wait` asked for have confirmed it (the object is printed all the same).
pub(crate) async fn report(
    written: &Written,
    done: &str,
    subject: &str,
    wait: WaitArgs,
    context: &Context,
    output: &mut Output,
) -> Result<(), CliError> {
    let told = if output.is_json() { String::new() } else { delivery(written, &Client::new(context)).await };
    output.object(written, |look| {
        format!("{} {done} {}: {told}", look.green("✓"), look.cyan(&words::short_id(subject)))
    })?;
    if written.wait_met {
        return Ok(());
    }
    let wait = wait.to_wait();
    let message = format!(
        "stored, but held by {} of the {} that were waited for, after {} s",
        words::count(written.held_by.into(), "peer"),
        wait.peers,
        wait.timeout_s
    );
    Err(CliError::wait_not_met(message)
        .with_hint(format!("the node goes on sending it; see how it fares: {}", context.command("outbox"))))
}

/// A writer without peers is told what will happen.
async fn delivery(written: &Written, client: &Client) -> String {
    if written.state == "queued" {
        let status: Result<Status, CliError> = client.get("/api/v1/status").await;
        if status.is_ok_and(|status| status.peers == 0) {
            return "stored here; no peer is connected, it will be sent when one is".to_owned();
        }
    }
    words::delivery(&written.state, written.held_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_nobody_is_not_waiting() {
        let wait = |wait, timeout| {
            let wait = WaitArgs { wait, timeout }.to_wait();
            (wait.peers, wait.timeout_s)
        };
        assert_eq!(wait(None, None), (0, 0));
        assert_eq!(wait(Some(0), Some(9)), (0, 0));
        assert_eq!(wait(Some(2), None), (2, WAIT_TIMEOUT_S_DEFAULT));
        assert_eq!(wait(Some(2), Some(1)), (2, 1));
    }
}
