//! Evidence bundles: one ZIP file with records, their proofs, what may be disclosed of their content, and everything needed to
//! check it offline. docs/bundle.md has the format; [`layout`] has its paths and JSON files, for writer, verifier and page.
//!
//! [`write`](mod@write) takes records out of a data directory, proves each under one signed checkpoint per log, and has the
//! result signed. [`verify`](mod@verify) shares nothing with it but the layout: it reads a file that anybody may have made,
//! through [`zip`](mod@zip), which refuses what two readers could take differently. [`report`] makes the page, a pure function of the other files.
//! Two further verifiers share no code at all with these: the page's own script, and `verify.py`.

pub mod layout;
pub mod report;
pub mod verify;
pub mod write;
pub mod zip;
