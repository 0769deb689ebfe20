//! The face of Roda: runs a node, and reads and writes through the API of the one that runs.
//!
//! `args` turns words into a command and its context; each file of `commands` is one command; `client` asks the node;
//! `output` is the only place that prints; `error` decides the exit code. Nothing here opens the node's files but its
//! lock and its log.

mod args;
mod client;
mod commands;
mod draft;
mod editor;
mod error;
mod interrupt;
mod json;
mod memory;
mod output;
mod process;
mod qr;
mod secret;
mod terminal;
mod thread;
mod words;

use args::{Asked, Cli};
use error::CliError;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let (result, output) = match args::parse(&words) {
        Asked::Run(cli) => {
            if cli.command.as_ref().is_some_and(commands::Command::runs_node) {
                memory::keep_small(&words);
            }
            run(cli)
        }
        Asked::Text(text) => {
            let mut output = Output::new(false, terminal::ColorChoice::Auto, false);
            (output.line_now(text.trim_end()), output)
        }
        Asked::Wrong(error, as_json) => (Err(error), Output::new(as_json, terminal::ColorChoice::Auto, false)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> (Result<(), CliError>, Output) {
    let (context, mut output) = args::prepare(&cli.global);
    let result = context.and_then(|context| {
        let runs_node = cli.command.as_ref().is_some_and(commands::Command::runs_node);
        let runtime = if runs_node {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()
        } else {
            tokio::runtime::Builder::new_current_thread().enable_all().build()
        };
        let runtime = runtime.map_err(|error| CliError::io("can't start", &error))?;
        let result = runtime.block_on(commands::run(cli.command, &context, &mut output));
        // A thread may still wait for a line that never comes.
        runtime.shutdown_background();
        result
    });
    (result, output)
}
