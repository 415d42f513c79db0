//! Erasures and purges of payloads: applied with the entries that ask for them, and before anything else where many entries wait.

use super::Follower;
use super::source::{Source, unreadable};
use crate::engine::Engine;
use crate::error::Result;
use crate::fold::parse::EntryJson;
use crate::fold::{Asked, Erased};
use crate::removal::{Erasure, PurgedPayloads};
use crate::rows::{EventNo, KeyNo, Shared};

impl<E: Engine> Follower<E> {
    /// Looks through entries that wait, if they are more than one transaction takes, for erasures and purges of payloads, and
    /// applies these to what is there: a store that comes back after months has nothing that it should not have while it catches
    /// up. They are applied once more when they are reached.
    pub(super) fn look_ahead(&mut self, at: usize) -> Result<()> {
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        let (next, size) = (source.position.next.max(source.ahead), source.size);
        let is_far = size.saturating_sub(source.position.next) > self.options.batch_entries_max;
        if source.position.next == 0 || !is_far || next >= size {
            return Ok(());
        }
        source.ahead = size;
        let asked = find(source, next)?;
        if asked.is_empty() {
            return Ok(());
        }
        let position = self.engine.begin(&source.name)?;
        let removed = remove(&mut self.engine, position.keystore, position.log, &asked)
            .and_then(|()| self.engine.commit(position));
        if removed.is_err() {
            source.ahead = 0;
            self.engine.rollback()?;
        }
        self.is_awaited = true;
        removed
    }
}

/// What the entries from `from` on ask for. What cannot be read ends the look: it is told when it is reached.
fn find(source: &Source, from: u64) -> Result<Asked> {
    let mut asked = Asked::default();
    for run in source.reader.bundles(from, source.size) {
        let Ok(run) = run else { break };
        for entry in run.entries() {
            let (index, bytes) = entry.map_err(|error| unreadable(&source.name.origin, error))?;
            // Everything else need not be parsed.
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            let is_asking =
                ["\"kind\":\"erasure\"", "\"kind\":\"purge\""].iter().any(|kind| text.contains(kind));
            if is_asking && let Ok(entry) = EntryJson::parse(bytes) {
                asked.entry(source.position.log, index, &entry);
            }
        }
    }
    Ok(asked)
}

/// Applies erasures and purges of payloads within the engine's transaction.
pub(super) fn remove<E: Engine>(engine: &mut E, keystore: u16, log: u16, asked: &Asked) -> Result<()> {
    let erasure = |erased: &Erased| Erasure {
        intent: erased.intent,
        is_withheld: erased.is_withheld,
        subjects: erased.subjects.clone(),
        keys: erased.keys.iter().map(|key| KeyNo::new(keystore, *key)).collect(),
    };
    let erasures: Vec<Erasure> = asked.erased.iter().map(erasure).collect();
    if !erasures.is_empty() {
        engine.erase(&erasures)?;
    }
    if asked.payloads.is_empty() {
        return Ok(());
    }
    let classes: Vec<Shared> = asked.payloads.iter().map(|(class, _, _)| class_term(class)).collect();
    let classes = engine.intern(&classes)?;
    let range = |(class, (_, first, last)): (&i32, &(String, u64, u64))| {
        let (first, last) = (EventNo::new(log, *first, 0)?, EventNo::new(log, *last, 0)?.entry().1);
        Some(PurgedPayloads { class: *class, first, last })
    };
    let payloads: Vec<PurgedPayloads> = classes.iter().zip(&asked.payloads).filter_map(range).collect();
    engine.purge(&payloads)
}

/// The row that stands for a retention class.
pub(super) fn class_term(class: &str) -> Shared {
    Shared::Term { aspect: "retention", name: class.to_owned() }
}
