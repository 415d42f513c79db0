//! Tools, by what their JSON says: compared in the form of RFC 8785.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use inferlog_record::Digest;
use lru::LruCache;
use parking_lot::Mutex;
use serde_json::Value;

use crate::Refusal;
use crate::objects::sha256;

/// A system offers the same tools again and again: so many answers are remembered, by the SHA-256 of the very bytes.
const ANSWERS_MAX: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The entry of the whole, and the entry of each tool in the list that is registered by itself.
type Answer = Option<(Option<usize>, Vec<(usize, usize)>)>;

/// All tools, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Entries by the SHA-256 of their canonical JSON; of two alike the newer.
    entries: HashMap<Digest, usize>,
    answers: Mutex<LruCache<Digest, Answer>>,
}

impl Default for Tools {
    fn default() -> Self {
        Self::new(HashMap::new())
    }
}

impl Tools {
    pub(crate) fn new(entries: HashMap<Digest, usize>) -> Self {
        Self { entries, answers: Mutex::new(LruCache::new(ANSWERS_MAX)) }
    }

    /// The registered tools that a request's JSON is.
    pub(crate) fn find(&self, json: &[u8]) -> Answer {
        if self.entries.is_empty() {
            return None;
        }
        let bytes = sha256(json);
        if let Some(answer) = self.answers.lock().get(&bytes) {
            return answer.clone();
        }
        let answer = self.look_up(json);
        self.answers.lock().put(bytes, answer.clone());
        answer
    }

    fn look_up(&self, json: &[u8]) -> Answer {
        let value: Value = serde_json::from_slice(json).ok()?;
        let entry = |value: &Value| self.entries.get(&sha256(&canonical(value)?)).copied();
        let whole = entry(&value);
        let tools = value.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate();
        let each: Vec<_> = tools.filter_map(|(place, tool)| Some((place, entry(tool)?))).collect();
        (whole.is_some() || !each.is_empty()).then_some((whole, each))
    }
}

/// JSON of tools, as it is kept.
pub(crate) fn canonical_tools(json: &str) -> Result<Vec<u8>, Refusal> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| Refusal::NotTools(format!("not JSON: {error}")))?;
    match &value {
        Value::Object(tool) if !tool.is_empty() => {}
        Value::Array(tools) if !tools.is_empty() && tools.iter().all(Value::is_object) => {}
        _ => return Err(Refusal::NotTools("neither a tool nor a list of tools".into())),
    }
    canonical(&value).ok_or_else(|| Refusal::NotTools("a number that JSON cannot hold".into()))
}

/// JSON in the form of RFC 8785.
fn canonical(value: &Value) -> Option<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).ok()
}
