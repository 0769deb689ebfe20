//! Invites: what they say, their bytes and text, and texts that are refused, with the reason.

use super::{check, hex, key, network};
use data_encoding::BASE32_NOPAD;
use roda_protocol::codec;
use roda_protocol::id::{AuthorKey, NetworkId, SpaceId};
use roda_protocol::invite::{Address, Invitation, Invite, InviteError, InvitedBoard};
use roda_protocol::keys::{Domain, SecretKey};
use roda_protocol::limits::{INVITE_LIFE_MS_DEFAULT, INVITE_LIFE_MS_MAX};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000_000;

/// `/ip4/203.0.113.5/tcp/7716`.
const TCP: &[u8] = &[4, 203, 0, 113, 5, 6, 0x1e, 0x24];

fn open() -> Invitation {
    Invitation {
        network: "roda-test".into(),
        issued_ms: NOW,
        expires_ms: NOW + INVITE_LIFE_MS_DEFAULT,
        addresses: vec![Address(TCP.to_vec())],
        others: vec![],
        board: InvitedBoard::Open { name: "lounge".into() },
        stewards: vec![],
        authors: vec![],
    }
}

fn charter() -> Invitation {
    // `/p2p/` and the libp2p name of an ed25519 key: an identity hash of the key's protobuf form.
    let name = [&[0xa5, 3, 38, 0, 36, 8, 1, 18, 32][..], &key(2).public().0].concat();
    // `/ip6/2001:db8::1/tcp/7716`.
    let ip6 = [&[41, 0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[1, 6, 0x1e, 0x24]].concat();
    Invitation {
        addresses: vec![Address(TCP.to_vec()), Address(ip6)],
        others: vec![Address([TCP, &name].concat())],
        board: InvitedBoard::Charter {
            board: SpaceId([7; 32]), name: "Old Cars".into(), title: "Só carros 🚗".into()
        },
        stewards: vec![key(3).public(), key(4).public()],
        authors: vec![AuthorKey([5; 32])],
        ..open()
    }
}

fn said_json(said: &Invitation) -> Value {
    let addresses = |addresses: &[Address]| addresses.iter().map(|address| hex(&address.0)).collect::<Vec<_>>();
    let keys = |keys: &[AuthorKey]| keys.iter().map(|key| hex(key.0)).collect::<Vec<_>>();
    let board = match &said.board {
        InvitedBoard::Open { name } => json!({ "open": { "name": name } }),
        InvitedBoard::Charter { board, name, title } => {
            json!({ "charter": { "board": hex(board.0), "name": name, "title": title } })
        }
    };
    json!({
        "network": said.network,
        "issued_ms": said.issued_ms,
        "expires_ms": said.expires_ms,
        "addresses": addresses(&said.addresses),
        "others": addresses(&said.others),
        "board": board,
        "stewards": keys(&said.stewards),
        "authors": keys(&said.authors),
    })
}

fn invites() -> Vec<Value> {
    let shortest = Invitation { expires_ms: NOW + 1, addresses: vec![], ..open() };
    let longest =
        Invitation { expires_ms: NOW + INVITE_LIFE_MS_MAX, authors: vec![AuthorKey([6; 32]); 4], ..charter() };
    let cases =
        [("to an open board", open()), ("to a charter board", charter()), ("shortest", shortest), ("long", longest)];
    let case = |(name, said): (&str, Invitation)| {
        let text = said.sign(&key(1)).expect("it fits");
        let invite = Invite::read(&text, NOW).expect("it was signed just now");
        assert_eq!(invite.said(), &said);
        json!({
            "name": name,
            "seed": hex([1; 32]),
            "inviter": hex(invite.inviter().0),
            "invitation": said_json(&said),
            "said": hex(said.to_bytes().expect("it fits")),
            "board": hex(said.board.space().0),
            "text": text,
        })
    };
    cases.into_iter().map(case).collect()
}

/// The text of signed bytes, whatever they say.
fn text_of(bytes: &[u8], key: &SecretKey, network: &NetworkId) -> String {
    let signature = key.sign(Domain::Invite, network, bytes);
    format!("roda:{}", BASE32_NOPAD.encode(&[bytes, &signature.to_bytes()].concat()).to_ascii_lowercase())
}

fn signed(said: &[u8]) -> String {
    text_of(&[&[1][..], &key(1).public().0, said].concat(), &key(1), &network())
}

fn refused() -> Vec<Value> {
    let good = open().sign(&key(1)).expect("it fits");
    let said = open().to_bytes().expect("it fits");
    let bytes = |version: u8| [&[version][..], &key(1).public().0, &said].concat();
    let unfit = |change: fn(&mut Invitation)| {
        let mut said = open();
        change(&mut said);
        signed(&codec::encode_compact(&said))
    };
    let mut changed = good.clone().into_bytes();
    let last = changed.len() - 5;
    changed[last] = if changed[last] == b'a' { b'b' } else { b'a' };
    let cases = [
        ("no invite", "hello".to_owned(), NOW),
        ("its prefix alone", "roda:".to_owned(), NOW),
        ("a digit that base32 lacks", good.replace("roda:a", "roda:1"), NOW),
        ("a digit less", good[..good.len() - 1].to_owned(), NOW),
        ("only its first half", good[..good.len() / 2].to_owned(), NOW),
        ("of version 2", text_of(&bytes(2), &key(1), &network()), NOW),
        ("a changed digit of the signature", String::from_utf8(changed).expect("ASCII"), NOW),
        ("signed by another key", text_of(&bytes(1), &key(2), &network()), NOW),
        ("signed for another network", text_of(&bytes(1), &key(1), &NetworkId::of("roda-main")), NOW),
        ("a byte more", signed(&[&said[..], &[0]].concat()), NOW),
        ("a longer form of a number", signed(&[&[251, 9, 0][..], &said[1..]].concat()), NOW),
        ("a board in capitals", unfit(|said| said.board = InvitedBoard::Open { name: "Lounge".into() }), NOW),
        ("a network that turns the line", unfit(|said| said.network = "a\u{202e}b".into()), NOW),
        ("a network without a name", unfit(|said| said.network.clear()), NOW),
        ("an empty address", unfit(|said| said.addresses.push(Address(vec![]))), NOW),
        ("nine addresses", unfit(|said| said.addresses = vec![Address(vec![1]); 9]), NOW),
        ("an address of 97 bytes", unfit(|said| said.others.push(Address(vec![1; 97]))), NOW),
        ("five stewards", unfit(|said| said.stewards = vec![AuthorKey([1; 32]); 5]), NOW),
        ("void when it was made", unfit(|said| said.expires_ms = said.issued_ms), NOW),
        ("a life too long", unfit(|said| said.expires_ms = said.issued_ms + INVITE_LIFE_MS_MAX + 1), NOW),
        ("at its end", good.clone(), NOW + INVITE_LIFE_MS_DEFAULT),
    ];
    let case = |(name, text, now_ms): (&str, String, u64)| {
        let why = match Invite::read(&text, now_ms).expect_err(name) {
            InviteError::NotAnInvite => "no invite",
            InviteError::Malformed => "malformed",
            InviteError::OtherVersion(_) => "other version",
            InviteError::Forged => "forged",
            InviteError::Expired { .. } => "expired",
        };
        json!({ "name": name, "text": text, "now_ms": now_ms, "why": why })
    };
    cases.into_iter().map(case).collect()
}

#[test]
fn invites_are_as_written() {
    check("invites.json", &json!({ "now_ms": NOW, "invites": invites(), "refused": refused() }));
}
