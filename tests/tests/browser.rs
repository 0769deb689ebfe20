//! The web page in a real browser, driven as a person would: `tests/browser/run.mjs`. Skipped, with a line that says so, where
//! there is no Chromium or no Node.js; `tests/run` installs both.

use roda_tests::cluster::{self, Place, TestNode, network_name};
use roda_tests::forge::Forge;
use roda_tests::page::outside::{PASSWORD, with_page_for_all};
use roda_tests::wait::{DEADLINE, eventually};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// What is missing, if anything is.
fn missing() -> Option<&'static str> {
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !runs("node") {
        return Some("Node.js");
    }
    if !["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].iter().any(|path| runs(path)) {
        return Some("Chromium");
    }
    if !folder().join("node_modules/playwright-core").exists() {
        return Some("what `npm ci` in tests/browser installs");
    }
    None
}

fn nodes<const N: usize>() -> [TestNode; N] {
    let network = network_name();
    std::array::from_fn(|_| TestNode::start_at(&network, Place::with_page(), &[]))
}

fn link(node: &TestNode) -> String {
    node.object(&["web"])["url"].as_str().expect("a link").to_owned()
}

fn run(scenario: &str, links: &[String]) {
    if let Some(what) = missing() {
        println!("skipped: {what} is not here; tests/run installs it");
        return;
    }
    let screenshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    let mut command = Command::new("node");
    command.arg(folder().join("run.mjs")).arg(scenario).args(links).env("RODA_SCREENSHOTS", screenshots);
    let output = command.output().expect("Node.js starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{scenario}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn a_new_person_logs_in_and_writes_with_scripts_and_without() {
    let nodes: [TestNode; 1] = nodes();
    run("firstPost", &[link(&nodes[0]), link(&nodes[0])]);
}

#[test]
fn two_nodes_live_side_by_side_in_one_browser() {
    let nodes: [TestNode; 2] = nodes();
    run("twoNodes", &[link(&nodes[0]), link(&nodes[1])]);
}

#[test]
fn news_are_announced_and_move_nothing() {
    let nodes: [TestNode; 2] = nodes();
    nodes[0].connect(&nodes[1]);
    run("news", &[link(&nodes[0]), link(&nodes[1])]);
}

#[test]
fn everything_is_done_with_the_keyboard_alone() {
    let nodes: [TestNode; 1] = nodes();
    run("keyboard", &[link(&nodes[0])]);
}

#[test]
fn keys_turn_pages_and_open_entries() {
    let nodes: [TestNode; 1] = nodes();
    let mut forge = Forge::new(nodes[0].network(), 3);
    let charter = forge.board("many");
    let posts: Vec<_> = (0..50).map(|at| forge.post(charter.space(), &format!("Post {at}"), "words")).collect();
    nodes[0].follow(&charter.space().to_string());
    nodes[0].import(&[vec![charter], posts].concat());
    run("turning", &[link(&nodes[0])]);
}

#[test]
fn an_answer_is_written_below_what_it_answers() {
    let nodes: [TestNode; 1] = nodes();
    run("answerInPlace", &[link(&nodes[0])]);
}

#[test]
fn what_is_typed_survives_a_closed_tab() {
    let nodes: [TestNode; 1] = nodes();
    run("draft", &[link(&nodes[0])]);
}

/// Text that has broken other pages.
const ATTACKS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "[click](javascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "![picture](https://evil.example/track.png)",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<a href=\"&#106;avascript:alert(1)\">x</a>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "{{7*7}} {% raw %} ${alert(1)}",
    "[click](vbscript:msgbox(1))",
    "[bank.example](https://evil.example/\"onmouseover=alert(1))",
    "https://пример.example/<script>alert(1)</script>",
];

/// Names that authors and boards can have: 32 characters at most.
const NAMES: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script",
    "javascript:alert(1)",
];

/// What a post can have for a link.
const LINKS: &[&str] = &[
    "javascript:alert(1)",
    " JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "https://evil.example/\" onclick=\"alert(1)",
    "https://bank.example@evil.example/",
    "//evil.example/",
    "/do/log-out",
];

/// Strangers with such names answer a post, in such words, and post such links; another node lists such boards.
fn hostile_company(node: &TestNode, other: &TestNode, board: &str, post: &str) {
    let (space, root) = (board.parse().expect("a board's id"), post.parse().expect("an event's id"));
    for (at, name) in NAMES.iter().enumerate() {
        let mut stranger = Forge::new(node.network(), 10 + u8::try_from(at).expect("few names"));
        let mut words = Vec::new();
        for attack in ATTACKS {
            words.push(stranger.comment(space, root, root, attack));
        }
        for link in LINKS.iter().skip(at).step_by(NAMES.len()) {
            words.push(stranger.linked(space, name, link));
        }
        node.import(&words);
        // A name of nobody is not taken in.
        node.import(&[stranger.profile(name)]);
        let attack = ATTACKS[at];
        let words = ["--title", attack, "--description", attack, "--work", "0", "--listed"];
        other.object(&[&["board", "new", name][..], &words].concat());
    }
    node.connect(other);
    eventually("the boards of the other node", DEADLINE, || {
        (node.json(&["boards", "--find"]).len() == NAMES.len()).then_some(())
    });
}

#[test]
fn no_word_of_a_stranger_acts_on_any_page() {
    let [node, other]: [TestNode; 2] = nodes();
    node.object(&["id", "name", NAMES[1]]);
    let mut company = None;
    for (at, attack) in ATTACKS.iter().enumerate() {
        let name = format!("b{at}");
        let words = ["--title", attack, "--description", attack, "--rule", attack, "--work", "0"];
        let board = cluster::text(&node.object(&[&["board", "new", name.as_str()][..], &words].concat())["board"]);
        let words = ["post", &name, "-t", attack, "-m", attack, "--tag", "<u>", "--link", "https://a.example/?\"><b>"];
        let post = node.written(&words);
        node.reply(&post, attack);
        node.object(&["edit", &post, "-t", attack, "-m", &format!("edited: {attack}")]);
        company.get_or_insert((board, post));
    }
    let (board, post) = company.expect("there are attacks");
    hostile_company(&node, &other, &board, &post);
    run("attacks", &[link(&node)]);
}

#[test]
fn whoever_comes_from_elsewhere_is_let_in_by_the_password() {
    let node = with_page_for_all();
    let link = node.ready()["web"].as_str().expect("a link").to_owned();
    run("password", &[link, PASSWORD.to_owned()]);
}

#[test]
fn every_page_passes_axe_and_fits_a_phone() {
    let nodes = lively();
    run("pages", &[link(&nodes[0])]);
}

#[test]
fn every_page_passes_axe_in_portuguese() {
    let nodes = lively();
    run("portuguese", &[link(&nodes[0])]);
}

#[test]
fn a_thread_of_a_thousand_comments_passes_axe() {
    let nodes: [TestNode; 1] = nodes();
    let events = Forge::new(nodes[0].network(), 1).thread("long", 1000);
    nodes[0].follow(&events[0].space().to_string());
    nodes[0].import(&events);
    run("longThread", &[link(&nodes[0]), events[1].id().to_string()]);
}

/// Two nodes that talk, so that every page of the first has something on it.
fn lively() -> [TestNode; 2] {
    let nodes: [TestNode; 2] = nodes();
    nodes[0].connect(&nodes[1]);
    nodes[0].object(&["id", "name", "Ana"]);
    nodes[1].object(&["id", "name", "Bo"]);
    let rules = ["--title", "For all who grow", "--description", "Soil, **seeds** and weather.", "--rule", "Be kind"];
    let board = nodes[0].object(&[&["board", "new", "garden", "--work", "0"], &rules[..]].concat());
    let board = board["board"].as_str().expect("an id");
    nodes[1].follow(board);
    nodes[1].sync();
    for title in
        ["Frost in May", "A very long title that goes on and on about beans, peas and everything else that climbs up"]
    {
        nodes[0].post("garden", title);
    }
    let post = nodes[0].written(&[
        "post",
        "garden",
        "-t",
        "Snails",
        "-m",
        "What **words** help?\n\n> none\n\n- copper\n- beer\n\n`code`",
    ]);
    let mut parent = post.clone();
    for (at, words) in [
        "Beer does.",
        "@Ana it does not",
        "It did here:\n\n```\na long line of code that does not end before the edge of a phone is reached\n```",
        "Really?",
        "Yes",
        "No",
    ]
    .iter()
    .enumerate()
    {
        nodes[1].sync();
        parent = nodes[(at + 1) % 2].reply(&parent, words);
        nodes[0].sync();
    }
    nodes[1].object(&["vote", &post, "up"]);
    nodes[0].object(&["edit", &post, "-m", "What **words** help against snails?"]);
    // "Yes" is an answer of the second node's author.
    nodes[0].object(&["mute", "word:yes"]);
    nodes[0].sync();
    let listed = ["board", "new", "orchard", "--title", "Apples and pears", "--description", "All that hangs high."];
    nodes[1].object(&[&listed[..], &["--language", "en", "--work", "0", "--listed"]].concat());
    eventually("a board to find", DEADLINE, || (!nodes[0].json(&["boards", "--find"]).is_empty()).then_some(()));
    nodes
}
