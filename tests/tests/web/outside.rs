//! The page for other machines: by TLS and with a password, and in no other way.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use crate::with_page;
use roda_tests::cluster::{Place, TestNode};
use roda_tests::page::outside::{PASSWORD, configure, set_password, stopped, with_page_for_all};
use roda_tests::page::{Answer, Browser, FORM, encoded};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream, UdpSocket};

/// A browser of nobody at a node's page.
fn stranger(node: &TestNode) -> Browser {
    let ready = node.ready();
    Browser::secured_at(ready["web"].as_str().unwrap(), ready["certificate"].as_str().unwrap())
}

fn try_password(browser: &Browser, password: &str) -> Answer {
    let body = encoded(&[("password", password), ("to", "/boards")]);
    browser.ask("POST", "/login", &[("sec-fetch-site", "same-origin"), FORM], &body)
}

/// An address of this machine that is not loopback. No packet is sent for it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn without_a_certificate_and_a_password_no_other_machine_is_served_and_the_refusal_says_what_to_do() {
    let mut node = stopped();
    let both = node.try_launch(&[]).unwrap_err();
    assert!(both.contains("no certificate and no password") && both.contains("web_unprotected"), "{both}");
    assert!(both.contains("web password`") && both.contains("self_signed = true") && both.contains("ssh -L"), "{both}");
    configure(&node, "self_signed = true");
    let password = node.try_launch(&[]).unwrap_err();
    assert!(password.contains("has no password"), "{password}");

    let short = set_password(&node, "elevenchars");
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&short.stderr).contains("at least 12 characters"), "{short:?}");
    assert!(node.try_launch(&[]).is_err(), "a password that was refused is none");

    assert!(set_password(&node, PASSWORD).status.success());
    configure(&node, "");
    let log = node.log().len();
    assert!(node.try_launch(&[]).is_err());
    assert!(node.log()[log..].contains("has no certificate"), "{}", &node.log()[log..]);
    configure(&node, "certificate = \"absent.pem\"\nkey = \"absent.pem\"");
    assert!(node.try_launch(&[]).unwrap_err().contains("absent.pem"));

    configure(&node, "self_signed = true");
    node.launch(&[]);
    assert!(node.ready()["web"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{}", node.ready());
    node.stop();
    assert!(node.json(&["web", "password", "--remove"])[0]["set"] == false);
    assert!(node.try_launch(&[]).is_err(), "without its password it is not served again");
}

#[test]
fn the_password_opens_the_page_by_tls_and_leaves_a_cookie_for_this_host_alone() {
    let node = with_page_for_all();
    let status = node.object(&["status"]);
    assert_eq!(status["web"]["certificate"], node.ready()["certificate"]);
    assert_eq!(node.object(&["web"])["certificate"], node.ready()["certificate"]);

    let mut person = stranger(&node);
    let refused = person.get("/boards");
    assert_eq!(refused.status, 401);
    assert!(
        refused.body.contains("type=\"password\"") && refused.body.contains("value=\"/boards\""),
        "{}",
        refused.body
    );
    assert_eq!(person.get("/api/v1/status").status, 401);
    assert_eq!(person.get("/assets/style.css").status, 200);
    assert_eq!(person.get("/login").status, 200);

    let answer = try_password(&person, PASSWORD);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/boards")), "{}", answer.body);
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["__Host-roda-", "; HttpOnly", "; SameSite=Strict", "; Path=/", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(answer.header("strict-transport-security"), None, "nobody vouches for the certificate");
    person.take_cookie(&answer);
    assert_eq!(person.get("/").status, 200);
    assert_eq!(person.submit("/do/open", &[("name", "lounge")]).status, 303);
    assert_eq!(node.json(&["boards"])[0]["name"], "lounge");

    let elsewhere = encoded(&[("password", PASSWORD), ("to", "//evil.example/")]);
    let away = person.ask("POST", "/login", &[("sec-fetch-site", "same-origin"), FORM], &elsewhere);
    assert_eq!(away.header("location"), Some("/"), "nobody is sent elsewhere");
    let long = "x".repeat(20_000);
    assert_eq!(try_password(&person, &long).status, 413);

    let token = std::fs::read_to_string(node.home().join("api.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let program = stranger(&node);
    assert_eq!(program.ask("GET", "/api/v1/status", &[("authorization", &bearer)], "").status, 200);
    assert!(!node.log().contains(PASSWORD) && !node.log().contains(token.trim()), "no secret is logged");
}

#[test]
fn another_certificate_and_plain_http_get_nowhere() {
    let node = with_page_for_all();
    let wrong = Browser::secured_at(node.ready()["web"].as_str().unwrap(), &"00:".repeat(32));
    assert!(wrong.try_ask("GET", "/", &[], "").is_err(), "a fingerprint tells certificates apart");

    let address = stranger(&node).address();
    let mut plain = TcpStream::connect(address).unwrap();
    let token = std::fs::read_to_string(node.home().join("api.token")).unwrap();
    let head =
        format!("GET /api/v1/status HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\r\n", token.trim());
    plain.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
    assert!(!answer.contains("peer_id"), "the token works by TLS alone: {answer}");
}

#[test]
fn who_guesses_waits_longer_and_longer_and_links_and_sessions_do_not() {
    let node = with_page_for_all();
    let guesser = stranger(&node);
    let person = Browser::of(&node);
    for guess in 0..5 {
        let answer = try_password(&guesser, &format!("wrong password {guess}"));
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert_eq!(answer.header("set-cookie"), None);
    }
    let paused = try_password(&guesser, PASSWORD);
    assert_eq!(paused.status, 429, "even the right one is not looked at");
    assert!(paused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{paused:?}");
    assert_eq!(person.get("/").status, 200, "who is in stays in");
    assert_eq!(Browser::of(&node).get("/").status, 200, "a link of this machine opens the page meanwhile");

    if let Some(ip) = own_address() {
        let other = guesser.calling(ip);
        assert_eq!(
            try_password(&other, PASSWORD).status,
            303,
            "another address does not wait, and is called by its name"
        );
        assert_eq!(other.ask("GET", "/login", &[("host", "192.0.2.1:7717")], "").status, 421);
    }
}

#[test]
fn another_page_can_not_use_up_the_tries() {
    let node = with_page_for_all();
    let browser = stranger(&node);
    let body = encoded(&[("password", "wrong password")]);
    for headers in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")] {
        for _ in 0..4 {
            assert_eq!(browser.ask("POST", "/login", &[headers, FORM], &body).status, 403);
        }
    }
    assert_eq!(try_password(&browser, PASSWORD).status, 303);
    for host in ["evil.example", "localhost:1"] {
        assert_eq!(browser.ask("GET", "/login", &[("host", host)], "").status, 421, "{host}");
    }
}

#[test]
fn a_new_password_ends_what_the_old_one_opened_and_nothing_else() {
    let mut node = with_page_for_all();
    let (mut by_password, by_link) = (stranger(&node), Browser::of(&node));
    by_password.take_cookie(&try_password(&by_password, PASSWORD));
    node.restart();
    let (now, ready) = (stranger(&node), node.ready().clone());
    let by_password = now.clone().with_cookie_of(&by_password);
    let by_link = now.with_cookie_of(&by_link);
    assert_eq!((by_password.get("/").status, by_link.get("/").status), (200, 200), "both outlive a restart");

    assert!(set_password(&node, "four quite random words").status.success());
    assert_eq!((by_password.get("/").status, by_link.get("/").status), (401, 200));
    let browser = stranger(&node);
    assert_eq!(try_password(&browser, PASSWORD).status, 403);
    assert_eq!(try_password(&browser, "four quite random words").status, 303, "it holds at once");
    node.restart();
    assert_eq!(node.ready()["certificate"], ready["certificate"], "the certificate stays the same");
}

#[test]
fn a_certificate_of_the_persons_own_is_served_and_browsers_are_told_to_come_back_by_tls() {
    let mut node = stopped();
    assert!(set_password(&node, PASSWORD).status.success());
    configure(&node, "self_signed = true");
    node.launch(&[]);
    let certificate = node.ready()["certificate"].as_str().unwrap().to_owned();
    // The address of the page goes into the configuration, and the node listens there again.
    let address = stranger(&node).address();
    node.stop();
    let name = format!("roda.example:{}", address.port());
    let lines = format!(
        "listen = \"0.0.0.0:{}\"\ncertificate = \"web-tls.pem\"\nkey = \"web-tls.pem\"\nallowed_hosts = [\"{name}\"]",
        address.port()
    );
    configure(&node, &lines);
    let mut place = Place::loopback();
    // Without `--web off`.
    place.up.truncate(place.up.len() - 2);
    node.set_place(place);
    node.launch(&[]);
    assert_eq!(node.ready()["certificate"], *certificate);
    let link = node.ready()["web"].as_str().unwrap();
    assert!(
        link.starts_with(&format!("https://{name}/login/")),
        "a certificate by somebody else is for a name: {link}"
    );
    assert_eq!(node.object(&["status"])["web"]["url"], format!("https://{name}"));

    let browser = Browser::secured_at(&format!("https://{address}/"), &certificate);
    let page = browser.ask("GET", "/login", &[("host", &name)], "");
    assert_eq!(page.status, 200);
    assert!(page.header("strict-transport-security").is_some_and(|age| age.starts_with("max-age=")), "{page:?}");
}

#[test]
fn the_door_of_this_machine_has_no_password_and_no_tls() {
    let node = with_page();
    assert!(node.ready()["certificate"].is_null());
    assert!(set_password(&node, PASSWORD).status.success());
    let stranger = Browser::at(node.ready()["web"].as_str().unwrap());
    assert_eq!(try_password(&stranger, PASSWORD).status, 401, "a password opens nothing here");
    let refused = stranger.get("/login");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("roda web") && !refused.body.contains("type=\"password\""), "{}", refused.body);
    assert_eq!(Browser::of(&node).get("/").status, 200);
    let call = json!({ "name": "lounge" }).to_string();
    let json = ("content-type", "application/json");
    assert_eq!(stranger.ask("POST", "/api/v1/boards/open", &[json], &call).status, 401);
}
