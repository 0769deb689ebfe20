//! What a person should know of a running node, such as an index that was rebuilt: sentences, shown by `roda status`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sentences at most. Each is said once, and there are few kinds of them.
const NOTICES_MAX: usize = 64;

/// See the module. Clones share the sentences.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    pub(super) fn new(notices: Vec<String>) -> Self {
        Self(Arc::new(Mutex::new(notices)))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something from here on.
    pub(super) fn add(&self, text: String) {
        let mut notices = self.lock();
        if notices.len() < NOTICES_MAX && !notices.contains(&text) {
            notices.push(text);
        }
    }

    /// All that is said.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().clone()
    }
}
