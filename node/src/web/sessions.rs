//! Who may use the page: login tickets that work once, the sessions they open, and the token for programs.
//!
//! Owns what is valid and until when. Pure: time and random bytes are passed in; only BLAKE3 hashes of secrets are kept, so
//! that neither a copy of the memory's text nor the file of sessions lets anyone in, and a look-up tells nothing by its time.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Milliseconds that a ticket of `roda web` works. Long enough to paste it, too short to be found lying about.
pub(crate) const TICKET_LIFE_MS: u64 = 60_000;

/// Milliseconds after its last use until a session is over: 30 days.
pub(crate) const SESSION_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Tickets that wait to be used. The oldest makes room.
const TICKETS_MAX: usize = 16;

/// Browsers that are logged in at once. The one that was used least lately makes room.
const SESSIONS_MAX: usize = 32;

/// Milliseconds between two records of a session's use: a file is not written for each page.
const USE_NOTED_EVERY_MS: u64 = 60 * 60 * 1000;

/// A secret's hash.
type Hash = [u8; 32];

fn hash_of(secret: &str) -> Hash {
    blake3::derive_key("roda 2026-11 secret of the web page", secret.as_bytes())
}

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    used_ms: u64,
    /// The mark of the password that opened it, with which it ends; `None`: a link opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Tickets and sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    /// By hash: until when it works; `None`: until it is used.
    tickets: BTreeMap<Hash, Option<u64>>,
    sessions: BTreeMap<Hash, Session>,
    token: Option<Hash>,
}

impl Sessions {
    /// Sessions as [`Self::kept`] gave them. Text that is none of ours means no sessions: people log in again.
    pub(crate) fn from_kept(text: &[u8]) -> Self {
        let kept: BTreeMap<String, Session> = serde_json::from_slice(text).unwrap_or_default();
        let decode = |(hash, session): (String, Session)| {
            let hash = HEXLOWER.decode(hash.as_bytes()).ok()?;
            Some((hash.try_into().ok()?, session))
        };
        let sessions = kept.into_iter().filter_map(decode).take(SESSIONS_MAX).collect();
        Self { tickets: BTreeMap::new(), sessions, token: None }
    }

    /// What outlives a restart: hashes of sessions, as JSON.
    pub(crate) fn kept(&self) -> Vec<u8> {
        let kept: BTreeMap<String, Session> =
            self.sessions.iter().map(|(hash, session)| (HEXLOWER.encode(hash), session.clone())).collect();
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// Sets the token for programs.
    pub(crate) fn set_token(&mut self, token: &str) {
        self.token = Some(hash_of(token));
    }

    /// Whether a program's token is the right one.
    pub(crate) fn is_token(&self, token: &str) -> bool {
        self.token == Some(hash_of(token))
    }

    /// Makes a ticket of 32 random bytes: for a minute, or until it is used.
    pub(crate) fn new_ticket(&mut self, random: [u8; 32], until_ms: Option<u64>) -> String {
        let oldest = self.tickets.iter().min_by_key(|(_, until)| until.unwrap_or(u64::MAX)).map(|(hash, _)| *hash);
        if self.tickets.len() >= TICKETS_MAX
            && let Some(oldest) = oldest
        {
            self.tickets.remove(&oldest);
        }
        let ticket = HEXLOWER.encode(&random);
        self.tickets.insert(hash_of(&ticket), until_ms);
        ticket
    }

    /// Whether a ticket works now. It is not used up.
    pub(crate) fn is_ticket(&self, ticket: &str, now_ms: u64) -> bool {
        self.tickets.get(&hash_of(ticket)).is_some_and(|until| until.is_none_or(|until| until >= now_ms))
    }

    /// Uses a ticket up. The session's secret, made of 32 random bytes, if the ticket was good.
    pub(crate) fn log_in(&mut self, ticket: &str, random: [u8; 32], now_ms: u64) -> Option<String> {
        let until = self.tickets.remove(&hash_of(ticket))?;
        if until.is_some_and(|until| until < now_ms) {
            return None;
        }
        Some(self.open(random, now_ms, None))
    }

    /// Opens a session; its secret, made of 32 random bytes. One that a password opened carries that password's mark.
    pub(crate) fn open(&mut self, random: [u8; 32], now_ms: u64, password: Option<String>) -> String {
        self.expire(now_ms);
        let least = self.sessions.iter().min_by_key(|(_, session)| session.used_ms).map(|(hash, _)| *hash);
        if self.sessions.len() >= SESSIONS_MAX
            && let Some(least) = least
        {
            self.sessions.remove(&least);
        }
        let secret = HEXLOWER.encode(&random);
        self.sessions.insert(hash_of(&secret), Session { used_ms: now_ms, password });
        secret
    }

    fn expire(&mut self, now_ms: u64) {
        self.sessions.retain(|_, session| now_ms.saturating_sub(session.used_ms) < SESSION_LIFE_MS);
        self.tickets.retain(|_, until| until.is_none_or(|until| until >= now_ms));
    }

    /// Whether a secret opens the page now; a use is noted. `password` tells the mark of the password that is set now.
    pub(crate) fn is_session(
        &mut self,
        secret: &str,
        now_ms: u64,
        password: impl FnOnce() -> Option<String>,
    ) -> SessionUse {
        let hash = hash_of(secret);
        let Some(session) = self.sessions.get_mut(&hash) else { return SessionUse::Unknown };
        let idle_ms = now_ms.saturating_sub(session.used_ms);
        if idle_ms >= SESSION_LIFE_MS {
            self.sessions.remove(&hash);
            return SessionUse::Unknown;
        }
        // It is kept: a password's file that can't be read for a moment logs nobody out for good.
        if session.password.is_some() && session.password != password() {
            return SessionUse::Unknown;
        }
        if idle_ms < USE_NOTED_EVERY_MS {
            return SessionUse::Valid;
        }
        session.used_ms = now_ms;
        SessionUse::ValidAndNoted
    }

    /// Ends a session.
    pub(crate) fn log_out(&mut self, secret: &str) {
        self.sessions.remove(&hash_of(secret));
    }
}

/// What a session's secret came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum SessionUse {
    /// It opens nothing, or not any more.
    Unknown,
    /// It is good.
    Valid,
    /// It is good, and what is [`Sessions::kept`] has changed.
    ValidAndNoted,
}

/// The token of a session's forms: who can't read the cookie can't know it.
pub(crate) fn form_token(secret: &str) -> String {
    HEXLOWER.encode(&blake3::derive_key("roda 2026-11 form token of the web page", secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No password is set.
    fn none() -> Option<String> {
        None
    }

    #[test]
    fn a_ticket_opens_one_session_and_no_second() {
        let mut sessions = Sessions::default();
        let ticket = sessions.new_ticket([1; 32], Some(TICKET_LIFE_MS));
        assert!(sessions.is_ticket(&ticket, 10) && !sessions.is_ticket(&ticket, TICKET_LIFE_MS + 1));
        let secret = sessions.log_in(&ticket, [2; 32], 10).unwrap();
        assert!(!sessions.is_ticket(&ticket, 10));
        assert_eq!(sessions.is_session(&secret, 11, none), SessionUse::Valid);
        assert_eq!(sessions.log_in(&ticket, [3; 32], 12), None);
        assert_eq!(sessions.is_session(&ticket, 12, none), SessionUse::Unknown);
    }

    #[test]
    fn a_ticket_of_a_minute_is_stale_after_it_and_that_of_the_start_is_not() {
        let mut sessions = Sessions::default();
        let short = sessions.new_ticket([1; 32], Some(TICKET_LIFE_MS));
        let first = sessions.new_ticket([2; 32], None);
        assert_eq!(sessions.log_in(&short, [3; 32], TICKET_LIFE_MS + 1), None);
        assert!(sessions.log_in(&first, [4; 32], 1_000 * TICKET_LIFE_MS).is_some());
    }

    #[test]
    fn sessions_outlive_a_restart_and_end_by_log_out_or_age() {
        let mut sessions = Sessions::default();
        let ticket = sessions.new_ticket([1; 32], None);
        let secret = sessions.log_in(&ticket, [2; 32], 0).unwrap();
        let text = sessions.kept();
        assert!(!String::from_utf8(text.clone()).unwrap().contains(&secret), "the secret itself is kept nowhere");
        let mut again = Sessions::from_kept(&text);
        assert_eq!(again.is_session(&secret, SESSION_LIFE_MS - 1, none), SessionUse::ValidAndNoted);
        assert_eq!(again.is_session(&secret, SESSION_LIFE_MS, none), SessionUse::Valid);
        again.log_out(&secret);
        assert_eq!(again.is_session(&secret, 1, none), SessionUse::Unknown);
        assert_eq!(Sessions::from_kept(&text).is_session(&secret, SESSION_LIFE_MS, none), SessionUse::Unknown);
        assert_eq!(Sessions::from_kept(b"no json"), Sessions::default());
    }

    #[test]
    fn tickets_and_sessions_are_bounded_and_the_ones_in_use_stay() {
        let mut sessions = Sessions::default();
        let first = sessions.new_ticket([255; 32], None);
        let mut secrets = Vec::new();
        for round in 0..200_u8 {
            let ticket = sessions.new_ticket([round; 32], Some(u64::from(round) + TICKET_LIFE_MS));
            if round % 2 == 0 {
                secrets.push(sessions.log_in(&ticket, [round; 32], u64::from(round)).unwrap());
            }
        }
        assert!(sessions.tickets.len() <= TICKETS_MAX && sessions.sessions.len() == SESSIONS_MAX);
        assert_eq!(sessions.is_session(secrets.last().unwrap(), 200, none), SessionUse::Valid);
        assert_eq!(sessions.is_session(&secrets[0], 200, none), SessionUse::Unknown);
        assert!(sessions.log_in(&first, [9; 32], 300).is_some(), "the ticket of the start waits until it is used");
    }

    #[test]
    fn a_session_that_a_password_opened_ends_with_that_password() {
        let mut sessions = Sessions::default();
        let secret = sessions.open([1; 32], 0, Some("mark".to_owned()));
        let mut sessions = Sessions::from_kept(&sessions.kept());
        assert_eq!(sessions.is_session(&secret, 1, || Some("mark".to_owned())), SessionUse::Valid);
        assert_eq!(sessions.is_session(&secret, 1, || Some("another".to_owned())), SessionUse::Unknown);
        assert_eq!(sessions.is_session(&secret, 1, none), SessionUse::Unknown);
        let ticket = sessions.new_ticket([2; 32], None);
        let secret = sessions.log_in(&ticket, [3; 32], 2).unwrap();
        assert_eq!(sessions.is_session(&secret, 3, none), SessionUse::Valid, "a link's session has none");
    }
}
