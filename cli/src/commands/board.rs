//! `roda board`: founds a charter board, opens the open board of a name, says whether others are told of one, or shows what
//! made one what it is.

use crate::args::Context;
use crate::client::{Client, encoded};
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words;
use roda_node::api::dto::{BoardLog, BoardRef, ListingAsk, ListingState, NewBoard, OpenBoard, Person};

/// Which kind.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Found a board with a charter of its own, and follow it
    New(NewArgs),
    /// Follow the open board of a name: the same name is the same board on every node
    Open {
        /// Its name
        name: String,
    },
    /// Tell peers that ask of a charter board, so that others can find it; or tell them no longer
    List {
        /// A full id; or, if it is known here, a prefix or a name
        board: String,
        /// Whether
        state: State,
    },
    /// What made a board what it is: its charter, founder, stewards and rules
    Log {
        /// A full id; or, if it is known here, a prefix or a name
        board: String,
    },
}

/// Whether a board is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum State {
    /// Whoever asks is told.
    On,
    /// Nobody is told.
    Off,
}

/// The charter.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// Its name, 1 to 32 characters
    name: String,
    /// A line about it
    #[arg(short = 't', long, value_name = "T", allow_hyphen_values = true)]
    title: Option<String>,
    /// What it is for
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    description: Option<String>,
    /// A rule; may be repeated, they are numbered from 1
    #[arg(long = "rule", value_name = "R", allow_hyphen_values = true)]
    rules: Vec<String>,
    /// Its language, a BCP 47 tag such as `en`
    #[arg(long, value_name = "L")]
    language: Option<String>,
    /// Bits of work that each of its events needs [default: the network's]
    #[arg(long, value_name = "BITS")]
    work: Option<u8>,
    /// Let others find it: tell peers that ask
    #[arg(long)]
    listed: bool,
}

/// Runs the command.
pub(crate) async fn run(command: Command, context: &Context, output: &mut Output) -> Result<(), CliError> {
    let client = Client::new(context);
    let (board, verb): (BoardRef, _) = match command {
        Command::New(args) => {
            let NewArgs { name, title, description, rules, language, work, listed } = args;
            let body = NewBoard { name, title, description, rules, language, work, listed };
            (client.post("/api/v1/boards", &body).await?, "founded")
        }
        Command::Log { board } => return log(&board, &client, output).await,
        Command::List { board, state } => return list(board, state, &client, output).await,
        Command::Open { name } => (client.post("/api/v1/boards/open", &OpenBoard { name }).await?, "opened"),
    };
    output.object(&board, |look| {
        format!(
            "{} {verb} {}, and follow it\n  {}",
            look.green("✓"),
            words::name(&board.name),
            look.dim(&words::line(&board.board))
        )
    })?;
    // What can be mistaken for another, or can't be typed, is named by its id.
    let is_plain = !board.look_alike && words::board(&board.board, &board.name) == words::name(&board.name);
    let name = if is_plain { words::name(&board.name) } else { words::short_id(&board.board) };
    let post = format!("post {} -t TITLE -m TEXT", shell_words::quote(&name));
    output.note(&format!("next: {}", context.command(&post)));
    Ok(())
}

async fn list(board: String, state: State, client: &Client, output: &mut Output) -> Result<(), CliError> {
    let body = ListingAsk { board, listed: state == State::On };
    let said: ListingState = client.post("/api/v1/listing", &body).await?;
    output.object(&said, |look| {
        let board = words::board_among(&said.board, &said.name, said.look_alike);
        match state {
            State::On => format!("{} peers that ask are told of {board}", look.green("✓")),
            State::Off => format!("{} nobody is told of {board} by this node", look.green("✓")),
        }
    })?;
    if state == State::Off {
        output.note("who was told of it knows it; and others who found it may tell of it, too");
    }
    Ok(())
}

async fn log(board: &str, client: &Client, output: &mut Output) -> Result<(), CliError> {
    let log: BoardLog = client.get(&format!("/api/v1/boards/log?board={}", encoded(board))).await?;
    if output.is_json() {
        return output.object(&log, |_| String::new());
    }
    let text = render(&log, &output.look());
    output.page(&text)?;
    match (&log.charter, log.kind.as_str()) {
        (Some(_), _) => {}
        (None, "open") => output.note("an open board has no charter: it is its name, and belongs to nobody"),
        (None, _) => output.note("its charter has not arrived yet"),
    }
    Ok(())
}

fn render(log: &BoardLog, look: &Look) -> String {
    let followed = if log.followed { "followed" } else { "not followed" };
    let mut facts = vec![
        ("board", words::board_among(&log.board, &log.name, log.look_alike)),
        ("id", words::line(&log.board)),
        ("kind", format!("{}, {followed}", words::line(&log.kind))),
    ];
    if !log.title.is_empty() {
        facts.push(("title", words::line(&log.title)));
    }
    if let Some(charter) = &log.charter {
        facts.push(("founded", format!("{} by {}", look.ago(charter.created_ms), person(&charter.founder))));
        let stewards: Vec<String> = charter.stewards.iter().map(person).collect();
        facts.push(("stewards", if stewards.is_empty() { "none".to_owned() } else { stewards.join(", ") }));
        if !charter.language.is_empty() {
            facts.push(("language", words::line(&charter.language)));
        }
        facts.push(("work", format!("{} bits for each event", charter.work_bits)));
    }
    let mut text = words::facts(look, &facts);
    if !log.description.trim().is_empty() {
        text.push_str(&format!("\n\n{}", words::block(&log.description)));
    }
    for (number, rule) in log.rules.iter().enumerate() {
        let gap = if number == 0 { "\n\n" } else { "\n" };
        text.push_str(&format!("{gap}{}. {}", number + 1, words::line(rule)));
    }
    text
}

fn person(person: &Person) -> String {
    words::author_among(&person.author, person.name.as_deref(), person.look_alike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use roda_node::api::dto::BoardCharter;

    #[test]
    fn a_log_says_who_founded_the_board_and_by_which_rules_and_does_nothing_to_a_screen() {
        let founder =
            Person { author: format!("@{}", "k".repeat(52)), name: Some("ann\u{1b}".into()), look_alike: true };
        let charter = BoardCharter {
            id: "b".repeat(64),
            founder: founder.clone(),
            created_ms: 1_000,
            language: "en\u{1b}".into(),
            work_bits: 12,
            stewards: vec![founder],
        };
        let log = BoardLog {
            board: "b".repeat(64),
            name: "garden".into(),
            look_alike: true,
            kind: "charter".into(),
            followed: true,
            title: "The garden\u{1b}".into(),
            description: "What grows\u{1b}[2J".into(),
            rules: vec!["Be kind".into(), "No\nspam".into()],
            charter: Some(charter),
        };
        let look = Look { color: false, columns: None, now_ms: 61_000 };
        let text = render(&log, &look);
        assert!(text.contains("board     garden bbbbbbbb\n"), "{text}");
        assert!(text.contains("kind      charter, followed\ntitle     The garden"), "{text}");
        assert!(text.contains(" @kkkkkkkk ⚠\nstewards  ann"), "{text}");
        assert!(text.contains("work      12 bits for each event\n\nWhat grows"), "{text}");
        assert!(text.contains("\n\n1. Be kind\n2. No"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
