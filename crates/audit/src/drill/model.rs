//! What a drill found. Everything serialises to JSON under the names that stand here (docs/drills.md).

use std::collections::BTreeMap;

use inferlog_record::{Id, Timestamp};
use serde::Serialize;

use super::compare::Difference;
use super::sample::Stratum;
use crate::report::KeySource;

/// The form of a drill's report, of which a later version may have another.
pub const DRILL_FORMAT: &str = "inferlog-drill/1";

/// What a drill found.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    /// [`DRILL_FORMAT`].
    pub format: &'static str,
    /// Whether everything drawn was reconstructed.
    pub passed: bool,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How the decisions were chosen.
    pub choice: Choice,
    /// Whether recorded inputs were sent to a model again.
    pub replayed: bool,
    /// Whether the files of models were read and hashed.
    pub artefacts_hashed: bool,
    /// Decisions that were looked at.
    pub sampled: u64,
    /// Those of them that could not be reconstructed as required.
    pub failed: u64,
    /// What was looked at, over all systems.
    pub checked: Checked,
    /// One for each system.
    pub systems: Vec<SystemReport>,
}

/// How the decisions were chosen.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Choice {
    /// Drawn at random.
    Sample {
        /// What the draw follows from.
        seed: u64,
        /// How many were to be drawn.
        sample: usize,
        /// Begun at or after.
        since: Option<Timestamp>,
        /// Begun before; ages are measured from here.
        until: Timestamp,
    },
    /// Named by whoever asked.
    Named {
        /// How many.
        decisions: usize,
    },
}

/// What was found in one system.
#[derive(Clone, Debug, Serialize)]
pub struct SystemReport {
    /// The system.
    pub system: String,
    /// Whether everything drawn of it was reconstructed.
    pub passed: bool,
    /// Decisions that could have been drawn: openings counted in its logs; absent where decisions were named.
    pub population: Option<u64>,
    /// The ages that have decisions.
    pub strata: Vec<Stratum>,
    /// Decisions that were looked at.
    pub sampled: u64,
    /// Those of them that could not be reconstructed as required.
    pub failed: u64,
    /// What was looked at.
    pub checked: Checked,
    /// The checkpoints that everything was proved under.
    pub checkpoints: Vec<CheckpointUsed>,
    /// One for each decision, in the order of time.
    pub decisions: Vec<DecisionDrilled>,
    /// The `drill` event in the system's log; absent in the report that this event holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Id>,
}

/// A checkpoint that entries were proved under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CheckpointUsed {
    /// Origin of the log.
    pub log: String,
    /// Entries under it.
    pub size: u64,
    /// Its root hash, base64.
    pub root: String,
    /// Verifier keys whose signatures on it verified.
    pub signed_by: Vec<String>,
    /// Whose word those keys are.
    #[serde(serialize_with = "key_source")]
    pub key_given: bool,
}

fn key_source<S: serde::Serializer>(given: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    (if *given { KeySource::Given } else { KeySource::Directory }).serialize(serializer)
}

/// How much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Entries whose inclusion proofs lead to a signed root.
    pub entries: u64,
    /// Steps of the decisions.
    pub steps: u64,
    /// Contents that were opened and are the ones committed to.
    pub contents: u64,
    /// Contents that are not there, by their state: `erased`, `purged`, `redacted`, `not_captured`; the record says why of each.
    pub absent: BTreeMap<String, u64>,
    /// Registered prompts that were found under their SHA-256.
    pub prompts: u64,
    /// Registered sets of tools that were found under their SHA-256.
    pub toolsets: u64,
    /// Model calls whose model is in the registry.
    pub models: u64,
    /// Files of models: what became of looking for them, by location.
    pub artefacts: BTreeMap<String, Artefact>,
    /// Decisions whose record lacks something that the profile requires, and does not say why.
    pub incomplete: u64,
    /// Decisions that have not ended yet, and are younger than a day.
    pub open: u64,
    /// Model calls that were made again, by result: `same`, `within_tolerance`, `different`, `not_replayable`.
    pub replays: BTreeMap<&'static str, u64>,
}

/// What became of looking for a model's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Artefact {
    /// It is there; nobody asked to hash it.
    Present,
    /// It is there and has the registered SHA-256.
    Same,
    /// It is there and the registry has no digest to compare.
    NoDigest,
    /// It is there, and is another than the registered one.
    Changed {
        /// The SHA-256 that it has.
        digest: String,
    },
    /// It is not there.
    Missing,
    /// It is there and cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// A place that this machine has no path to: not looked for.
    NotReachable,
}

/// What was found in one decision.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionDrilled {
    /// The decision.
    pub decision: Id,
    /// Its age, by the names of the strata; absent where decisions were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<&'static str>,
    /// Whether it was reconstructed as required.
    pub passed: bool,
    /// Entries proved.
    pub entries: usize,
    /// Contents opened.
    pub contents: usize,
    /// What was wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Its model calls, made again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<Replay>,
}

/// Something that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub class: FindingClass,
    /// The event that it is about; the decision as a whole, if absent.
    pub event: Option<Id>,
    /// The entry that holds the event.
    pub entry: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $class:ident = $text:literal => $advice:literal;)+) => {
        /// Kinds of findings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FindingClass {
            $($(#[doc = $doc])+ $class,)+
        }

        impl FindingClass {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$class),+];

            /// Its name, as in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$class => $text),+ }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$class => $advice),+ }
            }
        }
    };
}

classes! {
    /// No log under a checkpoint has an entry of the decision.
    NotFound = "not_found" => "Check the id; if the decision was acknowledged, run `inferlog verify` with a checkpoint or receipt that you kept.";
    /// No log has an entry of the decision any more: entries of its time were purged.
    Purged = "purged" => "Drill decisions that are younger than the purge; of this one nothing can be told any more.";
    /// Entries cannot be read.
    Unreadable = "unreadable" => "Run `inferlog verify` to locate the damage, and restore the file from a backup.";
    /// An entry is not in the log, or the checkpoint is not to be believed.
    Proof = "proof" => "Treat the record as tampered with: run `inferlog verify --key … --against …` and keep the directory as it is.";
    /// What is there contradicts itself.
    Contradiction = "contradiction" => "Read `inferlog reconstruct` for the decision, and `inferlog verify` for the log.";
    /// A content is named as present and no pack holds it, and no event says that it was removed.
    ContentMissing = "content_missing" => "Run `inferlog verify`, and restore the pack from a backup; if it was deleted on purpose, say so in an incident.";
    /// A content is not the one committed to, or not the one that was sealed.
    ContentAltered = "content_altered" => "Treat the pack as tampered with or damaged: run `inferlog verify`, and restore it from a backup.";
    /// The key of a content is gone and no erasure says so, or cannot be had.
    KeyMissing = "key_missing" => "Restore the keystore from a backup; without its keys the content is lost.";
    /// A registered prompt is named and the registry does not hold it.
    PromptMissing = "prompt_missing" => "Restore the registry from a backup, or register the same text again: it is found by its SHA-256.";
    /// A registered set of tools is named and the registry does not hold it.
    ToolsMissing = "tools_missing" => "Restore the registry from a backup, or register the same JSON again: it is found by its SHA-256.";
    /// The record has a model's digest, and no registered model has it.
    ModelMissing = "model_missing" => "Restore the registry from a backup, or register the model again: it is found by its digest.";
    /// A registered model's file is not where the registry says.
    ArtefactMissing = "artefact_missing" => "Put the model's files back, or register the version again with the place where they are now.";
    /// A registered model's file is another than the registered one.
    ArtefactChanged = "artefact_changed" => "Put the registered files back; a retrained model is a new version with a name of its own.";
    /// The record lacks what a decision cannot be told without, or, in a strict drill, what the profile requires; and does not say why.
    Incomplete = "incomplete" => "Read the list under `inferlog reconstruct`, and attach what the application knows with `inferlog events`.";
    /// A model that is given the recorded input answers otherwise than it did.
    ReplayDiffers = "replay_differs" => "Find out whether the model, its parameters or its server changed; if it changed on purpose, this is a candidate for a substantial modification.";
}

impl Finding {
    /// Of this class, with its advice.
    pub fn new(class: FindingClass, event: Option<Id>, entry: Option<u64>, what: impl Into<String>) -> Self {
        Self { class, event, entry, what: what.into(), advice: class.advice() }
    }
}

/// A model call, made again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// The `inference` event.
    pub event: Id,
    /// The entry that holds it.
    pub entry: u64,
    /// What came of it.
    pub result: ReplayResult,
    /// The model as the record has it.
    pub recorded: ModelNames,
    /// The model that answered now.
    #[serde(skip_serializing_if = "ModelNames::is_empty")]
    pub replayed: ModelNames,
    /// What differs; the first of many. Left out of the report that stands in the log, for it quotes content.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// What came of making a model call again.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ReplayResult {
    /// The same bytes, or the same but for fields that change with every answer.
    Same {
        /// Whether it was the same bytes.
        bytes: bool,
    },
    /// Not the same, and as near as was asked for.
    WithinTolerance {
        /// The largest relative difference of two numbers.
        largest: f64,
        /// The least similarity of two texts, 0 to 1.
        similarity: f64,
    },
    /// Another answer.
    Different {
        /// How many values differ by more than was asked for.
        values: u64,
        /// The largest relative difference of two numbers.
        largest: f64,
        /// The least similarity of two texts, 0 to 1.
        similarity: f64,
    },
    /// It was not made again.
    NotReplayable {
        /// Why.
        why: String,
    },
}

impl ReplayResult {
    /// Its name, as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Same { .. } => "same",
            Self::WithinTolerance { .. } => "within_tolerance",
            Self::Different { .. } => "different",
            Self::NotReplayable { .. } => "not_replayable",
        }
    }
}

/// What a model is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModelNames {
    /// Its name, as it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the server calls its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl ModelNames {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for ModelNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("a model without a name"))?;
        if let Some(version) = &self.version {
            write!(f, " version {version}")?;
        }
        if let Some(fingerprint) = &self.fingerprint {
            write!(f, " ({fingerprint})")?;
        }
        Ok(())
    }
}
