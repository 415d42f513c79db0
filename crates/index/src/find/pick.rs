//! From a question to the places of its decisions, the newest first.

use std::cmp::Reverse;
use std::collections::HashSet;

use inferlog_record::Timestamp;

use crate::error::Result;
use crate::facets::{Facets, list};
use crate::find::driver::{Driver, Drivers};
use crate::find::{Query, Token};
use crate::read::{Reader, Value};

/// Facets that are looked up one by one for a page; more of them are first looked for among the newest decisions.
const MERGED_MAX: usize = 64;
/// Newest decisions that are looked at so.
const WALKED_MAX: usize = 10_000;
/// Parts of one statement: SQLite takes 500.
const PARTS_MAX: usize = 100;
/// Numbers in one list.
const LISTED_MAX: usize = 500;

/// Where a decision stands in the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot {
    pub(super) started_ns: i64,
    pub(super) no: i64,
    pub(super) facet: i64,
}

/// The newest decisions that fit, at most `limit` of them, the newest first.
pub(super) fn spots(
    reader: &mut Reader,
    facets: &Facets,
    query: &Query,
    limit: Option<usize>,
) -> Result<Vec<Spot>> {
    let drivers = Drivers::of(reader, query)?;
    let by_facet = |text: Option<&str>| {
        facets.matching(|facet| query.facet.fits(facet) && text.is_none_or(|text| facet.mentions(text)))
    };
    let mut search = Search {
        range: Range { since: query.since.map(ns), until: query.until.map(ns), before: query.before },
        facets: by_facet(query.text.as_deref()),
        of: facets.len(),
        drivers: drivers.all,
        limit,
    };
    let mut spots = search.run(reader)?;
    if let Some(text) = drivers.text {
        // A text stands in a facet or in a term: both are searched.
        search.facets = by_facet(None);
        search.drivers.push(text);
        spots.extend(search.run(reader)?);
        settle(&mut spots, limit);
    }
    Ok(spots)
}

/// Which starts.
#[derive(Clone, Copy, Debug)]
struct Range {
    since: Option<i64>,
    until: Option<i64>,
    before: Option<Token>,
}

/// Conditions that all hold.
struct Search {
    range: Range,
    /// Facets that fit, of so many.
    facets: Vec<i64>,
    of: usize,
    drivers: Vec<Driver>,
    limit: Option<usize>,
}

impl Search {
    fn run(&self, reader: &mut Reader) -> Result<Vec<Spot>> {
        if self.facets.is_empty() {
            return Ok(Vec::new());
        }
        for (place, driver) in self.drivers.iter().enumerate() {
            if let Some(few) = driver.few(reader)? {
                return self.among(reader, &few, place);
            }
        }
        let Some(limit) = self.limit else { return self.everything(reader) };
        if self.facets.len() == self.of {
            let order = format!("ORDER BY d.started_ns DESC, d.no DESC LIMIT {limit}");
            return self.select(reader, &format!("{} {order}", self.range.sql()), None);
        }
        if self.facets.len() <= MERGED_MAX {
            return self.merged(reader, self.range, limit);
        }
        self.walked(reader, limit)
    }

    /// Those of a few decisions, which the driver at `place` named.
    fn among(&self, reader: &mut Reader, few: &[i64], place: usize) -> Result<Vec<Spot>> {
        let wanted: HashSet<i64> = self.facets.iter().copied().collect();
        let mut spots = Vec::new();
        for numbers in few.chunks(LISTED_MAX) {
            let listed = self.select(reader, &format!("d.no IN {}", list(numbers)), Some(place))?;
            spots.extend(
                listed.into_iter().filter(|spot| self.range.has(spot) && wanted.contains(&spot.facet)),
            );
        }
        settle(&mut spots, self.limit);
        Ok(spots)
    }

    /// All that fit.
    fn everything(&self, reader: &mut Reader) -> Result<Vec<Spot>> {
        let range = self.range.sql();
        let mut spots = if self.facets.len() == self.of {
            self.select(reader, &range, None)?
        } else {
            let mut spots = Vec::new();
            for facets in self.facets.chunks(LISTED_MAX) {
                spots.extend(self.select(
                    reader,
                    &format!("d.facet IN {} AND {range}", list(facets)),
                    None,
                )?);
            }
            spots
        };
        settle(&mut spots, None);
        Ok(spots)
    }

    /// The newest of each facet, merged.
    fn merged(&self, reader: &mut Reader, range: Range, limit: usize) -> Result<Vec<Spot>> {
        let mut spots = Vec::new();
        for facets in self.facets.chunks(PARTS_MAX) {
            let mut parameters = Vec::new();
            let probes = self.probes(&mut parameters, None);
            let part = |facet: &i64| {
                format!(
                    "SELECT * FROM (SELECT d.started_ns, d.no, d.facet FROM decision d WHERE d.facet = {facet} AND \
                     {}{probes} ORDER BY d.started_ns DESC, d.no DESC LIMIT {limit}) AS newest",
                    range.sql()
                )
            };
            let parts: Vec<String> = facets.iter().map(part).collect();
            spots.extend(read(reader, &parts.join(" UNION ALL "), &parameters)?);
            settle(&mut spots, Some(limit));
        }
        Ok(spots)
    }

    /// Many facets: what fits among the newest decisions; where that is not enough, the rest facet by facet.
    fn walked(&self, reader: &mut Reader, limit: usize) -> Result<Vec<Spot>> {
        let wanted: HashSet<i64> = self.facets.iter().copied().collect();
        let mut parameters = Vec::new();
        let probes: Vec<String> = self.drivers.iter().map(|driver| driver.probe(&mut parameters)).collect();
        let fits = if probes.is_empty() { "1 = 1".to_owned() } else { probes.join(" AND ") };
        let sql = format!(
            "SELECT d.started_ns, d.no, d.facet, CASE WHEN {fits} THEN 1 ELSE 0 END FROM decision d WHERE {} \
             ORDER BY d.started_ns DESC, d.no DESC LIMIT {WALKED_MAX}",
            self.range.sql()
        );
        let (mut spots, mut walked, mut last) = (Vec::new(), 0, None);
        reader.rows(&sql, &parameters, |row| {
            if let Some(spot) = spot(row) {
                (walked, last) = (walked + 1, Some(Token::at(spot.started_ns, spot.no)));
                if row.get(3).and_then(Value::integer) == Some(1) && wanted.contains(&spot.facet) {
                    spots.push(spot);
                }
            }
            Ok(())
        })?;
        if spots.len() < limit && walked == WALKED_MAX {
            spots.extend(self.merged(reader, Range { before: last, ..self.range }, limit - spots.len())?);
        }
        settle(&mut spots, Some(limit));
        Ok(spots)
    }

    fn select(&self, reader: &mut Reader, condition: &str, without: Option<usize>) -> Result<Vec<Spot>> {
        let mut parameters = Vec::new();
        // What is asked of each row goes before an order and a limit.
        let (condition, order) = match condition.find(" ORDER BY ") {
            Some(at) => condition.split_at(at),
            None => (condition, ""),
        };
        let probes = self.probes(&mut parameters, without);
        let sql =
            format!("SELECT d.started_ns, d.no, d.facet FROM decision d WHERE {condition}{probes}{order}");
        read(reader, &sql, &parameters)
    }

    /// What the drivers are asked of each decision, but for the one at a place.
    fn probes(&self, parameters: &mut Vec<Value>, without: Option<usize>) -> String {
        let others = self.drivers.iter().enumerate().filter(|(place, _)| Some(*place) != without);
        others.map(|(_, driver)| format!(" AND {}", driver.probe(parameters))).collect()
    }
}

impl Range {
    /// Conditions on the decision `d`; always at least one. A token is a bound of the index's first column too: engines use one
    /// upper bound, and `until` would have them walk over every page before.
    fn sql(&self) -> String {
        let mut sql = format!("d.started_ns >= {}", self.since.unwrap_or(i64::MIN + 1));
        let last = self.until.map(|until| until.saturating_sub(1));
        let before = self.before.map(|before| before.started_ns);
        if let Some(last) = last.into_iter().chain(before).min() {
            sql.push_str(&format!(" AND d.started_ns <= {last}"));
        }
        if let Some(Token { started_ns, no }) = self.before {
            sql.push_str(&format!(" AND (d.started_ns < {started_ns} OR d.no < {no})"));
        }
        sql
    }

    fn has(&self, spot: &Spot) -> bool {
        self.since.is_none_or(|since| spot.started_ns >= since)
            && self.until.is_none_or(|until| spot.started_ns < until)
            && self.before.is_none_or(|before| Token::at(spot.started_ns, spot.no) < before)
    }
}

/// Puts the newest first, each once, and keeps at most so many.
fn settle(spots: &mut Vec<Spot>, limit: Option<usize>) {
    spots.sort_unstable_by_key(|spot| Reverse((spot.started_ns, spot.no)));
    spots.dedup_by_key(|spot| spot.no);
    spots.truncate(limit.unwrap_or(usize::MAX));
}

fn read(reader: &mut Reader, sql: &str, parameters: &[Value]) -> Result<Vec<Spot>> {
    let mut spots = Vec::new();
    reader.rows(sql, parameters, |row| {
        spots.extend(spot(row));
        Ok(())
    })?;
    Ok(spots)
}

fn spot(row: &[Value]) -> Option<Spot> {
    let number = |column: usize| row.get(column).and_then(Value::integer);
    Some(Spot { started_ns: number(0)?, no: number(1)?, facet: number(2)? })
}

/// SQL for decisions that began at or after one time and before another.
pub(super) fn begun(since: Option<Timestamp>, until: Option<Timestamp>) -> String {
    Range { since: since.map(ns), until: until.map(ns), before: None }.sql()
}

fn ns(time: Timestamp) -> i64 {
    i64::try_from(time.nanos()).unwrap_or(i64::MAX)
}
