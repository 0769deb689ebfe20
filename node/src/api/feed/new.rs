//! The order `new`, in which a page is found without all that stands behind it.
//!
//! The index has a board's posts by time and, within a millisecond, by arrival, which differs from node to node. Here those
//! that the order holds for equally old are read together and put in the order of their ids.

use super::RANKED_MAX;
use crate::store::{EventRow, EventStore, FeedPlace, StoreError};
use roda_protocol::id::{EventId, SpaceId};
use std::cmp::Reverse;

/// Equally old posts that are put in order: as many as other orders look at. Of more in one millisecond, or dated ahead, those
/// that came last count.
const EQUALS_MAX: usize = RANKED_MAX;

/// A post's place: its time, where what is ahead of the clock counts as now, and its id. Greater ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NewKey(u64, EventId);

impl NewKey {
    pub(super) fn of(row: &EventRow, now_ms: u64) -> Self {
        Self(row.created_ms.min(now_ms), row.id)
    }
}

/// The first posts of a board behind a place, in order.
pub(super) fn posts(
    store: &EventStore,
    space: SpaceId,
    now_ms: u64,
    behind: Option<NewKey>,
    limit: usize,
) -> Result<Vec<(NewKey, EventRow)>, StoreError> {
    let mut posts: Vec<(NewKey, EventRow)> = Vec::new();
    // What is ahead of the clock stands where now does: it is looked at again until the place is behind that.
    let is_in_the_past = |key: &NewKey| key.0 < now_ms;
    let mut before = behind.filter(is_in_the_past).map(|key| FeedPlace { created_ms: key.0 + 1, number: 0 });
    let mut looked_at = 0;
    'steps: loop {
        let step = store.posts(space, before, limit.saturating_add(1))?;
        let Some((last, _)) = step.last() else { break };
        before = Some(*last);
        for (_, row) in step {
            let key = NewKey::of(&row, now_ms);
            let is_older = posts.last().is_none_or(|(last, _)| key.0 < last.0);
            if posts.len() >= limit && (is_older || looked_at >= EQUALS_MAX) {
                break 'steps;
            }
            looked_at += 1;
            if behind.is_none_or(|behind| key < behind) {
                posts.push((key, row));
            }
        }
    }
    posts.sort_unstable_by_key(|(key, _)| Reverse(*key));
    posts.truncate(limit);
    Ok(posts)
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{ME, board, post, store};
    use super::*;
    use crate::store::Arrival;

    const NOW_MS: u64 = 1_000;

    /// Posts of the past, several of one millisecond, and some that are dated ahead.
    fn arrivals() -> Vec<Arrival> {
        let times = [1, 7, 7, 7, 7, 7, 8, 9, NOW_MS, NOW_MS, NOW_MS + 1, NOW_MS + 500, NOW_MS + 7];
        times.iter().enumerate().map(|(number, time)| post(ME, *time, &format!("text {number}"))).collect()
    }

    fn stored(arrivals: &[Arrival]) -> EventStore {
        let store = store();
        arrivals.iter().for_each(|arrival| store.admit(std::slice::from_ref(arrival)).unwrap());
        store
    }

    fn paged(store: &EventStore, limit: usize) -> Vec<NewKey> {
        let mut all: Vec<NewKey> = Vec::new();
        loop {
            let page = posts(store, board(), NOW_MS, all.last().copied(), limit).unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                return all;
            }
            all.extend(page.into_iter().map(|(key, _)| key));
        }
    }

    #[test]
    fn nodes_with_the_same_posts_in_any_order_of_arrival_list_them_alike_in_pages_of_any_size() {
        let (arrivals, mut turned) = (arrivals(), arrivals());
        turned.reverse();
        turned.swap(3, 9);
        let mut expected: Vec<NewKey> =
            arrivals.iter().map(|post| NewKey(post.event.header().created_ms.min(NOW_MS), post.event.id())).collect();
        expected.sort_unstable();
        expected.reverse();
        for store in [stored(&arrivals), stored(&turned)] {
            for limit in [1, 2, 3, 5, 13, 100] {
                assert_eq!(paged(&store, limit), expected, "{limit}");
            }
        }
        assert!(posts(&store(), board(), NOW_MS, None, 9).unwrap().is_empty());
        assert!(posts(&stored(&arrivals), board(), NOW_MS, None, 0).unwrap().is_empty());
    }

    #[test]
    fn a_page_goes_on_behind_the_last_post_of_the_one_before() {
        let store = stored(&(1..=50).map(|time| post(ME, time, "text")).collect::<Vec<_>>());
        let page = posts(&store, board(), NOW_MS, None, 3).unwrap();
        assert_eq!(page.iter().map(|(key, _)| key.0).collect::<Vec<_>>(), [50, 49, 48]);
        let next = posts(&store, board(), NOW_MS, Some(page[2].0), 3).unwrap();
        assert_eq!(next.iter().map(|(key, _)| key.0).collect::<Vec<_>>(), [47, 46, 45]);
    }
}
