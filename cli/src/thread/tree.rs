//! A thread as an indented text for a person.

use super::{Place, places};
use crate::terminal::Look;
use crate::words;
use roda_node::api::dto::{Completeness, Hidden, ThreadNode, ThreadPage};
use roda_protocol::text::Untrusted;

/// Levels that are indented; a deeper comment says its depth instead, so that text keeps its width.
const INDENTED_LEVELS_MAX: usize = 8;

/// What stands before each line for each level of indentation.
const GUIDE: &str = "│ ";

/// The whole page: post, comments, and what may be missing.
#[must_use]
pub(crate) fn render(page: &ThreadPage, depth_max: Option<usize>, look: &Look) -> String {
    let mut lines = Vec::new();
    for place in places(&page.nodes, depth_max) {
        if place.depth == 0 {
            post(page, &place, look, &mut lines);
        } else {
            comment(&place, page.asked == place.node.id, look, &mut lines);
        }
    }
    lines.push(completeness(&page.completeness, look));
    lines.join("\n")
}

fn post(page: &ThreadPage, place: &Place<'_>, look: &Look, lines: &mut Vec<String>) {
    let node = place.node;
    let title = Untrusted::new(node.title.clone()).wrapped(look.text_columns(), "");
    if !title.trim().is_empty() {
        lines.extend(title.lines().map(|line| look.bold(line)));
    }
    let mut facts = vec![format!("in {}", words::board_among(&page.board, &page.board_name, page.board_look_alike))];
    if !node.missing {
        facts.push(format!("by {}", byline(node)));
    }
    facts.extend(marks(node, look));
    match page.rule.as_deref() {
        Some("watch") => facts.push("you watch it".to_owned()),
        Some("mute") => facts.push("you have muted it".to_owned()),
        _ => {}
    }
    facts.push(look.cyan(&words::short_id(&node.id)));
    lines.push(facts.join(" · "));
    if let Some(link) = &node.link {
        lines.push(format!("{} {}", look.dim("link"), words::line(link)));
    }
    if !node.tags.is_empty() {
        let tags: Vec<_> = node.tags.iter().map(|tag| words::line(tag)).collect();
        lines.push(format!("{} {}", look.dim("tags"), tags.join(", ")));
    }
    lines.push(String::new());
    let before = lines.len();
    body(node, "", look, lines);
    if lines.len() > before {
        lines.push(String::new());
    }
    below(place, "", look, lines);
}

fn comment(place: &Place<'_>, is_asked: bool, look: &Look, lines: &mut Vec<String>) {
    let node = place.node;
    let outer = GUIDE.repeat((place.depth - 1).min(INDENTED_LEVELS_MAX - 1));
    let inner = format!("{outer}{GUIDE}");
    let mut facts = Vec::new();
    if node.missing {
        facts.push(look.yellow("a comment that is not here yet"));
    } else {
        facts.push(look.bold(&byline(node)));
    }
    facts.extend(marks(node, look));
    facts.push(look.cyan(&words::short_id(&node.id)));
    if place.depth > INDENTED_LEVELS_MAX {
        facts.push(format!("depth {}", place.depth));
    }
    if is_asked {
        facts.push(look.yellow("← asked for"));
    }
    lines.push(format!("{}{}", look.dim(&outer), facts.join(" · ")));
    body(node, &inner, look, lines);
    below(place, &inner, look, lines);
    lines.push(look.dim(outer.trim_end()));
}

fn below(place: &Place<'_>, prefix: &str, look: &Look, lines: &mut Vec<String>) {
    if place.more > 0 {
        let left_out = format!("… {} more below", place.more);
        lines.push(format!("{}{}", look.dim(prefix), look.dim(&left_out)));
    }
}

fn byline(node: &ThreadNode) -> String {
    let author = words::author_among(&node.author, node.name.as_deref(), node.look_alike);
    if node.mine { format!("{author} (you)") } else { author }
}

/// Time, votes, and whether it is new or changed.
fn marks(node: &ThreadNode, look: &Look) -> Vec<String> {
    let mut marks = Vec::new();
    if !node.missing {
        marks.push(look.ago(node.created_ms));
    }
    if node.votes.up > 0 || node.votes.down > 0 {
        marks.push(format!("+{} -{}", node.votes.up, node.votes.down));
    }
    if let Some(edited_ms) = node.edited {
        marks.push(format!("edited {}", look.ago(edited_ms)));
    }
    if node.unread && !node.mine {
        marks.push(look.green("● new"));
    }
    marks
}

/// The words, or why there are none.
fn body(node: &ThreadNode, prefix: &str, look: &Look, lines: &mut Vec<String>) {
    if let Some(why) = absence(node) {
        lines.push(format!("{}{}", look.dim(prefix), look.dim(&why)));
        return;
    }
    if node.text.trim().is_empty() {
        return;
    }
    let wrapped = Untrusted::new(node.text.clone()).wrapped(look.text_columns(), prefix);
    for line in wrapped.lines() {
        // The guides are dimmed here and not before: escapes have no width.
        match line.strip_prefix(prefix) {
            Some(words) => lines.push(format!("{}{words}", look.dim(prefix))),
            None => lines.push(look.dim(line)),
        }
    }
}

fn absence(node: &ThreadNode) -> Option<String> {
    if node.missing {
        let what = if node.depth == 0 { "[the post is not here yet; its comments are below]" } else { "" };
        return (!what.is_empty()).then(|| what.to_owned());
    }
    if node.retracted {
        return Some("[taken back by its author]".to_owned());
    }
    // What the reader asked to see all the same has its words.
    node.hidden.as_ref().filter(|_| node.text.is_empty()).map(hidden_words)
}

/// By whom words are hidden, and why.
#[must_use]
pub(crate) fn hidden_words(hidden: &Hidden) -> String {
    let rule = words::line(hidden.rule.as_deref().unwrap_or_default());
    match hidden.why.as_str() {
        "dropped" => "[the words are not kept on this node]".to_owned(),
        "unreadable" => "[the author signed bytes that are no text]".to_owned(),
        "author" => format!("[hidden by you: {}]", words::author(&rule, None)),
        "thread" => "[hidden by you: this thread]".to_owned(),
        "text" => format!("[hidden by you: {rule}]"),
        "points" => format!("[hidden by you: {rule} points]"),
        other => format!("[hidden: {}]", words::line(other)),
    }
}

/// A post or comment by itself, each line behind a prefix.
pub(crate) fn alone(node: &ThreadNode, prefix: &str, look: &Look, lines: &mut Vec<String>) {
    let mut facts = vec![look.bold(&byline(node))];
    facts.extend(marks(node, look));
    facts.push(look.cyan(&words::short_id(&node.id)));
    lines.push(format!("{}{}", look.dim(prefix), facts.join(" · ")));
    if let Some(link) = &node.link {
        lines.push(format!("{}{} {}", look.dim(prefix), look.dim("link"), words::line(link)));
    }
    body(node, prefix, look, lines);
}

/// What is here, what is known to be missing, and with how many peers it was compared. Says no more than was measured.
#[must_use]
pub(crate) fn completeness(state: &Completeness, look: &Look) -> String {
    let missing = match state.missing.len() {
        0 => "none known missing".to_owned(),
        number => {
            let shown: Vec<_> = state.missing.iter().take(4).map(|id| words::short_id(id)).collect();
            let rest = if number > shown.len() { ", …" } else { "" };
            format!("{number} known missing ({}{rest})", shown.join(", "))
        }
    };
    let mut text = format!("{} held, {missing}", state.held);
    if state.declined > 0 {
        text.push_str(&format!("; {} of the board known and not stored, by this node's choice", state.declined));
    }
    if state.checked_ms == 0 || state.peers_asked == 0 {
        text.push_str("; not compared with any peer that is connected");
    } else {
        let (peers, compared) =
            if state.peers_asked == 1 { ("peer", "compared") } else { ("peers", "the oldest comparison") };
        text.push_str(&format!(
            "; the board was equal with {} of {} {peers}, {compared} {}",
            state.peers_equal,
            state.peers_asked,
            look.ago(state.checked_ms)
        ));
    }
    let wrapped = Untrusted::new(text).wrapped(look.text_columns(), "");
    wrapped.lines().map(|line| look.dim(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{hole, node, page};
    use super::*;
    use roda_node::api::dto::Votes;
    use unicode_width::UnicodeWidthStr as _;

    const LOOK: Look = Look { color: false, columns: Some(60), now_ms: 100_000 };

    #[test]
    fn a_thread_is_an_indented_text_that_ends_with_what_may_be_missing() {
        let mut reply = node("c", 2, "second");
        reply.votes = Votes { up: 3, down: 1 };
        let nodes = vec![node("a", 0, "words"), node("b", 1, "first"), reply, hole("d", 1), node("e", 2, "orphan")];
        let text = render(&page(nodes), None, &LOOK);
        let expected = "\
A title
in rust · by ann @kkkkkkkk · 1 min ago · aaaaaaaa

words

ann @kkkkkkkk · 1 min ago · bbbbbbbb
│ first

│ ann @kkkkkkkk · 1 min ago · +3 -1 · cccccccc
│ │ second
│
a comment that is not here yet · dddddddd

│ ann @kkkkkkkk · 1 min ago · eeeeeeee
│ │ orphan
│
4 held, 1 known missing (dddddddd); the board was equal with
2 of 3 peers, the oldest comparison 40 s ago";
        assert_eq!(text, expected);
    }

    #[test]
    fn deep_comments_keep_room_for_words_and_say_their_depth() {
        let nodes =
            (0..=255).map(|depth| node("a", depth, "a few words that need a little room on the screen")).collect();
        let text = render(&page(nodes), None, &LOOK);
        assert!(text.contains("depth 255"));
        let widest = text.lines().filter(|line| line.contains("words")).map(|line| line.width()).max();
        assert!(widest.is_some_and(|widest| widest <= 60), "{widest:?}");
    }

    #[test]
    fn absent_words_are_explained_in_words() {
        let mut retracted = node("b", 1, "");
        retracted.retracted = true;
        let mut dropped = node("c", 1, "");
        dropped.hidden = Some(Hidden { by: "node".into(), why: "dropped".into(), rule: None });
        let mut edited = node("d", 1, "new words");
        edited.edited = Some(95_000);
        let text = render(&page(vec![node("a", 0, ""), retracted, dropped, edited]), None, &LOOK);
        assert!(text.contains("[taken back by its author]"));
        assert!(text.contains("[the words are not kept on this node]"));
        assert!(text.contains("edited 5 s ago"));
    }

    #[test]
    fn a_limit_says_how_much_is_below() {
        let nodes = vec![node("a", 0, ""), node("b", 1, "x"), node("c", 2, "y"), node("d", 3, "z")];
        let text = render(&page(nodes), Some(1), &LOOK);
        assert!(text.contains("… 2 more below") && !text.contains("cccccccc"), "{text}");
    }

    #[test]
    fn nothing_is_claimed_that_was_not_compared() {
        let mut page = page(vec![node("a", 0, "")]);
        page.completeness.checked_ms = 0;
        let text = render(&page, None, &LOOK).replace('\n', " ");
        assert!(text.ends_with("1 held, none known missing; not compared with any peer that is connected"), "{text}");
    }

    #[test]
    fn words_of_strangers_bring_no_escapes() {
        let mut hostile = node("a", 0, "\u{1b}[2Jx\u{202e}y");
        hostile.title = "\u{1b}]0;t\u{7}".into();
        hostile.name = Some("\u{9b}31mroot".into());
        hostile.tags = vec!["\u{1b}[1m".into()];
        hostile.link = Some("https://x/\u{1b}".into());
        let text = render(&page(vec![hostile]), None, &LOOK);
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
}
