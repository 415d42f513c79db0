//! Content codings (RFC 9110, section 8.4), undone for the record. What the client and the upstream see stays as it came.
//!
//! [`decode`] undoes those of a whole body; a [`Decoder`] those of one that is still coming, as far as it came.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use std::io::{self, Read, Write};

/// Codings that may lie on top of each other.
pub const CODINGS_MAX: usize = 3;

/// Largest zstd window, as a power of two: what RFC 9659 allows a content coding to ask of a reader.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How much of a broken body is decoded at once: what a step gives is lost with it.
const PREFIX_STEP_BYTES: usize = 512;

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
    // The last one listed was applied last.
    codings(headers)?.iter().rev().try_fold(body.clone(), |body, coding| undo(coding, &body, bytes_max))
}

/// As much of a body as can be read before its coding breaks or breaks off, or before `bytes_max`.
pub fn decode_prefix(headers: &HeaderMap, body: &Bytes, bytes_max: usize) -> Bytes {
    let (mut read, Ok(Some(mut decoder))) = (Vec::new(), Decoder::new(headers, bytes_max)) else {
        return Bytes::new();
    };
    for step in body.chunks(PREFIX_STEP_BYTES) {
        let Ok(decoded) = decoder.push(step) else { break };
        read.extend_from_slice(&decoded);
    }
    read.into()
}

/// The codings of a body, in the order in which they were applied.
fn codings(headers: &HeaderMap) -> Result<Vec<String>, DecodeError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let list = value.to_str().map_err(|_| DecodeError::UnknownCoding)?;
        codings.extend(list.split(',').map(|coding| coding.trim().to_ascii_lowercase()));
    }
    codings.retain(|coding| !coding.is_empty() && coding != "identity");
    if codings.len() > CODINGS_MAX {
        return Err(DecodeError::UnknownCoding);
    }
    Ok(codings)
}

/// Undoes one coding, to at most so many bytes.
pub(crate) fn undo(coding: &str, body: &[u8], bytes_max: usize) -> Result<Bytes, DecodeError> {
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

/// Undoes the codings of a body while it comes. Memory is bounded by what it may yet give, whatever the body claims.
pub struct Decoder {
    /// The one that was applied last comes first.
    stages: Vec<Stage>,
}

enum Stage {
    Gzip(flate2::write::MultiGzDecoder<Bounded>),
    Zlib(flate2::write::ZlibDecoder<Bounded>),
    Brotli(Box<brotli_decompressor::DecompressorWriter<Bounded>>),
    Zstd(zstd::stream::write::Decoder<'static, Bounded>),
}

/// Takes so many bytes and no more.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(room) = self.room.checked_sub(bytes.len()) else {
            self.room = 0;
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        self.room = room;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// For a body with these headers, which may give so many bytes at most; `None` where there is nothing to undo.
    pub fn new(headers: &HeaderMap, bytes_max: usize) -> Result<Option<Self>, DecodeError> {
        let mut stages = Vec::new();
        for coding in codings(headers)?.iter().rev() {
            stages.push(Stage::new(coding, Bounded { bytes: Vec::new(), room: bytes_max })?);
        }
        Ok((!stages.is_empty()).then_some(Self { stages }))
    }

    /// Takes what came next, and gives what can be read of it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = bytes.to_vec();
        for stage in &mut self.stages {
            bytes = stage.push(&bytes)?;
        }
        Ok(bytes)
    }
}

impl Stage {
    fn new(coding: &str, into: Bounded) -> Result<Self, DecodeError> {
        Ok(match coding {
            "gzip" | "x-gzip" => Self::Gzip(flate2::write::MultiGzDecoder::new(into)),
            // A stream without zlib's header is not read while it comes.
            "deflate" => Self::Zlib(flate2::write::ZlibDecoder::new(into)),
            "br" => Self::Brotli(Box::new(brotli_decompressor::DecompressorWriter::new(into, 4096))),
            "zstd" => {
                let mut decoder = zstd::stream::raw::Decoder::new().map_err(|_| DecodeError::Corrupt)?;
                let window = zstd::stream::raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX);
                decoder.set_parameter(window).map_err(|_| DecodeError::Corrupt)?;
                Self::Zstd(zstd::stream::write::Decoder::with_decoder(into, decoder))
            }
            _ => return Err(DecodeError::UnknownCoding),
        })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let (done, into) = match self {
            Self::Gzip(stage) => (stage.write_all(bytes).and_then(|()| stage.flush()), stage.get_mut()),
            Self::Zlib(stage) => (stage.write_all(bytes).and_then(|()| stage.flush()), stage.get_mut()),
            Self::Brotli(stage) => (stage.write_all(bytes).and_then(|()| stage.flush()), stage.get_mut()),
            Self::Zstd(stage) => (stage.write_all(bytes).and_then(|()| stage.flush()), stage.get_mut()),
        };
        match done {
            Ok(()) => Ok(std::mem::take(&mut into.bytes)),
            Err(_) if into.room == 0 => Err(DecodeError::OverLimit),
            Err(_) => Err(DecodeError::Corrupt),
        }
    }
}
