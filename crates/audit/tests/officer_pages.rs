//! The compliance officer's pages: the certificate of an erasure, the incident sheet, what a person is given. Their text is held
//! here; interop/browser/test_officer.py looks at them in a browser.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use inferlog_audit::PayloadContent;
use inferlog_audit::certificate::{Certificate, CertificateError};
use inferlog_audit::keeping::{
    DAY_NS, HoldTold, IncidentSheet, IncidentStep, IncidentTold, OpenedReport, Released, SealedAt, StatedAt,
    TimeLeft,
};
use inferlog_audit::person::{
    PersonIndex, PersonRow, Personal, PersonalContent, PersonalStep, index_foot, index_head, index_row,
};
use inferlog_record::body::{Basis, IncidentCategory, IncidentPhase, Scope};
use inferlog_record::{Id, Pseudonym, Timestamp};

fn id(n: u64) -> Id {
    Id::new(1_795_000_000_000 + n, &[n as u8; 10])
}

fn at(text: &str) -> Timestamp {
    format!("{text}:00.000000000Z").parse().unwrap()
}

fn stated(n: u64, when: &str) -> StatedAt {
    let log = "example.org/credit/0/20260101-00000000".to_owned();
    StatedAt { at: at(when), by: Some(Pseudonym::new([n as u8; 16])), event: id(n), index: 4_000 + n, log }
}

const NOTE: &str = "\
inferlog erasure certificate v1
origin: example.org/credit/0/20260101-00000000
system: credit
intent: 019f1111-2222-7333-8444-555566667777
intent-log: example.org/credit/0/20260101-00000000
intent-entry: 81204
announced: 2026-11-22T10:15:02.123456789Z
completed: 2026-11-22T10:15:03.500000000Z
order: request
subject: 5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a
key: 3.17
decisions: 41
withheld: 2
withheld-for: hold
withheld-for: legal_duty
hold: 019f0000-1111-7222-8333-444455556666
withheld-until: 2027-05-22T00:00:00.000000000Z
checked: the keystore holds none of the keys
store: keystore, pages written anew: 2, keys left out: 1
root-key: epoch 4, the one before is destroyed
store: wal, what is left of the keys there is sealed by page keys that are gone
store: index sqlite, has applied every entry before 81206
outside: copies of the keystore that inferlog does not write, until they are gone
outside: evidence bundles, exports and answers that were given out before
backup-horizon: 2026-12-22T10:15:03.500000000Z

\u{2014} example.org/credit/0/20260101-00000000 fT5jBQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
";

#[test]
fn the_certificate_is_as_it_was() {
    let certificate = Certificate::parse(NOTE.as_bytes()).unwrap();
    assert_eq!(certificate.origin(), "example.org/credit/0/20260101-00000000");
    assert!(certificate.verify(&[]).is_err());
    insta::assert_binary_snapshot!("certificate.html", certificate.to_html().into_bytes());
    // What a word in it could do to a page.
    let hostile = NOTE.replace("system: credit", "system: <script>alert(1)</script>");
    let html = Certificate::parse(hostile.as_bytes()).unwrap().to_html();
    assert!(!html.contains("<script"));
}

#[test]
fn what_is_no_certificate_is_told_so() {
    let without = |line: &str| {
        NOTE.lines()
            .filter(|other| !other.starts_with(line))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    for (note, expected) in [
        ("nonsense".to_owned(), "this is no certificate"),
        (NOTE.replace("certificate v1", "certificate v2"), "its first line is not"),
        (NOTE.replace("order: request", "order request"), "line 9 of the certificate is not"),
        (without("intent:"), "no line `intent`"),
        (without("origin:"), "no line `origin`"),
    ] {
        let error: CertificateError = Certificate::parse(note.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

fn sheet(phase: IncidentPhase) -> IncidentSheet {
    let report = || Some(SealedAt { payload: id(90), missing: None });
    let mut steps = vec![IncidentStep {
        phase: IncidentPhase::Aware,
        stated: stated(1, "2026-11-20T08:20"),
        report: report(),
    }];
    let mut released = None;
    if phase == IncidentPhase::Closed {
        steps.push(IncidentStep {
            phase: IncidentPhase::Reported,
            stated: stated(2, "2026-11-24T16:00"),
            report: report(),
        });
        steps.push(IncidentStep { phase, stated: stated(3, "2027-01-10T09:00"), report: None });
        released =
            Some(Released { basis: Basis::Incident, stated: stated(4, "2027-01-10T09:01"), order: None });
    }
    let aware_at = at("2026-11-20T08:15");
    let incident = IncidentTold {
        incident: id(7),
        system: "credit".into(),
        category: IncidentCategory::FundamentalRights,
        aware_at,
        days: 15,
        due_at: Timestamp(aware_at.nanos() + 15 * DAY_NS),
        phase,
        hold: Some(id(8)),
        steps,
    };
    let scope =
        Scope { from: Some(at("2026-10-01T00:00")), to: Some(at("2026-11-20T00:00")), ..Scope::default() };
    let hold = HoldTold {
        hold: id(8),
        system: "credit".into(),
        basis: Basis::Incident,
        incident: Some(id(7)),
        placed_at: at("2026-11-20T08:20"),
        placed: vec![stated(5, "2026-11-20T08:20")],
        scopes: vec![scope],
        order: None,
        released,
    };
    let text = "Applicants of one district were declined twice as often since the release of 1 October.\nModel rolled back at 09:40.";
    IncidentSheet {
        made_at: at("2026-11-22T10:00"),
        incident,
        holds: vec![hold],
        covered: Some(12_431),
        reports: vec![OpenedReport { event: id(1), text: Ok(text.to_owned()) }],
    }
}

#[test]
fn the_incident_sheet_is_as_it_was() {
    insta::assert_binary_snapshot!("incident-aware.html", sheet(IncidentPhase::Aware).to_html().into_bytes());
    insta::assert_binary_snapshot!(
        "incident-closed.html",
        sheet(IncidentPhase::Closed).to_html().into_bytes()
    );
}

#[test]
fn the_time_left_is_counted_to_the_second() {
    let mut incident = sheet(IncidentPhase::Aware).incident;
    let due = incident.due_at.nanos();
    assert_eq!(incident.left(Timestamp(due - 1)), TimeLeft::Left(1));
    assert_eq!(incident.left(Timestamp(due)), TimeLeft::Left(0));
    assert_eq!(incident.left(Timestamp(due + 5)), TimeLeft::Over(5));
    incident.phase = IncidentPhase::Reported;
    assert_eq!(incident.left(Timestamp(due + 5)), TimeLeft::Stopped);
    // A word that it is closed is no word that it was reported.
    let now = Timestamp(due + 100 * DAY_NS);
    assert_eq!(incident.report_words(now), "closed, no report recorded");
    let mut closed = sheet(IncidentPhase::Closed).incident;
    assert_eq!(closed.report_words(now), "reported");
    closed.due_at = at("2026-11-24T14:00");
    assert_eq!(closed.report_words(now), "reported 2 h late");
}

fn personal() -> Personal {
    let content = |role: &str, state: &str, content: Option<PayloadContent>| PersonalContent {
        role: role.into(),
        state: state.into(),
        why: (state == "redacted").then(|| "detected_by_rule".into()),
        media_type: None,
        content,
    };
    let json = r#"{"inputs":[{"name":"income","data":[48517.25]},{"name":"note","data":["<b>bold</b>"]}]}"#;
    let json = PayloadContent::Json(serde_json::value::RawValue::from_string(json.into()).unwrap());
    let step = |order, kind: &str, says, contents| PersonalStep {
        order,
        kind: kind.into(),
        logged_at: "2026-11-22T09:12:14.002250000Z".into(),
        says,
        contents,
    };
    Personal {
        decision: id(20),
        system: "credit".into(),
        outcome: Some("answered".into()),
        model: Some("credit".into()),
        model_version: Some("3".into()),
        started_at: Some("2026-11-22T09:12:14.002250000Z".into()),
        ended_at: Some("2026-11-22T09:12:14.104000000Z".into()),
        shared: false,
        contents_withheld: false,
        proved: true,
        steps: vec![
            step(
                1,
                "decision.opened",
                serde_json::json!({ "route": "loans" }),
                vec![content("input.raw", "present", Some(json))],
            ),
            step(
                2,
                "inference",
                serde_json::json!({ "model": { "identity": "exact", "requested": "credit" }, "outcome": "ok" }),
                vec![content("input.assembled", "as_before", None), content("headers", "redacted", None)],
            ),
            step(3, "human", serde_json::json!({ "action": "override", "by": "another person" }), Vec::new()),
        ],
    }
}

#[test]
fn what_a_person_is_given_is_as_it_was() {
    insta::assert_binary_snapshot!("person-decision.html", personal().to_html().into_bytes());
    let persons = vec![("credit".to_owned(), Pseudonym::new([9; 16]))];
    let index =
        PersonIndex { made_at: at("2026-11-22T10:00"), persons, decisions: 2, shared: 1, withheld: 1 };
    let row = |n, shared, contents| PersonRow {
        decision: id(n),
        system: "credit".into(),
        started_at: Some("2026-11-22T09:12:14.002250000Z".into()),
        outcome: Some("answered".into()),
        model: Some("credit".into()),
        shared,
        contents_withheld: shared,
        contents,
    };
    let page =
        [index_head(&index), index_row(&row(20, false, 1)), index_row(&row(21, true, 0)), index_foot(&index)];
    insta::assert_binary_snapshot!("person-index.html", page.concat().into_bytes());
}
