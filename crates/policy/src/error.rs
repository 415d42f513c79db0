//! What is wrong with a policy's text.

/// What cannot be read in a policy, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}`{key}`: {what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct PolicyError {
    /// Line of the text, from 1.
    pub line: Option<usize>,
    /// The key.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}
