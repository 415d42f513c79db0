//! The way in for commands that write or open content.
//!
//! One process at a time may hold a data directory. While `serve` holds it, `DIR/admin.sock` takes a command's [`Request`], as
//! one JSON object in an HTTP POST; otherwise the command opens the directory itself. Both ways run the same code
//! ([`act`]). Whoever may connect to the socket may do all of it: it is its owner's alone.

mod access;
mod account;
mod act;
mod bundle;
mod door;
mod drill;
mod erasure;
mod events;
mod export;
mod hold;
mod incident;
mod open;
mod policy;
mod registry;
mod retention;
mod risk;
mod server;
mod socket;
mod subject;
mod systems;
mod text;

pub(crate) use access::{Reader, words};
pub(crate) use account::{AccountForm, DraftForm, Wanted, Written, save, sealed};
pub(crate) use act::{Act, Form, Rotated, act, act_following, tell_sealed};
pub(crate) use bundle::{BundleKeys, Disclosing};
pub(crate) use door::{Door, refresh, require_data};
pub(crate) use drill::{DrillBegun, DrillDone};
pub(crate) use erasure::{
    Asked as ErasureAsked, CertificateGiven, ErasureAct, ErasureDone, ErasureLine, ErasurePlan, Kept,
    Outcome, Target,
};
pub(crate) use events::Events;
pub(crate) use export::{ExportBegun, ExportOpenings};
pub(crate) use hold::{Freeze, HoldAct, HoldAsked, HoldDone};
pub(crate) use incident::{IncidentAct, IncidentAsked, IncidentDone};
pub(crate) use open::{open, refuse_open};
pub(crate) use policy::PolicyDone;
pub(crate) use registry::register;
pub(crate) use retention::{RetentionAct, Settled, SystemKept, kept};
pub(crate) use risk::RiskAccepted;
pub(crate) use server::AdminServer;
pub(crate) use subject::{Known, SubjectAct};
pub(crate) use text::Words;

/// Where requests are posted to.
const PATH: &str = "/v1/act";
