//! How often a password may be tried: a budget for each group of addresses, and one for all together.
//!
//! Pure: time is passed in. Pauses grow and end; nothing is locked for good, and nothing here concerns login links, sessions or
//! the token. NIST SP 800-63B-4, 3.2.2, asks for such a limit, and names growing pauses as a way.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Tries of a group that cost no pause: who mistypes, and remembers.
const FREE: u32 = 5;

/// Milliseconds of the first pause. Each further one is twice as long.
const PAUSE_FIRST_MS: u64 = 2_000;

/// Milliseconds of the longest pause: 15 minutes. A hundred tries a day.
const PAUSE_MAX_MS: u64 = 15 * 60 * 1000;

/// Milliseconds after its last try until a group's failures are forgotten: a day.
const FORGOTTEN_MS: u64 = 24 * 60 * 60 * 1000;

/// Groups that are remembered. The one that tried least lately makes room; the budget of all bounds who has more addresses.
const GROUPS_MAX: usize = 1024;

/// Failed tries of all groups at once after a quiet time.
const ALL_BURST: u64 = 50;

/// Milliseconds after which all groups together get one more: 4,320 a day. Ten years of them are 24 of the 71 bits of a
/// random password of twelve letters and digits.
const ALL_EVERY_MS: u64 = 20_000;

/// Bits of an IPv6 address that one household has at least (RIPE-690).
const GROUP_BITS_V6: u32 = 56;

/// Addresses that are taken for one caller: a whole address of IPv4, a household's of IPv6; this machine is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// This machine.
    Here,
    /// An address, without what may change within a group.
    There(IpAddr),
}

impl Group {
    /// The group of an address.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Here,
            IpAddr::V6(address) => {
                let mask = u128::MAX << (u128::BITS - GROUP_BITS_V6);
                Self::There(IpAddr::V6((address.to_bits() & mask).into()))
            }
            address => Self::There(address),
        }
    }
}

/// What a group did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tried {
    failures: u32,
    last_ms: u64,
    /// Whether somebody of it knew the password: the budget of all does not keep it out.
    is_known: bool,
}

/// The budgets.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    groups: BTreeMap<Group, Tried>,
    /// Tries that are left for all, and since when they are counted.
    left: u64,
    filled_ms: u64,
}

impl Attempts {
    /// Full budgets.
    pub(super) fn new(now_ms: u64) -> Self {
        Self { groups: BTreeMap::new(), left: ALL_BURST, filled_ms: now_ms }
    }

    /// Takes a try, which counts as failed until [`Self::succeeded`]: tries at the same time are as many as tries in a row.
    ///
    /// # Errors
    ///
    /// Milliseconds to wait.
    pub(super) fn take(&mut self, group: Group, now_ms: u64) -> Result<(), u64> {
        let none = Tried { failures: 0, last_ms: now_ms, is_known: false };
        let mut tried = self.groups.get(&group).copied().unwrap_or(none);
        if now_ms.saturating_sub(tried.last_ms) >= FORGOTTEN_MS {
            tried.failures = 0;
        }
        let until_ms = tried.last_ms.saturating_add(pause_ms(tried.failures));
        if until_ms > now_ms {
            return Err(until_ms - now_ms);
        }
        if !tried.is_known {
            self.take_of_all(now_ms)?;
        }
        self.make_room(group);
        self.groups.insert(group, Tried { failures: tried.failures.saturating_add(1), last_ms: now_ms, ..tried });
        Ok(())
    }

    /// The last try of a group was right: it has failed nothing.
    pub(super) fn succeeded(&mut self, group: Group, now_ms: u64) {
        let before = self.groups.insert(group, Tried { failures: 0, last_ms: now_ms, is_known: true });
        if before.is_some_and(|before| !before.is_known) {
            self.left = (self.left + 1).min(ALL_BURST);
        }
    }

    fn take_of_all(&mut self, now_ms: u64) -> Result<(), u64> {
        let earned = now_ms.saturating_sub(self.filled_ms) / ALL_EVERY_MS;
        self.left = self.left.saturating_add(earned).min(ALL_BURST);
        self.filled_ms = self.filled_ms.saturating_add(earned * ALL_EVERY_MS);
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Err((self.filled_ms + ALL_EVERY_MS).saturating_sub(now_ms).max(1)),
        }
        Ok(())
    }

    fn make_room(&mut self, group: Group) {
        if self.groups.len() < GROUPS_MAX || self.groups.contains_key(&group) {
            return;
        }
        let oldest = self.groups.iter().min_by_key(|(_, tried)| (tried.is_known, tried.last_ms));
        if let Some(oldest) = oldest.map(|(group, _)| *group) {
            self.groups.remove(&oldest);
        }
    }
}

fn pause_ms(failures: u32) -> u64 {
    match failures.checked_sub(FREE) {
        None => 0,
        Some(beyond) => PAUSE_FIRST_MS.saturating_mul(1 << beyond.min(20)).min(PAUSE_MAX_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: u32) -> Group {
        Group::of(IpAddr::V4((0x0b00_0000 + number).into()))
    }

    #[test]
    fn a_group_is_an_address_a_household_or_this_machine() {
        let of = |text: &str| Group::of(text.parse().unwrap());
        assert_eq!(of("127.0.0.1"), Group::Here);
        assert_eq!((of("::1"), of("::ffff:127.0.0.2")), (Group::Here, Group::Here));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:0:7::1"), of("2001:db8:0:ff::2"));
        assert_ne!(of("2001:db8:0:7::1"), of("2001:db8:0:100::1"));
    }

    #[test]
    fn pauses_grow_after_the_free_tries_up_to_a_bound_and_end() {
        let mut attempts = Attempts::new(0);
        let mut now = 0;
        for _ in 0..FREE {
            assert_eq!(attempts.take(group(1), now), Ok(()));
        }
        for pause in [2_000, 4_000, 8_000, 16_000] {
            assert_eq!(attempts.take(group(1), now), Err(pause));
            now += pause;
            assert_eq!(attempts.take(group(1), now), Ok(()));
        }
        assert_eq!(attempts.take(group(2), now), Ok(()), "another group does not wait");
        assert_eq!(pause_ms(u32::MAX), PAUSE_MAX_MS);
        assert_eq!(attempts.take(group(1), now + FORGOTTEN_MS), Ok(()));
        assert_eq!(attempts.take(group(1), now + FORGOTTEN_MS), Ok(()), "a day later it begins anew");
    }

    #[test]
    fn a_right_try_forgives_the_group() {
        let mut attempts = Attempts::new(0);
        for _ in 0..100 {
            assert_eq!(attempts.take(group(1), 7), Ok(()));
            attempts.succeeded(group(1), 7);
        }
        assert_eq!(attempts.left, ALL_BURST);
    }

    #[test]
    fn all_groups_together_have_a_budget_that_does_not_keep_out_who_knew_the_password() {
        let mut attempts = Attempts::new(0);
        assert_eq!(attempts.take(group(0), 0), Ok(()));
        attempts.succeeded(group(0), 0);
        let many: Vec<_> = (1..=200).map(|number| attempts.take(group(number), 10)).collect();
        assert_eq!(many.iter().filter(|tried| tried.is_ok()).count() as u64, ALL_BURST);
        assert_eq!(many.last(), Some(&Err(ALL_EVERY_MS - 10)));
        assert_eq!(attempts.take(group(0), 20), Ok(()));
        assert_eq!(attempts.take(group(201), ALL_EVERY_MS), Ok(()));
        assert!(attempts.take(group(202), ALL_EVERY_MS).is_err());
    }

    #[test]
    fn groups_that_are_remembered_are_bounded() {
        let mut attempts = Attempts::new(0);
        attempts.succeeded(group(0), 0);
        for number in 1..3000 {
            assert_eq!(attempts.take(group(number), u64::from(number) * ALL_EVERY_MS), Ok(()));
        }
        assert_eq!(attempts.groups.len(), GROUPS_MAX);
        assert!(attempts.groups[&group(0)].is_known, "who knew the password stays");
    }
}
