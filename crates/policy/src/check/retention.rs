//! How long classes are kept.

use std::collections::BTreeMap;

use inferlog_record::RetentionClass;

use super::{ACT_FLOOR, Findings, OWN};
use crate::{Erasable, Period, Policy, Retention};

const STORAGE_LIMITATION: &str = "Regulation (EU) 2016/679, Article 5(1)(e)";
const RIGHT_TO_ERASURE: &str = "Regulation (EU) 2016/679, Article 17(3)(b)";

pub(super) fn check(policy: &Policy, found: &mut Findings) {
    let (mut names, mut routes) = (BTreeMap::new(), BTreeMap::new());
    for (at, class) in policy.classes.iter().enumerate() {
        let name = class.class.as_str();
        let place = |key: &str| format!("class {name}: {key}");
        if class.class == RetentionClass::permanent() {
            let what = "`permanent` is the class of erasures, holds, incidents and purges, which no policy removes: take \
                        another name";
            found.refuse(place("name"), what, OWN);
        }
        if names.insert(name, at).is_some() {
            found.refuse(place("name"), "another class has this name: choose one that stands once", OWN);
        }
        for route in &class.routes {
            match routes.insert(route.as_str(), name) {
                Some(other) if other == name => {
                    found.warn(place("routes"), format!("{route} is named twice: leave one out"), OWN);
                }
                Some(other) => {
                    let what = format!("{route} is one of class {other} too: a decision is of one class");
                    found.refuse(place("routes"), what, OWN);
                }
                None => {}
            }
        }
        if at > 0 && class.routes.is_empty() {
            let what = "no route is of it: name some, or leave the class out";
            found.warn(place("routes"), what, OWN);
        }
        floor(policy, class, found);
        periods(class, found);
        erasure(policy, class, found);
    }
}

fn floor(policy: &Policy, class: &Retention, found: &mut Findings) {
    let Retention { floor, below_legal_floor, .. } = class;
    let place = format!("class {}: floor", class.class);
    let is_below = policy.profile.has_legal_floor() && !floor.covers_legal_floor();
    match (is_below, below_legal_floor) {
        (false, None) => {}
        (false, Some(_)) => {
            let place = format!("class {}: below_legal_floor", class.class);
            found.warn(place, "the floor is not below the legal one: leave it out", ACT_FLOOR);
        }
        (true, Some(who)) => {
            let what = format!(
                "{floor} is below the legal floor of six months, which somebody answers for: {who:?}; that is recorded with \
                 the policy"
            );
            found.warn(place, what, ACT_FLOOR);
        }
        (true, None) if *floor == Period::Months(6) => {
            let what = "six months of the calendar are 181 to 184 days, as they begin, and the floor is never under 184: write \
                        \"184 days\"";
            found.refuse(place, what, ACT_FLOOR);
        }
        (true, None) => {
            let what = format!(
                "{floor} is below the legal floor of six months: write \"184 days\" or longer; or, if somebody answers for it, \
                 who and why in `below_legal_floor`"
            );
            found.refuse(place, what, ACT_FLOOR);
        }
    }
}

fn periods(class: &Retention, found: &mut Findings) {
    let Retention { floor, target, ceiling, .. } = class;
    let place = |key: &str| format!("class {}: {key}", class.class);
    if !target.covers(*floor) {
        let what = format!(
            "{target} may be over before the floor of {floor} is: nothing is removed before its floor"
        );
        found.refuse(place("target"), what, OWN);
    }
    if matches!(target, Period::Days(0) | Period::Months(0)) {
        found.refuse(place("target"), "nothing would be kept at all: write a day at least", OWN);
    }
    match ceiling {
        Some(ceiling) if !ceiling.covers(*target) => {
            let what = format!(
                "{ceiling} may be over before the target of {target} is: it must leave time to remove things"
            );
            found.refuse(place("ceiling"), what, OWN);
        }
        Some(ceiling) if target.covers(*ceiling) => {
            let what = "is the target: whatever is not removed at once is reported as kept too long";
            found.warn(place("ceiling"), what, OWN);
        }
        Some(_) => {}
        None => {
            let what = "there is none: nothing reports what is kept longer than it should be";
            found.note(place("ceiling"), what, STORAGE_LIMITATION);
        }
    }
}

fn erasure(policy: &Policy, class: &Retention, found: &mut Findings) {
    let place = format!("class {}: erasure", class.class);
    match (class.erasure, policy.profile.has_legal_floor()) {
        (Erasable::Always, true) => {
            let what = format!(
                "a person's request erases content before the floor of {}; where `legal_basis` is a duty to keep it, \
                 \"after-floor\" withholds it until then: your counsel decides",
                class.floor
            );
            found.note(place, what, RIGHT_TO_ERASURE);
        }
        (Erasable::AfterFloor, false) => {
            let what = format!(
                "requests are refused for {}; the AI Act asks for no logs of this profile, so another law must: name it in \
                 `legal_basis`",
                class.floor
            );
            found.warn(place, what, RIGHT_TO_ERASURE);
        }
        _ => {}
    }
}
