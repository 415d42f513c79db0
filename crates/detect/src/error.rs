//! What makes a detector unfit.

use thiserror::Error;

/// A detector that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DetectError {
    /// A country that the kind knows nothing of.
    #[error("detector {name}: no {what} of the country `{country}` are known; known are {known}")]
    Country {
        /// The detector.
        name: String,
        /// Telephone numbers or national numbers.
        what: &'static str,
        /// As it was given.
        country: String,
        /// Those that are, separated by spaces.
        known: String,
    },
    /// A list of names or countries without anything in it, or a name without a letter or digit.
    #[error("detector {name}: {what}")]
    Empty {
        /// The detector.
        name: String,
        /// What is empty.
        what: &'static str,
    },
    /// More, or longer, than a limit allows.
    #[error("detector {name}: {what} of {found}; at most {max} are allowed")]
    TooMuch {
        /// The detector.
        name: String,
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        max: usize,
    },
    /// A pattern that is none, or that takes too much memory.
    #[error("detector {name}: {problem}")]
    Pattern {
        /// The detector.
        name: String,
        /// What the regular expression's reader says.
        problem: String,
    },
}
