//! The bundle of an incident: made as `inferlog export bundle` makes it, by a process of its own.

use inferlog_record::Id;
use serde_json::{Value, json};

use super::super::Reader;
use crate::commands::incident::bundle_place;
use crate::output::Failure;
use crate::query::Worker;

/// Longest that the command says of a bundle, bytes.
const SAID_BYTES_MAX: usize = 64 << 10;

impl Reader {
    /// Makes a bundle of what an incident's hold freezes, with nothing disclosed: where it is, and what it holds.
    pub(super) async fn bundle(&self, incident: Id) -> Result<Value, Failure> {
        let data = self.current.get().await.data.clone();
        let place = bundle_place(&data, incident)?;
        let words = ["export".into(), "bundle".into(), "--json".into(), format!("--incident={incident}")];
        let paths = [format!("--data={}", data.display()), format!("--output={}", place.display())];
        let words: Vec<String> = words.into_iter().chain(paths).collect();
        let mut worker = Worker::command(words, None).await?;
        let said = worker.read_all(SAID_BYTES_MAX).await?;
        let (status, why) = worker.status().await?;
        if !status.success() {
            let why = why.lines().rfind(|line| !line.is_empty()).unwrap_or("the process for it ended");
            return Err(Failure::new(why));
        }
        let told: Value = serde_json::from_slice(&said)?;
        Ok(json!({ "bytes": told["bytes"], "decisions": told["decisions"], "file": told["output"] }))
    }
}
