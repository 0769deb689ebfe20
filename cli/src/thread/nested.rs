//! A thread as nested JSON, written piece by piece: no depth is too deep and no copy of the tree is made.

use super::{Place, places};
use crate::json;
use roda_node::api::dto::{Hidden, ThreadPage, Votes};
use serde::Serialize;
use std::io::{self, Write};

/// What a place says about itself; its children follow.
#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    board_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    board_look_alike: Option<bool>,
    missing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [String]>,
    author: &'a str,
    name: Option<&'a str>,
    look_alike: bool,
    created_ms: u64,
    edited: Option<u64>,
    retracted: bool,
    hidden: Option<&'a Hidden>,
    votes: Votes,
    unread: bool,
    mine: bool,
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
}

/// Writes `{"thread":...,"completeness":...}` and a line end. `depth_max` 0 is the post alone; a place at which something
/// is left out says how much under `more`.
///
/// # Errors
///
/// Whatever the writer says.
pub(crate) fn write(out: &mut impl Write, page: &ThreadPage, depth_max: Option<usize>) -> io::Result<()> {
    out.write_all(b"{\"thread\":")?;
    let places = places(&page.nodes, depth_max);
    if places.is_empty() {
        out.write_all(b"null")?;
    }
    let mut open = 0;
    for place in &places {
        if open > place.depth {
            close(out, open - place.depth)?;
            out.write_all(b",")?;
        }
        let head = json::line(&head(page, place));
        // The object stays open for its children.
        out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())?;
        out.write_all(b",\"children\":[")?;
        open = place.depth + 1;
    }
    close(out, open)?;
    let completeness = json::line(&page.completeness);
    writeln!(out, ",\"completeness\":{completeness},\"asked\":{}}}", json::line(&page.asked))
}

fn close(out: &mut impl Write, levels: usize) -> io::Result<()> {
    (0..levels).try_for_each(|_| out.write_all(b"]}"))
}

fn head<'a>(page: &'a ThreadPage, place: &Place<'a>) -> Head<'a> {
    let node = place.node;
    let is_post = place.depth == 0;
    Head {
        id: &node.id,
        board: is_post.then_some(&page.board),
        board_name: is_post.then_some(&page.board_name),
        board_look_alike: is_post.then_some(page.board_look_alike),
        missing: node.missing,
        title: is_post.then_some(&node.title),
        text: &node.text,
        link: node.link.as_deref(),
        tags: is_post.then_some(&node.tags),
        author: &node.author,
        name: node.name.as_deref(),
        look_alike: node.look_alike,
        created_ms: node.created_ms,
        edited: node.edited,
        retracted: node.retracted,
        hidden: node.hidden.as_ref(),
        votes: node.votes,
        unread: node.unread,
        mine: node.mine,
        more: place.more,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::super::samples::{hole, node, page};
    use super::*;
    use serde_json::Value;

    fn written(page: &ThreadPage, depth_max: Option<usize>) -> String {
        let mut out = Vec::new();
        write(&mut out, page, depth_max).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn answers_stand_in_their_parent_and_siblings_beside_each_other() {
        let nodes = vec![node("a", 0, "post"), node("b", 1, "x"), node("c", 2, "y"), node("d", 1, "z")];
        let json: Value = serde_json::from_str(&written(&page(nodes), None)).unwrap();
        let post = &json["thread"];
        assert_eq!(post["title"], "A title");
        assert_eq!(post["board"], "b".repeat(64));
        assert_eq!(post["children"][0]["text"], "x");
        assert_eq!(post["children"][0]["children"][0]["text"], "y");
        assert_eq!(post["children"][1]["text"], "z");
        assert_eq!(post["children"][1]["children"], serde_json::json!([]));
        assert!(post["children"][0].get("title").is_none());
        assert_eq!(json["completeness"]["peers_asked"], 3);
    }

    #[test]
    fn the_deepest_thread_of_the_network_is_written_whole() {
        let nodes = (0..=255).map(|depth| node("a", depth, &format!("level {depth}"))).collect();
        let text = written(&page(nodes), None);
        assert_eq!(text.matches("\"children\":[").count(), 256);
        let (mut depth, mut deepest) = (0_i32, 0);
        for c in text.chars() {
            depth += i32::from(matches!(c, '{' | '[')) - i32::from(matches!(c, '}' | ']'));
            deepest = deepest.max(depth);
        }
        assert_eq!(depth, 0);
        assert!(deepest >= 512);
        assert!(text.contains("level 255"));
    }

    #[test]
    fn a_hole_is_a_node_with_its_answers_below() {
        let nodes = vec![hole("a", 0), hole("b", 1), node("c", 2, "orphan")];
        let json: Value = serde_json::from_str(&written(&page(nodes), None)).unwrap();
        assert_eq!(json["thread"]["missing"], true);
        assert_eq!(json["thread"]["children"][0]["missing"], true);
        assert_eq!(json["thread"]["children"][0]["children"][0]["text"], "orphan");
        assert_eq!(json["completeness"]["missing"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_depth_limit_says_how_much_it_leaves_out() {
        let nodes = vec![node("a", 0, ""), node("b", 1, ""), node("c", 2, ""), node("d", 3, ""), node("e", 1, "")];
        let json: Value = serde_json::from_str(&written(&page(nodes), Some(1))).unwrap();
        assert_eq!(json["thread"]["children"][0]["more"], 2);
        assert_eq!(json["thread"]["children"][0]["children"], serde_json::json!([]));
        assert!(json["thread"]["children"][1].get("more").is_none());
    }

    #[test]
    fn words_of_strangers_can_do_nothing_to_a_screen() {
        let text = written(&page(vec![node("a", 0, "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}")]), None);
        assert!(!text.trim_end().chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
}
