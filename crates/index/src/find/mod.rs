//! Which decisions there are: filters resolved to facets and drivers, then ranges of the indices, never the whole table where a
//! page is asked for.
//!
//! A *driver* is a table that leads to decisions from elsewhere: persons, terms, identifiers. One that names few decisions is
//! where the search starts; others are asked of each candidate. Without one, candidates come from `(facet, started_ns)` for each
//! facet that fits, or from `(started_ns)` where nearly everything does. Pages are keyed by (start, number), so that what is
//! recorded meanwhile moves nothing.

mod count;
mod driver;
mod found;
mod pick;
mod token;

use std::ops::ControlFlow;

use inferlog_record::{Pseudonym, Timestamp};

pub use self::count::{Counted, count};
pub use self::found::Found;
pub use self::token::Token;

use crate::error::Result;
use crate::facets::{FacetFilter, Facets};
use crate::read::Reader;

/// Which decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Begun at or after.
    pub since: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
    /// Conditions on their facet.
    pub facet: FacetFilter,
    /// About this person.
    pub subject: Option<Pseudonym>,
    /// Known to others by an id of which this is the keyed digest.
    pub identifier: Option<[u8; 16]>,
    /// With a label of this name.
    pub label: Option<String>,
    /// With a call of this tool.
    pub tool: Option<String>,
    /// With a clear name that holds this text, upper and lower case alike.
    pub text: Option<String>,
    /// At most so many, the newest; all of them, if `None`.
    pub limit: Option<usize>,
    /// Only older ones than the page before ended with.
    pub before: Option<Token>,
}

/// What was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many decisions.
    pub given: u64,
    /// Where older ones go on, if there are any.
    pub next: Option<Token>,
}

/// Decisions looked up and shown at once.
const CHUNK: usize = 200;

/// Gives each decision to `visit`, in the order in which they began, until it breaks off.
pub fn find(
    reader: &mut Reader,
    query: &Query,
    visit: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> Result<Page> {
    let facets = Facets::read(reader)?;
    // One more than asked for tells whether there are more.
    let mut spots = pick::spots(reader, &facets, query, query.limit.map(|limit| limit.saturating_add(1)))?;
    let more = query.limit.is_some_and(|limit| spots.len() > limit);
    spots.truncate(query.limit.unwrap_or(usize::MAX));
    let next = spots.last().filter(|_| more).map(|oldest| Token::at(oldest.started_ns, oldest.no));
    spots.reverse();
    let mut given = 0;
    for chunk in spots.chunks(CHUNK) {
        for found in found::look_up(reader, &facets, chunk)? {
            given += 1;
            if visit(found).is_break() {
                return Ok(Page { given, next });
            }
        }
    }
    Ok(Page { given, next })
}
