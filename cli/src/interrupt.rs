//! Ctrl-C in a client command: the process ends at once with 130, also while it waits for a blocked pipe.
//!
//! A thread of its own waits for the signal. While a pager or an editor has the terminal, Ctrl-C belongs to that program
//! and is ignored here.

use crate::error::Kind;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// How many programs that own the terminal run now.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Makes Ctrl-C end the process with 130, from the moment when this returns.
pub(crate) fn watch() {
    let (tell, told) = std::sync::mpsc::channel();
    let watcher = std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
            // Fails only if nobody waits.
            let _ = tell.send(());
            while interrupts.recv().await.is_some() {
                if HELD.load(Ordering::SeqCst) == 0 {
                    crate::secret::restore_echo();
                    std::process::exit(i32::from(Kind::Interrupted.exit_code()));
                }
            }
        });
    });
    if watcher.is_ok() {
        // Without the watcher the signal's default action ends the process: the same, but for the exit code.
        let _ = told.recv();
    }
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
