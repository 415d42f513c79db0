//! How much a field's absence matters.

/// Who asks for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// inferlog recommends it.
    Recommended,
    /// inferlog's profile requires it: its absence is reported with a reason.
    Required,
    /// The law requires it of the systems named (Article 12(3)).
    Mandatory,
}

impl Level {
    /// The letter in record.md: `M`, `R`, `r`.
    pub const fn letter(self) -> &'static str {
        match self {
            Level::Mandatory => "M",
            Level::Required => "R",
            Level::Recommended => "r",
        }
    }
}

pub(crate) const M: Level = Level::Mandatory;
pub(crate) const R: Level = Level::Required;
#[expect(non_upper_case_globals, reason = "the letter that record.md uses")]
pub(crate) const r: Level = Level::Recommended;
