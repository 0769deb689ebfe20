//! Kills of a node amid its work. The program `crashes` does the same at any number of points.

use roda_tests::chance::Chance;
use roda_tests::crash;

/// None of 50 failing bounds the rate of failures at 6 % (95 % confidence); the program's 1,000 at 0.3 %.
const POINTS: usize = 50;

#[test]
fn everything_acknowledged_outlives_fifty_kills() {
    let found = crash::run(POINTS, &mut Chance::new("kills"), |_| ());
    println!("{found:?}");
    assert!(found.acknowledged > POINTS && found.imported > 0, "the load was too little to prove anything: {found:?}");
}
