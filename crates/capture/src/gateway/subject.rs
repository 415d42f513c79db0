//! Who a request is about: the identifiers that its route says where to find.

use crate::route::SubjectFrom;
use crate::wire;
use bytes::Bytes;
use http::HeaderMap;

/// The most persons that one request may be about: what a decision's key can be wrapped for.
pub(crate) const SUBJECTS_MAX: usize = inferlog_vault::SUBJECTS_MAX;

/// More than [`SUBJECTS_MAX`] persons. Recording some of them would leave the others' content readable after their erasure.
#[derive(Debug)]
pub(crate) struct TooMany;

/// The identifiers in a request, each once, as they came; none if they are not where they should be.
pub(crate) fn find(from: &SubjectFrom, headers: &HeaderMap, body: &Bytes) -> Result<Vec<Bytes>, TooMany> {
    let mut found: Vec<Bytes> = match from {
        SubjectFrom::Header(name) => {
            headers.get_all(name).iter().map(|value| Bytes::copy_from_slice(value.as_bytes())).collect()
        }
        SubjectFrom::Pointer(pointer) => wire::texts(body, pointer, SUBJECTS_MAX + 1),
    };
    found.retain(|identifier| !identifier.is_empty());
    found.sort();
    found.dedup();
    if found.len() > SUBJECTS_MAX { Err(TooMany) } else { Ok(found) }
}
