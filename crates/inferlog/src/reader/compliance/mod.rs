//! Erasures, holds and incidents over HTTP, for whoever has the token for that: the one that reads does not do.
//!
//! A person's value comes in bodies alone, never in a path or a query. What is asked for is done in a task of its own: a client
//! that leaves stops no half of it.

mod bodies;
mod bundle;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use inferlog::real_env;
use inferlog_audit::Select;
use inferlog_audit::keeping::keeping;
use inferlog_record::body::{Basis, IncidentPhase, OrderKind};
use inferlog_record::{Id, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use self::bodies::{AdvanceBody, EraseBody, HoldBody, IncidentBody, No, ReleaseBody, parse, time, words};
use super::answer::{refuse, whole};
use super::asked::Refused;
use super::{Body, Reader};
use crate::admin::{
    Act, CertificateGiven, ErasureAct, ErasureAsked, ErasureDone, ErasureLine, ErasurePlan, HoldAct,
    HoldAsked, IncidentAct, IncidentAsked, IncidentDone, Outcome, Target, act_following,
};
use crate::commands::incident::with_time_left;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Erase,
    Erasures,
    Certificate(Id),
    PlaceHold,
    ReleaseHold(Id),
    Holds,
    OpenIncident,
    Incidents,
    Incident(Id),
    Report(Id),
    Close(Id),
}

/// Whether a path is one of these, right or wrong: it asks for the other token.
pub(super) fn is_path(path: &str) -> bool {
    let rest = path.trim_start_matches('/').strip_prefix("v1/").unwrap_or_default();
    ["erasures", "holds", "incidents"].contains(&rest.split('/').next().unwrap_or_default())
}

impl Asked {
    pub(super) fn of(head: &Parts) -> Result<Self, Refused> {
        if head.uri.query().is_some_and(|query| !query.is_empty()) {
            let message = "no parameters are known here: what is asked for stands in the body".to_owned();
            return Err(Refused { status: StatusCode::BAD_REQUEST, code: "malformed", message });
        }
        let path: Vec<&str> = head.uri.path().trim_start_matches('/').split('/').collect();
        let (get, post) = (head.method == Method::GET, head.method == Method::POST);
        let id = |text: &str| {
            text.parse::<Id>().map_err(|_| Refused {
                status: StatusCode::BAD_REQUEST,
                code: "malformed",
                message: "the path holds no id: 36 characters, as a UUID of version 7 has".to_owned(),
            })
        };
        Ok(match path.as_slice() {
            ["v1", "erasures"] if post => Self::Erase,
            ["v1", "erasures"] if get => Self::Erasures,
            ["v1", "erasures", intent, "certificate"] if get => Self::Certificate(id(intent)?),
            ["v1", "holds"] if post => Self::PlaceHold,
            ["v1", "holds"] if get => Self::Holds,
            ["v1", "holds", hold, "release"] if post => Self::ReleaseHold(id(hold)?),
            ["v1", "incidents"] if post => Self::OpenIncident,
            ["v1", "incidents"] if get => Self::Incidents,
            ["v1", "incidents", incident] if get => Self::Incident(id(incident)?),
            ["v1", "incidents", incident, "report"] if post => Self::Report(id(incident)?),
            ["v1", "incidents", incident, "close"] if post => Self::Close(id(incident)?),
            _ => {
                let message = "no such path or method: POST and GET /v1/erasures, /v1/holds, /v1/incidents; GET \
                               /v1/erasures/{id}/certificate, /v1/incidents/{id}; POST /v1/holds/{id}/release, \
                               /v1/incidents/{id}/report, /v1/incidents/{id}/close"
                    .to_owned();
                return Err(Refused { status: StatusCode::NOT_FOUND, code: "no_such_path", message });
            }
        })
    }

    /// What its route is called, for this process's log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Erase => "erase",
            Self::Erasures => "erasures",
            Self::Certificate(_) => "certificate",
            Self::PlaceHold => "place_hold",
            Self::ReleaseHold(_) => "release_hold",
            Self::Holds => "holds",
            Self::OpenIncident => "open_incident",
            Self::Incidents | Self::Incident(_) => "incidents",
            Self::Report(_) => "report_incident",
            Self::Close(_) => "close_incident",
        }
    }
}

type Answer = (StatusCode, Value);

impl No {
    fn answer(self) -> Response<Body> {
        match self {
            Self::Malformed(what) => refuse(StatusCode::BAD_REQUEST, "malformed", &what),
            Self::Failed(failure) => match failure.unknown_code() {
                Some(code) => refuse(StatusCode::NOT_FOUND, code, &failure.to_string()),
                None => refuse(StatusCode::UNPROCESSABLE_ENTITY, "failed", &failure.to_string()),
            },
        }
    }
}

impl Reader {
    /// Does what is asked for, in a task of its own, to its end; `turn` is held until then.
    pub(super) async fn comply(
        self: &Arc<Self>,
        asked: Asked,
        body: Bytes,
        turn: OwnedSemaphorePermit,
    ) -> Response<Body> {
        let reader = self.clone();
        let done = tokio::spawn(async move {
            let _turn = turn;
            reader.done(asked, &body).await
        });
        done.await.unwrap_or_else(|error| No::from(error).answer())
    }

    async fn done(&self, asked: Asked, body: &[u8]) -> Response<Body> {
        let done = match asked {
            Asked::Erase => self.erase(body).await,
            Asked::Erasures => self.erasures().await,
            Asked::Certificate(intent) => return self.certificate(intent).await,
            Asked::PlaceHold => self.place_hold(body).await,
            Asked::ReleaseHold(hold) => self.release_hold(hold, body).await,
            Asked::Holds => self.holds().await,
            Asked::OpenIncident => self.open_incident(body).await,
            Asked::Incidents => self.incidents(None).await,
            Asked::Incident(incident) => self.incidents(Some(incident)).await,
            Asked::Report(incident) => self.advance(incident, IncidentPhase::Reported, body).await,
            Asked::Close(incident) => self.advance(incident, IncidentPhase::Closed, body).await,
        };
        match done {
            Ok((status, value)) => whole(status, "application/json", value.to_string()),
            Err(no) => no.answer(),
        }
    }

    async fn act<T: DeserializeOwned>(&self, asked: Act) -> Result<T, No> {
        let instance = self.current.get().await;
        let done = act_following(&instance, self.current.followers(), asked).await;
        Ok(serde_json::from_value(done.map_err(No::Failed)?)?)
    }

    async fn erase(&self, body: &[u8]) -> Result<Answer, No> {
        let EraseBody { subject, decision, system, order, order_text, actor, plan } = parse(body)?;
        let target = match (subject, decision) {
            (Some(value), None) if !value.is_empty() => Target::Subject(value),
            (None, Some(id)) => Target::Decision(id),
            _ => return Err(No::Malformed("name a `subject` or a `decision`, one of them".to_owned())),
        };
        let order = order.unwrap_or(OrderKind::Request);
        let nothing = (
            StatusCode::NOT_FOUND,
            json!({ "error": { "code": "nothing_to_erase", "message": "not known here, or erased before" } }),
        );
        if plan {
            let plans: Vec<ErasurePlan> =
                self.act(Act::Erasure(ErasureAct::Plan { target, system, order })).await?;
            return Ok(if plans.is_empty() { nothing } else { (StatusCode::OK, json!({ "plans": plans })) });
        }
        let asked = ErasureAsked { target, system, order, text: words(order_text)?, actor };
        let erased: Vec<ErasureDone> = self.act(Act::Erasure(ErasureAct::Erase(asked))).await?;
        let status = match erased.as_slice() {
            [] => return Ok(nothing),
            erased if erased.iter().all(|done| done.outcome == Outcome::Refused) => StatusCode::CONFLICT,
            erased if erased.iter().any(|done| done.outcome == Outcome::Waiting) => StatusCode::ACCEPTED,
            _ => StatusCode::OK,
        };
        Ok((status, json!({ "erased": erased })))
    }

    async fn erasures(&self) -> Result<Answer, No> {
        let lines: Vec<ErasureLine> = self.act(Act::Erasure(ErasureAct::Status)).await?;
        Ok((StatusCode::OK, json!({ "erasures": lines })))
    }

    async fn certificate(&self, intent: Id) -> Response<Body> {
        match self.act::<Option<CertificateGiven>>(Act::Erasure(ErasureAct::Certificate { intent })).await {
            Ok(Some(given)) => whole(StatusCode::OK, "text/plain; charset=utf-8", given.note),
            Ok(None) => {
                let what = "no erasure of this id is completed here";
                refuse(StatusCode::NOT_FOUND, "no_certificate", what)
            }
            Err(no) => no.answer(),
        }
    }

    async fn place_hold(&self, body: &[u8]) -> Result<Answer, No> {
        let HoldBody { system, basis, order_text, actor, freeze } = parse(body)?;
        if basis == Basis::Incident {
            return Err(No::Malformed("a hold for an incident is placed by POST /v1/incidents".to_owned()));
        }
        let asked = HoldAsked { system, basis, freeze: freeze.read()?, text: words(order_text)?, actor };
        Ok((StatusCode::OK, self.act(Act::Hold(HoldAct::Place(asked))).await?))
    }

    async fn release_hold(&self, hold: Id, body: &[u8]) -> Result<Answer, No> {
        let ReleaseBody { basis, order_text, actor } = parse(body)?;
        let asked = HoldAct::Release { hold, basis, text: words(order_text)?, actor };
        Ok((StatusCode::OK, self.act(Act::Hold(asked)).await?))
    }

    async fn open_incident(&self, body: &[u8]) -> Result<Answer, No> {
        let IncidentBody { system, category, aware_at, freeze, report_text, actor } = parse(body)?;
        let aware_at = time("aware_at", &aware_at)?;
        let (freeze, report) = (freeze.read()?, words(report_text)?);
        let asked = IncidentAsked { system, category, aware_at, freeze, report, actor };
        let done: IncidentDone = self.act(Act::Incident(IncidentAct::Open(asked))).await?;
        let mut told = serde_json::to_value(&done)?;
        // Whatever becomes of the bundle, the incident is open and its records are frozen.
        match self.bundle(done.incident).await {
            Ok(bundle) => told["bundle"] = bundle,
            Err(why) => (told["bundle"], told["no_bundle"]) = (Value::Null, why.to_string().into()),
        }
        Ok((StatusCode::OK, told))
    }

    async fn advance(&self, incident: Id, phase: IncidentPhase, body: &[u8]) -> Result<Answer, No> {
        let AdvanceBody { report_text, actor, release_hold } =
            if body.is_empty() { AdvanceBody::default() } else { parse(body)? };
        if release_hold && phase != IncidentPhase::Closed {
            return Err(No::Malformed("`release_hold` goes with the end of an incident".to_owned()));
        }
        let report = words(report_text)?;
        let asked = IncidentAct::Advance { incident, phase, report, actor: actor.clone() };
        let done: IncidentDone = self.act(Act::Incident(asked)).await?;
        let mut told = serde_json::to_value(&done)?;
        if let (true, Some(hold)) = (release_hold && done.hold_stands, done.hold) {
            let release = HoldAct::Release { hold, basis: Basis::Incident, text: None, actor };
            // Whatever becomes of the hold, the incident is closed. What fails after the release leaves none.
            let released: Result<Value, No> = self.act(Act::Hold(release)).await;
            let systems = self.current.get().await.recorder.systems().await;
            let stands =
                systems.iter().flat_map(|system| system.holds()).any(|standing| standing.hold == hold);
            (told["hold_released"], told["hold_stands"]) = ((!stands).into(), stands.into());
            if let Err(No::Failed(why)) = released {
                told["problem"] = why.to_string().into();
            }
        }
        Ok((StatusCode::OK, told))
    }

    async fn holds(&self) -> Result<Answer, No> {
        let mut told = Vec::new();
        for hold in self.keeping().await?.holds {
            let mut one = serde_json::to_value(&hold)?;
            one["stands"] = hold.stands().into();
            told.push(one);
        }
        Ok((StatusCode::OK, json!({ "holds": told })))
    }

    /// All incidents, or one.
    async fn incidents(&self, only: Option<Id>) -> Result<Answer, No> {
        let now = Timestamp(self.current.get().await.env.clock.now_ns());
        let mut told = Vec::new();
        for incident in self.keeping().await?.incidents {
            if only.is_none_or(|only| only == incident.incident) {
                told.push(with_time_left(&incident, now).map_err(No::Failed)?);
            }
        }
        match (only, told.pop_if(|_| only.is_some())) {
            (None, _) => Ok((StatusCode::OK, json!({ "incidents": told }))),
            (Some(_), Some(one)) => Ok((StatusCode::OK, one)),
            (Some(_), None) => {
                let error = json!({ "code": "no_such_incident", "message": "no incident of this id was opened here" });
                Ok((StatusCode::NOT_FOUND, json!({ "error": error })))
            }
        }
    }

    /// What the published logs tell, up to what is acknowledged now.
    async fn keeping(&self) -> Result<inferlog_audit::keeping::Keeping, No> {
        let instance = self.current.get().await;
        instance.recorder.integrate().await?;
        let data = instance.data.clone();
        drop(instance);
        let telling = move || keeping(&real_env().fs, &data, &Select::default());
        Ok(tokio::task::spawn_blocking(telling).await??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn a_path_is_a_request_and_holds_no_more_than_ids() {
        let id = "0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11";
        let parsed: Id = id.parse().unwrap();
        for (method, path, expected) in [
            ("POST", "/v1/erasures".to_owned(), Ok(Asked::Erase)),
            ("GET", "/v1/erasures".into(), Ok(Asked::Erasures)),
            ("GET", format!("/v1/erasures/{id}/certificate"), Ok(Asked::Certificate(parsed))),
            ("POST", format!("/v1/holds/{id}/release"), Ok(Asked::ReleaseHold(parsed))),
            ("GET", format!("/v1/incidents/{id}"), Ok(Asked::Incident(parsed))),
            ("POST", format!("/v1/incidents/{id}/close"), Ok(Asked::Close(parsed))),
            ("DELETE", "/v1/erasures".into(), Err(404)),
            ("GET", "/v1/erasures/4711/certificate".into(), Err(400)),
            ("POST", "/v1/erasures?subject=4711".into(), Err(400)),
            ("GET", format!("/v1/holds/{id}"), Err(404)),
        ] {
            assert!(is_path(path.split('?').next().unwrap()), "{path}");
            let (head, ()) = Request::builder().method(method).uri(&path).body(()).unwrap().into_parts();
            let found = Asked::of(&head).map_err(|refused| refused.status.as_u16());
            assert_eq!(found, expected, "{method} {path}");
        }
        assert!(!is_path("/v1/decisions") && !is_path("/v1/query") && !is_path("/erasures"));
    }
}
