//! Nodes whose page all machines can reach, by TLS and with a password.

use crate::cluster::{Place, TestNode, network_name};
use std::io::Write as _;
use std::process::{Output, Stdio};

/// The password of [`with_page_for_all`].
pub const PASSWORD: &str = "three random words";

/// A stopped node that is told to serve all machines, which it does once something protects its page.
#[must_use]
pub fn stopped() -> TestNode {
    let mut place = Place::with_page();
    place.up.pop();
    place.up.push("0.0.0.0:0".to_owned());
    TestNode::stopped(&network_name(), place, &std::env::temp_dir())
}

/// Sets the page's password as a person does.
///
/// # Panics
///
/// If the program does not run.
#[must_use]
pub fn set_password(node: &TestNode, password: &str) -> Output {
    let mut command = node.command();
    command.args(["--json", "web", "password"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("roda starts");
    child.stdin.take().expect("a pipe").write_all(format!("{password}\n").as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

/// Writes the lines of `[web]` in a node's configuration.
///
/// # Panics
///
/// If they can't be written.
pub fn configure(node: &TestNode, lines: &str) {
    std::fs::write(node.home().join("config.toml"), format!("[web]\n{lines}\n")).expect("there is room");
}

/// A running node that serves its page to all machines.
///
/// # Panics
///
/// If it does not start.
#[must_use]
pub fn with_page_for_all() -> TestNode {
    let mut node = stopped();
    assert!(set_password(&node, PASSWORD).status.success());
    configure(&node, "self_signed = true");
    node.launch(&[]);
    node
}
