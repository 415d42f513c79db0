//! How long records are kept.

use inferlog_record::Timestamp;

use super::{Item, Row, Section, list, row};
use crate::{Erasable, Period, Policy, Retention};

/// A day to give examples for: 1 January 2027.
const EXAMPLE: Timestamp = Timestamp(1_798_761_600_000_000_000);

pub(super) fn section(policy: &Policy) -> Section {
    let several = policy.classes.len() > 1;
    let lead = format!(
        "{} of records. What a hold covers is kept until the hold is released, however old it is; records of erasures, holds, incidents \
         and removals are kept for ever. Dates are those of what is recorded on {}.",
        match policy.classes.len() {
            1 => "One class".to_owned(),
            count => format!("{count} classes"),
        },
        day(Period::Days(0)),
    );
    let items = policy.classes.iter().enumerate().map(|(at, class)| Item {
        name: class.class.to_string(),
        about: about(at == 0, several, class),
        rows: rows(class),
    });
    Section { heading: "How long is it kept?", lead, items: items.collect() }
}

fn about(is_first: bool, several: bool, class: &Retention) -> String {
    let names = list(class.routes.iter().map(|route| route.as_str()));
    let routes = format!("the route{} {names}", if class.routes.len() == 1 { "" } else { "s" });
    match (is_first, several, class.routes.is_empty()) {
        (true, false, _) => "all decisions, and the life of the system".into(),
        (true, true, true) => "decisions of no other class, and the life of the system".into(),
        (true, true, false) => {
            format!("decisions of {routes} and of no other class, and the life of the system")
        }
        (false, _, true) => "no decision: no route is named".into(),
        (false, _, false) => format!("decisions of {routes}"),
    }
}

fn rows(class: &Retention) -> Vec<Row> {
    let Retention { floor, target, ceiling, legal_basis, erasure, below_legal_floor, .. } = class;
    let mut rows = vec![
        match floor {
            Period::Days(0) | Period::Months(0) => row("at least", "no floor"),
            _ => row("at least", format!("{floor}: not removed before {}", day(*floor))),
        },
        row("removed after", format!("{target}: from {} on", day(*target))),
        match ceiling {
            Some(ceiling) => {
                row("at the latest", format!("{ceiling}: what is left after {} is reported", day(*ceiling)))
            }
            None => row("at the latest", "no ceiling"),
        },
        row("because", legal_basis.clone()),
        match erasure {
            Erasable::Always => row("erased on request", "at once, unless a hold covers it"),
            Erasable::AfterFloor => row(
                "erased on request",
                format!(
                    "only after {floor}, for a legal duty to keep it (Article 17(3)(b) GDPR): until then a request is \
                     withheld or refused, and the record says so"
                ),
            ),
        },
    ];
    if let Some(who) = below_legal_floor {
        rows.push(row("below the legal floor", who.clone()));
    }
    rows
}

/// The UTC day on which a period is over that begins on the day of the examples.
fn day(period: Period) -> String {
    period.end(EXAMPLE).to_string().get(..10).unwrap_or_default().to_owned()
}
