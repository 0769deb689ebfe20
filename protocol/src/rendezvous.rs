//! Where the followers of a board look for each other in the DHT: keys that move every day, so that nobody can camp on a
//! board, and that only who knows the board can tell.

use crate::id::NetworkId;

/// Keys of a board for each day: whoever wants to hide it must be nearest to all of them.
pub const KEYS_PER_DAY: u8 = 4;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// How near to midnight (UTC) the day behind it, or before it, counts as well: clocks differ, and who comes just after
/// midnight must find those who came just before.
pub const MIDNIGHT_MS: u64 = 3600 * 1000;

/// A key of the DHT for a board's topic on a day (days since 1970, UTC): `BLAKE3-derive_key("roda/1/rendezvous",
/// network_id || day (u64, little-endian) || number (u8) || topic)`.
#[must_use]
pub fn key(network: &NetworkId, topic: &str, day: u64, number: u8) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("roda/1/rendezvous");
    hasher.update(&network.0);
    hasher.update(&day.to_le_bytes());
    hasher.update(&[number]);
    hasher.update(topic.as_bytes());
    *hasher.finalize().as_bytes()
}

/// The days whose keys count at a time in unix milliseconds: today, and near midnight a neighbour.
#[must_use]
pub fn days(now_ms: u64) -> Vec<u64> {
    let (today, since_midnight_ms) = (now_ms / DAY_MS, now_ms % DAY_MS);
    let mut days = vec![today];
    if since_midnight_ms < MIDNIGHT_MS {
        days.extend(today.checked_sub(1));
    }
    if DAY_MS - since_midnight_ms <= MIDNIGHT_MS {
        days.push(today + 1);
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_differ_between_networks_topics_days_and_numbers() {
        let (here, there) = (NetworkId::of("here"), NetworkId::of("there"));
        let keys: BTreeSet<_> = [
            key(&here, "/roda/1/a", 20_000, 0),
            key(&there, "/roda/1/a", 20_000, 0),
            key(&here, "/roda/1/b", 20_000, 0),
            key(&here, "/roda/1/a", 20_001, 0),
            key(&here, "/roda/1/a", 20_000, 1),
        ]
        .into();
        assert_eq!(keys.len(), 5);
    }

    /// The value that `README.md` shows.
    #[test]
    fn a_key_is_what_the_specification_says() {
        let key = key(&NetworkId::of("roda-main"), "/roda/1/00112233445566778899aabbccddeeff", 20_000, 0);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&key),
            "d599d2fe750f69314f003aa08df21dc74a9a78f8356a13aabfd081a80f8dbae1"
        );
    }

    #[test]
    fn near_midnight_two_days_count() {
        let midnight = 20_000 * DAY_MS;
        assert_eq!(days(midnight + DAY_MS / 2), [20_000]);
        assert_eq!(days(midnight), [20_000, 19_999]);
        assert_eq!(days(midnight + MIDNIGHT_MS), [20_000]);
        assert_eq!(days(midnight - 1), [19_999, 20_000]);
        assert_eq!(days(0), [0]);
    }
}
