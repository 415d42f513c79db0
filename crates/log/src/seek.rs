//! Finding entries by time.

use inferlog_disk::Open;
use inferlog_merkle::{ENTRY_BYTES_MAX, TILE_WIDTH, entries};
use inferlog_record::Timestamp;
use serde::Deserialize;

use crate::reader::ReadError;
use crate::{LogDir, LogReader, kept};

/// Clocks are set back now and then: what was logged this much before the time asked for is looked at too, nanoseconds.
pub const SEEK_MARGIN_NS: u64 = 10 * 60 * 1_000_000_000;

/// What of an entry says when it was logged (docs/format.md, section 4).
#[derive(Deserialize)]
struct Head {
    events: Vec<HeadEvent>,
}

#[derive(Deserialize)]
struct HeadEvent {
    logged_at: String,
}

impl LogReader {
    /// Where to begin a search for what was logged at `time_ns` or later, in a log of `size` entries: the first entry of a
    /// bundle. Nothing of that time stands before it, but what was logged while the clock was more than ten minutes behind:
    /// whoever must find it goes on before the index that this gives. Reads the first entry of some bundles; of those that were
    /// pruned, what was kept.
    pub fn seek_time(&self, time_ns: u64, size: u64) -> Result<u64, ReadError> {
        let width = u64::from(TILE_WIDTH);
        let wanted = time_ns.saturating_sub(SEEK_MARGIN_NS);
        let first = self.first()? / width;
        let kept = if first > 0 { kept::list(&**self.fs(), self.dir())? } else { Vec::new() };
        let kept: Vec<u64> = kept.into_iter().filter(|bundle| *bundle < first).collect();
        // The bundles of which something is left, in order.
        let place =
            |at: u64| kept.get(at as usize).copied().unwrap_or_else(|| first + at - kept.len() as u64);
        let (mut low, mut high) = (0, kept.len() as u64 + size.div_ceil(width).saturating_sub(first));
        while low < high {
            let middle = low + (high - low) / 2;
            let bundle = place(middle);
            let time = match self.time_of(bundle, bundle < first, size) {
                // Pruned meanwhile: before what is left.
                Err(error) if error.is_pruned() => 0,
                other => other?,
            };
            if time < wanted { low = middle + 1 } else { high = middle }
        }
        // The bundle before the first that begins too late may end late enough.
        Ok(low.checked_sub(1).map_or(0, place) * width)
    }

    /// When the first entry of a bundle, or the first that was kept of it, was logged, nanoseconds since 1970.
    fn time_of(&self, bundle: u64, is_kept: bool, size: u64) -> Result<u64, ReadError> {
        let mut first = bundle * u64::from(TILE_WIDTH);
        let there = if is_kept { None } else { self.first_of_bundle(first, size) };
        let entry = match there {
            Some(entry) => entry,
            None => {
                // A partial bundle that has given way to a wider one, or what was kept.
                let run = self.bundles(first, size.min(first + u64::from(TILE_WIDTH))).next();
                let run = run.ok_or(ReadError::Pruned { index: first, first: self.first()? })??;
                first = run.first;
                entries(run.bytes()).next().and_then(|entry| entry.ok()).unwrap_or_default().to_vec()
            }
        };
        let head = serde_json::from_slice::<Head>(&entry).ok();
        let time = head.and_then(|head| head.events.first()?.logged_at.parse::<Timestamp>().ok());
        time.map(Timestamp::nanos).ok_or_else(|| ReadError::Malformed(format!("entry {first}")))
    }

    /// The first entry of a bundle, if the bundle is there under its name, without reading the rest of it.
    fn first_of_bundle(&self, first: u64, size: u64) -> Option<Vec<u8>> {
        let path = self.dir().tile(LogDir::bundle_of(first, size)?);
        let mut head = vec![0; 2 + ENTRY_BYTES_MAX];
        let read = self.fs().open(&path, Open::Read).ok()?.read_at(&mut head, 0).ok()?;
        head.truncate(read);
        Some(entries(&head).next()?.ok()?.to_vec())
    }
}
