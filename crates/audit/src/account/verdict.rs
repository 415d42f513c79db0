//! Whether the record of a decision is complete, and what is missing.

use serde::Serialize;

use crate::story::Place;

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
