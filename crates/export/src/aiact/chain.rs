//! The hash chain: SHA-256 over an entry's JSON without its `hash`, keys sorted, as `hash-chain.ts` and `serialise.ts` have it.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::Result;

/// The chain of one system.
pub(super) struct Chain {
    next: u64,
    head: String,
}

impl Chain {
    pub(super) fn new(system: &str) -> Self {
        Self { next: 0, head: sha256(&format!("@systima/aiact-audit-log:genesis:{system}")) }
    }

    /// Number and hash of the last entry.
    pub(super) fn head(&self) -> (u64, &str) {
        (self.next.saturating_sub(1), &self.head)
    }

    /// Adds an entry; gives its line.
    ///
    /// RFC 8785 writes what `JSON.stringify` of sorted keys does, numbers as well, but for keys that JavaScript treats in its own
    /// way: [`is_faithful`] keeps those out.
    pub(super) fn link(&mut self, mut entry: Map<String, Value>) -> Result<String> {
        entry.insert("seq".into(), self.next.into());
        entry.insert("prevHash".into(), Value::String(std::mem::take(&mut self.head)));
        self.head = sha256(&serde_json_canonicalizer::to_string(&entry)?);
        self.next += 1;
        entry.insert("hash".into(), Value::String(self.head.clone()));
        Ok(serde_json_canonicalizer::to_string(&entry)?)
    }
}

fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text.as_bytes()))
}

/// Whether JSON of others comes through JavaScript's `JSON.parse` and `JSON.stringify` as RFC 8785 writes it. Keys that are
/// array indices are moved to the front there, `__proto__` is lost, and integers beyond 2^53 are rounded.
pub(super) fn is_faithful(json: &Value) -> bool {
    match json {
        Value::Object(members) => members.iter().all(|(name, value)| !is_special(name) && is_faithful(value)),
        Value::Array(items) => items.iter().all(is_faithful),
        Value::Number(number) => {
            let is_exact = |integer: u64| integer <= inferlog_record::NUMBER_MAX;
            match (number.as_u64(), number.as_i64()) {
                (Some(integer), _) => is_exact(integer),
                (None, Some(integer)) => is_exact(integer.unsigned_abs()),
                _ => true,
            }
        }
        _ => true,
    }
}

fn is_special(name: &str) -> bool {
    name == "__proto__" || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Held against what node 20 gives for `createHash('sha256')` of the published `deterministicStringify`.
    #[test]
    fn a_chain_of_two() {
        let mut chain = Chain::new("credit");
        assert_eq!(chain.head, "855da9bda5e37f960df3b9e398de21ec3239976156dd131460085d00ed5b5e3b");
        let entry = json!({"b": "é\u{7f}\u{2028}\u{1}\"", "a": {"z": [1.5, 1e21, 1e-7, null], "B": true}});
        let Value::Object(entry) = entry else { panic!() };
        let line = chain.link(entry.clone()).unwrap();
        assert_eq!(
            line,
            "{\"a\":{\"B\":true,\"z\":[1.5,1e+21,1e-7,null]},\"b\":\"é\u{7f}\u{2028}\\u0001\\\"\",\"hash\":\"e3daa757ddf411c8e9ee09303f8ddfb55f659114f5e577036cd9db94cd304608\",\"prevHash\":\"855da9bda5e37f960df3b9e398de21ec3239976156dd131460085d00ed5b5e3b\",\"seq\":0}"
        );
        chain.link(entry).unwrap();
        assert_eq!(chain.head(), (1, "563eda41e79aec7b62f7b355c8b336a50b80566f78e753e3b69c99af2dbc5a94"));
    }

    #[test]
    fn what_javascript_would_change_is_told_apart() {
        assert!(is_faithful(&json!({"a": [1, -1, 0.1, "9007199254740993"], "1a": {}, "": null})));
        for changed in [json!({"1": 1}), json!([{"__proto__": 1}]), json!(9_007_199_254_740_993_u64)] {
            assert!(!is_faithful(&changed), "{changed}");
        }
    }
}
