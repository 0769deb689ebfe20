//! Names that can be taken for another author's.
//!
//! A name is compared with those of the authors on the same page, of those whom the reader follows, and with the reader's own:
//! a bounded set, in which the same page always gives the same answer. Any name can be taken by anybody; what this says is
//! only where to look twice.

use super::dto::{FeedEntry, InboxEntry, SearchHit, ThreadNode, Version};
use super::error::ApiError;
use crate::runtime::Context;
use roda_protocol::text::Look;
use roda_protocol::view::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

/// The names that are compared.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By place and skeleton: the first two authors whose names have it. With two it looks like another's, whoever asks.
    by_look: BTreeMap<(usize, String), Vec<String>>,
    met: BTreeSet<String>,
    /// The reader, and those whom the reader follows: nobody is warned of them.
    trusted: BTreeSet<String>,
}

impl Names {
    /// The names that count on every page.
    ///
    /// # Errors
    ///
    /// The store can't be read.
    pub(crate) fn of_reader(context: &Context, policy: &Policy) -> Result<Self, ApiError> {
        let mut names = Self::default();
        for author in policy.followed_authors().copied().chain([context.me()]) {
            names.trust(author.to_string(), context.store.author_name(&author)?.as_deref());
        }
        Ok(names)
    }

    fn trust(&mut self, author: String, name: Option<&str>) {
        self.meet(&author, name);
        self.trusted.insert(author);
    }

    /// Takes an author's name up.
    pub(crate) fn meet(&mut self, author: &str, name: Option<&str>) {
        let Some(look) = name.and_then(Look::of) else { return };
        if !self.met.insert(author.to_owned()) {
            return;
        }
        for (place, skeleton) in look.skeletons().into_iter().enumerate() {
            let authors = self.by_look.entry((place, skeleton.to_owned())).or_default();
            if authors.len() < 2 {
                authors.push(author.to_owned());
            }
        }
    }

    /// Whether a name can be taken for that of another author that was met.
    pub(crate) fn is_like_another(&self, author: &str, name: Option<&str>) -> bool {
        if self.trusted.contains(author) {
            return false;
        }
        let Some(look) = name.and_then(Look::of) else { return false };
        look.skeletons().into_iter().enumerate().any(|(place, skeleton)| {
            let authors = self.by_look.get(&(place, skeleton.to_owned()));
            authors.is_some_and(|authors| authors.iter().any(|other| other != author))
        })
    }
}

/// What a page shows of somebody.
pub(crate) trait Named {
    /// Who.
    fn author(&self) -> &str;
    /// Under which name.
    fn name(&self) -> Option<&str>;
    /// Notes whether the name can be taken for another's.
    fn set_look_alike(&mut self, look_alike: bool);
}

macro_rules! named {
    ($($entry:ty),*) => {$(
        impl Named for $entry {
            fn author(&self) -> &str {
                &self.author
            }

            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }

            fn set_look_alike(&mut self, look_alike: bool) {
                self.look_alike = look_alike;
            }
        }
    )*};
}

named!(FeedEntry, InboxEntry, SearchHit, ThreadNode, Version);

/// Notes on a page which names can be taken for another's.
///
/// # Errors
///
/// The store can't be read.
pub(crate) fn note_look_alikes<T: Named>(
    context: &Context,
    policy: &Policy,
    mut page: Vec<T>,
) -> Result<Vec<T>, ApiError> {
    // Most pages of a young network have no names at all.
    if page.iter().all(|entry| entry.name().is_none()) {
        return Ok(page);
    }
    let mut names = Names::of_reader(context, policy)?;
    page.iter().for_each(|entry| names.meet(entry.author(), entry.name()));
    let mut known = BTreeMap::new();
    for entry in &mut page {
        let is_like = || names.is_like_another(entry.author(), entry.name());
        let look_alike = *known.entry(entry.author().to_owned()).or_insert_with(is_like);
        entry.set_look_alike(look_alike);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_another_key_has_on_the_page_is_noticed_once_the_other_is_there() {
        let mut names = Names::default();
        names.meet("@a", Some("Ana"));
        names.meet("@a", Some("Ana"));
        names.meet("@b", Some("Bo"));
        names.meet("@c", None);
        assert!(!names.is_like_another("@a", Some("Ana")), "nobody looks like itself");
        assert!(!names.is_like_another("@c", None));
        names.meet("@d", Some("Аna"));
        assert!(names.is_like_another("@d", Some("Аna")) && names.is_like_another("@a", Some("Ana")));
        assert!(!names.is_like_another("@b", Some("Bo")));
        for number in 0..100 {
            names.meet(&format!("@{number}"), Some("ana"));
        }
        assert!(names.is_like_another("@99", Some("ana")));
        assert!(names.by_look.values().all(|authors| authors.len() <= 2));
    }

    #[test]
    fn nobody_is_warned_of_whom_the_reader_follows_but_of_who_looks_like_them() {
        let mut names = Names::default();
        names.trust("@friend".to_owned(), Some("Ana"));
        names.meet("@other", Some("ana"));
        assert!(!names.is_like_another("@friend", Some("Ana")));
        assert!(names.is_like_another("@other", Some("ana")));
        assert!(names.is_like_another("@not-met", Some("ANA")));
    }
}
