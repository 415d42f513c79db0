//! Whether the record of a decision is complete, and what is missing.

use std::collections::BTreeSet;

use inferlog_record::Level;
use serde::Serialize;

use super::model::ClockTold;
use super::parts::{PromptUsed, RegisteredTools};
use super::reader::Reader;
use super::rules;
use crate::story::{EntriesPurged, Place};

/// How complete the record of a decision is, by the record's own tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Nothing is missing.
    Complete,
    /// Something is missing, and the record says why of each.
    CompleteWithExplainedAbsences,
    /// Something is missing and nothing says why, or what is there does not fit together.
    Incomplete,
}

impl Completeness {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteWithExplainedAbsences => "complete, with explained absences",
            Self::Incomplete => "incomplete",
        }
    }
}

/// The verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// How complete the record is.
    pub completeness: Completeness,
    /// Whether contents were opened: if not, whether they can be is not known.
    pub opened: bool,
    /// What is missing that the law requires of the systems it names (level M).
    pub by_law: usize,
    /// What is missing that inferlog's profile requires (level R), and nothing says why.
    pub unexplained: usize,
    /// What is missing, of any level, and the record says why.
    pub explained: usize,
    /// Each missing item, in the order of the steps.
    pub missing: Vec<MissingItem>,
    /// What the verdict claims and what not.
    pub claim: &'static str,
}

/// Something that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingItem {
    /// The step that lacks it; the decision as a whole, if absent.
    pub step: Option<usize>,
    /// The entry of that step.
    pub place: Option<Place>,
    /// Kind and member, or kind and payload role: `inference.payloads[output.raw]`.
    pub field: String,
    /// Why it is not there, as far as the record says.
    pub why: String,
    /// Whether the record says why.
    pub explained: bool,
    /// The provision that it would serve, as in the record's tables; `profile` for inferlog's own.
    pub serves: String,
    /// `M` required by law of the systems it names, `R` by inferlog's profile, `r` recommended.
    pub level: &'static str,
}

/// What a verdict claims.
pub const CLAIM: &str = "Completeness is measured by inferlog's record profile. A provision beside an item says what the item \
would serve; the Act itself requires only items of level M, of the systems it names (Article 12(3)). Whether obligations are met \
is for the organisation to judge.";

/// What a verdict rests on.
pub(super) struct Evidence<'a> {
    pub(super) reader: &'a Reader<'a>,
    /// Whether somebody gave openings.
    pub(super) opened: bool,
    /// Whether the registry could be read.
    pub(super) registry: bool,
    pub(super) prompts: &'a [PromptUsed],
    pub(super) toolsets: &'a [RegisteredTools],
    pub(super) clocks: &'a [ClockTold],
    /// What does not fit together.
    pub(super) problems: &'a [String],
}

/// Judges whether the record of a decision is complete.
pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut missing = recorded(evidence.reader);
    rules::apply(evidence, &mut missing);
    // What the decision as a whole lacks may have stood in entries that were purged, and the log says that they were.
    if !evidence.reader.story.entries_purged.is_empty() {
        for item in missing.iter_mut().filter(|item| item.step.is_none() && !item.explained) {
            item.explained = true;
            item.why = format!("{}; it may have stood in entries that were purged", item.why);
        }
    }
    missing.extend(evidence.reader.story.entries_purged.iter().map(entries));
    // What the record itself says first; what a rule adds to the same field of the same step says nothing new.
    let mut seen = BTreeSet::new();
    missing.retain(|item| seen.insert((item.step, item.field.clone(), item.why.clone())));
    missing.sort_by_key(|item| (item.step.is_none(), item.step));
    let of = |explained: bool, level: Level| {
        missing.iter().filter(|item| item.explained == explained && item.level == level.letter()).count()
    };
    let explained = missing.iter().filter(|item| item.explained).count();
    let unexplained = of(false, Level::Required);
    let by_law = of(false, Level::Mandatory) + of(true, Level::Mandatory);
    let is_broken = unexplained + of(false, Level::Mandatory) > 0 || !evidence.problems.is_empty();
    let completeness = match (is_broken, explained) {
        (true, _) => Completeness::Incomplete,
        (false, 0) => Completeness::Complete,
        (false, _) => Completeness::CompleteWithExplainedAbsences,
    };
    Verdict { completeness, opened: evidence.opened, by_law, unexplained, explained, missing, claim: CLAIM }
}

/// The entries that are gone.
fn entries(purged: &EntriesPurged) -> MissingItem {
    MissingItem {
        step: None,
        place: None,
        field: "entries".to_owned(),
        why: format!(
            "those of {} before {} are gone but for those kept, {}",
            purged.log,
            purged.below,
            purged.why()
        ),
        explained: !purged.by.is_empty(),
        serves: "12(1)".to_owned(),
        level: Level::Required.letter(),
    }
}

/// What the story found missing: the record's tables held against each event, and each reference that says why it is empty.
fn recorded(reader: &Reader<'_>) -> Vec<MissingItem> {
    let items = reader.story.missing.iter().map(|part| MissingItem {
        step: reader.number(part.event),
        place: Some(part.place),
        field: part.field.clone(),
        why: part.why.clone(),
        explained: part.explained,
        serves: part.serves.clone(),
        level: part.level,
    });
    items.collect()
}
