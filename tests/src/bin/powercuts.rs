//! Power cuts: `cargo run --release -p roda-tests --bin powercuts -- --help`.

use roda_tests::binary::use_binary;
use roda_tests::chance::Chance;
use roda_tests::powercut::{self, Cuts};
use std::process::ExitCode;

const USAGE: &str = "\
Cuts the power under a node that works on ext4 on a loop device (as root), starts a node over what each cut left, and checks
that nothing is lost that had been acknowledged.

  --cuts N       so many cuts (default 50)
  --seed S       draws their moments (default 1)
  --roda PATH    another build of the program
  --forgetful    with a node whose syncs do nothing: it has to lose, or the rig proves nothing
";

struct Options {
    cuts: usize,
    seed: u64,
    is_forgetful: bool,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("powercuts: {problem}; --help lists what there is");
            return ExitCode::from(2);
        }
    };
    let is_possible =
        powercut::possible().and_then(|()| if options.is_forgetful { powercut::forgetting_possible() } else { Ok(()) });
    if let Err(reason) = is_possible {
        eprintln!("powercuts: not on this machine: {reason}");
        return ExitCode::FAILURE;
    }
    let mut chance = Chance::from_seed(options.seed);
    let told = |so_far: &Cuts| eprintln!("{} cuts, {} broken", so_far.cuts, so_far.broken.len());
    let found = match powercut::run(options.cuts, options.is_forgetful, &mut chance, told) {
        Ok(found) => found,
        Err(problem) => {
            eprintln!("powercuts: {problem}");
            return ExitCode::FAILURE;
        }
    };
    tell(&found, options.seed);
    let is_as_it_should_be = found.broken.is_empty() != options.is_forgetful;
    if is_as_it_should_be { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options { cuts: 50, seed: 1, is_forgetful: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or(format!("{word} takes a number"))?;
            value.parse::<u64>().map_err(|_| format!("{word} takes a number, and \"{value}\" is none"))
        };
        match word.as_str() {
            "--cuts" => options.cuts = usize::try_from(number()?).map_err(|error| error.to_string())?,
            "--seed" => options.seed = number()?,
            "--forgetful" => options.is_forgetful = true,
            "--roda" => use_binary(words.next().ok_or("--roda takes a path")?.into()),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("there is no option \"{other}\"")),
        }
    }
    Ok(Some(options))
}

fn tell(found: &Cuts, seed: u64) {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("| what | seed {seed}, {profile} build |\n| --- | --- |");
    println!("| power cuts | {} |", found.cuts);
    println!("| events acknowledged at the last one | {} |", found.acknowledged);
    println!("| cuts after which something was lost or broken | {} |", found.broken.len());
    println!("| starts that cut a torn write, that rebuilt the index | {}, {} |", found.torn, found.rebuilt);
    println!("| slowest start | {:.2} s |", found.slowest_start.as_secs_f64());
    for broken in &found.broken {
        let line: String = broken.lines().next().unwrap_or_default().chars().take(200).collect();
        println!("  {line}");
    }
}
