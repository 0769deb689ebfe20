//! The `roda` binary of this workspace and profile.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// The path of `roda`, built at the first call of a process.
///
/// # Panics
///
/// If it does not build.
pub fn roda_binary() -> PathBuf {
    BINARY.get_or_init(build).clone()
}

/// Has this process use another build of `roda`, to compare with. It has to be said before anything else asks.
pub fn use_binary(path: PathBuf) {
    // Later the choice has been made.
    let _ = BINARY.set(path);
}

fn build() -> PathBuf {
    let folder = profile_folder();
    // The cargo that runs this program, or the one that a person would call: a path below a toolchain would let files of
    // dependencies choose another toolchain.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // As tests are built: with other packages dependencies have other features, and would be built once more.
    command.args(["build", "--quiet", "--workspace", "--bin", "roda"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    // What cargo set for this test would make build scripts of dependencies run again, each time.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "`roda` does not build");
    folder.join("roda")
}

/// The folder of the profile: tests are in its `deps`, programs in itself.
fn profile_folder() -> PathBuf {
    let program = std::env::current_exe().expect("a process knows its program");
    let folder = program.parent().expect("a program is in a folder");
    let is_deps = folder.file_name().is_some_and(|name| name == "deps");
    let folder = if is_deps { folder.parent().unwrap_or(folder) } else { folder };
    Path::to_path_buf(folder)
}
