//! Upkeep of the store: words that are kept no longer go, and their room in the log is given back. On a thread of its own, a
//! step at a time, so that neither the engine nor readers wait for it.

use crate::store::{EventStore, Pruned, Retention, StoreError};
use roda_protocol::id::AuthorKey;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often an idle node looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The pause between two steps while there is: others get their turn.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct Wishes {
    is_wanted: bool,
    is_over: bool,
}

/// Wakes the thread, or ends it. Clones are of the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<(Mutex<Wishes>, Condvar)>);

impl Bell {
    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed: look now.
    pub(crate) fn ring(&self) {
        self.wishes().is_wanted = true;
        self.0.1.notify_all();
    }

    /// Ends the thread after its step.
    pub(super) fn end(&self) {
        self.wishes().is_over = true;
        self.0.1.notify_all();
    }

    /// Waits for a ring, and so long at most; false when it is over.
    fn wait(&self, at_most: Duration) -> bool {
        let is_idle = |wishes: &mut Wishes| !wishes.is_wanted && !wishes.is_over;
        let waited = self.0.1.wait_timeout_while(self.wishes(), at_most, is_idle);
        let (mut wishes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        wishes.is_wanted = false;
        !wishes.is_over
    }
}

/// Starts the thread.
///
/// # Errors
///
/// The system gave none.
pub(super) fn start(
    store: Arc<EventStore>,
    me: AuthorKey,
    disk_bytes_max: u64,
    bell: Bell,
) -> std::io::Result<JoinHandle<()>> {
    let work = move || {
        let mut pause = PAUSE;
        while bell.wait(pause) {
            let by = Retention { now_ms: super::driver::wall_ms(), me, disk_bytes_max };
            pause = match step(&store, &by) {
                Ok(true) => PAUSE,
                Ok(false) => LOOK_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "upkeep of the store is put off");
                    LOOK_EVERY
                }
            };
        }
    };
    std::thread::Builder::new().name("upkeep".into()).spawn(work)
}

/// One step; whether there may be more to do at once.
fn step(store: &EventStore, by: &Retention) -> Result<bool, StoreError> {
    if store.remade_percent().is_some() {
        // What is live in the log is not known yet.
        return Ok(false);
    }
    let Pruned { events, goes_on } = store.prune(by)?;
    if events > 0 {
        tracing::info!(events, "words are kept no longer");
    }
    if goes_on {
        return Ok(true);
    }
    let compacted = store.compact()?;
    if let Some(compacted) = compacted {
        tracing::info!(?compacted, "a segment of the log was written anew");
    }
    Ok(compacted.is_some() || events > 0)
}
