//! `decisions.json`: a line for each decision, of which every value follows from its entries.

use inferlog_record::Id;

use super::report::{Check, Outcome};
use super::story::Story;
use super::{Verifier, json};
use crate::layout::{self, Summaries};

impl Verifier<'_> {
    /// Reads the lines, and notes which shared content waits to be named.
    pub(super) fn summaries(&mut self) {
        let names =
            self.paths.iter().filter_map(|path| super::files::hex_digest(path.strip_prefix("shared/")?));
        self.unnamed = names.collect();
        let path = layout::SUMMARIES;
        let Some(bytes) = self.read(path) else { return };
        let summaries: Summaries = match json::read(&bytes) {
            Ok(summaries) => summaries,
            Err(what) => {
                return self.fault(Check::Summary, path, format!("it is not as docs/bundle.md says: {what}"));
            }
        };
        let mut last = None;
        for row in summaries.decisions {
            if last.is_some_and(|last| row.id <= last) {
                self.fault_at(
                    Check::Summary,
                    path,
                    of(row.id),
                    "the lines are not in the order of the ids, or one stands twice",
                );
            }
            last = Some(row.id);
            self.rows.insert(row.id, row);
        }
    }

    /// Holds a decision's line against its entries.
    pub(super) fn summary(&mut self, id: Id, story: &Story, disclosed: u64) {
        let path = layout::SUMMARIES;
        let Some(row) = self.rows.remove(&id) else {
            return self.fault_at(Check::Summary, path, of(id), "there are entries of it, and no line");
        };
        let (logged_at, system) = story.first.clone().unwrap_or_default();
        let absent = || "absent".to_owned();
        let members = [
            ("disclosed", row.disclosed.to_string(), disclosed.to_string()),
            ("entries", row.entries.to_string(), story.entries.to_string()),
            ("logged_at", row.logged_at, logged_at),
            ("outcome", row.outcome.unwrap_or_else(absent), story.outcome.clone().unwrap_or_else(absent)),
            ("payloads", row.payloads.to_string(), story.born.len().to_string()),
            ("system", row.system, system),
        ];
        for (member, told, found) in members.iter().filter(|(_, told, found)| told != found) {
            let what = format!("{member} is {told}; what holds of its entries says {found}");
            self.fault_at(Check::Summary, path, of(id), what);
        }
    }

    /// Lines without entries, and the number in bundle.json.
    pub(super) fn finish_summary(&mut self, decisions: u64) {
        for id in std::mem::take(&mut self.rows).into_keys() {
            self.fault_at(Check::Summary, layout::SUMMARIES, of(id), "there is a line, and no entries of it");
        }
        let told = self.facts.as_ref().map(|facts| facts.decisions);
        if let Some(told) = told.filter(|told| *told != decisions) {
            let what = format!("it says {told}; there are {decisions}");
            self.fault_at(Check::Summary, layout::FACTS, "decisions", what);
        }
        let what = format!("the lines about {decisions} decisions follow from their entries");
        self.found.tell(Check::Summary, Outcome::Passed, what);
    }
}

fn of(id: Id) -> String {
    format!("decision {id}")
}
