//! The worked example of `protocol/README.md`, made by the code and read back from the document.

use super::{hex, is_writing, key};
use roda_protocol::codec;
use roda_protocol::event::{Author, Body, Draft, Kind, Post, PostBody, Signed, Signer};
use roda_protocol::id::{EventId, NetworkId, SpaceId};
use roda_protocol::keys::{Domain, device_message};
use roda_protocol::validate::{SpaceRules, validate};
use roda_protocol::{gossip, work};
use std::path::Path;

const BEGIN: &str = "<!-- The code writes what follows: see the head of tests/tests/vectors.rs. -->\n";
const END: &str = "<!-- The code wrote what precedes. -->\n";

fn network() -> NetworkId {
    NetworkId::of("roda-main")
}

fn example() -> Signed {
    let (root, device) = (key(1), key(2));
    let expires_ms = 1_831_536_000_000;
    let certificate = root.sign(Domain::Device, &network(), &device_message(&device.public().0, expires_ms));
    let words = PostBody { title: "Pão".into(), text: "Flour, water, salt.".into(), link: None };
    let draft = Draft {
        space: SpaceId::of_open_board("cooking"),
        created_ms: 1_800_000_000_000,
        refs: vec![EventId([0xaa; 32])],
        kind: Kind::Post(Post { tags: vec!["bread".into()] }),
        body: Body::Post(words),
        salt: [0x5a; 16],
    };
    let author = Author::Device { root: root.public(), key: &device, expires_ms, certificate };
    draft.sign(&author, &network(), 16).expect("a valid draft")
}

/// The parts of the example in order, with what each is.
fn parts(signed: &Signed) -> Vec<(Vec<u8>, String)> {
    let header = signed.header();
    let Signer::Device { key, expires_ms, certificate } = &header.signer else { panic!("signed by a device") };
    let Some(Body::Post(words)) = signed.body() else { panic!("a post") };
    let u64 = |number: u64| number.to_le_bytes().to_vec();
    let length = |bytes: &[u8]| u64(bytes.len() as u64);
    let bare = signed.bytes_without_body();
    let signature = bare[bare.len() - 64..].to_vec();
    let text = |what: &str, text: &str| {
        [
            (length(text.as_bytes()), format!("{what}: length {}", text.len())),
            (text.into(), format!("{what}: `{text}`")),
        ]
    };
    let mut parts = vec![
        (vec![header.version], "version".into()),
        (header.space.0.into(), "space: the open board `cooking`".into()),
        (header.author.0.into(), "author: the public key of the seed `01` x 32".into()),
        (1_u32.to_le_bytes().into(), "signer: a device".into()),
        (key.to_vec(), "device key: the public key of the seed `02` x 32".into()),
        (u64(*expires_ms), format!("device expires_ms: {expires_ms}")),
        (certificate.to_bytes().into(), "device certificate by the root".into()),
        (u64(header.created_ms), format!("created_ms: {}", header.created_ms)),
        (u64(1), "refs: 1".into()),
        (header.refs[0].0.into(), "the ref".into()),
        (header.kind.tag.to_le_bytes().into(), "kind: post".into()),
        (length(&header.kind.fields), format!("fields: length {}", header.kind.fields.len())),
        (u64(1), "tags: 1".into()),
    ];
    parts.extend(text("tag", "bread"));
    parts.extend([
        (header.body.len.to_le_bytes().into(), format!("body length {}, without the salt", header.body.len)),
        (header.body.commitment.into(), "body commitment".into()),
        (u64(header.work), format!("work: nonce {}", header.work)),
        (signature, "signature by the device".into()),
        (vec![0x5a; 16], "salt".into()),
    ]);
    parts.extend(text("title", &words.title));
    parts.extend(text("text", &words.text));
    parts.push((vec![0], "link: none".into()));
    parts
}

fn table(signed: &Signed) -> String {
    let mut table = String::from("| offset | bytes | what |\n| ---: | --- | --- |\n");
    let mut offset = 0;
    for (bytes, what) in parts(signed) {
        table.push_str(&format!("| {offset} | `{}` | {what} |\n", hex(&bytes)));
        offset += bytes.len();
    }
    table
}

fn derived(signed: &Signed) -> String {
    let bare = signed.bytes_without_body();
    let header = &bare[..bare.len() - 64];
    let rows = [
        ("network", hex(network().0)),
        ("header length", header.len().to_string()),
        ("event id", hex(signed.id().0)),
        ("work hash", hex(blake3::derive_key("roda/1/work", &signed.id().0))),
        ("work bits", work::bits(&signed.id()).to_string()),
        ("gossip message id", hex(gossip::message_id(signed.bytes()))),
        ("topic", gossip::board_topic(&network(), signed.space())),
    ];
    let mut table = String::from("| derived | value |\n| --- | --- |\n");
    for (name, value) in rows {
        table.push_str(&format!("| {name} | `{value}` |\n"));
    }
    table
}

#[test]
fn the_worked_example_of_the_specification_is_true() {
    let signed = example();
    let bytes: Vec<u8> = parts(&signed).into_iter().flat_map(|(bytes, _)| bytes).collect();
    assert_eq!(bytes, signed.bytes());
    assert!(bytes.starts_with(&codec::encode(signed.header())));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/README.md");
    let mut document = std::fs::read_to_string(&path).expect("the specification is readable");
    let expected = format!("\n{}\n{}\n", table(&signed), derived(&signed));
    if is_writing() {
        let (before, rest) = document.split_once(BEGIN).expect("the example has a beginning");
        let (_, after) = rest.split_once(END).expect("the example has an end");
        document = format!("{before}{BEGIN}{expected}{END}{after}");
        std::fs::write(&path, &document).expect("the specification is writable");
    }
    let (_, rest) = document.split_once(BEGIN).expect("the example has a beginning");
    let (written, _) = rest.split_once(END).expect("the example has an end");
    assert_eq!(written, expected);

    let column = |line: &str| line.split('`').nth(1).map(str::to_owned);
    let rows = written.split("| derived").next().unwrap_or_default().lines().filter_map(column);
    let read = data_encoding::HEXLOWER.decode(rows.collect::<String>().as_bytes()).expect("hex");
    let verified = validate(Signed::decode(&network(), &read).expect("an event"), &SpaceRules::OPEN);
    assert_eq!(verified.expect("valid in an open board").id(), signed.id());
}
