//! What an erasure would take, and what it must leave: by a hold that stands, or by a duty of law.

use super::types::{ErasurePlan, StorePlan, Target, Withheld};
use crate::recorder::ledger::StandingHold;
use crate::recorder::purge::Ages;
use crate::recorder::scan::{Concerned, Find, Mark, find};
use crate::recorder::{InForce, RecordError, System};
use inferlog_log::{LogDir, LogId, LogIdentity, LogReader, list_logs};
use inferlog_policy::Erasable;
use inferlog_record::body::{OrderKind, Refusal, Store};
use inferlog_record::{Id, KeyId, Pseudonym, Timestamp};
use inferlog_vault::SubjectRef;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a request means in a system.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Subject(SubjectRef),
    /// Somebody whose key is gone: what was withheld from their erasure.
    Erased(Pseudonym),
    Decision(Id),
}

impl Wanted {
    /// What entries are searched for.
    pub(super) fn text(self) -> String {
        match self {
            Self::Subject(subject) => subject.pseudonym.to_string(),
            Self::Erased(pseudonym) => pseudonym.to_string(),
            Self::Decision(decision) => decision.to_string(),
        }
    }
}

/// What is taken, and what is left.
#[derive(Clone, Debug, Default)]
pub(super) struct Planned {
    /// Decisions that are taken, and their keys that still open.
    pub(super) free: Vec<(Id, BTreeSet<KeyId>)>,
    /// Of these, how many concern others too.
    pub(super) shared: u64,
    pub(super) withheld: Vec<Withheld>,
}

impl Planned {
    /// Whether all that there is to take is withheld.
    pub(super) fn is_refused(&self) -> bool {
        !self.withheld.is_empty() && self.free.iter().all(|(_, keys)| keys.is_empty())
    }

    /// The keys of all decisions that are taken.
    pub(super) fn free_keys(&self) -> BTreeSet<KeyId> {
        self.free.iter().flat_map(|(_, keys)| keys.iter().copied()).collect()
    }
}

/// What keeps a decision from an erasure.
#[derive(Clone)]
pub(super) struct Grounds {
    holds: Vec<StandingHold>,
    /// The policy, where its duties count.
    policy: Option<Arc<InForce>>,
    /// By what time floors are over; `None` if no clock is trusted with that.
    now: Option<Timestamp>,
    /// How old entries are.
    ages: Ages,
}

impl Grounds {
    /// By what time floors are over; `None` if no clock is trusted with that.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// How old entries are, to go on from.
    pub(super) fn into_ages(self) -> Ages {
        self.ages
    }

    /// Why this decision stays, if it does.
    pub(super) fn why(&self, decision: Id, found: &Concerned) -> Option<Withheld> {
        let covers = |hold: &&StandingHold| {
            let covers =
                |mark: &Mark| hold.covers(Some(decision), &mark.class, mark.logged_at, &mark.subjects);
            found.marks.iter().any(covers)
        };
        let holds: Vec<Id> = self.holds.iter().filter(covers).map(|hold| hold.hold).collect();
        let until = self.until(found);
        let mut why = Vec::new();
        why.extend((!holds.is_empty()).then_some(Refusal::Hold));
        why.extend(until.map(|_| Refusal::LegalDuty));
        let keys = found.keys.iter().copied().collect();
        (!why.is_empty()).then_some(Withheld { decision, keys, why, holds, until })
    }

    /// When the last floor is over that keeps the decision: of the newest event of a class that may not be erased before.
    fn until(&self, found: &Concerned) -> Option<Timestamp> {
        let policy = self.policy.as_ref()?;
        let floor = |mark: &Mark| {
            let class = policy.policy.classes.iter().find(|class| class.class == mark.class)?;
            let from = || self.ages.from(mark.log, mark.index, mark.logged_at);
            (class.erasure == Erasable::AfterFloor).then(|| class.floor.end(from()))
        };
        let until = found.marks.iter().filter_map(floor).max()?;
        self.now.is_none_or(|now| until > now).then_some(until)
    }
}

impl System {
    /// By what time floors are over, as far as this process knows its clock: as late as purges. None is while the clock is in doubt, for
    /// what it lets go does not come back.
    pub(super) fn trusted_now(&self) -> Option<Timestamp> {
        let guard = &self.inner.clock_guard;
        let is_trusted = guard.look().is_none();
        is_trusted.then(|| Timestamp(self.now().nanos().saturating_sub(guard.margin_ns())))
    }

    /// What keeps decisions from an erasure, as of now. A duty of law is an exception to a person's right (Article 17(3)(b) GDPR), not to the
    /// order of an authority or a court, and none for what was recorded without a ground. Without `trusts_clock` no floor is
    /// over. Where `is_owed`, one was told before, whatever the policy says now. `before` spares reading what was read.
    pub(super) async fn grounds(
        &self,
        order: OrderKind,
        trusts_clock: bool,
        is_owed: bool,
        before: Ages,
    ) -> Result<Grounds, RecordError> {
        let counts = matches!(order, OrderKind::Request | OrderKind::Policy);
        let policy = self.policy().filter(|_| counts);
        let has_floor = |policy: &Arc<InForce>| {
            policy.policy.classes.iter().any(|class| class.erasure == Erasable::AfterFloor)
        };
        let asks_ages = trusts_clock && (is_owed || policy.as_ref().is_some_and(has_floor));
        let (system, holds) = (self.clone(), self.holds());
        let look = move || {
            let ages = if asks_ages { before.refresh(&system)? } else { before };
            let is_trusted = trusts_clock && !(asks_ages && ages.are_in_doubt(&system));
            let now = if is_trusted { system.trusted_now() } else { None };
            Ok::<_, RecordError>(Grounds { holds, policy, now, ages })
        };
        tokio::task::spawn_blocking(look).await?
    }

    /// What a request means here; `None` if the person is not known.
    pub(super) fn wanted(&self, target: &Target) -> Result<Option<Wanted>, RecordError> {
        match target {
            Target::Decision(decision) => Ok(Some(Wanted::Decision(*decision))),
            Target::Subject(identifier) => {
                let known = self.inner.vault.find_subject(self.name(), identifier)?;
                Ok(known.map(|known| Wanted::Subject(known.reference())))
            }
        }
    }

    /// Goes on where `before` ended; without it, begins with the system's older epochs, which do not grow.
    pub(super) async fn look(&self, wanted: Wanted, before: Option<Find>) -> Result<Find, RecordError> {
        let (fs, dir, log) =
            (self.inner.env.fs.clone(), self.inner.dir.clone(), self.state.log.dir().clone());
        let present = self.log_id();
        let look = move || {
            let wanted = wanted.text();
            let (is_first, mut found) = (before.is_none(), before.unwrap_or_default());
            let is_older = |other: &LogDir| is_first && other.system() == log.system() && *other != log;
            for older in list_logs(&*fs, &dir)?.into_iter().filter(is_older) {
                let id = LogId::of(&LogIdentity::load(&*fs, &older)?.origin);
                found = find(&LogReader::new(fs.clone(), older), id, &wanted, found)?.in_the_next_log();
            }
            find(&LogReader::new(fs, log), present, &wanted, found)
        };
        tokio::task::spawn_blocking(look).await?
    }

    /// Divides what was found, by these grounds, into what is taken and what stays. Only keys that still open are named. With
    /// `among`, keys beside those count for nothing.
    pub(super) async fn divide(
        &self,
        found: Find,
        grounds: Grounds,
        among: Option<BTreeSet<KeyId>>,
    ) -> Result<Planned, RecordError> {
        let vault = self.inner.vault.clone();
        let divide = move || {
            let mut found = found.decisions;
            if let Some(among) = &among {
                found.values_mut().for_each(|concerned| concerned.keys.retain(|key| among.contains(key)));
                found.retain(|_, concerned| !concerned.keys.is_empty());
            }
            let all: BTreeSet<KeyId> =
                found.values().flat_map(|concerned| concerned.keys.iter().copied()).collect();
            let readable = vault.readable(&all)?;
            let mut planned = Planned::default();
            for (decision, mut concerned) in found {
                concerned.keys.retain(|key| readable.contains(key));
                // Of what was erased before there is nothing to withhold.
                match grounds.why(decision, &concerned).filter(|_| !concerned.keys.is_empty()) {
                    Some(withheld) => planned.withheld.push(withheld),
                    None => {
                        planned.shared += u64::from(concerned.subjects.len() > 1);
                        planned.free.push((decision, concerned.keys));
                    }
                }
            }
            Ok(planned)
        };
        tokio::task::spawn_blocking(divide).await?
    }

    /// What an erasure would do here; `None` if nobody and nothing of the kind is known.
    pub(super) async fn plan_erasure(
        &self,
        target: &Target,
        order: OrderKind,
    ) -> Result<Option<ErasurePlan>, RecordError> {
        let Some(wanted) = self.wanted(target)? else { return Ok(None) };
        let found = self.look(wanted, None).await?;
        let grounds = self.grounds(order, true, false, Ages::default()).await?;
        let planned = self.divide(found, grounds, None).await?;
        let pseudonym = match wanted {
            Wanted::Subject(subject) => Some(subject.pseudonym),
            Wanted::Erased(_) | Wanted::Decision(_) => None,
        };
        let keys = planned.free_keys().len() as u64;
        if pseudonym.is_none() && keys == 0 && planned.withheld.is_empty() {
            return Ok(None);
        }
        Ok(Some(ErasurePlan {
            system: self.name().clone(),
            pseudonym,
            decisions: planned.free.len() as u64,
            keys,
            shared: planned.shared,
            withheld: planned.withheld,
            stores: self.stores()?,
        }))
    }

    /// Every place that an erasure touches here.
    fn stores(&self) -> Result<Vec<StorePlan>, RecordError> {
        let one = |store| StorePlan { store, name: None };
        let mut stores = vec![one(Store::Keystore), one(Store::Wal), one(Store::Packs)];
        for name in self.followers()? {
            stores.push(StorePlan { store: Store::Index, name: Some(name) });
        }
        for place in self.inner.vault.backup_places() {
            stores.push(StorePlan { store: Store::Backups, name: Some(place.display().to_string()) });
        }
        Ok(stores)
    }
}
