//! TLS of the page for other machines: the person's own certificate, or one that this node makes for itself.
//!
//! Owns where key and certificate come from, and the fingerprint by which a person knows the certificate again. The protocol is
//! rustls' business, with its own choice of versions and suites.

use super::{PasswordError, password};
use crate::config::WebPolicy;
use crate::home::{Home, write_private};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use sha2::{Digest as _, Sha256};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The protocol that is spoken inside (RFC 7301).
const PROTOCOL: &[u8] = b"http/1.1";

/// Bytes of a file with a key or certificates: a chain has some ten thousand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The file in a home with the key and the certificate that the node made for itself.
pub(crate) const OWN_TLS_FILE: &str = "web-tls.pem";

/// Key and certificate of the page.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it: `AB:CD:...`.
    pub(crate) fingerprint: String,
    /// Whether nobody else vouches for the certificate.
    pub(crate) is_self_signed: bool,
}

/// Why the page isn't served where it was asked to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
    /// Other machines can reach the address, and what protects it is missing.
    #[error(
        "the web page is not served on {address}: from other machines it is reached by TLS and with a password only, and \
         this home has {}", lack(*.has_tls, *.has_password)
    )]
    Open {
        /// Which address.
        address: SocketAddr,
        has_tls: bool,
        has_password: bool,
        /// Where to set it.
        config: PathBuf,
    },
    /// The password can't be used.
    #[error("{0}")]
    Password(#[from] PasswordError),
    /// Key or certificate can't be used.
    #[error("the web page's TLS can't use {}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

fn lack(has_tls: bool, has_password: bool) -> &'static str {
    match (has_tls, has_password) {
        (false, false) => "no certificate and no password",
        (false, true) => "no certificate",
        (true, _) => "no password",
    }
}

impl DoorError {
    /// What to do.
    pub(crate) fn hint(&self) -> String {
        let Self::Open { address, has_tls, has_password, config } = self else {
            return "mend the file, or keep the page on this machine: `--web 127.0.0.1:7717`".to_owned();
        };
        let mut lines = Vec::new();
        if !has_password {
            lines.push("set a password: `roda web password`".to_owned());
        }
        if !has_tls {
            lines.push(format!(
                "in {}, below [web], write `self_signed = true` for a certificate that this node makes, or `certificate = \
                 \"FILE\"` and `key = \"FILE\"` for one that you have",
                config.display()
            ));
        }
        let port = if address.port() == 0 { 7717 } else { address.port() };
        lines.push(format!(
            "or keep the page on this machine (`--web 127.0.0.1:{port}`), and from another: `ssh -L {port}:127.0.0.1:{port} \
             HOST`"
        ));
        lines.join("\n")
    }
}

/// What it takes to serve the page at an address: on this machine nothing, beyond it a certificate and a password.
///
/// # Errors
///
/// [`DoorError`]: they are missing or can't be used.
pub(crate) fn protection(address: SocketAddr, policy: &WebPolicy, home: &Home) -> Result<Option<Tls>, DoorError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(None);
    }
    let has_tls = policy.self_signed || policy.certificate.is_some();
    let has_password = password::Kept::read(&password::password_file(home))?.is_some();
    if !has_tls || !has_password {
        let config = home.config.join("config.toml");
        return Err(DoorError::Open { address, has_tls, has_password, config });
    }
    match (&policy.certificate, &policy.key) {
        // What is said in a file of the home's configuration is looked for beside it.
        (Some(certificate), Some(key)) => given(&home.config.join(certificate), &home.config.join(key)).map(Some),
        _ => own(&home.config.join(OWN_TLS_FILE), &names(address.ip(), &policy.allowed_hosts)).map(Some),
    }
}

/// What a certificate of this node's own is for. Browsers ask about it all the same: what counts is its fingerprint.
fn names(address: IpAddr, allowed_hosts: &[String]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !address.is_unspecified() {
        names.push(address.to_canonical().to_string());
    }
    // A name without its port; an address of IPv6 stands in brackets, whose colons are no port's.
    let bare = |host: &String| host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).to_owned();
    names.extend(allowed_hosts.iter().map(bare).filter(|name| !name.is_empty() && !name.contains(['[', ':'])));
    names.sort();
    names.dedup();
    names
}

/// The person's own files.
fn given(certificate: &Path, key: &Path) -> Result<Tls, DoorError> {
    let chain = chain_in(&read(certificate)?, certificate)?;
    let secret = key_in(&read(key)?, key)?;
    // Readable by a group is what packages of certificates do; by everybody, nobody means.
    let mode = std::fs::metadata(key).map(|data| data.permissions().mode()).unwrap_or_default();
    if mode & 0o007 != 0 {
        let reason = format!("everybody on this machine can use it: `chmod 640 {}`", key.display());
        return Err(DoorError::File { path: key.into(), reason });
    }
    tls(chain, secret, false).map_err(|reason| DoorError::File { path: certificate.into(), reason })
}

/// A key and certificate that the node made for itself: once, so that a person who has compared it need not do so again.
fn own(path: &Path, names: &[String]) -> Result<Tls, DoorError> {
    let fail = |reason: String| DoorError::File { path: path.into(), reason };
    if !path.exists() {
        let made = self_signed(names).map_err(|error| fail(error.to_string()))?;
        write_private(path, made.as_bytes()).map_err(|error| fail(error.to_string()))?;
    }
    let text = read(path)?;
    let mode = std::fs::metadata(path).map(|data| data.permissions().mode()).unwrap_or_default();
    if mode & 0o077 != 0 {
        return Err(fail(format!("others can read it: `chmod 600 {}`, or remove it for a new one", path.display())));
    }
    tls(chain_in(&text, path)?, key_in(&text, path)?, true).map_err(fail)
}

/// A key (P-256, which every browser takes) and a certificate by it. It ends with the year 4096: nobody vouches for it, so a
/// date would only make people compare fingerprints again.
fn self_signed(names: &[String]) -> Result<zeroize::Zeroizing<String>, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "a Roda node");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    Ok(zeroize::Zeroizing::new(key.serialize_pem() + &certificate.pem()))
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, DoorError> {
    use io::Read as _;
    let fail = |error: io::Error| DoorError::File { path: path.into(), reason: error.to_string() };
    let mut text = zeroize::Zeroizing::new(Vec::new());
    std::fs::File::open(path).map_err(fail)?.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(fail)?;
    Ok(text)
}

fn chain_in(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, DoorError> {
    let fail = |reason: String| DoorError::File { path: path.into(), reason };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|error| fail(error.to_string()))?;
    if chain.is_empty() { Err(fail("there is no certificate in it (PEM)".to_owned())) } else { Ok(chain) }
}

fn key_in(text: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, DoorError> {
    let fail = |error| DoorError::File { path: path.into(), reason: format!("there is no key in it (PEM): {error}") };
    PrivateKeyDer::from_pem_slice(text).map_err(fail)
}

fn tls(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>, is_self_signed: bool) -> Result<Tls, String> {
    let fingerprint = chain.first().map(|certificate| fingerprint(certificate)).unwrap_or_default();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    // This also refuses a key that is not the certificate's.
    let config = builder.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Tls { config: Arc::new(config), fingerprint, is_self_signed })
}

/// SHA-256 of a certificate, as browsers show it.
fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        (folder, home)
    }

    fn outside() -> SocketAddr {
        "0.0.0.0:7717".parse().unwrap()
    }

    fn refusal(policy: &WebPolicy, home: &Home) -> String {
        let error = protection(outside(), policy, home).unwrap_err();
        format!("{error}\n{}", error.hint())
    }

    #[test]
    fn beyond_this_machine_the_page_needs_a_certificate_and_a_password_and_says_so() {
        let (_folder, home) = home();
        let (bare, secured) = (WebPolicy::default(), WebPolicy { self_signed: true, ..WebPolicy::default() });
        for address in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "127.9.9.9:1"] {
            assert!(protection(address.parse().unwrap(), &secured, &home).unwrap().is_none(), "{address}");
        }
        let both = refusal(&bare, &home);
        assert!(both.contains("no certificate and no password") && both.contains("roda web password"), "{both}");
        assert!(
            both.contains("self_signed = true") && both.contains("config.toml") && both.contains("ssh -L"),
            "{both}"
        );
        let password = refusal(&secured, &home);
        assert!(password.contains("has no password") && !password.contains("self_signed"), "{password}");
        password::set_password(&home, "twelve characters").unwrap();
        let certificate = refusal(&bare, &home);
        assert!(certificate.contains("has no certificate\n") && !certificate.contains("web password"), "{certificate}");
        assert!(protection(outside(), &secured, &home).unwrap().is_some());
    }

    #[test]
    fn a_nodes_own_certificate_is_made_once_for_its_user_alone() {
        let (folder, home) = home();
        password::set_password(&home, "twelve characters").unwrap();
        let policy = WebPolicy { self_signed: true, ..WebPolicy::default() };
        let first = protection(outside(), &policy, &home).unwrap().unwrap();
        let file = folder.path().join("web-tls.pem");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((first.fingerprint.len(), first.is_self_signed), (32 * 3 - 1, true));
        let again = protection(outside(), &policy, &home).unwrap().unwrap();
        assert_eq!(again.fingerprint, first.fingerprint);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(protection(outside(), &policy, &home).unwrap_err().to_string().contains("chmod 600"));
        std::fs::remove_file(&file).unwrap();
        assert_ne!(protection(outside(), &policy, &home).unwrap().unwrap().fingerprint, first.fingerprint);
    }

    #[test]
    fn files_of_the_person_are_taken_if_the_key_is_theirs_alone_and_the_certificates() {
        let (folder, home) = home();
        password::set_password(&home, "twelve characters").unwrap();
        let (one, other) = (self_signed(&["a".into()]).unwrap(), self_signed(&["b".into()]).unwrap());
        let write = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write("one.pem", &one, 0o640);
        write("other.pem", &other, 0o640);
        write("open.pem", &one, 0o644);
        write("none.pem", "no PEM", 0o600);
        let with = |certificate: &str, key: &str| {
            let policy =
                WebPolicy { certificate: Some(certificate.into()), key: Some(key.into()), ..WebPolicy::default() };
            protection(outside(), &policy, &home)
        };
        let tls = with("one.pem", "one.pem").unwrap().unwrap();
        assert!(!tls.is_self_signed);
        for (certificate, key) in
            [("one.pem", "other.pem"), ("one.pem", "open.pem"), ("none.pem", "one.pem"), ("one.pem", "none.pem")]
        {
            assert!(with(certificate, key).is_err(), "{certificate} {key}");
        }
        assert!(with("absent.pem", "one.pem").unwrap_err().to_string().contains("absent.pem"));
    }

    #[test]
    fn a_certificate_of_its_own_is_for_the_names_that_the_page_answers_to() {
        let hosts = ["roda.example:443", "[2001:db8::1]:7717", "box"].map(str::to_owned);
        let names = names("192.0.2.7".parse().unwrap(), &hosts);
        assert_eq!(names, ["127.0.0.1", "192.0.2.7", "::1", "box", "localhost", "roda.example"]);
    }
}
