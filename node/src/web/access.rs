//! What the door knows: its address, who is logged in, how fast it may be asked. Made before the node serves, so that the
//! first line of `roda up` can hold a login link.

use super::sessions::{SESSION_LIFE_MS, Sessions, TICKET_LIFE_MS};
use crate::home::{Home, write_private};
use crate::identity::{self, KeyError};
use crate::runtime::wall_ms;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// Requests a second in the long run, of all callers together: ten people who click all the time.
const REQUESTS_PER_SECOND: u64 = 50;

/// Requests at once after a pause: some tabs that load, with what belongs to them.
const REQUESTS_BURST: u64 = 500;

/// Characters of the node's name in its cookie's name: enough to keep nodes of one machine apart.
const COOKIE_NODE_CHARS: usize = 12;

/// The door's own facts.
#[derive(Debug)]
pub(crate) struct Access {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(super) port: u16,
    pub(super) cookie_name: String,
    pub(super) allowed_hosts: Vec<String>,
    sessions: Mutex<Sessions>,
    rate: Mutex<Rate>,
    file: PathBuf,
    /// The secret in the addresses of feeds, and where it is kept.
    feed_key: RwLock<String>,
    feed_file: PathBuf,
}

impl Access {
    /// Reads the sessions and the token of a home; makes the token if there is none.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: the token's file can't be used, or others can read it.
    pub(crate) fn new(
        address: SocketAddr,
        home: &Home,
        peer_id: &str,
        allowed_hosts: Vec<String>,
    ) -> Result<Self, KeyError> {
        let file = home.data.join("web-sessions.json");
        let mut sessions = Sessions::from_kept(&std::fs::read(&file).unwrap_or_default());
        let (token, _) = identity::seed(&home.config.join("api.token"))?;
        sessions.set_token(&data_encoding::HEXLOWER.encode(&*token));
        let feed_file = home.config.join("feeds.key");
        let (feed_key, _) = identity::seed(&feed_file)?;
        let node: String = peer_id.chars().rev().take(COOKIE_NODE_CHARS).collect();
        let now = wall_ms();
        Ok(Self {
            address,
            port: address.port(),
            cookie_name: format!("roda-{node}"),
            allowed_hosts,
            sessions: Mutex::new(sessions),
            rate: Mutex::new(Rate { left: REQUESTS_BURST * 1000, filled_ms: now }),
            file,
            feed_key: RwLock::new(data_encoding::HEXLOWER.encode(&*feed_key)),
            feed_file,
        })
    }

    /// The secret in the addresses of feeds: it opens these and nothing else.
    pub(super) fn feed_key(&self) -> String {
        self.feed_key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a feed's address carries the secret. Hashes are compared, in constant time: how long it takes tells nothing.
    pub(super) fn is_feed_key(&self, given: &str) -> bool {
        let own = self.feed_key.read().unwrap_or_else(PoisonError::into_inner);
        blake3::hash(given.as_bytes()) == blake3::hash(own.as_bytes())
    }

    /// Makes the addresses of feeds anew: those that were given away open nothing from here on.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: the system gives no random bytes, or the file can't be written; the addresses stay as they were.
    pub(crate) fn renew_feed_key(&self) -> Result<(), KeyError> {
        let key = data_encoding::HEXLOWER.encode(&identity::random::<32>()?);
        let mut own = self.feed_key.write().unwrap_or_else(PoisonError::into_inner);
        write_private(&self.feed_file, format!("{key}\n").as_bytes())
            .map_err(|source| KeyError::Io { path: self.feed_file.clone(), source })?;
        *own = key;
        Ok(())
    }

    /// A login link that works once: for a minute, or, for the link of the start, until it is used.
    ///
    /// # Errors
    ///
    /// The system gives no random bytes.
    pub(crate) fn login_link(&self, is_of_start: bool) -> Result<String, KeyError> {
        let until_ms = if is_of_start { None } else { Some(wall_ms().saturating_add(TICKET_LIFE_MS)) };
        let ticket = self.sessions().new_ticket(identity::random()?, until_ms);
        Ok(format!("http://{}/login/{ticket}", self.address))
    }

    /// Uses a ticket up; the session's cookie if it was good.
    pub(super) fn log_in(&self, ticket: &str) -> Option<String> {
        let random = identity::random().ok()?;
        let secret = self.sessions().log_in(ticket, random, wall_ms())?;
        self.keep_sessions();
        Some(self.cookie_line(&secret, SESSION_LIFE_MS / 1000))
    }

    /// Ends a session; the cookie that removes it from the browser.
    pub(super) fn log_out(&self, secret: &str) -> String {
        self.sessions().log_out(secret);
        self.keep_sessions();
        self.cookie_line("", 0)
    }

    fn cookie_line(&self, value: &str, seconds: u64) -> String {
        format!("{}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}", self.cookie_name)
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down who is logged in. A failure costs a login after the next restart, and is said.
    pub(super) fn keep_sessions(&self) {
        let kept = self.sessions().kept();
        if let Err(error) = write_private(&self.file, &kept) {
            tracing::warn!(%error, "who is logged in on the web page was not written down");
        }
    }

    /// Whether one more request may be answered now.
    pub(super) fn take_turn(&self, now_ms: u64) -> bool {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(now_ms)
    }
}

/// A bucket of requests, in thousandths.
#[derive(Debug)]
struct Rate {
    left: u64,
    filled_ms: u64,
}

impl Rate {
    fn take(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.filled_ms).saturating_mul(REQUESTS_PER_SECOND);
        self.left = self.left.saturating_add(earned).min(REQUESTS_BURST * 1000);
        self.filled_ms = now_ms;
        let Some(left) = self.left.checked_sub(1000) else { return false };
        self.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_answered_and_what_is_beyond_waits_for_the_rate() {
        let mut rate = Rate { left: REQUESTS_BURST * 1000, filled_ms: 0 };
        assert!((0..REQUESTS_BURST).all(|_| rate.take(0)));
        assert!(!rate.take(0));
        assert!((0..REQUESTS_PER_SECOND).all(|_| rate.take(1000)) && !rate.take(1000));
    }

    #[test]
    fn addresses_of_feeds_stay_over_restarts_and_can_be_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        let open = || Access::new("127.0.0.1:7717".parse().unwrap(), &home, "12D3KooWabc", Vec::new()).unwrap();
        let access = open();
        let key = access.feed_key();
        assert!(access.is_feed_key(&key) && open().is_feed_key(&key));
        assert!(!access.is_feed_key("") && !access.is_feed_key(&key[1..]));
        access.renew_feed_key().unwrap();
        assert!(!access.is_feed_key(&key) && !open().is_feed_key(&key) && open().is_feed_key(&access.feed_key()));
    }

    #[test]
    fn the_token_file_is_for_its_user_alone_and_opens_the_door() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        let address = "127.0.0.1:7717".parse().unwrap();
        let access = Access::new(address, &home, "12D3KooWabc", Vec::new()).unwrap();
        let path = folder.path().join("api.token");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let token = std::fs::read_to_string(&path).unwrap();
        assert!(access.sessions().is_token(token.trim()) && !access.sessions().is_token("0"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Access::new(address, &home, "12D3KooWabc", Vec::new()), Err(KeyError::Open { .. })));
    }
}
