//! From what was asked to what the index is asked.

use super::fields::Fields;
use super::query::Needle;
use super::words::Form;
use roda_protocol::id::{AuthorKey, SpaceId};
use std::ops::Bound;
use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Term};

/// How much more a word of the title counts than one of the text.
const TITLE_BOOST: f32 = 2.0;

/// How much more the word as it was asked counts than its relatives.
const PLAIN_BOOST: f32 = 2.0;

/// What has to hold beside the words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    /// Only of this board.
    pub(crate) board: Option<SpaceId>,
    /// Only by one of these; empty: by anybody.
    pub(crate) authors: Vec<AuthorKey>,
    /// Not before this moment, unix milliseconds.
    pub(crate) since_ms: Option<u64>,
    /// Before this moment, unix milliseconds.
    pub(crate) before_ms: Option<u64>,
}

/// The query of the index.
pub(super) fn query(fields: &Fields, wanted: &[Needle], unwanted: &[Needle], filters: &Filters) -> BooleanQuery {
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    clauses.extend(wanted.iter().map(|needle| (Occur::Must, of_needle(fields, needle))));
    clauses.extend(unwanted.iter().map(|needle| (Occur::MustNot, of_needle(fields, needle))));
    let filter = |query: Box<dyn Query>| (Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0)) as Box<dyn Query>);
    if let Some(board) = &filters.board {
        clauses.push(filter(exactly(fields.board_term(board))));
    }
    if !filters.authors.is_empty() {
        let by = filters.authors.iter().map(|author| exactly(fields.author_term(author))).collect();
        clauses.push(filter(Box::new(BooleanQuery::union(by))));
    }
    let bound = |ms: u64| Term::from_field_u64(fields.created, ms);
    let range = match (filters.since_ms, filters.before_ms) {
        (None, None) => None,
        (since, before) => Some((
            since.map_or(Bound::Unbounded, |ms| Bound::Included(bound(ms))),
            before.map_or(Bound::Unbounded, |ms| Bound::Excluded(bound(ms))),
        )),
    };
    clauses.extend(range.map(|(since, before)| filter(Box::new(RangeQuery::new(since, before)))));
    BooleanQuery::new(clauses)
}

fn exactly(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn of_needle(fields: &Fields, needle: &Needle) -> Box<dyn Query> {
    match needle {
        Needle::Word(word) => of_word(fields, word),
        Needle::Phrase(words) => match words.as_slice() {
            [word] => scored(fields.plain, &word.plain),
            words => {
                let terms = words.iter().map(|word| Term::from_field_text(fields.plain, &word.plain));
                Box::new(PhraseQuery::new(terms.collect()))
            }
        },
    }
}

fn of_word(fields: &Fields, word: &Form) -> Box<dyn Query> {
    let boosted = |query, boost| Box::new(BoostQuery::new(query, boost)) as Box<dyn Query>;
    let mut ways = vec![
        boosted(scored(fields.title, &word.plain), TITLE_BOOST),
        boosted(scored(fields.plain, &word.plain), PLAIN_BOOST),
    ];
    if word.has_stems() {
        ways.push(scored(fields.english, &word.english));
        ways.push(scored(fields.portuguese, &word.portuguese));
    }
    Box::new(BooleanQuery::union(ways))
}

fn scored(field: Field, word: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs))
}
