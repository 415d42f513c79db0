//! Periods of use, and what the biometric profile asks for at the door (Articles 12(3) and 14(5) AI Act).
//!
//! A session is minted here, and is open from when its start is durable until its end is said. Every way into a log passes the
//! checks of this file; where the policy in force is of another profile they let everything through. What is refused is recorded
//! nowhere. No session outlives its recorder: an orderly end interrupts those that are open, and after a crash the next start does,
//! of systems with the profile, for it has to read the whole log for them.

use crate::recorder::draft::{NewContent, NewEvent};
use crate::recorder::write::{Steps, life_append};
use crate::recorder::{RecordError, System};
use inferlog_log::{Append, Flags, LogReader, list_logs};
use inferlog_policy::Profile;
use inferlog_record::body::{BiometricMatch, Body, MatchResult, SessionEnd, SessionEnded};
use inferlog_record::{ClearName, Content, Entry, Event, Id, PayloadRole, State};
use memchr::memmem::Finder;
use std::collections::BTreeSet;

/// Sessions of one system that may be open at once.
pub const SESSIONS_OPEN_MAX: usize = 65_536;

/// Persons who verify a match (Article 14(5)).
const VERIFIERS_MIN: usize = 2;

const NO_SESSION: &str = "`session`, of a use that goes on: post `session.started` when the use begins, and send its id in the header \
                          `inferlog-session` of every request";

impl System {
    /// Records that a period of use begins (`session.started`), and waits until that is durable: the session's id.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] for another event, and where [`SESSIONS_OPEN_MAX`] are open.
    pub async fn start_session(&self, started: NewEvent) -> Result<Id, RecordError> {
        if !matches!(started.body, Body::SessionStarted(_)) {
            return Err(RecordError::Invalid("a session begins with `session.started`".into()));
        }
        let system = self.clone();
        // Whoever stops waiting does not stop it: what is durable is open.
        let begun = self.inner.runtime.spawn(async move {
            let _gate = system.inner.gate.read().await;
            system.inner.check_open()?;
            if system.state.sessions.lock().len() >= SESSIONS_OPEN_MAX {
                return Err(RecordError::Invalid(format!("{SESSIONS_OPEN_MAX} sessions are open: end some")));
            }
            let id = system.mint()?;
            system.state.log.append(vec![system.session_append(started, id, Flags::NONE)?]).await?;
            system.state.sessions.lock().insert(id);
            Ok(id)
        });
        begun.await?
    }

    /// Records that a period of use ended (`session.ended`, which names it), and waits until that is durable.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] if the event is another or the session is not open.
    pub async fn end_session(&self, ended: NewEvent) -> Result<(), RecordError> {
        let (Body::SessionEnded(_), Some(session)) = (&ended.body, ended.session) else {
            return Err(RecordError::Invalid("a session ends with `session.ended`, which names it".into()));
        };
        let system = self.clone();
        let ending = self.inner.runtime.spawn(async move {
            let _gate = system.inner.gate.read().await;
            system.inner.check_open()?;
            // Of two who end it one does; nothing begins in it any more.
            if !system.state.sessions.lock().remove(&session) {
                return Err(RecordError::Invalid(format!(
                    "no session {session} is open in {}",
                    system.name()
                )));
            }
            let ended = system.tell_ended(ended, session).await;
            if ended.is_err() {
                system.state.sessions.lock().insert(session);
            }
            ended
        });
        ending.await?
    }

    /// Whether a session began here and has not ended.
    pub fn is_open_session(&self, session: Id) -> bool {
        self.state.sessions.lock().contains(&session)
    }

    async fn tell_ended(&self, ended: NewEvent, session: Id) -> Result<(), RecordError> {
        self.state.log.append(vec![self.session_append(ended, session, Flags::RESERVED)?]).await?;
        Ok(())
    }

    fn session_append(&self, new: NewEvent, session: Id, flags: Flags) -> Result<Append, RecordError> {
        let mut event = self.life_event(new.body)?;
        match event.body {
            Body::SessionStarted(_) => event.started_at = Some(new.started_at.unwrap_or(event.logged_at)),
            _ => event.ended_at = Some(new.ended_at.unwrap_or(event.logged_at)),
        }
        (event.session, event.capture) = (Some(session), new.capture);
        life_append(&self.inner, event, flags)
    }

    /// Ends the sessions that are open: the process does. The caller holds the gate alone.
    pub(super) async fn interrupt_sessions(&self) -> Result<(), RecordError> {
        let open = self.state.sessions.lock().clone();
        self.interrupt_each(open).await?;
        self.state.sessions.lock().clear();
        Ok(())
    }

    /// Ends the sessions that a crash left open in its log of `size` entries, if the profile is in force. A crash in between leaves the
    /// rest to the next start.
    pub(super) async fn interrupt_sessions_left(&self, size: u64) -> Result<(), RecordError> {
        if !self.is_biometric() {
            return Ok(());
        }
        let reading = self.clone();
        let open = tokio::task::spawn_blocking(move || reading.sessions_left(size)).await??;
        let count = open.len();
        self.interrupt_each(open).await?;
        if count > 0 {
            tracing::warn!(system = %self.state.name, count, "sessions that a crash interrupted were ended");
        }
        Ok(())
    }

    async fn interrupt_each(&self, open: BTreeSet<Id>) -> Result<(), RecordError> {
        let mut pending = Vec::new();
        for session in open {
            let ended = NewEvent::new(SessionEnded { end: SessionEnd::Interrupted });
            let append = self.session_append(ended, session, Flags::RESERVED)?;
            pending.push(self.state.log.submit(vec![append]).await?);
        }
        for waiting in pending {
            waiting.durable().await?;
        }
        Ok(())
    }

    /// The sessions that began and did not end, as its logs tell them; of the present log the first `size` entries.
    fn sessions_left(&self, size: u64) -> Result<BTreeSet<Id>, RecordError> {
        let (fs, present) = (&self.inner.env.fs, self.state.log.dir());
        let mut dirs = list_logs(&**fs, &self.inner.dir)?;
        dirs.retain(|dir| dir.system() == present.system() && dir != present);
        let finder = Finder::new("\"kind\":\"session.");
        let (mut open, mut failed) = (BTreeSet::new(), None);
        for dir in dirs.into_iter().chain([present.clone()]) {
            let size = if dir == *present { Some(size) } else { None };
            let reader = LogReader::new(fs.clone(), dir);
            let size = size.map_or_else(|| reader.size(), Ok)?;
            reader.scan(0, size, |_, bytes| {
                if finder.find(bytes).is_some() {
                    match Entry::from_bytes(bytes) {
                        Ok(entry) => entry.events.iter().for_each(|event| follow(&mut open, event)),
                        Err(error) => failed = Some(error),
                    }
                }
                failed.is_none()
            })?;
        }
        failed.map_or(Ok(open), |error| Err(error.into()))
    }

    fn is_biometric(&self) -> bool {
        self.state.policy.read().as_ref().is_some_and(|known| known.policy.profile == Profile::Biometric)
    }

    /// Refuses what begins outside a session. The caller holds the gate, here and below.
    pub(super) fn check_session(&self, session: Option<Id>) -> Result<(), RecordError> {
        if !self.is_biometric() || session.is_some_and(|session| self.is_open_session(session)) {
            return Ok(());
        }
        Err(RecordError::Biometric(format!("a decision needs {NO_SESSION}")))
    }

    /// Refuses exchanges that join a decision outside a session.
    pub(super) fn check_joined(&self, steps: &Steps, events: &[NewEvent]) -> Result<(), RecordError> {
        let mut joined = events.iter().filter(|event| matches!(event.body, Body::DecisionJoined(_)));
        joined.try_for_each(|event| self.check_session(event.session.or(steps.session)))
    }

    /// Refuses matches that lack what the profile asks for, and says all that they lack. `session` is that of their decision, `steps`
    /// what was recorded of it in this exchange.
    pub(super) fn check_matches<'a>(
        &self,
        session: Option<Id>,
        steps: Option<&Steps>,
        events: impl IntoIterator<Item = &'a NewEvent>,
    ) -> Result<(), RecordError> {
        if !self.is_biometric() {
            return Ok(());
        }
        for event in events {
            let Body::BiometricMatch(body) = &event.body else { continue };
            let mut lacks = lacks(event, body, steps);
            if event.session.or(session).is_none() {
                lacks.push("a decision that belongs to a session");
            }
            if !lacks.is_empty() {
                return Err(RecordError::Biometric(format!("`biometric.match` needs {}", lacks.join("; "))));
            }
        }
        Ok(())
    }

    /// Refuses a match that the policy's own rules took something out of that the profile asks for.
    pub(super) fn check_kept(&self, event: &Event) -> Result<(), RecordError> {
        let Body::BiometricMatch(body) = &event.body else { return Ok(()) };
        if !self.is_biometric() {
            return Ok(());
        }
        let is_hidden = |name: &ClearName| name.is_unlisted();
        if is_hidden(&body.database) || body.database_version.as_ref().is_some_and(is_hidden) {
            let what = "a policy whose detectors leave the name and the version of the database in clear";
            return Err(RecordError::Biometric(what.into()));
        }
        let is_lost = event.payloads.iter().any(|reference| match reference.content {
            Content::Absent(absent) => {
                reference.role == PayloadRole::BiometricInput && absent.state == State::Redacted
            }
            _ => false,
        });
        if body.result == MatchResult::Match && is_lost {
            let what =
                "a policy that does not take `biometric.input` out: see its detectors, and `unreadable`";
            return Err(RecordError::Biometric(what.into()));
        }
        Ok(())
    }
}

/// What an event says of the sessions that are open.
fn follow(open: &mut BTreeSet<Id>, event: &Event) {
    match (&event.body, event.session) {
        (Body::SessionStarted(_), Some(session)) => drop(open.insert(session)),
        (Body::SessionEnded(_), Some(session)) => drop(open.remove(&session)),
        _ => {}
    }
}

/// What a match lacks besides its session.
fn lacks(event: &NewEvent, body: &BiometricMatch, steps: Option<&Steps>) -> Vec<&'static str> {
    let mut lacks = Vec::new();
    let mut needs = |is_there: bool, what| {
        if !is_there {
            lacks.push(what);
        }
    };
    needs(!body.database.is_unlisted(), "`database`: a name in clear, of letters, digits and ._:/@-");
    let version = body.database_version.as_ref();
    needs(
        version.is_some_and(|version: &ClearName| !version.is_unlisted()),
        "`database_version`: a name in clear, of letters, digits and ._:/@-",
    );
    needs(body.database_digest.is_some(), "`database_digest`: SHA-256 of the database or its manifest");
    if body.result == MatchResult::Match {
        let is_given =
            event.payloads.iter().filter(|payload| payload.role == PayloadRole::BiometricInput).any(
                |payload| match &payload.content {
                    NewContent::Sealed { bytes, .. } => !bytes.is_empty(),
                    NewContent::Again(role) => {
                        steps.is_some_and(|steps| steps.seen.iter().any(|(seen, ..)| seen == role))
                    }
                    NewContent::Absent(_) => false,
                },
            );
        needs(is_given, "`input`: the data for which the search led to the match");
        needs(
            persons(event) >= VERIFIERS_MIN || body.exemption.is_some(),
            "`verifiers`: two different persons, or the `exemption` of Article 14(5)",
        );
    }
    lacks
}

/// How many different persons verified. Who differs in case or in spaces around alone counts as one.
fn persons(event: &NewEvent) -> usize {
    let named = event.verifiers.iter().map(|person| String::from_utf8_lossy(person).trim().to_lowercase());
    named.filter(|person| !person.is_empty()).collect::<BTreeSet<_>>().len()
}
