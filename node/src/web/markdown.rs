//! From a stranger's CommonMark to HTML that can do nothing but be read.
//!
//! Two walls: `comrak` renders without raw HTML, and `ammonia` lets through a short list of elements. Pictures become links;
//! nothing is ever loaded from elsewhere. Text is bounded by the protocol before it comes here.

use ammonia::Builder;
use comrak::nodes::{NodeLink, NodeValue};
use comrak::{Arena, Options, format_html, parse_document};
use roda_protocol::text::Untrusted;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Nested quotes and lists beyond this many levels are shown as they were typed: deep nests cost time and say nothing.
const NESTING_MAX: usize = 32;

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
    for node in root.descendants() {
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
    }
    let mut rendered = String::new();
    if format_html(root, &options, &mut rendered).is_err() {
        return format!("<pre>{}</pre>", ammonia::clean_text(&text));
    }
    CLEANER.clean(&rendered).to_string()
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
