//! The draft of an explanation of one decision, which a deployer completes (Article 86 of Regulation (EU) 2024/1689).
//!
//! The record knows what happened; why a model weighs things as it does it does not know, and what part the system plays in the
//! organisation's procedure only the organisation knows. So the draft says the first, leaves marked blanks for the last and says
//! so. It shows content of one person alone: of steps whose payloads are bound to that person's pseudonym and to nobody else's.
//! Documents and results of tools are named and never shown, for they may speak of others.

mod found;
mod html;
mod plain;
mod sections;
mod words;

use inferlog_record::{Id, Pseudonym};

use self::sections::sections;
use super::model::Account;

/// The draft, in parts: each format prints them in this order.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decision.
    pub decision: Id,
    /// Its parts.
    pub sections: Vec<ExplanationSection>,
}

/// A part under a heading.
#[derive(Clone, Debug)]
pub struct ExplanationSection {
    /// The heading.
    pub title: String,
    /// What stands below it.
    pub parts: Vec<ExplanationPart>,
}

/// A paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplanationPart {
    /// What the record says.
    Says(String),
    /// One thing after another.
    List(Vec<String>),
    /// What only the deployer can say.
    Blank(String),
    /// Words of the record, under a name.
    Quote(String, String),
    /// What is not shown, and why.
    Withheld(String),
}

/// Why there is no draft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// Nobody of that pseudonym.
    #[error("the decision is not about {subject}; its subjects are: {}", if known.is_empty() { "none recorded" } else { known })]
    NotAbout {
        /// Who was asked for.
        subject: Pseudonym,
        /// Pseudonyms that the decision names.
        known: String,
    },
}

/// Drafts the explanation. `subject` is the person it is for; it need not be named where the decision is about one alone.
///
/// # Errors
/// [`ExplainError::NotAbout`] if the decision is about others.
pub fn explain(account: &Account, subject: Option<Pseudonym>) -> Result<Explanation, ExplainError> {
    let known = &account.identity.subjects;
    let named = subject.map(|subject| subject.to_string());
    if let (Some(subject), Some(named)) = (subject, &named)
        && !known.contains(named)
    {
        return Err(ExplainError::NotAbout { subject, known: known.join(", ") });
    }
    let alone = || if let [one] = known.as_slice() { Some(one.clone()) } else { None };
    let person = named.or_else(alone);
    Ok(Explanation { decision: account.identity.decision, sections: sections(account, person.as_deref()) })
}
