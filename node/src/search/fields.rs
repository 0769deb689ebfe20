//! The fields of the index, and the document that a post, a comment or an author's name is in it.
//!
//! No text is kept: hits lead to ids, and words are read from the store, as they stand then.

use super::words::{ENGLISH, PLAIN, PORTUGUESE, folded};
use crate::store::Standing;
use roda_protocol::id::{AuthorKey, SpaceId};
use roda_protocol::thread::{Content, Shown};
use tantivy::TantivyDocument;
use tantivy::schema::{BytesOptions, FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::schema::{Term, Value as _};

/// The format of fields and words. An index of another one is removed and made anew.
pub(super) const FORMAT: u32 = 1;

/// Names of the fields that are read by name.
pub(super) const CREATED: &str = "created_ms";
/// See [`CREATED`].
pub(super) const TIE: &str = "tie";

/// What a document is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A post.
    Post = 1,
    /// A comment.
    Comment = 2,
    /// The name of an author.
    Name = 3,
}

/// The fields.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) schema: Schema,
    /// The event, or the author whose name it is.
    id: Field,
    board: Field,
    author: Field,
    /// One of [`Kind`].
    kind: Field,
    /// The author's claim of the time, unix milliseconds.
    pub(super) created: Field,
    /// The first bytes of the id: decides between equals.
    tie: Field,
    /// Plain words of the title.
    pub(super) title: Field,
    /// Plain words of title and text, with their places.
    pub(super) plain: Field,
    /// English stems of both.
    pub(super) english: Field,
    /// Portuguese stems of both.
    pub(super) portuguese: Field,
    /// The name of an author, folded.
    name: Field,
}

impl Fields {
    pub(super) fn new() -> Self {
        let words = |analyser: &str, kept: IndexRecordOption| {
            let indexing = TextFieldIndexing::default().set_tokenizer(analyser).set_index_option(kept);
            TextOptions::default().set_indexing_options(indexing)
        };
        let whole = |analyser: &str| {
            let indexing = TextFieldIndexing::default().set_tokenizer(analyser);
            let indexing = indexing.set_index_option(IndexRecordOption::Basic).set_fieldnorms(false);
            TextOptions::default().set_indexing_options(indexing)
        };
        let mut schema = Schema::builder();
        let id = schema.add_bytes_field("id", BytesOptions::default().set_indexed().set_stored());
        let board = schema.add_bytes_field("board", BytesOptions::default().set_indexed());
        let author = schema.add_bytes_field("author", BytesOptions::default().set_indexed());
        let kind = schema.add_u64_field("kind", INDEXED);
        let created = schema.add_u64_field(CREATED, FAST);
        let tie = schema.add_u64_field(TIE, FAST);
        let title = schema.add_text_field("title", words(PLAIN, IndexRecordOption::WithFreqs));
        let plain = schema.add_text_field("plain", words(PLAIN, IndexRecordOption::WithFreqsAndPositions));
        let english = schema.add_text_field("english", words(ENGLISH, IndexRecordOption::WithFreqs));
        let portuguese = schema.add_text_field("portuguese", words(PORTUGUESE, IndexRecordOption::WithFreqs));
        let name = schema.add_text_field("name", whole("raw"));
        let schema = schema.build();
        Self { schema, id, board, author, kind, created, tie, title, plain, english, portuguese, name }
    }

    /// What leads to the document of an event or of an author's name.
    pub(super) fn id_term(&self, id: &[u8; 32]) -> Term {
        Term::from_field_bytes(self.id, id)
    }

    /// What leads to all documents of a kind.
    pub(super) fn kind_term(&self, kind: Kind) -> Term {
        Term::from_field_u64(self.kind, u64::from(kind as u8))
    }

    pub(super) fn board_term(&self, board: &SpaceId) -> Term {
        Term::from_field_bytes(self.board, &board.0)
    }

    pub(super) fn author_term(&self, author: &AuthorKey) -> Term {
        Term::from_field_bytes(self.author, &author.0)
    }

    /// What leads to the authors who have this name; none if it has no letter.
    pub(super) fn name_term(&self, name: &str) -> Option<Term> {
        let folded = folded(name);
        (!folded.is_empty()).then(|| Term::from_field_text(self.name, &folded))
    }

    /// The id in a document that was read.
    pub(super) fn id_in(&self, document: &TantivyDocument) -> Option<[u8; 32]> {
        document.get_first(self.id)?.as_bytes()?.try_into().ok()
    }

    /// The document of a post or comment; none if it has no words to be found by.
    pub(super) fn of_words(&self, standing: &Standing) -> Option<TantivyDocument> {
        let node = &standing.node;
        let Shown::Content(Content { title, text, .. }) = &node.shown else { return None };
        let author = node.author?;
        let kind = if node.id == standing.root { Kind::Post } else { Kind::Comment };
        let mut document = self.begin(&node.id.0, kind, node.created_ms);
        document.add_bytes(self.board, &standing.space.0);
        document.add_bytes(self.author, &author.0);
        for words in [title, text].into_iter().filter(|words| !words.is_empty()) {
            for field in [self.plain, self.english, self.portuguese] {
                document.add_text(field, words);
            }
        }
        if !title.is_empty() {
            document.add_text(self.title, title);
        }
        Some(document)
    }

    /// The document of an author's name; none if it has no letter.
    pub(super) fn of_name(&self, author: &AuthorKey, name: &str) -> Option<TantivyDocument> {
        let folded = folded(name);
        if folded.is_empty() {
            return None;
        }
        let mut document = self.begin(&author.0, Kind::Name, 0);
        document.add_text(self.name, folded);
        Some(document)
    }

    fn begin(&self, id: &[u8; 32], kind: Kind, created_ms: u64) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_bytes(self.id, id);
        document.add_u64(self.kind, u64::from(kind as u8));
        document.add_u64(self.created, created_ms);
        document.add_u64(self.tie, tie(id));
        document
    }
}

/// The first bytes of an id, as a number.
fn tie(id: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&id[..8]);
    u64::from_be_bytes(first)
}
