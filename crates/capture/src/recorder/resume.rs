//! Going on with a decision that this process does not remember: what of it the log and the keystore still have.

use crate::recorder::seal::Keys;
use crate::recorder::trail::Trail;
use crate::recorder::write::Steps;
use crate::recorder::{RecordError, System};
use inferlog_record::{Content, Entry, Id, KeyId, Kind, Pseudonym, RetentionClass};
use inferlog_vault::VaultError;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// What the log says of a decision, up to its end or to what was recorded last.
#[derive(Default)]
struct Found {
    class: Option<RetentionClass>,
    subjects: BTreeSet<Pseudonym>,
    /// The key of its first content, and the UTC day that it is filed under.
    first: Option<(KeyId, u32)>,
    last: Option<Id>,
    session: Option<Id>,
    is_closed: bool,
    /// Whether a log that it may stand in lacks entries of before.
    is_pruned: bool,
}

impl System {
    /// The decision as the log tells it; `None` if this system's logs do not.
    pub(crate) async fn resume(&self, decision: Id) -> Result<Option<Steps>, RecordError> {
        let system = self.clone();
        tokio::task::spawn_blocking(move || system.resume_blocking(decision)).await?
    }

    fn resume_blocking(&self, decision: Id) -> Result<Option<Steps>, RecordError> {
        let trail = Trail::new(self, decision)?;
        let mut found = Found { is_pruned: trail.is_pruned()?, ..Found::default() };
        trail.walk(|hit| {
            found.take(&hit.entry);
            // What comes after the end says nothing that is needed, and may be years of others' entries away.
            let is_enough = found.is_closed && (found.first.is_some() || found.subjects.is_empty());
            if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let Some(class) = found.class.take() else { return Ok(None) };
        let keys = self.keys(decision, &class, &found)?;
        let steps = Steps::resumed(decision, class, keys, found.last, found.is_closed);
        Ok(Some(steps.in_session(found.session)))
    }

    fn keys(&self, decision: Id, class: &RetentionClass, found: &Found) -> Result<Keys, RecordError> {
        let Some((first, day)) = found.first else {
            if found.subjects.is_empty() {
                return Keys::new(self, decision, class, Vec::new());
            }
            if found.is_pruned {
                // What led to the person's key went with the content: what comes now is recorded without any.
                return Ok(Keys::destroyed(decision, found.subjects.iter().copied().collect(), None));
            }
            return Err(RecordError::Invalid(format!(
                "decision {decision} is about somebody and has no content whose key would lead to theirs: what is added \
                 could not be erased with them"
            )));
        };
        match self.inner.vault.open_decision_key(first) {
            Ok(key) => Ok(Keys::resumed(decision, key, day, &found.subjects)),
            Err(VaultError::Erased) => {
                let order = self.ledger().destroyer(first, &found.subjects);
                Ok(Keys::destroyed(decision, found.subjects.iter().copied().collect(), order))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Found {
    fn take(&mut self, entry: &Entry) {
        for event in &entry.events {
            self.class.get_or_insert_with(|| event.retention.clone());
            self.subjects.extend(event.subjects.iter());
            let keys = event.payloads.iter().filter_map(|reference| match reference.content {
                Content::Sealed(sealed) => Some(sealed.key_id),
                _ => None,
            });
            self.first = self.first.or_else(|| Some((keys.into_iter().next()?, event.logged_at.day())));
            self.last = Some(event.id);
            self.session = self.session.or(event.session);
            self.is_closed = match event.kind() {
                Some(Kind::DecisionClosed) => true,
                Some(Kind::DecisionJoined) => false,
                _ => self.is_closed,
            };
        }
    }
}
