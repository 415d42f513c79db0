//! One command, one file: what it takes, what its help says, and what it does.

pub(crate) mod attach;
pub(crate) mod bench;
pub(crate) mod coverage;
pub(crate) mod demo;
pub(crate) mod drill;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod export;
mod facet;
pub(crate) mod find;
pub(crate) mod followers;
pub(crate) mod keys;
pub(crate) mod models;
pub(crate) mod prompts;
pub(crate) mod query;
pub(crate) mod receipt;
pub(crate) mod reconstruct;
mod registered;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod timestamp;
pub(crate) mod tools;
pub(crate) mod verify;
mod verify_bundle;
pub(crate) mod witness;
