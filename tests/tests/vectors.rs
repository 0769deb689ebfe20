//! The golden vectors in `tests/vectors/`: the implementation still says what is written there.
//!
//! `RODA_WRITE_VECTORS=1 cargo test -p roda-tests --test vectors` writes the files and the worked example of
//! `protocol/README.md` anew; a difference in them is a change of the protocol. `tests/vectors/check.py` judges the same
//! files by an implementation of its own.

#[path = "vectors/describe.rs"]
mod describe;
#[path = "vectors/events.rs"]
mod events;
#[path = "vectors/example.rs"]
mod example;
#[path = "vectors/ids.rs"]
mod ids;
#[path = "vectors/invalid.rs"]
mod invalid;
#[path = "vectors/invites.rs"]
mod invites;
#[path = "vectors/names.rs"]
mod names;
#[path = "vectors/reconcile.rs"]
mod reconcile;
#[path = "vectors/signatures.rs"]
mod signatures;
#[path = "vectors/sync.rs"]
mod sync;
#[path = "vectors/threads.rs"]
mod threads;

use roda_protocol::id::NetworkId;
use roda_protocol::keys::SecretKey;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::HEXLOWER.encode(bytes.as_ref())
}

fn network() -> NetworkId {
    NetworkId::of("roda-test")
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn is_writing() -> bool {
    std::env::var_os("RODA_WRITE_VECTORS").is_some()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Compares with the committed file, or writes it.
fn check(file: &str, value: &Value) {
    let path = folder().join(file);
    if is_writing() {
        std::fs::write(&path, text(value)).expect("the vectors' folder is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("the vectors are committed");
    let committed: Value = serde_json::from_str(&committed).expect("the vectors are JSON");
    let (Value::Object(committed), Value::Object(value)) = (committed, value) else { panic!("{file} is an object") };
    assert_eq!(committed.keys().collect::<Vec<_>>(), value.keys().collect::<Vec<_>>(), "{file}");
    for (key, value) in value {
        match (&committed[key], value) {
            (Value::Array(committed), Value::Array(value)) => {
                for (at, (committed, value)) in committed.iter().zip(value).enumerate() {
                    assert_eq!(committed, value, "{file}: {key}[{at}]");
                }
                assert_eq!(committed.len(), value.len(), "{file}: {key}");
            }
            (committed, value) => assert_eq!(committed, value, "{file}: {key}"),
        }
    }
}

/// JSON with one case a line, so that a change shows as the lines that it touches. What cannot be seen is escaped.
fn text(value: &Value) -> String {
    let plain = lines(value);
    let mut text = String::with_capacity(plain.len());
    for character in plain.chars() {
        if character.is_ascii() || character.is_alphanumeric() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            text.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

fn lines(value: &Value) -> String {
    let Value::Object(fields) = value else { return value.to_string() };
    let fields = fields.iter().map(|(key, value)| match value {
        Value::Array(cases) => {
            let cases: Vec<String> = cases.iter().map(Value::to_string).collect();
            format!("\"{key}\": [\n{}\n]", cases.join(",\n"))
        }
        other => format!("\"{key}\": {other}"),
    });
    format!("{{\n{}\n}}\n", fields.collect::<Vec<_>>().join(",\n"))
}
