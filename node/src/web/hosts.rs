//! Where a link leads, said beside it where its text would not say so: a name in letters of other alphabets, a user's name in
//! front of the host, a text that names another host.
//!
//! A host is read as browsers read it (WHATWG URL, IDNA), and shown in ASCII, as it is asked for: `xn--...`.

use ammonia::url::{Host, Url};

/// What begins a label that stands for letters beyond ASCII (RFC 3492).
const PUNYCODE: &str = "xn--";

/// Bytes of a word that can be a host's name: 253 in ASCII (RFC 1035), and letters of four bytes each.
const NAME_BYTES_MAX: usize = 1012;

/// The host that a link leads to.
pub(super) fn host(url: &str) -> Option<String> {
    target(url).map(|(host, _)| host)
}

/// The host of a link that should stand beside its text; `None` where the text already says it, or says nothing of hosts.
pub(super) fn host_beside(url: &str, text: &str) -> Option<String> {
    let (host, has_user) = target(url)?;
    let is_foreign = host.split('.').any(|label| label.starts_with(PUNYCODE)) && !text.contains(&host);
    let names_another = || text.split_whitespace().filter_map(named).any(|named| !is_same(&named, &host));
    (is_foreign || has_user || names_another()).then_some(host)
}

/// The host that a link leads to, and whether a user's name stands in front of it.
fn target(url: &str) -> Option<(String, bool)> {
    let url = Url::parse(url.trim()).ok()?;
    match url.scheme() {
        "http" | "https" => {
            let has_user = !url.username().is_empty() || url.password().is_some();
            Some((url.host_str()?.to_owned(), has_user))
        }
        // A second `@` is one that wants to be taken for the first.
        "mailto" => {
            let (name, domain) = url.path().rsplit_once('@')?;
            Some((Host::parse(domain).ok()?.to_string(), name.contains('@')))
        }
        _ => None,
    }
}

/// The host that a word names, if it looks like an address.
fn named(word: &str) -> Option<String> {
    let is_around = |letter: char| !letter.is_alphanumeric() && letter != '[' && letter != ']';
    let word = word.trim_matches(is_around);
    if let Some((scheme, _)) = word.split_once("://") {
        let is_web = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https");
        return Url::parse(word).ok().filter(|_| is_web)?.host_str().map(str::to_owned);
    }
    let place = word.split(['/', '?', '#', ':', '\\']).next()?;
    let place = place.rsplit('@').next().filter(|place| place.len() <= NAME_BYTES_MAX)?;
    match Host::parse(place).ok()? {
        // A number alone is an IPv4 address to a browser, and a number to people.
        Host::Ipv4(address) => (place.matches('.').count() == 3).then(|| address.to_string()),
        Host::Ipv6(_) => None,
        Host::Domain(domain) => {
            let (_, last) = domain.rsplit_once('.')?;
            let is_top =
                last.len() >= 2 && (last.starts_with(PUNYCODE) || last.bytes().all(|byte| byte.is_ascii_alphabetic()));
            is_top.then_some(domain)
        }
    }
}

/// Whether two names are of one host, as people see it: with or without `www`.
fn is_same(one: &str, other: &str) -> bool {
    let bare = |host: &str| {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host.strip_prefix("www.").map(str::to_owned).unwrap_or(host)
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_other_letters_is_shown_as_it_is_asked_for() {
        let shown = |url, text| host_beside(url, text);
        assert_eq!(shown("https://пример.рф/x", "see here").as_deref(), Some("xn--e1afmkfd.xn--p1ai"));
        assert_eq!(shown("https://pаypal.com/", "https://pаypal.com/").as_deref(), Some("xn--pypal-4ve.com"));
        assert_eq!(shown("https://xn--pypal-4ve.com/", "login").as_deref(), Some("xn--pypal-4ve.com"));
        assert_eq!(shown("https://xn--pypal-4ve.com/", "https://xn--pypal-4ve.com/"), None, "it says so itself");
        assert_eq!(shown("https://example.org/ä?ö", "über uns"), None, "only hosts count");
        assert_eq!(shown("mailto:ana@pаypal.com", "write").as_deref(), Some("xn--pypal-4ve.com"));
    }

    #[test]
    fn a_text_that_names_another_host_has_the_right_one_beside_it() {
        for text in [
            "https://bank.example/login",
            "bank.example",
            "www.bank.example/login?x",
            "Log in at bank.example!",
            "(bank.example)",
            "bаnk.example",
            "bank。example",
            "192.0.2.1",
            "https://evil.example.bank.example",
        ] {
            assert_eq!(host_beside("https://evil.example/x", text).as_deref(), Some("evil.example"), "{text}");
        }
        for text in [
            "evil.example",
            "https://evil.example/x",
            "WWW.Evil.Example",
            "a word. another",
            "1.2",
            "e.g. this",
            "…",
            "",
        ] {
            assert_eq!(host_beside("https://evil.example/x", text), None, "{text}");
        }
        assert_eq!(
            host_beside("https://bank.example@evil.example/", "https://bank.example@evil.example/").as_deref(),
            Some("evil.example")
        );
        assert_eq!(host_beside("mailto:ana@example.org", "ana@example.org"), None);
        assert_eq!(host_beside("mailto:ana@evil.example", "ana@bank.example").as_deref(), Some("evil.example"));
    }

    #[test]
    fn what_is_no_address_has_no_host() {
        for url in [
            "",
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "https://",
            "https://[",
            "mailto:ana",
            "/do/x",
        ] {
            assert_eq!(host_beside(url, "bank.example"), None, "{url}");
        }
    }
}
