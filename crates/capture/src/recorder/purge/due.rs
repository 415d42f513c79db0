//! When a class's entries are due: purely from the policy, the calendar and the time.

use super::calendar::{Calendar, DAY_NS, last_of};
use inferlog_policy::{LEGAL_FLOOR, Policy, Profile, Retention};
use inferlog_record::{RetentionClass, Timestamp};

/// How much later than its target everything is removed, while a time service vouches for the clock: a day, nanoseconds. So much may
/// the stamps lag behind the true time, by steps too small to freeze purges and by the drift between two looks.
pub(crate) const MARGIN_NS: u64 = DAY_NS;

/// When what was logged at `from` may be removed: its class's floor and target are over, and what the law asks for at least, unless
/// somebody answers for less.
pub fn due_at(policy: &Policy, class: &Retention, from: Timestamp) -> Timestamp {
    let own = class.target.end(from).max(class.floor.end(from));
    let has_legal_floor = policy.profile != Profile::Other && class.below_legal_floor.is_none();
    match has_legal_floor {
        true => LEGAL_FLOOR.into_iter().map(|floor| floor.end(from)).fold(own, Timestamp::max),
        false => own,
    }
}

/// The first index of a class that is not due at `now`, with a margin, `below` at most: all entries of the class below it are due. Whole
/// days of the effective time are due together, so that packs and pages of keys go as a whole.
pub(crate) fn due_before(
    calendar: &Calendar,
    policy: &Policy,
    class: &Retention,
    below: u64,
    now: Timestamp,
    margin_ns: u64,
) -> u64 {
    let now = now.nanos().saturating_sub(margin_ns);
    calendar.due_before(below, |day| due_at(policy, class, last_of(day)).nanos() <= now)
}

/// How a policy keeps a class; `None` if it does not name it, and for what nothing removes.
pub(crate) fn rule<'a>(policy: &'a Policy, class: &str) -> Option<&'a Retention> {
    let permanent = RetentionClass::permanent();
    policy.classes.iter().find(|rule| rule.class.as_str() == class && rule.class != permanent)
}
