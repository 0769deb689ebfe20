//! What the forms of pages do: each is sent as the page sends it, and its deed is looked for where the API tells of it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use super::with_page;
use roda_tests::cluster::{TestNode, text};
use roda_tests::page::Browser;
use roda_tests::wait::{DEADLINE, eventually};
use serde_json::Value;

fn api(person: &Browser, path: &str) -> Value {
    serde_json::from_str(&person.get(path).body).unwrap()
}

fn board(person: &Browser, id: &str) -> Value {
    let boards = api(person, "/api/v1/boards");
    boards.as_array().unwrap().iter().find(|board| board["board"] == id).cloned().unwrap_or_default()
}

/// Sends a form that must lead to a page, and says to which.
fn leads_to(person: &Browser, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = person.submit(path, fields);
    assert_eq!(answer.status, 303, "{path}: {}", answer.body);
    answer.header("location").unwrap().to_owned()
}

#[test]
fn every_small_form_does_what_it_says() {
    let node = with_page();
    let other = TestNode::start(node.network());
    let person = Browser::of(&node);
    a_name_is_published(&person);
    let garden = a_board_is_founded(&person);
    a_board_is_listed_or_not(&person, &garden);
    a_board_is_left_and_followed(&person, &garden);
    a_peer_is_connected(&person, &other);
    a_board_is_followed_by_its_id_and_compared(&person, &other);
    let post = node.post(&garden, "Beans");
    an_invite_is_made(&person, &other, &garden);
    an_invite_is_followed(&person, &other);
    the_inbox_is_cleared(&person, &other, &post);
    what_is_new_is_gone_through(&person, &other, &garden, &post);
}

fn a_name_is_published(person: &Browser) {
    assert_eq!(leads_to(person, "/do/name", &[("name", " Ana ")]), "/settings?saved=1");
    assert_eq!(api(person, "/api/v1/identity")["name"], "Ana");
    assert!(person.get("/settings?saved=1").body.contains("Saved."));
    assert_eq!(person.submit("/do/name", &[("name", "a\u{202e}b")]).status, 400, "a name that can't be shown");
    assert_eq!(api(person, "/api/v1/identity")["name"], "Ana");
}

fn a_board_is_founded(person: &Browser) -> String {
    let place = leads_to(
        person,
        "/do/found",
        &[
            ("name", "garden"),
            ("title", "For all who grow"),
            ("description", "Soil and **weather**\r\nand seeds"),
            ("rules", "Be kind\r\n\r\nStay on topic\r\n"),
            ("language", "en"),
            ("listed", "on"),
        ],
    );
    let garden = place.strip_prefix("/b/").unwrap().to_owned();
    let known = board(person, &garden);
    assert_eq!((&known["name"], &known["title"]), (&Value::from("garden"), &Value::from("For all who grow")));
    assert_eq!((&known["followed"], &known["listing"]), (&Value::from(true), &Value::from("on")));
    let page = person.get(&place).body;
    assert!(page.contains("<strong>weather</strong>") && page.contains(">Stay on topic</li>"), "{page}");
    assert_eq!(page.matches("<li dir=\"auto\" lang=\"en\">").count(), 2, "an empty line is no rule: {page}");
    garden
}

fn a_board_is_listed_or_not(person: &Browser, garden: &str) {
    let (path, back) = (format!("/do/list/{garden}"), format!("/b/{garden}"));
    for (listed, offers) in [("off", "Let others find it"), ("on", "Stop letting others find it")] {
        assert_eq!(leads_to(person, &path, &[("listed", listed), ("back", &back)]), back);
        assert_eq!(board(person, garden)["listing"], listed);
        assert!(person.get(&back).body.contains(offers), "{listed}");
    }
    assert_eq!(
        leads_to(person, &path, &[("listed", "on"), ("back", "//evil.example/")]),
        "/",
        "nobody is sent elsewhere"
    );
}

fn a_board_is_left_and_followed(person: &Browser, garden: &str) {
    assert_eq!(leads_to(person, &format!("/do/unfollow/{garden}"), &[]), "/boards");
    assert_eq!(board(person, garden)["followed"], false);
    assert_eq!(leads_to(person, &format!("/do/follow/{garden}"), &[]), format!("/b/{garden}"));
    assert_eq!(board(person, garden)["followed"], true);
    assert_eq!(person.submit("/do/follow/nowhere", &[]).status, 404);
}

fn a_peer_is_connected(person: &Browser, other: &TestNode) {
    assert_eq!(person.submit("/do/connect", &[("address", "nowhere")]).status, 502);
    assert_eq!(api(person, "/api/v1/peers"), Value::Array(Vec::new()));
    assert_eq!(leads_to(person, "/do/connect", &[("address", &other.address())]), "/node");
    assert_eq!(api(person, "/api/v1/peers")[0]["peer_id"], other.ready()["peer_id"]);
}

fn a_board_is_followed_by_its_id_and_compared(person: &Browser, other: &TestNode) {
    let pond = other.found("pond");
    other.post(&pond, "Frogs");
    let place = format!("/b/{pond}");
    assert_eq!(leads_to(person, "/do/follow", &[("board", &format!(" {pond} "))]), place);
    assert_eq!(board(person, &pond)["followed"], true);
    eventually("the board, compared", DEADLINE, || {
        assert_eq!(leads_to(person, "/do/sync", &[("back", "/boards")]), "/boards");
        let known = board(person, &pond);
        (known["threads"] == 1 && known["completeness"]["peers_equal"] == 1).then_some(())
    });
    assert!(person.get(&place).body.contains("Frogs"));
}

fn an_invite_is_made(person: &Browser, other: &TestNode, garden: &str) {
    let page = person.submit(&format!("/do/invite/{garden}"), &[]);
    assert_eq!(page.status, 200, "{}", page.body);
    let invite = page.body.split("aria-label=\"Invite\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
    assert!(invite.starts_with("roda:"), "{invite}");
    assert_eq!(other.object(&["join", invite, "--wait", "120"])["board"], garden);
}

fn an_invite_is_followed(person: &Browser, other: &TestNode) {
    let meadow = other.found("meadow");
    let invite = text(&other.object(&["invite", "meadow"])["invite"]);
    assert_eq!(leads_to(person, "/do/join", &[("invite", &format!("{invite}\r\n"))]), format!("/b/{meadow}"));
    assert_eq!(board(person, &meadow)["followed"], true);
    assert_eq!(person.submit("/do/join", &[("invite", &invite[..40])]).status, 400, "half an invite");
}

fn the_inbox_is_cleared(person: &Browser, other: &TestNode, post: &str) {
    let answer = other.reply(post, "Peas, too");
    eventually("the answer", DEADLINE, || (api(person, "/api/v1/inbox")[0]["id"] == answer.as_str()).then_some(()));
    assert!(person.get("/inbox").body.contains("Mark all as read"));
    assert_eq!(leads_to(person, "/do/inbox/clear", &[]), "/inbox");
    assert_eq!(api(person, "/api/v1/inbox"), Value::Array(Vec::new()));
    let page = person.get("/inbox").body;
    assert!(page.contains("Peas, too") && !page.contains("Mark all as read"), "{page}");
}

fn what_is_new_is_gone_through(person: &Browser, other: &TestNode, garden: &str, post: &str) {
    let next = || leads_to(person, "/do/next", &[]);
    assert_eq!(leads_to(person, "/do/catch-up", &[("back", "/boards")]), "/boards");
    assert_eq!(next(), "/?sort=active", "nothing is left to read");
    let answer = other.reply(post, "And corn");
    let feed = format!("/api/v1/feed?board={garden}");
    eventually("something new", DEADLINE, || (api(person, &feed)[0]["unread"] == 1).then_some(()));
    assert_eq!(next(), format!("/t/{post}#e-{}", &answer[..8]));
    assert_eq!(next(), "/?sort=active", "what was gone to is read");
}
