//! Kills: `cargo run --release -p roda-tests --bin crashes -- --help`.

use roda_tests::binary::use_binary;
use roda_tests::chance::Chance;
use roda_tests::crash::{self, Crashes};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Kills a node with SIGKILL at random points amid its work, starts it again, and checks that nothing is lost that it had
acknowledged, that log, index and digests agree, and that words which were taken back are gone.

  --points N    so many kills (default 1000)
  --seed S      draws the points (default 1)
  --roda PATH   another build of the program
";

/// In how long a node is to start over what a kill left.
const START_REACH: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let (points, seed) = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("crashes: {problem}; --help lists what there is");
            return ExitCode::from(2);
        }
    };
    let found = crash::run(points, &mut Chance::from_seed(seed), |so_far| eprintln!("{} kills", so_far.points));
    tell(&found, seed);
    // Whatever was lost has ended the program before.
    if found.slowest_start <= START_REACH { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Result<Option<(usize, u64)>, String> {
    let (mut points, mut seed) = (1000, 1);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or(format!("{word} takes a number"))?;
            value.parse::<u64>().map_err(|_| format!("{word} takes a number, and \"{value}\" is none"))
        };
        match word.as_str() {
            "--points" => points = usize::try_from(number()?).map_err(|error| error.to_string())?,
            "--seed" => seed = number()?,
            "--roda" => use_binary(words.next().ok_or("--roda takes a path")?.into()),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("there is no option \"{other}\"")),
        }
    }
    Ok(Some((points, seed)))
}

fn tell(found: &Crashes, seed: u64) {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("| what | seed {seed}, {profile} build |\n| --- | --- |");
    println!("| kills, of these amid a start | {}, {} |", found.points, found.amid_starts);
    println!("| own events acknowledged, of these retractions | {}, {} |", found.acknowledged, found.taken_back);
    println!("| imported events acknowledged | {} |", found.imported);
    println!("| events that came from a neighbour | {} |", found.heard);
    println!("| lost | 0 |");
    println!("| starts that cut a torn write, that rebuilt the index | {}, {} |", found.torn, found.rebuilt);
    println!("| slowest start | {:.2} s |", found.slowest_start.as_secs_f64());
}
