//! Entries that were left out on purpose.

use inferlog_record::Timestamp;

use crate::error::Result;
use crate::read::{Reader, Value};

/// Entries that were left out on purpose: answers lack what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Origin of the log.
    pub origin: String,
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// Why, in the words of whoever left them out.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// All that was left out.
pub fn skipped(reader: &mut Reader) -> Result<Vec<Skipped>> {
    let sql = "SELECT log.origin, skip.first, skip.last, skip.reason, skip.skipped_ns FROM skip \
               JOIN log ON log.log = skip.log ORDER BY log.origin, skip.first";
    let mut all = Vec::new();
    reader.rows(sql, &[], |row| {
        if let [Value::Text(origin), Value::Integer(first), Value::Integer(last), Value::Text(reason), at] =
            row
        {
            all.push(Skipped {
                origin: origin.clone(),
                first: first.unsigned_abs(),
                last: last.unsigned_abs(),
                reason: reason.clone(),
                at: Timestamp(at.integer().unwrap_or_default().unsigned_abs()),
            });
        }
        Ok(())
    })?;
    Ok(all)
}
