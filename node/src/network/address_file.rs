//! The address book on disk: one JSON file, replaced as a whole, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

use super::addresses::{ADDRESSES_PER_PEER_MAX, ANCHORS_MAX, AddressBook, Entry, Known, PEERS_MAX, Saved, Source};

/// The format's number. Older ones are taken up, a newer one is not read: this program would lose what it doesn't know.
const FORMAT: u32 = 2;
/// The format in which all peers were one list.
const FORMAT_OF_ONE_LIST: u32 = 1;
/// The largest file that is read, in bytes: 1,536 pages with 8 addresses need about 2 MiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Book {
    format: u32,
    /// Who is dialled first.
    #[serde(default)]
    anchors: Vec<String>,
    peers: Vec<Page>,
}

#[derive(Serialize, Deserialize)]
struct Page {
    peer: String,
    reached_ms: u64,
    failures: u32,
    /// Since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    /// Since format 2.
    #[serde(default)]
    tried: bool,
    /// Left out where nobody vouched.
    #[serde(default, skip_serializing_if = "is_zero")]
    vouched_until_ms: u64,
    addresses: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    address: String,
    reached_ms: u64,
    failures: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) anchors: Vec<PeerId>,
    pub(super) pages: Vec<Saved>,
}

/// Writes down what is worth it.
pub(super) fn encode(book: &AddressBook) -> Vec<u8> {
    let peers = book.saved().map(|saved| Page {
        peer: saved.peer.to_string(),
        reached_ms: saved.entry.reached_ms,
        failures: saved.entry.failures,
        vouched_until_ms: saved.entry.vouched_until_ms,
        source: Some(saved.source),
        tried: saved.is_tried,
        addresses: saved.entry.addresses.iter().filter(|known| !known.hearsay).map(line).collect(),
    });
    let peers = peers.filter(|page| !page.addresses.is_empty()).collect();
    let anchors = book.anchors().iter().map(ToString::to_string).collect();
    serde_json::to_vec_pretty(&Book { format: FORMAT, anchors, peers }).expect("strings and numbers are always JSON")
}

fn line(known: &Known) -> Line {
    Line { address: known.address.to_string(), reached_ms: known.reached_ms, failures: known.failures }
}

/// Reads what was written down. What doesn't make sense is left out.
fn decode(bytes: &[u8]) -> io::Result<Contents> {
    let book: Book = serde_json::from_slice(bytes)?;
    if !(FORMAT_OF_ONE_LIST..=FORMAT).contains(&book.format) {
        let cause = format!("its format is {}, and this program knows those up to {FORMAT}", book.format);
        return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
    }
    Ok(Contents {
        anchors: book.anchors.iter().take(ANCHORS_MAX).filter_map(|peer| peer.parse().ok()).collect(),
        pages: book.peers.into_iter().take(PEERS_MAX).filter_map(page).collect(),
    })
}

fn page(page: Page) -> Option<Saved> {
    let known = |line: Line| {
        let address: Multiaddr = line.address.parse().ok()?;
        Some(Known { address, reached_ms: line.reached_ms, failures: line.failures, hearsay: false })
    };
    let addresses = page.addresses.into_iter().take(ADDRESSES_PER_PEER_MAX).filter_map(known).collect();
    let (reached_ms, failures, vouched_until_ms) = (page.reached_ms, page.failures, page.vouched_until_ms);
    let entry = Entry { addresses, reached_ms, failures, vouched_until_ms, ..Entry::default() };
    // In the first format nothing said who told of a peer, and reached ones were those with a time.
    let source = page.source.unwrap_or(Source::Person);
    let is_tried = page.tried || (page.source.is_none() && page.reached_ms > 0);
    Some(Saved { peer: page.peer.parse().ok()?, entry, source, is_tried })
}

/// Reads the file. One that isn't there is an empty book.
///
/// # Errors
/// When it can't be read, is too large or isn't an address book.
pub(super) fn load(path: &Path) -> io::Result<Contents> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Contents::default()),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
    }
    decode(&bytes)
}

/// Replaces the file, so that at every moment either the old or the new one is there in full.
///
/// # Errors
/// When the disk says no.
pub(super) fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = private(Path::new(&temporary))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // A file that was there before has kept its mode.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::super::addresses::Counts;
    use super::super::reach::group;
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    #[test]
    fn a_book_comes_back_from_disk_as_it_was_without_hearsay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("peers.json");
        let (friend, stranger, neighbour) = (PeerId::random(), PeerId::random(), PeerId::random());
        let source = Source::Peer(group(&address("/ip4/203.0.113.1/tcp/1")));
        let mut book = AddressBook::new(PeerId::random(), [0; 32]);
        book.reached(friend, &address("/ip4/198.51.100.1/tcp/1"), NOW);
        book.learn(friend, address("/ip6/2001:db8::1/tcp/2"), Source::Person);
        book.failed(friend, NOW);
        book.vouch(friend, address("/ip4/198.51.100.1/tcp/1"), NOW + 5);
        book.learn(stranger, address("/ip4/198.52.100.2/tcp/1"), source);
        book.learn(neighbour, address("/ip4/10.0.0.2/tcp/1"), Source::Lan);
        book.anchor(vec![friend]);
        save(&path, &encode(&book)).expect("written");

        let mut restored = AddressBook::new(PeerId::random(), [0; 32]);
        let read = load(&path).expect("read");
        restored.restore(read.anchors, read.pages);
        assert_eq!(encode(&restored), encode(&book));
        let counts = Counts { near: 0, new: 1, tried: 1, anchors: 1, reached: 1 };
        assert_eq!(restored.counts(), counts);
        assert_eq!(restored.found().cached, 2);
        assert!(!restored.take_changed());
    }

    #[test]
    fn a_book_of_the_first_format_is_taken_up() {
        let text = r#"{"format":1,"peers":[
            {"peer":"12D3KooWGzBBgZPgEb8pdeB4aYuSVtXgkcNbmDpyiJwbXLUAGBrn","reached_ms":7,"failures":2,"addresses":
             [{"address":"/ip4/198.51.100.1/tcp/1","reached_ms":7,"failures":2}]},
            {"peer":"12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN","reached_ms":0,"failures":0,"addresses":
             [{"address":"/ip4/198.52.100.1/tcp/1","reached_ms":0,"failures":0}]},
            {"peer":"12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X","reached_ms":7,"failures":0,"addresses":
             [{"address":"/ip4/127.0.0.1/tcp/1","reached_ms":7,"failures":0}]}]}"#;
        let read = decode(text.as_bytes()).expect("a book");
        let mut book = AddressBook::new(PeerId::random(), [0; 32]);
        book.restore(read.anchors, read.pages);
        assert_eq!(book.counts(), Counts { near: 1, new: 1, tried: 1, anchors: 0, reached: 2 });
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("peers.json");
        save(&path, b"{}").expect("written");
        save(&path, b"{}").expect("written over");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_missing_file_is_an_empty_book_and_a_damaged_one_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("peers.json");
        assert!(load(&path).expect("nothing").pages.is_empty());
        for damaged in ["", "{", "[]", r#"{"format":3,"peers":[]}"#, r#"{"format":0,"peers":[]}"#] {
            fs::write(&path, damaged).expect("written");
            assert!(load(&path).is_err(), "{damaged}");
        }
        fs::write(&path, vec![b' '; 5 * 1024 * 1024]).expect("written");
        assert!(load(&path).is_err());
    }

    #[test]
    fn lines_that_make_no_sense_are_left_out() {
        let text = r#"{"format":1,"peers":[{"peer":"nobody","reached_ms":0,"failures":0,"addresses":[]},
            {"peer":"12D3KooWGzBBgZPgEb8pdeB4aYuSVtXgkcNbmDpyiJwbXLUAGBrn","reached_ms":1,"failures":2,"addresses":
            [{"address":"nowhere","reached_ms":0,"failures":0},
             {"address":"/ip4/198.51.100.1/tcp/1","reached_ms":0,"failures":0}]}]}"#;
        let read = decode(text.as_bytes()).expect("a book").pages;
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].entry.addresses.len(), 1);
    }
}
