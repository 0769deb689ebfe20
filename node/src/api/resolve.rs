//! From what people type to ids: unique prefixes and local names.

use super::error::ApiError;
use super::names::Names;
use crate::runtime::Context;
use crate::store::SpaceRow;
use roda_protocol::event::Kind;
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::text::Untrusted;
use std::collections::BTreeMap;

/// Digits of the shortest prefix that is accepted.
pub(super) const PREFIX_DIGITS_MIN: usize = 4;

/// Matches of an ambiguous prefix that are listed.
const MATCHES_SHOWN: usize = 8;

/// A board as this node knows it.
#[derive(Clone, Debug)]
pub(crate) struct KnownBoard {
    pub(crate) space: SpaceId,
    pub(crate) row: SpaceRow,
    /// The name here; empty while the charter has not arrived.
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    /// The language tag of the charter; empty if there is none.
    pub(crate) language: String,
    /// Whether the name can be taken for that of another board that is known here. Told by [`Context::boards`] and what asks it.
    pub(crate) look_alike: bool,
}

impl KnownBoard {
    pub(crate) fn is_open(&self) -> bool {
        self.row.open_name.is_some()
    }
}

impl Context {
    /// Every board that is or was followed, by name.
    pub(crate) fn boards(&self) -> Result<Vec<KnownBoard>, ApiError> {
        let spaces = self.store.spaces()?;
        let mut boards: Vec<KnownBoard> =
            spaces.into_iter().map(|(space, row)| self.board(space, row)).collect::<Result<_, _>>()?;
        boards.sort_by(|a, b| (&a.name, a.space).cmp(&(&b.name, b.space)));
        note_look_alikes(&mut boards);
        Ok(boards)
    }

    /// The same by their ids.
    pub(crate) fn boards_by_id(&self) -> Result<BTreeMap<SpaceId, KnownBoard>, ApiError> {
        Ok(self.boards()?.into_iter().map(|board| (board.space, board)).collect())
    }

    pub(crate) fn board(&self, space: SpaceId, row: SpaceRow) -> Result<KnownBoard, ApiError> {
        if let Some(name) = &row.open_name {
            let (name, language) = (name.clone(), String::new());
            return Ok(KnownBoard { space, name, title: None, language, row, look_alike: false });
        }
        let charter = self.store.event(&EventId(space.0))?;
        let (name, language) = (String::new(), String::new());
        let mut board = KnownBoard { space, row, name, title: None, language, look_alike: false };
        if let Some(stored) = charter
            && let Kind::Charter(charter) = stored.event.kind()
        {
            board.name.clone_from(&charter.name);
            board.language.clone_from(&charter.language);
            if let Some(roda_protocol::event::Body::Charter(words)) = stored.event.body() {
                board.title = Some(words.title).filter(|title| !title.is_empty());
            }
        }
        Ok(board)
    }

    /// The board that an event stands in; without a name if it has none here.
    pub(crate) fn board_of(&self, space: SpaceId) -> Result<KnownBoard, ApiError> {
        match self.boards()?.into_iter().find(|board| board.space == space) {
            Some(board) => Ok(board),
            None => self.board(space, SpaceRow { followed: false, open_name: None }),
        }
    }

    /// The board that is meant by a full id, a unique prefix, or a local name.
    pub(crate) fn find_board(&self, text: &str) -> Result<KnownBoard, ApiError> {
        let boards = self.boards()?;
        let named: Vec<&KnownBoard> = boards.iter().filter(|board| board.name == text).collect();
        let is_prefix = text.len() >= PREFIX_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = text.to_ascii_lowercase();
        let by_id = |board: &&KnownBoard| is_prefix && board.space.to_string().starts_with(&digits);
        let matches: Vec<&KnownBoard> = if named.is_empty() { boards.iter().filter(by_id).collect() } else { named };
        match matches.as_slice() {
            [board] => Ok((*board).clone()),
            [] => Err(ApiError::new(
                "not_found",
                format!("no board here is called {}", shown(text)),
                self.or_wait("see `roda boards`; follow one by its full id, or `roda board open NAME`"),
            )
            .on_page(|t| t.error_no_board)),
            several => Err(ambiguous(text, several.iter().map(|board| board.space.to_string()))),
        }
    }

    /// The author who is meant by `@` and a key, or a unique prefix of one who is known here.
    pub(crate) fn find_author(&self, text: &str) -> Result<AuthorKey, ApiError> {
        if let Ok(author) = text.parse::<AuthorKey>() {
            return Ok(author);
        }
        let digits = text.strip_prefix('@').unwrap_or(text).to_ascii_lowercase();
        let is_prefix = digits.len() >= PREFIX_DIGITS_MIN && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_prefix {
            let hint = "an author is @ and 52 base32 digits; any unique prefix of 4 or more will do";
            return Err(ApiError::invalid(format!("{} is no author", shown(text)), hint).on_page(|t| t.error_no_author));
        }
        let known = self.store.authors_beginning_with(&whole_bytes(&digits))?;
        let is_meant = |author: &AuthorKey| author.to_string()[1..].starts_with(&digits);
        let matches: Vec<AuthorKey> = known.into_iter().filter(is_meant).collect();
        match matches.as_slice() {
            [author] => Ok(*author),
            [] => {
                let message = format!("nobody whose key begins with {} is known here", shown(text));
                Err(ApiError::new("not_found", message, self.or_wait("give the whole key")))
            }
            several => Err(ambiguous(text, several.iter().map(ToString::to_string))),
        }
    }

    /// An event that is not here.
    pub(crate) fn absent(&self, id: EventId) -> ApiError {
        ApiError::new(
            "not_found",
            format!("event {id} is not on this node"),
            self.or_wait("fetch it first: `roda sync`"),
        )
        .on_page(|t| t.error_no_event)
    }

    /// What to do about something that is not here: wait, while the index is made anew.
    pub(crate) fn or_wait(&self, otherwise: &str) -> String {
        match self.store.remade_percent() {
            Some(percent) => format!("the index is being rebuilt ({percent} %): ask again in a moment"),
            None => otherwise.to_owned(),
        }
    }

    /// The event that is meant by a full id or a unique prefix.
    pub(crate) fn find_event(&self, text: &str) -> Result<EventId, ApiError> {
        let is_prefix =
            (PREFIX_DIGITS_MIN..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_prefix {
            return Err(ApiError::invalid(
                format!("{} is no id", shown(text)),
                "an id has 64 hex digits; any unique prefix of 4 or more will do",
            )
            .on_page(|t| t.error_no_id));
        }
        if let Ok(id) = text.parse::<EventId>() {
            return Ok(id);
        }
        match self.store.ids_with_prefix(text, MATCHES_SHOWN + 1)?.as_slice() {
            [id] => Ok(*id),
            [] => {
                let message = format!("no event here begins with {text}");
                Err(ApiError::new("not_found", message, self.or_wait("check the id")).on_page(|t| t.error_no_event))
            }
            several => Err(ambiguous(text, several.iter().map(ToString::to_string))),
        }
    }
}

/// Notes which names can be taken for another board's. Anybody can found a board of any name, and follow two of one name.
fn note_look_alikes(boards: &mut [KnownBoard]) {
    let mut names = Names::default();
    let ids: Vec<String> = boards.iter().map(|board| board.space.to_string()).collect();
    for (board, id) in boards.iter().zip(&ids) {
        names.meet(id, Some(&board.name));
    }
    for (board, id) in boards.iter_mut().zip(&ids) {
        board.look_alike = names.is_like_another(id, Some(&board.name));
    }
}

/// The bytes that are told whole by the first base32 digits of a key.
fn whole_bytes(digits: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0_u32, Vec::new());
    for digit in digits.bytes() {
        let value = match digit {
            b'a'..=b'z' => digit - b'a',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return bytes,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

pub(super) fn ambiguous(text: &str, matches: impl Iterator<Item = String>) -> ApiError {
    let all: Vec<String> = matches.collect();
    let more = if all.len() > MATCHES_SHOWN { ", ..." } else { "" };
    let listed = all.iter().take(MATCHES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("{} is ambiguous: it can be {listed}{more}", shown(text));
    ApiError::new("ambiguous", message, "give more digits")
}

/// What a person typed, for an error.
pub(super) fn shown(text: &str) -> String {
    format!("\"{}\"", Untrusted::new(text.to_owned()).line(Some(80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_whose_names_look_alike_are_noticed_and_those_without_a_name_are_not() {
        let names = ["garden", "Garden", "gаrden", "kitchen", "", "", "l1brary", "library", "library"];
        let mut boards: Vec<KnownBoard> = (1..)
            .zip(names)
            .map(|(number, name)| KnownBoard {
                space: SpaceId([number; 32]),
                row: SpaceRow { followed: true, open_name: None },
                name: name.to_owned(),
                title: None,
                language: String::new(),
                look_alike: false,
            })
            .collect();
        note_look_alikes(&mut boards);
        let alike: Vec<bool> = boards.iter().map(|board| board.look_alike).collect();
        assert_eq!(alike[..6], [true, true, true, false, false, false]);
        assert_eq!(alike[7..], [true, true], "equal names look alike most of all");
        note_look_alikes(&mut boards[..1]);
        assert!(!boards[0].look_alike, "alone it looks like none");
    }

    #[test]
    fn the_first_digits_of_a_key_tell_its_first_bytes() {
        let author = AuthorKey(std::array::from_fn(|index| (index * 37 + 11) as u8));
        let digits = author.to_string();
        for count in 0..=52 {
            let bytes = whole_bytes(&digits[1..=count]);
            assert_eq!(bytes, author.0[..(count * 5 / 8).min(32)]);
        }
    }
}
