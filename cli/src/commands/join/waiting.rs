//! Until a board's first threads are here: what happens in the node, and what to do about it.
//!
//! `Progress` decides and does nothing; `wait` hears and does what it says.

use crate::client::{Client, Lines};
use crate::error::CliError;
use roda_node::api::dto::{Join, Joined, NodeEvent, SyncAsk, SyncReport};
use roda_protocol::invite::Invite;
use std::time::Instant;
use tokio::sync::mpsc;

/// Threads that fill a first look: then nobody needs to wait for the rest.
pub(super) const THREADS_ENOUGH: usize = 10;

/// News that wait to be looked at. The readers of the node wait, too, when it is full.
const HEARD_MAX: usize = 64;

/// What is heard of the node.
#[derive(Debug)]
enum Heard {
    /// The board is followed, and every address was dialled; or why not.
    Joined(Result<Joined, CliError>),
    /// Something happened.
    News(NodeEvent),
    /// A comparison of the board with all connected peers has ended. None: it could not be made.
    Compared(Option<SyncReport>),
    /// The node tells no more.
    Silent,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Hear more.
    Hear,
    /// Compare the board with the connected peers.
    Compare,
    /// Look at what is here.
    Look,
}

/// How the waiting ended.
#[derive(Debug, Default)]
pub(super) struct Waited {
    /// What became of the addresses; none if that is not known yet.
    pub(super) joined: Option<Joined>,
    /// Whether the board was compared with a peer that follows it.
    pub(super) is_compared: bool,
}

/// What is known so far.
#[derive(Debug)]
struct Progress {
    board: String,
    joined: Option<Joined>,
    /// Whether a peer has been connected at any time.
    has_met: bool,
    is_comparing: bool,
    /// Whether somebody came while a comparison ran, which asks only those who were there when it began.
    compares_again: bool,
    is_compared: bool,
    threads: usize,
}

impl Progress {
    fn new(board: String) -> Self {
        let (has_met, is_comparing, compares_again, is_compared) = (false, false, false, false);
        Self { board, joined: None, has_met, is_comparing, compares_again, is_compared, threads: 0 }
    }

    /// Takes in what was heard. An error is why joining failed.
    fn on(&mut self, heard: Heard) -> Result<Next, CliError> {
        Ok(match heard {
            Heard::Joined(joined) => {
                let joined = joined?;
                let has_met = joined.dials.iter().any(|dial| dial.peer_id.is_some());
                self.joined = Some(joined);
                match (has_met, self.has_met) {
                    (true, _) => self.met(),
                    (false, true) => Next::Hear,
                    (false, false) => Next::Look,
                }
            }
            Heard::News(NodeEvent::Connected { .. }) => self.met(),
            Heard::News(NodeEvent::Admitted { board, kind, .. }) if board == self.board && kind == "post" => {
                self.threads += 1;
                if self.threads >= THREADS_ENOUGH { Next::Look } else { Next::Hear }
            }
            Heard::News(_) => Next::Hear,
            Heard::Compared(report) => {
                self.is_comparing = false;
                self.is_compared |= report.is_some_and(|report| report.peers_asked > 0);
                if self.is_compared {
                    Next::Look
                } else if std::mem::take(&mut self.compares_again) {
                    self.met()
                } else {
                    Next::Hear
                }
            }
            Heard::Silent => Next::Look,
        })
    }

    fn met(&mut self) -> Next {
        self.has_met = true;
        if self.is_compared {
            Next::Look
        } else if self.is_comparing {
            self.compares_again = true;
            Next::Hear
        } else {
            self.is_comparing = true;
            Next::Compare
        }
    }
}

/// Joins, and waits until the first threads are here, until nobody is left to wait for, or until the deadline.
///
/// # Errors
///
/// The node refuses the invite, or went away.
pub(super) async fn wait(client: &Client, text: &str, invite: &Invite, deadline: Instant) -> Result<Waited, CliError> {
    let board = invite.said().board.space().to_string();
    let (tell, mut heard) = mpsc::channel(HEARD_MAX);
    // Listening begins before anything can happen.
    tokio::spawn(news(client.lines("/api/v1/events").await?, tell.clone()));
    let ask = Join { invite: text.to_owned() };
    let (asker, teller) = (client.clone(), tell.clone());
    tokio::spawn(async move { teller.send(Heard::Joined(asker.post("/api/v1/join", &ask).await)).await });
    let mut progress = Progress::new(board.clone());
    while let Ok(Some(heard)) = tokio::time::timeout_at(deadline.into(), heard.recv()).await {
        match progress.on(heard)? {
            Next::Hear => {}
            Next::Look => break,
            Next::Compare => {
                tokio::spawn(compare(client.clone(), board.clone(), deadline, tell.clone()));
            }
        }
    }
    Ok(Waited { joined: progress.joined, is_compared: progress.is_compared })
}

async fn news(mut lines: Lines, tell: mpsc::Sender<Heard>) {
    while let Ok(Some(line)) = lines.next().await {
        // A newer node may have more to tell than this client knows.
        let Ok(event) = serde_json::from_str(&line) else { continue };
        if tell.send(Heard::News(event)).await.is_err() {
            return;
        }
    }
    // Whoever waits may have gone.
    let _ = tell.send(Heard::Silent).await;
}

async fn compare(client: Client, board: String, deadline: Instant, tell: mpsc::Sender<Heard>) {
    let left = deadline.saturating_duration_since(Instant::now());
    let ask = SyncAsk { board: Some(board), wait_s: Some(left.as_secs().max(1)) };
    let reports: Result<Vec<SyncReport>, CliError> = client.post("/api/v1/sync", &ask).await;
    let report = reports.ok().and_then(|reports| reports.into_iter().next());
    // Whoever waits may have gone.
    let _ = tell.send(Heard::Compared(report)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use roda_node::api::dto::Dialled;

    fn progress() -> Progress {
        Progress::new("b".into())
    }

    fn joined(reached: &[bool]) -> Heard {
        let dial = |is_reached: &bool| Dialled {
            address: "a".into(),
            peer_id: is_reached.then(|| "p".into()),
            error: (!is_reached).then(|| "e".into()),
        };
        let dials = reached.iter().map(dial).collect();
        Heard::Joined(Ok(Joined { board: "b".into(), name: "n".into(), is_own: false, dials }))
    }

    fn connected() -> Heard {
        Heard::News(NodeEvent::Connected { peer_id: "p".into(), addr: "a".into() })
    }

    fn admitted(board: &str, kind: &str) -> Heard {
        Heard::News(NodeEvent::Admitted { id: "i".into(), board: board.into(), kind: kind.into() })
    }

    fn compared(peers_asked: u32) -> Heard {
        Heard::Compared(serde_json::from_value(serde_json::json!({
            "board": "b", "events": 0, "peers_asked": peers_asked, "peers_equal": 0, "received": 0, "sent": 0, "rounds": 0,
            "bytes": 0, "held": 0, "declined": 0, "missing": [], "checked_ms": 0,
        })).ok())
    }

    fn all(progress: &mut Progress, heard: impl IntoIterator<Item = Heard>) -> Vec<Next> {
        heard.into_iter().map(|heard| progress.on(heard).unwrap()).collect()
    }

    #[test]
    fn the_first_peer_is_compared_with_and_that_is_enough() {
        let next = all(&mut progress(), [connected(), joined(&[true]), compared(1)]);
        assert_eq!(next, [Next::Compare, Next::Hear, Next::Look]);
    }

    #[test]
    fn whoever_comes_during_a_comparison_is_asked_after_it() {
        let next = all(&mut progress(), [connected(), connected(), compared(0), compared(0), connected(), compared(1)]);
        assert_eq!(next, [Next::Compare, Next::Hear, Next::Compare, Next::Hear, Next::Compare, Next::Look]);
    }

    #[test]
    fn nobody_waits_when_no_address_answered_and_nobody_came() {
        assert_eq!(all(&mut progress(), [joined(&[false, false])]), [Next::Look]);
        assert_eq!(all(&mut progress(), [connected(), joined(&[false])]), [Next::Compare, Next::Hear]);
    }

    #[test]
    fn a_screenful_of_threads_of_the_board_is_enough() {
        let mut progress = progress();
        for _ in 0..THREADS_ENOUGH * 2 {
            assert_eq!(progress.on(admitted("other", "post")).unwrap(), Next::Hear);
            assert_eq!(progress.on(admitted("b", "comment")).unwrap(), Next::Hear);
        }
        let next = all(&mut progress, (0..THREADS_ENOUGH).map(|_| admitted("b", "post")));
        assert_eq!(next.iter().position(|next| *next == Next::Look), Some(THREADS_ENOUGH - 1));
    }

    #[test]
    fn a_refusal_ends_it_and_so_does_a_node_that_stops() {
        assert!(progress().on(Heard::Joined(Err(CliError::failed("expired", "x")))).is_err());
        assert_eq!(progress().on(Heard::Silent).unwrap(), Next::Look);
    }
}
