//! What the reader's rules hide, in the lists of pages.

use super::with_page;
use roda_tests::forge::Forge;
use roda_tests::page::Browser;

/// What stands on a page before the first words that are hidden, and what from there on.
fn at_the_first_hidden(person: &Browser, path: &str) -> (String, String) {
    let page = person.get(path).body;
    let parts = page.split_once("<details class=\"hidden\"><summary>Show it</summary>");
    let (before, behind) = parts.unwrap_or_else(|| panic!("{path} hides nothing: {page}"));
    (before.to_owned(), behind.to_owned())
}

#[test]
fn what_a_rule_hides_says_which_rule_and_is_there_on_demand() {
    let node = with_page();
    let mut forge = Forge::new(node.network(), 5);
    let charter = forge.board("board");
    let board = charter.space();
    let post = forge.post(board, "Rabbits", "Long ears");
    let comment = forge.comment(board, post.id(), post.id(), "And short tails");
    node.follow(&board.to_string());
    node.import(&[charter, post, comment]);
    let person = Browser::of(&node);
    let author = forge.author().to_string();
    let page = format!("/author/{author}");
    assert!(!person.get(&page).body.contains("<details"), "nothing is hidden without a rule");

    let set = |what: &str, effect: &str| person.submit("/do/rule", &[("what", what), ("effect", effect)]).status;
    assert_eq!(set(&author, "mute"), 303);
    for path in ["/", &format!("/b/{board}"), &page] {
        let (before, behind) = at_the_first_hidden(&person, path);
        assert!(before.contains("you muted its author (@") && !before.contains("Rabbits"), "{path}: {before}");
        assert!(behind.contains("Rabbits"), "{path}: {behind}");
    }
    let (before, behind) = at_the_first_hidden(&person, &page);
    assert!(!before.contains("short tails") && behind.contains("short tails") && behind.contains("Long ears"));

    assert_eq!((set(&author, "none"), set("word:ears", "mute")), (303, 303));
    let (before, behind) = at_the_first_hidden(&person, &page);
    assert!(before.contains("you muted these words (word:ears)") && behind.contains("Long ears"), "{before}");
    // The comment is not hidden; the title of the post above it is.
    assert!(before.contains("short tails") && before.contains("(no title)") && !before.contains("Rabbits"), "{before}");
}

#[test]
fn the_inbox_says_that_a_rule_hides_something_and_shows_it_on_demand() {
    let node = with_page();
    let mut forge = Forge::new(node.network(), 6);
    let charter = forge.board("board");
    let board = charter.space();
    node.follow(&board.to_string());
    node.import(&[charter]);
    let own = node.written(&["post", &board.to_string(), "-t", "A question"]);
    let id = own.parse().expect("an id");
    node.import(&[forge.comment(board, id, id, "An answer with long ears")]);
    let person = Browser::of(&node);
    let page = person.get("/inbox").body;
    assert!(page.contains("long ears") && !page.contains("hidden=yes"), "{page}");

    let author = forge.author().to_string();
    assert_eq!(person.submit("/do/rule", &[("what", &author), ("effect", "mute")]).status, 303);
    let page = person.get("/inbox").body;
    assert!(!page.contains("long ears") && page.contains("Your rules hide some of what came."), "{page}");
    assert!(page.contains(r#"href="/inbox?hidden=yes""#), "{page}");
    let (before, behind) = at_the_first_hidden(&person, "/inbox?hidden=yes");
    assert!(before.contains("you muted its author (@") && !before.contains("long ears"), "{before}");
    assert!(behind.contains("long ears"), "{behind}");
}
