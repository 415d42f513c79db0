//! The account of one decision: the whole story, put into sections, for every format to print.
//!
//! [`reconstruct`] gathers what the logs hold, tells the story, reads what stands around it, asks the registry what the
//! names in it lead to, and judges whether the record is complete. [`Account`] is plain data: formats print it and ask
//! nothing else. docs/reconstruct.md describes it for readers.

mod around;
mod build;
mod diff;
mod explain;
mod graph;
pub(crate) mod html;
mod markdown;
mod model;
mod outline;
mod parts;
mod prov;
mod reader;
mod registered;
mod rules;
mod sections;
mod stages;
mod steps;
mod text;
mod verdict;

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::Id;
use inferlog_registry::{REGISTRY_DIR, Snapshot};

pub use around::Around;
pub use diff::{DIFF_BYTES_MAX, Diff, DiffLine, DiffPiece, Side};
pub use explain::{ExplainError, Explanation, ExplanationPart, ExplanationSection, explain};
pub use html::{BASE_STYLE, to_html};
pub use model::{
    ACCOUNT_FORMAT, Account, Change, ClockTold, Content, Edge, Held, Identity, Mention, Proof, Stages, Step,
    StepProof, Timing, Why,
};
pub use parts::{
    ContextTold, DocumentTold, HumanStep, LabelTold, ModelCall, OutputTold, PromptUsed, ReasoningStep,
    RegisteredModel, RegisteredTools, RetrievalStep, ToolStep, TransformStep,
};
pub use verdict::{CLAIM, Completeness, MissingItem, Verdict};

use crate::error::Result;
use crate::story::{StoryOptions, Wanted, gather, tell};

/// What an account rests on besides the story.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// Whether somebody gave openings.
    pub opened: bool,
    /// What is registered; `None` if that could not be read.
    pub registry: Option<&'a Snapshot>,
    /// What stands around the decision.
    pub around: Around,
}

/// Gives the account of a decision. `registry` is what is registered; without, it is read from the data directory.
///
/// # Errors
/// [`crate::AuditError::NoDecision`] if no log under a checkpoint has an entry of it; damage that keeps entries from being
/// read. A registry that is damaged is told in the account.
pub fn reconstruct(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    decision: Id,
    options: &StoryOptions<'_>,
    registry: Option<&Snapshot>,
) -> Result<Account> {
    let gathered = gather(fs, dir, Wanted { decision, changes: true }, options)?;
    let mut story = tell(&gathered, decision, options)?;
    let around = around::around(&gathered, &story)?;
    let loaded = match registry {
        Some(_) => None,
        None => match Snapshot::load(fs, &dir.join(REGISTRY_DIR)) {
            Ok(snapshot) => Some(snapshot),
            Err(error) => {
                story.notices.push(format!("the registry cannot be read: {error}"));
                None
            }
        },
    };
    let opened = options.openings.is_some();
    let facts = Facts { opened, registry: registry.or(loaded.as_ref()), around };
    Ok(Account::of(&story, facts))
}
