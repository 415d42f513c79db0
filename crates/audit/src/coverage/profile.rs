//! What is expected of a system beyond what is expected of every one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How long an intervention may take before it is missed, unless the profile says otherwise, nanoseconds.
const INTERVENTION_NS: u64 = 24 * 3_600_000_000_000;

/// A profile by name: what most systems of a sort need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Nothing beyond what every record should have.
    #[default]
    General,
    /// A person acts on every decision.
    HumanInTheLoop,
    /// Every decision belongs to a period of use with a beginning and an end.
    Sessions,
    /// Remote biometric identification (Article 12(3)): sessions, and whatever a match needs.
    Biometric,
}

impl Preset {
    /// All of them with their names.
    pub const ALL: [(&'static str, Preset); 4] = [
        ("general", Preset::General),
        ("human-in-the-loop", Preset::HumanInTheLoop),
        ("sessions", Preset::Sessions),
        ("biometric", Preset::Biometric),
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::General => "general",
            Preset::HumanInTheLoop => "human-in-the-loop",
            Preset::Sessions => "sessions",
            Preset::Biometric => "biometric",
        }
    }
}

/// What is expected of one system. In a file every member is optional; `profile` names the preset, the others change it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The preset.
    pub profile: Preset,
    /// The share of decisions, from 0 to 1, on which a person has to act; by default 1 in `human-in-the-loop`, else 0.
    pub interventions: Option<f64>,
    /// How long an intervention may take, as in `12h` or `7d`; by default a day.
    pub within: Option<Span>,
    /// The routes that interventions and sessions are expected on; all of them by default.
    pub routes: Vec<String>,
}

/// Profiles by system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profiles {
    /// The preset of systems that are not named.
    pub profile: Preset,
    /// Systems with a profile of their own.
    pub systems: BTreeMap<String, Profile>,
}

impl Profiles {
    /// The same profile for every system.
    pub fn all(profile: Preset) -> Self {
        Self { profile, systems: BTreeMap::new() }
    }

    /// The profile of a system.
    pub(super) fn of(&self, system: &str) -> Profile {
        self.systems
            .get(system)
            .cloned()
            .unwrap_or_else(|| Profile { profile: self.profile, ..Profile::default() })
    }
}

impl Profile {
    /// The share of decisions that a person has to act on.
    pub(super) fn interventions(&self) -> f64 {
        let preset = if self.profile == Preset::HumanInTheLoop { 1.0 } else { 0.0 };
        self.interventions.unwrap_or(preset).clamp(0.0, 1.0)
    }

    pub(super) fn within_ns(&self) -> u64 {
        self.within.map_or(INTERVENTION_NS, |span| span.0)
    }

    pub(super) fn expects_sessions(&self) -> bool {
        matches!(self.profile, Preset::Sessions | Preset::Biometric)
    }

    pub(super) fn is_biometric(&self) -> bool {
        self.profile == Preset::Biometric
    }

    pub(super) fn has_route(&self, route: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|named| named == route)
    }
}

/// A length of time in nanoseconds; in text a whole number and `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub u64);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Span, String> {
        let read = || {
            let unit = match text.chars().last()? {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400_u64,
                _ => return None,
            };
            let number = text.get(..text.len() - 1)?.parse::<u64>().ok()?;
            number.checked_mul(unit)?.checked_mul(1_000_000_000)
        };
        read()
            .map(Span)
            .ok_or_else(|| format!("`{text}` is no length of time: write it as in 90s, 15m, 12h, 7d"))
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        format!("{}s", span.0 / 1_000_000_000)
    }
}
