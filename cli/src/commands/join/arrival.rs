//! What is here after joining, and what is not.

use super::waiting::{THREADS_ENOUGH, Waited};
use crate::args::Context;
use crate::client::Client;
use crate::commands::feed;
use crate::error::CliError;
use crate::output::Output;
use crate::terminal::Look;
use crate::words;
use roda_node::api::dto::{Board, Dialled, FeedEntry, PeerEntry};
use roda_protocol::invite::Invite;
use serde::Serialize;
use std::time::Instant;

/// For programs.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    board: &'a str,
    name: &'a str,
    network: &'a str,
    peers: usize,
    threads: u64,
    events: u64,
    first_thread_ms: Option<u64>,
    is_own: bool,
    stewards: &'a [String],
    authors: &'a [String],
    addresses: &'a [Dialled],
}

/// All that there is to tell.
#[derive(Debug)]
pub(super) struct Arrival {
    board: String,
    name: String,
    network: String,
    /// Whom the inviter proposes to trust first: the board's stewards, by its word, and others.
    stewards: Vec<String>,
    authors: Vec<String>,
    peers: usize,
    threads: u64,
    events: u64,
    feed: Vec<FeedEntry>,
    first_thread_ms: Option<u64>,
    is_own: bool,
    is_compared: bool,
    /// Whether every address was dialled in time.
    is_dialled: bool,
    dials: Vec<Dialled>,
}

impl Arrival {
    /// Looks at the board.
    ///
    /// # Errors
    ///
    /// The node went away.
    pub(super) async fn look(
        client: &Client,
        invite: &Invite,
        waited: Waited,
        begun: Instant,
    ) -> Result<Self, CliError> {
        let said = invite.said();
        let board = said.board.space().to_string();
        let feed: Vec<FeedEntry> =
            client.get(&format!("/api/v1/feed?sort=new&limit={THREADS_ENOUGH}&board={board}")).await?;
        let first_thread_ms = u64::try_from(begun.elapsed().as_millis()).ok().filter(|_| !feed.is_empty());
        let boards: Vec<Board> = client.get("/api/v1/boards").await?;
        let peers: Vec<PeerEntry> = client.get("/api/v1/peers").await?;
        let held = boards.into_iter().find(|held| held.board == board);
        let (threads, events) = held.as_ref().map_or((0, 0), |held| (held.threads, held.events));
        // The charter's name, once it is here; the inviter's word until then.
        let name = held.map(|held| held.name).filter(|name| !name.is_empty());
        let is_dialled = waited.joined.is_some();
        let (is_own, dials) = waited.joined.map_or((false, Vec::new()), |joined| (joined.is_own, joined.dials));
        Ok(Self {
            board,
            name: name.unwrap_or_else(|| said.board.name().to_owned()),
            network: said.network.clone(),
            stewards: said.stewards.iter().map(ToString::to_string).collect(),
            authors: said.authors.iter().map(ToString::to_string).collect(),
            peers: peers.len(),
            threads,
            events,
            feed,
            first_thread_ms,
            is_own,
            is_compared: waited.is_compared,
            is_dialled,
            dials,
        })
    }

    /// For programs.
    pub(super) fn line(&self) -> Line<'_> {
        Line {
            board: &self.board,
            name: &self.name,
            network: &self.network,
            peers: self.peers,
            threads: self.threads,
            events: self.events,
            first_thread_ms: self.first_thread_ms,
            is_own: self.is_own,
            stewards: &self.stewards,
            authors: &self.authors,
            addresses: &self.dials,
        }
    }

    /// For a person.
    pub(super) fn render(&self, look: &Look) -> String {
        let (name, network) = (words::board(&self.board, &self.name), words::line(&self.network));
        let mut pairs = vec![
            ("peers", format!("{} connected", self.peers)),
            ("here", format!("{}, {}", words::count(self.threads, "thread"), words::count(self.events, "event"))),
        ];
        if let Some(first_thread_ms) = self.first_thread_ms {
            pairs.push(("after", format!("{}.{} s", first_thread_ms / 1000, first_thread_ms % 1000 / 100)));
        }
        let stewards = self.stewards.iter().map(|key| format!("{key}, a steward of the board"));
        let authors = self.authors.iter().map(|key| format!("{key}, who invited you"));
        for (index, line) in stewards.chain(authors).enumerate() {
            pairs.push((if index == 0 { "trust first" } else { "" }, words::line(&line)));
        }
        let head = format!("{} you follow {name} on network {network}\n", look.green("✓"));
        let facts = words::facts(look, &pairs);
        if self.feed.is_empty() {
            return head + &facts;
        }
        format!("{head}{facts}\n\n{}", feed::render(&self.feed, false, look))
    }

    /// Says what to do next, or what could not be done.
    ///
    /// # Errors
    ///
    /// The board was not found with anybody within the time.
    pub(super) fn outcome(&self, wait_s: u64, context: &Context, output: &Output) -> Result<(), CliError> {
        let board = words::short_id(&self.board);
        if self.is_own {
            output.note("this node made the invite: it is for others");
        } else if !self.is_compared && wait_s > 0 && self.feed.len() < THREADS_ENOUGH {
            return Err(self.not_met(wait_s, context));
        }
        match self.feed.first() {
            Some(entry) => {
                output.note(&format!("read one: {}", context.command(&format!("read {}", words::short_id(&entry.id)))));
            }
            None if self.is_compared => {
                let first = context.command(&format!("post {board} -t TITLE -m TEXT"));
                output.note(&format!("nobody has written there yet; write the first post: {first}"));
            }
            None => output.note(&format!("read, once it has arrived: {}", context.command(&format!("feed {board}")))),
        }
        Ok(())
    }

    fn not_met(&self, wait_s: u64, context: &Context) -> CliError {
        let failed: Vec<_> = self.dials.iter().filter_map(|dial| Some((&dial.address, dial.error.as_ref()?))).collect();
        let message = if self.peers > 0 {
            format!(
                "the board is followed, but none of {} had it within {wait_s} s",
                words::count(self.peers as u64, "connected peer")
            )
        } else if self.is_dialled && self.dials.is_empty() {
            "the board is followed, but the invite has no address to dial".to_owned()
        } else if self.is_dialled {
            "the board is followed, but nobody could be reached".to_owned()
        } else {
            format!("the board is followed, but nobody was reached within {wait_s} s")
        };
        let mut error = CliError::wait_not_met(message);
        for (address, reason) in failed {
            let (address, reason) = (words::line(address), words::line(reason));
            // Some reasons name the address themselves.
            let plain = address.split("/p2p/").next().unwrap_or_default();
            let reason = reason.strip_prefix(&format!("{plain}: ")).unwrap_or(&reason);
            let reason = reason.strip_prefix(&format!("{address}: ")).unwrap_or(reason);
            error = error.and_hint(&format!("{address}: {reason}"));
        }
        let peers = context.command("peers");
        error
            .and_hint(&format!("the addresses are kept and tried again while the node runs; see who is there: {peers}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::ColorChoice;
    use std::path::Path;

    const PIPE: Look = Look { color: false, columns: None, now_ms: 0 };

    fn arrival() -> Arrival {
        Arrival {
            board: "ab".repeat(32),
            name: "x\u{1b}[2J".into(),
            network: "n".into(),
            stewards: vec!["@k".into()],
            authors: Vec::new(),
            peers: 0,
            threads: 0,
            events: 0,
            feed: vec![],
            first_thread_ms: None,
            is_own: false,
            is_compared: false,
            is_dialled: true,
            dials: vec![],
        }
    }

    fn dial(error: Option<&str>) -> Dialled {
        let address = "/ip4/192.0.2.1/tcp/1/p2p/12D3".to_owned();
        Dialled { address, peer_id: error.is_none().then(|| "12D3".into()), error: error.map(Into::into) }
    }

    fn outcome(arrival: &Arrival) -> Result<(), CliError> {
        let output = Output::new(true, ColorChoice::Never, false);
        arrival.outcome(10, &Context::at(Path::new("/x")).unwrap(), &output)
    }

    #[test]
    fn every_address_that_did_not_answer_is_named_with_its_reason() {
        let dials = vec![dial(Some("/ip4/192.0.2.1/tcp/1/p2p/12D3: Connection refused\u{1b}"))];
        let error = outcome(&Arrival { dials, ..arrival() }).unwrap_err();
        assert_eq!(error.code, "wait_not_met");
        assert!(error.message.contains("nobody could be reached"), "{}", error.message);
        assert!(
            error.hint.starts_with("/ip4/192.0.2.1/tcp/1/p2p/12D3: Connection refused\u{fffd}\n"),
            "{}",
            error.hint
        );
    }

    #[test]
    fn a_peer_without_the_board_is_told_from_no_peer() {
        let error = outcome(&Arrival { peers: 2, dials: vec![dial(None)], ..arrival() }).unwrap_err();
        assert!(error.message.contains("none of 2 connected peers had it"), "{}", error.message);
        let error = outcome(&Arrival { is_dialled: false, ..arrival() }).unwrap_err();
        assert!(error.message.contains("nobody was reached within 10 s"), "{}", error.message);
    }

    #[test]
    fn an_own_invite_and_a_board_that_is_here_are_no_failures() {
        assert!(outcome(&Arrival { is_own: true, ..arrival() }).is_ok());
        assert!(outcome(&Arrival { is_compared: true, peers: 1, ..arrival() }).is_ok());
    }

    #[test]
    fn what_an_invite_says_cannot_act_on_a_terminal() {
        let shown = arrival().render(&PIPE);
        assert!(!shown.contains('\u{1b}') && shown.contains("trust first  @k"), "{shown}");
    }
}
