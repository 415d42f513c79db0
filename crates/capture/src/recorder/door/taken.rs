//! What was taken out of the payloads of one event: counted, and kept where a rule says so.

use super::edit::Edits;
use inferlog_record::{ClearName, Count, DataClass, MediaType, Redaction, RedactionAction};
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// Rules that an event tells by name; the rest together as `unlisted`.
const RULES_TOLD_MAX: usize = 64;
/// Shared fields of an event that are split off; what is more is sealed.
const SHARED_MAX: usize = 64;

/// What was taken out of the payloads of one event.
#[derive(Default)]
pub(crate) struct Taken {
    counts: Vec<Redaction>,
    splits: Vec<Split>,
    shared: Vec<(MediaType, Vec<u8>)>,
}

/// What one rule split off, in the order in which the marks stand.
struct Split {
    rule: ClearName,
    class: DataClass,
    /// JSON texts.
    items: Vec<String>,
}

impl Taken {
    pub(super) fn count(&mut self, rule: &ClearName, action: RedactionAction, count: u64) {
        let known = self.counts.iter_mut().find(|known| known.rule == *rule && known.action == action);
        if let Some(known) = known {
            known.count.0 += count;
        } else if self.counts.len() < RULES_TOLD_MAX || rule.is_unlisted() {
            self.counts.push(Redaction { action, count: Count(count), rule: rule.clone() });
        } else {
            self.count(&ClearName::unlisted(), action, count);
        }
    }

    /// Takes a JSON value out: the mark that stands for it.
    pub(super) fn split(&mut self, rule: &ClearName, class: DataClass, value: String) -> String {
        self.count(rule, RedactionAction::Split, 1);
        if class == DataClass::Shared && self.shared.len() < SHARED_MAX {
            let digest = inferlog_record::Digest(Sha256::digest(value.as_bytes()).into());
            let value = value.into_bytes();
            if !self.shared.iter().any(|(_, known)| *known == value) {
                self.shared.push((MediaType::Json, value));
            }
            return format!("[shared:{rule}:{digest}]");
        }
        let class = if class == DataClass::Shared { DataClass::Personal } else { class };
        let at = self.splits.iter().position(|split| split.rule == *rule && split.class == class);
        let at = at.unwrap_or_else(|| {
            self.splits.push(Split { rule: rule.clone(), class, items: Vec::new() });
            self.splits.len() - 1
        });
        let items = &mut self.splits[at].items;
        items.push(value);
        format!("[split:{rule}:{}]", items.len())
    }

    /// Leaves a piece of text out: the mark that stands for it.
    pub(super) fn redact(&mut self, rule: &ClearName, action: RedactionAction) -> String {
        self.count(rule, action, 1);
        format!("[{rule}]")
    }

    /// The counts, for the event.
    pub(crate) fn counts(&mut self) -> Vec<Redaction> {
        std::mem::take(&mut self.counts)
    }

    /// The payloads of the role `split`: a JSON object of the rule's name and what it took out, in the order of its marks.
    pub(crate) fn splits(&mut self) -> impl Iterator<Item = (DataClass, Vec<u8>)> {
        std::mem::take(&mut self.splits).into_iter().map(|Split { rule, class, items }| {
            (class, format!(r#"{{"rule":"{rule}","taken":[{}]}}"#, items.join(",")).into_bytes())
        })
    }

    /// Shared fields that stand alone.
    pub(crate) fn shared(&mut self) -> Vec<(MediaType, Vec<u8>)> {
        std::mem::take(&mut self.shared)
    }
}

/// Where a mark goes, within a text or in place of a value.
pub(super) fn put(edits: &mut Edits, span: Range<usize>, mark: &str, is_value: bool) {
    edits.replace(span, if is_value { format!("\"{mark}\"") } else { mark.to_owned() });
}
