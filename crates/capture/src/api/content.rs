//! Content as callers say it: a text; any other JSON value, kept as it stands; or an object of exactly two members, `media_type`
//! and one of `text`, `json` and `base64`.

use super::fields::Members;
use crate::recorder::NewContent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use inferlog_record::MediaType;
use serde_json::value::RawValue;

/// Content, and its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) media_type: MediaType,
    pub(super) bytes: Bytes,
    /// What stands in the request.
    json: Box<str>,
}

impl From<Said> for NewContent {
    fn from(said: Said) -> Self {
        Self::personal(said.media_type, said.bytes)
    }
}

impl Said {
    /// The JSON that it was said in.
    pub(super) fn json(&self) -> &str {
        &self.json
    }
}

/// Reads content; what is wrong with it, if it is not.
pub(super) fn said(raw: &RawValue) -> Result<Said, String> {
    let new = |media_type, bytes: Bytes| Said { media_type, bytes, json: raw.get().into() };
    match raw.get().as_bytes().first() {
        Some(b'"') => Ok(new(MediaType::Text, text(raw)?.into())),
        Some(b'{') => match wrapped(raw)? {
            Some((media_type, bytes)) => Ok(new(media_type, bytes)),
            None => Ok(new(MediaType::Json, Bytes::copy_from_slice(raw.get().as_bytes()))),
        },
        _ => Ok(new(MediaType::Json, Bytes::copy_from_slice(raw.get().as_bytes()))),
    }
}

fn text(raw: &RawValue) -> Result<String, String> {
    serde_json::from_str(raw.get()).map_err(|_| "write a text".to_owned())
}

/// The content of an object that says its media type; `None` of any other object, which is content itself.
fn wrapped(raw: &RawValue) -> Result<Option<(MediaType, Bytes)>, String> {
    // An object of an application may hold a name twice: it is kept as it stands.
    let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(raw.get()) else { return Ok(None) };
    let find = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let form = ["text", "json", "base64"].into_iter().find_map(|form| Some((form, find(form)?)));
    let (Some(media_type), Some((form, value)), 2) = (find("media_type"), form, members.len()) else {
        return Ok(None);
    };
    let media_type: MediaType = text(media_type)?
        .parse()
        .map_err(|_| format!("`media_type` is one of {}", MediaType::TEXTS.join(", ")))?;
    let bytes = match form {
        "text" => text(value)?.into_bytes(),
        "json" => value.get().as_bytes().to_vec(),
        _ => STANDARD
            .decode(text(value)?)
            .map_err(|_| "`base64` is not base64 (RFC 4648, section 4)".to_owned())?,
    };
    Ok(Some((media_type, bytes.into())))
}
