//! What an answer of Embeddings says: floats or base64, which is not looked into.

use super::error::error;
use super::usage;
use crate::wire::{Reader, ResponseFacts};
use bytes::Bytes;
use inferlog_record::body::Usage;

pub(super) fn response(body: &Bytes) -> ResponseFacts {
    let mut read = Reader::new(body);
    let [id, model, data, tokens, failure, detail] =
        read.members(["id", "model", "data", "usage", "error", "detail"]);
    let (error, error_code) = error(&mut read, failure.or(detail));
    let output = match data {
        None if error.is_some() => None,
        data => read.array("data", data),
    };
    let tokens = usage(&mut read, tokens);
    ResponseFacts {
        id: read.scalar("id", id),
        model: read.scalar("model", model),
        output,
        usage: (tokens != Usage::default()).then_some(tokens),
        error,
        error_code,
        gap: read.gap,
        ..ResponseFacts::default()
    }
}
