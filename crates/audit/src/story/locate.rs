//! Where entries stand, as an index knows it. An index is derived and may be wrong: what it names is read from the log, held
//! against the decision and proved; where it does not hold, the log itself is searched.

use inferlog_record::Id;

/// Knows where the entries of a decision stand.
pub trait Locator {
    /// What it knows of each log that it follows; why it does not know, if it does not.
    fn locate(&self, decision: Id) -> Result<Vec<Located>, String>;
}

/// What an index knows of one log. The log is searched by the auditor itself from `through` on, and wholly where no
/// [`Located`] names it. Indices may come in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Origin of the log.
    pub origin: String,
    /// All entries before this one are known; the log is searched from here on.
    pub through: u64,
    /// Entries of the decision.
    pub entries: Vec<u64>,
    /// Entries of the system's life, and of other decisions, that name it: `system.changed`, `alert`, `access`, `hold.placed`.
    pub mentions: Vec<u64>,
    /// Entries with `erasure` events: all of them, or those alone that concern the decision's keys or subjects. Purges and holds
    /// may be among them.
    pub erasures: Vec<u64>,
    /// Entries with `system.changed` events: all of them, or those alone after the decision's first entry.
    pub changes: Vec<u64>,
}
