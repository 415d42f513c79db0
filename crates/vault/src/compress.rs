//! zstd where it pays (RFC 8878).

use std::cell::RefCell;
use std::io::Read;

use inferlog_record::Encoding;
use zstd::bulk::Compressor;

use crate::seal::OpenError;

/// Content shorter than this stays as it is, bytes: zstd would save less of it than the entry that refers to it takes, and
/// take longer than all else that sealing does.
const COMPRESS_BYTES_MIN: usize = 1024;
/// Fastest of the regular levels.
const LEVEL: i32 = 1;
/// The largest scratch buffer that a thread keeps, bytes.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// A compressor allocates and clears several hundred kilobytes: one per thread, reused.
    static SCRATCH: RefCell<(Option<Compressor<'static>>, Vec<u8>)> = RefCell::new((Compressor::new(LEVEL).ok(), Vec::new()));
}

/// Calls `then` with the encoded bytes: one zstd frame where that is shorter, `content` itself otherwise.
pub(crate) fn with_encoded<T>(content: &[u8], then: impl FnOnce(Encoding, &[u8]) -> T) -> T {
    if content.len() < COMPRESS_BYTES_MIN {
        return then(Encoding::Identity, content);
    }
    SCRATCH.with_borrow_mut(|(compressor, scratch)| {
        // Into a buffer shorter than the content, so that zstd gives up as soon as it does not pay.
        scratch.resize(content.len() - 1, 0);
        let len =
            compressor.as_mut().and_then(|c| c.compress_to_buffer(content, scratch.as_mut_slice()).ok());
        let result = match len.and_then(|len| scratch.get(..len)) {
            Some(frame) => then(Encoding::Zstd, frame),
            None => then(Encoding::Identity, content),
        };
        if scratch.len() > SCRATCH_BYTES_MAX {
            *scratch = Vec::new();
        }
        result
    })
}

/// The content of one zstd frame, at most `limit` bytes of it.
pub(crate) fn decompress(frame: &[u8], limit: usize) -> Result<Vec<u8>, OpenError> {
    let decoder = zstd::stream::read::Decoder::with_buffer(frame).map_err(|_| OpenError::Malformed)?;
    let mut content = Vec::new();
    let read = decoder.single_frame().take(limit as u64 + 1).read_to_end(&mut content);
    match read.map_err(|_| OpenError::Malformed)? {
        len if len > limit => Err(OpenError::TooLong { limit }),
        _ => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shrinks_and_noise_does_not() {
        let text = "a decision of the system ".repeat(80);
        with_encoded(text.as_bytes(), |encoding, frame| {
            assert_eq!(encoding, Encoding::Zstd);
            assert!(frame.len() < text.len() / 4);
            assert_eq!(decompress(frame, text.len()).unwrap(), text.as_bytes());
        });
        let random = sha_stream(600);
        with_encoded(&random, |encoding, bytes| {
            assert_eq!((encoding, bytes), (Encoding::Identity, &random[..]))
        });
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let zeros = vec![0; 10_000_000];
        with_encoded(&zeros, |_, bomb| {
            assert!(bomb.len() < 2_000);
            assert_eq!(decompress(bomb, 9_999_999), Err(OpenError::TooLong { limit: 9_999_999 }));
            assert_eq!(decompress(bomb, 10_000_000).unwrap().len(), 10_000_000);
        });
        assert_eq!(decompress(b"no frame", 10), Err(OpenError::Malformed));
    }

    fn sha_stream(blocks: u32) -> Vec<u8> {
        use sha2::{Digest, Sha256};
        (0..blocks).flat_map(|n| Sha256::digest(n.to_be_bytes())).collect()
    }
}
