//! From a stranger's CommonMark to HTML that can do nothing but be read.
//!
//! Two walls: `comrak` renders without raw HTML, and `ammonia` lets through a short list of elements. Pictures become links;
//! nothing is ever loaded from elsewhere. Where a link leads is said beside it where its text does not say so (`hosts`). Text is
//! bounded by the protocol before it comes here.

use super::hosts::{host, host_beside};
use ammonia::Builder;
use comrak::nodes::{Node, NodeLink, NodeValue};
use comrak::{Arena, Options, format_html, parse_document};
use roda_protocol::text::Untrusted;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Nested quotes and lists beyond this many levels are shown as they were typed: deep nests cost time and say nothing.
const NESTING_MAX: usize = 32;

/// Links of a text whose words are compared with where they lead: pictures nest, and each is read with all that is in it. Beyond
/// this many each has its host beside it.
const LINKS_MAX: usize = 200;

/// Characters of a link's words that are compared: who reads that far sees that it is no address.
const LINK_WORDS_CHARS_MAX: usize = 1024;

/// Parts of a link that are compared.
const LINK_PARTS_MAX: usize = 256;

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    let tags = [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    builder
        .tags(HashSet::from(tags))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("nofollow ugc noopener noreferrer"));
    builder
});

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.render.escape = true;
    options.render.hardbreaks = true;
    options
}

/// The HTML of a text.
pub(crate) fn html(text: &str) -> String {
    // Marks that turn the reading direction around are shown, not obeyed.
    let text = Untrusted::new(text.to_owned()).block();
    if nesting(&text) > NESTING_MAX {
        return format!("<pre>{}</pre>", ammonia::clean_text(&text));
    }
    let arena = Arena::new();
    let options = options();
    let root = parse_document(&arena, &text, &options);
    // What is added below is not looked at again.
    let nodes: Vec<Node<'_>> = root.descendants().collect();
    let mut links = 0;
    for node in nodes {
        let mut data = node.data.borrow_mut();
        match &mut data.value {
            NodeValue::Image(link) => {
                let NodeLink { url, .. } = link.as_ref();
                data.value = NodeValue::Link(Box::new(NodeLink { url: url.clone(), title: String::new() }));
            }
            // The page has headings of its own above these.
            NodeValue::Heading(heading) => heading.level = heading.level.saturating_add(2).clamp(3, 6),
            _ => {}
        }
        let target = match &data.value {
            NodeValue::Link(link) => link.url.clone(),
            _ => continue,
        };
        drop(data);
        links += 1;
        let host = if links > LINKS_MAX {
            host(&target)
        } else {
            let words = words_of(node);
            if words.trim().is_empty() {
                // A link without words can't be seen, and is not read out.
                node.append(arena.alloc(NodeValue::Text(target.clone().into()).into()));
            }
            host_beside(&target, &words)
        };
        if let Some(host) = host {
            node.insert_after(arena.alloc(NodeValue::Text(format!(" ({host})").into()).into()));
        }
    }
    let mut rendered = String::new();
    if format_html(root, &options, &mut rendered).is_err() {
        return format!("<pre>{}</pre>", ammonia::clean_text(&text));
    }
    CLEANER.clean(&rendered).to_string()
}

/// The first words that stand in a part of a text.
fn words_of(part: Node<'_>) -> String {
    let mut words = String::new();
    for node in part.descendants().take(LINK_PARTS_MAX) {
        if words.len() > LINK_WORDS_CHARS_MAX {
            break;
        }
        match &node.data.borrow().value {
            NodeValue::Text(text) => words.extend(text.chars().take(LINK_WORDS_CHARS_MAX)),
            NodeValue::Code(code) => words.extend(code.literal.chars().take(LINK_WORDS_CHARS_MAX)),
            NodeValue::SoftBreak | NodeValue::LineBreak => words.push(' '),
            _ => {}
        }
    }
    words
}

/// A bound for how deep blocks of a text can nest: marks at the beginning of a line.
fn nesting(text: &str) -> usize {
    let marks = |line: &str| {
        let mut marks = 0;
        let mut indent = 0;
        for byte in line.bytes() {
            match byte {
                b'>' => marks += 1,
                b' ' => indent += 1,
                b'\t' => indent += 4,
                b'-' | b'*' | b'+' | b'0'..=b'9' | b'.' | b')' => marks += usize::from(!byte.is_ascii_digit()),
                _ => break,
            }
        }
        // A rule (`-----`) is a line of marks, too, and nests nothing.
        if line.trim().bytes().all(|byte| matches!(byte, b'-' | b'*' | b'_' | b' ')) { 0 } else { marks + indent / 2 }
    };
    text.lines().map(marks).max().unwrap_or(0)
}

/// Whether an address may stand in a link.
pub(crate) fn is_link(url: &str) -> bool {
    let lower = url.trim().to_ascii_lowercase();
    ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_rendered() {
        assert_eq!(html("a *b* **c**"), "<p>a <em>b</em> <strong>c</strong></p>\n");
        assert!(html("# Big").contains("<h3>Big</h3>"));
        assert!(html("- a\n- b").contains("<li>a</li>"));
        assert!(html("a\nb").contains("<br>"));
        assert!(html("|a|\n|-|\n|b|").contains("<td>b</td>"));
        assert!(html("https://example.org/x").contains("href=\"https://example.org/x\""));
        assert!(html("[x](https://example.org)").contains("rel=\"nofollow ugc noopener noreferrer\""));
    }

    #[test]
    fn where_a_link_leads_is_said_where_its_text_would_not_say_so() {
        assert!(html("[login](https://pаypal.com/)").ends_with("login</a> (xn--pypal-4ve.com)</p>\n"));
        assert!(html("https://пример.рф/").ends_with("</a> (xn--e1afmkfd.xn--p1ai)</p>\n"));
        assert!(html("[**bank.example**](https://evil.example/)").ends_with("</a> (evil.example)</p>\n"));
        assert!(html("[`bank.example`](https://evil.example/)").contains("</a> (evil.example)"));
        assert!(html("![bank.example](https://evil.example/p.png)").contains("</a> (evil.example)"));
        assert!(html("[words](https://example.org/)").ends_with("words</a></p>\n"));
        assert!(html("https://example.org/ and ana@example.org").matches("(").count() == 0);
        assert!(html("[](https://example.org/)").contains(">https://example.org/</a>"));
        let many = "[words](https://example.org/) ".repeat(LINKS_MAX + 1);
        assert_eq!(html(&many).matches("</a> (example.org)").count(), 1, "beyond the bound each has it");
        // What can't be a link has no host, and no tag of the host's making comes through.
        assert!(!html("[bank.example](javascript:alert(1))").contains('('));
        assert!(!html("[x](https://<b>.example/)").contains("<b>"));
    }

    #[test]
    fn pictures_become_links() {
        let shown = html("![a cat](https://example.org/cat.png)");
        assert!(shown.contains("<a href=\"https://example.org/cat.png\"") && shown.contains("a cat"), "{shown}");
        assert!(!shown.contains("<img"));
    }

    #[test]
    fn nothing_that_acts_gets_through() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:x)",
            "<javascript:alert(1)>",
            "![x](javascript:alert(1))",
            "[a]: javascript:alert(1)\n[a]",
            "<svg onload=alert(1)>",
            "<math><mi xlink:href=\"javascript:alert(1)\">",
            "`<script>`\n```<script>\n</script>\n```",
            "[x](//evil.example)",
            "[x](/do/retract/1)",
            "<a href=\"x\" style=\"position:fixed\">x</a>",
            "\u{202e}evil",
        ] {
            let shown = html(text);
            // What stands in angle brackets is what a browser obeys; the rest is words.
            let tags: String = shown.split('<').skip(1).filter_map(|part| part.split('>').next()).collect();
            let tags = tags.to_ascii_lowercase();
            for bad in ["script", "img", "svg", "math", "data:", "vbscript", "style", "onerror", "onload", "href=\"/"] {
                assert!(!tags.contains(bad), "{text:?} gave {shown:?}");
            }
            assert!(!shown.contains('\u{202e}'));
        }
    }

    #[test]
    fn a_tower_of_quotes_is_shown_as_it_was_typed() {
        let text = ">".repeat(10_000);
        assert!(html(&text).starts_with("<pre>"));
        assert!(html(&"- ".repeat(5_000)).len() < 100_000);
        assert!(html("---\n\ntext").contains("<hr>"));
    }
}
