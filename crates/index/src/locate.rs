//! Where a decision's entries stand in the logs.

use inferlog_record::Id;

use crate::error::Result;
use crate::read::{Reader, Value};
use crate::rows::EventNo;

/// What the index knows of a decision in one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Origin of the log.
    pub origin: String,
    /// All entries before this one are known.
    pub through: u64,
    /// Entries of the decision.
    pub entries: Vec<u64>,
    /// Entries of no decision that name it.
    pub mentions: Vec<u64>,
    /// Entries with `erasure` events, all of them.
    pub erasures: Vec<u64>,
    /// Entries with `system.changed` events, all of them.
    pub changes: Vec<u64>,
}

/// Finds a decision's entries in every log that is followed. Where entries were skipped the log is known up to the first of them.
pub fn locate(reader: &mut Reader, decision: Id) -> Result<Vec<Located>> {
    let mut logs: Vec<(i64, Located)> = Vec::new();
    let sql = "SELECT log, origin, next, (SELECT min(first) FROM skip WHERE skip.log = log.log) FROM log ORDER BY log";
    reader.rows(sql, &[], |row| {
        if let [Value::Integer(log), Value::Text(origin), Value::Integer(next), skipped] = row {
            let through = skipped.integer().map_or(*next, |first| first.min(*next)) as u64;
            logs.push((*log, Located { origin: origin.clone(), through, ..Located::default() }));
        }
        Ok(())
    })?;
    let id = [Value::from(decision)];
    for no in
        numbers(reader, "SELECT no FROM event WHERE decision = (SELECT no FROM decision WHERE id = $1)", &id)?
    {
        note(&mut logs, no, |located| &mut located.entries);
    }
    let continued = "SELECT continuation.no FROM event JOIN continuation ON continuation.event = event.no \
                     WHERE event.decision = (SELECT no FROM decision WHERE id = $1)";
    for no in numbers(reader, continued, &id)? {
        note(&mut logs, no, |located| &mut located.entries);
    }
    for no in numbers(reader, "SELECT event FROM mention WHERE decision = $1", &id)? {
        note(&mut logs, no, |located| &mut located.mentions);
    }
    for no in numbers(reader, &of_life("erasure"), &[])? {
        note(&mut logs, no, |located| &mut located.erasures);
    }
    for no in numbers(reader, &of_life("system.changed"), &[])? {
        note(&mut logs, no, |located| &mut located.changes);
    }
    Ok(logs.into_iter().map(|(_, located)| located).collect())
}

fn of_life(kind: &str) -> String {
    format!(
        "SELECT no FROM event WHERE decision IS NULL AND common IN (SELECT common FROM common WHERE kind = '{kind}')"
    )
}

fn numbers(reader: &mut Reader, sql: &str, parameters: &[Value]) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    reader.rows(sql, parameters, |row| {
        numbers.extend(row.first().and_then(Value::integer));
        Ok(())
    })?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Notes an event's entry with its log; the numbers come in order.
fn note(logs: &mut [(i64, Located)], no: i64, list: impl Fn(&mut Located) -> &mut Vec<u64>) {
    let no = EventNo(no);
    if let Some((_, located)) = logs.iter_mut().find(|(log, _)| *log == i64::from(no.log())) {
        let entries = list(located);
        if entries.last() != Some(&no.index()) {
            entries.push(no.index());
        }
    }
}
