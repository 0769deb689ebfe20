//! The commands, one file each: its arguments, and what it does.

mod author;
mod board;
mod boards;
mod connect;
mod devnet;
mod doctor;
mod down;
mod edit;
mod events;
mod export;
mod feed;
mod follow;
mod fsck;
mod history;
mod id;
mod import;
mod inbox;
mod invite;
mod join;
mod keep;
mod logs;
mod next;
mod outbox;
mod peers;
mod post;
mod power;
mod read;
mod reply;
mod retract;
mod rules;
mod search;
mod status;
mod sync;
mod up;
mod vote;
mod web;
mod welcome;
mod why;
mod written;

use crate::args::Context;
use crate::error::CliError;
use crate::interrupt;
use crate::output::Output;

/// What `roda` can be asked to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run a node here
    Up(up::Args),
    /// Stop the node
    Down,
    /// A fresh link to log in to the web page; its password, its looks, and the addresses of its feeds
    Web(web::Args),
    /// What the node is doing
    Status,
    /// What is wrong with the node, and the line that mends it
    Doctor,
    /// What a detached node has logged
    Logs(logs::Args),
    /// Who writes here
    Id {
        /// What about it.
        #[command(subcommand)]
        command: id::Command,
    },
    /// Found a board, open one by its name, let others find it, or see what made it what it is
    Board {
        /// Which.
        #[command(subcommand)]
        command: board::Command,
    },
    /// The boards known here, or those that peers list
    Boards(boards::Args),
    /// Follow a board: hold its events and pass them on; or an author: lift what they write
    Follow(follow::Args),
    /// Stop following a board or an author
    Unfollow(follow::Args),
    /// How long this node keeps the words of a board: for ever, days, or a size
    Keep(keep::Args),
    /// Start a thread
    Post(post::Args),
    /// Answer a post or a comment
    Reply(reply::Args),
    /// Change an own post or comment
    Edit(edit::Args),
    /// Take an own post or comment back, for good
    Retract(retract::Args),
    /// Vote on a post or comment
    Vote(vote::Args),
    /// The threads of a board, or of all that are followed
    Feed(feed::Args),
    /// Read a thread
    Read(read::Args),
    /// What a post or comment said before it was edited
    History(history::Args),
    /// Look for words in all that this node holds
    Search(search::Args),
    /// What an author wrote, as far as it is here
    Author(author::Args),
    /// Answers to you, mentions of you, and what is new in threads that you watch
    Inbox(inbox::Args),
    /// Show the next unread post or comment, and mark it as read
    Next(next::Args),
    /// Mark everything of a board, or of all, as read
    Catchup(next::Args),
    /// Watch a thread: its comments come to the inbox
    Watch(rules::Thread),
    /// Watch a thread no longer
    Unwatch(rules::Thread),
    /// Hide a thread, an author or words, here and for you alone
    Mute(rules::What),
    /// Hide it no longer
    Unmute(rules::What),
    /// Points of your own: lift or sink authors, words and ages
    Score {
        /// What to do.
        #[command(subcommand)]
        command: rules::Score,
    },
    /// Your own rules: what you watch, follow, mute and give points
    Rules,
    /// Why something is shown as it is: signature, way here, rank, and what hides it
    Why(why::Args),
    /// How concentrated this node's world is: authors, peers, networks
    Power(power::Args),
    /// The connected peers
    Peers(peers::Args),
    /// Connect to a peer
    Connect(connect::Args),
    /// Make one string with which others join a board: this network, where to find it, and whom to trust first
    Invite(invite::Args),
    /// Join a board by an invite; starts a node if none runs here
    Join(join::Args),
    /// Compare boards with the connected peers now
    Sync(sync::Args),
    /// Own events and how many peers hold them
    Outbox,
    /// Write events to standard output, one a line
    Export(export::Args),
    /// Take in events from a file, each of them verified
    Import(import::Args),
    /// Check what is stored
    Fsck(fsck::Args),
    /// Watch what the node does, as it happens
    Events,
    /// A test network of several nodes on this machine
    Devnet {
        /// What to do with it.
        #[command(subcommand)]
        command: devnet::Command,
    },
}

impl Command {
    /// Whether this process becomes a node.
    #[must_use]
    pub(crate) fn runs_node(&self) -> bool {
        matches!(self, Self::Up(args) if !args.is_detached())
    }

    /// Whether the command itself says what Ctrl-C does.
    fn owns_interrupt(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Join(_) | Self::Devnet { command: devnet::Command::Up(_) })
    }
}

/// Does what was asked.
///
/// # Errors
///
/// Why it could not be done.
pub(crate) async fn run(command: Option<Command>, context: &Context, output: &mut Output) -> Result<(), CliError> {
    if !command.as_ref().is_some_and(Command::owns_interrupt) {
        interrupt::watch();
    }
    let Some(command) = command else { return welcome::run(context, output).await };
    match command {
        Command::Up(args) => up::run(args, context, output).await,
        Command::Down => down::run(context, output).await,
        Command::Web(args) => web::run(args, context, output).await,
        Command::Status => status::run(context, output).await,
        Command::Doctor => doctor::run(context, output).await,
        Command::Logs(args) => logs::run(&args, context, output).await,
        Command::Id { command } => id::run(command, context, output).await,
        Command::Board { command } => board::run(command, context, output).await,
        Command::Boards(args) => boards::run(args, context, output).await,
        Command::Follow(args) => follow::follow(args, context, output).await,
        Command::Unfollow(args) => follow::unfollow(args, context, output).await,
        Command::Keep(args) => keep::run(args, context, output).await,
        Command::Post(args) => post::run(args, context, output).await,
        Command::Reply(args) => reply::run(args, context, output).await,
        Command::Edit(args) => edit::run(args, context, output).await,
        Command::Retract(args) => retract::run(&args, context, output).await,
        Command::Vote(args) => vote::run(&args, context, output).await,
        Command::Feed(args) => feed::run(&args, context, output).await,
        Command::Read(args) => read::run(&args, context, output).await,
        Command::History(args) => history::run(&args, context, output).await,
        Command::Search(args) => search::run(&args, context, output).await,
        Command::Author(args) => author::run(args, context, output).await,
        Command::Inbox(args) => inbox::run(&args, context, output).await,
        Command::Next(args) => next::next(args, context, output).await,
        Command::Catchup(args) => next::catch_up(args, context, output).await,
        Command::Watch(args) => rules::watch(args, context, output).await,
        Command::Unwatch(args) => rules::remove(args.into_what(), context, output).await,
        Command::Mute(args) => rules::mute(args, context, output).await,
        Command::Unmute(args) => rules::remove(args.into_what(), context, output).await,
        Command::Score { command } => rules::score(command, context, output).await,
        Command::Rules => rules::rules(context, output).await,
        Command::Why(args) => why::run(&args, context, output).await,
        Command::Power(args) => power::run(&args, context, output).await,
        Command::Peers(args) => peers::run(&args, context, output).await,
        Command::Connect(args) => connect::run(args, context, output).await,
        Command::Invite(args) => invite::run(args, context, output).await,
        Command::Join(args) => join::run(args, context, output).await,
        Command::Sync(args) => sync::run(args, context, output).await,
        Command::Outbox => outbox::run(context, output).await,
        Command::Export(args) => export::run(&args, context, output).await,
        Command::Import(args) => import::run(&args, context, output).await,
        Command::Fsck(args) => fsck::run(&args, context, output).await,
        Command::Events => events::run(context, output).await,
        Command::Devnet { command } => devnet::run(command, context, output).await,
    }
}
