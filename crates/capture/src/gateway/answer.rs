//! Answers that the gateway itself gives, and the header that names the decision.

use crate::gateway::delivery::Reply;
use crate::recorder::RecordError;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use inferlog_record::Id;

/// The header of an answer that names its decision.
pub const DECISION_ID: HeaderName = HeaderName::from_static("inferlog-decision-id");

/// An error in the words of the gateway: `{"error", "code"}`, as clients of the Open Inference Protocol expect.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response<Reply> {
    let body = serde_json::json!({ "code": code, "error": message }).to_string();
    let mut answer = Response::new(Reply::whole(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The answer where the record failed. Nothing of the model's answer is in it.
pub(crate) fn not_recorded(failure: &RecordError) -> Response<Reply> {
    if let RecordError::Biometric(_) = failure {
        return error(StatusCode::UNPROCESSABLE_ENTITY, failure.code(), &words(failure));
    }
    let mut answer = error(StatusCode::SERVICE_UNAVAILABLE, failure.code(), &words(failure));
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// What a client is told where the record failed.
pub(crate) fn words(failure: &RecordError) -> String {
    if let RecordError::Biometric(_) = failure {
        return failure.to_string();
    }
    format!(
        "this request cannot be recorded, and this route answers nothing unrecorded: {}. What to do: {}",
        failure.summary(),
        failure.advice()
    )
}

/// Names the decision in an answer.
pub(crate) fn name(answer: &mut Response<Reply>, decision: Id) {
    if let Ok(value) = HeaderValue::try_from(decision.to_string()) {
        answer.headers_mut().insert(DECISION_ID, value);
    }
}
