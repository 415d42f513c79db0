//! Where the entries of many decisions stand: one reading of the logs instead of one for each.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_merkle::entries;
use inferlog_record::Id;
use memchr::memmem::Finder;

use super::locate::{Located, Locator};
use super::search::CHANGED;
use crate::error::Result;
use crate::fate::LifeFinder;
use crate::open::OpenLog;
use crate::select::Select;

/// Length of an id in text.
const ID_BYTES: usize = 36;
/// What stands before the version of a UUIDv7 (RFC 9562, section 5.7), and where in its text.
const VERSION: (&[u8], usize) = (b"-7", 13);
/// How an entry of a decision begins: its members are sorted (format.md, section 4).
const DECISION: &[u8] = br#"{"decision":""#;

type Text = [u8; ID_BYTES];

/// Knows where the entries of chosen decisions stand, from reading the logs once. Its memory grows with the decisions chosen, not
/// with the logs. An entry is known by the ids in its text; whoever is told where it stands reads it and proves it.
#[derive(Debug, Default)]
pub struct ScanLocator {
    logs: Vec<Scanned>,
}

#[derive(Debug)]
struct Scanned {
    /// What concerns every decision: origin, how far, erasures, changes.
    common: Located,
    places: HashMap<Text, Places>,
}

/// What is looked for in every entry.
struct Finders {
    life: LifeFinder,
    changed: Finder<'static>,
    version: Finder<'static>,
}

#[derive(Clone, Debug, Default)]
struct Places {
    entries: Vec<u64>,
    mentions: Vec<u64>,
}

impl ScanLocator {
    /// Reads the selected logs from the time of the oldest of the decisions on. `visit` is told how many entries of how many have
    /// been read.
    ///
    /// # Errors
    /// Damage that keeps the logs from being read.
    pub fn scan(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        select: &Select,
        decisions: &[Id],
        mut visit: impl FnMut(u64, u64),
    ) -> Result<Self> {
        let Some(first_ms) = decisions.iter().map(Id::millis).min() else { return Ok(Self::default()) };
        let logs = OpenLog::all(fs, dir, select, &[])?;
        let mut ranges = Vec::with_capacity(logs.len());
        for log in &logs {
            ranges.push(log.start(first_ms.saturating_mul(1_000_000))?..log.size());
        }
        let total = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        let finders = Finders {
            life: LifeFinder::default(),
            changed: Finder::new(CHANGED),
            version: Finder::new(VERSION.0),
        };
        let (mut done, mut found) = (0, Self::default());
        for (log, range) in logs.iter().zip(ranges) {
            let places = decisions.iter().map(|id| (text(*id), Places::default())).collect();
            let common = Located { origin: log.origin.clone(), through: log.size(), ..Located::default() };
            let mut scanned = Scanned { common, places };
            log.bundles(range.start, range.end, |first, bundle| {
                let mut read = 0;
                for (index, entry) in (first..).zip(entries(bundle)) {
                    scanned.take(&finders, index, entry.map_err(|error| log.malformed(index, error))?);
                    read += 1;
                }
                done += read;
                visit(done.min(total), total);
                Ok(())
            })?;
            found.logs.push(scanned);
        }
        Ok(found)
    }
}

impl Scanned {
    fn take(&mut self, finders: &Finders, index: u64, entry: &[u8]) {
        // Most bytes of most entries belong to none of these: each is looked for once, wherever it stands.
        if finders.life.finds(entry) {
            self.common.erasures.push(index);
        }
        if finders.changed.find(entry).is_some() {
            self.common.changes.push(index);
        }
        let own = entry.strip_prefix(DECISION).and_then(|rest| rest.first_chunk::<ID_BYTES>());
        if let Some(places) = own.and_then(|own| self.places.get_mut(own)) {
            places.entries.push(index);
        }
        for found in finders.version.find_iter(entry) {
            let Some(id) =
                found.checked_sub(VERSION.1).and_then(|start| entry[start..].first_chunk::<ID_BYTES>())
            else {
                continue;
            };
            if own == Some(id) {
                continue;
            }
            if let Some(places) = self.places.get_mut(id)
                && places.mentions.last() != Some(&index)
            {
                places.mentions.push(index);
            }
        }
    }
}

impl Locator for ScanLocator {
    fn locate(&self, decision: Id) -> Result<Vec<Located>, String> {
        let id = text(decision);
        let located = self.logs.iter().filter_map(|log| {
            let Places { entries, mentions } = log.places.get(&id)?.clone();
            Some(Located { entries, mentions, ..log.common.clone() })
        });
        Ok(located.collect())
    }
}

fn text(id: Id) -> Text {
    let mut bytes = [0; ID_BYTES];
    bytes.copy_from_slice(id.to_string().as_bytes());
    bytes
}
