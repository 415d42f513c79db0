//! What others vouched for, beside the log (docs/format.md, section 6): put together, and thinned.
//!
//! Several write there: the task of a serving process, and commands that bring in files. A lock makes them take turns.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use inferlog_disk::{Fs, LockGuard, create_dir_all};
use inferlog_log::{
    LogDir, TIMESTAMPS_MAX, Vouched, list_vouched, read_vouched, write_timestamp, write_vouched,
};
use inferlog_merkle::{KeyKind, NoteSignature, SignedNote, VerifiedSignature, VerifierKey};

use crate::output::Failure;

/// How long another writer is waited for.
const LOCK_TIME_MAX: Duration = Duration::from_secs(10);
const LOCK_LOOK: Duration = Duration::from_millis(5);
const DAY_SECONDS: u64 = 86_400;

/// A turn to write what others vouched for of one log. Blocks.
pub(crate) fn turn(fs: &dyn Fs, log: &LogDir) -> Result<Box<dyn LockGuard>, Failure> {
    create_dir_all(fs, &log.vouched())?;
    let began = Instant::now();
    loop {
        match fs.lock(&log.vouched().join("lock")) {
            Err(error) if error.is_locked() && began.elapsed() < LOCK_TIME_MAX => sleep(LOCK_LOOK),
            other => return Ok(other?),
        }
    }
}

/// Adds cosignatures, which were verified, to what is kept of a checkpoint that the log signed. The first one of each key stays: it
/// says since when the checkpoint has been known. Gives the whole note. Blocks.
pub(crate) fn add(
    fs: &dyn Fs,
    log: &LogDir,
    size: u64,
    note: &SignedNote,
    cosignatures: &[NoteSignature],
) -> Result<SignedNote, Failure> {
    let _turn = turn(fs, log)?;
    let present = read_vouched(fs, log, size)?.map(|present| SignedNote::parse(&present.note)).transpose()?;
    let mut whole = present.unwrap_or_else(|| note.clone());
    if whole.text() != note.text() {
        return Err(another(log, size));
    }
    for signature in note.signatures().iter().chain(cosignatures) {
        let is_by_same =
            |other: &NoteSignature| other.name() == signature.name() && other.key_id() == signature.key_id();
        if !whole.signatures().iter().any(is_by_same) {
            whole.push(signature.clone())?;
        }
    }
    // A crash leaves the note with fewer cosignatures, or none: witnesses are asked again.
    write_vouched(fs, log, size, whole.to_string().as_bytes())?;
    Ok(whole)
}

/// Adds a timestamp, which was verified, to what is kept of a checkpoint that the log signed. Where there are as many as are kept, it
/// takes the place of the newest. Blocks.
pub(crate) fn stamp(
    fs: &dyn Fs,
    log: &LogDir,
    size: u64,
    note: &SignedNote,
    response: &[u8],
) -> Result<(), Failure> {
    let _turn = turn(fs, log)?;
    let timestamps = match read_vouched(fs, log, size)? {
        Some(present) if SignedNote::parse(&present.note)?.text() == note.text() => present.timestamps,
        Some(_) => return Err(another(log, size)),
        None => {
            // A crash leaves a note that nobody vouches for: it says nothing more than the log.
            write_vouched(fs, log, size, note.to_string().as_bytes())?;
            Vec::new()
        }
    };
    if timestamps.iter().any(|present| present == response) {
        return Ok(());
    }
    Ok(write_timestamp(fs, log, size, timestamps.len().min(TIMESTAMPS_MAX - 1), response)?)
}

/// Keeps a checkpoint that the log signed, until somebody vouches for it. Blocks.
pub(crate) fn hold(fs: &dyn Fs, log: &LogDir, size: u64, note: &SignedNote) -> Result<(), Failure> {
    add(fs, log, size, note, &[]).map(drop)
}

fn another(log: &LogDir, size: u64) -> Failure {
    let path = log.vouched_note(size);
    Failure::new(format!("{} is another checkpoint of the same size: run verify", path.display()))
}

/// The cosignatures among a note's signatures that these keys made.
pub(crate) fn cosigned_by(note: &SignedNote, witnesses: &[VerifierKey]) -> Vec<VerifiedSignature> {
    // Each by itself: one that is false does not hide the others.
    let by = |key: &VerifierKey| note.verify(std::slice::from_ref(key)).ok();
    witnesses.iter().filter(|key| key.kind() == KeyKind::Cosignature).filter_map(by).flatten().collect()
}

/// Size and time of the newest checkpoint that a witness cosigned, as far as is kept.
pub(crate) fn last_cosigned(
    fs: &dyn Fs,
    log: &LogDir,
    witness: &VerifierKey,
) -> Result<Option<(u64, u64)>, Failure> {
    for size in list_vouched(fs, log)?.into_iter().rev() {
        let Some(vouched) = read_vouched(fs, log, size)? else { continue };
        let note = SignedNote::parse(&vouched.note)?;
        if let Some(signature) = cosigned_by(&note, std::slice::from_ref(witness)).first() {
            return Ok(Some((size, signature.timestamp.unwrap_or_default())));
        }
    }
    Ok(None)
}

/// Removes what need not be kept. It is kept: the newest, and of each UTC day the last; both of all, of those whose cosignatures
/// satisfy the policy, and of those with a timestamp. What says nothing of its time stays. Blocks.
pub(crate) fn thin(
    fs: &dyn Fs,
    log: &LogDir,
    is_satisfied: &dyn Fn(&SignedNote) -> bool,
) -> Result<(), Failure> {
    let _turn = turn(fs, log)?;
    let mut facts = Vec::new();
    for size in list_vouched(fs, log)? {
        let Some(vouched) = read_vouched(fs, log, size)? else { continue };
        let note = SignedNote::parse(&vouched.note)?;
        facts.push(Facts {
            size,
            day: vouched_at(&vouched, &note).map(|time| time / DAY_SECONDS),
            is_satisfied: is_satisfied(&note),
            timestamps: vouched.timestamps.len(),
        });
    }
    let removed = superfluous(&facts);
    for facts in &removed {
        // The note last: a crash leaves it with fewer timestamps, and the next round goes on.
        for number in (0..facts.timestamps).rev() {
            fs.remove_file(&log.vouched_timestamp(facts.size, number))?;
        }
        fs.remove_file(&log.vouched_note(facts.size))?;
    }
    if removed.is_empty() { Ok(()) } else { Ok(fs.sync_dir(&log.vouched())?) }
}

/// When somebody vouched for a checkpoint first, seconds since 1970, as they say themselves.
fn vouched_at(vouched: &Vouched, note: &SignedNote) -> Option<u64> {
    // Signatures were verified before they came here; one of another kind has no time in front.
    let cosignatures = note.signatures().iter().filter(|signature| signature.bytes().len() == 8 + 64);
    let times = cosignatures.filter_map(|signature| signature.bytes().first_chunk().copied());
    let stamps = vouched.timestamps.iter();
    let stamps =
        stamps.filter_map(|response| inferlog_timestamp::inspect(response, note.text().as_bytes()).ok());
    times.map(u64::from_be_bytes).chain(stamps.map(|stamp| stamp.time_ns / 1_000_000_000)).min()
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    size: u64,
    day: Option<u64>,
    is_satisfied: bool,
    timestamps: usize,
}

/// Those that the rule does not keep, of those in ascending order.
fn superfluous(all: &[Facts]) -> Vec<Facts> {
    let classes: [fn(&Facts) -> bool; 3] =
        [|_| true, |facts| facts.is_satisfied, |facts| facts.timestamps > 0];
    let mut kept: Vec<u64> = all.iter().filter(|facts| facts.day.is_none()).map(|facts| facts.size).collect();
    for is_in in classes {
        let of_class = || all.iter().filter(|facts| is_in(facts));
        kept.extend(of_class().map(|facts| facts.size).next_back());
        let last_of_day: BTreeMap<_, _> =
            of_class().filter_map(|facts| Some((facts.day?, facts.size))).collect();
        kept.extend(last_of_day.into_values());
    }
    all.iter().filter(|facts| !kept.contains(&facts.size)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(size: u64, day: Option<u64>, is_satisfied: bool, timestamps: usize) -> Facts {
        Facts { size, day, is_satisfied, timestamps }
    }

    fn sizes(all: &[Facts]) -> Vec<u64> {
        superfluous(all).iter().map(|facts| facts.size).collect()
    }

    #[test]
    fn the_newest_and_the_last_of_each_day_are_kept() {
        let all = [
            facts(1, Some(10), true, 0),
            facts(2, Some(10), true, 0),
            facts(3, Some(11), true, 0),
            facts(4, Some(11), true, 0),
            facts(5, Some(11), true, 0),
        ];
        assert_eq!(sizes(&all), [1, 3, 4]);
    }

    #[test]
    fn one_without_quorum_does_not_push_out_one_with_it_nor_one_with_a_timestamp() {
        let all = [
            facts(1, Some(10), true, 0),
            facts(2, Some(10), false, 2),
            facts(3, Some(10), false, 0),
            facts(4, Some(10), false, 0),
        ];
        assert_eq!(sizes(&all), [3]);
        assert_eq!(sizes(&[facts(1, None, false, 0), facts(2, None, false, 0)]), [0_u64; 0]);
    }
}
