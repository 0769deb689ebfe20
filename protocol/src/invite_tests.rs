use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000_000;

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn invitation() -> Invitation {
    Invitation {
        network: "roda-test".into(),
        issued_ms: NOW,
        expires_ms: NOW + 1000,
        addresses: vec![Address(vec![4, 127, 0, 0, 1, 6, 0x1e, 0x24])],
        others: vec![],
        board: InvitedBoard::Open { name: "lounge".into() },
        stewards: vec![],
        authors: vec![],
    }
}

fn charter(name: &str, title: &str) -> InvitedBoard {
    InvitedBoard::Charter { board: SpaceId([9; 32]), name: name.into(), title: title.into() }
}

/// The largest invitation that fits.
fn largest() -> Invitation {
    let address = Address(vec![1; INVITE_ADDRESS_BYTES_MAX]);
    Invitation {
        network: "🦀".repeat(NETWORK_NAME_CHARS_MAX),
        expires_ms: NOW + INVITE_LIFE_MS_MAX,
        addresses: vec![address.clone(); INVITE_ADDRESSES_MAX],
        others: vec![address; INVITE_OTHERS_MAX],
        board: charter(&"🦀".repeat(NAME_CHARS_MAX), &"t".repeat(TITLE_BYTES_MAX)),
        stewards: vec![AuthorKey([1; 32]); INVITE_KEYS_MAX],
        authors: vec![AuthorKey([2; 32]); INVITE_KEYS_MAX],
        ..invitation()
    }
}

/// An invite of other bytes, with a signature that fits.
fn resigned(bytes: &[u8], network: &str) -> String {
    let signature = key().sign(Domain::Invite, &NetworkId::of(network), bytes);
    let digits = BASE32_NOPAD.encode(&[bytes, &signature.to_bytes()].concat());
    format!("{PREFIX}{digits}")
}

fn signed_bytes(said: &[u8]) -> Vec<u8> {
    [&[INVITE_VERSION][..], &key().public().0, said].concat()
}

#[test]
fn an_invite_reads_back_what_was_signed_and_by_whom() {
    for said in [invitation(), largest()] {
        let invite = Invite::read(&said.sign(&key()).unwrap(), NOW).unwrap();
        assert_eq!((invite.said(), invite.inviter()), (&said, NodeKey(key().public().0)));
    }
}

#[test]
fn case_and_line_ends_do_not_matter() {
    let text = invitation().sign(&key()).unwrap();
    let invite = Invite::read(&text, NOW);
    let (first, rest) = text.split_at(40);
    for other in [text.to_ascii_uppercase(), format!("  {text}\n"), format!("{first}\r\n  {rest}")] {
        assert_eq!(Invite::read(&other, NOW), invite);
    }
    assert!(invite.is_ok());
}

#[test]
fn an_invite_without_a_charter_is_short() {
    assert!(invitation().sign(&key()).unwrap().len() <= 240);
}

#[test]
fn an_invite_ends_at_its_time() {
    let text = invitation().sign(&key()).unwrap();
    assert!(Invite::read(&text, NOW + 999).is_ok());
    assert_eq!(Invite::read(&text, NOW + 1000), Err(InviteError::Expired { expires_ms: NOW + 1000 }));
}

#[test]
fn what_is_no_invite_is_told_from_what_is_damaged() {
    let text = invitation().sign(&key()).unwrap();
    for other in ["", "roda", "hello", "rüda:abc", &text[1..], "/ip4/127.0.0.1/tcp/1"] {
        assert_eq!(Invite::read(other, NOW), Err(InviteError::NotAnInvite), "{other}");
    }
    for other in ["roda:", "roda:1", "roda:ae", "roda:ü", &text[..text.len() - 1], &format!("{text}a"), &text[..90]] {
        assert_eq!(Invite::read(other, NOW), Err(InviteError::Malformed), "{other}");
    }
    let long = format!("roda:{}", "a".repeat(100_000));
    assert_eq!(Invite::read(&long, NOW), Err(InviteError::Malformed));
}

#[test]
fn another_version_is_named_whatever_follows() {
    let text = format!("{PREFIX}{}", BASE32_NOPAD.encode(&[2, 1, 1]));
    assert_eq!(Invite::read(&text, NOW), Err(InviteError::OtherVersion(2)));
}

#[test]
fn a_signature_of_another_network_key_or_use_is_forged() {
    let said = invitation();
    let bytes = signed_bytes(&said.to_bytes().unwrap());
    assert!(Invite::read(&resigned(&bytes, "roda-test"), NOW).is_ok());
    assert_eq!(Invite::read(&resigned(&bytes, "roda-main"), NOW), Err(InviteError::Forged));
    let signature = key().sign(Domain::Event, &NetworkId::of("roda-test"), &bytes);
    let text = format!("{PREFIX}{}", BASE32_NOPAD.encode(&[&bytes[..], &signature.to_bytes()].concat()));
    assert_eq!(Invite::read(&text, NOW), Err(InviteError::Forged));
    let mut stolen = bytes;
    stolen[1..33].copy_from_slice(&SecretKey::from_seed(&[8; 32]).public().0);
    assert_eq!(Invite::read(&resigned(&stolen, "roda-test"), NOW), Err(InviteError::Forged));
}

#[test]
fn what_breaks_a_bound_is_neither_signed_nor_read() {
    let address = Address(vec![1]);
    let broken = [
        Invitation { network: String::new(), ..invitation() },
        Invitation { network: "a\u{202e}b".into(), ..invitation() },
        Invitation { network: "n".repeat(NETWORK_NAME_CHARS_MAX + 1), ..invitation() },
        Invitation { expires_ms: NOW, ..invitation() },
        Invitation { expires_ms: NOW - 1, ..invitation() },
        Invitation { expires_ms: NOW + INVITE_LIFE_MS_MAX + 1, ..invitation() },
        Invitation { addresses: vec![address.clone(); INVITE_ADDRESSES_MAX + 1], ..invitation() },
        Invitation { addresses: vec![Address(vec![])], ..invitation() },
        Invitation { others: vec![address; INVITE_OTHERS_MAX + 1], ..invitation() },
        Invitation { others: vec![Address(vec![1; INVITE_ADDRESS_BYTES_MAX + 1])], ..invitation() },
        Invitation { board: InvitedBoard::Open { name: "Lounge".into() }, ..invitation() },
        Invitation { board: InvitedBoard::Open { name: String::new() }, ..invitation() },
        Invitation { board: charter("", ""), ..invitation() },
        Invitation { board: charter("a\u{1b}[2J", ""), ..invitation() },
        Invitation { board: charter("a", &"t".repeat(TITLE_BYTES_MAX + 1)), ..invitation() },
        Invitation { stewards: vec![AuthorKey([1; 32]); INVITE_KEYS_MAX + 1], ..invitation() },
        Invitation { authors: vec![AuthorKey([1; 32]); INVITE_KEYS_MAX + 1], ..invitation() },
    ];
    for said in broken {
        assert_eq!(said.sign(&key()), Err(Unfit), "{said:?}");
        let text = resigned(&signed_bytes(&codec::encode_compact(&said)), &said.network);
        assert_eq!(Invite::read(&text, NOW), Err(InviteError::Malformed), "{said:?}");
    }
}

fn any_invitation() -> impl Strategy<Value = Invitation> {
    let address = || vec(any::<u8>(), 1..=INVITE_ADDRESS_BYTES_MAX).prop_map(Address);
    let keys = || vec(any::<[u8; 32]>().prop_map(AuthorKey), 0..=INVITE_KEYS_MAX);
    let board = prop_oneof![
        "[a-z0-9]{1,32}".prop_map(|name| InvitedBoard::Open { name }),
        (any::<[u8; 32]>(), "[a-zA-Z0-9]{1,32}", ".{0,75}").prop_map(|(id, name, title)| InvitedBoard::Charter {
            board: SpaceId(id),
            name,
            title
        }),
    ];
    let addresses = (vec(address(), 0..=INVITE_ADDRESSES_MAX), vec(address(), 0..=INVITE_OTHERS_MAX));
    ("[a-z-]{1,64}", 1..=INVITE_LIFE_MS_MAX, addresses, board, keys(), keys()).prop_map(
        |(network, life_ms, (addresses, others), board, stewards, authors)| Invitation {
            network,
            issued_ms: NOW,
            expires_ms: NOW + life_ms,
            addresses,
            others,
            board,
            stewards,
            authors,
        },
    )
}

proptest! {
    #[test]
    fn any_invitation_that_fits_reads_back(said in any_invitation()) {
        let text = said.sign(&key()).unwrap();
        prop_assert!(text.len() <= PREFIX.len() + DIGITS_MAX);
        let invite = Invite::read(&text, NOW).unwrap();
        prop_assert_eq!(invite.said(), &said);
    }

    #[test]
    fn any_changed_byte_is_refused(said in any_invitation(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let text = said.sign(&key()).unwrap();
        let mut bytes = bytes_of(&text).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let text = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
        prop_assert!(Invite::read(&text, NOW).is_err());
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,300}") {
        let _ = Invite::read(&text, NOW);
        let _ = Invite::read(&format!("{PREFIX}{text}"), NOW);
    }

    #[test]
    fn bytes_that_are_read_are_the_one_encoding(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(said) = Invitation::from_bytes(&bytes) {
            prop_assert_eq!(said.to_bytes().unwrap(), bytes);
        }
    }
}
