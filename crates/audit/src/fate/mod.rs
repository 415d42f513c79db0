//! What became of payloads and entries, by what the systems' life says of erasures, purges and holds.
//!
//! The rules. An erasure takes a payload that stands before it (or in another log: keys are the node's) if its phase is `intent`
//! or `completed` and it names the payload's key, or a person whom it is about, unless a `withheld` event of its intent
//! names that key. A purge of payloads takes those of its class and range that stand before it in its own log, unless a hold that
//! stood when it was written covers the decision. What is only withheld or refused takes nothing.

mod gather;
mod holds;
mod index;
mod payload;
mod told;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use inferlog_record::body::{Basis, Body, ErasurePhase};
use inferlog_record::{Event, Id, KeyId, Timestamp};

pub use gather::LifeFinder;
pub(crate) use gather::of_log;
pub use holds::{DecisionFacts, EventFacts};
use index::Index;
pub use payload::{Birth, Fate, Withholding};
pub use told::{At, ErasureTold, Hold, PurgeTold, WithheldTold};

/// What the life of the systems says of erasing, purging and freezing. Taking an event twice changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Removals {
    erasures: Vec<ErasureTold>,
    /// By the intent that they are withheld from.
    withheld: HashMap<Id, Vec<WithheldTold>>,
    purges: Vec<PurgeTold>,
    holds: BTreeMap<Id, Hold>,
    seen: HashSet<Id>,
    /// Of all that was learnt so far, once something was asked.
    index: OnceLock<Index>,
}

impl Removals {
    /// Takes an event of the system's life; one of another kind says nothing here.
    pub fn learn(&mut self, at: At, event: &Event) {
        let concerns = matches!(
            event.body,
            Body::Erasure(_) | Body::Purge(_) | Body::HoldPlaced(_) | Body::HoldReleased(_)
        );
        if !concerns || !self.seen.insert(event.id) {
            return;
        }
        self.index.take();
        let logged_at = event.logged_at;
        match &event.body {
            Body::Erasure(_) => self.learn_erasure(at, event),
            Body::Purge(body) => {
                self.purges.push(PurgeTold { at, event: event.id, logged_at, body: (**body).clone() });
            }
            Body::HoldPlaced(body) => {
                let hold = self.hold(body.hold, body.basis, logged_at);
                hold.basis = body.basis;
                hold.incident = hold.incident.or(body.incident);
                hold.placed_at = hold.placed_at.min(logged_at);
                hold.scopes.push((at, body.scope.clone()));
            }
            Body::HoldReleased(body) => {
                self.hold(body.hold, body.basis, logged_at).releases.push((at, logged_at));
            }
            _ => {}
        }
    }

    fn learn_erasure(&mut self, at: At, event: &Event) {
        let Body::Erasure(body) = &event.body else { return };
        let (refusals, holds) = (body.refusals.to_vec(), body.holds.to_vec());
        let keys: HashSet<KeyId> = body.keys.iter().copied().collect();
        if body.phase == ErasurePhase::Withheld {
            if let Some(intent) = body.intent {
                let told = WithheldTold { at, event: event.id, refusals, holds, until: body.until, keys };
                self.withheld.entry(intent).or_default().push(told);
            }
            return;
        }
        self.erasures.push(ErasureTold {
            at,
            event: event.id,
            logged_at: event.logged_at,
            phase: body.phase,
            order: body.order,
            intent: body.intent.unwrap_or(event.id),
            resumes: body.resumes,
            certificate: body.certificate,
            decisions: body.decisions.0,
            withheld: body.withheld.0,
            refusals,
            holds,
            until: body.until,
            keys,
            subjects: body.subjects.iter().copied().collect(),
        });
    }

    fn hold(&mut self, hold: Id, basis: Basis, at: Timestamp) -> &mut Hold {
        self.holds.entry(hold).or_insert_with(|| Hold {
            hold,
            basis,
            incident: None,
            scopes: Vec::new(),
            placed_at: at,
            releases: Vec::new(),
        })
    }

    /// Takes what another has learnt.
    pub fn merge(&mut self, other: Self) {
        if other.is_empty() {
            return;
        }
        self.index.take();
        self.erasures.extend(other.erasures.into_iter().filter(|told| !self.seen.contains(&told.event)));
        self.purges.extend(other.purges.into_iter().filter(|told| !self.seen.contains(&told.event)));
        for (intent, told) in other.withheld {
            let own = self.withheld.entry(intent).or_default();
            own.extend(told.into_iter().filter(|told| !self.seen.contains(&told.event)));
        }
        for (id, hold) in other.holds {
            let own = self.holds.entry(id).or_insert_with(|| Hold { scopes: Vec::new(), ..hold.clone() });
            own.placed_at = own.placed_at.min(hold.placed_at);
            own.incident = own.incident.or(hold.incident);
            for release in hold.releases {
                if !own.releases.contains(&release) {
                    own.releases.push(release);
                }
            }
            for scope in hold.scopes {
                if !own.scopes.contains(&scope) {
                    own.scopes.push(scope);
                }
            }
        }
        self.seen.extend(other.seen);
    }

    /// Whether nothing was removed or frozen.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Erasures announced, completed and refused, as they were learnt.
    pub fn erasures(&self) -> &[ErasureTold] {
        &self.erasures
    }

    /// The completion of an intent.
    pub fn completion(&self, intent: Id) -> Option<&ErasureTold> {
        self.erasures.get(*self.index().completed.get(&intent)?)
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(self))
    }

    /// What was withheld from an intent.
    pub fn withheld(&self, intent: Id) -> &[WithheldTold] {
        self.withheld.get(&intent).map_or(&[], Vec::as_slice)
    }

    /// The purges, as they were learnt.
    pub fn purges(&self) -> &[PurgeTold] {
        &self.purges
    }

    /// The holds, those released too.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    /// A hold by its id.
    pub fn hold_of(&self, id: Id) -> Option<&Hold> {
        self.holds.get(&id)
    }
}
