//! The flags that every command has, and what becomes of them: the home and the manner of output.

use crate::commands::Command;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::ColorChoice;
use clap::Parser;
use clap::error::ErrorKind;
use etcetera::BaseStrategy as _;
use roda_node::home::Home;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the help lists the flags of every command.
const HEADING: &str = "Options of every command";

/// Roda: a discussion network of peers, with nobody at its head.
///
/// Each participant runs a node: `roda up`. Every other command talks to it.
#[derive(Debug, Parser)]
#[command(name = "roda", version, propagate_version = true, infer_subcommands = false)]
#[command(
    after_help = "Ids may be shortened to any unique prefix of 4 digits or more; boards are known by id or name."
)]
#[command(after_long_help = "\
Exit codes: 0 ok, 1 failed, 2 usage, 3 no node is running, 4 locked, 5 stored but --wait not met, 130 interrupted.
Environment: RODA_HOME, RODA_LOG, RODA_EDITOR, RODA_PAGER, VISUAL, EDITOR, PAGER, NO_COLOR, CLICOLOR_FORCE.")]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Write JSON: one object, or one a line for a list
    #[arg(long, global = true, help_heading = HEADING)]
    pub(crate) json: bool,
    /// Keep everything of the node in this folder [default: the XDG folders]
    #[arg(long, global = true, help_heading = HEADING, value_name = "DIR", env = "RODA_HOME")]
    pub(crate) home: Option<PathBuf>,
    /// Use colours
    #[arg(long, global = true, help_heading = HEADING, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Print long texts at once instead of through the pager
    #[arg(long, global = true, help_heading = HEADING)]
    pub(crate) no_pager: bool,
}

/// What a command knows of where it runs.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The node's folders.
    pub(crate) home: Home,
    /// The one folder of `--home` or `RODA_HOME`, absolute.
    pub(crate) folder: Option<PathBuf>,
    /// Whether a command that is pasted needs `--home` to mean the same node.
    names_home: bool,
}

impl Context {
    /// The context that the global flags describe.
    ///
    /// # Errors
    ///
    /// There is no home folder to derive the XDG folders from.
    pub(crate) fn new(home: Option<&Path>) -> Result<Self, CliError> {
        let Some(folder) = home.filter(|folder| !folder.as_os_str().is_empty()) else {
            return Ok(Self { home: xdg_home()?, folder: None, names_home: false });
        };
        let mut context = Self::at(folder)?;
        context.names_home = env::var_os("RODA_HOME").as_deref() != Some(folder.as_os_str());
        Ok(context)
    }

    /// The context of a node whose home is one folder.
    ///
    /// # Errors
    ///
    /// The folder's absolute path can't be told.
    pub(crate) fn at(folder: &Path) -> Result<Self, CliError> {
        let folder = std::path::absolute(folder)
            .map_err(|error| CliError::io(&format!("can't use {} as a home", folder.display()), &error))?;
        Ok(Self { home: Home::at(&folder), folder: Some(folder), names_home: true })
    }

    /// The folder that a person would call this home.
    #[must_use]
    pub(crate) fn place(&self) -> &Path {
        self.folder.as_deref().unwrap_or(&self.home.data)
    }

    /// A command for this node, ready to paste.
    #[must_use]
    pub(crate) fn command(&self, rest: &str) -> String {
        match &self.folder {
            Some(folder) if self.names_home => {
                format!("roda --home {} {rest}", shell_words::quote(&folder.to_string_lossy()))
            }
            _ => format!("roda {rest}"),
        }
    }
}

fn xdg_home() -> Result<Home, CliError> {
    let base = etcetera::base_strategy::Xdg::new().map_err(|_| {
        CliError::failed("io", "this account has no home folder").with_hint("name a folder for Roda: --home DIR")
    })?;
    let data = base.data_dir().join("roda");
    let run = base.runtime_dir().map_or_else(|| data.join("run"), |folder| folder.join("roda"));
    let state = base.state_dir().unwrap_or_else(|| base.data_dir()).join("roda");
    Ok(Home { config: base.config_dir().join("roda"), data, run, state })
}

/// What the words on the command line ask for.
pub(crate) enum Asked {
    /// A command.
    Run(Cli),
    /// Help or the version: a text for standard output.
    Text(String),
    /// Nothing that makes sense; whether the error is wanted as JSON.
    Wrong(CliError, bool),
}

/// Reads the command line.
pub(crate) fn parse(words: &[OsString]) -> Asked {
    let error = match Cli::try_parse_from(words) {
        Ok(cli) => return Asked::Run(cli),
        Err(error) => error,
    };
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Asked::Text(error.render().to_string());
    }
    let wants_json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    Asked::Wrong(usage_error(&error), wants_json)
}

/// The first paragraph of what clap says is the message, the rest (tips and usage) the hint.
fn usage_error(error: &clap::Error) -> CliError {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return CliError::usage("the command is not complete").with_hint(error.render().to_string().trim().to_owned());
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (message, hint) = text.split_once("\n\n").unwrap_or((text, ""));
    let hint: Vec<&str> = hint.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    CliError::usage(message.trim()).with_hint(hint.join("\n"))
}

/// The parts that every command is given.
pub(crate) fn prepare(global: &Global) -> (Result<Context, CliError>, Output) {
    (Context::new(global.home.as_deref()), Output::new(global.json, global.color, !global.no_pager))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use clap::CommandFactory as _;

    fn words(line: &str) -> Vec<OsString> {
        shell_words::split(line).unwrap().into_iter().map(OsString::from).collect()
    }

    fn cli(line: &str) -> Cli {
        match parse(&words(line)) {
            Asked::Run(cli) => cli,
            Asked::Text(text) => panic!("{line}: a text: {text}"),
            Asked::Wrong(error, _) => panic!("{line}: {error}"),
        }
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_form_of_the_manual_is_understood() {
        for line in [
            "roda",
            "roda up --listen /ip4/127.0.0.1/tcp/0 --listen /ip4/127.0.0.1/udp/0/quic-v1 --web off --mdns off --detach",
            "roda up --connect /ip4/192.0.2.7/tcp/7716 --network roda-test",
            "roda down",
            "roda up --web 0.0.0.0:7717",
            "roda web",
            "roda web password",
            "roda web password --remove",
            "roda web preferences",
            "roda web preferences --language pt --theme dark --keys off",
            "roda web feeds",
            "roda web feeds rust",
            "roda web feeds --renew",
            "roda status",
            "roda logs -f -n 5",
            "roda id show",
            "roda id name 'Ann Example'",
            "roda board new rust --title T --description D --rule 'Be kind' --rule 'Stay on topic' --language en --work 0",
            "roda board open rust",
            "roda boards",
            "roda boards --find",
            "roda boards --find garden soil --limit 5",
            "roda boards --after abcd --find garden",
            "roda board new rust --listed",
            "roda board list rust on",
            "roda board list rust off",
            "roda board log rust",
            "roda follow rust",
            "roda unfollow rust",
            "roda keep rust 30d",
            "roda post rust -t T -m M --link https://example.org --tag a --tag b --wait 2 --timeout 5",
            "roda post rust -t T -F file",
            "roda post rust -t T -",
            "roda post rust",
            "roda reply abcd -m '- a list'",
            "roda reply abcd -",
            "roda edit abcd -t T -m M --link ''",
            "roda retract abcd --wait 1",
            "roda vote abcd up",
            "roda vote abcd down",
            "roda vote abcd none",
            "roda feed",
            "roda feed rust --sort active --limit 5 --before x",
            "roda feed --sort top --range week",
            "roda feed --sort balanced",
            "roda search frost may --board garden --author @abcd --since 2026-01-31 --sort new --limit 5 --cursor c",
            "roda search -- -snails",
            "roda read abcd --depth 3",
            "roda history abcd",
            "roda history abcd --hidden --limit 5 --before c",
            "roda peers",
            "roda peers --graph",
            "roda peers --graph mermaid",
            "roda doctor",
            "roda up --proxy socks5://127.0.0.1:9050",
            "roda connect /ip4/192.0.2.7/tcp/7716",
            "roda invite",
            "roda invite rust --expires 12h --as-me --qr",
            "roda join roda:abcd --wait 5",
            "roda join roda:abcd --listen /ip4/127.0.0.1/tcp/0 --mdns off",
            "roda author @abcd",
            "roda author @abcd --hidden --limit 5 --before 7",
            "roda inbox",
            "roda inbox --all --limit 5 --before x --hidden",
            "roda inbox --clear",
            "roda inbox --count",
            "roda next",
            "roda next rust",
            "roda catchup rust",
            "roda watch abcd",
            "roda unwatch abcd",
            "roda mute @abcd",
            "roda mute word:spam",
            "roda unmute abcd",
            "roda follow @abcd",
            "roda unfollow @abcd",
            "roda score add @abcd -5",
            "roda score add word:spam 3",
            "roda score add older:30d -1",
            "roda score remove older:30d",
            "roda score list",
            "roda rules",
            "roda why abcd",
            "roda power",
            "roda power rust --days 7",
            "roda feed --hidden",
            "roda read abcd --hidden",
            "roda export --reader",
            "roda import --reader -",
            "roda sync rust --wait 5",
            "roda outbox",
            "roda export rust",
            "roda import file",
            "roda import -",
            "roda fsck --repair",
            "roda events",
            "roda devnet up -n 3 --topology ring --dir /tmp/x",
            "roda devnet status",
            "roda devnet down --purge",
        ] {
            let _ = cli(line);
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in ["roda --json --home /x feed", "roda feed --json --home /x", "roda id show --home /x --json"] {
            let cli = cli(line);
            assert!(cli.global.json);
            assert_eq!(cli.global.home.as_deref(), Some(Path::new("/x")));
        }
    }

    #[test]
    fn nonsense_is_a_usage_error_with_a_message_and_a_hint() {
        for line in [
            "roda nonsense",
            "roda up --web everywhere",
            "roda web nonsense",
            "roda up --listen 127.0.0.1:80",
            "roda vote abcd sideways",
            "roda post rust -t T -m M -F file",
            "roda post rust -t T -m M -",
            "roda feed --sort best",
            "roda search",
            "roda search x --sort best",
            "roda join",
            "roda join roda:abcd --listen 127.0.0.1:80",
            "roda invite --expires soon",
            "roda invite --expires 0d",
            "roda invite --expires 91d",
            "roda board",
            "roda board list rust",
            "roda inbox --count --all",
            "roda web preferences --keys perhaps",
            "roda web feeds rust --renew",
            "roda boards --limit 5",
            "roda devnet up -n 0",
            "roda post rust -t T -m M --timeout 5",
        ] {
            let Asked::Wrong(error, as_json) = parse(&words(&format!("{line} --json"))) else {
                panic!("{line} is accepted");
            };
            assert!(as_json, "{line}");
            assert_eq!(error.kind, Kind::Usage, "{line}");
            assert!(!error.message.is_empty() && !error.message.starts_with("error"), "{line}: {}", error.message);
        }
    }

    #[test]
    fn a_word_behind_two_dashes_is_no_flag() {
        let Asked::Wrong(_, as_json) = parse(&words("roda nonsense -- --json")) else { panic!("accepted") };
        assert!(!as_json);
    }

    #[test]
    fn a_pasted_command_names_the_home_that_it_needs() {
        let context = Context::at(Path::new("/tmp/my home")).unwrap();
        assert_eq!(context.command("up"), "roda --home '/tmp/my home' up");
    }
}
