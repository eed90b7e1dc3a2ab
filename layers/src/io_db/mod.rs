//! Layer `io-db`: databases and the cache.

use crate::atom::Entry;
use crate::catalog::LayerList;

mod cache_get;
mod cache_set;
mod db_delete;
mod db_insert;
mod db_query;
mod db_update;

pub(crate) const ATOMS: LayerList = &[
    Entry::of::<db_query::DbQuery>,
    Entry::of::<db_insert::DbInsert>,
    Entry::of::<db_update::DbUpdate>,
    Entry::of::<db_delete::DbDelete>,
    Entry::of::<cache_get::CacheGet>,
    Entry::of::<cache_set::CacheSet>,
];
