//! What the door knows: its address, who is logged in, how fast it may be asked. Made before the node serves, so that the
//! first line of `roda up` can hold a login link.

use super::attempts::{Attempts, Group};
use super::password::{self, Kept, PASSWORD_BYTES_MAX};
use super::sessions::{SESSION_LIFE_MS, Sessions, TICKET_LIFE_MS};
use super::tls::Tls;
use super::turns::{Asker, Turns};
use crate::api::dto::WebDoor;
use crate::home::{Home, write_private};
use crate::identity::{self, KeyError};
use crate::runtime::wall_ms;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Characters of the node's name in its cookie's name: enough to keep nodes of one machine apart.
const COOKIE_NODE_CHARS: usize = 12;

/// Passwords that are hashed at once: each takes 19 MiB and a core.
const HASHES_MAX: usize = 1;

/// The door's own facts.
#[derive(Debug)]
pub(crate) struct Access {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(super) cookie_name: String,
    pub(super) allowed_hosts: Vec<String>,
    tls: Option<Tls>,
    sessions: Mutex<Sessions>,
    turns: Mutex<Turns>,
    file: PathBuf,
    /// The secret in the addresses of feeds, and where it is kept.
    feed_key: RwLock<String>,
    feed_file: PathBuf,
    password_file: PathBuf,
    attempts: Mutex<Attempts>,
    hashes: Arc<Semaphore>,
}

/// What a try of the password came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Tried {
    /// It is right; the session's cookie.
    Right(String),
    /// It is wrong.
    Wrong,
    /// It was not looked at: seconds to wait.
    Wait(u64),
    /// No password opens this door, or it can't be read.
    Closed,
}

impl Access {
    /// Reads the sessions and the token of a home; makes the token if there is none.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: the token's file can't be used, or others can read it.
    pub(crate) fn new(
        address: SocketAddr,
        tls: Option<Tls>,
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
        // With this prefix a browser takes a cookie from this very host by TLS alone.
        let prefix = if tls.is_some() { "__Host-" } else { "" };
        Ok(Self {
            address,
            cookie_name: format!("{prefix}roda-{node}"),
            allowed_hosts,
            tls,
            sessions: Mutex::new(sessions),
            turns: Mutex::new(Turns::new(now)),
            file,
            feed_key: RwLock::new(data_encoding::HEXLOWER.encode(&*feed_key)),
            feed_file,
            password_file: password::password_file(home),
            attempts: Mutex::new(Attempts::new(now)),
            hashes: Arc::new(Semaphore::new(HASHES_MAX)),
        })
    }

    /// The secret in the addresses of feeds: it opens these and nothing else.
    pub(super) fn feed_key(&self) -> String {
        self.feed_key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The address of the feed of a page, for a program on this machine.
    pub(crate) fn feed_address(&self, path: &str) -> String {
        format!("{}{path}/atom.xml?key={}", self.origin(), self.feed_key())
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

    /// What the door speaks TLS with, if it does: then it can be reached from other machines.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// SHA-256 of the door's certificate, as browsers show it.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.tls().map(|tls| tls.fingerprint.clone())
    }

    /// Where the page is served, as the API says it.
    pub(crate) fn door(&self) -> WebDoor {
        WebDoor { url: self.origin(), certificate: self.fingerprint() }
    }

    /// The beginning of the page's addresses, for a browser on this machine: a certificate by somebody else is for a name.
    fn origin(&self) -> String {
        match self.tls() {
            None => format!("http://{}", self.address),
            Some(tls) => {
                let named = self.allowed_hosts.first().filter(|_| !tls.is_self_signed);
                format!("https://{}", named.cloned().unwrap_or_else(|| reachable(self.address).to_string()))
            }
        }
    }

    /// A login link that works once: for a minute, or, for the link of the start, until it is used.
    ///
    /// # Errors
    ///
    /// The system gives no random bytes.
    pub(crate) fn login_link(&self, is_of_start: bool) -> Result<String, KeyError> {
        let until_ms = if is_of_start { None } else { Some(wall_ms().saturating_add(TICKET_LIFE_MS)) };
        let ticket = self.sessions().new_ticket(identity::random()?, until_ms);
        Ok(format!("{}/login/{ticket}", self.origin()))
    }

    /// Uses a ticket up; the session's cookie if it was good.
    pub(super) fn log_in(&self, ticket: &str) -> Option<String> {
        let random = identity::random().ok()?;
        let secret = self.sessions().log_in(ticket, random, wall_ms())?;
        self.keep_sessions();
        Some(self.session_cookie(&secret))
    }

    /// Tries the password, within the budgets.
    pub(super) async fn try_password(&self, from: IpAddr, given: Zeroizing<String>) -> Tried {
        let group = Group::of(from);
        if given.len() > PASSWORD_BYTES_MAX {
            return Tried::Wrong;
        }
        if let Err(wait_ms) = self.attempts().take(group, wall_ms()) {
            return Tried::Wait(wait_ms.div_ceil(1000));
        }
        let Some(kept) = self.password() else { return Tried::Closed };
        let Ok(turn) = Arc::clone(&self.hashes).acquire_owned().await else { return Tried::Closed };
        let mark = kept.mark();
        // The turn ends with the hash, also when the caller does not wait for it.
        let compare = move || {
            let is_right = kept.is(&given);
            drop(turn);
            is_right
        };
        match tokio::task::spawn_blocking(compare).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Tried::Wrong,
            _ => return Tried::Closed,
        }
        self.attempts().succeeded(group, wall_ms());
        let Ok(random) = identity::random() else { return Tried::Closed };
        let secret = self.sessions().open(random, wall_ms(), Some(mark));
        self.keep_sessions();
        Tried::Right(self.session_cookie(&secret))
    }

    /// The password that is set now. One that can't be read is none, and the log says why.
    pub(super) fn password(&self) -> Option<Kept> {
        Kept::read(&self.password_file).unwrap_or_else(|error| {
            tracing::warn!(%error, "the web page's password can't be used");
            None
        })
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a session; the cookie that removes it from the browser.
    pub(super) fn log_out(&self, secret: &str) -> String {
        self.sessions().log_out(secret);
        self.keep_sessions();
        self.cookie_line("", 0)
    }

    /// The cookie of a session, for as long as one lasts that is not used.
    pub(super) fn session_cookie(&self, secret: &str) -> String {
        self.cookie_line(secret, SESSION_LIFE_MS / 1000)
    }

    fn cookie_line(&self, value: &str, seconds: u64) -> String {
        let secure = if self.tls.is_some() { "; Secure" } else { "" };
        format!("{}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}", self.cookie_name)
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

    /// Whether one more request of such a caller may be answered now.
    pub(super) fn take_turn(&self, asker: Asker, now_ms: u64) -> bool {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).take(asker, now_ms)
    }
}

/// An address of this machine at which a listener on all of them answers.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_feeds_stay_over_restarts_and_can_be_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        let open = || Access::new("127.0.0.1:7717".parse().unwrap(), None, &home, "12D3KooWabc", Vec::new()).unwrap();
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
        let access = Access::new(address, None, &home, "12D3KooWabc", Vec::new()).unwrap();
        let path = folder.path().join("api.token");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let token = std::fs::read_to_string(&path).unwrap();
        assert!(access.sessions().is_token(token.trim()) && !access.sessions().is_token("0"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Access::new(address, None, &home, "12D3KooWabc", Vec::new()), Err(KeyError::Open { .. })));
    }
}
