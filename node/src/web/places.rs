//! Places for connections: how many may stand in the door, and that strangers leave room for this machine.

use super::attempts::Group;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once. A browser opens six for a page.
pub(super) const PLACES_MAX: usize = 64;

/// Of these, for other machines together: this machine always finds some.
const PLACES_OUTSIDE_MAX: usize = 48;

/// Of these, for one group of addresses: two browsers, and what they left open.
const PLACES_GROUP_MAX: usize = 16;

/// Who stands in the door.
#[derive(Clone, Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    outside: Arc<Mutex<BTreeMap<Group, usize>>>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(PLACES_MAX)), outside: Arc::default() }
    }

    /// Waits for a free place: who comes meanwhile waits in the system's queue. `None`: never.
    pub(super) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Gives a free place to a caller, if those like it leave one.
    pub(super) fn take(&self, free: OwnedSemaphorePermit, from: IpAddr) -> Option<Place> {
        let group = Group::of(from);
        if group != Group::Here {
            let mut outside = self.outside();
            let here = outside.get(&group).copied().unwrap_or(0);
            if here >= PLACES_GROUP_MAX || outside.values().sum::<usize>() >= PLACES_OUTSIDE_MAX {
                return None;
            }
            outside.insert(group, here + 1);
        }
        Some(Place { group, places: self.clone(), _free: free })
    }

    fn outside(&self) -> MutexGuard<'_, BTreeMap<Group, usize>> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    group: Group,
    places: Places,
    _free: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut outside = self.places.outside();
        match outside.get_mut(&self.group) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                outside.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(places: &Places, from: &str) -> Option<Place> {
        places.take(places.free().await?, from.parse().unwrap())
    }

    #[tokio::test]
    async fn strangers_leave_places_for_each_other_and_for_this_machine() {
        let places = Places::new();
        let mut held = Vec::new();
        for last in 1..=5 {
            let from = format!("192.0.2.{last}");
            for _ in 0..PLACES_GROUP_MAX + 3 {
                held.extend(take(&places, &from).await);
            }
        }
        assert_eq!(held.len(), PLACES_OUTSIDE_MAX);
        for _ in PLACES_OUTSIDE_MAX..PLACES_MAX {
            held.push(take(&places, "127.0.0.1").await.unwrap());
        }
        held.clear();
        assert!(places.outside().is_empty(), "nothing is remembered of who has gone");
        assert!(take(&places, "192.0.2.5").await.is_some());
    }
}
