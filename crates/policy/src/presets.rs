//! Policies to begin with: examples to edit.

/// A policy to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Whom it may suit.
    pub about: &'static str,
    /// Its text; comments say what each rule rests on.
    pub text: &'static str,
}

/// Policies to begin with: examples, to be edited and checked by whoever answers for them.
pub const PRESETS: [Preset; 6] = [
    Preset {
        name: "high-risk",
        about: "any high-risk system: six months, and no longer than that needs",
        text: include_str!("../presets/high-risk.toml"),
    },
    Preset {
        name: "finance",
        about: "credit scoring: five years by financial services law, quotes six months",
        text: include_str!("../presets/finance.toml"),
    },
    Preset {
        name: "health",
        about: "clinical decision support: ten years with the patient's file, operations six months",
        text: include_str!("../presets/health.toml"),
    },
    Preset {
        name: "employment",
        about: "recruiting: six months, photographs left out, contacts sealed apart",
        text: include_str!("../presets/employment.toml"),
    },
    Preset {
        name: "law-enforcement",
        about: "remote biometric identification: a year, nothing left out, no sample",
        text: include_str!("../presets/law-enforcement.toml"),
    },
    Preset {
        name: "minimal",
        about: "what is not high-risk: 30 days, personal data left out",
        text: include_str!("../presets/minimal.toml"),
    },
];
