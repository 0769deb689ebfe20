//! Turns a panic of a library into a value, without a word on standard error.
//!
//! sled panics when it meets damage in its files. That is an expected outcome here, so the report that
//! a panic prints is left out, for this thread and while the call lasts; panics elsewhere are reported
//! as ever.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, and returns the message of its panic if it panicked.
///
/// The caller must not trust what `work` was changing when it panicked.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install_hook();
    let was_quiet = IS_QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(was_quiet);
    outcome.map_err(|payload| message(payload.as_ref()))
}

/// Puts a hook before the present one, once for the process, which leaves quiet threads out.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let present = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_QUIET.try_with(Cell::get).unwrap_or(false) {
                present(panic);
            }
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "it panicked without a message".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(caught(|| panic!("with {}", 1)), Err::<(), _>("with 1".to_owned()));
    }

    #[test]
    fn a_thread_is_quiet_only_during_the_call() {
        assert_eq!(caught(|| IS_QUIET.get()), Ok(true));
        assert!(!IS_QUIET.get());
        let outer = caught(|| caught(|| panic!("inner")).err().map(|_| IS_QUIET.get()));
        assert_eq!(outer, Ok(Some(true)));
        assert!(!IS_QUIET.get());
    }
}
