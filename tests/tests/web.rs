//! The web page of a real node: who is let in, what a person without scripts can do, what strangers' words can't.

#[path = "web/deeds.rs"]
mod deeds;
#[path = "web/hidden.rs"]
mod hidden;
#[path = "web/outside.rs"]
mod outside;
#[path = "web/words.rs"]
mod words;

use roda_tests::cluster::{Place, TestNode, network_name};
use roda_tests::page::{Browser, FORM, encoded};
use roda_tests::wait::{DEADLINE, eventually};
use serde_json::json;

fn with_page() -> TestNode {
    TestNode::start_at(&network_name(), Place::with_page(), &[])
}

#[test]
fn the_door_opens_with_a_fresh_link_once_and_with_nothing_else() {
    let node = with_page();
    let first = node.ready()["web"].as_str().expect("a login link").to_owned();
    let path = &first[first.find("/login").unwrap()..];
    let stranger = Browser::at(&first);
    for page in ["/", "/t/abcd", "/settings", "/node", "/nothing", "/inbox"] {
        let answer = stranger.get(page);
        assert_eq!(answer.status, 401, "{page}");
        assert!(answer.body.contains("roda web"), "{page}: {}", answer.body);
    }
    let refused = stranger.get("/api/v1/status");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("not_logged_in"));
    assert_eq!(stranger.get("/login/0000").status, 403);

    let mut person = stranger.clone();
    let answer = person.get(path);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    person.take_cookie(&answer);
    assert_eq!(person.get("/").status, 200);
    assert_eq!(stranger.get(path).status, 403, "a link works once");

    let other = with_page();
    let elsewhere = Browser::of(&other).with_cookie_of(&person);
    assert_eq!(elsewhere.get("/").status, 401, "a cookie of one node opens no other");

    let left = person.submit("/do/log-out", &[]);
    assert_eq!(left.status, 200);
    assert_eq!(person.get("/").status, 401, "who left is out");
}

#[test]
fn a_session_outlives_a_restart_of_the_node() {
    let mut node = with_page();
    let before = Browser::of(&node);
    node.restart();
    let after = Browser::at(node.ready()["web"].as_str().unwrap()).with_cookie_of(&before);
    assert_eq!(after.get("/").status, 200);
}

#[test]
fn requests_from_elsewhere_are_refused() {
    let node = with_page();
    let person = Browser::of(&node);
    let token = person.form_token();
    let body = encoded(&[("form", &token), ("name", "lounge")]);
    let open = |headers: &[(&str, &str)], body: &str| person.ask("POST", "/do/open", headers, body).status;

    for host in ["evil.example", "127.0.0.1", "localhost:1", "192.0.2.1:7717"] {
        assert_eq!(person.ask("GET", "/", &[("host", host)], "").status, 421, "{host}");
    }
    let named = person.ask("GET", "/", &[("host", "evil.example")], "");
    assert!(named.body.contains("web.allowed_hosts"), "the refusal names the setting");
    for site in ["cross-site", "same-site"] {
        assert_eq!(open(&[("sec-fetch-site", site), FORM], &body), 403, "{site}");
    }
    assert_eq!(open(&[("origin", "http://evil.example"), FORM], &body), 403);
    assert_eq!(open(&[("origin", "null"), FORM], &body), 403);
    assert_eq!(open(&[("sec-fetch-site", "same-origin"), FORM], &encoded(&[("name", "lounge")])), 403, "no token");
    let strange = encoded(&[("form", &"0".repeat(64)), ("name", "lounge")]);
    assert_eq!(open(&[("sec-fetch-site", "same-origin"), FORM], &strange), 403, "a wrong token");
    let other = Browser::of(&node).form_token();
    let stale = encoded(&[("form", &other), ("name", "lounge")]);
    assert_eq!(open(&[("sec-fetch-site", "same-origin"), FORM], &stale), 403, "another session's token");
    assert_eq!(node.json(&["boards"]), [] as [serde_json::Value; 0], "nothing was done");

    assert_eq!(person.get("/do/open").status, 405, "reading changes nothing");
    let json = ("content-type", "application/json");
    let call = json!({ "name": "lounge" }).to_string();
    let api = |headers: &[(&str, &str)]| person.ask("POST", "/api/v1/boards/open", headers, &call).status;
    assert_eq!(api(&[json]), 403, "the API asks for the token, too");
    assert_eq!(api(&[json, ("sec-fetch-site", "cross-site"), ("x-roda-form", &token)]), 403);
    assert_eq!(api(&[json, ("sec-fetch-site", "same-origin"), ("x-roda-form", &token)]), 200);

    let large = encoded(&[("form", &token), ("text", &"x".repeat(400 * 1024))]);
    assert_eq!(person.ask("POST", "/post", &[("sec-fetch-site", "same-origin"), FORM], &large).status, 413);
}

#[test]
fn a_program_comes_in_with_the_token_of_the_home_and_not_with_another() {
    let node = with_page();
    let program = Browser::at(node.ready()["web"].as_str().unwrap());
    let token = std::fs::read_to_string(node.home().join("api.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    assert_eq!(program.ask("GET", "/api/v1/status", &[("authorization", &bearer)], "").status, 200);
    for wrong in ["Bearer 00", "Bearer ", "Basic x"] {
        assert_eq!(program.ask("GET", "/api/v1/status", &[("authorization", wrong)], "").status, 401, "{wrong}");
    }
    let body = json!({ "name": "lounge" }).to_string();
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    assert_eq!(program.ask("POST", "/api/v1/boards/open", &headers, &body).status, 200);
    for path in ["/api/v1/key", "/api/v1/identity/export", "/api/v1/author.key", "/assets/..%2fauthor.key"] {
        assert_eq!(program.ask("GET", path, &[("authorization", &bearer)], "").status, 404, "{path}");
    }
}

#[test]
fn a_flood_of_strangers_neither_slows_a_session_down_nor_keeps_a_link_from_working() {
    let node = with_page();
    let link = node.object(&["web"])["url"].as_str().unwrap().to_owned();
    let (person, stranger) = (Browser::of(&node), Browser::at(&link));
    for path in ["/", "/login/0000", "/assets/style.css"] {
        let flood = (0..5000).map(|_| stranger.get(path).status);
        assert!(flood.into_iter().any(|status| status == 429), "strangers have a budget: {path}");
    }
    // More than strangers have at once.
    for _ in 0..100 {
        let _ = stranger.get("/");
        assert_eq!(person.get("/api/v1/identity").status, 200);
    }
    assert_eq!(stranger.get(&link[link.find("/login").unwrap()..]).status, 303);
}

#[test]
fn every_answer_forbids_what_is_not_ours() {
    let node = with_page();
    let person = Browser::of(&node);
    for path in ["/", "/boards", "/nothing", "/api/v1/status", "/login/0", "/assets/style.css"] {
        let answer = person.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    assert_eq!(person.get("/").header("cache-control"), Some("no-store"));
}

#[test]
fn a_person_without_scripts_reads_and_writes() {
    let node = with_page();
    let person = Browser::of(&node);
    assert_eq!(person.submit("/do/open", &[("name", "lounge")]).status, 303);
    let board = node.json(&["boards"])[0]["board"].as_str().unwrap().to_owned();

    let words = [("board", board.as_str()), ("title", "A title & more"), ("text", "Some *words*"), ("tags", "one two")];
    let preview = person.submit("/post", &[&words[..], &[("act", "preview")]].concat());
    assert!(preview.body.contains("<em>words</em>") && preview.body.contains("A title &#38; more"), "{}", preview.body);
    let kept = person.submit("/post", &[&words[..], &[("act", "draft")]].concat());
    assert_eq!(kept.status, 200);
    assert!(person.get("/post").body.contains("Some *words*"), "the draft is there again");
    assert_eq!(node.json(&["feed"]).len(), 0, "nothing was published yet");
    let untitled = person.submit("/post", &[("board", &board), ("title", " "), ("text", "kept")]);
    assert_eq!(untitled.status, 400);
    assert!(untitled.body.contains("kept"), "what was typed is not lost");

    let posted = person.submit("/post", &[&words[..], &[("act", "publish")]].concat());
    assert_eq!(posted.status, 303, "{}", posted.body);
    let thread = posted.header("location").unwrap().to_owned();
    assert!(!person.get("/post").body.contains("Some *words*"), "the draft is gone");
    let page = person.get(&thread);
    assert!(page.body.contains("<em>words</em>") && page.body.contains("no other node has it yet"), "{}", page.body);
    let id = thread.strip_prefix("/t/").unwrap();

    let answered = person.submit(&format!("/reply/{id}"), &[("text", "An answer\r\nin two lines")]);
    assert_eq!(answered.status, 303, "{}", answered.body);
    let page = person.get(&thread);
    assert!(page.body.contains("An answer<br>\nin two lines") && page.body.contains("1 comment"), "{}", page.body);
    let read = node.object(&["read", id]);
    let answer = read["thread"]["children"][0]["id"].as_str().unwrap().to_owned();

    assert_eq!(person.submit(&format!("/do/vote/{answer}"), &[("value", "1"), ("back", &thread)]).status, 303);
    assert!(person.get(&thread).body.contains("aria-pressed=\"true\""));
    let again = person.submit(&format!("/do/vote/{answer}"), &[("value", "1"), ("back", "//evil.example/")]);
    assert_eq!(again.header("location"), Some("/"), "nobody is sent elsewhere");
    assert!(!person.get(&thread).body.contains("aria-pressed=\"true\""), "the same vote once more withdraws it");

    assert!(person.get(&format!("/edit/{answer}")).body.contains("An answer"));
    assert_eq!(person.submit(&format!("/edit/{answer}"), &[("text", "Changed")]).status, 303);
    let history = person.get(&format!("/history/{answer}")).body;
    assert!(history.contains("Changed") && history.contains("An answer"), "{history}");
    assert!(person.get(&format!("/retract/{answer}")).body.contains("for good"));
    assert_eq!(person.submit(&format!("/do/retract/{answer}"), &[]).status, 303);
    let page = person.get(&thread).body;
    assert!(page.contains("Taken back by its author") && !page.contains("Changed"), "{page}");
    assert_eq!(person.get(&format!("/history/{answer}")).status, 404);
    let kept = node.json(&["export"]).iter().map(ToString::to_string).collect::<String>();
    assert!(
        !kept.contains("Changed") && !kept.contains("An answer"),
        "what it said before its edit is gone, too: {kept}"
    );

    for page in ["/", "/boards", "/inbox", "/search", "/node", "/settings", "/help", "/power", "/rules", "/post"] {
        assert_eq!(person.get(page).status, 200, "{page}");
    }
    for path in [format!("/b/{board}"), format!("/b/{board}/log"), format!("/why/{id}")] {
        assert_eq!(person.get(&path).status, 200, "{path}");
    }
    assert_eq!(person.get("/nothing").status, 404);
    assert_eq!(person.get(&format!("/t/{}", "0".repeat(64))).status, 404);
}

#[test]
fn the_chosen_order_says_its_formula_and_a_rule_about_a_thread_is_shown_and_undone() {
    let node = with_page();
    let person = Browser::of(&node);
    let board = node.found("garden");
    let thread = format!("/t/{}", node.post(&board, "Beans"));
    for sort in ["new", "active", "hot", "balanced", "top"] {
        let page = person.get(&format!("/?sort={sort}")).body;
        assert!(page.contains("<summary>") && page.contains("<p class=\"formula\"><code>"), "{sort}: {page}");
    }
    let id = &thread["/t/".len()..];
    for (effect, words) in [("watch", "You watch this thread"), ("mute", "You muted this thread")] {
        let set = |effect| person.submit("/do/rule", &[("what", id), ("effect", effect), ("back", &thread)]);
        assert_eq!(set(effect).header("location"), Some(thread.as_str()));
        assert!(person.get(&thread).body.contains(words), "{effect}");
        assert_eq!(set("none").status, 303);
        assert!(!person.get(&thread).body.contains(words), "{effect} is undone");
    }
}

#[test]
fn whoever_has_an_answer_of_the_api_already_gets_no_second_copy() {
    let node = with_page();
    let person = Browser::of(&node);
    let board = node.found("garden");
    let path = format!("/api/v1/feed?board={board}");
    let first = person.get(&path);
    let tag = first.header("etag").expect("a tag").to_owned();
    let again = person.ask("GET", &path, &[("if-none-match", &tag)], "");
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));
    node.post(&board, "Beans");
    let changed = person.ask("GET", &path, &[("if-none-match", &tag)], "");
    assert!(changed.status == 200 && changed.body.contains("Beans"), "{changed:?}");
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    assert_eq!(person.get("/api/v1/threads/ffff").header("etag"), None, "an error is asked for again");
}

#[test]
fn the_page_of_the_node_says_how_complete_boards_are() {
    let node = with_page();
    let other = TestNode::start(node.network());
    let board = node.found("garden");
    let person = Browser::of(&node);
    assert!(person.get("/node").body.contains("<td>—</td>"), "nobody was asked");
    other.follow(&board);
    other.connect(&node);
    eventually("a comparison", DEADLINE, || person.get("/node").body.contains("<td>1/1</td>").then_some(()));
}

#[test]
fn the_page_of_power_has_plots_and_tables_of_a_time_and_a_board() {
    let node = with_page();
    let person = Browser::of(&node);
    let board = node.found("garden");
    node.post(&board, "Beans");
    let page = person.get("/power").body;
    assert!(page.contains("<svg class=\"plot\"") && page.contains("role=\"img\"") && page.contains("Gini"), "{page}");
    assert!(page.contains("<option value=\"30\" selected>") && !page.contains("If a peer were gone"), "{page}");
    let of_board = person.get(&format!("/power?days=7&board={board}"));
    assert!(of_board.body.contains("<option value=\"7\" selected>") && of_board.body.contains(&board));
    assert_eq!(person.get("/power?days=0").status, 400);
    assert_eq!(person.get("/power?days=x").status, 400);
    assert_eq!(person.get("/power?board=nowhere").status, 404);
}

#[test]
fn a_person_searches_with_filters_and_sees_where_the_words_stand() {
    let node = with_page();
    node.object(&["board", "open", "lounge"]);
    let post = node.written(&["post", "lounge", "-t", "Muitas discussões", "-m", "Running from <b>frost</b> & snails"]);
    for at in 0..21 {
        node.reply(&post, &format!("snail {at}"));
    }
    // Search is a second behind.
    eventually("the index has them all", DEADLINE, || (node.object(&["search", "snail"])["found"] == 22).then_some(()));
    let person = Browser::of(&node);
    let page = person.get("/search?words=run+discussao").body;
    assert!(page.contains("Muitas <mark>discussões</mark>") && page.contains("1 found"), "{page}");
    assert!(page.contains("<mark>Running</mark> from &#60;b&#62;frost&#60;/b&#62; &#38; snails"), "{page}");

    let first = person.get("/search?words=snails&board=lounge&author=&since=&until=&sort=new").body;
    assert!(first.contains("22 found") && first.contains("Next page"), "{first}");
    let next = first.split("rel=\"next\" data-key=\"page\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let second = person.get(&next.expect("a next page").replace("&#38;", "&").replace("&amp;", "&")).body;
    assert_eq!((first.matches("<article").count(), second.matches("<article").count()), (20, 2));
    assert!(!second.contains("Next page"), "{second}");

    assert!(person.get("/search?words=nowhere").body.contains("Nothing was found"));
    let unreadable = person.get("/search?words=%22open");
    assert_eq!(unreadable.status, 400);
    assert!(
        unreadable.body.contains("a quotation mark has no second one")
            && unreadable.body.contains("value=\"&#34;open\"")
    );
    assert_eq!(person.get("/search?words=x&since=yesterday").status, 400);
    assert_eq!(person.get("/search?words=x&board=nowhere").status, 404);
    let portuguese = person.ask("GET", "/search?words=nowhere", &[("accept-language", "pt")], "").body;
    assert!(portuguese.contains("Nada foi encontrado") && portuguese.contains("0 encontrados"), "{portuguese}");
}

#[test]
fn the_page_speaks_the_language_that_the_reader_chose_else_the_browsers() {
    let node = with_page();
    let person = Browser::of(&node);
    let portuguese = person.ask("GET", "/", &[("accept-language", "pt-BR,en;q=0.5")], "");
    assert!(portuguese.body.contains("<html lang=\"pt\"") && portuguese.body.contains("Nova publicação"));
    assert!(person.get("/").body.contains("<html lang=\"en\""));
    assert_eq!(person.submit("/settings", &[("language", "pt"), ("theme", "dark"), ("keys", "on")]).status, 303);
    let page = person.get("/").body;
    assert!(page.contains("<html lang=\"pt\" data-theme=\"dark\"") && page.contains("data-keys=\"on\""), "{page}");
}

#[test]
fn a_deep_thread_goes_on_at_a_page_of_its_own_and_a_long_one_has_pages() {
    let node = with_page();
    node.object(&["board", "open", "lounge"]);
    let post = node.object(&["post", "lounge", "-t", "Deep", "-m", "x"])["id"].as_str().unwrap().to_owned();
    let mut parent = post.clone();
    for level in 1..=10 {
        let words = format!("level {level}");
        parent = node.object(&["reply", &parent, "-m", &words])["id"].as_str().unwrap().to_owned();
    }
    let person = Browser::of(&node);
    let page = person.get(&format!("/t/{post}")).body;
    assert!(page.contains("level 8") && !page.contains("level 9"), "{page}");
    assert!(page.contains("Continue this branch") && page.contains("2 replies"), "{page}");
    let branch = person.get(&format!("/t/{parent}")).body;
    assert!(branch.contains("level 10") && branch.contains("one branch of a thread"), "{branch}");
}

#[test]
fn words_of_strangers_stay_words() {
    let node = with_page();
    node.object(&["board", "open", "lounge"]);
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    let post =
        node.object(&["post", "lounge", "-t", attack, "-m", attack, "--tag", "<b>", "--link", "https://a.example/"]);
    let id = post["id"].as_str().unwrap();
    node.object(&[
        "reply",
        id,
        "-m",
        "[x](javascript:alert(1)) ![y](https://evil.example/p.png) <iframe src=//evil.example>",
    ]);
    eventually("the index has both", DEADLINE, || (node.object(&["search", "alert"])["found"] == 2).then_some(()));
    let person = Browser::of(&node);
    for path in [
        "/".to_owned(),
        "/search?words=alert".to_owned(),
        format!("/t/{id}"),
        format!("/why/{id}"),
        format!("/reply/{id}"),
        format!("/edit/{id}"),
    ] {
        let page = person.get(&path).body;
        for bad in ["<script>alert", "<img src=x", "<iframe", "href=\"javascript", "<b>"] {
            assert!(!page.contains(bad), "{path} has {bad}: {page}");
        }
        assert!(!page.contains("src=\"http"), "{path} loads from elsewhere");
    }
}

#[test]
fn a_name_that_looks_like_another_is_marked_wherever_it_stands() {
    let network = network_name();
    let [mine, theirs] = std::array::from_fn(|_| TestNode::start_at(&network, Place::with_page(), &[]));
    mine.connect(&theirs);
    for node in [&mine, &theirs] {
        node.object(&["board", "open", "lounge"]);
    }
    mine.object(&["id", "name", "Ana"]);
    theirs.object(&["id", "name", "AnA"]);
    let post = mine.written(&["post", "lounge", "-t", "Names", "-m", "x"]);
    theirs.sync();
    let answer = theirs.reply(&post, "words");
    mine.sync();
    // A name follows its author's first words.
    let read = eventually("the other's name", DEADLINE, || {
        let read = mine.object(&["read", &post]);
        (read["thread"]["children"][0]["name"] == "AnA").then_some(read)
    });
    assert_eq!(read["thread"]["look_alike"], false, "nobody is warned of the own name");
    assert_eq!(read["thread"]["children"][0]["look_alike"], true);
    assert_eq!(mine.object(&["why", &answer])["look_alike"], true);
    assert_eq!(mine.json(&["inbox", "--all"])[0]["look_alike"], true);
    let author = read["thread"]["children"][0]["author"].as_str().unwrap();
    for path in [format!("/t/{post}"), format!("/author/{author}"), "/inbox".to_owned()] {
        assert!(Browser::of(&mine).get(&path).body.contains("⚠"), "{path}");
    }
    let person = String::from_utf8(mine.command().args(["read", &post]).output().unwrap().stdout).unwrap();
    assert!(person.contains(" ⚠ · "), "{person}");
    mine.object(&["follow", author]);
    assert!(!Browser::of(&mine).get(&format!("/t/{post}")).body.contains("⚠"), "nor of whom one follows");
}

#[test]
fn a_browser_hears_of_news_with_ids() {
    let node = with_page();
    node.object(&["board", "open", "lounge"]);
    let person = Browser::of(&node);
    let mut news = person.listen("/api/v1/events", None);
    let post = node.object(&["post", "lounge", "-t", "News", "-m", "x"]);
    let (id, event, data) = news.next_event();
    assert_eq!((event.as_str(), &data["id"]), ("admitted", &post["id"]));
    // What came while nobody listened is told to who names the last that was heard.
    drop(news);
    let second = node.object(&["post", "lounge", "-t", "More", "-m", "x"]);
    let mut news = person.listen("/api/v1/events", Some(&id));
    assert_eq!(news.next_event().2["id"], second["id"]);
}

#[test]
fn a_taken_address_is_refused_with_what_to_do() {
    let taken = with_page();
    let address = taken.ready()["web"].as_str().unwrap().split('/').nth(2).unwrap().to_owned();
    let home = tempfile::tempdir().unwrap();
    let mut up = std::process::Command::new(roda_tests::roda_binary());
    up.arg("--home").arg(home.path()).args(["up", "--network", &network_name(), "--mdns", "off", "--web", &address]);
    let refused = up.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--web 127.0.0.1:0"), "{refused:?}");
}

/// An address of a feed that a page names in its head.
fn feed_of(person: &Browser, page: &str) -> String {
    let body = person.get(page).body;
    let link =
        body.split("<link ").find(|link| link.contains("application/atom+xml")).expect("the page names its feed");
    let address = link.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("with its address");
    address.to_owned()
}

/// A feed as a reader of feeds has it: entries with title, author's name, and content.
fn read_feed(text: &str) -> (xmltree::Element, Vec<[String; 3]>) {
    let feed = xmltree::Element::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((feed.name.as_str(), feed.namespace.as_deref()), ("feed", Some("http://www.w3.org/2005/Atom")));
    let said = |of: &xmltree::Element, name: &str| -> String {
        let child = of.get_child(name).unwrap_or_else(|| panic!("{name} is missing: {text}"));
        child.get_text().unwrap_or_default().into_owned()
    };
    for name in ["id", "title", "updated"] {
        assert!(!said(&feed, name).is_empty(), "{name} is empty: {text}");
    }
    let entries = feed.children.iter().filter_map(xmltree::XMLNode::as_element).filter(|child| child.name == "entry");
    let entry = |entry: &xmltree::Element| {
        assert!(said(entry, "id").starts_with("urn:roda:event:"), "{text}");
        assert!(said(entry, "updated").ends_with('Z') && said(entry, "published").ends_with('Z'));
        let author = entry.get_child("author").expect("an author");
        [said(entry, "title"), said(author, "name"), said(entry, "content")]
    };
    let entries = entries.map(entry).collect();
    (feed, entries)
}

#[test]
fn boards_threads_authors_and_the_inbox_have_feeds_with_a_secret_of_their_own() {
    let node = with_page();
    node.object(&["board", "open", "lounge"]);
    node.object(&["id", "name", "Ana"]);
    let board = node.json(&["boards"])[0]["board"].as_str().unwrap().to_owned();
    let post = node.object(&["post", "lounge", "-t", "Tea & cake", "-m", "Some *words*", "--tag", "tea"]);
    let id = post["id"].as_str().unwrap().to_owned();
    let answer = node.object(&["reply", &id, "-m", "An answer"])["id"].as_str().unwrap().to_owned();
    let person = Browser::of(&node);
    let author = node.object(&["id", "show"])["author"].as_str().unwrap().to_owned();
    // A program without a cookie.
    let reader = Browser::at(node.ready()["web"].as_str().unwrap());
    let pages = [format!("/b/{board}"), format!("/t/{id}"), format!("/author/{author}"), "/inbox".to_owned()];
    let feeds = pages.each_ref().map(|page| feed_of(&person, page));
    for (feed, page) in feeds.iter().zip(&pages) {
        let answer = reader.get(feed);
        assert_eq!(answer.status, 200, "{feed}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/atom+xml; charset=utf-8"));
        let (parsed, _) = read_feed(&answer.body);
        let links: Vec<_> = parsed.children.iter().filter_map(xmltree::XMLNode::as_element).collect();
        let shows = |link: &&&xmltree::Element| link.attributes.get("rel").is_some_and(|rel| rel == "alternate");
        let alternate = links.iter().find(shows).and_then(|link| link.attributes.get("href")).unwrap();
        assert!(alternate.starts_with("http://127.0.0.1:") && alternate.ends_with(page.as_str()), "{alternate}");
        // The address opens this and nothing else, and nothing else opens it.
        let (path, key) = feed.split_once("?key=").unwrap();
        assert_eq!(reader.get(path).status, 403);
        assert_eq!(person.get(&format!("{path}?key={}", "0".repeat(64))).status, 403, "a cookie is no address");
        assert_eq!(reader.get(&format!("{page}?key={key}")).status, 401);
        assert_eq!(reader.ask("GET", feed, &[("host", "evil.example")], "").status, 421);
        assert_eq!(reader.ask("POST", feed, &[], "").status, 405);
        // Who has it already hears so.
        let tag = answer.header("etag").unwrap().to_owned();
        assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
        let again = reader.ask("GET", feed, &[("if-none-match", &tag)], "");
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));
    }
    let name = |entry: &[String; 3]| entry[1].clone();
    let (_, of_board) = read_feed(&reader.get(&feeds[0]).body);
    assert_eq!(of_board.len(), 1);
    assert_eq!((of_board[0][0].as_str(), of_board[0][2].trim()), ("Tea & cake", "<p>Some <em>words</em></p>"));
    assert_eq!(name(&of_board[0]), format!("Ana {}", &author[..9]), "a name is never alone");
    for feed in &feeds[1..3] {
        let (_, entries) = read_feed(&reader.get(feed).body);
        let titles: Vec<_> = entries.iter().map(|entry| entry[0].as_str()).collect();
        assert_eq!(titles, ["Answer in: Tea & cake", "Tea & cake"], "the newest first");
    }
    let (_, inbox) = read_feed(&reader.get(&feeds[3]).body);
    assert_eq!(inbox.len(), 0, "nobody has answered");

    // What changes is told, under the same id.
    let tag = reader.get(&feeds[1]).header("etag").unwrap().to_owned();
    node.object(&["edit", &answer, "-m", "Changed"]);
    node.object(&["retract", &id]);
    let changed = reader.ask("GET", &feeds[1], &[("if-none-match", &tag)], "");
    let (_, entries) = read_feed(&changed.body);
    assert!(entries[0][2].contains("Changed") && entries[1][2].contains("Taken back by its author"), "{entries:?}");
    assert!(!changed.body.contains("Some"), "{}", changed.body);
    node.object(&["mute", &id]);
    assert_eq!(read_feed(&reader.get(&feeds[1]).body).1.len(), 0, "what rules hide is left out");

    // Addresses that were given away can be ended.
    assert_eq!(person.submit("/do/feeds/renew", &[]).status, 303);
    assert_eq!(reader.get(&feeds[0]).status, 403);
    let anew = feed_of(&person, &pages[0]);
    assert_eq!(reader.get(&anew).status, 200);
}

#[test]
fn whatever_strangers_write_a_feed_stays_xml_and_its_words_stay_words() {
    let node = with_page();
    let forge_of = roda_tests::forge::Forge::new(node.network(), 5);
    let mut forge = forge_of;
    let attacks = [
        "]]></content></entry><script>alert(1)</script>",
        "\"><script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
        "&amp;&#0;&#x1;&undefined; <?php ?> <!-- -- -->",
        "a\u{0}b\u{1}\u{8}\u{b}\u{c}\u{e}\u{1b}[31m\u{1f}\u{7f}\u{85}\u{9b}c",
        "\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}\u{feff}\u{202e}\u{2028}",
        "[x](javascript:alert(1)) ![y](https://evil.example/p.png) <iframe src=//evil.example>",
    ];
    let charter = forge.board("board");
    let board = charter.space();
    let posts: Vec<_> = attacks.iter().map(|attack| forge.post(board, attack, attack)).collect();
    let answers: Vec<_> =
        attacks.iter().map(|attack| forge.comment(board, posts[0].id(), posts[0].id(), attack)).collect();
    node.follow(&board.to_string());
    node.import(&[vec![charter], posts.clone(), answers].concat());
    let person = Browser::of(&node);
    let author = forge.author().to_string();
    for page in [format!("/b/{board}"), format!("/t/{}", posts[0].id()), format!("/author/{author}")] {
        let answer = person.get(&feed_of(&person, &page));
        assert_eq!(answer.status, 200, "{page}: {}", answer.body);
        let (_, entries) = read_feed(&answer.body);
        assert!(entries.len() >= attacks.len(), "{page}");
        for [title, name, html] in entries {
            let tags: String = html.split('<').skip(1).filter_map(|part| part.split('>').next()).collect();
            for bad in ["script", "iframe", "img", "!doctype", "javascript:"] {
                assert!(!tags.to_ascii_lowercase().contains(bad), "{page} has {bad}: {html}");
            }
            for text in [&title, &name] {
                assert!(!text.chars().any(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
            }
        }
    }
}
