//! The words of a policy's text.

use crate::{Erasable, Failure, FieldAction, Profile, Unreadable};

/// Every word of a key, and what it means.
pub(crate) trait Words: Copy + 'static {
    /// In the order of the documentation.
    const WORDS: &'static [(&'static str, Self)];
}

impl Words for Profile {
    const WORDS: &'static [(&'static str, Self)] =
        &[("high-risk", Self::HighRisk), ("biometric", Self::Biometric), ("other", Self::Other)];
}

impl Words for Failure {
    const WORDS: &'static [(&'static str, Self)] = &[("block", Self::Block), ("degrade", Self::Degrade)];
}

impl Words for Erasable {
    const WORDS: &'static [(&'static str, Self)] =
        &[("always", Self::Always), ("after-floor", Self::AfterFloor)];
}

impl Words for Unreadable {
    const WORDS: &'static [(&'static str, Self)] = &[("keep", Self::Keep), ("drop", Self::Drop)];
}

impl Profile {
    /// As a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HighRisk => "high-risk",
            Self::Biometric => "biometric",
            Self::Other => "other",
        }
    }

    /// Whether the Act asks for logs to be kept.
    pub fn has_legal_floor(self) -> bool {
        match self {
            Self::HighRisk | Self::Biometric => true,
            Self::Other => false,
        }
    }
}

impl Failure {
    /// As a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Degrade => "degrade",
        }
    }
}

impl Erasable {
    /// As a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::AfterFloor => "after-floor",
        }
    }
}

impl Unreadable {
    /// As a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
        }
    }
}

impl FieldAction {
    /// As a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep(_) => "keep",
            Self::Split(_) => "split",
            Self::Drop => "drop",
        }
    }
}
