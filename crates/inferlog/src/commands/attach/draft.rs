//! From a command line to an event in the form of docs/events.md.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_record::MediaType;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::args::{CommonArgs, StepArgs};
use crate::output::Failure;

/// An event in the form of docs/events.md, while it is put together.
pub(super) struct Draft {
    members: BTreeMap<&'static str, Box<RawValue>>,
    /// Whether standard input was read.
    stdin: bool,
}

impl Draft {
    pub(super) fn new(kind: &'static str, common: &CommonArgs) -> Result<Self, Failure> {
        let draft = Self { members: BTreeMap::new(), stdin: false };
        draft
            .put("kind", Some(kind))?
            .put("decision", Some(common.decision))?
            .put("system", common.system.as_ref())?
            .put("id", common.id.as_ref())?
            .put("follows", Some(&common.follows).filter(|follows| !follows.is_empty()))?
            .put("started_at", common.started_at.as_ref())?
            .put("ended_at", common.ended_at.as_ref())
    }

    pub(super) fn put(mut self, name: &'static str, value: Option<impl Serialize>) -> Result<Self, Failure> {
        if let Some(value) = value {
            self.members.insert(name, to_raw_value(&value)?);
        }
        Ok(self)
    }

    pub(super) fn content(mut self, name: &'static str, text: Option<&String>) -> Result<Self, Failure> {
        if let Some(text) = text {
            let content = self.read(text).map_err(|error| Failure::new(format!("--{name}: {error}")))?;
            self.members.insert(name, content);
        }
        Ok(self)
    }

    pub(super) fn contents(
        mut self,
        name: &'static str,
        member: &'static str,
        texts: &[String],
    ) -> Result<Self, Failure> {
        let mut items = Vec::new();
        for text in texts {
            let content = self.read(text).map_err(|error| Failure::new(format!("--{name}: {error}")))?;
            items.push(BTreeMap::from([("content", content)]));
        }
        self.put(member, Some(items).filter(|items| !items.is_empty()))
    }

    pub(super) fn step(self, step: &StepArgs) -> Result<Self, Failure> {
        self.put("outcome", step.outcome)?.put("error", step.error.as_ref())
    }

    /// The event as JSON.
    pub(super) fn to_json(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(&self.members)?)
    }

    /// Content as the command line has it, in the form of docs/events.md.
    fn read(&mut self, text: &str) -> Result<Box<RawValue>, Failure> {
        if let Some(text) = text.strip_prefix("text:") {
            return content(Some(MediaType::Text), text.as_bytes().to_vec());
        }
        let (form, text) = match text.strip_prefix("json:") {
            Some(rest) => (Some(MediaType::Json), rest),
            None => (None, text),
        };
        let (form, bytes) = match text.strip_prefix('@') {
            Some(path) => {
                let bytes = std::fs::read(path);
                let bytes = bytes.map_err(|error| Failure::new(format!("cannot read {path}: {error}")))?;
                (form.or_else(|| by_name(Path::new(path))), bytes)
            }
            None if text == "-" => {
                if std::mem::replace(&mut self.stdin, true) {
                    return Err(Failure::new("standard input can be read once: write @FILE for the others"));
                }
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes)?;
                (form, bytes)
            }
            None => (form, text.as_bytes().to_vec()),
        };
        content(form, bytes)
    }
}

fn content(form: Option<MediaType>, bytes: Vec<u8>) -> Result<Box<RawValue>, Failure> {
    let wrapped = |media_type: MediaType, name: &str, value: Box<RawValue>| {
        Ok(to_raw_value(&BTreeMap::from([("media_type", to_raw_value(&media_type)?), (name, value)]))?)
    };
    match (form, String::from_utf8(bytes)) {
        (Some(MediaType::Json), Ok(text)) => {
            let json = RawValue::from_string(text.trim().to_owned());
            // Wrapped: of an object the members are content whatever they are called.
            wrapped(
                MediaType::Json,
                "json",
                json.map_err(|error| Failure::new(format!("this is not JSON: {error}")))?,
            )
        }
        (None | Some(MediaType::Text), Ok(text)) => Ok(to_raw_value(&text)?),
        (form, bytes) => {
            let bytes = bytes.map_or_else(|error| error.into_bytes(), String::into_bytes);
            wrapped(form.unwrap_or(MediaType::Bytes), "base64", to_raw_value(&STANDARD.encode(bytes))?)
        }
    }
}

/// What a file is by the ending of its name.
fn by_name(path: &Path) -> Option<MediaType> {
    Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "json" => MediaType::Json,
        "html" | "htm" => MediaType::Html,
        "pdf" => MediaType::Pdf,
        "png" => MediaType::Png,
        "jpg" | "jpeg" => MediaType::Jpeg,
        "webp" => MediaType::Webp,
        "mp3" => MediaType::Mpeg,
        "wav" => MediaType::Wav,
        "mp4" => MediaType::Mp4,
        _ => return None,
    })
}
