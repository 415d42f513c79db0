//! Births: page records on their way through the WAL.

use inferlog_disk::Rng;
use inferlog_record::KeyId;

use super::header::Header;
use super::record::{self, Record};
use crate::aead::Key;
use crate::error::{Result, VaultError};

/// One birth, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Birth<'a> {
    pub(crate) header: Header,
    pub(crate) record: Record<'a>,
}

/// Seals `plaintext` for `slot` of the page and appends its birth to `out`.
pub(crate) fn append(
    out: &mut Vec<u8>,
    rng: &dyn Rng,
    header: &Header,
    slot: u16,
    page_key: &Key,
    plaintext: &[u8],
) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    header.encode(out);
    let at = KeyId { page: header.page, slot };
    record::append_sealed(out, rng, header.keystore, at, page_key, plaintext)?;
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// The births in `bytes`, in order; the first malformed one ends them.
pub(crate) fn parse(bytes: &[u8]) -> impl Iterator<Item = Result<Birth<'_>>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let Some((birth, len)) = split(rest) else {
            let malformed = VaultError::MalformedBirth { at };
            at = bytes.len();
            return Some(Err(malformed));
        };
        at += len;
        Some(Ok(birth))
    })
}

fn split(bytes: &[u8]) -> Option<(Birth<'_>, usize)> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let body = rest.get(..len)?;
    let (header, header_len) = Header::parse(body)?;
    let (record, after) = Record::split(&body[header_len..])?;
    after.is_empty().then_some((Birth { header, record }, 4 + len))
}
