//! The Responses API: a conversation of items, which the server may hold.

mod item;
mod request;
mod response;

pub(super) use request::request;
pub(super) use response::{streamed, whole};
