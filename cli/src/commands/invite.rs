//! `roda invite`: makes one string with which others join.

use crate::args::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::Output;
use crate::qr;
use crate::terminal::{self, Look};
use crate::words;
use roda_node::api::dto::{InviteMade, NewInvite};
use roda_protocol::limits::INVITE_LIFE_MS_MAX;

/// Milliseconds of the units of `--expires`.
const UNITS_MS: [(char, u64); 3] = [('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];

/// To what, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The board: its name here, its id or a prefix of it [default: the one that is followed]
    board: Option<String>,
    /// How long it can be used: a number with `m`, `h` or `d`, at most 90d [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = life_ms)]
    expires: Option<u64>,
    /// Name your own key in it, as one to trust: whoever sees it can then tell where you are
    #[arg(long)]
    as_me: bool,
    /// Draw a QR code also where the output is no terminal
    #[arg(long)]
    qr: bool,
}

fn life_ms(text: &str) -> Result<u64, String> {
    let unit = UNITS_MS.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let life_ms = unit.and_then(|(unit, ms)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(ms));
    life_ms
        .filter(|life_ms| (1..=INVITE_LIFE_MS_MAX).contains(life_ms))
        .ok_or_else(|| "expected a time such as 30m, 12h or 7d, at most 90d".to_owned())
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let body = NewInvite { board: args.board, life_ms: args.expires, as_me: args.as_me };
    let made: InviteMade = Client::new(context).post("/api/v1/invites", &body).await?;
    output.object(&made, |look| shown(&made, args.qr, look))?;
    output.note(&format!(
        "an invite to {} on network {}, until {}",
        words::board(&made.board, &made.name),
        words::line(&made.network),
        terminal::moment(made.expires_ms)
    ));
    output.note(who(&made.range, &made.reachability));
    output.note("on the other machine: roda join INVITE");
    Ok(())
}

/// The string, and under it the code where there is a screen that is wide enough, or where it was asked for.
fn shown(made: &InviteMade, wants_code: bool, look: &Look) -> String {
    let text = words::line(&made.invite);
    let is_wanted = wants_code || look.columns.is_some();
    let code = if is_wanted { qr::render(&text.to_ascii_uppercase(), look) } else { None };
    match code {
        Some(code) => format!("{text}\n\n{code}"),
        None => text,
    }
}

/// Who can use it: as far as addresses tell, and what others have shown.
fn who(range: &str, reachability: &str) -> &'static str {
    match (range, reachability) {
        ("everywhere", "public") => "whoever has it can join: others have reached this node",
        ("everywhere", "relayed") => "whoever has it can join: through a relay, where nothing better is found",
        ("everywhere", "unreachable") => {
            "who is on the same local network can join; others tried to reach this node from outside, and could not"
        }
        ("everywhere", _) => {
            "whoever has it can join, if your network lets others in: nobody has tried from outside yet"
        }
        ("local_network", _) => "only who is on the same local network can join: this node has no address beyond it",
        _ => "only nodes on this machine can join: this node listens nowhere else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Look = Look { color: false, columns: None, now_ms: 0 };

    #[test]
    fn a_life_is_a_number_with_a_unit() {
        assert_eq!(life_ms("7d"), Ok(7 * 86_400_000));
        assert_eq!(life_ms("90m"), Ok(90 * 60_000));
        assert_eq!(life_ms("1h"), Ok(3_600_000));
        for text in ["", "d", "7", "0d", "-1d", "91d", "7 d", "1y", "99999999999999999999d"] {
            assert!(life_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pipe_gets_the_string_alone_and_a_screen_a_code_below_it() {
        let made = InviteMade {
            invite: "roda:aeaq".into(),
            expires_ms: 0,
            board: "a".repeat(64),
            name: "b".into(),
            network: "n".into(),
            addresses: vec![],
            range: "this_machine".into(),
            reachability: "unknown".into(),
        };
        assert_eq!(shown(&made, false, &PIPE), "roda:aeaq");
        assert!(shown(&made, true, &PIPE).lines().count() > 10);
        assert!(shown(&made, false, &Look { columns: Some(80), ..PIPE }).starts_with("roda:aeaq\n\n"));
    }
}
