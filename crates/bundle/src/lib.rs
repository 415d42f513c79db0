//! Evidence bundles: one ZIP file with records, their proofs, what may be disclosed of their content, and everything needed to
//! check it offline. docs/bundle.md has the format; [`layout`] has its paths and JSON files, for writer, verifier and page.

pub mod layout;
pub mod report;
pub mod verify;
pub mod write;
pub mod zip;
