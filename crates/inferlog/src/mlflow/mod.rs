//! MLflow's model registry, read over its REST API (mlflow.org/docs/latest/api_reference/rest-api.html): registered models, their
//! versions and their aliases.

mod client;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use inferlog_record::ClearName;
use inferlog_registry::{Registration, Snapshot, What};
use serde::Deserialize;

use crate::commands::models::hash;
use crate::output::{self, BAD, Failure, styled};
use client::Client;

/// What is to be registered.
pub(crate) struct Found {
    pub(crate) registrations: Vec<Registration>,
    /// How many things cannot be registered; why was told.
    pub(crate) left_out: usize,
}

/// One of `registered_models` in the answer of `registered-models/search`.
#[derive(Debug, Deserialize)]
struct RegisteredModel {
    name: String,
    #[serde(default)]
    aliases: Vec<Alias>,
}

#[derive(Debug, Deserialize)]
struct Alias {
    alias: String,
    version: String,
}

/// One of `model_versions` in the answer of `model-versions/search`.
#[derive(Debug, Deserialize)]
struct ModelVersion {
    version: String,
    #[serde(default)]
    source: String,
}

/// Reads all models that a server has registered, or one; hashes those that are on this machine and are not known yet.
pub(crate) fn read(url: &str, only: Option<&ClearName>, known: &Snapshot) -> Result<Found, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (server, read) = runtime.block_on(async {
        let client = Client::new(url)?;
        let filter = only.map(|name| format!("name='{name}'"));
        let models = client.search::<RegisteredModel>("registered-models", filter.as_deref()).await?;
        let mut read = Vec::with_capacity(models.len());
        for model in models {
            let versions = match ClearName::new(&model.name) {
                // Its name cannot stand here, nor in a filter.
                Err(_) => Vec::new(),
                Ok(name) => versions(&client, &name).await?,
            };
            read.push((model, versions));
        }
        Ok::<_, Failure>((client.server().to_owned(), read))
    })?;
    if let (Some(name), true) = (only, read.is_empty()) {
        return Err(Failure::new(format!("{server} has no registered model {name}")));
    }
    let mut found = Found { registrations: Vec::new(), left_out: 0 };
    for (model, versions) in read {
        found.take(&server, &model, &versions, known)?;
    }
    Ok(found)
}

/// A model's versions and where they are, the lowest first.
async fn versions(client: &Client, name: &ClearName) -> Result<Vec<ModelVersion>, Failure> {
    let mut versions: Vec<ModelVersion> =
        client.search("model-versions", Some(&format!("name='{name}'"))).await?;
    versions.sort_by_key(|version| version.version.parse::<u64>().unwrap_or(u64::MAX));
    for version in &mut versions {
        // Since MLflow 3 the source names a logged model; where its files are is asked apart.
        if version.source.is_empty() || version.source.starts_with("models:/") {
            version.source = client.download_uri(name, &version.version).await?;
        }
    }
    Ok(versions)
}

impl Found {
    fn take(
        &mut self,
        server: &str,
        model: &RegisteredModel,
        versions: &[ModelVersion],
        known: &Snapshot,
    ) -> Result<(), Failure> {
        let Ok(name) = ClearName::new(&model.name) else {
            return self.leave_out(&format!("model {:?}", model.name));
        };
        for version in versions {
            let Ok(number) = ClearName::new(&version.version) else {
                self.leave_out(&format!("version {:?} of model {name}", version.version))?;
                continue;
            };
            let is_known = known
                .model(name.as_str(), number.as_str())
                .is_some_and(|known| known.digest.is_some() && known.location == version.source);
            let hashed = match local_path(&version.source) {
                Some(path) if !is_known => Some(hash(&path)?),
                _ => None,
            };
            let (digest, manifest) =
                hashed.map_or((None, None), |hashed| (Some(hashed.digest), hashed.manifest));
            let (location, source) = (version.source.clone(), Some(format!("mlflow {server}")));
            let what = What::Model { digest, location, source, manifest };
            self.registrations.push(Registration { name: name.clone(), version: Some(number), what });
        }
        self.take_aliases(&name, &model.aliases, known)
    }

    /// The aliases that the server has, and the end of those that it has no more.
    fn take_aliases(&mut self, name: &ClearName, aliases: &[Alias], known: &Snapshot) -> Result<(), Failure> {
        let mut wanted: BTreeMap<ClearName, Option<ClearName>> = BTreeMap::new();
        for word in known.words(name.as_str()) {
            wanted.insert(ClearName::new(word)?, None);
        }
        for Alias { alias, version } in aliases {
            match (ClearName::new(alias), ClearName::new(version)) {
                (Ok(alias), Ok(version)) => drop(wanted.insert(alias, Some(version))),
                _ => self.leave_out(&format!("alias {alias:?} of model {name}"))?,
            }
        }
        self.registrations.extend(wanted.into_iter().map(|(alias, version)| Registration {
            name: name.clone(),
            version,
            what: What::Alias { alias },
        }));
        Ok(())
    }

    fn leave_out(&mut self, what: &str) -> Result<(), Failure> {
        self.left_out += 1;
        let why = "names that stand in records are made of letters, digits and . _ : / @ -";
        writeln!(output::stderr(), "{} {what}: {why}", styled(BAD, "left out"))?;
        Ok(())
    }
}

/// The path that a location is on this machine, if it is one: bare, or as a `file:` URL.
fn local_path(location: &str) -> Option<PathBuf> {
    let path = match location.strip_prefix("file:") {
        Some(url) => {
            let path = url.strip_prefix("//localhost").or_else(|| url.strip_prefix("//")).unwrap_or(url);
            percent_encoding::percent_decode_str(path).decode_utf8().ok()?.into_owned()
        }
        None => location.to_owned(),
    };
    let path = PathBuf::from(path);
    (path.is_absolute() && path.exists()).then_some(path)
}
