//! The index as it is asked: by any number of threads, each on the state of the last commit.

use super::failure::Failure;
use super::fields::{Fields, Kind};
use super::query::Needle;
use super::ranking::{Best, Place, Ranked, Sort};
use super::terms::{self, Filters};
use roda_protocol::id::{AuthorKey, EventId};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tantivy::collector::Count;
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, IndexReader, ReloadPolicy, Searcher, TantivyDocument};

/// Blocks of ids, of 16 KiB each, that are kept in memory.
const ID_BLOCKS_KEPT: usize = 16;

/// States of the index that are kept for the next pages of searches. Each pins files that a later state may not need.
const STATES_KEPT_MAX: usize = 4;

/// How long at most.
const STATE_KEPT: Duration = Duration::from_secs(600);

/// Authors of one name that are looked at.
pub(crate) const NAMESAKES_MAX: usize = 64;

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) id: EventId,
    /// What to pass to go on behind it.
    pub(crate) cursor: String,
}

/// A page of what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Best first. Words may have changed since they were indexed: whoever shows them reads them anew.
    pub(crate) hits: Vec<Hit>,
    /// How many there are in all.
    pub(crate) count: u64,
}

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) sort: Sort,
    /// Go on behind the hit that has this cursor.
    pub(crate) cursor: Option<String>,
    /// Hits at most.
    pub(crate) limit: usize,
}

/// A state of the index that a cursor belongs to: scores change a little with every event that comes, and pages must not.
struct Kept {
    searcher: Searcher,
    since: Instant,
}

/// See the module. Clones read the same index.
#[derive(Clone)]
pub(super) struct Reader {
    reader: IndexReader,
    fields: Fields,
    kept: Arc<Mutex<VecDeque<Kept>>>,
}

impl Reader {
    pub(super) fn open(index: &tantivy::Index, fields: &Fields) -> Result<Self, Failure> {
        let builder = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let reader = builder.doc_store_cache_num_blocks(ID_BLOCKS_KEPT).try_into()?;
        Ok(Self { reader, fields: fields.clone(), kept: Arc::default() })
    }

    /// Sees the last commit from here on.
    pub(super) fn reload(&self) -> Result<(), Failure> {
        self.kept().retain(|kept| kept.since.elapsed() < STATE_KEPT);
        Ok(self.reader.reload()?)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many posts and comments can be found.
    pub(super) fn worded(&self) -> Result<u64, Failure> {
        let searcher = self.reader.searcher();
        let mut count = 0;
        for kind in [Kind::Post, Kind::Comment] {
            let query = TermQuery::new(self.fields.kind_term(kind), IndexRecordOption::Basic);
            count += searcher.search(&query, &Count)? as u64;
        }
        Ok(count)
    }

    /// A page of what fits; none if the cursor is none.
    pub(super) fn find(
        &self,
        (wanted, unwanted): (&[Needle], &[Needle]),
        filters: &Filters,
        page: &Page,
    ) -> Result<Option<Found>, Failure> {
        let (searcher, behind) = match &page.cursor {
            None => (self.reader.searcher(), None),
            Some(cursor) => match self.behind(cursor, page.sort) {
                Some((searcher, place)) => (searcher, Some(place)),
                None => return Ok(None),
            },
        };
        let query = terms::query(&self.fields, wanted, unwanted, filters);
        let best = Best { sort: page.sort, behind, limit: page.limit };
        let Ranked { best, found } = searcher.search(&query, &best)?;
        let mut hits = Vec::with_capacity(best.len());
        for (place, address) in best {
            let Some(id) = self.id_at(&searcher, address)? else { continue };
            hits.push(Hit { id: EventId(id), cursor: cursor(&searcher, page.sort, place) });
        }
        if page.sort == Sort::Relevance && !hits.is_empty() {
            self.keep(searcher);
        }
        Ok(Some(Found { hits, count: found }))
    }

    /// The state of the index that a cursor belongs to, or the present one if that is kept no longer, and its place.
    fn behind(&self, cursor: &str, sort: Sort) -> Option<(Searcher, Place)> {
        if sort == Sort::New {
            return Some((self.reader.searcher(), cursor.parse().ok()?));
        }
        let (state, place) = cursor.split_once('.')?;
        let (state, place) = (state.parse::<u64>().ok()?, place.parse().ok()?);
        let kept = self.kept();
        let searcher = kept.iter().find(|kept| generation(&kept.searcher) == state);
        Some((searcher.map_or_else(|| self.reader.searcher(), |kept| kept.searcher.clone()), place))
    }

    fn keep(&self, searcher: Searcher) {
        let mut kept = self.kept();
        kept.retain(|kept| generation(&kept.searcher) != generation(&searcher));
        if kept.len() == STATES_KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { searcher, since: Instant::now() });
    }

    /// Authors of this name, as far as they are looked at.
    pub(super) fn named(&self, name: &str) -> Result<Vec<AuthorKey>, Failure> {
        let Some(term) = self.fields.name_term(name) else { return Ok(Vec::new()) };
        let searcher = self.reader.searcher();
        let best = Best { sort: Sort::New, behind: None, limit: NAMESAKES_MAX };
        let ranked = searcher.search(&TermQuery::new(term, IndexRecordOption::Basic), &best)?;
        let keys = ranked.best.into_iter().map(|(_, address)| self.id_at(&searcher, address));
        keys.filter_map(|key| key.map(|key| key.map(AuthorKey)).transpose()).collect()
    }

    fn id_at(&self, searcher: &Searcher, address: DocAddress) -> Result<Option<[u8; 32]>, Failure> {
        let document: TantivyDocument = searcher.doc(address)?;
        Ok(self.fields.id_in(&document))
    }

    /// Calls `each` for the id of every document.
    pub(super) fn each_id(&self, mut each: impl FnMut([u8; 32]) -> Result<(), Failure>) -> Result<(), Failure> {
        let searcher = self.reader.searcher();
        for (segment, reader) in (0..).zip(searcher.segment_readers()) {
            for doc in reader.doc_ids_alive() {
                if let Some(id) = self.id_at(&searcher, DocAddress::new(segment, doc))? {
                    each(id)?;
                }
            }
        }
        Ok(())
    }
}

fn generation(searcher: &Searcher) -> u64 {
    searcher.generation().generation_id()
}

fn cursor(searcher: &Searcher, sort: Sort, place: Place) -> String {
    match sort {
        Sort::Relevance => format!("{}.{place}", generation(searcher)),
        Sort::New => place.to_string(),
    }
}
