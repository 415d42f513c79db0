//! Tensors that are not in the JSON: in binary form after it (KServe's and Triton's "binary tensor data extension"), or in
//! memory that caller and server share (Triton's "shared memory extension").
//!
//! `Inference-Header-Content-Length` says how long the JSON is; the bytes of the tensors whose parameters say
//! `binary_data_size` follow, in their order. A length of 0 is Triton's "raw binary request": there is no JSON at all.

use super::super::Gap;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;

/// The header that says how long the JSON is.
const JSON_LENGTH: &str = "inference-header-content-length";

/// What the tensors of a list say of themselves.
struct Tensors {
    /// What follows the JSON by what they say, bytes; `None` where it is beyond any body.
    binary_bytes: Option<u64>,
    is_shared: bool,
}

#[derive(Deserialize)]
struct Tensor {
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    binary_data_size: Option<u64>,
    shared_memory_region: Option<IgnoredAny>,
}

/// Whether the headers say that tensors follow the JSON.
pub(crate) fn is_binary(headers: &HeaderMap) -> bool {
    headers.contains_key(JSON_LENGTH)
}

/// How long the JSON of a body of so many bytes is.
pub(super) fn json_length(headers: &HeaderMap, bytes: usize) -> Result<usize, Gap> {
    let Some(value) = headers.get(JSON_LENGTH) else { return Ok(bytes) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.filter(|length| *length <= bytes).ok_or(Gap::TensorLength)
}

/// What is wrong with a list of tensors, which so many bytes follow.
pub(super) fn gap(tensors: Option<&[u8]>, bytes: usize) -> Option<Gap> {
    let json = tensors.unwrap_or(b"[]");
    if bytes == 0 && memchr::memmem::find(json, b"\"parameters\"").is_none() {
        // The common case: nothing is said of where the contents are, so they are here.
        return None;
    }
    match serde_json::from_slice::<Tensors>(json) {
        Ok(said) if said.binary_bytes != Some(bytes as u64) => Some(Gap::TensorLength),
        Ok(said) => said.is_shared.then_some(Gap::SharedMemory),
        Err(_) => Some(Gap::WrongType("tensors".to_owned())),
    }
}

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Sum)
    }
}

/// Adds up, and keeps no tensor: a list of many empty ones would fill many times its own size.
struct Sum;

impl<'de> Visitor<'de> for Sum {
    type Value = Tensors;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tensors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tensors, A::Error> {
        let mut said = Tensors { binary_bytes: Some(0), is_shared: false };
        while let Some(tensor) = list.next_element::<Tensor>()? {
            let Some(parameters) = tensor.parameters else { continue };
            let size = parameters.binary_data_size.unwrap_or(0);
            said.binary_bytes = said.binary_bytes.and_then(|bytes| bytes.checked_add(size));
            said.is_shared |= parameters.shared_memory_region.is_some();
        }
        Ok(said)
    }
}
