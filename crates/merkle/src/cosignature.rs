//! Making cosignatures (c2sp.org/tlog-cosignature, Ed25519). They are verified like any other signature of a note.

use crate::vkey::key_id;
use crate::{KeyKind, NoteError, NoteSignature};

/// Latest time of a cosignature (c2sp.org/tlog-cosignature, Format).
pub(crate) const COSIGNATURE_TIME_MAX: u64 = i64::MAX as u64;

/// What a witness signs: that at `time`, seconds since 1970, the checkpoint with this note text was the largest that it had
/// seen of its log, and consistent with all before (c2sp.org/tlog-cosignature, Ed25519 signed message).
pub fn cosignature_message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The signature line (type 0x04) of a witness that signed [`cosignature_message`].
pub fn cosignature_line(
    name: &str,
    public_key: &[u8; 32],
    time: u64,
    signature: &[u8; 64],
) -> Result<NoteSignature, NoteError> {
    let bytes = [time.to_be_bytes().as_slice(), signature].concat();
    NoteSignature::new(name, key_id(name, KeyKind::Cosignature, public_key), bytes)
}
