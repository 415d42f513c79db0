//! The pass over a log.

use inferlog_log::cursors;
use inferlog_record::body::{Body, Erasure, ErasurePhase, HoldPlaced, HoldReleased, Incident};
use inferlog_record::{Content, Entry, Event, PayloadRole, State, Timestamp};
use memchr::memmem::Finder;

use super::model::{
    DAY_NS, ErasureState, ErasureTold, HoldTold, IncidentStep, IncidentTold, Keeping, Released, SealedAt,
    StatedAt,
};
use crate::error::Result;
use crate::open::OpenLog;

/// What an entry must hold to be looked at.
const KINDS: [&[u8]; 3] = [br#""kind":"hold."#, br#""kind":"incident""#, br#""kind":"erasure""#];

/// Adds what a log tells.
pub(super) fn scan(log: &OpenLog, found: &mut Keeping) -> Result<()> {
    let finders = KINDS.map(Finder::new);
    let (mut failed, erasures_before) = (None, found.erasures.len());
    let scanned = log.reader.scan(0, log.size(), |index, bytes| {
        if finders.iter().all(|finder| finder.find(bytes).is_none()) {
            return true;
        }
        match Entry::from_bytes(bytes) {
            Ok(entry) => entry.events.iter().for_each(|event| take(log, index, event, found)),
            Err(error) => failed = Some(log.malformed(index, error)),
        }
        failed.is_none()
    });
    scanned.map_err(|error| log.unreadable(error))?;
    failed.map_or(Ok(()), Err)?;
    let cursors = cursors(log.reader.fs(), log.reader.dir())?;
    for erasure in &mut found.erasures[erasures_before..] {
        if erasure.state == ErasureState::Announced {
            let behind = cursors.iter().filter(|(_, next)| *next <= erasure.stated.index);
            erasure.waits_for = behind.map(|(name, _)| name.clone()).collect();
        }
    }
    Ok(())
}

fn take(log: &OpenLog, index: u64, event: &Event, found: &mut Keeping) {
    let stated = |by| StatedAt { at: event.logged_at, by, event: event.id, index, log: log.origin.clone() };
    match &event.body {
        Body::HoldPlaced(body) => placed(event, body, stated(body.by), found),
        Body::HoldReleased(body) => released(event, body, stated(body.by), found),
        Body::Incident(body) => incident(event, body, stated(body.by), found),
        Body::Erasure(body) => erasure(event, body, stated(body.by), found),
        _ => {}
    }
}

fn placed(event: &Event, body: &HoldPlaced, stated: StatedAt, found: &mut Keeping) {
    let order = sealed(event, PayloadRole::Order);
    if let Some(hold) = found.holds.iter_mut().find(|hold| hold.hold == body.hold) {
        hold.placed.push(stated);
        hold.scopes.push(body.scope.clone());
        hold.order = hold.order.take().or(order);
        return;
    }
    found.holds.push(HoldTold {
        hold: body.hold,
        system: event.system.to_string(),
        basis: body.basis,
        incident: body.incident,
        placed_at: stated.at,
        placed: vec![stated],
        scopes: vec![body.scope.clone()],
        order,
        released: None,
    });
}

fn released(event: &Event, body: &HoldReleased, stated: StatedAt, found: &mut Keeping) {
    let hold = found.holds.iter_mut().find(|hold| hold.hold == body.hold && hold.stands());
    if let Some(hold) = hold {
        hold.released =
            Some(Released { basis: body.basis, stated, order: sealed(event, PayloadRole::Order) });
    }
}

fn incident(event: &Event, body: &Incident, stated: StatedAt, found: &mut Keeping) {
    let report = sealed(event, PayloadRole::IncidentReport);
    let step = IncidentStep { phase: body.phase, stated, report };
    let due_at = Timestamp(body.aware_at.nanos().saturating_add(u64::from(body.days) * DAY_NS));
    if let Some(known) = found.incidents.iter_mut().find(|known| known.incident == body.incident) {
        (known.category, known.aware_at, known.days) = (body.category, body.aware_at, body.days);
        (known.due_at, known.phase) = (due_at, body.phase);
        known.hold = body.hold.or(known.hold);
        known.steps.push(step);
        return;
    }
    found.incidents.push(IncidentTold {
        incident: body.incident,
        system: event.system.to_string(),
        category: body.category,
        aware_at: body.aware_at,
        days: body.days,
        due_at,
        phase: body.phase,
        hold: body.hold,
        steps: vec![step],
    });
}

fn erasure(event: &Event, body: &Erasure, stated: StatedAt, found: &mut Keeping) {
    let state = match body.phase {
        // What these say the intent counts.
        ErasurePhase::Withheld => return,
        ErasurePhase::Completed => {
            if let Some(intent) =
                found.erasures.iter_mut().find(|told| Some(told.stated.event) == body.intent)
            {
                intent.state = ErasureState::Completed;
                intent.certificate = body.certificate;
                intent.stores = body.stores.to_vec();
                intent.completed = Some(stated);
            }
            return;
        }
        ErasurePhase::Intent => ErasureState::Announced,
        ErasurePhase::Refused => ErasureState::Refused,
    };
    if let Some(resumes) = body.resumes
        && let Some(earlier) = found.erasures.iter_mut().find(|told| told.stated.event == resumes)
    {
        earlier.resumed_by.push(event.id);
    }
    found.erasures.push(ErasureTold {
        system: event.system.to_string(),
        stated,
        order: body.order,
        state,
        subjects: body.subjects.to_vec(),
        keys: body.keys.len() as u64,
        decisions: body.decisions.0,
        withheld: body.withheld.0,
        refusals: body.refusals.to_vec(),
        holds: body.holds.to_vec(),
        until: body.until,
        resumes: body.resumes,
        resumed_by: Vec::new(),
        waits_for: Vec::new(),
        completed: None,
        certificate: None,
        stores: Vec::new(),
    });
}

/// The payload of a role, if the event has one.
fn sealed(event: &Event, role: PayloadRole) -> Option<SealedAt> {
    let reference = event.payloads.iter().find(|reference| reference.role == role)?;
    let missing = match reference.content {
        Content::Absent(absent) => Some(format!("{}: {}", absent.state.as_str(), absent.reason)),
        Content::First(_, state) if state != State::Present => Some(state.as_str().to_owned()),
        _ => None,
    };
    Some(SealedAt { payload: reference.payload, missing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use inferlog_record::body::{IncidentCategory, IncidentPhase};
    use inferlog_record::{Id, SystemName};

    fn stated(at: u64) -> StatedAt {
        StatedAt { at: Timestamp(at), by: None, event: Id::new(at, &[0; 10]), index: at, log: "o".into() }
    }

    #[test]
    fn a_deadline_is_days_after_awareness_and_a_later_word_counts() {
        let incident_id = Id::new(1, &[0; 10]);
        let mut found = Keeping::default();
        for (at, category, phase) in [
            (10, IncidentCategory::HealthHarm, IncidentPhase::Aware),
            (20, IncidentCategory::Death, IncidentPhase::Aware),
            (30, IncidentCategory::Death, IncidentPhase::Reported),
        ] {
            let body = Incident {
                aware_at: Timestamp(5),
                by: None,
                category,
                days: category.days(),
                hold: None,
                incident: incident_id,
                phase,
            };
            let event = Event::new(
                Id::new(at, &[0; 10]),
                SystemName::new("credit").unwrap(),
                Timestamp(at),
                body.clone(),
            );
            incident(&event, &body, stated(at), &mut found);
        }
        let [told] = &found.incidents[..] else { panic!("{found:?}") };
        assert_eq!((told.days, told.due_at), (10, Timestamp(5 + 10 * DAY_NS)));
        assert_eq!((told.steps.len(), told.is_due()), (3, false));
    }
}
