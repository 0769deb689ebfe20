//! The web page in a real browser, driven as a person would: `tests/browser/run.mjs`. Skipped, with a line that says so, where
//! there is no Chromium or no Node.js; `tests/run` installs both.

use roda_tests::cluster::{Place, TestNode, network_name};
use roda_tests::page::outside::{PASSWORD, with_page_for_all};
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
];

#[test]
fn no_word_of_a_stranger_acts_on_any_page() {
    let nodes: [TestNode; 1] = nodes();
    let node = &nodes[0];
    for (at, attack) in ATTACKS.iter().enumerate() {
        let name = format!("b{at}");
        node.object(&[
            "board",
            "new",
            &name,
            "--title",
            attack,
            "--description",
            attack,
            "--rule",
            attack,
            "--work",
            "0",
        ]);
        let words = ["post", &name, "-t", attack, "-m", attack, "--tag", "<u>", "--link", "https://a.example/?\"><b>"];
        let post = node.written(&words);
        node.reply(&post, attack);
    }
    run("attacks", &[link(node)]);
}

#[test]
fn whoever_comes_from_elsewhere_is_let_in_by_the_password() {
    let node = with_page_for_all();
    let link = node.ready()["web"].as_str().expect("a link").to_owned();
    run("password", &[link, PASSWORD.to_owned()]);
}

#[test]
fn every_page_passes_axe_and_fits_a_phone() {
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
    nodes[0].object(&["mute", "word:spam"]);
    nodes[0].sync();
    run("pages", &[link(&nodes[0])]);
}
