//! The fuzz targets' corpora, replayed without a fuzzer.
//!
//! `RODA_WRITE_VECTORS=1 cargo test -p roda-tests --test corpus` writes the seeds anew, out of the golden vectors.

#[path = "../../protocol/fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the file is a crate of its own beside the fuzzer")]
mod targets;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a target does with any bytes.
type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 7] = [
    ("event", targets::event),
    ("words", targets::words),
    ("invite", targets::invite),
    ("wire_request", targets::wire_request),
    ("wire_response", targets::wire_response),
    ("reconcile", targets::reconcile),
    ("text", targets::text),
];

/// Bytes of all corpora together: they are cloned with the project.
const CORPORA_BYTES_MAX: usize = 200 * 1000;

/// Bytes of a seed; fuzzers do better with small ones.
const SEED_BYTES_MAX: usize = 2000;

type Seeds = BTreeMap<String, Vec<u8>>;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/fuzz/corpus").join(target)
}

fn vectors(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors are committed")).expect("JSON")
}

fn cases<'a>(vectors: &'a Value, key: &str) -> &'a [Value] {
    vectors[key].as_array().expect("a list of cases")
}

fn unhex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap_or_default().as_bytes()).expect("hex")
}

/// Hex and runs, as `invalid.json` and the malformed messages write them.
fn parts(value: &Value) -> Vec<u8> {
    let part = |part: &Value| match part.as_array() {
        Some(run) => unhex(&run[0]).repeat(run[1].as_u64().and_then(|times| times.try_into().ok()).unwrap_or(0)),
        None => unhex(part),
    };
    value.as_array().into_iter().flatten().flat_map(part).collect()
}

fn name(case: &Value, number: usize) -> String {
    let message = &case["message"];
    let variant = message.as_object().and_then(|message| message.keys().next()).map(String::as_str);
    let words = case["name"].as_str().or(variant).or(message.as_str()).unwrap_or("message");
    let plain = words.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    format!("{number:03}-{}", plain.take(40).collect::<String>())
}

fn seeds(target: &str) -> Seeds {
    let mut seeds = Seeds::new();
    let (events, invalid) = (vectors("events.json"), vectors("invalid.json"));
    let (sync, names) = (vectors("sync.json"), vectors("names.json"));
    match target {
        "event" => {
            for (number, case) in cases(&events, "events").iter().enumerate() {
                seeds.insert(format!("valid-{}", name(case, number)), unhex(&case["bytes"]));
            }
            for (number, case) in cases(&invalid, "cases").iter().enumerate().step_by(4) {
                seeds.insert(format!("judged-{}", name(case, number)), parts(&case["bytes"]));
            }
        }
        "words" => {
            for (number, case) in cases(&events, "events").iter().enumerate() {
                let bytes = unhex(&case["bytes"]);
                let at = case["header_len"].as_u64().map_or(0, |len| len as usize) + 64 + 16;
                let kind = ["charter", "post", "comment", "edit", "label", "profile"];
                let kind = kind.iter().position(|word| case["kind"]["word"] == **word);
                if let (Some(kind), Some(body)) = (kind, bytes.get(at..)) {
                    seeds.insert(name(case, number), [&[kind as u8][..], body].concat());
                }
            }
        }
        "invite" => {
            let invites = vectors("invites.json");
            for (number, case) in cases(&invites, "invites").iter().enumerate() {
                seeds.insert(format!("said-{}", name(case, number)), unhex(&case["said"]));
            }
            for (number, case) in cases(&invites, "refused").iter().enumerate() {
                let text = case["text"].as_str().unwrap_or_default();
                seeds.insert(format!("refused-{}", name(case, number)), text.as_bytes().to_vec());
            }
        }
        "text" => {
            for (number, case) in cases(&names, "names").iter().chain(cases(&names, "boards")).enumerate() {
                let text = case["name"].as_str().unwrap_or_default();
                seeds.insert(format!("{number:03}"), text.as_bytes().to_vec());
            }
            let hostile =
                "\u{1b}[2J\r\n\u{202e}abc\u{200b}\t👩\u{200d}👩 e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301} \u{9b}31m";
            seeds.insert("hostile".into(), hostile.into());
            seeds.insert("no-utf-8".into(), vec![0xff, b'a', 0xc3, 0xf0, 0x9f]);
        }
        "reconcile" => {
            for (number, case) in cases(&vectors("reconcile.json"), "comparisons").iter().enumerate() {
                let rounds = cases(case, "rounds");
                for (round, step) in rounds.iter().enumerate() {
                    let probes = [vec![0], unhex(&step["probes"])].concat();
                    seeds.insert(format!("probes-{}-{round}", name(case, number)), probes);
                }
                // Findings are a list of rounds; one of fewer than 251 has its number in one byte.
                let findings: Vec<u8> = rounds.iter().flat_map(|step| unhex(&step["findings"])).collect();
                let rounds = u8::try_from(rounds.len()).expect("comparisons of the vectors are short");
                for side in 1..4 {
                    let bytes = [&[side, rounds][..], &findings].concat();
                    seeds.insert(format!("findings-{}-{side}", name(case, number)), bytes);
                }
            }
        }
        wire => {
            let key = if wire == "wire_request" { "requests" } else { "responses" };
            for (number, case) in cases(&sync, key).iter().enumerate() {
                seeds.insert(format!("valid-{}", name(case, number)), unhex(&case["bytes"]));
            }
            for (number, case) in cases(&sync, "malformed").iter().enumerate() {
                seeds.insert(format!("malformed-{}", name(case, number)), parts(&case["bytes"]));
            }
        }
    }
    seeds.retain(|_, bytes| bytes.len() <= SEED_BYTES_MAX);
    seeds
}

fn write(target: &str) {
    std::fs::create_dir_all(folder(target)).expect("the corpora's folder is writable");
    for (name, bytes) in seeds(target) {
        std::fs::write(folder(target).join(name), bytes).expect("the corpora's folder is writable");
    }
}

#[test]
fn every_seed_replays() {
    let mut total = 0;
    for (target, run) in TARGETS {
        if std::env::var_os("RODA_WRITE_VECTORS").is_some() {
            write(target);
        }
        let files = std::fs::read_dir(folder(target)).expect("each target has a corpus");
        let mut paths: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
        paths.sort();
        assert!(paths.len() >= 5, "{target} has seeds");
        for path in paths {
            println!("{}", path.display());
            let bytes = std::fs::read(&path).expect("readable");
            total += bytes.len();
            run(&bytes);
        }
    }
    assert!(total <= CORPORA_BYTES_MAX, "the corpora have {total} bytes");
}
