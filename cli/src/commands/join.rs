//! `roda join`: from one string, also in an empty home, to the first threads.

mod arrival;
mod waiting;

use crate::args::Context;
use crate::client::Client;
use crate::commands::up::{self, Switch};
use crate::error::{CliError, Kind};
use crate::interrupt;
use crate::output::Output;
use crate::terminal;
use crate::words;
use arrival::Arrival;
use roda_node::api::dto::Status;
use roda_node::network::Proxy;
use roda_protocol::invite::{Invite, InviteError};
use std::time::{Duration, Instant};

/// Seconds to wait for the first threads if nothing is said: what a good link needs at most.
const WAIT_S_DEFAULT: u64 = 10;

/// Seconds to wait at most.
const WAIT_S_MAX: u64 = 3600;

/// By what, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The string that `roda invite` printed
    invite: String,
    /// Seconds to wait for the first threads at most; 0: don't wait
    #[arg(long, value_name = "S", default_value_t = WAIT_S_DEFAULT, value_parser = clap::value_parser!(u64).range(..=WAIT_S_MAX))]
    wait: u64,
    /// Listen here, if a node is started; may be repeated [default: every interface, a free port]
    #[arg(long, value_name = "MULTIADDR", value_parser = up::multiaddr)]
    listen: Vec<String>,
    /// Look for nodes on the local network, if a node is started
    #[arg(long, value_name = "on|off", default_value = "on")]
    mdns: Switch,
    /// Reach others through this SOCKS5 proxy and in no other way, if a node is started
    #[arg(long, value_name = "socks5://IP:PORT")]
    proxy: Option<Proxy>,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let begun = Instant::now();
    let invite = Invite::read(&args.invite, terminal::now_ms()).map_err(refused)?;
    let is_started = have_node(&args, &invite, context).await?;
    // The start of a node has its own way to be interrupted; from here on nothing is left half done.
    interrupt::watch();
    if is_started {
        output.note(&format!("roda runs in the background; stop it: {}", context.command("down")));
    }
    let client = Client::new(context);
    let deadline = begun + Duration::from_secs(args.wait);
    let waited = waiting::wait(&client, &args.invite, &invite, deadline).await?;
    let arrival = Arrival::look(&client, &invite, waited, begun).await?;
    output.object(&arrival.line(), |look| arrival.render(look))?;
    arrival.outcome(args.wait, context, output)
}

/// Sees to it that a node of the invite's network runs here. Returns whether it was started.
async fn have_node(args: &Args, invite: &Invite, context: &Context) -> Result<bool, CliError> {
    let network = &invite.said().network;
    match Client::new(context).get::<Status>("/api/v1/status").await {
        Ok(status) if status.network == *network => Ok(false),
        Ok(status) => Err(other_network(&format!("the node here is on network {}", status.network), network, context)),
        Err(error) if error.kind == Kind::NoNode => {
            let started =
                up::start_detached(network.clone(), args.listen.clone(), args.mdns, args.proxy.clone(), context).await;
            started.map(|_| true).map_err(|error| match error.code.as_str() {
                "other_network" => other_network("this home belongs to another network", network, context),
                _ => error,
            })
        }
        Err(error) => Err(error),
    }
}

fn other_network(what: &str, network: &str, context: &Context) -> CliError {
    let message = format!("{what}, and the invite is to network {network}; nothing was changed");
    let place = context.place().display();
    CliError::failed("other_network", message)
        .with_hint(format!("join with another home than {place}: roda --home DIR join INVITE"))
}

fn refused(error: InviteError) -> CliError {
    match error {
        InviteError::Expired { expires_ms } => {
            let (when, ago) = (terminal::moment(expires_ms), terminal::relative(terminal::now_ms(), expires_ms));
            CliError::failed("expired", format!("the invite has expired, {ago} ({when}); nothing was changed"))
                .with_hint("ask for a new one; there they run: roda invite\nif it should still hold, look at this computer's clock")
        }
        InviteError::OtherVersion(_) => CliError::failed("invalid", error.to_string()).with_hint("update roda"),
        InviteError::NotAnInvite | InviteError::Malformed | InviteError::Forged => {
            CliError::failed("invalid", words::line(&error.to_string()))
                .with_hint("copy the whole string again, from `roda:` to its end")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_an_invite_is_refused_is_told_with_what_to_do() {
        for (error, code) in [
            (InviteError::NotAnInvite, "invalid"),
            (InviteError::Malformed, "invalid"),
            (InviteError::Forged, "invalid"),
            (InviteError::OtherVersion(2), "invalid"),
            (InviteError::Expired { expires_ms: 0 }, "expired"),
        ] {
            let said = refused(error);
            assert_eq!(said.code, code);
            assert!(!said.hint.is_empty());
        }
    }
}
