//! Content that is shared: in clear, by its digest, among the registry's objects. No erasure reaches it, and no purge.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::{Content, Entry, Id, Shared, State};
use inferlog_registry::{Objects, REGISTRY_DIR};

use super::model::{PayloadContent, Story, StoryPayload};
use super::{Gathered, StoryOptions};
use crate::error;

/// The shared content of a data directory.
#[derive(Clone, Debug)]
pub struct SharedContent(Objects);

impl SharedContent {
    /// Of this data directory.
    pub fn new(fs: &Arc<dyn Fs>, dir: &Path) -> Self {
        Self(Objects::new(fs.clone(), &dir.join(REGISTRY_DIR)))
    }

    /// The content, held against its digest; why it is not to be had, if it is not.
    pub fn read(&self, shared: &Shared) -> Result<Vec<u8>, String> {
        self.0.read(shared.sha256).map_err(|error| error.to_string())
    }
}

/// Reads shared content where content is asked for, and holds it against its digest.
pub(super) fn open(story: &mut Story, gathered: &Gathered, options: &StoryOptions<'_>) -> error::Result<()> {
    let is_left = |payload: &&mut StoryPayload| {
        payload.key_id.is_none() && payload.content.is_none() && payload.state == State::Present.as_str()
    };
    let payloads = story.events.iter_mut().flat_map(|event| &mut event.payloads);
    let mut payloads = payloads.filter(is_left).peekable();
    if options.openings.is_none() || payloads.peek().is_none() {
        return Ok(());
    }
    let shared = shared(gathered)?;
    for payload in payloads {
        if let Some(shared) = shared.get(&payload.payload) {
            read(payload, shared, gathered, options.content_bytes_max);
        }
    }
    Ok(())
}

fn shared(gathered: &Gathered) -> error::Result<BTreeMap<Id, Shared>> {
    let mut shared = BTreeMap::new();
    for (log, hits) in &gathered.found {
        for (index, bytes) in &hits.entries {
            let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(*index, error))?;
            for reference in entry.events.iter().flat_map(|event| &event.payloads) {
                if let Content::Shared(content) = reference.content {
                    shared.insert(reference.payload, content);
                }
            }
        }
    }
    Ok(shared)
}

fn read(payload: &mut StoryPayload, shared: &Shared, gathered: &Gathered, limit: usize) {
    payload.media_type = Some(shared.media_type.to_string());
    payload.size = Some(shared.size);
    if usize::try_from(shared.size).map_or(true, |size| size > limit) {
        payload.problem = Some(format!("its {} bytes are more than the {limit} that are shown", shared.size));
        return;
    }
    match gathered.shared.read(shared) {
        Ok(content) => {
            payload.content = Some(PayloadContent::of(content, shared.media_type));
            payload.verified = Some(true);
        }
        Err(error) => (payload.verified, payload.problem) = (Some(false), Some(error)),
    }
}
