//! Questions for one decision: its row, its place in the logs, its account.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use inferlog::audit::account::reconstruct;
use inferlog::audit::{Locator, StoryOptions};
use inferlog::real_env;
use inferlog_index::{Reader, Value};
use inferlog_record::Id;
use serde::Serialize;

use super::finds;
use super::report::{Find, Waits};
use crate::bench::measure::percentile;
use crate::located::IndexLocator;
use crate::output::Failure;

/// Decisions asked for.
const DECISIONS: usize = 1_000;
/// Each is asked for so often; the first time is not measured, for it finds the file's pages cold.
const PASSES: usize = 3;

/// What was asked, and how long the answers took.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    pub(crate) decisions: usize,
    /// The decision's row by its id.
    pub(crate) lookup: Waits,
    /// The decision's account as JSON, its entries located by the index, read and proved.
    pub(crate) reconstruct: Waits,
    pub(crate) finds: Vec<Find>,
}

/// Asks the index of a data directory.
pub(super) fn run(dir: &Path, index: &Path) -> Result<Asked, Failure> {
    let mut reader = Reader::sqlite(index)?;
    let ids = draw(&mut reader)?;
    let row = "SELECT * FROM decisions WHERE id = $1";
    let lookup = waits(&ids, |id| {
        let mut rows = 0;
        reader.rows(row, &[Value::from(id)], |_| {
            rows += 1;
            Ok(())
        })?;
        expect(rows == 1, id)
    })?;
    let locator = IndexLocator::open(dir, &[]);
    let locator = locator.as_ref().map(|locator| locator as &dyn Locator);
    let (fs, options) = (real_env().fs, StoryOptions { locator, ..StoryOptions::default() });
    let reconstruct = waits(&ids, |id| {
        let account = reconstruct(&fs, dir, id, &options, None)?;
        expect(!black_box(serde_json::to_vec(&account)?).is_empty(), id)
    })?;
    Ok(Asked { decisions: ids.len(), lookup, reconstruct, finds: finds::run(&mut reader, &ids)? })
}

fn expect(is_there: bool, id: Id) -> Result<(), Failure> {
    if is_there { Ok(()) } else { Err(Failure::new(format!("{id} is in the index and was not found"))) }
}

/// How long `ask` takes for each, over all passes but the first.
fn waits(ids: &[Id], mut ask: impl FnMut(Id) -> Result<(), Failure>) -> Result<Waits, Failure> {
    let mut waits = Vec::new();
    for pass in 0..PASSES {
        for id in ids {
            let began = Instant::now();
            ask(*id)?;
            if pass > 0 {
                waits.push(began.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
            }
        }
    }
    Ok(Waits {
        p50_us: percentile(&mut waits, 500).into(),
        p99_us: percentile(&mut waits, 990).into(),
        max_us: percentile(&mut waits, 1_000).into(),
    })
}

/// Decisions from all over the logs.
fn draw(reader: &mut Reader) -> Result<Vec<Id>, Failure> {
    let mut ranges = Vec::new();
    let sql = "SELECT log * 281474976710656, log * 281474976710656 + next * 1024 FROM log WHERE next > 0";
    reader.rows(sql, &[], |row| {
        if let [Value::Integer(first), Value::Integer(end)] = row {
            ranges.push(*first..*end);
        }
        Ok(())
    })?;
    let mut rng = fastrand::Rng::with_seed(11);
    let mut ids = Vec::new();
    for _ in 0..DECISIONS {
        let Some(range) = rng.choice(&ranges) else { break };
        let from = rng.i64(range.clone());
        let sql = "SELECT CAST(id AS TEXT) FROM decision WHERE no >= $1 ORDER BY no LIMIT 1";
        reader.rows(sql, &[Value::Integer(from)], |row| {
            if let [Value::Text(id)] = row {
                ids.extend(id.parse::<Id>().ok());
            }
            Ok(())
        })?;
    }
    match ids.is_empty() {
        true => Err(Failure::new("the index has no decision to ask for")),
        false => Ok(ids),
    }
}
