//! A bundle that a test made, and looks into.

mod choice;
mod large;

use std::path::{Path, PathBuf};

use inferlog_bundle::layout::Source;
use inferlog_bundle::verify::{VerifyOptions, verify};
use inferlog_bundle::zip::ZipSource;
use serde_json::Value;

use crate::support::World;

pub(crate) struct Bundle {
    source: ZipSource<std::io::BufReader<std::fs::File>>,
}

impl Bundle {
    pub(crate) fn open(world: &World, name: &str) -> Self {
        Self { source: ZipSource::open(&world.path(name)).unwrap() }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.source.paths()
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        self.source.read(path).unwrap().unwrap_or_else(|| panic!("no {path}"))
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.read(path)).unwrap()
    }

    /// The ids of its decisions.
    pub(crate) fn decisions(&self) -> Vec<String> {
        let summaries = self.json("decisions.json");
        let decisions = summaries["decisions"].as_array().unwrap();
        decisions.iter().map(|decision| decision["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The kinds of the events in a file of entries.
    pub(crate) fn kinds(&self, path: &str) -> Vec<String> {
        let file = self.json(path);
        let entries =
            file["entries"].as_array().unwrap().iter().map(|proved| proved["entry"].as_str().unwrap());
        let entries = entries.map(|entry| serde_json::from_str::<Value>(entry).unwrap());
        let kinds = entries.flat_map(|entry| entry["events"].as_array().unwrap().clone());
        kinds.map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// The texts that are disclosed of a decision.
    pub(crate) fn contents(&self, decision: &str) -> Vec<String> {
        let path = format!("openings/{decision}.json");
        if !self.paths().contains(&path) {
            return Vec::new();
        }
        let openings = self.json(&path);
        let openings = openings["openings"].as_array().unwrap().iter();
        openings.map(|opening| opening["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Demands that it verifies under the log's key.
    pub(crate) fn verify(&self, world: &World) {
        let key = world.ok(&["keys", "vkey", "--system", "credit"]).stdout();
        let options = VerifyOptions { keys: vec![key.trim().parse().unwrap()], ..VerifyOptions::default() };
        let report = verify(&self.source, &options, &mut |_| {});
        assert!(report.ok, "{:#?}", report.faults);
    }
}

/// The file of a directory that was changed last.
pub(crate) fn newest(dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap()
}
