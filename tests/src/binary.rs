//! The `roda` binary under test: built once for each process of tests, from the code as it is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of the `roda` binary, built in the profile of the test that asks.
///
/// # Panics
///
/// The binary does not build.
pub fn roda_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // A test lies in the profile's `deps` folder; the binaries lie beside that.
    let profile = test.parent().and_then(Path::parent).expect("a test lies in a target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "roda", "--bin", "roda"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What this test's own cargo set for it would make build scripts run again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the roda binary does not build");
    profile.join("roda")
}
