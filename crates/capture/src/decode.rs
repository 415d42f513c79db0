//! Content codings (RFC 9110, section 8.4), undone for the record. What the client and the upstream see stays as it came.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use std::io::{self, Read};

/// Codings that may lie on top of each other.
pub const CODINGS_MAX: usize = 3;

/// Largest zstd window, as a power of two: what RFC 9659 allows a content coding to ask of a reader.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Why a body stays in its coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A coding that is not read, or more than [`CODINGS_MAX`] of them.
    #[error("the body is in a content coding that is not read")]
    UnknownCoding,
    /// The body is not what its coding says.
    #[error("the body is not what its content coding says")]
    Corrupt,
    /// Decoded it is longer than allowed.
    #[error("decoded, the body is longer than allowed")]
    OverLimit,
}

/// A body free of content codings, of at most `bytes_max`. Memory is bounded by that, whatever the body claims.
pub fn decode(headers: &HeaderMap, body: &Bytes, bytes_max: usize) -> Result<Bytes, DecodeError> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body.clone());
    }
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let list = value.to_str().map_err(|_| DecodeError::UnknownCoding)?;
        codings.extend(list.split(',').map(|coding| coding.trim().to_ascii_lowercase()));
    }
    codings.retain(|coding| !coding.is_empty() && coding != "identity");
    if codings.len() > CODINGS_MAX {
        return Err(DecodeError::UnknownCoding);
    }
    // The last one listed was applied last.
    codings.iter().rev().try_fold(body.clone(), |body, coding| undo(coding, &body, bytes_max))
}

fn undo(coding: &str, body: &[u8], bytes_max: usize) -> Result<Bytes, DecodeError> {
    match coding {
        "gzip" | "x-gzip" => drain(flate2::read::MultiGzDecoder::new(body), bytes_max),
        // Called deflate, it is the zlib format (RFC 9110, section 8.4.1.2); some senders leave out its header.
        "deflate" if is_zlib(body) => drain(flate2::read::ZlibDecoder::new(body), bytes_max),
        "deflate" => drain(flate2::read::DeflateDecoder::new(body), bytes_max),
        "br" => drain(brotli_decompressor::Decompressor::new(body, 4096), bytes_max),
        "zstd" => {
            let mut decoder = zstd::Decoder::with_buffer(body).map_err(|_| DecodeError::Corrupt)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| DecodeError::Corrupt)?;
            drain(decoder, bytes_max)
        }
        _ => Err(DecodeError::UnknownCoding),
    }
}

/// RFC 1950, section 2.2.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0)
}

fn drain(reader: impl Read, bytes_max: usize) -> Result<Bytes, DecodeError> {
    let mut decoded = Vec::new();
    let mut bounded = reader.take(bytes_max as u64 + 1);
    match bounded.read_to_end(&mut decoded) {
        Ok(_) if decoded.len() > bytes_max => Err(DecodeError::OverLimit),
        Ok(_) => Ok(decoded.into()),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(DecodeError::OverLimit),
        Err(_) => Err(DecodeError::Corrupt),
    }
}
