use super::{check, hex};
use roda_protocol::gossip;
use roda_protocol::id::{AuthorKey, EventId, NetworkId, SpaceId};
use roda_protocol::work;
use serde_json::{Value, json};

fn bytes(number: u8) -> [u8; 32] {
    *blake3::hash(&[number]).as_bytes()
}

fn networks() -> Vec<Value> {
    let of = |name: &str| json!({ "name": name, "id": hex(NetworkId::of(name).0) });
    ["roda-main", "roda-test", "", "Ünïcode"].map(of).into()
}

fn authors() -> Vec<Value> {
    let of = |key: [u8; 32]| {
        let author = AuthorKey(key);
        json!({ "key": hex(key), "text": author.to_string(), "space": hex(SpaceId::of_author(author).0) })
    };
    [[0; 32], [255; 32], bytes(1), bytes(2)].map(of).into()
}

fn open_boards() -> Vec<Value> {
    let of = |name: &str| json!({ "normalised": name, "space": hex(SpaceId::of_open_board(name).0) });
    ["rust", "old-cars", "οδοσ", "日本語"].map(of).into()
}

fn topics() -> Vec<Value> {
    let mut cases = Vec::new();
    for name in ["roda-main", "roda-test"] {
        let network = NetworkId::of(name);
        for number in 0..4 {
            let space = SpaceId(bytes(number));
            cases.push(json!({
                "network": name,
                "space": hex(space.0),
                "as_board": gossip::board_topic(&network, space),
                "as_author_space": gossip::author_topic(&network, space),
            }));
        }
    }
    cases
}

fn author_topics() -> Vec<Value> {
    let of = |name: &str| json!({ "network": name, "topics": gossip::author_topics(&NetworkId::of(name)) });
    ["roda-main", "roda-test"].map(of).into()
}

fn message_ids() -> Vec<Value> {
    let of = |bytes: Vec<u8>| json!({ "bytes": hex(&bytes), "id": hex(gossip::message_id(&bytes)) });
    [vec![], vec![0], b"roda".to_vec(), (0..=255).collect()].map(of).into()
}

fn work_bits() -> Vec<Value> {
    let ids = (0_u32..).map(|number| EventId(*blake3::hash(&number.to_le_bytes()).as_bytes()));
    let mut wanted = 0;
    let mut cases = Vec::new();
    for id in ids {
        if work::bits(&id) >= wanted {
            cases.push(json!({ "id": hex(id.0), "bits": work::bits(&id) }));
            wanted = work::bits(&id) + 1;
        }
        if wanted > 16 {
            return cases;
        }
    }
    cases
}

#[test]
fn ids_and_topics_are_the_written_ones() {
    check(
        "ids.json",
        &json!({
            "networks": networks(),
            "authors": authors(),
            "open_boards": open_boards(),
            "topics": topics(),
            "author_topics": author_topics(),
            "message_ids": message_ids(),
            "work": work_bits(),
        }),
    );
}
