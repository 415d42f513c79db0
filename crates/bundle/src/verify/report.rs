//! What verification found: each check, each fault with its place, and what is not proved.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::layout::Disclosure;

/// Faults listed at most; all are counted.
pub const FAULTS_LISTED_MAX: usize = 1_000;
/// Notices of one kind listed at most.
const NOTICES_ALIKE_MAX: usize = 20;

/// What is checked, in the order of docs/bundle.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Names; what is listed is what is there; each file's SHA-256.
    Files,
    /// The signature over the list.
    Manifest,
    /// Each log's signed checkpoint.
    Checkpoint,
    /// What witnesses signed.
    Cosignatures,
    /// What a time-stamping authority signed.
    Timestamps,
    /// Each entry and its inclusion proof.
    Entries,
    /// Disclosed content against its commitment.
    Openings,
    /// Sealed bytes against their digest.
    Sealed,
    /// Registered content against the digest that entries name.
    Shared,
    /// The lines about each decision against its entries.
    Summary,
    /// The page against what it is made from.
    Report,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Files,
        Self::Manifest,
        Self::Checkpoint,
        Self::Cosignatures,
        Self::Timestamps,
        Self::Entries,
        Self::Openings,
        Self::Sealed,
        Self::Shared,
        Self::Summary,
        Self::Report,
    ];

    /// Its name, the same in every verifier.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Manifest => "manifest",
            Self::Checkpoint => "checkpoint",
            Self::Cosignatures => "cosignatures",
            Self::Timestamps => "timestamps",
            Self::Entries => "entries",
            Self::Openings => "openings",
            Self::Sealed => "sealed",
            Self::Shared => "shared",
            Self::Summary => "summary",
            Self::Report => "report",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Checked, and it holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It is there, and was not checked: `what` says what is needed.
    Unchecked,
    /// The bundle has nothing of the kind.
    Absent,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Which.
    pub check: Check,
    /// How it ended.
    pub outcome: Outcome,
    /// What was checked, or what is missing for it, as a sentence.
    pub what: String,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// Which check found it.
    pub check: Check,
    /// The file.
    pub file: String,
    /// Where in it: `entry 17`, `payload <id>`, `line 3`, `byte 120`; absent where it is the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is wrong and what that means, as a sentence.
    pub what: String,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Decisions.
    pub decisions: u64,
    /// Entries, those of the life of the systems included.
    pub entries: u64,
    /// Entries of the life of the systems.
    pub system_entries: u64,
    /// Payloads of decisions whose content was recorded: what became of each, say the next five.
    pub payloads: u64,
    /// Payloads whose content is disclosed and holds.
    pub disclosed: u64,
    /// Payloads that are committed to and not disclosed: unchanged, but not shown.
    pub undisclosed: u64,
    /// Payloads that were recorded and whose keys an erasure destroyed, or that came after it.
    pub erased: u64,
    /// Payloads that were removed under a retention policy.
    pub purged: u64,
    /// Payloads left out by a rule before they were recorded.
    pub redacted: u64,
    /// Payloads that never reached the recorder.
    pub not_captured: u64,
    /// Payloads that are shared content, bound by its SHA-256.
    pub shared: u64,
    /// Files of shared content.
    pub shared_files: u64,
    /// Sealed payloads in the bundle.
    pub sealed: u64,
    /// Payloads of the life of the systems whose content is disclosed and holds.
    pub system_disclosed: u64,
    /// Legal holds that were placed, and not released, in the entries of the bundle.
    pub held: u64,
    /// Erasures that were announced there, and not completed.
    pub announced: u64,
    /// Erasures that were refused there.
    pub refused: u64,
    /// Erasures from which a hold or a legal duty withheld keys there.
    pub withheld: u64,
    /// Purges of payloads there.
    pub purges: u64,
    /// Incidents there.
    pub incidents: u64,
}

/// Where the keys came from that verified a log's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// The reader gave them.
    Given,
    /// The bundle brings them itself: they prove nothing against whoever made the bundle.
    Bundle,
}

/// A cosignature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CosignatureReport {
    /// Name of the witness.
    pub name: String,
    /// Its key, eight hexadecimal digits.
    pub key_id: String,
    /// When it signed, as it says: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether it was checked with a key that the reader gave.
    pub verified: bool,
}

/// A timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimestampReport {
    /// The file.
    pub file: String,
    /// What it says, if it could be read: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether its signature leads to a root that the reader gave.
    pub trusted: bool,
}

/// One log: how far the bundle's proofs reach, and whose word that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// `<org>/<system>/<shard>/<epoch>`.
    pub origin: String,
    /// Entries under the checkpoint: every proof is under it.
    pub size: u64,
    /// Its root hash, base64.
    pub root: String,
    /// Verifier keys whose signatures hold.
    pub signed_by: Vec<String>,
    /// Whose word those keys are.
    pub key_from: KeySource,
    /// Cosignatures, verified or not.
    pub cosignatures: Vec<CosignatureReport>,
    /// Timestamps.
    pub timestamps: Vec<TimestampReport>,
}

/// What became of a checkpoint that the reader holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgainstReport {
    /// The log that it is of.
    pub origin: String,
    /// Its size.
    pub size: u64,
    /// Whether the bundle's proofs are under the very same tree; `None` where a bundle cannot tell.
    pub same: Option<bool>,
    /// The same as a sentence.
    pub what: String,
}

/// What verification found.
#[derive(Clone, Debug, Serialize)]
pub struct BundleReport {
    /// No fault. What that proves depends on `logs[].key_from`.
    pub ok: bool,
    /// Every check.
    pub checks: Vec<CheckReport>,
    /// The first faults.
    pub faults: Vec<Fault>,
    /// All of them.
    pub fault_count: u64,
    /// What a reader should know and is no fault.
    pub notices: Vec<String>,
    /// How much there is.
    pub counts: Counts,
    /// The logs.
    pub logs: Vec<LogReport>,
    /// What the exporter chose to disclose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<Disclosure>,
    /// The build that wrote the bundle, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The checkpoints that the reader holds.
    pub against: Vec<AgainstReport>,
    /// What no bundle proves.
    pub not_proved: &'static [&'static str],
}

/// What no bundle proves.
pub(super) const NOT_PROVED: &[&str] = &[
    "that nothing was left out: a bundle proves what is in it",
    "that what was recorded is true: the record says what a system took and gave, as it was written at the time",
    "what stands in content that is not disclosed: only that it has not changed since",
];

/// `1 decision`, `2 decisions`.
pub(super) fn counted(count: impl TryInto<u64>, what: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Collects what is found while the files pass.
#[derive(Debug, Default)]
pub(super) struct Findings {
    faults: Vec<Fault>,
    count: u64,
    /// Faults of each check.
    by_check: BTreeMap<Check, u64>,
    /// How a check that did not fail ended, where it did more than pass.
    told: BTreeMap<Check, (Outcome, String)>,
    notices: Vec<String>,
    alike: BTreeMap<&'static str, usize>,
    pub(super) counts: Counts,
}

impl Findings {
    pub(super) fn fault(&mut self, check: Check, file: &str, place: Option<String>, what: impl Into<String>) {
        self.count += 1;
        *self.by_check.entry(check).or_default() += 1;
        if self.faults.len() < FAULTS_LISTED_MAX {
            self.faults.push(Fault { check, file: file.to_owned(), place, what: what.into() });
        }
    }

    /// A notice of a kind, of which there may be many.
    pub(super) fn notice(&mut self, kind: &'static str, what: impl FnOnce() -> String) {
        let seen = self.alike.entry(kind).or_default();
        *seen += 1;
        if *seen <= NOTICES_ALIKE_MAX {
            self.notices.push(what());
        }
    }

    /// Says how a check ended, unless it fails.
    pub(super) fn tell(&mut self, check: Check, outcome: Outcome, what: impl Into<String>) {
        self.told.insert(check, (outcome, what.into()));
    }

    /// The report's lists.
    pub(super) fn finish(self, report: &mut BundleReport) {
        report.ok = self.count == 0;
        report.checks = Check::ALL
            .into_iter()
            .map(|check| {
                let faults = self.by_check.get(&check).copied().unwrap_or_default();
                let (outcome, what) = match (faults, self.told.get(&check)) {
                    (0, Some((outcome, what))) => (*outcome, what.clone()),
                    (0, None) => (Outcome::Absent, "nothing of the kind is in the bundle".to_owned()),
                    (faults, _) => (Outcome::Failed, counted(faults, "fault")),
                };
                CheckReport { check, outcome, what }
            })
            .collect();
        report.faults = self.faults;
        report.fault_count = self.count;
        report.notices = self.notices;
        for (kind, seen) in self.alike {
            if let Some(more) = seen.checked_sub(NOTICES_ALIKE_MAX).filter(|more| *more > 0) {
                report.notices.push(format!("{more} more of the kind: {kind}"));
            }
        }
        report.counts = self.counts;
    }
}
