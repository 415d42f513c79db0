//! The account of one decision: the whole story, put into sections, for every format to print.

mod diff;
mod model;
mod parts;
mod verdict;

pub use diff::{DIFF_BYTES_MAX, Diff, DiffLine, DiffPiece, Side};
pub use model::{
    ACCOUNT_FORMAT, Account, Change, ClockTold, Content, Edge, Held, Identity, Mention, Proof, Stages, Step,
    StepProof, Timing, Why,
};
pub use parts::{
    ContextTold, DocumentTold, HumanStep, LabelTold, ModelCall, OutputTold, PromptUsed, ReasoningStep,
    RegisteredModel, RegisteredTools, RetrievalStep, ToolStep, TransformStep,
};
pub use verdict::{CLAIM, Completeness, MissingItem, Verdict};
