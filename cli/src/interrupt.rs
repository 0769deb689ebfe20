//! Ctrl-C in a client command: the process ends at once with 130, also while it waits for a blocked pipe.
//!
//! A thread of its own waits for the signal. While a pager or an editor has the terminal, Ctrl-C belongs to that program
//! and is ignored here.

use crate::error::Kind;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many programs that own the terminal run now.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Makes Ctrl-C end the process from now on.
pub(crate) fn watch() {
    // Without the thread the signal's default action ends the process: the same, but for the exit code.
    let _ = std::thread::Builder::new().name("interrupt".into()).spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if HELD.load(Ordering::SeqCst) == 0 {
                    std::process::exit(i32::from(Kind::Interrupted.exit_code()));
                }
            }
        });
    });
}

/// Leaves Ctrl-C to another program until the guard is dropped.
#[must_use]
pub(crate) fn hold() -> Held {
    HELD.fetch_add(1, Ordering::SeqCst);
    Held
}

/// While this lives, Ctrl-C is not ours.
#[derive(Debug)]
pub(crate) struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::SeqCst);
    }
}
