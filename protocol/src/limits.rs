//! Every bound of the network, with its unit, reason and source.
//!
//! These are part of validity or of the wire: they are constants, never options. A node's own appetite (disk quota,
//! follows) lives in the node. Relations between the bounds are asserted at compile time at the end of the file.

/// The only event version of this specification.
pub const EVENT_VERSION: u8 = 1;

/// Bytes of a whole event: header, signature, salt and body. One event fits one sync frame and a quarter of a gossip
/// frame (a gossip frame near its limit silences the stream: measured on gossipsub 0.50.1).
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an encoded header. Room for 400 label targets of 36 bytes beside the fixed part.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a body without its salt. About 8,000 words: the longest posts of comparable forums fit; a novel does not.
pub const BODY_BYTES_MAX: usize = 48 * 1024 - SALT_BYTES;

/// Bytes of the salt before a body: without it a short text could be guessed from its commitment after deletion.
pub const SALT_BYTES: usize = 16;

/// Bytes of an ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Events that one event may name as seen before it. Enough to join the heads of a busy thread.
pub const REFS_MAX: usize = 8;

/// Tags of a post.
pub const TAGS_MAX: usize = 8;

/// Bytes of one tag.
pub const TAG_BYTES_MAX: usize = 32;

/// Bytes of a title: about 75 words; longer ones are text.
pub const TITLE_BYTES_MAX: usize = 300;

/// Bytes of a link: the length that browsers and servers agree on.
pub const LINK_BYTES_MAX: usize = 2048;

/// Links of a profile.
pub const PROFILE_LINKS_MAX: usize = 8;

/// Characters (Unicode scalar values) of a board's or an author's name.
pub const NAME_CHARS_MAX: usize = 32;

/// Bytes of a language tag (BCP 47 registers none longer than 35).
pub const LANGUAGE_BYTES_MAX: usize = 35;

/// Depth at which replies stop to nest further; deeper ones are shown at this depth, none is dropped.
pub const REPLY_DEPTH_MAX: u16 = 255;

/// Events that one retraction may name.
pub const RETRACT_TARGETS_MAX: usize = 256;

/// Events or authors that one label may name.
pub const LABEL_TARGETS_MAX: usize = 400;

/// Bytes of a label's value, a short word such as `spam`.
pub const LABEL_VALUE_BYTES_MAX: usize = 32;

/// Longest life of a label: it must be renewed, so that forgotten judgements end. 180 days in milliseconds.
pub const LABEL_LIFE_MS_MAX: u64 = 180 * 24 * 60 * 60 * 1000;

/// Bytes of the written reason of a label.
pub const REASON_BYTES_MAX: usize = 2000;

/// Heads that a checkpoint or a revocation may name.
pub const HEADS_MAX: usize = 256;

/// Stewards that a charter may name; more join by steward actions.
pub const STEWARDS_MAX: usize = 16;

/// Rules of a charter, numbered from 1.
pub const RULES_MAX: usize = 64;

/// Bytes of one rule.
pub const RULE_BYTES_MAX: usize = 1000;

/// Leading zero bits of work that an event needs in an open board or an author's space, and the default of a charter:
/// about 30 ms on a desktop core. It prices what can never be forgotten: a known id.
pub const WORK_BITS_DEFAULT: u8 = 16;

/// Most work that a charter may ask: 2^32 tries are about half an hour of one core.
pub const WORK_BITS_MAX: u8 = 32;

/// An event dated further ahead than this is deferred (never invalid: clocks differ). Ten minutes.
pub const FUTURE_MS_MAX: u64 = 10 * 60 * 1000;

/// Bytes of one sync request on the wire: probes, or events that are pushed.
pub const SYNC_REQUEST_BYTES_MAX: usize = 384 * 1024;

/// Bytes of one sync response on the wire.
pub const SYNC_RESPONSE_BYTES_MAX: usize = 384 * 1024;

/// Bytes of events in one batch. A batch ends before the event that would pass it, so a response stays below
/// [`SYNC_RESPONSE_BYTES_MAX`] with any mixture of sizes.
pub const SYNC_EVENTS_BYTES_MAX: usize = 256 * 1024;

/// Epochs of one space in one answer. The epochs from 1970 to 2242; later dates are not admitted yet.
pub const SYNC_EPOCHS_MAX: usize = 8192;

/// Bytes of one frame. A message of a comparison or a batch of events spans as many as it needs, so that a frame's bound
/// never adds a round trip, and no reader reserves more than this on a length's word.
pub const SYNC_FRAME_BYTES_MAX: usize = 64 * 1024;

/// Ids in one request for events.
pub const SYNC_GET_IDS_MAX: usize = 1024;

/// Spaces that one sync greeting may name: a node that follows more names them in turns.
pub const SYNC_SPACES_MAX: usize = 4096;

/// Boards in one answer about the boards that a node lists.
pub const DIRECTORY_BOARDS_MAX: usize = 32;

/// Bytes of a charter there: name, title, description and a page of rules. A charter with more words travels without them,
/// and has at most about 1,300 bytes then.
pub const DIRECTORY_CHARTER_BYTES_MAX: usize = 8 * 1024;

/// Gossip topics that a node subscribes to at once. Receivers drop the whole greeting of a peer that names too many
/// (gossipsub 0.50.1 counts subscriptions), so this is agreed network-wide.
pub const TOPICS_MAX: usize = 256;

/// Topics that all author spaces share, chosen by a hash of the space.
pub const AUTHOR_TOPICS: u8 = 16;

/// The only version of invites of this specification.
pub const INVITE_VERSION: u8 = 1;

/// Bytes of an invite. Its base32 form then fits the largest QR code of letters and digits (4,296 at level L, ISO 18004);
/// usual ones have 150 to 350.
pub const INVITE_BYTES_MAX: usize = 2304;

/// Addresses of the inviter's node in an invite: two families and transports on a few interfaces.
pub const INVITE_ADDRESSES_MAX: usize = 8;

/// Addresses of other nodes in an invite: enough to be let in while the inviter sleeps.
pub const INVITE_OTHERS_MAX: usize = 4;

/// Bytes of one address in an invite. One through a relay has about 90.
pub const INVITE_ADDRESS_BYTES_MAX: usize = 96;

/// Stewards, and authors, whom an invite may propose to trust first.
pub const INVITE_KEYS_MAX: usize = 4;

/// Characters of a network's name in an invite.
pub const NETWORK_NAME_CHARS_MAX: usize = 64;

/// Longest life of an invite, in milliseconds: 90 days. Addresses of homes rarely last longer.
pub const INVITE_LIFE_MS_MAX: u64 = 90 * 24 * 60 * 60 * 1000;

/// Life of an invite if nobody says otherwise, in milliseconds: a week, as an invite in a mail is answered.
pub const INVITE_LIFE_MS_DEFAULT: u64 = 7 * 24 * 60 * 60 * 1000;

const _: () = {
    // Names have at most four bytes a character; every length of a text or list takes at most three.
    let head = 1 + 32 + 3 + 4 * NETWORK_NAME_CHARS_MAX + 2 * 9;
    let addresses = 2 * 3 + (INVITE_ADDRESSES_MAX + INVITE_OTHERS_MAX) * (1 + INVITE_ADDRESS_BYTES_MAX);
    let board = 1 + 32 + 3 + 4 * NAME_CHARS_MAX + 3 + TITLE_BYTES_MAX;
    let keys = 2 * (3 + INVITE_KEYS_MAX * 32);
    assert!(head + addresses + board + keys + SIGNATURE_BYTES <= INVITE_BYTES_MAX);
    assert!(5 + INVITE_BYTES_MAX.div_ceil(5) * 8 <= 4296);
    assert!(INVITE_LIFE_MS_DEFAULT <= INVITE_LIFE_MS_MAX);
};

const _: () = {
    assert!(HEADER_BYTES_MAX + SIGNATURE_BYTES <= EVENT_BYTES_MAX);
    // A body and a header of a few targets fit together; an event whose two parts are both huge does not.
    assert!(BODY_BYTES_MAX + SALT_BYTES + SIGNATURE_BYTES + 4 * 1024 <= EVENT_BYTES_MAX);
    assert!(LABEL_TARGETS_MAX * 36 + 1024 <= HEADER_BYTES_MAX);
    assert!(RETRACT_TARGETS_MAX * 32 + 1024 <= HEADER_BYTES_MAX);
    assert!(HEADS_MAX * 32 + 1024 <= HEADER_BYTES_MAX);
    assert!(SYNC_EVENTS_BYTES_MAX >= 2 * EVENT_BYTES_MAX);
    // Each event of a batch is behind an eight-byte length; the smallest event has more than 200 bytes.
    assert!(SYNC_EVENTS_BYTES_MAX + SYNC_EVENTS_BYTES_MAX / 20 + 1024 <= SYNC_RESPONSE_BYTES_MAX);
    // An epoch is at most 26 bytes in compact form, and a space without its epochs 34.
    assert!(SYNC_EPOCHS_MAX * 26 + SYNC_SPACES_MAX * 34 + 1024 <= SYNC_RESPONSE_BYTES_MAX);
    assert!(SYNC_FRAME_BYTES_MAX <= SYNC_REQUEST_BYTES_MAX);
    assert!(SYNC_GET_IDS_MAX * 32 + 1024 <= SYNC_REQUEST_BYTES_MAX);
    assert!(SYNC_EVENTS_BYTES_MAX + SYNC_EVENTS_BYTES_MAX / 20 + 1024 <= SYNC_REQUEST_BYTES_MAX);
    // Beside its charter, a listed board has a length of at most 3 bytes, and integers of 9, 9 and 5.
    assert!(DIRECTORY_BOARDS_MAX * (DIRECTORY_CHARTER_BYTES_MAX + 26) + 1024 <= SYNC_RESPONSE_BYTES_MAX);
    // A charter's header: signer, refs, name, language and stewards are what has a length of its own.
    assert!(
        139 + 104 + REFS_MAX * 32 + 4 * NAME_CHARS_MAX + LANGUAGE_BYTES_MAX + STEWARDS_MAX * 32 + 128 + SIGNATURE_BYTES
            <= DIRECTORY_CHARTER_BYTES_MAX
    );
    assert!(WORK_BITS_DEFAULT <= WORK_BITS_MAX);
    assert!(RULES_MAX * 256 <= BODY_BYTES_MAX);
};
