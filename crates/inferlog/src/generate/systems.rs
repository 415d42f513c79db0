//! Three systems, and the models behind them.

use inferlog_record::body::{ModelIdentity, Wire};

/// The systems, each with a log of its own.
pub const SYSTEMS: [&str; 3] = ["credit-scoring", "document-triage", "support-agent"];
pub(super) const CREDIT: usize = 0;
pub(super) const TRIAGE: usize = 1;
pub(super) const AGENT: usize = 2;

/// A model that one of the systems uses.
pub(super) struct Named {
    pub(super) system: usize,
    pub(super) name: &'static str,
    /// In the order in which they come to be used; a new one takes over at equal shares of the time.
    pub(super) versions: &'static [&'static str],
    pub(super) identity: ModelIdentity,
    /// How often it is used, against the others of its system.
    pub(super) weight: u32,
}

const fn model(
    system: usize,
    name: &'static str,
    versions: &'static [&'static str],
    identity: ModelIdentity,
    weight: u32,
) -> Named {
    Named { system, name, versions, identity, weight }
}

use ModelIdentity::{Alias, Exact};

/// All models.
pub(super) const MODELS: [Named; 10] = [
    model(CREDIT, "default-risk", &["3", "4", "5"], Exact, 60),
    model(CREDIT, "affordability", &["1", "2"], Exact, 25),
    model(CREDIT, "fraud-signal", &["2026.1", "2026.2"], Exact, 10),
    model(CREDIT, "production", &["7"], Alias, 5),
    model(TRIAGE, "atlas-small-2026-01-15", &["2026-01-15"], Exact, 55),
    model(TRIAGE, "atlas-small", &["2026-01-15", "2026-03-20"], Alias, 30),
    model(TRIAGE, "atlas-embed-1", &["1"], Exact, 15),
    model(AGENT, "lyra-4-20260110", &["20260110"], Exact, 70),
    model(AGENT, "lyra-4-latest", &["20260110", "20260330"], Alias, 20),
    model(AGENT, "lyra-mini-20251201", &["20251201"], Exact, 10),
];

/// What each system's route is called, and which wire it speaks.
pub(super) const ROUTES: [(&str, Wire); 3] =
    [("score", Wire::OipRest), ("triage", Wire::OpenaiChat), ("assist", Wire::AnthropicMessages)];

pub(super) const TOOLS: [&str; 5] =
    ["orders.lookup", "refunds.create", "calendar.find", "mail.draft", "crm.read"];
pub(super) const INDEXES: [&str; 3] = ["handbook", "tickets", "contracts"];
pub(super) const LABELS: [&str; 3] = ["repaid", "correct-queue", "helpful"];
