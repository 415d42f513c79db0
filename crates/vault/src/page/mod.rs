//! Pages: what a page file is made of (format.md, section 7). Pure.

pub(crate) mod birth;
pub(crate) mod header;
pub(crate) mod plain;
pub(crate) mod record;
#[cfg(test)]
mod tests;

/// The most keys of one page.
pub(crate) const SLOTS_MAX: u16 = 4_096;
