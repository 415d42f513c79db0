//! First appearances: a model, a version, a fingerprint, a registered prompt or tool set, an index, that a system's log never
//! showed before. The event that says so becomes durable with the step that showed it.
//!
//! What was shown is known from the log itself. A file beside it, derived from it, spares the next start most of the reading.

use crate::recorder::draft::NewEvent;
use crate::recorder::write::life_append;
use crate::recorder::{RecordError, System};
use inferlog_disk::replace_file;
use inferlog_log::{Append, Flags, LogReader};
use inferlog_record::body::{Aspect, Body, Inference, Retrieval};
use inferlog_record::{ClearName, Entry, Id};
use inferlog_registry::{Identities, Identity};
use memchr::memmem::Finder;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The file beside the log, and what its new content is written to first.
const FILE: &str = "identities";

/// How long sightings on their way into the log are waited for, and all recording with them.
const DOUBT_TIME_MAX: Duration = Duration::from_millis(100);

/// One part of a system, as a step showed it.
type Sighting = (Aspect, Option<ClearName>, Identity);

/// First appearances on their way into the log. Dropped before they are durable, they are to come again.
pub(crate) struct Firsts {
    system: System,
    seen: Vec<Sighting>,
    appends: Vec<Append>,
    /// Whether the system counts it as doubtful.
    is_counted: bool,
}

impl Firsts {
    /// What appears for the first time in these events of a decision.
    pub(crate) fn of(system: &System, decision: Id, events: &[NewEvent]) -> Result<Self, RecordError> {
        let mut firsts = Self::none(system);
        for sighting in events.iter().flat_map(|event| sightings(&event.body)) {
            firsts.see(sighting, Some(decision))?;
        }
        Ok(firsts)
    }

    /// Nothing that appears for the first time.
    pub(crate) fn none(system: &System) -> Self {
        Self { system: system.clone(), seen: Vec::new(), appends: Vec::new(), is_counted: false }
    }

    /// The system's policy, if it appears for the first time.
    pub(crate) fn of_policy(system: &System, value: Identity) -> Result<Self, RecordError> {
        let mut firsts = Self::none(system);
        firsts.see((Aspect::Policy, None, value), None)?;
        Ok(firsts)
    }

    fn see(&mut self, sighting: Sighting, decision: Option<Id>) -> Result<(), RecordError> {
        let (aspect, name, value) = &sighting;
        let change = self.system.state.identities.lock().see(*aspect, name.as_ref(), value);
        let Some(change) = change else { return Ok(()) };
        let mut body = change.event(*aspect, name.clone(), value);
        body.decision = decision;
        self.seen.push(sighting);
        self.count();
        let event = self.system.life_event(body)?;
        self.appends.push(life_append(&self.system.inner, event, Flags::NONE)?);
        Ok(())
    }

    fn count(&mut self) {
        if !std::mem::replace(&mut self.is_counted, true) {
            self.system.state.doubtful.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The entries that say so, to stand before those of the step.
    pub(crate) fn take(&mut self) -> Vec<Append> {
        std::mem::take(&mut self.appends)
    }

    /// They are durable.
    pub(crate) fn keep(mut self) {
        self.seen.clear();
    }
}

impl Drop for Firsts {
    fn drop(&mut self) {
        let mut known = self.system.state.identities.lock();
        self.seen.iter().for_each(|(aspect, name, value)| known.forget(*aspect, name.as_ref(), value));
        drop(known);
        if self.is_counted {
            self.system.state.doubtful.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn sightings(body: &Body) -> Vec<Sighting> {
    match body {
        Body::Inference(body) => of_inference(body),
        Body::Retrieval(body) => of_retrieval(body),
        _ => Vec::new(),
    }
}

fn listed(name: Option<&ClearName>) -> Option<&ClearName> {
    name.filter(|name| !name.is_unlisted())
}

fn of_inference(body: &Inference) -> Vec<Sighting> {
    let mut seen = Vec::new();
    let model = &body.model;
    if let Some(name) = listed(model.returned.as_ref()).or(listed(model.requested.as_ref())) {
        seen.push((Aspect::Model, None, Identity::name(name.clone())));
        let version = listed(model.version.as_ref()).cloned();
        if version.is_some() || model.digest.is_some() {
            let value = Identity { name: version, digest: model.digest };
            seen.push((Aspect::Version, Some(name.clone()), value));
        }
        if let Some(fingerprint) = listed(model.fingerprint.as_ref()) {
            seen.push((Aspect::Fingerprint, Some(name.clone()), Identity::name(fingerprint.clone())));
        }
    }
    for prompt in &body.prompts {
        if let (Some(name), Some(version)) = (&prompt.name, &prompt.version) {
            let value = Identity { name: Some(version.clone()), digest: prompt.sha256 };
            seen.push((Aspect::Prompt, Some(name.clone()), value));
        }
    }
    for tools in &body.toolsets {
        let value = Identity { name: Some(tools.version.clone()), digest: Some(tools.sha256) };
        seen.push((Aspect::Tools, Some(tools.name.clone()), value));
    }
    seen
}

fn of_retrieval(body: &Retrieval) -> Vec<Sighting> {
    let value = Identity { name: listed(body.index_version.as_ref()).cloned(), digest: body.index_digest };
    match listed(body.index.as_ref()) {
        Some(index) if value.name.is_some() || value.digest.is_some() => {
            vec![(Aspect::Index, Some(index.clone()), value)]
        }
        // An index without a version is its own only identity.
        Some(index) => vec![(Aspect::Index, None, Identity::name(index.clone()))],
        None => Vec::new(),
    }
}

impl System {
    /// Learns from the log what it has shown.
    pub(crate) fn learn_identities(&self) -> Result<(), RecordError> {
        let (fs, dir) = (self.inner.env.fs.clone(), self.state.log.dir().clone());
        let reader = LogReader::new(fs.clone(), dir.clone());
        let size = reader.size()?;
        let path = dir.path().join(FILE);
        let file = if fs.exists(&path)? { fs.read(&path)? } else { Vec::new() };
        let (mut known, from) = Identities::from_bytes(&file, size).unwrap_or_default();
        let changed = Finder::new("\"kind\":\"system.changed\"");
        let mut failed = None;
        reader.scan(from, size, |_, bytes| {
            if changed.find(bytes).is_some() {
                match Entry::from_bytes(bytes) {
                    Ok(entry) => entry.events.iter().for_each(|event| {
                        if let Body::SystemChanged(body) = &event.body {
                            known.learn(body);
                        }
                    }),
                    Err(error) => failed = Some(error),
                }
            }
            failed.is_none()
        })?;
        *self.state.identities.lock() = known;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Waits until it is known of every first sighting whether it is in the log; whether that came to pass. The caller holds the
    /// gate alone, so that there are no new ones.
    async fn is_certain(&self) -> bool {
        let is_certain = || self.state.doubtful.load(Ordering::Acquire) == 0;
        let deadline = Instant::now() + DOUBT_TIME_MAX;
        while !is_certain() && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
        is_certain()
    }

    /// Writes down what the log has shown so far, for the next start. Where it is not certain of a sighting that it is in the
    /// log, nothing is written: the next start reads more.
    pub(crate) async fn save_identities(&self) -> Result<(), RecordError> {
        self.inner.node.integrate().await?;
        let (fs, dir) = (self.inner.env.fs.clone(), self.state.log.dir().clone());
        let (reader, file) = (LogReader::new(fs.clone(), dir.clone()), dir.path().join(FILE));
        let (known, next) = {
            // Nobody is between a sighting and its place in the log: of all that is known, the entry is durable, and that of
            // what will be is behind all that is published now.
            let _gate = self.inner.gate.write().await;
            if !self.is_certain().await {
                return Ok(());
            }
            let system = self.clone();
            tokio::task::spawn_blocking(move || system.save_ledger()).await??;
            let next = tokio::task::spawn_blocking(move || reader.size()).await??;
            (self.state.identities.lock().clone(), next)
        };
        let saved = move || Ok(replace_file(&*fs, &file, &known.to_bytes(next))?);
        tokio::task::spawn_blocking(saved).await?
    }
}
