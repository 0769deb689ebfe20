//! A node gives memory back that it needs no longer.
//!
//! glibc raises the sizes from which on it gives memory back with the largest block that was ever freed, and has an arena
//! for each of many threads: a node with 100,000 events grew to 300 MiB within minutes, 15 in each of 16 arenas, all free. With
//! fixed sizes it stays at 105, and as fast (`bench memory`, `bench ingest`). They can be set by a program's environment only, or by
//! unsafe code: the node starts itself once more, as the same process.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use of_glibc::keep_small;

/// Elsewhere the allocator is left as it is.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_small(_: &[std::ffi::OsString]) {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod of_glibc {
    use std::ffi::OsString;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    /// What is larger is a mapping of its own, and given back when it is freed; and how much free memory an arena keeps at its
    /// end. Bytes.
    const SIZES: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "524288"), ("MALLOC_TRIM_THRESHOLD_", "1048576")];

    /// Starts this program once more with fixed sizes, unless somebody chose them. Comes back if they are chosen, or if that
    /// fails: then the node is only larger.
    pub(crate) fn keep_small(words: &[OsString]) {
        let is_chosen = |name: &str| std::env::var_os(name).is_some();
        if is_chosen("GLIBC_TUNABLES") || SIZES.iter().any(|(name, _)| is_chosen(name)) {
            return;
        }
        let (Some((name, rest)), Ok(program)) = (words.split_first(), std::env::current_exe()) else { return };
        let _ = Command::new(program).arg0(name).args(rest).envs(SIZES).exec();
    }
}
