//! What is gone, held against the purges that say so; and what is still there although a purge covers it.

use inferlog_log::packs::{PACK_HEADER_BYTES, PACK_INDEX_BYTES, PackName, list_kept_packs, list_packs};
use inferlog_merkle::TILE_WIDTH;
use inferlog_record::RetentionClass;

use super::log::Log;
use super::record::Records;
use super::rows::Pack;
use super::units::Totals;
use crate::fate::{PurgeTold, Removals};
use crate::report::FaultKind;

const WIDTH: u64 = TILE_WIDTH as u64;

/// Holds purges of entries against the entries that are gone, and tells what purges have not finished.
pub(super) fn check(log: &Log<'_>, totals: &mut Totals) {
    let kept: u64 = totals.pruned.iter().map(|(_, kept)| kept.count()).sum();
    totals.counts.entries_kept += kept;
    totals.counts.entries_purged += totals.pruned.len() as u64 * WIDTH - kept;
    let mut purges: Vec<&PurgeTold> =
        totals.removals.purges().iter().filter(|purge| purge.is_of_entries()).collect();
    purges.sort_by_key(|purge| purge.at);
    gone(log, totals, &purges);
    for (at, purge) in purges.iter().enumerate() {
        numbers(log, totals, purge, (&purges[..at], &purges[at + 1..]));
    }
    if totals.leftovers > 0 {
        log.sink.notice(format!(
            "{} bundles before entry {} are still there: a purge is not finished; the next start goes on with it",
            totals.leftovers, log.first
        ));
    }
    super::kept::check_strays(log);
    erasures(log, &totals.removals);
    leftovers(log, &totals.removals);
}

/// Every entry that is gone is in the range of a later purge, and `pruned` says no more than they do.
fn gone(log: &Log<'_>, totals: &Totals, purges: &[&PurgeTold]) {
    let spans = spans(purges);
    let covered = |index: u64| {
        let before = spans.partition_point(|(first, _)| *first <= index);
        before.checked_sub(1).and_then(|at| spans.get(at)).is_some_and(|(_, last)| index <= *last)
    };
    let mut run: Option<(u64, u64)> = None;
    let report = |run: Option<(u64, u64)>| {
        if let Some((first, last)) = run {
            let what = format!(
                "{} gone, and no purge says so",
                match first == last {
                    true => format!("entry {first} is"),
                    false => format!("entries {first} to {last} are"),
                }
            );
            log.sink.payload(&log.dir.pruned(), first, FaultKind::Pruned, what);
        }
    };
    for (number, kept) in &totals.pruned {
        for position in (0..WIDTH).filter(|position| !kept.has(*position)) {
            let index = number * WIDTH + position;
            if covered(index) {
                continue;
            }
            run = match run {
                Some((first, last)) if last + 1 == index => Some((first, index)),
                other => {
                    report(other);
                    Some((index, index))
                }
            };
        }
    }
    report(run);
    let said = purges.iter().map(|purge| purge.body.last.0.saturating_add(1).min(purge.at.1)).max();
    let said = said.unwrap_or(0);
    if log.first > said && run.is_none_or(|(_, last)| last + 1 < log.first) {
        let what = format!(
            "the log begins at {}, this says; the purges that the log tells of end before {said}",
            log.first
        );
        log.sink.byte(&log.dir.pruned(), 0, FaultKind::Pruned, what);
    }
}

/// The entries that purges cover: first and last of runs with something between them, ascending.
fn spans(purges: &[&PurgeTold]) -> Vec<(u64, u64)> {
    let before = |purge: &&PurgeTold| {
        let last = purge.body.last.0.min(purge.at.1.checked_sub(1)?);
        Some((purge.body.first.0, last)).filter(|(first, last)| first <= last)
    };
    let mut all: Vec<(u64, u64)> = purges.iter().filter_map(before).collect();
    all.sort_unstable();
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for (first, last) in all {
        match spans.last_mut().filter(|(_, end)| first <= end.saturating_add(1)) {
            Some((_, end)) => *end = last.max(*end),
            None => spans.push((first, last)),
        }
    }
    spans
}

/// A purge's numbers are those of its range, and of what is kept of it.
fn numbers(
    log: &Log<'_>,
    totals: &Totals,
    purge: &PurgeTold,
    (before, after): (&[&PurgeTold], &[&PurgeTold]),
) {
    let body = &purge.body;
    let (first, last) = (body.first.0, body.last.0);
    let overlaps = |other: &&PurgeTold| other.body.first.0 <= last && first <= other.body.last.0;
    let fault = |what: String| {
        let file = log.file_of(purge.at.1);
        log.sink.payload(&file, purge.at.1, FaultKind::Purge, what);
    };
    if first > last || last >= purge.at.1 {
        return fault(format!(
            "the purge {} is of entries {first} to {last}, which are not before it",
            purge.event
        ));
    }
    let range = last - first + 1;
    if !before.iter().any(overlaps) && body.entries.0.checked_add(body.kept.0) != Some(range) {
        return fault(format!(
            "the purge {} is of {range} entries, and says that {} were removed and {} kept",
            purge.event, body.entries, body.kept
        ));
    }
    if last >= log.first {
        return log.sink.notice(format!(
            "the purge {} of entries {first} to {last} is not finished: the log still begins at {}",
            purge.event, log.first
        ));
    }
    let bundles = totals.pruned.partition_point(|(number, _)| *number < first / WIDTH)
        ..totals.pruned.partition_point(|(number, _)| *number <= last / WIDTH);
    let there: u64 = totals.pruned[bundles]
        .iter()
        .map(|(number, kept)| {
            let indices = (number * WIDTH).max(first)..((number + 1) * WIDTH).min(last + 1);
            match indices.end - indices.start {
                WIDTH => kept.count(),
                _ => indices.filter(|index| kept.has(index % WIDTH)).count() as u64,
            }
        })
        .sum();
    let is_last = !after.iter().any(overlaps) && totals.leftovers == 0;
    if is_last && there < body.kept.0 {
        let lost = body.kept.0 - there;
        log.sink.payload(
            &log.dir.kept_entries(),
            first,
            FaultKind::Kept,
            format!(
                "{lost} of {} entries that the purge {} kept of {first} to {last} are gone; what it kept is there no more",
                body.kept, purge.event
            ),
        );
    } else if is_last && there > body.kept.0 {
        log.sink.notice(format!(
            "{there} entries of {first} to {last} are kept, {} more than the purge {} says: held since it was written",
            there - body.kept.0,
            purge.event
        ));
    }
}

/// Erasures that were announced and not completed.
fn erasures(log: &Log<'_>, removals: &Removals) {
    for told in removals.erasures().iter().filter(|told| told.destroys() && told.event == told.intent) {
        if removals.completion(told.intent).is_none() {
            log.sink.notice(format!(
                "the erasure {} of entry {} was announced, and no event says that it was completed",
                told.event, told.at.1
            ));
        }
    }
}

/// Payloads that are still there although a purge covers them.
fn leftovers(log: &Log<'_>, removals: &Removals) {
    let of_payloads = || removals.purges().iter().filter(|purge| !purge.is_of_entries());
    if of_payloads().next().is_none() {
        return;
    }
    for pack in list_packs(&**log.fs, log.dir).unwrap_or_default() {
        let Ok(class) = RetentionClass::new(&pack.class) else { continue };
        let covering = |index: u64| removals.purges_over((0, index), &class);
        let Some(purge) = covering(pack.first).max_by_key(|purge| purge.at) else { continue };
        let indices = indices(log, &pack);
        let covered = indices.iter().filter(|index| covering(**index).next().is_some()).count();
        let spans = covered < indices.len();
        let why = match spans {
            true => "the pack holds younger ones too, and goes with them",
            false => "the purge is not finished, or the pack was put back",
        };
        log.sink.notice(format!(
            "{}: {covered} payloads are still there that the purge {} covers: {why}",
            log.sink.relative(&pack.pack),
            purge.event
        ));
    }
    let stand = removals.holds().filter(|hold| hold.stands()).count();
    let mut payloads = 0;
    for pack in list_kept_packs(&**log.fs, log.dir).unwrap_or_default() {
        let (rows, found) = (rows_of(log, &pack), log.fs.read(&pack.index).unwrap_or_default());
        payloads += rows.len() / PACK_INDEX_BYTES;
        if rows != found {
            log.sink.notice(format!(
                "{}: not the index of its pack, which readers read through instead; the next purge writes it anew",
                log.sink.relative(&pack.index)
            ));
        }
    }
    if payloads > 0 {
        let why = match stand {
            0 => "no hold stands any more: the next purge takes them".to_owned(),
            1 => "1 hold stands".to_owned(),
            holds => format!("{holds} holds stand"),
        };
        log.sink.notice(format!(
            "{payloads} payloads are kept that were held when their packs were purged; {why}"
        ));
    }
}

/// What the index of a pack has to be, as far as the pack's records go on.
fn rows_of(log: &Log<'_>, name: &PackName) -> Vec<u8> {
    let mut rows = Vec::new();
    let Ok(file) = log.fs.open(&name.pack, inferlog_disk::Open::Read) else { return rows };
    let len = file.len().unwrap_or(0);
    let pack = Pack { name: name.clone(), file, len, is_kept: true };
    let (mut records, mut at) = (Records::new(&pack, 0), PACK_HEADER_BYTES as u64);
    while let Ok(Some(header)) = records.header(at) {
        rows.extend_from_slice(&header.index.to_be_bytes());
        rows.extend_from_slice(&at.to_be_bytes());
        at += header.span();
    }
    rows
}

/// The entries that the payloads of a pack are of, as its index says.
fn indices(log: &Log<'_>, pack: &PackName) -> Vec<u64> {
    let bytes = log.fs.read(&pack.index).unwrap_or_default();
    let rows = bytes.chunks_exact(PACK_INDEX_BYTES);
    rows.filter_map(|row| Some(u64::from_be_bytes(*row.first_chunk()?))).collect()
}
