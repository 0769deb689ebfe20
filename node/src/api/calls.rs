//! Every call of the API, once. The router and the document are both made from this table: none can be in one of them alone.

use super::call::Call;
use super::dto::{ExportLine, NodeEvent, ReaderLine};
use super::{
    authors, board_log, boards, directory, feed, history, inbox, invites, keeping, moving, news, next, node, openapi,
    page, power, read, reader, reader_moving, search, why, write,
};

/// All calls.
pub(super) fn all() -> Vec<Call> {
    [of_the_node(), of_boards(), of_writing(), of_reading(), of_moving()].into_iter().flatten().collect()
}

fn of_the_node() -> Vec<Call> {
    vec![
        Call::get("/api/v1/openapi.json", "This document.", openapi::answer).answers_any_object(),
        Call::get("/api/v1/status", "The node's state.", node::status),
        Call::get("/api/v1/doctor", "What is wrong with the node, and what mends it.", node::doctor),
        Call::get("/api/v1/identity", "Who writes here.", node::identity),
        Call::post("/api/v1/identity", "Publishes the name of who writes here.", write::name),
        Call::get("/api/v1/peers", "Who is connected.", node::peers),
        Call::post("/api/v1/connect", "Dials an address.", node::connect),
        Call::get("/api/v1/events", "What happens in the node, as it happens, until the reader goes.", news::events)
            .answers_lines::<NodeEvent>()
            .answers_server_sent_events(),
        Call::post("/api/v1/web", "Makes a login link to the web page.", node::web),
        Call::get("/api/v1/web/preferences", "How the web page looks.", page::preferences),
        Call::post("/api/v1/web/preferences", "Says how the web page looks.", page::set_preferences),
        Call::get("/api/v1/web/feeds", "Addresses of Atom feeds.", page::feeds),
        Call::post("/api/v1/web/feeds", "Makes the addresses of Atom feeds anew.", page::renew_feeds),
        Call::post("/api/v1/shutdown", "Stops the node.", node::shutdown),
    ]
}

fn of_boards() -> Vec<Call> {
    vec![
        Call::get("/api/v1/boards", "The boards that this node knows.", boards::list),
        Call::post("/api/v1/boards", "Founds a board, and follows it.", boards::found),
        Call::get("/api/v1/boards/log", "What made a board what it is.", board_log::log),
        Call::post("/api/v1/boards/open", "Opens an open board, and follows it.", boards::open),
        Call::post("/api/v1/follow", "Follows a board.", boards::follow),
        Call::post("/api/v1/unfollow", "Follows a board no longer.", boards::unfollow),
        Call::post("/api/v1/keep", "Says how long the words of a board are kept here.", keeping::keep),
        Call::get("/api/v1/directory", "Boards that connected peers list.", directory::directory),
        Call::post("/api/v1/listing", "Says whether peers that ask are told of a board.", directory::list),
        Call::post("/api/v1/invites", "Makes an invite to a board.", invites::make),
        Call::post("/api/v1/join", "Follows the board of an invite, and dials every address in it.", invites::join),
        Call::post("/api/v1/sync", "Compares boards with the peers that follow them.", boards::sync),
    ]
}

fn of_writing() -> Vec<Call> {
    vec![
        Call::post("/api/v1/posts", "Writes a post.", write::post),
        Call::post("/api/v1/events/{id}/reply", "Answers a post or a comment.", write::reply),
        Call::post("/api/v1/events/{id}/edit", "Changes an own post or comment.", write::edit),
        Call::post("/api/v1/events/{id}/retract", "Takes an own post or comment back.", write::retract),
        Call::post("/api/v1/events/{id}/vote", "Votes on a post or a comment.", write::vote),
        Call::get("/api/v1/outbox", "What was written here, and who holds it.", read::outbox),
    ]
}

fn of_reading() -> Vec<Call> {
    vec![
        Call::get("/api/v1/feed", "A page of threads.", feed::feed),
        Call::get(
            "/api/v1/threads/{id}",
            "The thread of a post or of any comment in it, or a page of it.",
            read::thread,
        ),
        Call::get("/api/v1/search", "A page of the posts and comments in which words stand.", search::search),
        Call::get("/api/v1/authors/{id}/events", "What an author wrote, the last that came first.", authors::events)
            .names_an_author(),
        Call::get("/api/v1/events/{id}/history", "What a post or comment said before.", history::history),
        Call::get("/api/v1/events/{id}/why", "How an event came to be shown as it is.", why::why),
        Call::get("/api/v1/inbox", "A page of the inbox, the newest first.", inbox::inbox),
        Call::get("/api/v1/inbox/unread", "How much of the inbox is unread.", inbox::unread),
        Call::post("/api/v1/inbox/clear", "Marks all of the inbox as read.", inbox::clear),
        Call::post("/api/v1/next", "The next unread post or comment, which is marked as read by that.", next::next),
        Call::post("/api/v1/catchup", "Marks a board, or all that are followed, as read.", next::catch_up),
        Call::get("/api/v1/reader/rules", "The reader's rules.", reader::rules),
        Call::post("/api/v1/reader/rules", "Makes, changes or removes a rule of the reader.", reader::set),
        Call::get("/api/v1/power", "How concentrated this node's world is.", power::power),
    ]
}

fn of_moving() -> Vec<Call> {
    vec![
        Call::get("/api/v1/reader/export", "The whole state of the reader.", reader_moving::export)
            .answers_lines::<ReaderLine>(),
        Call::post("/api/v1/reader/import", "Takes a reader's state in.", reader_moving::import)
            .takes_lines::<ReaderLine>(),
        Call::get("/api/v1/export", "Every event that is held, or a board's; charters come first.", moving::export)
            .answers_lines::<ExportLine>(),
        Call::post("/api/v1/import", "Takes events in, each verified as a stranger's.", moving::import)
            .takes_lines::<ExportLine>(),
        Call::post("/api/v1/fsck", "Checks the log and the index, or makes the index anew.", moving::fsck),
    ]
}
