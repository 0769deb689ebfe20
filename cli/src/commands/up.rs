//! `roda up`: becomes a node, in the foreground or detached.

use crate::args::Context;
use crate::error::{CliError, Kind};
use crate::output::Output;
use crate::process::{self, ReadyLine};
use crate::terminal::Look;
use crate::words;
use roda_node::network::Proxy;
use roda_node::{Node, Ready, Settings, WebAddress};
use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The network that everybody is on who does not say otherwise.
const NETWORK_DEFAULT: &str = "roda-main";

/// How long the node may take to stop: the contract's number.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// The flags.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen here, for instance /ip4/0.0.0.0/tcp/7716; may be repeated [default: every interface, a free port]
    #[arg(long, value_name = "MULTIADDR", value_parser = multiaddr)]
    listen: Vec<String>,
    /// Where to serve the web page; `off` for none [default: config.toml's, or 127.0.0.1:7717, or the next free port]
    #[arg(long, value_name = "ADDR|off")]
    web: Option<WebAddress>,
    /// Dial this peer and keep the connection; may be repeated
    #[arg(long, value_name = "MULTIADDR", value_parser = multiaddr)]
    connect: Vec<String>,
    /// The network to take part in; networks never mix
    #[arg(long, value_name = "NAME", default_value = NETWORK_DEFAULT)]
    network: String,
    /// Look for nodes on the local network
    #[arg(long, value_name = "on|off", default_value = "on")]
    mdns: Switch,
    /// Look for further peers at all: on the local network, through peers, and in the DHT
    #[arg(long, value_name = "on|off", default_value = "on")]
    discover: Switch,
    /// Reach others through this SOCKS5 proxy, such as Tor's, and in no other way
    #[arg(long, value_name = "socks5://IP:PORT")]
    proxy: Option<Proxy>,
    /// Run in the background; the log goes to a file (`roda logs`)
    #[arg(long)]
    detach: bool,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// Do it.
    On,
    /// Leave it.
    Off,
}

impl Args {
    /// Whether the node runs in another process.
    #[must_use]
    pub(crate) fn is_detached(&self) -> bool {
        self.detach
    }
}

/// Whether a word may be a multiaddr; the node looks at it more closely.
pub(super) fn multiaddr(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    Err("expected a multiaddr such as /ip4/192.0.2.7/tcp/7716".to_owned())
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let result = if args.detach { detach(&args, context, output).await } else { serve(args, context, output).await };
    result.map_err(|error| explained(error, context))
}

/// The remedies of some failures depend on how this command was called.
fn explained(error: CliError, context: &Context) -> CliError {
    match error.code.as_str() {
        "locked_home" => {
            let (status, down) = (context.command("status"), context.command("down"));
            error.with_hint(format!("see what it does: {status}\nstop it: {down}"))
        }
        "web_unprotected" => {
            let hint = error.hint.replace("`roda web password`", &format!("`{}`", context.command("web password")));
            error.with_hint(hint)
        }
        _ => error,
    }
}

async fn serve(args: Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    start_log();
    let mut signals = Signals::new()?;
    let settings = Settings {
        home: context.home.clone(),
        network: args.network,
        listen: args.listen,
        connect: args.connect,
        mdns: args.mdns == Switch::On,
        discover: args.discover == Switch::On,
        proxy: args.proxy,
        web: args.web.unwrap_or(WebAddress::Default),
    };
    let mut node = tokio::select! {
        node = Node::start(settings) => node?,
        () = signals.next() => return Ok(()),
    };
    announce(&node.ready(), context, output)?;
    let outcome = tokio::select! {
        outcome = node.stop_asked() => outcome,
        () = signals.next() => Ok(()),
    };
    output.note("stopping (Ctrl-C once more: at once; nothing that was stored is lost)");
    tokio::select! {
        stopped = tokio::time::timeout(STOP_TIME_MAX, node.shutdown()) => {
            if stopped.is_err() {
                tracing::warn!("the node did not end its work in time; it was ended where it stood");
            }
        }
        () = signals.next() => return Err(CliError::interrupted()),
    }
    outcome.map_err(|reason| CliError::failed("internal", format!("the node stopped by itself: {reason}")))
}

fn announce(ready: &Ready, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let line = ReadyLine {
        event: "ready".to_owned(),
        network: ready.network.clone(),
        peer_id: ready.peer_id.clone(),
        author: ready.author.clone(),
        listen: ready.listen.clone(),
        socket: ready.socket.display().to_string(),
        web: ready.web.clone(),
        certificate: ready.certificate.clone(),
        pid: std::process::id(),
        is_new: ready.is_new,
        notices: ready.notices.clone(),
    };
    match output.object(&line, |look| welcome(ready, context, look)) {
        // Whoever started the node has stopped to listen: it serves all the same.
        Err(error) if error.kind == Kind::ClosedPipe => Ok(()),
        other => other,
    }
}

fn welcome(ready: &Ready, context: &Context, look: &Look) -> String {
    let mut pairs = vec![("you write as", words::line(&ready.author))];
    pairs.extend(page(ready.web.as_deref(), ready.certificate.as_deref(), look));
    pairs.extend(addresses(&ready.listen));
    let mut text = format!("{} on network {}\n", look.bold("Roda is running"), look.cyan(&words::line(&ready.network)));
    text.push_str(&words::facts(look, &pairs));
    if ready.is_new {
        let folder = context.home.config.display();
        text.push_str(&format!("\n\nThis home is new. Your key is in {folder}: whoever has it writes in your name."));
    }
    text.push_str(&notices(&ready.notices, look));
    text.push_str("\n\nNext, in another terminal:");
    let commands = [
        ("board open lounge", "the open board `lounge`: the same on every node"),
        ("post lounge -t \"Hello\" -m \"First words\"", "start a thread"),
        ("feed", "what there is to read"),
        ("invite", "one string with which another machine joins: `roda join`"),
    ];
    let commands = commands.map(|(command, why)| (context.command(command), why));
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    for (command, why) in &commands {
        text.push_str(&format!("\n  {command:width$}  {}", look.dim(why)));
    }
    text.push_str(&format!("\n\nCtrl-C or `{}` stops it.", context.command("down")));
    text
}

/// The login link, and by what a person on another machine knows the page again.
fn page(link: Option<&str>, certificate: Option<&str>, look: &Look) -> impl Iterator<Item = (&'static str, String)> {
    let link = link.map(|link| ("read and write at", look.cyan(&words::line(link))));
    let from_elsewhere = "by https at any address of this machine, with the password".to_owned();
    let elsewhere = certificate.map(|certificate| {
        [("from elsewhere", from_elsewhere), ("certificate", format!("SHA-256 {}", words::line(certificate)))]
    });
    link.into_iter().chain(elsewhere.into_iter().flatten())
}

/// Labelled addresses; only the first says what they are. A link-local one means another interface on each machine: it
/// leads nobody here.
fn addresses(listen: &[String]) -> impl Iterator<Item = (&'static str, String)> {
    let label = |index| if index == 0 { "peers reach it at" } else { "" };
    let is_link_local = |address: &str| {
        let host = address.strip_prefix("/ip6/").and_then(|rest| rest.split('/').next());
        host.and_then(|host| host.parse().ok()).is_some_and(|host: Ipv6Addr| host.is_unicast_link_local())
    };
    listen
        .iter()
        .filter(move |address| !is_link_local(address))
        .enumerate()
        .map(move |(index, address)| (label(index), words::line(address)))
}

fn notices(notices: &[String], look: &Look) -> String {
    notices.iter().map(|notice| format!("\n{} {}", look.yellow("!"), words::line(notice))).collect()
}

async fn detach(args: &Args, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let ready = process::start_detached(context, child_words(args, context)).await?;
    output.object(&ready, |look| {
        let mut pairs = vec![("you write as", words::line(&ready.author))];
        pairs.extend(page(ready.web.as_deref(), ready.certificate.as_deref(), look));
        pairs.push(("process", ready.pid.to_string()));
        pairs.push(("log", context.home.log_file().display().to_string()));
        pairs.extend(addresses(&ready.listen));
        format!(
            "{} roda runs in the background on network {}\n{}{}",
            look.green("✓"),
            look.cyan(&words::line(&ready.network)),
            words::facts(look, &pairs),
            notices(&ready.notices, look)
        )
    })?;
    output.note(&format!("next: {}   stop it: {}", context.command("status"), context.command("down")));
    Ok(())
}

/// Starts a node in the background for another command.
///
/// # Errors
///
/// The node's own.
pub(super) async fn start_detached(
    network: String,
    listen: Vec<String>,
    mdns: Switch,
    proxy: Option<Proxy>,
    context: &Context,
) -> Result<ReadyLine, CliError> {
    let args =
        Args { listen, web: None, connect: Vec::new(), network, mdns, discover: Switch::On, proxy, detach: true };
    process::start_detached(context, child_words(&args, context)).await.map_err(|error| explained(error, context))
}

/// The command line of the process that becomes the node.
fn child_words(args: &Args, context: &Context) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(folder) = &context.folder {
        words.extend(["--home".into(), folder.clone().into_os_string()]);
    }
    // One word: a network's name may begin with a dash, and may come from an invite.
    words.extend(["--json".into(), "up".into(), format!("--network={}", args.network).into()]);
    for address in &args.listen {
        words.extend(["--listen".into(), address.into()]);
    }
    for address in &args.connect {
        words.extend(["--connect".into(), address.into()]);
    }
    let mdns = if args.mdns == Switch::On { "on" } else { "off" };
    words.extend(["--mdns".into(), mdns.into()]);
    if args.discover == Switch::Off {
        words.extend(["--discover".into(), "off".into()]);
    }
    match args.web {
        None | Some(WebAddress::Default) => {}
        Some(WebAddress::Off) => words.extend(["--web".into(), "off".into()]),
        Some(WebAddress::At(address)) => words.extend(["--web".into(), address.to_string().into()]),
    }
    if let Some(proxy) = &args.proxy {
        words.extend(["--proxy".into(), proxy.to_string().into()]);
    }
    words
}

/// Logs to standard error: warnings, or what `RODA_LOG` asks for. libp2p's own are left out unless they are asked for
/// by name: it warns of what peers do, each time they do it, and a peer could fill the disk.
fn start_log() {
    let default = tracing_subscriber::filter::LevelFilter::WARN.into();
    let mut filter = EnvFilter::builder().with_default_directive(default).with_env_var("RODA_LOG").from_env_lossy();
    let is_asked_for = std::env::var("RODA_LOG").is_ok_and(|text| text.contains("libp2p"));
    if !is_asked_for && let Ok(directive) = "libp2p=off".parse() {
        filter = filter.add_directive(directive);
    }
    // Fails only if there is a log already.
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Forgiving(std::io::stderr()));
    let _ = format.log_internal_errors(false).with_target(true).try_init();
}

/// Standard error, which is never worth an error itself: it may lead to a file on the very disk that fails, and a node that
/// can't log goes on.
struct Forgiving(std::io::Stderr);

impl std::io::Write for Forgiving {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(|error| CliError::io("can't listen for signals", &error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use std::path::Path;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_start_shows_addresses_that_lead_here() {
        let listen = ["/ip6/fe80::1/tcp/1/p2p/x", "/ip4/192.0.2.7/tcp/1/p2p/x", "/ip6/fd00::1/tcp/1/p2p/x"];
        let listen = listen.map(str::to_owned);
        let shown: Vec<_> = addresses(&listen).collect();
        assert_eq!(shown, [("peers reach it at", listen[1].clone()), ("", listen[2].clone())]);
    }

    #[test]
    fn a_detached_node_is_started_with_the_same_flags() {
        let line = "up --network=n --listen /ip4/127.0.0.1/tcp/0 --connect /ip4/192.0.2.7/tcp/1 --mdns off --detach --web off \
             --proxy socks5://127.0.0.1:9050";
        let args = Line::parse_from(line.split(' ')).args;
        let context = Context::at(Path::new("/h")).unwrap();
        let words: Vec<_> = child_words(&args, &context).into_iter().map(|word| word.into_string().unwrap()).collect();
        let expected = "--home /h --json up --network=n --listen /ip4/127.0.0.1/tcp/0 --connect /ip4/192.0.2.7/tcp/1 --mdns off \
             --web off --proxy socks5://127.0.0.1:9050";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn a_taken_home_is_explained_with_the_two_commands_that_help() {
        let context = Context::at(Path::new("/h")).unwrap();
        let error = explained(CliError::failed("locked_home", "a node runs (process 7)"), &context);
        assert_eq!(error.kind, Kind::Failed);
        assert!(error.hint.contains("roda --home /h status") && error.hint.contains("roda --home /h down"));
    }

    #[test]
    fn a_page_without_protection_is_explained_with_the_command_for_this_home() {
        let context = Context::at(Path::new("/h")).unwrap();
        let error = CliError::failed("web_unprotected", "no password").with_hint("set a password: `roda web password`");
        assert_eq!(explained(error, &context).hint, "set a password: `roda --home /h web password`");
    }
}
